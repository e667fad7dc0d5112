// Z2: lines, CSV and JSON (S09, fault F34). Where records end does not depend on how much of a file is in view; what is not refused is
// written and read back as it was.

#include <bit>
#include <cstring>
#include <vector>

#include <tidemark/file/csv.hpp>
#include <tidemark/file/ndjson.hpp>

#include "fuzz.hpp"
#include "src/framing.hpp"

namespace tidemark::fuzz {
namespace {

using namespace file_internal;

struct Piece {
  CutKind kind{};
  std::size_t begin = 0;
  std::size_t size = 0;
  bool operator==(const Piece&) const = default;
};

// As a reader does that gets `step` bytes at a time.
std::vector<Piece> pieces(const Framing& framing, ByteView bytes, std::size_t limit, std::size_t step) {
  std::vector<Piece> found;
  std::size_t at = 0;
  std::size_t seen = 0;
  bool skipping = false;
  const auto see_more = [&] {
    const bool more = seen < bytes.size();
    seen = std::min(bytes.size(), seen + step);
    return more;
  };
  while (true) {
    const ByteView unread = bytes.substr(at, seen - at);
    if (skipping && !unread.empty()) {
      const std::size_t line_end = unread.find('\n');
      skipping = line_end == ByteView::npos;
      at += skipping ? unread.size() : line_end + 1;
      continue;
    }
    if (unread.empty()) {
      if (see_more()) continue;
      return found;
    }
    const Cut cut = cut_record(framing, unread, limit, seen == bytes.size());
    if (cut.kind == CutKind::kMore) {
      require(see_more(), "a whole file is cut to its end");
      continue;
    }
    require(cut.next > 0 && cut.next <= unread.size() && cut.size <= cut.next, "a record lies in the bytes that it was cut from");
    require(cut.kind == CutKind::kTooLarge || cut.kind == CutKind::kUnclosedQuote || cut.size <= limit, "no record is above the limit");
    found.push_back({cut.kind, at, cut.size});
    at += cut.next;
    skipping = cut.kind == CutKind::kTooLarge && !cut.line_ended;
  }
}

// With the bytes behind it that a reader owes its decoder.
class Padded {
 public:
  explicit Padded(ByteView bytes) : bytes_(bytes.size() + kReadAhead, '"'), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  }
  ByteView view() const { return {bytes_.data(), size_}; }

 private:
  std::vector<char> bytes_;
  std::size_t size_;
};

// A decoder keeps the first error of a row, so each getter gets a row of its own.
template <class Decoder, class Get>
auto field(Decoder& decoder, ByteView record, Get get) {
  using T = decltype(get(decoder.row()));
  if (!decoder.load(record)) return std::optional<T>{};
  T value = get(decoder.row());
  return decoder.ok() ? std::optional<T>{std::move(value)} : std::nullopt;
}

void read_csv(const Framing& framing, ByteView bytes, std::size_t limit) {
  const CsvFormat format{.delimiter = framing.delimiter, .quoted = framing.quoted};
  CsvDecoder decoder{CsvSourceConfig{.columns = {"a", "b"}, .format = format}};
  const CsvSinkConfig sink{CsvHeader{"a", "b"}, format};
  bool header = true;
  for (const Piece& piece : pieces(framing, bytes, limit, bytes.size())) {
    if (piece.kind != CutKind::kRecord) continue;
    const ByteView record = bytes.substr(piece.begin, piece.size);
    if (header) {
      if (!decoder.begin_file(record, "file").ok()) return;
      header = false;
      continue;
    }
    const auto text = field(decoder, record, [](CsvRow& row) { return row.text(0); });
    const auto second = field(decoder, record, [](CsvRow& row) { return row.text(1); });
    const auto number = field(decoder, record, [](CsvRow& row) { return row.number(0); });
    const auto integer = field(decoder, record, [](CsvRow& row) { return row.integer(0); });
    (void)field(decoder, record, [](CsvRow& row) { return row.iso_time(1); });
    (void)field(decoder, record, [](CsvRow& row) { return row.unix_seconds(1); });
    if (!text || !second) continue;
    const auto written = [&](const auto& first) {
      Bytes out;
      CsvWriter writer{out, sink};
      writer.fields(first, *second);
      return writer.finish().ok() ? out : Bytes{};
    };
    CsvDecoder reader{CsvSourceConfig{.columns = {"a", "b"}, .format = format}};
    require(reader.begin_file(std::string{"a"} + framing.delimiter + "b", "file").ok(), "a header is a header");
    const auto read = [&](const Bytes& line, auto get) {
      const auto cut = cut_record(framing, line, line.size() + 2, true);
      require(cut.kind == CutKind::kRecord && cut.next == line.size(), "a row that was written is one record", line);
      return field(reader, ByteView{line}.substr(0, cut.size), get);
    };
    const Bytes line = written(*text);
    if (line.empty()) continue;   // without quotes not every text can be written
    require(read(line, [](CsvRow& row) { return row.text(0); }) == text, "a text comes back from CSV", line);
    require(read(line, [](CsvRow& row) { return row.text(1); }) == second, "the last text comes back from CSV", line);
    if (integer) require(read(written(*integer), [](CsvRow& row) { return row.integer(0); }) == integer, "an integer comes back");
    if (!number || framing.delimiter == '.') continue;
    const auto same = read(written(*number), [](CsvRow& row) { return row.number(0); });
    require(same && std::bit_cast<std::uint64_t>(*same) == std::bit_cast<std::uint64_t>(*number), "a number comes back", line);
  }
}

void read_json(const Framing& framing, ByteView bytes, std::size_t limit) {
  JsonDecoder decoder{JsonConfig{}};
  for (const Piece& piece : pieces(framing, bytes, limit, bytes.size())) {
    if (piece.kind != CutKind::kRecord) continue;
    const Padded record{bytes.substr(piece.begin, piece.size)};
    const auto text = field(decoder, record.view(), [](JsonObject& object) { return object.text("a"); });
    const auto number = field(decoder, record.view(), [](JsonObject& object) { return object.number("/b/0"); });
    const auto integer = field(decoder, record.view(), [](JsonObject& object) { return object.integer("a"); });
    (void)field(decoder, record.view(), [](JsonObject& object) { return object.iso_time("a"); });
    (void)field(decoder, record.view(), [](JsonObject& object) { return object.boolean("b"); });
    const auto read = [&](const auto& value, auto get) {
      Bytes line;
      JsonWriter writer{line, JsonConfig{}};
      writer.field("a", value);
      require(writer.finish().ok(), "an object can be written");
      JsonDecoder reader{JsonConfig{}};
      return field(reader, Padded{line}.view(), get);
    };
    if (text) require(read(*text, [](JsonObject& object) { return object.text("a"); }) == text, "a text comes back from JSON", *text);
    if (integer) require(read(*integer, [](JsonObject& object) { return object.integer("a"); }) == integer, "an integer comes back");
    if (!number) continue;
    const auto same = read(*number, [](JsonObject& object) { return object.number("a"); });
    const bool comes_back = same && std::bit_cast<std::uint64_t>(*same) == std::bit_cast<std::uint64_t>(*number);
    require(comes_back, "a number comes back", Bytes{record.view()});
  }
}

}  // namespace

// The first byte chooses the format, the second the limit and the steps.
void run(ByteView input) {
  Choices choices{input};
  const std::uint8_t format = choices.byte();
  const std::uint8_t sizes = choices.byte();
  const std::size_t limit = sizes < 128 ? 1 + sizes : 1 << 20;
  const Framing framing{.header = (format & 3) == 0,
                        .skip_blank = (format & 3) != 2,
                        .quoted = (format & 3) == 0 && (format & 4) == 0,
                        .delimiter = ",;\t.|"[(format >> 3) % 5]};
  const ByteView bytes = choices.rest();
  require(pieces(framing, bytes, limit, bytes.size() + 1) == pieces(framing, bytes, limit, 1 + sizes % 7),
          "records end where they end, however much is in view");
  if ((format & 3) == 0) read_csv(framing, bytes, limit);
  if ((format & 3) == 1) read_json(framing, bytes, limit);
}

}  // namespace tidemark::fuzz

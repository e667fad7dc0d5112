#include <tidemark/file/lines.hpp>

#include <memory>
#include <string_view>
#include <utility>

#include <tidemark/file/detail/decoded_source.hpp>
#include <tidemark/file/detail/staged_sink.hpp>

#include "src/text.hpp"

namespace tidemark {
inline namespace v0 {

namespace {

struct NoConfig {};

class LineDecoder {
 public:
  using Config = NoConfig;
  static constexpr const char* kFormat = "text";
  static file_internal::Framing framing(const Config&) { return {}; }
  explicit LineDecoder(const Config&) {}
  Status begin_file(ByteView, const std::string&) { return {}; }
  bool load(ByteView record) {
    line_ = record;
    ok_ = file_internal::is_text(record);
    return ok_;
  }
  std::string_view row() const { return line_; }
  bool ok() const { return ok_; }
  std::string error() const { return file_internal::described(line_) + " is not UTF-8 text without NUL"; }

 private:
  std::string_view line_;
  bool ok_ = true;
};

class LineWriter {
 public:
  using Config = NoConfig;
  static constexpr const char* kFormat = "txt";
  static file_internal::PreambleFunction preamble(const Config&) { return nullptr; }
  LineWriter(Bytes& out, const Config&) : out_(out), begin_(out.size()) {}
  void add(std::string_view line) { out_ += line; }
  Status finish() {
    const ByteView line = ByteView(out_).substr(begin_);
    if (line.find('\n') != ByteView::npos || line.ends_with('\r')) {
      return Error{.code = ErrorCode::kSinkFailed,
                   .message = "a line contains a line end",
                   .facts = {},
                   .why = "it would be read as two lines, or as another one",
                   .fix = "split it, or write CSV or NDJSON"};
    }
    out_.push_back('\n');
    return {};
  }

 private:
  Bytes& out_;
  std::size_t begin_;
};

}  // namespace

Source<std::string> lines_source(FileInput input) {
  return file_internal::decoded_source<LineDecoder>(std::move(input), {}, [](std::string_view line) { return std::string(line); });
}

Sink<std::string> lines_sink(std::string directory) {
  auto format = [](LineWriter& writer, const std::string& line) { writer.add(line); };
  return Sink<std::string>(
      std::make_shared<file_internal::FormattedSink<std::string, LineWriter, decltype(format)>>(std::move(directory), NoConfig{}, format));
}

}  // namespace v0
}  // namespace tidemark

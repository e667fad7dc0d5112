#pragma once
// A file source of T: a decoder turns raw records into rows, the user's function turns rows into T. Not promised.
//
// A decoder has: Config (copyable), Decoder(Config), static Framing framing(Config), begin_file(header, file) -> Status, load(bytes) ->
// bool, row(), ok() and error(). ok() is asked after the user's function, which may have set an error in the row.

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tidemark/file/detail/record_reader.hpp>
#include <tidemark/file/input.hpp>
#include <tidemark/operators/source.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

template <class T>
struct Parsed {
  using Type = T;
  static constexpr bool kMayFail = false;
};
template <class T>
struct Parsed<Result<T>> {
  using Type = T;
  static constexpr bool kMayFail = true;
};
template <class Decoder, class Parse>
using ParsedBy = Parsed<std::decay_t<std::invoke_result_t<Parse&, decltype(std::declval<Decoder&>().row())>>>;

template <class Decoder, class Parse>
class DecodedReader final : public SplitReader<typename ParsedBy<Decoder, Parse>::Type> {
  using T = typename ParsedBy<Decoder, Parse>::Type;

 public:
  DecodedReader(const typename Decoder::Config& config, const Parse& parse) : decoder_(config), parse_(parse) {}

  Status open(const IoContext& io, const FileInput& input, const Framing& framing, const std::string& split, const Bytes& position) {
    auto on_header = [this](ByteView header, const std::string& file) { return decoder_.begin_file(header, file); };
    TIDEMARK_ASSIGN(reader_, open_record_reader(io, input, framing, split, position, on_header));
    return {};
  }

  Result<PollResult> poll(Batch<T>& out, std::size_t max_records, std::vector<Refused>& refused) override {
    Result<PollResult> found = reader_->read(max_records, records_, refused);
    if (!found.ok()) return found;
    for (const RawRecord& record : records_) {
      if (!decoder_.load(record.bytes) || !parse_into(out)) {
        refused.push_back(reader_->refuse(record, QuarantineReason::kDecode, decoder_.error()));
      } else {
        out.origins.push_back({.split = 0, .position = record.offset});
      }
    }
    return found;
  }

  Bytes position() const override { return reader_->position(); }
  std::chrono::milliseconds poll_again_after() const override { return reader_->poll_again_after(); }

 private:
  bool parse_into(Batch<T>& out) {
    if constexpr (ParsedBy<Decoder, Parse>::kMayFail) {
      auto parsed = parse_(decoder_.row());
      if (!parsed.ok()) decoder_.refuse(parsed.error().message);
      if (!decoder_.ok()) return false;
      out.values.push_back(*std::move(parsed));
    } else {
      T value = parse_(decoder_.row());
      if (!decoder_.ok()) return false;
      out.values.push_back(std::move(value));
    }
    return true;
  }

  Decoder decoder_;
  Parse parse_;
  std::unique_ptr<RecordReader> reader_;
  std::vector<RawRecord> records_;
};

template <class Decoder, class Parse>
class DecodedSource final : public SourceBase {
 public:
  DecodedSource(FileInput input, typename Decoder::Config config, Parse parse)
      : input_(std::move(input)), config_(std::move(config)), parse_(std::move(parse)) {}

  std::string describe() const override { return describe_input(Decoder::kFormat, input_); }
  bool bounded() const override { return !input_.follow; }
  Result<std::vector<std::string>> splits(const IoContext& io) override { return input_splits(io, input_); }
  Result<std::unique_ptr<SplitReaderBase>> open_split(const IoContext& io, const std::string& split, const Bytes& position) override {
    auto reader = std::make_unique<DecodedReader<Decoder, Parse>>(config_, parse_);
    TIDEMARK_TRY(reader->open(io, input_, Decoder::framing(config_), split, position));
    return std::unique_ptr<SplitReaderBase>(std::move(reader));
  }

 private:
  FileInput input_;
  typename Decoder::Config config_;
  Parse parse_;
};

template <class Decoder, class Parse>
auto decoded_source(FileInput input, typename Decoder::Config config, Parse parse) {
  using T = typename ParsedBy<Decoder, Parse>::Type;
  return Source<T>(std::make_shared<DecodedSource<Decoder, Parse>>(std::move(input), std::move(config), std::move(parse)));
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

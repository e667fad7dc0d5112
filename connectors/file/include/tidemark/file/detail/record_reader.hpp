#pragma once
// Reads the records of one split as views of bytes, whatever they mean. Not promised.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/file/input.hpp>
#include <tidemark/operators/source.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

// At least this many bytes behind each record may be read, whatever they hold (the JSON parser reads ahead).
inline constexpr std::size_t kReadAhead = 64;

struct RawRecord {
  ByteView bytes;             // without its line end
  std::uint64_t offset = 0;   // of its first byte in its file
};

// How a file is cut into records.
struct Framing {
  bool header = false;       // the first record names the columns
  bool skip_blank = false;   // a line without any character is no record
  bool quoted = false;       // fields may be quoted, and line ends inside quotes belong to the field
  char delimiter = ',';      // matters with `quoted` only
};

// Gets the first record of each file, if the framing has a header; `file` is the file's name. An error fails the job.
using HeaderFunction = std::function<Status(ByteView header, const std::string& file)>;

class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // Replaces `records` by up to `max_records` records; their bytes are valid until the next call.
  virtual Result<PollResult> read(std::size_t max_records, std::vector<RawRecord>& records, std::vector<Refused>& refused) = 0;
  // The refusal of a record of the last read().
  virtual Refused refuse(const RawRecord& record, QuarantineReason reason, const std::string& error) const = 0;
  // Behind the last record of the last read().
  virtual Bytes position() const = 0;
  virtual std::chrono::milliseconds poll_again_after() const = 0;
};

Result<std::unique_ptr<RecordReader>> open_record_reader(const IoContext& io, const FileInput& input, const Framing& framing,
                                                         const std::string& split,
                                                         const Bytes& position, HeaderFunction on_header);
Result<std::vector<std::string>> input_splits(const IoContext& io, const FileInput& input);
// "csv files data/*.csv, followed".
std::string describe_input(const std::string& format, const FileInput& input);

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

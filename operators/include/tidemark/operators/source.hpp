#pragma once
// The contract of a source: it reads splits (a file, a partition), each a replayable sequence of records with positions.
//
// A source says which splits there are; how input is cut into splits never depends on the parallelism. The runtime deals the splits out to
// the source's tasks, opens a reader for each, and polls the readers in turn. After a restart it opens the same splits at the recorded
// positions, and the reader must deliver the same records from there on: everything the runtime promises rests on that.

#include <cstdint>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/batch.hpp>
#include <tidemark/core/bytes.hpp>
#include <tidemark/core/clock.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/log.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/operators/quarantine.hpp>

namespace tidemark {
inline namespace v0 {

// What the runtime lends to sources and sinks; outlives them.
struct IoContext {
  FileSystem& files;
  const Clock& clock;
  Logger logger;
};

// What a poll found.
enum class PollResult : std::uint8_t {
  kRecords,      // records or refusals were added, or progress was made; there may be more
  kNothingNow,   // nothing at hand; poll again later (a followed file, a paced source, an empty socket)
  kEnd,          // the split is finished for good; what was added in this call still counts
};

// A record that the reader could not turn into a T.
struct Refused {
  QuarantineReason reason = QuarantineReason::kDecode;
  std::uint64_t position = 0;
  std::string error{};     // one line: what is wrong with it
  Bytes payload{};         // its raw bytes, possibly cut (kQuarantinePayloadLimit)
};

// Reads one split. One thread at a time.
class SplitReaderBase {
 public:
  virtual ~SplitReaderBase() = default;
  // Adds up to `max_records` records to the end of `out`, of the type that the source promised, and what it had to refuse to `refused`.
  // Must not block for more than a moment: reading a local file is fine, waiting is not (return kNothingNow).
  // An error fails the job (and, after a restart, is met again).
  virtual Result<PollResult> poll_into(BatchBase& out, std::size_t max_records, std::vector<Refused>& refused) = 0;
  // The position after the last record delivered or refused: what open() needs to go on from there. Small (under 1 KiB); stored in the
  // checkpoint.
  virtual Bytes position() const = 0;
  // When kNothingNow was returned: how long until a poll may find something.
  virtual std::chrono::milliseconds poll_again_after() const { return std::chrono::milliseconds{10}; }
};

template <class T>
class SplitReader : public SplitReaderBase {
 public:
  virtual Result<PollResult> poll(Batch<T>& out, std::size_t max_records, std::vector<Refused>& refused) = 0;
  Result<PollResult> poll_into(BatchBase& out, std::size_t max_records, std::vector<Refused>& refused) final {
    return poll(static_cast<Batch<T>&>(out), max_records, refused);
  }
};

// The part of a source that does not depend on the record's type.
class SourceBase {
 public:
  virtual ~SourceBase() = default;
  // One line for `plan`, e.g. "csv file transactions.csv".
  virtual std::string describe() const = 0;
  // Bounded: every split ends. Followed files and sockets are not bounded.
  virtual bool bounded() const = 0;
  // A source that cannot deliver the same records again weakens every guarantee downstream; `plan` says so.
  virtual bool replayable() const { return true; }
  // The names of all splits, stable from run to run (check_name rules do not apply; no control characters). Called once at a fresh start; a
  // restore uses the recorded list. An error refuses the start.
  virtual Result<std::vector<std::string>> splits(const IoContext& io) = 0;
  // `position` is empty for the start of the split, else what a reader of the same split said. A position that the split no longer holds
  // (a file that shrank or changed) is the error kSourceChanged.
  virtual Result<std::unique_ptr<SplitReaderBase>> open_split(const IoContext& io, const std::string& split, const Bytes& position) = 0;
};

// A handle to a source of T, as `from` takes it. Copies share the source.
template <class T>
class Source {
 public:
  using Record = T;
  explicit Source(std::shared_ptr<SourceBase> base) : base_(std::move(base)) {}
  const std::shared_ptr<SourceBase>& base() const { return base_; }

 private:
  std::shared_ptr<SourceBase> base_;
};

}  // namespace v0
}  // namespace tidemark

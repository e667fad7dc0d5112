#pragma once
// Failures of the world as values. A broken invariant is something else: see check.hpp.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemark {
inline namespace v0 {

// The number of an error, printed as TM0203; the hundreds name the area. Each has a paragraph in docs/errors.md.
enum class ErrorCode : std::uint16_t {
  kUsage = 101,               // wrong flag, verb or value
  kBadGraph = 102,            // the job cannot be built as described
  kBadName = 103,             // a name outside [A-Za-z0-9._-]{1,64}, or used twice
  kBadConfiguration = 104,    // options that contradict each other
  kRestoreRefused = 201,      // nothing usable to restore from, and a fresh start would lose something
  kCheckpointCorrupt = 202,   // size, checksum or format of a checkpoint's file is wrong
  kStateMismatch = 203,       // the job's operators or schemas differ from the checkpoint's
  kForeignLineage = 204,      // the checkpoint belongs to another job or lineage
  kDrained = 205,             // the checkpoint was taken after a drain or the end of input
  kStorageFailed = 301,       // the file system refused an operation
  kDirectoryInUse = 302,      // another process or runtime owns the state directory
  kCheckpointFailed = 303,    // a checkpoint could not be completed
  kDirectoryUnsafe = 304,     // others than the user of this process could change the state directory
  kSourceFailed = 401,        // a source cannot be opened or read
  kSourceChanged = 402,       // what a source had delivered is no longer there
  kDecodeFailed = 403,        // a record cannot be decoded
  kRecordRefused = 404,       // a record breaks a rule (time out of range, too large)
  kSinkFailed = 501,          // a sink cannot be opened, written or committed
  kSinkEpochMismatch = 502,   // the sink's target holds another epoch or lineage than the checkpoint says
  kUserFunction = 601,        // a function of the user threw
  kBrokenInvariant = 602,     // a defect in Tidemark itself
  kStopTimeout = 603,         // a stop did not end before its deadline
  kJobNotRunning = 604,       // no job runs that could do what was asked, or it ended before it had done it
  kResourcesExhausted = 605,  // the system gives no more threads or memory
  kTooMany = 606,             // a key would have more entries or timers than it may
};

// "TM0203".
std::string to_string(ErrorCode code);

// One failure, for a person: what happened, both sides of the conflict, why it matters, and what to do about it.
struct Error {
  ErrorCode code{};
  std::string message{};                                      // one sentence; names the operator and the record's position if there is one
  std::vector<std::pair<std::string, std::string>> facts{};   // label and value, e.g. {"checkpoint", "parallelism 2"}
  std::string why{};                                          // may be empty
  std::string fix{};                                          // may be empty

  // The form that the command line prints: "error[TM0203]: ..." with one indented line per fact, why, fix and help.
  std::string describe() const;
};

// Success or an Error. Cheap when successful; copies share the error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::make_shared<const Error>(std::move(error))) {}  // NOLINT: an error is a status

  bool ok() const noexcept { return error_ == nullptr; }
  // Precondition: !ok().
  const Error& error() const { return *error_; }

 private:
  std::shared_ptr<const Error> error_;
};

// A value or an Error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                // NOLINT: a value is a result
  Result(Error error) : status_(std::move(error)) {}           // NOLINT
  Result(Status failed) : status_(std::move(failed)) {}        // NOLINT; precondition: !failed.ok()

  bool ok() const noexcept { return value_.has_value(); }
  const Error& error() const { return status_.error(); }
  const Status& status() const { return status_; }
  // Precondition of all four: ok().
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace v0
}  // namespace tidemark

#define TIDEMARK_CONCAT_INNER(a, b) a##b
#define TIDEMARK_CONCAT(a, b) TIDEMARK_CONCAT_INNER(a, b)
// Returns from the enclosing function (of type Status or Result) if `expression`, a Status, is an error.
#define TIDEMARK_TRY(expression)                                              \
  do {                                                                        \
    if (::tidemark::Status status_of_try = (expression); !status_of_try.ok()) return status_of_try; \
  } while (false)
// TIDEMARK_ASSIGN(auto file, open(...)): declares from a Result, or returns its error.
#define TIDEMARK_ASSIGN(declaration, expression) TIDEMARK_ASSIGN_INNER(TIDEMARK_CONCAT(result_of_try_, __LINE__), declaration, expression)
#define TIDEMARK_ASSIGN_INNER(name, declaration, expression) \
  auto name = (expression);                                  \
  if (!name.ok()) return name.status();                      \
  declaration = *std::move(name)

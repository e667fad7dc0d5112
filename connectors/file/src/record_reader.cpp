#include <tidemark/file/detail/record_reader.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/xxh3.hpp>
#include <tidemark/core/log.hpp>

#include "src/file_position.hpp"
#include "src/file_set.hpp"
#include "src/framing.hpp"

namespace tidemark {
inline namespace v0 {
namespace file_internal {

namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} << 10;
constexpr std::chrono::milliseconds kFollowInterval{100};
constexpr ByteView kByteOrderMark = "\xEF\xBB\xBF";

std::uint64_t hash_of(ByteView bytes, std::uint64_t seed = 0) { return detail::xxh3(bytes.data(), bytes.size(), seed); }

Error changed(const std::string& path, const std::string& what, std::vector<std::pair<std::string, std::string>> facts) {
  return Error{.code = ErrorCode::kSourceChanged,
               .message = "\"" + path + "\" " + what,
               .facts = std::move(facts),
               .why = "records that were already counted are no longer what they were, so going on could lose or repeat some",
               .fix = "put the file back as it was, or start afresh with another state directory and empty output directories"};
}

Error unreadable(const std::string& path, const Error& reason) {
  return Error{.code = ErrorCode::kSourceFailed,
               .message = "cannot read the input \"" + path + "\": " + reason.message,
               .facts = reason.facts,
               .why = reason.why,
               .fix = "see that the file is there and that the user of this process may read it"};
}

// One buffer over one file: [begin, end) are bytes that were read and not yet cut into records.
class Buffer {
 public:
  void reset(std::uint64_t file_offset) {
    file_offset_ = file_offset;
    begin_ = end_ = 0;
  }
  ByteView unread() const { return {bytes_.get() + begin_, end_ - begin_}; }
  std::uint64_t offset() const { return file_offset_ + begin_; }
  std::uint64_t end_offset() const { return file_offset_ + end_; }
  void take(std::size_t size) { begin_ += size; }

  // Reads the next block behind what is there; false at the end of the file. Invalidates all views.
  Result<bool> fill(const ReadableFile& file) {
    const std::size_t kept = end_ - begin_;
    if (kept + kBlockBytes > capacity_) grow(kept + kBlockBytes);
    else if (begin_ > 0) std::memmove(bytes_.get(), bytes_.get() + begin_, kept);
    file_offset_ += begin_;
    begin_ = 0;
    end_ = kept;
    TIDEMARK_ASSIGN(const std::size_t got, file.read_at(end_offset(), bytes_.get() + end_, kBlockBytes));
    end_ += got;
    return got > 0;
  }

 private:
  void grow(std::size_t capacity) {
    // Twice what is needed: a record that grows over many blocks is not copied at each.
    capacity_ = kBlockBytes < capacity ? 2 * capacity : capacity;
    auto larger = std::make_unique<char[]>(capacity_ + kReadAhead);
    if (bytes_ != nullptr) std::memcpy(larger.get(), bytes_.get() + begin_, end_ - begin_);
    bytes_ = std::move(larger);
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::uint64_t file_offset_ = 0;   // of bytes_[0]
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// Where reading goes on in a file.
struct Place {
  std::uint64_t offset = 0;
  bool skipping = false;
  bool unended = false;
};

Error nothing_there(const FileInput& input) {
  return Error{.code = ErrorCode::kSourceFailed,
               .message = "there is no file to read at \"" + input.path + "\"",
               .facts = {},
               .why = "an input that is not there is more likely a wrong path than an empty stream",
               .fix = "check the path, or follow it as one split to wait for its first file"};
}

Error other_splits(const FileInput& input, bool per_file_then) {
  return Error{.code = ErrorCode::kSourceChanged,
               .message = "\"" + input.path + "\" was read " + (per_file_then ? "with a split for each file" : "as one split"),
               .facts = {{"now", per_file_then ? "one split" : "a split for each file"}},
               .why = "one position cannot say what was read under the other, so records would be read again or not at all",
               .fix = "leave the splits as they were; or give the source another name and its old one up with --drop-state"};
}

class FileRecordReader final : public RecordReader {
 public:
  FileRecordReader(const IoContext& io, const FileInput& input, const Framing& framing, FileSet set, HeaderFunction on_header)
      : io_(io), input_(input), framing_(framing), set_(std::move(set)), on_header_(std::move(on_header)) {}

  // Goes to the position, or to the first file, and reads its header.
  Status start(const FilePosition& position) {
    TIDEMARK_ASSIGN(names_, set_.list(io_.files));
    if (position.file.empty()) {
      if (names_.empty() && !input_.follow) return nothing_there(input_);
      TIDEMARK_ASSIGN(const bool opened, open_next());
      if (!opened) return {};
    } else {
      TIDEMARK_TRY(resume(position));
    }
    while (header_pending_) {
      TIDEMARK_ASSIGN(const PollResult found, read_header());
      if (found != PollResult::kRecords) break;
    }
    return {};
  }

  Result<PollResult> read(std::size_t max_records, std::vector<RawRecord>& records, std::vector<Refused>& refused) override {
    records.clear();
    if (file_ == nullptr) {
      TIDEMARK_ASSIGN(const bool opened, open_next());
      if (!opened) return input_.follow ? PollResult::kNothingNow : PollResult::kEnd;
    }
    if (header_pending_) return read_header();
    const std::size_t refused_before = refused.size();
    cut(max_records, records, refused);
    if (!records.empty() || refused.size() > refused_before) return PollResult::kRecords;
    TIDEMARK_ASSIGN(const PollResult more, get_more());
    if (more == PollResult::kRecords && file_ != nullptr) cut(max_records, records, refused);
    return more;
  }

  Refused refuse(const RawRecord& record, QuarantineReason reason, const std::string& error) const override {
    const std::size_t payload = std::min({record.bytes.size(), kQuarantinePayloadLimit, input_.max_record_bytes});
    return {.reason = reason, .position = record.offset, .error = name_ + ": " + error, .payload = Bytes(record.bytes.substr(0, payload))};
  }

  Bytes position() const override {
    if (name_.empty()) return {};
    return encode({.file = name_,
                   .offset = header_pending_ ? resume_.offset : buffer_.offset(),
                   .size_seen = std::max(size_seen_, buffer_.offset()),
                   .head_size = head_.size(),
                   .head_hash = hash_of(head_),
                   .skipping = header_pending_ ? resume_.skipping : skipping_,
                   .unended = header_pending_ ? resume_.unended : unended_,
                   .only_file = input_.splits == FileSplits::kPerFile,
                   .earlier = earlier_});
  }

  std::chrono::milliseconds poll_again_after() const override { return kFollowInterval; }

 private:
  std::string path() const { return set_.path_of(name_); }

  Result<std::unique_ptr<ReadableFile>> open(const std::string& name) const {
    const std::string path = set_.path_of(name);
    Result<std::unique_ptr<ReadableFile>> file = io_.files.open(path);
    if (!file.ok()) return unreadable(path, file.error());
    return file;
  }

  Result<Bytes> read_head(const ReadableFile& file) const {
    Bytes head(kHeadBytes, '\0');
    Result<std::size_t> got = file.read_at(0, head.data(), head.size());
    if (!got.ok()) return unreadable(path(), got.error());
    head.resize(*got);
    return head;
  }

  // Sees that `file` still holds what was read: at least `size` bytes, of which the first have this hash. Remembers what it holds now.
  Status adopt(const ReadableFile& file, std::uint64_t size, std::uint64_t head_size, std::uint64_t head_hash) {
    TIDEMARK_ASSIGN(const std::uint64_t size_now, file.size());
    if (size_now < size) {
      return changed(path(), "is shorter than it was", {{"size then", std::to_string(size)}, {"size now", std::to_string(size_now)}});
    }
    TIDEMARK_ASSIGN(Bytes head, read_head(file));
    if (head.size() < head_size || hash_of(ByteView(head).substr(0, head_size)) != head_hash) {
      return changed(path(), "has other content than it had", {{"bytes compared", "the first " + std::to_string(head_size)}});
    }
    head_ = std::move(head);
    size_seen_ = size_now;
    return {};
  }

  Error grown_in_a_line(std::uint64_t size_then, std::uint64_t size_now) const {
    return changed(path(), "has grown in the middle of a line",
                   {{"size when its last line was read", std::to_string(size_then)}, {"size now", std::to_string(size_now)}});
  }

  // Begins to read the file at its header, if there is one, and then at the place.
  void begin_file(const Place& place) {
    resume_ = place;
    header_pending_ = framing_.header;
    go_to(header_pending_ ? Place{} : place);
    final_ = !input_.follow;
  }

  void go_to(const Place& place) {
    buffer_.reset(place.offset);
    skipping_ = place.skipping;
    unended_ = place.unended;
    at_end_ = false;
  }

  // Opens the first file after the current one; false: there is none.
  Result<bool> open_next() {
    if (input_.follow) TIDEMARK_TRY(look_again());
    const auto next = std::upper_bound(names_.begin(), names_.end(), name_);
    if (next == names_.end()) return false;
    TIDEMARK_ASSIGN(std::unique_ptr<ReadableFile> file, open(*next));
    if (!name_.empty()) earlier_.push_back(hash_of(name_));
    name_ = *next;
    TIDEMARK_TRY(adopt(*file, 0, 0, hash_of({})));
    file_ = std::move(file);
    begin_file({});
    return true;
  }

  Status resume(const FilePosition& position) {
    name_ = position.file;
    earlier_ = position.earlier;
    if (!std::binary_search(names_.begin(), names_.end(), name_)) {
      return changed(path(), "is no longer there",
                     {{"path now given", input_.path}, {"position", "byte " + std::to_string(position.offset) + " of " + name_}});
    }
    if (position.earlier_in_one) earlier_ = earlier_of(*position.earlier_in_one);
    TIDEMARK_TRY(check_earlier());
    TIDEMARK_ASSIGN(file_, open(name_));
    TIDEMARK_TRY(adopt(*file_, std::max(position.size_seen, position.offset), position.head_size, position.head_hash));
    if (position.unended && size_seen_ > position.offset) return grown_in_a_line(position.offset, size_seen_);
    begin_file({.offset = position.offset, .skipping = position.skipping, .unended = position.unended});
    return {};
  }

  // What a position of the version before can say of the files that are there now: they are those of then, or there are fewer. Otherwise
  // that there was none.
  std::vector<std::uint64_t> earlier_of(const FilePosition::EarlierInOne& then) const {
    std::vector<std::uint64_t> now;
    std::uint64_t hash = 0;
    for (const std::string& name : names_) {
      if (name >= name_) break;
      now.push_back(hash_of(name));
      hash = hash_of(name, hash);
    }
    return now.size() < then.files || (now.size() == then.files && hash == then.hash) ? now : std::vector<std::uint64_t>{};
  }

  // No file may have come before the current one. Files that were read may go.
  Status check_earlier() {
    std::vector<std::uint64_t> now;
    auto then = earlier_.begin();
    for (const std::string& name : names_) {
      if (name >= name_) break;
      now.push_back(hash_of(name));
      then = std::find(then, earlier_.end(), now.back());
      if (then == earlier_.end()) {
        return Error{.code = ErrorCode::kSourceChanged,
                     .message = "files were added to \"" + input_.path + "\" before \"" + name_ + "\", which is being read",
                     .facts = {{"the first of them", name}},
                     .why = "files are read in the order of their names, so these would never be read",
                     .fix = "give new files names that sort after all others"};
      }
      ++then;
    }
    earlier_ = std::move(now);
    return {};
  }

  Status look_again() {
    TIDEMARK_ASSIGN(names_, set_.list(io_.files));
    return name_.empty() ? Status{} : check_earlier();
  }

  // Passes over a byte order mark; false: what is there of the file may become one.
  bool pass_byte_order_mark() {
    const ByteView unread = buffer_.unread();
    if (unread.starts_with(kByteOrderMark)) buffer_.take(kByteOrderMark.size());
    else if (kByteOrderMark.starts_with(unread)) return final_ && at_end_;
    return true;
  }

  // Cuts what is in the buffer.
  void cut(std::size_t max_records, std::vector<RawRecord>& records, std::vector<Refused>& refused) {
    if (buffer_.offset() == 0 && !pass_byte_order_mark()) return;
    if (skipping_ && !skip()) return;
    const std::size_t refused_limit = refused.size() + max_records;
    while (records.size() < max_records && refused.size() < refused_limit) {
      const ByteView unread = buffer_.unread();
      if (unread.empty()) return;
      const Cut found = cut_record(framing_, unread, input_.max_record_bytes, final_ && at_end_);
      if (found.kind == CutKind::kMore) return;
      const RawRecord record{.bytes = unread.substr(0, found.size), .offset = buffer_.offset()};
      buffer_.take(found.next);
      unended_ = !found.line_ended && found.kind != CutKind::kTooLarge;
      if (found.kind == CutKind::kRecord) {
        if (!record.bytes.empty() || !framing_.skip_blank) records.push_back(record);
        continue;
      }
      if (found.kind == CutKind::kUnclosedQuote) {
        refused.push_back(refuse(record, QuarantineReason::kDecode, "a quoted field is not closed within " + limit()));
        continue;
      }
      refused.push_back(refuse(record, QuarantineReason::kTooLarge, "the record has more than " + limit()));
      skipping_ = !found.line_ended;
      if (skipping_ && !skip()) return;
    }
  }

  // Passes over the rest of a record that is too large; false: its end is not in the buffer.
  bool skip() {
    const std::size_t line_end = buffer_.unread().find('\n');
    buffer_.take(line_end == ByteView::npos ? buffer_.unread().size() : line_end + 1);
    skipping_ = line_end == ByteView::npos;
    return !skipping_;
  }

  std::string limit() const { return std::to_string(input_.max_record_bytes) + " bytes"; }

  // Reads a block, or sees what the end of the file means. kRecords: go on.
  Result<PollResult> get_more() {
    Result<bool> more = buffer_.fill(*file_);
    if (!more.ok()) return unreadable(path(), more.error());
    at_end_ = !*more;
    if (!at_end_ && unended_) return grown_in_a_line(buffer_.offset(), buffer_.end_offset());
    if (!at_end_) return PollResult::kRecords;
    if (!final_) return wait_at_end();
    // Now that nothing follows it, what is left can be cut as the last record.
    if (!buffer_.unread().empty()) return PollResult::kRecords;
    TIDEMARK_TRY(adopt(*file_, std::max(size_seen_, buffer_.end_offset()), head_.size(), hash_of(head_)));
    // It has grown since it was read to its end.
    if (size_seen_ > buffer_.end_offset()) return PollResult::kRecords;
    file_ = nullptr;
    const auto next = std::upper_bound(names_.begin(), names_.end(), name_);
    return next == names_.end() && !input_.follow ? PollResult::kEnd : PollResult::kRecords;
  }

  // A followed file has nothing more, for now or for good.
  Result<PollResult> wait_at_end() {
    TIDEMARK_TRY(look_again());
    if (!names_.empty() && names_.back() > name_) {
      // It may have grown before the next one was made; so it is read to its end once more.
      final_ = true;
      at_end_ = false;
      return PollResult::kRecords;
    }
    // By its name: a file that was replaced would otherwise be followed for ever.
    if (!std::binary_search(names_.begin(), names_.end(), name_)) return changed(path(), "is no longer there", {});
    TIDEMARK_ASSIGN(std::unique_ptr<ReadableFile> file, open(name_));
    TIDEMARK_TRY(adopt(*file, std::max(size_seen_, buffer_.end_offset()), head_.size(), hash_of(head_)));
    file_ = std::move(file);
    return size_seen_ > buffer_.end_offset() ? PollResult::kRecords : PollResult::kNothingNow;
  }

  // kRecords: the header was read, or a part of it.
  Result<PollResult> read_header() {
    std::vector<RawRecord> records;
    std::vector<Refused> refused;
    cut(1, records, refused);
    if (records.empty() && refused.empty()) {
      TIDEMARK_ASSIGN(const PollResult more, get_more());
      if (more == PollResult::kNothingNow) return more;
      if (file_ == nullptr) return header_error("is empty", "");
      cut(1, records, refused);
    }
    if (!refused.empty()) return header_error("does not begin with a header line", refused.front().error);
    if (records.empty()) return PollResult::kRecords;
    TIDEMARK_TRY(on_header_(records.front().bytes, name_));
    header_pending_ = false;
    if (resume_.offset > buffer_.offset()) go_to(resume_);
    return PollResult::kRecords;
  }

  Error header_error(const std::string& what, const std::string& detail) const {
    Error error{.code = ErrorCode::kSourceFailed,
                .message = "\"" + path() + "\" " + what,
                .facts = {},
                .why = "the first line of the file must name its columns",
                .fix = "give a file with a header line, or leave this one out"};
    if (!detail.empty()) error.facts.emplace_back("found", detail);
    return error;
  }

  IoContext io_;
  FileInput input_;
  Framing framing_;
  FileSet set_;
  HeaderFunction on_header_;

  std::vector<std::string> names_;       // sorted; not followed: as they were at the start
  std::vector<std::uint64_t> earlier_;   // hashes of the names of the files before the current one

  std::string name_;                     // of the current file; empty before the first
  std::unique_ptr<ReadableFile> file_;   // null: finished
  Bytes head_;
  std::uint64_t size_seen_ = 0;
  Buffer buffer_;
  Place resume_;                         // where to go on behind the header
  bool header_pending_ = false;
  bool final_ = false;                   // the file will not grow
  bool at_end_ = false;                  // the buffer reaches to its end
  bool skipping_ = false;
  bool unended_ = false;
};

}  // namespace

Result<std::unique_ptr<RecordReader>> open_record_reader(const IoContext& io, const FileInput& input, const Framing& framing,
                                                         const std::string& split,
                                                         const Bytes& position, HeaderFunction on_header) {
  FilePosition decoded;
  if (!position.empty()) {
    TIDEMARK_ASSIGN(decoded, decode_file_position(position));
    const bool says_which = !decoded.earlier_in_one;
    if (says_which && decoded.only_file != (input.splits == FileSplits::kPerFile)) return other_splits(input, decoded.only_file);
  }
  TIDEMARK_ASSIGN(FileSet set, FileSet::of(io.files, input.path));
  if (input.splits == FileSplits::kPerFile) {
    if (split.empty() || split.find('/') != std::string::npos) {
      return Error{.code = ErrorCode::kSourceFailed,
                   .message = "\"" + split + "\" is not the name of a file", .facts = {}, .why = "", .fix = ""};
    }
    set = set.only(split);
  }
  auto reader = std::make_unique<FileRecordReader>(io, input, framing, std::move(set), std::move(on_header));
  TIDEMARK_TRY(reader->start(decoded));
  return std::unique_ptr<RecordReader>(std::move(reader));
}

Result<std::vector<std::string>> input_splits(const IoContext& io, const FileInput& input) {
  // A name that stays the same when the files move to another directory.
  if (input.splits == FileSplits::kOne) return std::vector<std::string>{escape_control(file_name(input.path))};
  if (input.follow) {
    return Error{.code = ErrorCode::kBadConfiguration,
                 .message = "the input \"" + input.path + "\" is followed and has a split for each file",
                 .facts = {},
                 .why = "the list of splits is fixed at the first start, so files that come later would belong to none",
                 .fix = "follow it as one split, or do not follow it"};
  }
  TIDEMARK_ASSIGN(const FileSet set, FileSet::of(io.files, input.path));
  TIDEMARK_ASSIGN(std::vector<std::string> names, set.list(io.files));
  if (names.empty()) return nothing_there(input);
  return names;
}

std::string describe_input(const std::string& format, const FileInput& input) {
  return format + " files " + input.path + (input.splits == FileSplits::kPerFile ? ", a split for each" : "") +
      (input.follow ? ", followed" : "");
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

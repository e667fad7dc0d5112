#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include <tidemark/core/check.hpp>
#include <tidemark/core/detail/executor.hpp>
#include <tidemark/state/store.hpp>

#include "src/store_checksum.hpp"
#include "src/store_environment.hpp"
#include "src/store_options.hpp"
#include "src/store_threads.hpp"

namespace tidemark {
inline namespace v0 {

namespace {

using state_internal::error_of;

std::unique_ptr<core_internal::Jobs> background_jobs(const StoreOptions& options) {
  constexpr const char* kName = "tidemark-store";
  if (options.executor != nullptr) return options.executor->jobs(kName, options.background_threads);
  return core_internal::thread_jobs(kName, options.background_threads);
}

// Remembers the first error of a compaction, or of writing RocksDB's own MANIFEST.
class BackgroundErrors final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    const std::lock_guard guard{mutex_};
    if (first_.ok()) first_ = error_of(*error, "go on with the state store");
  }
  Status first() const {
    const std::lock_guard guard{mutex_};
    return first_;
  }

 private:
  mutable std::mutex mutex_;
  Status first_;
};

// Copies what a file of RocksDB's own holds at present.
Result<StoredFile> write_copy(FileSystem& files, const std::string& directory, const std::string& name, ByteView contents) {
  TIDEMARK_ASSIGN(const std::unique_ptr<WritableFile> file, files.create(join_path(directory, name)));
  TIDEMARK_TRY(file->append(contents));
  TIDEMARK_TRY(file->sync());
  TIDEMARK_TRY(file->close());
  state_internal::FileChecksum checksum;
  checksum.add(contents);
  return StoredFile{name, contents.size(), checksum.value()};
}

bool is_row_file(const std::string& name) { return name.size() > 4 && name.compare(name.size() - 4, 4, ".sst") == 0; }

using state_internal::DeadRows;

// Visits the live rows from `first` on, until visit() answers false; tells how reading ended.
rocksdb::Status visit_rows(rocksdb::DB& db, const DeadRows& dead, ByteView first, std::size_t readahead,
                           const std::function<bool(ByteView key, ByteView value)>& visit) {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  options.readahead_size = readahead;
  const std::unique_ptr<rocksdb::Iterator> at{db.NewIterator(options)};
  std::string next;
  at->Seek(rocksdb::Slice{first.data(), first.size()});
  while (at->Valid()) {
    const ByteView key{at->key().data(), at->key().size()};
    const ByteView value{at->value().data(), at->value().size()};
    const DeadRows::Answer answer = dead.judge(key, value, &next);
    if (answer == DeadRows::Answer::kDeadRange) {
      if (next.empty()) break;
      at->Seek(next);
      continue;
    }
    if (answer == DeadRows::Answer::kAlive && !visit(key, value)) break;
    at->Next();
  }
  return at->status();
}

// Visits the live rows that begin with `prefix`. Returns the error of `visit`; `read` tells how reading itself ended.
Status visit_prefix(rocksdb::DB& db, const DeadRows& dead, ByteView prefix,
                    const std::function<Status(ByteView key, ByteView value)>& visit, rocksdb::Status& read) {
  constexpr std::size_t kReadahead = std::size_t{2} << 20;
  Status visited;
  read = visit_rows(db, dead, prefix, kReadahead, [&](ByteView key, ByteView value) {
    if (!key.starts_with(prefix)) return false;
    visited = visit(key, value);
    return visited.ok();
  });
  return visited;
}

class RocksStore final : public StateStore {
 public:
  RocksStore(FileSystem& files, std::string directory, StoreOptions options)
      : files_(files), directory_(std::move(directory)),
        jobs_(background_jobs(options)),
        environment_(state_internal::with_jobs(state_internal::make_environment(files, reads_, directory_), *jobs_,
                                               options.background_threads)),
        readers_(options.reading_threads) {
    options_ = state_internal::store_options(environment_.get(), options, dead_);
    options_.listeners.push_back(errors_);
  }

  ~RocksStore() override {
    if (db_ == nullptr) return;
    rocksdb::CancelAllBackgroundWork(db_.get(), false);
    jobs_->join();             // Close() would wait for them, and they may have no thread but this one
    (void)db_->Close().ok();   // everything durable is in checkpoints
  }

  Status open(bool create) {
    options_.create_if_missing = create;
    options_.error_if_exists = create;
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options_, directory_, &db);
    db_.reset(db);
    if (!status.ok()) return error_of(status, "open the state store in \"" + directory_ + "\"");
    return {};
  }

  Status ingest(const std::vector<RowFile>& row_files) override {
    TIDEMARK_TRY(health());
    if (row_files.empty()) return {};
    rocksdb::IngestExternalFileArg taken;
    taken.column_family = db_->DefaultColumnFamily();
    for (const RowFile& file : row_files) {
      taken.external_files.push_back(file.path);
      taken.files_checksums.push_back(state_internal::raw_file_checksum(file.checksum));
      taken.files_checksum_func_names.emplace_back(state_internal::kFileChecksumName);
    }
    taken.options.move_files = true;
    taken.options.failed_move_fall_back_to_copy = true;
    // What was just written would be read back from memory: that proves nothing, and recovery reads every byte.
    taken.options.verify_checksums_before_ingest = false;
    taken.options.verify_file_checksum = false;
    taken.options.write_global_seqno = false;   // else bytes of a file change after its checksum was taken
    return checked(db_->IngestExternalFiles({taken}), "take rows into the state store in \"" + directory_ + "\"");
  }

  Result<std::vector<StoredFile>> link_into(const std::string& directory) override {
    TIDEMARK_TRY(health());
    const std::string what = "list the files of the state store in \"" + directory_ + "\"";
    TIDEMARK_TRY(checked(db_->DisableFileDeletions(), what));
    Result<std::vector<StoredFile>> stored = link_listed_into(directory, what);
    const Status enabled = checked(db_->EnableFileDeletions(false), what);
    if (stored.ok() && !enabled.ok()) return enabled;
    return stored;
  }

  Status scan(ByteView prefix, const std::function<Status(ByteView key, ByteView value)>& visit) override {
    TIDEMARK_TRY(health());
    rocksdb::Status read;
    TIDEMARK_TRY(visit_prefix(*db_, *dead_->get(), prefix, visit, read));
    return checked_read(read);
  }

  Status get(std::span<const ByteView> keys, const std::function<void(std::size_t index, ByteView value)>& found) override {
    std::vector<LookUp> parts((keys.size() + kTogether - 1) / kTogether);
    readers_.share(parts.size(), [&](std::size_t part) {
      const std::size_t begin = part * kTogether;
      try {
        look_up(keys.subspan(begin, std::min(kTogether, keys.size() - begin)), parts[part]);
      } catch (const std::bad_alloc&) {
        parts[part].status = rocksdb::Status::MemoryLimit("no memory for the rows");
      }
    });
    for (std::size_t part = 0; part < parts.size(); ++part) {
      if (!parts[part].status.ok()) return checked_read(parts[part].status);
      std::size_t begin = 0;
      for (const auto& [index, size] : parts[part].found) {
        found(part * kTogether + index, ByteView{parts[part].values}.substr(begin, size));
        begin += size;
      }
    }
    return health();
  }

  Status read_prefixes(std::span<const ByteView> prefixes,
                       const std::function<bool(std::size_t index, ByteView key, ByteView value)>& visit) override {
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    const std::unique_ptr<rocksdb::Iterator> at{db_->NewIterator(options)};
    const std::shared_ptr<const DeadRows> dead = dead_->get();
    std::string next;
    for (std::size_t i = 0; i < prefixes.size(); ++i) {
      for (at->Seek(rocksdb::Slice{prefixes[i].data(), prefixes[i].size()}); at->Valid(); at->Next()) {
        const ByteView key{at->key().data(), at->key().size()};
        const ByteView value{at->value().data(), at->value().size()};
        if (!key.starts_with(prefixes[i])) break;
        if (dead->judge(key, value, &next) == DeadRows::Answer::kAlive && !visit(i, key, value)) return health();
      }
      TIDEMARK_TRY(checked_read(at->status()));
    }
    return health();
  }

  Status read_range(ByteView first, ByteView end, const std::function<bool(ByteView key, ByteView value)>& visit) override {
    return checked_read(
        visit_rows(*db_, *dead_->get(), first, 0, [&](ByteView key, ByteView value) { return key < end && visit(key, value); }));
  }

  void set_dropped(std::map<StateId, Dropped> durable) override {
    const std::shared_ptr<const DeadRows> before = dead_->get();
    dead_->set(DeadRows{durable});
    remove_dead_files(dead_->get()->ranges_since(*before));
  }

  Status health() const override {
    Status first = errors_->first();
    if (first.ok()) first = reads_->first();
    if (first.ok()) return {};
    Error lost = first.error();
    lost.why = "what the state store holds in memory and on disk may differ from now on";
    lost.fix = "nothing by hand: the job goes back to its last checkpoint with a new store";
    return lost;
  }

 private:
  // What is found of a few keys.
  struct LookUp {
    std::vector<std::pair<std::size_t, std::size_t>> found;   // index of the key, size of the value
    Bytes values;                                             // one behind the other
    rocksdb::Status status;                                   // the first error
  };
  void look_up(std::span<const ByteView> keys, LookUp& result) const {
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    std::array<rocksdb::Slice, kTogether> slices;
    std::array<rocksdb::PinnableSlice, kTogether> values;
    std::array<rocksdb::Status, kTogether> statuses;
    for (std::size_t i = 0; i < keys.size(); ++i) slices[i] = {keys[i].data(), keys[i].size()};
    db_->MultiGet(options, db_->DefaultColumnFamily(), keys.size(), slices.data(), values.data(), statuses.data());
    const std::shared_ptr<const DeadRows> dead = dead_->get();
    std::string next;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].ok()) {
        if (dead->judge(keys[i], {values[i].data(), values[i].size()}, &next) != DeadRows::Answer::kAlive) continue;
        result.found.emplace_back(i, values[i].size());
        result.values.append(values[i].data(), values[i].size());
      } else if (!statuses[i].IsNotFound() && result.status.ok()) {
        result.status = statuses[i];
      }
    }
  }

  // Of a state whose time goes on by a bucket from checkpoint to checkpoint each file overlaps no other. RocksDB takes it into its last
  // level at once, where no count of files brings on a compaction, so it would stay for ever.
  void remove_dead_files(const std::vector<DeadRows::Range>& dead) {
    if (dead.empty()) return;
    std::vector<rocksdb::Slice> slices;
    slices.reserve(dead.size() * 2);
    std::vector<rocksdb::RangePtr> ranges;
    for (const auto& [first, end] : dead) {
      slices.emplace_back(first);
      slices.emplace_back(end);
      ranges.emplace_back(&slices[slices.size() - 2], end.empty() ? nullptr : &slices.back());
    }
    constexpr bool kWithEnd = false;
    // An error is one of RocksDB's MANIFEST: health() tells it.
    (void)rocksdb::DeleteFilesInRanges(db_.get(), db_->DefaultColumnFamily(), ranges.data(), ranges.size(), kWithEnd).ok();
  }

  // Ill health is the reason behind whatever else failed, and success means nothing without health.
  Status checked(const rocksdb::Status& status, const std::string& what) const {
    TIDEMARK_TRY(health());
    if (status.ok()) return {};
    return error_of(status, what);
  }

  Status checked_read(const rocksdb::Status& status) const { return checked(status, "read the state store in \"" + directory_ + "\""); }

  Result<std::vector<StoredFile>> link_listed_into(const std::string& directory, const std::string& what) {
    std::vector<std::string> names;
    std::uint64_t manifest_size = 0;
    std::map<std::string, StoredFile> row_files;
    // Not GetLiveFilesStorageInfo(): it waits for readers that give up old files, and may miss that they have (RocksDB 14069). A compaction
    // may end between the two calls; then they are made again.
    do {
      TIDEMARK_TRY(checked(db_->GetLiveFiles(names, &manifest_size, false), what));
      for (std::string& name : names) name.erase(0, name.find_first_not_of('/'));
      row_files = live_row_files();
    } while (std::any_of(names.begin(), names.end(), [&](const auto& name) { return is_row_file(name) && !row_files.contains(name); }));
    std::vector<StoredFile> stored;
    for (const std::string& name : names) {
      if (is_row_file(name)) {
        TIDEMARK_TRY(link_or_copy(files_, join_path(directory_, name), join_path(directory, name)));
        stored.push_back(row_files.at(name));
      } else if (name.starts_with(kManifestName)) {
        TIDEMARK_ASSIGN(stored.emplace_back(), copy_manifest(name, manifest_size, directory));
        TIDEMARK_ASSIGN(stored.emplace_back(), write_copy(files_, directory, "CURRENT", name + "\n"));
      }   // what else there is, CURRENT as it is by now and the options, is in our code
    }
    TIDEMARK_TRY(files_.sync_directory(directory));
    std::sort(stored.begin(), stored.end(), [](const StoredFile& a, const StoredFile& b) { return a.name < b.name; });
    return stored;
  }

  std::map<std::string, StoredFile> live_row_files() const {
    std::vector<rocksdb::LiveFileMetaData> live;
    db_->GetLiveFilesMetaData(&live);
    std::map<std::string, StoredFile> row_files;
    for (const rocksdb::LiveFileMetaData& file : live) {
      StoredFile stored{file.relative_filename, file.size, 0};
      TIDEMARK_CHECK(state_internal::take_file_checksum(file.file_checksum_func_name, file.file_checksum, stored.checksum),
                     "the row file " + stored.name + " has no checksum");
      row_files.emplace(stored.name, stored);
    }
    return row_files;
  }

  Result<StoredFile> copy_manifest(const std::string& name, std::uint64_t size, const std::string& directory) {
    TIDEMARK_ASSIGN(Bytes contents, read_file(files_, join_path(directory_, name), kLargestCopy));
    TIDEMARK_CHECK(contents.size() >= size, name + " is shorter than RocksDB says");
    contents.resize(size);   // it may have grown since
    return write_copy(files_, directory, name, contents);
  }

  static constexpr std::size_t kTogether = 32;   // keys that RocksDB looks up at once
  static constexpr std::string_view kManifestName = "MANIFEST-";
  static constexpr std::uint64_t kLargestCopy = std::uint64_t{1} << 30;

  FileSystem& files_;
  std::string directory_;
  std::shared_ptr<state_internal::ReadFailures> reads_ = std::make_shared<state_internal::ReadFailures>();
  std::unique_ptr<core_internal::Jobs> jobs_;
  std::unique_ptr<rocksdb::Env> environment_;
  std::shared_ptr<state_internal::SharedDeadRows> dead_ = std::make_shared<state_internal::SharedDeadRows>();
  std::shared_ptr<BackgroundErrors> errors_ = std::make_shared<BackgroundErrors>();
  rocksdb::Options options_;
  std::unique_ptr<rocksdb::DB> db_;
  state_internal::ReadingThreads readers_;
};

// Row files are checked block by block when they are read; what RocksDB reads at once is checked at once.
Status check_before_opening(FileSystem& files, const std::string& directory, const std::vector<StoredFile>& stored) {
  for (const StoredFile& file : stored) {
    TIDEMARK_TRY(is_row_file(file.name) ? state_internal::check_presence(files, directory, file)
                                        : state_internal::verify_file(files, directory, file));
  }
  return {};
}

class RocksRows final : public StoredRows {
 public:
  RocksRows(FileSystem& files, std::string directory, const std::map<StateId, Dropped>& dropped, const StoreOptions& options)
      : directory_(std::move(directory)), dead_(dropped),
        jobs_(background_jobs(options)),
        environment_(state_internal::with_jobs(state_internal::make_environment(files, reads_), *jobs_, options.background_threads)),
        options_(state_internal::store_options(environment_.get(), options, std::make_shared<state_internal::SharedDeadRows>())) {}

  ~RocksRows() override {
    if (db_ != nullptr) (void)db_->DestroyColumnFamilyHandle(family_).ok();
  }

  Status open() {
    // The call with column families, since the other one may take a shorter way that knows point look-ups only.
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(
        options_, directory_, {{rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions(options_)}}, &families, &db);
    db_.reset(db);
    if (!status.ok()) return error_of(status, "open the rows in \"" + directory_ + "\"");
    family_ = families.front();
    return {};
  }

  Status scan(ByteView prefix, const std::function<Status(ByteView key, ByteView value)>& visit) override {
    rocksdb::Status read;
    TIDEMARK_TRY(visit_prefix(*db_, dead_, prefix, visit, read));
    TIDEMARK_TRY(reads_->first());
    if (!read.ok()) return error_of(read, "read the rows in \"" + directory_ + "\"");
    return {};
  }

 private:
  std::string directory_;
  DeadRows dead_;
  std::shared_ptr<state_internal::ReadFailures> reads_ = std::make_shared<state_internal::ReadFailures>();
  std::unique_ptr<core_internal::Jobs> jobs_;
  std::unique_ptr<rocksdb::Env> environment_;
  rocksdb::Options options_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* family_ = nullptr;
};

Result<std::unique_ptr<StateStore>> open_store(FileSystem& files, const std::string& directory, StoreOptions options, bool create) {
  auto store = std::make_unique<RocksStore>(files, directory, std::move(options));
  TIDEMARK_TRY(store->open(create));
  return std::unique_ptr<StateStore>{std::move(store)};
}

}  // namespace

Result<std::unique_ptr<StateStore>> create_store(FileSystem& files, const std::string& directory, StoreOptions options) {
  TIDEMARK_TRY(files.make_directory(directory));
  return open_store(files, directory, std::move(options), true);
}

Result<std::unique_ptr<StateStore>> restore_store(FileSystem& files, const std::string& checkpoint_directory,
                                                  const std::vector<StoredFile>& stored, const std::string& directory,
                                                  StoreOptions options) {
  TIDEMARK_TRY(check_before_opening(files, checkpoint_directory, stored));
  TIDEMARK_TRY(files.make_directory(directory));
  for (const StoredFile& file : stored) {
    const std::string from = join_path(checkpoint_directory, file.name);
    const std::string to = join_path(directory, file.name);
    TIDEMARK_TRY(is_row_file(file.name) ? link_or_copy(files, from, to) : copy_file(files, from, to));
  }
  return open_store(files, directory, std::move(options), false);
}

Result<std::unique_ptr<StoredRows>> open_stored_rows(FileSystem& files, const std::string& checkpoint_directory,
                                                     const std::vector<StoredFile>& stored,
                                                     const std::map<StateId, Dropped>& dropped, StoreOptions options) {
  TIDEMARK_TRY(check_before_opening(files, checkpoint_directory, stored));
  auto rows = std::make_unique<RocksRows>(files, checkpoint_directory, dropped, options);
  TIDEMARK_TRY(rows->open());
  return std::unique_ptr<StoredRows>{std::move(rows)};
}

}  // namespace v0
}  // namespace tidemark

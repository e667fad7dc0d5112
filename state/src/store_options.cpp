#include "src/store_options.hpp"

#include <algorithm>

#include <rocksdb/cache.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "src/store_checksum.hpp"
#include "src/store_environment.hpp"

namespace tidemark {
inline namespace v0 {
namespace state_internal {

namespace {

// RocksDB sums every row file while it writes it, so that no file is read only to be summed.
class RowFileChecksum final : public rocksdb::FileChecksumGenerator {
 public:
  void Update(const char* data, std::size_t size) override { checksum_.add(ByteView{data, size}); }
  void Finalize() override { result_ = raw_file_checksum(checksum_.value()); }
  std::string GetChecksum() const override { return result_; }
  const char* Name() const override { return kFileChecksumName; }

 private:
  FileChecksum checksum_;
  Bytes result_;
};

class RowFileChecksumFactory final : public rocksdb::FileChecksumGenFactory {
 public:
  std::unique_ptr<rocksdb::FileChecksumGenerator> CreateFileChecksumGenerator(const rocksdb::FileChecksumGenContext&) override {
    return std::make_unique<RowFileChecksum>();
  }
  const char* Name() const override { return kFileChecksumName; }
};

class DeadRowFilter final : public rocksdb::CompactionFilter {
 public:
  explicit DeadRowFilter(std::shared_ptr<const DeadRows> dead) : dead_(std::move(dead)) {}
  const char* Name() const override { return "tidemark.dead-rows"; }
  // Skips a whole dead range at once. Older versions of its rows may come to light in deeper levels; they are as dead. Not so where the
  // value decides: of a row that is written anew an older version may have a later time, so a single dead row leaves a tombstone.
  Decision FilterV2(int, const rocksdb::Slice& key, ValueType, const rocksdb::Slice& value, std::string*,
                    std::string* skip_until) const override {
    switch (dead_->judge(ByteView{key.data(), key.size()}, ByteView{value.data(), value.size()}, skip_until)) {
      case DeadRows::Answer::kAlive: return Decision::kKeep;
      case DeadRows::Answer::kDead: return Decision::kRemove;
      case DeadRows::Answer::kDeadRange: return skip_until->empty() ? Decision::kRemove : Decision::kRemoveAndSkipUntil;
    }
    return Decision::kKeep;
  }

 private:
  std::shared_ptr<const DeadRows> dead_;
};

class DeadRowFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  explicit DeadRowFilterFactory(std::shared_ptr<const SharedDeadRows> dead) : dead_(std::move(dead)) {}
  const char* Name() const override { return "tidemark.dead-rows"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(const rocksdb::CompactionFilter::Context&) override {
    std::shared_ptr<const DeadRows> dead = dead_->get();
    if (dead->none()) return nullptr;
    return std::make_unique<DeadRowFilter>(std::move(dead));
  }

 private:
  std::shared_ptr<const SharedDeadRows> dead_;
};

rocksdb::BlockBasedTableOptions table_options() {
  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  table.block_size = 4 * 1024;   // a cold read takes one of them
  table.block_restart_interval = 16;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  // In pieces of the size of a block: whole ones of a large file would not fit into the cache of a small budget, and be read each time.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.pin_top_level_index_and_filter = true;
  return table;
}

rocksdb::Options common_options(rocksdb::Env* environment) {
  rocksdb::Options options;
  options.env = environment;
  options.compression = rocksdb::kLZ4Compression;   // measured: a tenth slower to write than none, half the bytes to sync
  options.file_checksum_gen_factory = std::make_shared<RowFileChecksumFactory>();
  options.allow_mmap_reads = false;
  options.allow_mmap_writes = false;
  options.db_host_id = "";   // else the name of the machine is in every file
  return options;
}

}  // namespace

DeadRows::DeadRows(const std::map<StateId, Dropped>& dropped) {
  if (dropped.empty()) return;
  dropped_.resize(std::size_t{dropped.rbegin()->first} + 1);
  for (const auto& [id, of_state] : dropped) dropped_[id] = of_state;
}

bool DeadRows::none() const {
  return std::all_of(dropped_.begin(), dropped_.end(), [](const Dropped& of_state) { return of_state.through == kMinusInfinity; });
}

DeadRows::Answer DeadRows::judge(ByteView key, ByteView value, std::string* next) const {
  StateId id = 0;
  ByteView rest = key;
  if (!take_u16_big_endian(rest, id) || id >= dropped_.size()) return Answer::kAlive;
  const EventTime through = dropped_[id].through;
  if (through == kMinusInfinity) return Answer::kAlive;
  if (through != kPlusInfinity) {
    EventTime time{};
    if (dropped_[id].stamped) return take_time(value, time) && time <= through ? Answer::kDead : Answer::kAlive;
    if (!take_time_big_endian(rest, time) || time > through) return Answer::kAlive;
  }
  set_end(id, next);
  return Answer::kDeadRange;
}

std::vector<DeadRows::Range> DeadRows::ranges_since(const DeadRows& before) const {
  std::vector<Range> ranges;
  for (std::size_t id = 0; id < dropped_.size(); ++id) {
    const Dropped& of_state = dropped_[id];
    if (id < before.dropped_.size() && before.dropped_[id] == of_state) continue;
    if (of_state.through == kMinusInfinity || (of_state.stamped && of_state.through != kPlusInfinity)) continue;
    Range& range = ranges.emplace_back();
    append_u16_big_endian(range.first, static_cast<StateId>(id));
    set_end(static_cast<StateId>(id), &range.end);
  }
  return ranges;
}

void DeadRows::set_end(StateId id, std::string* end) const {
  const EventTime through = dropped_[id].through;
  end->clear();
  if (through != kPlusInfinity) {
    append_u16_big_endian(*end, id);
    append_time_big_endian(*end, through + Duration{1});
  } else if (id != 0xFFFF) {
    append_u16_big_endian(*end, static_cast<StateId>(id + 1));
  }
}

rocksdb::Options row_file_options(rocksdb::Env* environment) {
  rocksdb::Options options = common_options(environment);
  rocksdb::BlockBasedTableOptions table = table_options();
  table.no_block_cache = true;
  table.cache_index_and_filter_blocks = false;
  // Whole, since these files are small: a look-up passes many of them, and finds a piece in each a good deal more slowly.
  table.index_type = rocksdb::BlockBasedTableOptions::kBinarySearch;
  table.partition_filters = false;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::Options store_options(rocksdb::Env* environment, const StoreOptions& options, std::shared_ptr<const SharedDeadRows> dead) {
  rocksdb::Options result = common_options(environment);
  rocksdb::BlockBasedTableOptions table = table_options();
  constexpr int kShardBits = 2;             // a task or two read at the same time
  constexpr bool kStrict = false;
  constexpr double kForIndexes = 0.9;       // a block of rows is seldom wanted twice before it has to go
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, kShardBits, kStrict, kForIndexes);
  result.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  result.info_log = make_rocksdb_logger(options.logger);
  result.compaction_filter_factory = std::make_shared<DeadRowFilterFactory>(std::move(dead));

  result.compaction_style = rocksdb::kCompactionStyleLevel;
  // What a checkpoint writes is compressed, and what compaction makes of it is not. Measured with a state ten times the memory and with
  // 10 million keys of which 1 % change: a cold read takes a sixth less time, compaction a third less, and 3.1 times what changed is
  // written in all instead of 2.1.
  result.compression_per_level.assign(static_cast<std::size_t>(result.num_levels), rocksdb::kNoCompression);
  result.compression_per_level.front() = result.compression;
  result.level_compaction_dynamic_level_bytes = true;
  result.force_consistency_checks = true;
  result.paranoid_checks = true;
  result.max_background_jobs = options.background_threads;
  result.max_subcompactions = 1;
  // A checkpoint adds a file or a few, all of which span the whole range of hashes, so each merge rewrites what is below. Measured with 10
  // million keys of which 1 % change in each checkpoint, ten minutes: merging at every 32nd over two levels wrote 3.7 times what changed
  // and took 0.37 of a core; into one level, at every 64th 2.7 times and 0.26, at every 112th 1.9 times and 0.21. A cold read passes more
  // filters: with a tenth of the state in memory it was no slower at every 80th than at every 32nd.
  result.level0_file_num_compaction_trigger = options.files_to_merge;
  result.max_bytes_for_level_base = std::uint64_t{512} << 20;   // up to here one level is enough
  result.level0_slowdown_writes_trigger = 1 << 20;   // nothing is written but by ingestion
  result.level0_stop_writes_trigger = 1 << 20;
  result.compaction_readahead_size = std::size_t{32} << 10;   // of each of the files, which may be many
  result.max_open_files = -1;               // every footer is read when the store is opened, and none later
  result.max_file_opening_threads = 1;
  result.max_bgerror_resume_count = 0;      // after an error in the background the attempt is over (R4)
  // Never written to: all state is ingested. But filters of files in level 0 are pinned only up to one and a half times this size.
  result.write_buffer_size = 64 * 1024 * 1024;
  result.arena_block_size = 4 * 1024;
  // Most keys that are looked up exist, and most rows are in the last level, whose filters would take most of the memory for filters.
  result.optimize_filters_for_hits = true;
  result.max_manifest_file_size = 1 << 20;  // each checkpoint copies it
  result.stats_dump_period_sec = 0;
  result.stats_persist_period_sec = 0;
  return result;
}

Bytes raw_file_checksum(std::uint64_t checksum) {
  Bytes raw;
  append_u64(raw, checksum);
  return raw;
}

bool take_file_checksum(const std::string& function, const std::string& raw, std::uint64_t& checksum) {
  ByteView bytes = raw;
  return function == kFileChecksumName && raw.size() == sizeof checksum && take_u64(bytes, checksum);
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

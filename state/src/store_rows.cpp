#include "src/store_rows.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include <tidemark/core/check.hpp>

namespace tidemark {
inline namespace v0 {

namespace {
constexpr std::size_t kBlockBytes = 256 * 1024;
constexpr std::size_t kLongest = std::size_t{1} << 31;
}  // namespace

RowRun::RowRun() = default;
RowRun::~RowRun() = default;

RowRun::RowRun(RowRun&& other) noexcept { *this = std::move(other); }

RowRun& RowRun::operator=(RowRun&& other) noexcept {
  blocks_ = std::exchange(other.blocks_, {});
  filling_ = std::exchange(other.filling_, 0);
  rows_ = std::exchange(other.rows_, 0);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

void RowRun::put(ByteView key, ByteView value) {
  TIDEMARK_CHECK(value.size() < kLongest, "a row's value has " + std::to_string(value.size()) + " bytes");
  add(key, value, static_cast<std::uint32_t>(value.size()));
}

void RowRun::append(RowRun other) {
  if (!blocks_.empty()) blocks_.resize(filling_ + 1);
  filling_ = blocks_.size() + other.filling_;
  blocks_.insert(blocks_.end(), std::make_move_iterator(other.blocks_.begin()), std::make_move_iterator(other.blocks_.end()));
  rows_ += other.rows_;
  bytes_ += other.bytes_;
  other = RowRun{};
}

void RowRun::erase(ByteView key) { add(key, {}, StoredRow::kTombstone); }

void RowRun::clear() {
  for (Block& block : blocks_) block.used = 0;
  filling_ = 0;
  rows_ = 0;
  bytes_ = 0;
}

void RowRun::add(ByteView key, ByteView value, std::uint32_t value_mark) {
  TIDEMARK_CHECK(!key.empty() && key.size() < kLongest, "a row's key has " + std::to_string(key.size()) + " bytes");
  const std::size_t size = StoredRow::kHeader + key.size() + value.size();
  char* at = room_for(size);
  const auto key_size = static_cast<std::uint32_t>(key.size());
  std::memcpy(at, &key_size, 4);
  std::memcpy(at + 4, &value_mark, 4);
  std::memcpy(at + StoredRow::kHeader, key.data(), key.size());
  if (!value.empty()) std::memcpy(at + StoredRow::kHeader + key.size(), value.data(), value.size());
  rows_ += 1;
  bytes_ += size;
}

char* RowRun::room_for(std::size_t size) {
  while (filling_ < blocks_.size() && blocks_[filling_].capacity - blocks_[filling_].used < size) ++filling_;
  if (filling_ == blocks_.size()) {
    const std::size_t capacity = std::max(size, kBlockBytes);
    blocks_.push_back({std::unique_ptr<char[]>(new char[capacity]), 0, capacity});   // not make_unique, which would write zeros first
  }
  Block& block = blocks_[filling_];
  char* at = block.data.get() + block.used;
  block.used += size;
  return at;
}

namespace state_internal {

namespace {

// 16 bytes of the key decide almost every comparison without a look at the row: a state, at most a time, and much of a hash.
struct SortEntry {
  std::uint64_t high;
  std::uint64_t low;
  const char* row;
};

bool comes_before(const SortEntry& a, const SortEntry& b) {
  if (a.high != b.high) return a.high < b.high;
  if (a.low != b.low) return a.low < b.low;
  return StoredRow{a.row}.key() < StoredRow{b.row}.key();
}

bool same_key(const SortEntry& a, const SortEntry& b) {
  return a.high == b.high && a.low == b.low && StoredRow{a.row}.key() == StoredRow{b.row}.key();
}

// Tables give their rows almost in order: each is a few places from its own. Equal keys keep their order.
void sort_nearly_sorted(std::vector<SortEntry>& entries) {
  std::size_t moves_left = entries.size() * 8;
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (!comes_before(entries[i], entries[i - 1])) continue;
    const SortEntry entry = entries[i];
    std::size_t place = i;
    for (; place > 0 && comes_before(entry, entries[place - 1]); --place) {
      entries[place] = entries[place - 1];
      if (--moves_left == 0) break;
    }
    if (moves_left == 0) {
      entries[place - 1] = entry;
      return std::stable_sort(entries.begin(), entries.end(), comes_before);
    }
    entries[place] = entry;
  }
}

std::uint64_t word_at(ByteView key, std::size_t from) {
  std::uint64_t value = 0;
  if (key.size() >= from + sizeof value) [[likely]] {
    std::memcpy(&value, key.data() + from, sizeof value);   // of a known size: no call
  } else if (key.size() > from) {
    std::memcpy(&value, key.data() + from, key.size() - from);
  }
  return __builtin_bswap64(value);
}

}  // namespace

std::vector<StoredRow> sorted_rows(const RowRun& first, const RowRun& second) {
  std::vector<SortEntry> entries;
  entries.reserve(first.rows() + second.rows());
  const auto take = [&](const char* at) {
    const ByteView key = StoredRow{at}.key();
    entries.push_back({word_at(key, 0), word_at(key, 8), at});
  };
  RowRunReader::each(first, take);
  RowRunReader::each(second, take);
  sort_nearly_sorted(entries);
  std::vector<StoredRow> rows;
  rows.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i + 1 < entries.size() && same_key(entries[i], entries[i + 1])) continue;
    rows.emplace_back(entries[i].row);
  }
  return rows;
}

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

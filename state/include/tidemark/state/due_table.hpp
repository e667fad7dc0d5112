#pragma once
// Keyed state that is to be looked at by time: a value for each key, and the keys whose values say that their time has come.
//
// A value says when it is due. A key is *filed* under that time once, in a time wheel, and comes up when the clock has reached it. A value
// that is due later by then is filed anew, so that putting it off costs nothing. What the wheel holds is derived from the values; so that
// it need not hold everything, a second state has a row for each value that a checkpoint wrote: the time at which it was due, its key, and
// nothing else. Such rows are never erased. One that no value belongs to any more does no harm, since whoever comes up is looked at, and
// those that the clock has passed are dead.
//
// What must hold for each key, so that none is forgotten: at or before the time at which its value is due it is in the wheel, or has a row
// behind the horizon. A clean value has a row of the very time at which it is due, so its key may leave the wheel with all that lies behind
// the horizon; a value that is not clean keeps its key in, unless it has such a row from when it was clean.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/core/check.hpp>
#include <tidemark/state/detail/heap_sample.hpp>
#include <tidemark/state/detail/horizon.hpp>
#include <tidemark/state/detail/time_wheel.hpp>
#include <tidemark/state/keyed_table.hpp>

namespace tidemark {
inline namespace v0 {

// A key that comes up at a time.
template <class Key>
struct DueKey {
  EventTime time;
  std::uint64_t hash;
  Key key;
};

// The time wheel of a DueTable and the rows that stand for what it does not hold.
template <class Key>
class DueIndex final : public StateComponent {
 public:
  // Made by StateBackend::due_table().
  DueIndex(std::string name, const KeySpace& space, std::uint32_t first_group, std::uint32_t end_group)
      : StateComponent(
            {.name = std::move(name), .kind = "due", .key = Codec<Key>::schema(), .value = {}, .parameters = {}, .timed = true}),
        space_(space),
        first_group_(first_group),
        end_group_(end_group) {}

  // The rest is for DueTable.

  // stays(due): whether a key that lies behind the horizon must be held all the same.
  void keep_if(std::function<bool(const DueKey<Key>&)> stays) { stays_ = std::move(stays); }
  // Whether the checkpoint that is restored has no rows of it.
  bool is_new() const { return new_; }

  // Precondition: later than the clock.
  void add(DueKey<Key> due) {
    heap_sample_.take(due.key, 0);
    wheel_.add(std::move(due));
    if (wheel_.size() >= charge_at_) [[unlikely]] charge();
  }
  // A value was encoded that is due at `time`; its row key is `row_key`.
  void note_row(EventTime time, ByteView row_key) {
    append_time_big_endian(row_keys_, time);
    row_keys_.append(row_key.substr(sizeof(StateId)));
    sizes_.push_back(static_cast<std::uint32_t>(sizeof(EventTime) + row_key.size() - sizeof(StateId)));
    if (sizes_.size() % kChargedTogether == 0) charge();
  }
  // Sets the clock. Precondition: front() is null.
  void advance(EventTime now) { wheel_.advance(now); }
  // The next key that is due; nullptr if there is none. Good until pop(). Throws JobFailure if the store cannot be read.
  const DueKey<Key>* front() {
    for (;;) {
      const DueKey<Key>* due = wheel_.front();
      if (due != nullptr || horizon_.covers(wheel_.now())) return due;
      read_more();
    }
  }
  // Those that come up next, from the front on. Precondition: there is a front.
  std::span<const DueKey<Key>> upcoming() const { return wheel_.upcoming(); }
  void pop() { wheel_.pop(); }
  // All that was due was looked at. Precondition: front() is null.
  void drop_due() {
    dropped_through_ = std::max(dropped_through_, wheel_.now());
    horizon_.raise(state_internal::end_of(dropped_through_));
  }

  void attach(ColdRows* cold, MemoryBudget* budget) override {
    if (cold != nullptr) cold_ = std::make_unique<state_internal::ColdFetch>(*cold, schema().name);
    account_.attach(budget);
  }
  void begin_new() override { new_ = true; }
  bool restores_lazily(std::span<const EventTime>) override {
    if (cold_ == nullptr) return false;
    if (!new_) horizon_.lower({});
    return true;
  }
  void shrink(bool to_the_least) override {
    if (cold_ == nullptr) return;
    state_internal::leave_from_the_end(
        wheel_,
        [this](const state_internal::RowPosition& last) {
          horizon_.lower(last);
          wheel_.keep_only([this](const DueKey<Key>& due) { return !horizon_.is_beyond({due.time, due.hash}) || stays_(due); });
        },
        [&, steps = 0]() mutable {
          charge();
          return to_the_least ? steps++ > 0 : !account_.spent();
        });
  }

  void freeze(RowSink& rows) override { begin_freeze(rows); }
  // Precondition for true: the table has encoded all its rows.
  bool encode_some(std::size_t max_rows) override {
    for (; encoded_ < sizes_.size(); encoded_bytes_ += sizes_[encoded_++]) {
      if (max_rows == 0) return false;
      context_.begin_key().append(row_keys_, encoded_bytes_, sizes_[encoded_]);
      context_.rows->put(context_.key, {});
      max_rows = context_.rows->is_full() ? 0 : max_rows - 1;
    }
    forget_rows();
    return true;
  }
  void settle(bool completed) override {
    TIDEMARK_CHECK(!completed || sizes_.empty(), "a checkpoint completed before all its rows were taken");
    forget_rows();
    charge();
    end_settle();
  }
  void follow_growth(bool) override { charge(); }
  // Nothing is brought in: a table that is restored as a whole files its keys itself.
  Status restore_row(ByteView key_after_state_id, ByteView value) override {
    DueKey<Key> due;
    if (!take_due(key_after_state_id, value, due)) return malformed_row();
    return owns(due.hash) ? Status{} : foreign_row(due.hash);
  }

  EventTime dropped_through() const override { return dropped_through_; }
  void set_dropped_through(EventTime time) override { dropped_through_ = time; }
  // It has none of its own.
  std::size_t entries() const override { return 0; }
  std::size_t bytes() const override { return wheel_.bytes() + row_keys_.capacity() + sizes_.capacity() * sizeof(sizes_[0]); }

 private:
  static constexpr std::size_t kChargedTogether = 4096;

  void charge() {
    account_.set(bytes() + heap_sample_.of(wheel_.size()));
    charge_at_ = wheel_.size() + kChargedTogether;
  }
  void forget_rows() {
    Bytes{}.swap(row_keys_);
    std::vector<std::uint32_t>{}.swap(sizes_);
    encoded_ = encoded_bytes_ = 0;
  }
  static bool take_due(ByteView key, ByteView value, DueKey<Key>& due) {
    return take_time_big_endian(key, due.time) && state_internal::take_row_key(key, due.hash, due.key) && key.empty() && value.empty();
  }
  bool owns(std::uint64_t hash) const {
    const std::uint32_t group = space_.group_of(hash);
    return group >= first_group_ && group < end_group_;
  }
  [[gnu::noinline]] void read_more() {
    using Taken = state_internal::Horizon::Taken;
    std::vector<DueKey<Key>> due_now;
    horizon_.read_more(*cold_, id(), [&](const state_internal::RowPosition& position, ByteView key, ByteView value) {
      if (!owns(position.hash)) return Taken::kNo;
      DueKey<Key> due;
      if (!take_due(key, value, due)) return Taken::kMalformed;
      if (due.time <= wheel_.now()) {
        due_now.push_back(std::move(due));
      } else {
        add(std::move(due));
      }
      return Taken::kYes;
    });
    if (!due_now.empty()) wheel_.add_due(std::move(due_now));
    charge();
  }

  KeySpace space_;
  std::uint32_t first_group_;
  std::uint32_t end_group_;
  state_internal::TimeWheel<DueKey<Key>> wheel_;
  std::function<bool(const DueKey<Key>&)> stays_;
  // Of the checkpoint under way, gathered while the table encodes and handed out behind the table's rows: those of one state lie side by
  // side in row files. The first encoded_ are handed out.
  Bytes row_keys_;
  std::vector<std::uint32_t> sizes_;
  std::size_t encoded_ = 0;
  std::size_t encoded_bytes_ = 0;
  EventTime dropped_through_ = kMinusInfinity;
  std::unique_ptr<state_internal::ColdFetch> cold_;
  state_internal::Horizon horizon_;
  bool new_ = false;
  state_internal::HeapSample heap_sample_;
  MemoryAccount account_;
  std::size_t charge_at_ = kChargedTogether;   // items of the wheel
};

namespace state_internal {

// A row for each key, and one in the index.
template <class Key, class Value>
struct DueRows : KeyedRows<Key, Value> {
  DueIndex<Key>* index = nullptr;

  explicit DueRows(DueIndex<Key>& due) : index(&due) {}
  void encode(RowContext& context, std::uint64_t hash, const Key& key, const Value& value, bool erased) const {
    this->encode_by_context(context, hash, key, value, erased);
    if (!erased) index->note_row(value.due(), context.key);
  }
};

}  // namespace state_internal

// Value has
//   EventTime due() const;       later than the clock whenever a checkpoint begins
//   mutable EventTime filed;     for the table alone, and not encoded; kMinusInfinity in a new value and in one that was decoded
template <class Key, class Value>
class DueTable final : public KeyedTable<Key, Value, state_internal::DueRows<Key, Value>> {
  using Base = KeyedTable<Key, Value, state_internal::DueRows<Key, Value>>;
  using Base::map_;

 public:
  // Made by StateBackend::due_table().
  DueTable(std::string name, std::string parameters, DueIndex<Key>& index, const KeySpace& space, std::uint32_t first_group,
           std::uint32_t end_group)
      : Base(std::move(name), std::move(parameters), Residency::kWhatIsTouched, space, first_group, end_group,
             state_internal::DueRows<Key, Value>{index}),
        index_(index) {
    index_.keep_if([this](const DueKey<Key>& due) { return stays(due); });
  }

  // To be called once, when all state is restored. `now`: the clock of the checkpoint.
  void start(EventTime now) {
    index_.advance(now);
    index_.drop_due();
    typename Base::Cursor cursor;
    map_.visit_some(cursor, std::numeric_limits<std::size_t>::max(),
                    [this](std::uint64_t hash, const Key& key, const Value& value) { file(value, hash, key); });
  }

  // Sees to it that the key comes up when its value is due. To be called where the value is new or has come to be due earlier.
  // Precondition: it is due later than the clock.
  void file(const Value& value, std::uint64_t hash, const Key& key) {
    const EventTime due = value.due();
    if (value.filed != kMinusInfinity && value.filed <= due) return;
    value.filed = due;
    index_.add({due, hash, key});
  }
  void file_anew(const Value& value, std::uint64_t hash, const Key& key) {
    value.filed = kMinusInfinity;
    file(value, hash, key);
  }

  // Sets the clock, which never goes back. Precondition: front() is null.
  void advance(EventTime now) { index_.advance(now); }
  // The next key that may be due by the clock; nullptr if there is none. Good until pop(). Throws JobFailure if the store cannot be read.
  const DueKey<Key>* front() { return index_.front(); }
  // The value of the front's key, which may be due, or is to be filed anew; nullptr if there is nothing to do. As find().
  const Value* look_at_front() {
    const auto upcoming = index_.upcoming();
    if (upcoming.size() > kPrefetchAhead) map_.prefetch(upcoming[kPrefetchAhead].hash);
    if (map_.is_incomplete()) [[unlikely]] fetch_upcoming(upcoming);
    const DueKey<Key>& front = upcoming.front();
    const Value* value = map_.find(front.hash, front.key);
    // Filed anew for an earlier time, or gone. Of one that was read nobody knows where it is filed.
    return value != nullptr && (value->filed == front.time || value->filed == kMinusInfinity) ? value : nullptr;
  }
  void pop() {
    if (fetched_ > 0) --fetched_;
    index_.pop();
  }
  // All that was due was looked at. Precondition: front() is null.
  void drop_due() { index_.drop_due(); }

  bool restores_lazily(std::span<const EventTime> live_buckets) override {
    // Of a checkpoint without due rows everything is read, and written again with them.
    rewrites_ = index_.is_new();
    return !rewrites_ && Base::restores_lazily(live_buckets);
  }

 private:
  static constexpr std::size_t kPrefetchAhead = 16;
  static constexpr std::size_t kFetchedTogether = 1024;

  void take_restored(std::uint64_t hash, const Key& key, Value&& value) override {
    if (!rewrites_) return map_.restore(hash, key, std::move(value));
    (void)map_.insert(hash, key, true);
    map_.upsert(hash, key) = std::move(value);
  }
  void fetch_upcoming(std::span<const DueKey<Key>> upcoming) {
    if (fetched_ > 0) return;
    fetched_ = std::min(upcoming.size(), kFetchedTogether);
    hashes_.clear();
    for (const DueKey<Key>& due : upcoming.first(fetched_)) hashes_.push_back(due.hash);
    map_.fetch(hashes_.data(), fetched_, [&](std::size_t i) -> const Key& { return upcoming[i].key; });
  }
  // Of a key that lies behind the horizon.
  bool stays(const DueKey<Key>& due) const {
    const auto [value, clean] = map_.held(due.hash, due.key);
    if (value == nullptr) return false;   // what the store may have of it is clean
    if (!clean) return value->filed == due.time;   // of one that was read, and put off since, the row that it had then will do
    if (value->filed == due.time) value->filed = value->due();   // where its row is
    return false;
  }

  DueIndex<Key>& index_;
  bool rewrites_ = false;
  std::size_t fetched_ = 0;               // of the upcoming ones, together
  std::vector<std::uint64_t> hashes_;     // scratch
};

}  // namespace v0
}  // namespace tidemark

#pragma once
// Keyed state of a kind: a value, a list or a map for each key, whose entries may expire by event time (K8). The state handles of process()
// are bound to such tables.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <tidemark/core/check.hpp>
#include <tidemark/state/detail/key_entries.hpp>
#include <tidemark/state/detail/map_component.hpp>
#include <tidemark/state/expiry.hpp>

namespace tidemark {
inline namespace v0 {

// The key, and the moment, for which a state is accessed.
struct StateCall {
  std::uint64_t hash = 0;
  const void* key = nullptr;          // of the table's Key
  EventTime time = kMinusInfinity;    // of the record or timer
  EventTime watermark = kMinusInfinity;
  std::uint64_t number = 0;           // of the call; no two that follow each other have the same
  EventTime decision = kMinusInfinity;   // the watermark by which a window is gone for this call (L1)
  mutable bool missed = false;        // set by a table: a window was to be changed that is gone
};

// A table as a handle sees it, which does not know the type of its keys. Content is one of EntryValue, EntryList and EntryMap. What a call
// gives back is good until the next one. Throws JobFailure as HotMap does, and where entries expire but the call has no time.
template <class Content>
class ContentTable {
 public:
  ContentTable(const ContentTable&) = delete;
  ContentTable& operator=(const ContentTable&) = delete;
  virtual ~ContentTable() = default;

  // What the key has; null if that is nothing. What is dead is let go, now or at a later call.
  virtual const Content* find(const StateCall& call) = 0;
  // The same to be changed: made if there is none, and marked as changed.
  virtual Content& change(const StateCall& call) = 0;
  virtual void erase(const StateCall& call) = 0;
  // Whether the call comes too late for its window. Of state without windows none does.
  virtual bool is_gone(const StateCall&) const { return false; }

  const state_internal::ExpiryClock& expiry() const { return expiry_; }
  bool renews_on_read() const { return renews_on_read_; }
  const state_internal::EntryLife& life() const { return life_; }

 protected:
  explicit ContentTable(const Expiry& expiry) : expiry_(expiry), renews_on_read_(expiry.ttl && expiry.renew_on_read) {}

  state_internal::ExpiryClock expiry_;
  bool renews_on_read_;
  state_internal::EntryLife life_;
};

namespace state_internal {

[[noreturn]] void fail_without_event_time(const std::string& state, const std::string& what_it_has);
[[noreturn]] void fail_too_many(const std::string& state, std::size_t max_entries);

// Row form of the above: [end of the window, of state by window][hash][key][id of the entry], and [written, of states that expire][value].
template <class Key, class Content>
struct EntryRows {
  static constexpr bool kMany = Content::kManyRows;

  const ExpiryClock* expiry;
  const EntryLife* life;
  std::optional<EventTime> bucket{};

  void append_key(Bytes& out, std::uint64_t hash, const Key& key) const {
    if (bucket) append_time_big_endian(out, *bucket);
    append_row_key(out, hash, key);
  }
  void encode(RowContext& context, std::uint64_t hash, const Key& key, Content& content, bool erased) const {
    append_key(context.begin_key(), hash, key);
    if constexpr (kMany) {
      const std::size_t size = context.key.size();
      content.encode(*life, [&](const auto& id, const auto& cell) {
        context.key.resize(size);
        Content::append_id(context.key, id);
        hand_out(context, cell.value, cell.mark.written, cell.mark.erased);
      });
    } else {
      hand_out(context, content.value, content.written, erased);
    }
  }
  // Of one row for each key.
  [[nodiscard]] bool take_value(ByteView in, Content& content) const {
    return take_written(in, content.written) && decode_whole(in, content.value);
  }
  // Of many. A dead row is left where it is: compaction removes it.
  [[nodiscard]] bool take_row(ByteView id, ByteView in, Content& content) const {
    EventTime written = kMinusInfinity;
    return is_dead(in) || (take_written(in, written) && content.take_row(id, in, written));
  }
  // Of either.
  [[nodiscard]] bool take(ByteView id, ByteView in, Content& content) const {
    if constexpr (kMany) {
      return take_row(id, in, content);
    } else {
      return id.empty() && take_value(in, content);
    }
  }
  bool is_dead(ByteView in) const {
    EventTime written = kMinusInfinity;
    return expiry->expires() && take_time(in, written) && written <= expiry->dead_through();
  }
  void erase(Content& content) const { content.erase_all(*life); }
  // true: markers were made.
  bool let_go(Content& content, EventTime through) const { return content.let_go(through, *life); }
  bool has_due_markers(const Content& content) const { return content.has_due_markers(*life); }

 private:
  template <class V>
  void hand_out(RowContext& context, const V& value, EventTime written, bool erased) const {
    if (erased) return context.rows->erase(context.key);
    context.value.clear();
    if (expiry->expires()) append_time(context.value, written);
    Codec<V>::encode(value, context.value);
    context.rows->put(context.key, context.value);
  }
  [[nodiscard]] bool take_written(ByteView& in, EventTime& written) const { return !expiry->expires() || take_time(in, written); }
};

}  // namespace state_internal

template <class Key, class Content>
class EntriesTable final : public ContentTable<Content>,
                           public state_internal::MapComponent<HotMap<Key, Content, state_internal::EntryRows<Key, Content>>> {
  using Rows = state_internal::EntryRows<Key, Content>;
  using Map = HotMap<Key, Content, Rows>;
  using Base = state_internal::MapComponent<Map>;
  using Base::map_;
  using ContentTable<Content>::expiry_;
  using ContentTable<Content>::life_;
  using Value = typename Content::Value;

 public:
  // Made by StateBackend::entries_table(). Precondition: a ttl is more than zero and at most kLongestDuration.
  EntriesTable(std::string name, const Expiry& expiry, const KeySpace& space, std::uint32_t first_group, std::uint32_t end_group)
      : ContentTable<Content>(expiry),
        Base({.name = std::move(name),
              .kind = Content::kKind,
              .key = Codec<Key>::schema(),
              .entry = Content::entry_schema(),
              .value = Codec<Value>::schema(),
              .parameters = expiry.ttl ? "expiring" : "",
              .stamped = expiry.ttl.has_value(),
              .reads = state_internal::schema_reader<Value>()},
             Residency::kWhatIsTouched, space, first_group, end_group, Rows{&expiry_, &life_}) {
    TIDEMARK_CHECK(!expiry.ttl || (*expiry.ttl > Duration{0} && *expiry.ttl <= kLongestDuration));
    core_internal::require_key<Key>();
    Content::require();
  }

  const Content* find(const StateCall& call) override {
    if (!expiry_.expires()) return map_.find(call.hash, key_of(call));
    advance(call);
    const Content* content = map_.find(call.hash, key_of(call));
    const EventTime through = Content::kManyRows ? expiry_.long_dead_through() : expiry_.dead_through();
    if (content == nullptr || !content->may_be_dead(through)) return content;
    map_.let_go(call.hash, key_of(call), expiry_.dead_through());
    return map_.find(call.hash, key_of(call));
  }
  Content& change(const StateCall& call) override {
    if (expiry_.expires()) advance(call);
    return map_.upsert(call.hash, key_of(call));   // what is dead in it is not seen
  }
  void erase(const StateCall& call) override { map_.erase(call.hash, key_of(call)); }
  // All that the key has.
  void forget(const StateCall& call) { erase(call); }

  void prefetch(std::uint64_t hash) const { map_.prefetch(hash); }
  template <class KeyOf>
  void fetch(const std::uint64_t* hashes, std::size_t n, KeyOf&& key_of) {
    map_.fetch(hashes, n, key_of);
  }

  // The operator's watermark stands here; never below an earlier one or that of an earlier access.
  void set_watermark(EventTime watermark) { expiry_.advance(watermark); }
  // Lets go of what is dead, also where nobody looks, in up to `max` slots. One pass over all keys begins with every eighth of the ttl that
  // the watermark goes on, and one at +infinity, when everything is dead. true: this pass is done.
  bool sweep(std::size_t max) {
    if (!expiry_.expires()) return true;
    const EventTime through = expiry_.dead_through();
    if (through == kMinusInfinity) return true;
    if (through == kPlusInfinity ? swept_ != kPlusInfinity : !sweeping_ && expiry_.long_dead_through() >= swept_) {
      swept_ = through;
      sweep_at_ = {};
      sweeping_ = true;
    }
    if (sweeping_) sweeping_ = !map_.let_go_some(sweep_at_, max, through);
    return !sweeping_;
  }

  void freeze(RowSink& rows) override {
    Base::freeze(rows);
    life_.freeze();
  }
  void settle(bool completed) override {
    Base::settle(completed);
    life_.settle(completed);
  }
  Status restore_row(ByteView key_after_state_id, ByteView value) override {
    std::uint64_t hash = 0;
    Key key{};
    if (!state_internal::take_row_key(key_after_state_id, hash, key)) return this->malformed_row();
    if (!map_.owns(hash)) return this->foreign_row(hash);
    const Rows rows{&expiry_, &life_};
    if (rows.is_dead(value)) return {};
    return rows.take(key_after_state_id, value, map_.restore(hash, key)) ? Status{} : this->malformed_row();
  }

  EventTime dropped_through() const override { return expiry_.expires() ? expiry_.dead_through() : kMinusInfinity; }
  void set_dropped_through(EventTime time) override { expiry_.set_dead_through(time); }

 private:
  static const Key& key_of(const StateCall& call) { return *static_cast<const Key*>(call.key); }

  void advance(const StateCall& call) {
    if (call.time == kMinusInfinity) state_internal::fail_without_event_time(this->schema().name, "has a ttl");
    expiry_.advance(call.watermark);
  }
  EventTime swept_ = kMinusInfinity;   // what the last pass began with
  typename Map::Cursor sweep_at_;
  bool sweeping_ = false;
};

}  // namespace v0
}  // namespace tidemark

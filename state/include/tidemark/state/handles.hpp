#pragma once
// State handles: what a State of process() is made of whose parts are stored one by one (process.hpp).
//
//   struct State {
//     ValueState<Profile> profile{"profile", {.ttl = 24h}};
//     MapState<std::string, Visit> merchants{"merchants", {.ttl = 1h, .renew_on_read = true}};
//     ListState<Payment> recent{"recent", {.max_entries = 10'000}};
//   };
//
// Each is a state of its own, found by its name in checkpoints: a name (names.hpp) that is new in its operator, not "timers" or "records".
// A checkpoint writes the values, items and map entries that changed, each as a row. All that a key has in one handle is in memory
// while the key is, and leaves and comes back together.
//
// A handle stands for the key of the call at hand. What is missing reads as null or empty; so does what has expired (K8, expiry.hpp), where
// the time of the access is that of the record or timer. Pointers, references and iterators are good for the call, until the next change by
// the same handle. A const handle offers what changes nothing; reading by it renews nothing. A key that has nothing left leaves no trace
// (K4). A ttl needs a stream with event time; without one the job fails at the first access.
//
// Cost: the first access of a call, and the first change, look the key up in the handle's table, by one virtual call. All that follow are
// accesses to a variable, a std::vector or a std::map. A checkpoint walks all entries of each key that has changed. A limit of entries
// costs a comparison where one is added and, at the limit, a size().

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include <tidemark/core/check.hpp>
#include <tidemark/state/entries_table.hpp>

namespace tidemark {
inline namespace v0 {

// What may be said of a list or a map.
struct EntriesOptions {
  // As in Expiry.
  std::optional<Duration> ttl{};
  bool renew_on_read = false;
  // The most entries that a key may have, so that no key grows without bound, whatever its records hold. The append() or put() that would
  // add one more changes nothing and fails the job with TM0606, operator and record; a function that would rather drop something asks
  // size() first. What has expired does not count. Nothing: any number. More than zero; may change between releases.
  std::optional<std::size_t> max_entries{};
};

namespace state_internal {

template <class ContentType>
class StateHandle {
 public:
  using Content = ContentType;

  const std::string& name() const { return name_; }
  const Expiry& expiry() const { return expiry_; }

  // For the operator. Both outlive the handle's use.
  void bind(ContentTable<Content>& table, const StateCall& call) {
    table_ = &table;
    call_ = &call;
  }

 protected:
  StateHandle(std::string name, const Expiry& expiry) : name_(std::move(name)), expiry_(expiry) {}

  EventTime now() const { return call().time; }
  const ExpiryClock& clock() const { return table_->expiry(); }
  const EntryLife& life() const { return table_->life(); }
  bool renews_on_read() const { return table_->renews_on_read(); }
  // Of state by window.
  bool comes_too_late() const { return table_->is_gone(call()); }

  // What the key has; null if that is nothing.
  const Content* look() const {
    if (!is_found()) {
      found_ = table_->find(*call_);
      to_change_ = nullptr;
      number_ = call_->number;
    }
    return found_;
  }
  Content& change() {
    if (!is_found() || to_change_ == nullptr) {
      found_ = to_change_ = &table_->change(*call_);
      number_ = call_->number;
    }
    return *to_change_;
  }
  void erase_all() {
    table_->erase(*call_);
    found_ = to_change_ = nullptr;
    number_ = call_->number;
  }

 private:
  const StateCall& call() const {
    TIDEMARK_CHECK(call_ != nullptr, "state handle " + name_ + " is used outside of a call by process()");
    return *call_;
  }
  bool is_found() const { return number_ == call().number; }

  std::string name_;
  Expiry expiry_;
  ContentTable<Content>* table_ = nullptr;
  const StateCall* call_ = nullptr;
  // Of the call with this number.
  mutable std::uint64_t number_ = 0;
  mutable const Content* found_ = nullptr;
  mutable Content* to_change_ = nullptr;
};

}  // namespace state_internal

// One value for each key.
template <class V>
class ValueState : public state_internal::StateHandle<state_internal::EntryValue<V>> {
  using Base = state_internal::StateHandle<state_internal::EntryValue<V>>;

 public:
  ValueState() : Base({}, {}) {}   // without a name, which is refused when the job is built; only for reflection on the struct
  explicit ValueState(std::string name, Expiry expiry = {}) : Base(std::move(name), expiry) {}

  const V* find() const {
    const auto* entry = this->look();
    return entry != nullptr && this->clock().sees(entry->written, this->now()) ? &entry->value : nullptr;
  }
  const V* find() {
    const V* found = std::as_const(*this).find();
    if (found == nullptr || !this->renews_on_read() || this->look()->written >= this->now()) return found;
    auto& entry = this->change();
    entry.written = this->now();
    return &entry.value;
  }
  void set(V value) {
    auto& entry = this->change();
    entry.value = std::move(value);
    entry.written = std::max(entry.written, this->now());
  }
  void erase() { this->erase_all(); }
};

namespace state_internal {

// The common part of lists and maps.
template <class Content>
class EntriesHandle : public StateHandle<Content> {
 public:
  const std::optional<std::size_t>& max_entries() const { return max_entries_; }
  // Counts entry by entry if some may have expired.
  std::size_t size() const {
    const Content* content = this->look();
    return content == nullptr ? 0 : content->seen(this->clock(), this->now());
  }
  bool empty() const {
    const Content* content = this->look();
    return content == nullptr || content->begin(this->clock(), this->now()) == content->end(this->clock(), this->now());
  }
  void clear() { this->erase_all(); }

 protected:
  EntriesHandle(std::string name, const EntriesOptions& options)
      : StateHandle<Content>(std::move(name), {.ttl = options.ttl, .renew_on_read = options.renew_on_read}) {
    limit_entries(options.max_entries);
  }
  void limit_entries(std::optional<std::size_t> max_entries) { max_entries_ = max_entries; }

  using Entries = typename Content::Iterator;

  bool is_full(const Content& content) const {
    if (!max_entries_ || content.live() < *max_entries_) [[likely]] return false;
    return content.seen(this->clock(), this->now()) >= *max_entries_;
  }
  [[noreturn]] void fail_full() const { fail_too_many(this->name(), *max_entries_); }

  // Of no key, if the key has nothing.
  Entries first() const {
    const Content* content = this->look();
    return content == nullptr ? nothing().end(this->clock(), this->now()) : content->begin(this->clock(), this->now());
  }
  Entries last() const {
    const Content* content = this->look();
    return (content == nullptr ? nothing() : *content).end(this->clock(), this->now());
  }
  void renew_all() {
    if (!this->renews_on_read()) return;
    const Content* content = this->look();
    if (content != nullptr && content->renewable(this->clock(), this->now())) {
      this->change().renew_all(this->clock(), this->now(), this->life());
    }
  }

 private:
  static const Content& nothing() {
    static const Content content{};
    return content;
  }

  std::optional<std::size_t> max_entries_;
};

}  // namespace state_internal

// A list for each key. Iterating, which begins by reading all, goes from the oldest item to the youngest.
template <class V>
class ListState : public state_internal::EntriesHandle<state_internal::EntryList<V>> {
  using Base = state_internal::EntriesHandle<state_internal::EntryList<V>>;

 public:
  class Iterator {
   public:
    using value_type = V;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;

    explicit Iterator(typename Base::Entries at) : at_(at) {}
    const V& operator*() const { return at_.value(); }
    const V* operator->() const { return &at_.value(); }
    Iterator& operator++() {
      at_.advance();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      at_.advance();
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    typename Base::Entries at_;
  };

  ListState() : Base({}, {}) {}   // without a name, which is refused when the job is built; only for reflection on the struct
  explicit ListState(std::string name, EntriesOptions options = {}) : Base(std::move(name), options) {}

  void append(V value) {
    auto& items = this->change();
    if (this->is_full(items)) this->fail_full();
    items.append(std::move(value), this->now(), this->life());
  }

  Iterator begin() const { return Iterator{this->first()}; }
  Iterator end() const { return Iterator{this->last()}; }
  Iterator begin() {
    this->renew_all();
    return std::as_const(*this).begin();
  }
};

// An entry of a MapState.
template <class K, class V>
struct MapEntry {
  const K& key;
  const V& value;
};

// A map for each key, in ascending order of the entries' keys K (P10).
template <class K, class V>
class MapState : public state_internal::EntriesHandle<state_internal::EntryMap<K, V>> {
  static_assert(requires(const K& a, const K& b) { { a < b } -> std::convertible_to<bool>; },
                "Tidemark: the entries of a MapState are kept in order of their keys, so these need operator<");
  using Base = state_internal::EntriesHandle<state_internal::EntryMap<K, V>>;

 public:
  // Gives MapEntry<K, V>: for (const auto& [key, value] : state.merchants).
  class Iterator {
   public:
    using value_type = MapEntry<K, V>;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    explicit Iterator(typename Base::Entries at) : at_(at) {}
    MapEntry<K, V> operator*() const { return {at_.id(), at_.value()}; }
    Iterator& operator++() {
      at_.advance();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      at_.advance();
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    typename Base::Entries at_;
  };

  MapState() : Base({}, {}) {}   // without a name, which is refused when the job is built; only for reflection on the struct
  explicit MapState(std::string name, EntriesOptions options = {}) : Base(std::move(name), options) {}

  const V* find(const K& key) const {
    const auto* cell = seen(key);
    return cell == nullptr ? nullptr : &cell->value;
  }
  const V* find(const K& key) {
    const auto* cell = seen(key);
    if (cell != nullptr && this->renews_on_read() && cell->mark.written < this->now()) {
      this->change().renew(key, this->now(), this->life());
      cell = seen(key);
    }
    return cell == nullptr ? nullptr : &cell->value;
  }
  // Adds the entry or takes the place of the one that is there.
  void put(const K& key, V value) {
    auto& entries = this->change();
    if (this->is_full(entries) && seen(key) == nullptr) this->fail_full();
    entries.put(key, std::move(value), this->now(), this->life());
  }
  // true: there was one.
  bool erase(const K& key) {
    const bool was_seen = seen(key) != nullptr;
    const auto* content = this->look();
    if (content == nullptr || content->find(key) == nullptr) return false;
    if (content->live() == 1) {
      this->erase_all();
    } else {
      this->change().erase(key, this->life());
    }
    return was_seen;
  }

  // As for a list.
  Iterator begin() const { return Iterator{this->first()}; }
  Iterator end() const { return Iterator{this->last()}; }
  Iterator begin() {
    this->renew_all();
    return std::as_const(*this).begin();
  }

 private:
  const state_internal::EntryCell<V>* seen(const K& key) const {
    const auto* content = this->look();
    const auto* cell = content == nullptr ? nullptr : content->find(key);
    return cell != nullptr && this->clock().sees(cell->mark.written, this->now()) ? cell : nullptr;
  }
};

}  // namespace v0
}  // namespace tidemark

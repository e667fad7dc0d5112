#pragma once
// Session windows (S1-S4). The state is a row for each key: its sessions, nearly always one. A DueTable finds the keys whose sessions end,
// wherever they are. A key is filed there once, under the least end of its sessions as of the filing; a session that has grown since is
// filed again when that time comes, so that a record that extends a session costs no more than its look-up.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/operators/detail/window_operator.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

template <class Accumulator>
struct Session {
  EventTime start{};
  EventTime end = kMinusInfinity;   // unclipped; kMinusInfinity: no session
  Accumulator accumulator{};
};

// The sessions of a key by (start, end). They may overlap: a record behind does not see a session that is gone for it (S4) and opens
// another.
template <class Accumulator>
struct SessionList {
  Session<Accumulator> first;
  // As DueTable asks. Derived, not saved, and therefore no change of the state.
  mutable EventTime filed = kMinusInfinity;
  std::unique_ptr<std::vector<Session<Accumulator>>> more;   // the second and later ones; never empty

  bool empty() const { return first.end == kMinusInfinity; }
  // When the first of them fires.
  EventTime due() const {
    EventTime least = kPlusInfinity;
    each([&least](const Session<Accumulator>& session) {
      least = std::min(least, Window{session.start, saturated_end(session.end)}.max_time());
    });
    return least;
  }
  template <class F>
  void each(F f) const {
    if (!empty()) f(first);
    if (more != nullptr) std::for_each(more->begin(), more->end(), f);
  }
};

}  // namespace operators_internal

template <class Accumulator>
  requires Storable<Accumulator>
struct Codec<operators_internal::SessionList<Accumulator>> {
  using List = operators_internal::SessionList<Accumulator>;
  using Session = operators_internal::Session<Accumulator>;
  static void encode(const List& list, Bytes& out) {
    append_varint(out, (list.empty() ? 0 : 1) + (list.more == nullptr ? 0 : list.more->size()));
    list.each([&out](const Session& session) { Codec<Session>::encode(session, out); });
  }
  [[nodiscard]] static bool decode(ByteView& in, List& list) {
    std::uint64_t count = 0;
    list = {};
    if (!take_varint(in, count) || count == 0 || !Codec<Session>::decode(in, list.first)) return false;
    for (std::uint64_t i = 1; i < count; ++i) {
      Session session;
      if (!Codec<Session>::decode(in, session)) return false;
      if (list.more == nullptr) list.more = std::make_unique<std::vector<Session>>();
      list.more->push_back(std::move(session));
    }
    return true;
  }
  static std::string schema() { return "list<" + Codec<Session>::schema() + ">"; }
  static std::size_t footprint(const List& list) {
    std::size_t bytes = list.more == nullptr ? 0 : sizeof(*list.more) + list.more->capacity() * sizeof(Session);
    list.each([&bytes](const Session& session) { bytes += tidemark::footprint(session); });
    return bytes;
  }
};

namespace state_internal {

template <class Accumulator>
struct PartsOf<operators_internal::SessionList<Accumulator>> {
  static ValueParts get() {
    const std::string schema = Codec<operators_internal::SessionList<Accumulator>>::schema();
    return operators_internal::repeated_accumulators<Accumulator>(schema, 2 * sizeof(EventTime), "}>");
  }
};

}  // namespace state_internal

namespace operators_internal {

template <class Key, class T, class KeyOf, class Aggregate>
class SessionOperator final : public WindowOperator<Key, T, KeyOf, Aggregate> {
  using Base = WindowOperator<Key, T, KeyOf, Aggregate>;
  using typename Base::Accumulator;
  using typename Base::Fired;
  using OneSession = Session<Accumulator>;
  using List = SessionList<Accumulator>;

 public:
  using Base::Base;

  Status started() override {
    sessions_->start(this->watermark());
    return {};
  }

 private:
  void open_state(StateBackend& state) override {
    sessions_ = &state.due_table<Key, List>("sessions", this->spec().parameters());
  }

  // --- records

  void take(Batch<T>& in, std::size_t& at) override {
    const std::uint64_t* hashes = in.hashes.data();
    this->split_at_behind(
        in, at,
        [&](std::size_t begin, std::size_t limit) {
          sessions_->fetch(hashes + begin, limit - begin,
                           [&](std::size_t i) -> decltype(auto) { return this->key_of(in.values[begin + i]); });
          for (std::size_t k = begin; k < std::min(limit, begin + kPrefetchAhead); ++k) sessions_->prefetch(hashes[k]);
          for (std::size_t i = begin; i < limit; ++i) {
            if (i + kPrefetchAhead < limit) sessions_->prefetch(hashes[i + kPrefetchAhead]);
            at = i;
            const EventTime start = clipped(in.times[i]);
            const EventTime end = start + this->spec().size;
            if (is_reached(end, this->watermark())) [[unlikely]] {
              take_one(in, i, kMinusInfinity);   // only after idleness (L2)
            } else {
              add(in, i, start, end);
            }
          }
          return limit;
        },
        [&](std::size_t index, EventTime as_of) { take_one(in, index, as_of); });
  }

  // A record that is in time for a session of its own.
  void add(const Batch<T>& in, std::size_t index, EventTime start, EventTime end) {
    const T& record = in.values[index];
    const Key& key = this->key_of(record);
    List& list = sessions_->upsert(in.hashes[index], key);
    if (list.empty()) {
      list.first.start = start;
      list.first.end = end;
      this->aggregate().add(list.first.accumulator, record);
      sessions_->file(list, in.hashes[index], key);
    } else if (list.more == nullptr && overlap(list.first, start, end)) {
      list.first.start = std::min(list.first.start, start);
      list.first.end = std::max(list.first.end, end);
      this->aggregate().add(list.first.accumulator, record);
    } else {
      join(list, in.hashes[index], key, record, start, end, this->watermark());
    }
  }

  // A record that may be late, unless a session that is not late takes it up (S3).
  void take_one(Batch<T>& in, std::size_t index, EventTime as_of) {
    const T& record = in.values[index];
    const EventTime decision = this->decision_watermark(as_of);
    const EventTime start = clipped(in.times[index]);
    const EventTime end = start + this->spec().size;
    const std::uint64_t hash = in.hashes[index];
    {
      const Key& key = this->key_of(record);
      bool accepted = !is_reached(end, decision);
      if (!accepted) {
        const List* found = sessions_->find(hash, key);
        if (found != nullptr) found->each([&](const OneSession& session) { accepted |= joins(session, start, end, decision); });
      }
      if (accepted) return join(sessions_->upsert(hash, key), hash, key, record, start, end, decision);
    }
    this->set_aside(in, index, decision);
  }

  static bool overlap(const OneSession& session, EventTime start, EventTime end) { return start < session.end && session.start < end; }
  // A session that is late at the decision watermark is gone for the record (S4).
  static bool joins(const OneSession& session, EventTime start, EventTime end, EventTime decision) {
    return overlap(session, start, end) && !is_reached(session.end, decision);
  }

  // Merges the record with the sessions that it joins. Sessions that the record does not touch stay as they are, even if the merged one
  // overlaps them now.
  void join(List& list, std::uint64_t hash, const Key& key, const T& record, EventTime start, EventTime end, EventTime decision) {
    OneSession merged{.start = start, .end = end};
    bool first = true;
    all_.clear();
    auto look_at = [&](OneSession& session) {
      if (!joins(session, start, end, decision)) return all_.push_back(std::move(session));
      merged.start = std::min(merged.start, session.start);
      merged.end = std::max(merged.end, session.end);
      if (first) {
        merged.accumulator = std::move(session.accumulator);
      } else {
        this->aggregate().merge(merged.accumulator, session.accumulator);
      }
      first = false;
    };
    if (!list.empty()) look_at(list.first);
    if (list.more != nullptr) std::for_each(list.more->begin(), list.more->end(), look_at);
    this->aggregate().add(merged.accumulator, record);
    all_.push_back(std::move(merged));
    put_back(list);
    sessions_->file(list, hash, key);
  }

  // Makes all_ the sessions of the list. Precondition: there is one.
  void put_back(List& list) {
    std::sort(all_.begin(), all_.end(), [](const OneSession& a, const OneSession& b) { return a.start != b.start ?
        a.start < b.start : a.end < b.end; });
    list.first = std::move(all_.front());
    if (all_.size() == 1) return list.more.reset();
    if (list.more == nullptr) list.more = std::make_unique<std::vector<OneSession>>();
    list.more->assign(std::make_move_iterator(all_.begin() + 1), std::make_move_iterator(all_.end()));
  }

  // --- firing

  void begin_firing(EventTime watermark) override { sessions_->advance(watermark); }

  Fired fire_some() override {
    for (std::size_t work = kEntriesPerStep; const auto* due = sessions_->front(); --work) {
      if (work == 0) return Fired::kPaused;
      const List* list = sessions_->look_at_front();
      if (list != nullptr && !fire_key(*list, due->hash, due->key)) return Fired::kSome;
      sessions_->pop();
    }
    sessions_->drop_due();
    return this->end_firing() ? Fired::kSome : Fired::kAll;
  }

  // false: there is no room for a result.
  bool fire_key(const List& list, std::uint64_t hash, const Key& key) {
    if (list.more != nullptr) {
      if (!fire_several(*sessions_->find_to_change(hash, key), hash, key)) return false;
      if (const List* rest = sessions_->find(hash, key)) sessions_->file_anew(*rest, hash, key);
      return true;
    }
    if (!is_due(list.first)) {
      sessions_->file_anew(list, hash, key);
      return true;
    }
    if (!this->has_room()) return false;
    put(key, list.first);
    sessions_->erase(hash, key);
    return true;
  }
  // Fires what is due of several sessions, by (end, start).
  bool fire_several(List& list, std::uint64_t hash, const Key& key) {
    all_.clear();
    all_.push_back(std::move(list.first));
    std::move(list.more->begin(), list.more->end(), std::back_inserter(all_));
    std::sort(all_.begin(), all_.end(), [](const OneSession& a, const OneSession& b) { return a.end != b.end ?
        a.end < b.end : a.start < b.start; });
    auto kept = all_.begin();
    for (; kept != all_.end() && is_due(*kept) && this->has_room(); ++kept) put(key, *kept);
    const bool all_fired = kept == all_.end() || !is_due(*kept);
    all_.erase(all_.begin(), kept);
    if (all_.empty()) {
      sessions_->erase(hash, key);
    } else {
      put_back(list);
    }
    return all_fired;
  }

  bool is_due(const OneSession& session) const { return is_reached(session.end, this->watermark()); }
  void put(const Key& key, const OneSession& session) { this->put_result(key, session.start, session.end, session.accumulator); }

  DueTable<Key, List>* sessions_ = nullptr;
  std::vector<OneSession> all_;   // scratch: the sessions of one key
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

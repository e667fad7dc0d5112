#pragma once
// Drives one operator with state alone, in every way that must make no difference (D5).
//
//   OperatorHarness<Payment> harness(node.make, &Payment::card);
//   harness.collect<Alert>(kMainOutlet).collect<Late<Payment>>(kLateOutlet);
//   const Script<Payment> script = Script<Payment>{}.batch({{payment, event_time(5)}}).watermark(event_time(9)).end();
//   EXPECT_EQ(harness.disagreement(script), "");
//   EXPECT_EQ(harness.play(script).records<Alert>(kMainOutlet), ...);
//
// While it plays it checks what every operator owes its receivers, and throws BrokenInvariant if the operator fails to: watermarks ascend,
// no result is at or
// before a watermark that was forwarded unless it is listed as behind, an emitted batch stays untouched until the operator is resumed. What
// the
// operator throws comes through. Keys and results need a Codec. One thread at a time.

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <tidemark/core/check.hpp>
#include <tidemark/core/clock.hpp>
#include <tidemark/core/codec.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/operators/operator.hpp>
#include <tidemark/state/backend.hpp>
#include <tidemark/state/memory_budget.hpp>

namespace tidemark {
inline namespace v0 {

template <class T>
struct ScriptRecord {
  T record{};
  EventTime time = kMinusInfinity;
  EventTime as_of = kMinusInfinity;   // not kMinusInfinity: the record is behind (W5)
  Origin origin{};
};

// What an operator is given, element by element. Watermarks must ascend.
template <class T>
class Script {
 public:
  using Records = std::vector<ScriptRecord<T>>;
  struct Idle {
    bool idle = false;
  };
  struct End {};
  using Element = std::variant<Records, EventTime, Idle, End>;

  Script& batch(Records records) { return add(std::move(records)); }
  // A batch of one.
  Script& record(T value, EventTime time, EventTime as_of = kMinusInfinity) { return add(Records{{std::move(value), time, as_of, {}}}); }
  Script& watermark(EventTime time) { return add(time); }
  Script& status(bool idle) { return add(Idle{idle}); }
  // The watermark +infinity, and the end.
  Script& end() { return add(kPlusInfinity).add(End{}); }
  // For a stream without event time.
  Script& untimed() {
    timed_ = false;
    return *this;
  }

  const std::vector<Element>& elements() const { return elements_; }
  bool is_timed() const { return timed_; }

 private:
  Script& add(Element element) {
    elements_.push_back(std::move(element));
    return *this;
  }
  std::vector<Element> elements_;
  bool timed_ = true;
};

// A record that came out.
template <class S>
struct Emitted {
  S record{};
  EventTime time = kMinusInfinity;
  EventTime as_of = kMinusInfinity;
  friend bool operator==(const Emitted&, const Emitted&) = default;
};

// Everything that came out of one play.
struct Play {
  enum class Kind : std::uint8_t { kRecord, kWatermark, kStatus, kEnd };
  struct Event {
    std::size_t element = 0;   // of the script, while which it came
    std::size_t outlet = 0;
    Kind kind{};
    EventTime time = kMinusInfinity;   // of the record, or the watermark
    EventTime as_of = kMinusInfinity;
    Bytes bytes{};                     // the encoded record, or the status
    friend auto operator<=>(const Event&, const Event&) = default;
  };

  std::vector<Event> events;
  OperatorCounters counters;
  // Not counted where state leaves memory.
  std::size_t entries_left = 0;   // of keyed state (K4)
  std::size_t rows_left = 0;      // in the store of the harness, dead ones not counted

  template <class S>
  std::vector<Emitted<S>> records(std::size_t outlet = kMainOutlet) const {
    std::vector<Emitted<S>> found;
    for (const Event& event : events) {
      if (event.outlet != outlet || event.kind != Kind::kRecord) continue;
      Emitted<S> emitted{.time = event.time, .as_of = event.as_of};
      TIDEMARK_CHECK(decode_whole(event.bytes, emitted.record), "outlet " + std::to_string(outlet) + " emits another type");
      found.push_back(std::move(emitted));
    }
    return found;
  }
  std::vector<EventTime> watermarks(std::size_t outlet = kMainOutlet) const {
    std::vector<EventTime> found;
    for (const Event& event : events) {
      if (event.outlet == outlet && event.kind == Kind::kWatermark) found.push_back(event.time);
    }
    return found;
  }
};

// What happens after every element of the script.
enum class Interruption : std::uint8_t {
  kNothing,
  kCheckpoint,      // in turn: one that completes at once, one that completes after the next element, one that fails
  kRestore,         // a checkpoint, then a fresh operator that goes on from it
  kLateRestore,     // the same, but the rows are encoded after the old operator has taken the next element too
  kLeaveMemory,     // a checkpoint, after which state leaves memory as far as it can; every third time a fresh operator goes on
  kLittleMemory,    // the same, and the state is given PlayOptions::memory
};

struct PlayOptions {
  Interruption interruption = Interruption::kNothing;
  std::uint32_t max_batch = 1000;
  int step_budget = 1'000'000;   // batches that the operator may emit before it is told to stop
  bool deterministic = true;     // D4
  std::size_t memory = 1;        // bytes, with kLittleMemory; 1: none at any time for what need not be in it
};

namespace testing_internal {

using Event = Play::Event;

constexpr bool leaves_memory(Interruption interruption) {
  return interruption == Interruption::kLeaveMemory || interruption == Interruption::kLittleMemory;
}

// Receives what one outlet emits.
class Recorder : public Receiver {
 public:
  Recorder(std::size_t outlet, const StepBudget& budget) : outlet_(outlet), budget_(budget) {}

  void record_to(std::vector<Event>* events, const std::size_t* element) {
    events_ = events;
    element_ = element;
  }
  // To be called when the operator has returned.
  void check_untouched() {
    if (held_ != nullptr) TIDEMARK_CHECK(describe(*held_) == held_events_, "the operator touched a batch after emit had answered kMore");
    held_ = nullptr;
  }
  void start_after(EventTime watermark) { watermark_ = watermark; }
  EventTime watermark() const { return watermark_; }

  Progress on_batch(BatchBase& batch) override {
    TIDEMARK_CHECK(held_ == nullptr, "the operator emitted after emit had answered kMore");
    std::vector<Event> events = describe(batch);
    for (const Event& event : events) {
      const std::string text = to_string(event.time) + " as of " + to_string(event.as_of) + " after watermark " + to_string(watermark_);
      TIDEMARK_CHECK(!batch.has_times() || event.time > watermark_ || event.as_of != kMinusInfinity,
          "a record is behind and does not say so: " + text);
      TIDEMARK_CHECK(event.as_of == kMinusInfinity || event.time <= event.as_of, "a record is listed as behind and is not: " + text);
      put(event);
    }
    if (budget_.batches <= 1) {   // the outlet will answer kMore
      held_ = &batch;
      held_events_ = std::move(events);
    } else {
      batch.clear();
    }
    return Progress::kDone;
  }
  Progress on_watermark(EventTime watermark) override {
    TIDEMARK_CHECK(watermark > watermark_, "watermark " + to_string(watermark) + " after " + to_string(watermark_));
    watermark_ = watermark;
    put({.kind = Play::Kind::kWatermark, .time = watermark});
    return Progress::kDone;
  }
  Progress on_status(bool idle) override {
    put({.kind = Play::Kind::kStatus, .bytes = idle ? "idle" : "active"});
    return Progress::kDone;
  }
  Progress on_end() override {
    put({.kind = Play::Kind::kEnd});
    return Progress::kDone;
  }

 protected:
  virtual Bytes encoded_record(const BatchBase& batch, std::size_t index) const = 0;

 private:
  std::vector<Event> describe(const BatchBase& batch) const {
    std::vector<Event> events(batch.size());
    BehindCursor behind(batch.behind);
    for (std::size_t i = 0; i < events.size(); ++i) {
      events[i].time = batch.has_times() ? batch.times.at(i) : kMinusInfinity;
      events[i].as_of = behind.as_of(i);
      events[i].bytes = encoded_record(batch, i);
    }
    return events;
  }
  void put(Event event) {
    if (events_ == nullptr) return;
    event.element = *element_;
    event.outlet = outlet_;
    events_->push_back(std::move(event));
  }

  std::size_t outlet_;
  const StepBudget& budget_;
  std::vector<Event>* events_ = nullptr;
  const std::size_t* element_ = nullptr;
  EventTime watermark_ = kMinusInfinity;
  const BatchBase* held_ = nullptr;
  std::vector<Event> held_events_;
};

template <class S>
class TypedRecorder final : public Recorder {
 public:
  using Recorder::Recorder;

 private:
  Bytes encoded_record(const BatchBase& batch, std::size_t index) const override {
    return encoded(static_cast<const Batch<S>&>(batch).values.at(index));
  }
};

// The rows of the checkpoints, and of the one under way.
class Rows final : public RowSink, public ColdRows {
 public:
  // The number of the checkpoint that begins.
  std::uint64_t begin() { return ++checkpoint_; }
  std::uint64_t checkpoint() const { return checkpoint_; }
  void put(ByteView key, ByteView value) override { pending_[Bytes{key}] = Bytes{value}; }
  void erase(ByteView key) override { pending_[Bytes{key}] = std::nullopt; }
  void settle(bool completed) {
    for (auto& [key, value] : pending_) {
      if (!completed) break;
      if (value) {
        stored_[key] = *value;
      } else {
        stored_.erase(key);
      }
    }
    pending_.clear();
  }
  const std::map<Bytes, Bytes>& stored() const { return stored_; }

  Status get(std::span<const ByteView> keys, const std::function<void(std::size_t index, ByteView value)>& found) override {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (const auto row = stored_.find(Bytes{keys[i]}); row != stored_.end()) found(i, row->second);
    }
    return {};
  }
  Status read_prefixes(std::span<const ByteView> prefixes,
                       const std::function<bool(std::size_t index, ByteView key, ByteView value)>& visit) override {
    for (std::size_t i = 0; i < prefixes.size(); ++i) {
      for (auto row = stored_.lower_bound(Bytes{prefixes[i]}); row != stored_.end() && row->first.starts_with(prefixes[i]); ++row) {
        if (!visit(i, row->first, row->second)) return {};
      }
    }
    return {};
  }
  Status read_range(ByteView first, ByteView end, const std::function<bool(ByteView key, ByteView value)>& visit) override {
    for (auto row = stored_.lower_bound(Bytes{first}); row != stored_.end() && row->first < end && visit(row->first, row->second);) ++row;
    return {};
  }

 private:
  std::uint64_t checkpoint_ = 0;
  std::map<Bytes, Bytes> stored_;
  std::map<Bytes, std::optional<Bytes>> pending_;
};

inline void add_counters(OperatorCounters& to, const OperatorCounters& from) {
  to.records_in += from.records_in;
  to.records_out += from.records_out;
  to.filtered += from.filtered;
  to.in_no_window += from.in_no_window;
  to.late += from.late;
  to.late_for_some_windows += from.late_for_some_windows;
  to.timers_after_end += from.timers_after_end;
  for (std::size_t i = 0; i < kQuarantineReasons; ++i) {
    to.quarantined[i] += from.quarantined[i];
    to.dropped[i] += from.dropped[i];
  }
}

}  // namespace testing_internal

template <class T>
class OperatorHarness {
 public:
  using Make = std::function<std::unique_ptr<Operator>()>;

  // For a stream without key.
  explicit OperatorHarness(Make make) : make_(std::move(make)) {}
  // `key_of`: as given to key_by().
  template <class KeyOf>
  OperatorHarness(Make make, KeyOf key_of) : make_(std::move(make)) {
    hash_of_ = [key_of, seed = space_.seed](const T& record) {
      Bytes scratch;
      return hash_key(std::invoke(key_of, record), seed, scratch);
    };
  }

  // Connects an outlet that emits S. Others stay unconnected.
  template <class S>
  OperatorHarness& collect(std::size_t outlet) {
    outlets_[outlet] = [outlet](const StepBudget& budget) { return std::make_unique<testing_internal::TypedRecorder<S>>(outlet, budget); };
    return *this;
  }
  OperatorHarness& policy(QuarantinePolicy policy) {
    policy_ = policy;
    return *this;
  }

  Play play(const Script<T>& script, PlayOptions options = {}) const {
    Play play;
    Stage stage{*this, options};
    testing_internal::Rows rows;
    std::unique_ptr<Instance> instance = stage.start(nullptr, rows, {});
    std::size_t at = 0;
    bool open = false;   // a checkpoint is not settled
    for (; at < script.elements().size(); ++at) {
      instance->record_to(&play.events, &at);
      instance->feed(script, at);
      if (options.interruption == Interruption::kNothing) continue;
      if (open) {
        instance->settle(rows, true);
        open = false;
        continue;
      }
      Saved saved = instance->freeze(rows);
      if (options.interruption == Interruption::kCheckpoint) {
        open = at % 3 == 1;
        if (!open) instance->settle(rows, at % 3 == 0);
        continue;
      }
      if (testing_internal::leaves_memory(options.interruption) && at % 3 != 2) {
        if (at % 4 == 0 || at + 1 == script.elements().size()) {
          instance->settle(rows, true);
          instance->state().shrink(true);
          continue;
        }
        // The checkpoint ends, well or not, and memory is given up, while the operator works on the next element.
        bool settled = false;
        std::size_t steps = 0;
        const auto between_steps = [&, when = at % 4 - 1, completes = at % 7 != 1] {
          if (!settled && steps++ == when) {
            instance->settle(rows, completes);
            settled = true;
          }
          if (settled) instance->state().shrink(true);
        };
        ++at;
        instance->record_to(&play.events, &at);
        instance->feed(script, at, between_steps);
        if (!settled) instance->settle(rows, true);
        continue;
      }
      testing_internal::add_counters(play.counters, instance->counters());
      if (options.interruption == Interruption::kLateRestore && at + 1 < script.elements().size()) {
        instance->record_to(nullptr, nullptr);
        (void)instance->state().encode_some(1);
        instance->feed(script, at + 1);
      }
      instance->settle(rows, true);
      instance = stage.start(std::move(instance), rows, saved);
    }
    testing_internal::add_counters(play.counters, instance->counters());
    if (testing_internal::leaves_memory(options.interruption)) return play;
    for (const auto& component : instance->state().components()) play.entries_left += component->entries();
    if (open) instance->settle(rows, true);
    (void)instance->freeze(rows);
    instance->settle(rows, true);
    const std::unique_ptr<Instance> last = stage.start(nullptr, rows, instance->saved());
    for (const auto& component : last->state().components()) play.rows_left += component->entries();
    return play;
  }

  // Plays the script in every way; empty if all agree, else the first two that do not, and where.
  std::string disagreement(const Script<T>& script) const {
    const Play plain = play(script);
    const std::vector<Play::Event> unordered = in_some_order(play(script, {.deterministic = false}).events);
    if (in_some_order(plain.events) != unordered) return "deterministic mode changes more than the order";
    for (const Interruption interruption :
         {Interruption::kNothing, Interruption::kCheckpoint, Interruption::kRestore, Interruption::kLateRestore,
          Interruption::kLeaveMemory, Interruption::kLittleMemory}) {
      for (const std::uint32_t max_batch : {1000u, 3u, 1u}) {
        for (const int budget : {1'000'000, 1}) {
          PlayOptions options{interruption, max_batch, budget, true};
          const Play other = play(script, options);
          const bool all_is_left = !testing_internal::leaves_memory(interruption);
          if (std::string where = difference(plain, other, all_is_left); !where.empty()) return name_of(options) + ": " + where;
          options.deterministic = false;
          if (in_some_order(play(script, options).events) != unordered) return name_of(options) + ", not deterministic: other events";
        }
      }
    }
    return {};
  }

 private:
  struct Saved {
    Bytes bytes;
    std::vector<EventTime> dropped_through;
    std::vector<std::vector<EventTime>> live_buckets;
  };

  // One operator with its state.
  class Instance {
   public:
    Instance(const OperatorHarness& harness, const PlayOptions& options)
        : harness_(harness), options_(options), state_(harness.space_, 0, harness.space_.groups), operator_(harness.make_()) {
      context_.job = "job";
      context_.name = "operator";
      context_.key_space = harness.space_;
      context_.state = &state_;
      context_.io = &io_;
      context_.policy = harness.policy_;
      context_.split_names = &splits_;
      context_.max_batch = options.max_batch;
      context_.deterministic = options.deterministic;
      for (const auto& [outlet, make] : harness.outlets_) {
        recorders_[outlet] = make(budget_);
        operator_->outlet(outlet).connect(recorders_[outlet].get(), &budget_);
      }
    }

    void start(const Instance* before, testing_internal::Rows& rows, const Saved& saved) {
      check(operator_->open(context_));
      const bool leaves_memory = testing_internal::leaves_memory(options_.interruption);
      if (leaves_memory) state_.attach(&rows, options_.interruption == Interruption::kLittleMemory ? &memory_ : nullptr);
      if (saved.bytes.empty() && rows.stored().empty() && before == nullptr) return check(operator_->started());
      check(operator_->load(saved.bytes));
      for (std::size_t i = 0; i < saved.dropped_through.size(); ++i) state_.components()[i]->set_dropped_through(saved.dropped_through[i]);
      std::vector<bool> lazy(state_.components().size());
      if (leaves_memory) {
        state_.note_checkpoint(rows.checkpoint());
        for (std::size_t i = 0; i < lazy.size(); ++i) lazy[i] = state_.components()[i]->restores_lazily(saved.live_buckets[i]);
      }
      for (const auto& [key, value] : rows.stored()) {
        ByteView rest = key;
        StateId id = 0;
        TIDEMARK_CHECK(take_u16_big_endian(rest, id));
        if (lazy.at(id)) continue;
        check(state_.restore_row(id, rest, value));
      }
      check(operator_->started());
      if (before == nullptr) return;
      for (auto& [outlet, recorder] : recorders_) recorder->start_after(before->watermarks_.at(outlet));
    }

    void record_to(std::vector<Play::Event>* events, const std::size_t* element) {
      for (auto& [outlet, recorder] : recorders_) recorder->record_to(events, element);
    }

    void feed(const Script<T>& script, std::size_t at, const std::function<void()>& between_steps = {}) {
      budget_.batches = options_.step_budget;
      Batch<T> batch;
      const Progress progress = std::visit([&](const auto& element) { return give(element, batch, script.is_timed()); },
          script.elements()[at]);
      TIDEMARK_CHECK(progress == Progress::kMore || !operator_->pending(), "the operator is pending and has answered kDone");
      while (true) {
        for (auto& [outlet, recorder] : recorders_) recorder->check_untouched();
        if (!operator_->pending()) break;
        if (between_steps) between_steps();
        budget_.batches = options_.step_budget;
        (void)operator_->resume();
      }
    }

    Saved freeze(testing_internal::Rows& rows) {
      for (auto& [outlet, recorder] : recorders_) watermarks_[outlet] = recorder->watermark();
      state_.note_checkpoint(rows.begin());
      state_.freeze(rows);
      return saved();
    }
    Saved saved() const {
      Saved saved;
      operator_->save(saved.bytes);
      for (const auto& component : state_.components()) {
        saved.dropped_through.push_back(component->dropped_through());
        saved.live_buckets.push_back(component->live_buckets());
      }
      return saved;
    }
    void settle(testing_internal::Rows& rows, bool completed) {
      while (!state_.encode_some(2)) {
        if (!completed) break;
      }
      state_.settle(completed);
      rows.settle(completed);
    }

    StateBackend& state() { return state_; }
    const OperatorCounters& counters() const { return operator_->counters(); }

   private:
    static void check(const Status& status) { TIDEMARK_CHECK(status.ok(), status.error().describe()); }

    Progress give(const typename Script<T>::Records& records, Batch<T>& batch, bool timed) {
      for (const ScriptRecord<T>& given : records) {
        if (given.as_of != kMinusInfinity) batch.behind.push_back({static_cast<std::uint32_t>(batch.values.size()), given.as_of});
        if (timed) batch.times.push_back(given.time);
        if (harness_.hash_of_) batch.hashes.push_back(harness_.hash_of_(given.record));
        batch.origins.push_back(given.origin);
        batch.values.push_back(given.record);
      }
      return operator_->on_batch(batch);
    }
    Progress give(EventTime watermark, Batch<T>&, bool) { return operator_->on_watermark(watermark); }
    Progress give(typename Script<T>::Idle status, Batch<T>&, bool) { return operator_->on_status(status.idle); }
    Progress give(typename Script<T>::End, Batch<T>&, bool) { return operator_->on_end(); }

    const OperatorHarness& harness_;
    const PlayOptions& options_;
    MemoryBudget memory_{options_.memory, 1};
    StateBackend state_;
    IoContext io_{posix_file_system(), system_clock(), Logger::silent()};
    std::vector<std::string> splits_ = {"source/0", "source/1", "source/2", "source/3"};
    OperatorContext context_;
    StepBudget budget_;
    std::unique_ptr<Operator> operator_;
    std::map<std::size_t, std::unique_ptr<testing_internal::Recorder>> recorders_;
    std::map<std::size_t, EventTime> watermarks_;   // forwarded when the checkpoint was taken
  };

  struct Stage {
    const OperatorHarness& harness;
    const PlayOptions& options;

    std::unique_ptr<Instance> start(std::unique_ptr<Instance> before, testing_internal::Rows& rows, const Saved& saved) const {
      auto instance = std::make_unique<Instance>(harness, options);
      instance->start(before.get(), rows, saved);
      return instance;
    }
  };

  // Events of one element and outlet, sorted between two of other kinds: across keys the order within a firing is open (D3).
  static std::vector<Play::Event> in_some_order(std::vector<Play::Event> events) {
    std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) {
      return a.element != b.element ? a.element < b.element : a.outlet < b.outlet;
    });
    for (auto begin = events.begin(); begin != events.end();) {
      const auto end = std::find_if(begin, events.end(), [&](const auto& event) {
        return event.element != begin->element || event.outlet != begin->outlet || event.kind != begin->kind;
      });
      std::sort(begin, end);
      begin = end;
    }
    return events;
  }

  static std::string difference(const Play& plain, const Play& other, bool also_what_is_left) {
    for (std::size_t outlet = 0;; ++outlet) {
      bool any = false;
      auto of_outlet = [&](const Play& play) {
        std::vector<Play::Event> events;
        for (const Play::Event& event : play.events) {
          any |= event.outlet >= outlet;
          if (event.outlet == outlet) events.push_back(event);
        }
        return events;
      };
      const auto expected = of_outlet(plain);
      const auto found = of_outlet(other);
      if (!any) break;
      for (std::size_t i = 0; i < std::max(expected.size(), found.size()); ++i) {
        if (i < expected.size() && i < found.size() && expected[i] == found[i]) continue;
        const Play::Event& event = i < expected.size() ? expected[i] : found[i];
        return "outlet " + std::to_string(outlet) + ", event " + std::to_string(i) + " of " + std::to_string(expected.size()) + " (now " +
               std::to_string(found.size()) + "), at element " + std::to_string(event.element) + ", time " + to_string(event.time);
      }
    }
    const OperatorCounters& a = plain.counters;
    const OperatorCounters& b = other.counters;
    if (a.records_in != b.records_in || a.records_out != b.records_out || a.late != b.late || a.in_no_window != b.in_no_window ||
        a.late_for_some_windows != b.late_for_some_windows || a.timers_after_end != b.timers_after_end || a.filtered != b.filtered) {
      return "the counters differ";
    }
    if (!also_what_is_left) return {};
    if (plain.entries_left != other.entries_left) return "another number of entries is left in the state";
    if (plain.rows_left != other.rows_left) return "another number of rows is left in the store";
    return {};
  }

  static std::string name_of(const PlayOptions& options) {
    static constexpr const char* kNames[] = {"without checkpoint", "with checkpoints", "with restores", "with late restores",
                                             "leaving memory", "with little memory"};
    return std::string{kNames[static_cast<std::size_t>(options.interruption)]} + ", max_batch " + std::to_string(options.max_batch) +
           ", step budget " + std::to_string(options.step_budget);
  }

  Make make_;
  std::function<std::uint64_t(const T&)> hash_of_;
  std::map<std::size_t, std::function<std::unique_ptr<testing_internal::Recorder>(const StepBudget&)>> outlets_;
  QuarantinePolicy policy_;
  KeySpace space_{.groups = 8, .seed = 0};
};

}  // namespace v0
}  // namespace tidemark

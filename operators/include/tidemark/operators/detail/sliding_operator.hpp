#pragma once
// Windows that overlap. A record goes into one slice, never into each of its windows; a window is put together from its slices with about
// three merges for each key, however many slices it has, and nothing is ever subtracted.
//
// The state is a table for each slice. Everything else is derived from it, and made anew after a restore. Slices form blocks of the length
// of a window, aligned to slice number 0. A window that starts in block b is the slices from its start to the end of b (the *suffix*) and
// those of block b + 1 up to its end (the *prefix*). For each key:
//   - prefix: the slices of block b + 1 so far, folded from the first to the last, one merge when a slice closes;
//   - suffix: when windows begin to start in b, its slices are folded from the last to the first; each slice keeps, beside a key that
//     occurs in it, that key's suffix behind the slice, which becomes current when the slice leaves. One merge for each key and slice.
// Which values are merged in which order depends on slice numbers alone, so floating-point results are the same after a restore.
//
// Slices may be in the store for the most part: folding one visits it wherever it is, and changes nothing. What is derived is charged to
// the job's memory. Where it does not fit, or was given up, a window fires *directly*: the keys are parted by hash into pieces of a few
// thousand, fewer where they are large, and for one piece after the other all slices of the window are folded, those of block b from the
// last to the first and those of b + 1 from the first to the last, so in the same order. That reads each slice once for every window that
// has it, and holds one piece in memory.
//
// A record that is too late for some of its windows and not for others (L4) may belong to a slice that is folded already, or that still has
// to serve windows closed to the record. Such stragglers are a small state of their own: by slice and key, and the end of the first window
// they count for.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <tidemark/operators/detail/dense_index.hpp>
#include <tidemark/operators/detail/sliced_operator.hpp>
#include <tidemark/state/detail/heap_sample.hpp>

namespace tidemark {
inline namespace v0 {
namespace operators_internal {

// What stragglers of one slice and key add to the windows that end at or after a time.
template <class Accumulator>
struct Straggle {
  EventTime first_end{};   // unclipped
  Accumulator accumulator{};
};

}  // namespace operators_internal

namespace state_internal {

template <class Accumulator>
struct PartsOf<std::vector<operators_internal::Straggle<Accumulator>>> {
  static ValueParts get() {
    const std::string schema = Codec<std::vector<operators_internal::Straggle<Accumulator>>>::schema();
    return operators_internal::repeated_accumulators<Accumulator>(schema, sizeof(EventTime), "}>");
  }
};

}  // namespace state_internal

namespace operators_internal {

template <class Key, class T, class KeyOf, class Aggregate>
class SlidingOperator final : public SlicedOperator<Key, T, KeyOf, Aggregate> {
  using Base = SlicedOperator<Key, T, KeyOf, Aggregate>;
  using typename Base::Accumulator;
  using typename Base::Fired;
  using StraggleList = std::vector<Straggle<Accumulator>>;
  using Stragglers = SliceTable<Key, StraggleList>;

 public:
  SlidingOperator(KeyOf key_of, WindowSpec spec, Aggregate aggregate)
      : Base(std::move(key_of), spec, std::move(aggregate)), slicing_(spec.size, spec.slide, spec.offset) {}

 private:
  // What is derived for a key. `last`: the last folded slice in which it occurs.
  struct Cell {
    std::int64_t last = kFree;
    Accumulator suffix{};
    Accumulator prefix{};
    std::uint32_t extra = kNone;   // of extras_: what stragglers add to the window that fires
  };
  static constexpr std::int64_t kFree = std::numeric_limits<std::int64_t>::min();
  static constexpr std::int64_t kNoSlice = std::numeric_limits<std::int64_t>::max();
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr std::size_t kGroup = 32;             // keys whose misses in the cache overlap
  static constexpr std::size_t kLargeKey = 4096;        // bytes: a look at the store costs less than what it brings

  // A folded slice: for each key its value there, or from the turn of its block on the key's suffix behind this slice.
  struct Part {
    std::uint32_t cell = 0;
    Accumulator value{};
  };
  struct Run {
    std::int64_t slice = 0;
    std::vector<Part> parts;
  };

  // Derived: all but kFoldPiece. Directly: kChoose, for each piece kFoldPiece, kStraggle and kEmit, then kLeave.
  enum class Stage : std::uint8_t { kChoose, kReset, kFold, kTurn, kFoldPiece, kStraggle, kEmit, kLeave };

  void open_state(StateBackend& state) override {
    const std::string parameters = this->spec().parameters();
    this->set_slices(state.slice_table<Key, Accumulator>("slices", parameters, Base::kResidency));
    stragglers_ = &state.slice_table<Key, StraggleList>("stragglers", parameters, Base::kResidency);
    memory_ = &state.derived_memory([this] {
      if (stage_ == Stage::kChoose) {
        give_up_derived();
      } else {
        give_up_asked_ = true;
      }
    });
  }

  // --- records

  Window open_slice(EventTime t) const override {
    const std::int64_t slice = slicing_.slice_of(t);
    if (is_reached(first_end_of(slice), this->watermark())) return {};
    return {slicing_.slice_start(slice), slicing_.slice_end(slice)};
  }
  EventTime first_end_of(std::int64_t slice) const { return slicing_.window(slicing_.first_window_with(slice)).end; }

  // A record that may be late for all or some of its windows.
  void take_one(Batch<T>& in, std::size_t index, EventTime as_of) override {
    const T& record = in.values[index];
    const std::int64_t slice = slicing_.slice_of(in.times[index]);
    const EventTime decision = this->decision_watermark(as_of);
    const std::int64_t last = slicing_.last_window_with(slice);
    if (is_reached(slicing_.window(last).end, decision)) return this->set_aside(in, index, decision);
    const std::uint64_t hash = in.hashes[index];
    const Key& key = this->key_of(record);
    if (!is_reached(first_end_of(slice), decision)) {
      // No window that has the slice has fired, so it is not folded.
      return this->aggregate().add(this->slices().slice(slicing_.slice_end(slice)).upsert(hash, key), record);
    }
    ++this->count().late_for_some_windows;
    const EventTime first_end = slicing_.window(slicing_.first_window_after(decision)).end;
    this->aggregate().add(straggle_of(stragglers_->slice(slicing_.slice_end(slice)).upsert(hash, key), first_end), record);
  }
  static Accumulator& straggle_of(StraggleList& list, EventTime first_end) {
    auto found = std::find_if(list.begin(), list.end(), [&](const Straggle<Accumulator>& s) { return s.first_end == first_end; });
    if (found == list.end()) found = list.insert(list.end(), {.first_end = first_end});
    return found->accumulator;
  }

  // --- firing

  void begin_firing(EventTime watermark) override {
    Base::begin_firing(watermark);
    next_window_ = this->watermark() == kPlusInfinity ? kFree : slicing_.first_window_after(this->watermark());
  }

  Fired fire_some() override {
    std::size_t work = kEntriesPerStep;
    while (true) {
      bool complete = false;
      switch (stage_) {
        case Stage::kChoose:
          if (!choose_window()) {
            drop_reached();
            return Fired::kAll;
          }
          complete = true;
          break;
        case Stage::kReset: complete = reset(work); break;
        case Stage::kFold: complete = fold(work); break;
        case Stage::kTurn: complete = turn(work); break;
        case Stage::kFoldPiece: complete = fold_piece(work); break;
        case Stage::kStraggle: complete = gather_stragglers(work); break;
        case Stage::kEmit:
          complete = emit_cells(work);
          if (!complete && !this->has_room()) return Fired::kSome;
          break;
        case Stage::kLeave: complete = leave(work); break;
      }
      if (!complete) return Fired::kPaused;
      const bool end = stage_ == Stage::kLeave;
      stage_ = next_stage();
      at_ = 0;
      if (end && this->end_firing()) return Fired::kSome;
    }
  }
  Stage next_stage() {
    switch (stage_) {
      case Stage::kChoose: return derived_ ? Stage::kReset : Stage::kFoldPiece;
      case Stage::kReset: return Stage::kFold;
      case Stage::kFold: return derived_ ? Stage::kTurn : Stage::kFoldPiece;   // there may have been too little memory
      case Stage::kTurn:
      case Stage::kFoldPiece: return Stage::kStraggle;
      case Stage::kStraggle: return Stage::kEmit;
      case Stage::kEmit: return !derived_ && next_piece() ? Stage::kFoldPiece : Stage::kLeave;
      case Stage::kLeave: break;
    }
    return Stage::kChoose;
  }

  // Also where there was nothing to drop: dropped_through says the same in every task, since the manifest keeps the least.
  void drop_reached() {
    EventTime gone = kPlusInfinity;
    if (this->watermark() != kPlusInfinity) {
      const std::int64_t next = slicing_.first_window_after(this->watermark());
      if (next == Slicing::kBeforeAll) return;
      gone = slicing_.slice_end(next - 1);
    }
    this->slices().drop_through(gone);
    stragglers_->drop_through(gone);
  }

  // The next window that is due and not empty.
  bool choose_window() {
    if (std::exchange(give_up_asked_, false)) give_up_derived();
    std::int64_t first = kNoSlice;
    if (!this->slices().empty()) first = slicing_.slice_ending_at(this->slices().first_end());
    if (!stragglers_->empty()) first = std::min(first, slicing_.slice_ending_at(stragglers_->first_end()));
    if (first == kNoSlice) {
      forget_derived();
      return false;
    }
    window_ = std::max(next_window_, slicing_.first_window_with(first));
    bounds_ = slicing_.window(window_);
    if (!is_reached(bounds_.end, this->watermark())) return false;
    const std::int64_t block = floor_div(Duration{window_}, Duration{slicing_.length()});
    turning_ = block != block_ || !derived_;
    block_ = block;
    if (turning_ && cells_.free() > cells_.size() / 2) forget_derived();   // keys that are gone must not be walked for ever
    if (!derived_ && !memory_->allows(needed_)) {
      begin_pieces();
      return true;
    }
    derived_ = true;
    piece_ = this->slices().hashes();
    if (fold_from_ < first) fold_from_ = first;
    return true;
  }
  std::int64_t window_end_slice() const { return window_ + slicing_.length() - 1; }
  bool in_block(std::int64_t slice) const { return slice < (block_ + 1) * slicing_.length(); }

  void forget_derived() {
    if (!derived_) return;
    derived_ = false;
    fold_from_ = kFree;
    cells_.clear();
    while (!runs_.empty()) drop_run();
  }
  void drop_run() {
    spare_.push_back(std::move(runs_.front().parts));
    spare_.back().clear();
    runs_.pop_front();
  }
  // Forgets it and gives its memory back. It is made anew when there is room for it.
  void give_up_derived() {
    if (derived_) needed_ = held_;
    forget_derived();
    cells_ = {};
    spare_ = {};
    parts_held_ = 0;
    charge();
  }
  void charge() {
    std::size_t held = cells_.bytes() + parts_held_ * sizeof(Part) + extras_.capacity() * sizeof(Accumulator);
    held += key_heap_.of(cells_.size() - cells_.free()) + value_heap_.of(2 * (cells_.size() - cells_.free()) + parts_held_);
    if (held != held_) memory_->set(held_ = held);
  }
  // Whether the next group may be folded into the parts: tables and vectors double when they grow.
  bool has_memory(const std::vector<Part>& parts) const {
    std::size_t more = key_heap_.of(kGroup) + value_heap_.of(3 * kGroup);
    if (cells_.room() < kGroup) more += cells_.bytes();
    if (parts.capacity() - parts.size() < kGroup) more += parts.capacity() * sizeof(Part);
    return more == 0 || memory_->allows(more);
  }

  // Walks cells or parts from at_ on. true: to the end.
  template <class F>
  bool walk(std::size_t size, std::size_t& work, F f) {
    const std::size_t end = std::min(size, at_ + work);
    work -= end - at_;
    for (; at_ < end; ++at_) f(at_);
    return at_ == size;
  }

  bool reset(std::size_t& work) {
    if (!turning_) return true;
    return walk(cells_.size(), work, [&](std::size_t i) {
      Cell& cell = cells_[static_cast<std::uint32_t>(i)];
      cell.suffix = cell.prefix = Accumulator{};
    });
  }

  // Closes the slices up to the window's end.
  bool fold(std::size_t& work) {
    while (true) {
      if (!next_to_fold()) return true;
      if (runs_.empty() || runs_.back().slice != fold_from_) begin_run();
      if (!fold_run(runs_.back(), work)) return false;
      if (!derived_) return true;
      ++fold_from_;
    }
  }
  // Moves fold_from_ to the slice there or behind; false if that is not in the window.
  bool next_to_fold() {
    if (fold_from_ > window_end_slice()) return false;
    if (this->slices().find_slice(slicing_.slice_end(fold_from_)) != nullptr) return true;
    // Not one by one: a window may have millions of slices, nearly all of them empty.
    const std::vector<EventTime> ends = this->slices().ends();
    const auto next = std::upper_bound(ends.begin(), ends.end(), slicing_.slice_end(fold_from_));
    fold_from_ = std::min(next == ends.end() ? kNoSlice : slicing_.slice_ending_at(*next), window_end_slice() + 1);
    return fold_from_ <= window_end_slice();
  }
  void begin_run() {
    std::vector<Part> parts;
    if (!spare_.empty()) {
      parts = std::move(spare_.back());
      spare_.pop_back();
    }
    const std::size_t known = this->slices().find_slice(slicing_.slice_end(fold_from_))->size();   // in memory
    const std::size_t capacity = parts.capacity();
    if (known > capacity && memory_->allows((known - capacity) * sizeof(Part))) parts.reserve(known);
    parts_held_ += parts.capacity() - capacity;
    runs_.push_back({fold_from_, std::move(parts)});
  }
  // Where there is too little memory it gives up what is derived, so that the window fires directly.
  bool fold_run(Run& run, std::size_t& work) {
    const bool into_prefix = !in_block(run.slice);
    for (Visited visited{}; visited != Visited::kAll;) {
      if (work == 0) return false;
      if (!has_memory(run.parts)) {
        this->slices().leave_visit();
        give_up_derived();
        begin_pieces();
        return true;
      }
      const std::size_t capacity = run.parts.capacity();
      visited = fold_group(run.slice, work, [&](std::uint32_t number, const Accumulator& value) {
        if (into_prefix) this->aggregate().merge(cells_[number].prefix, value);
        run.parts.push_back({number, value});
      });
      parts_held_ += run.parts.capacity() - capacity;
      charge();
    }
    return true;
  }
  // Calls take(number of the cell, value) for the next entries of the slice with a hash in the piece.
  template <class Take>
  Visited fold_group(std::int64_t slice, std::size_t& work, Take take) {
    struct Entry {
      std::uint64_t hash;
      const Key* key;
      const Accumulator* value;
    };
    Entry entries[kGroup];
    const std::size_t most = std::min(kGroup, work);
    std::size_t n = 0;
    const Visited visited = this->slices().visit_some(
        slicing_.slice_end(slice), piece_, most, this->merging(), [&](std::uint64_t hash, const Key& key, const Accumulator& value) {
          entries[n++] = {hash, &key, &value};
          cells_.prefetch_slot(hash);
        });
    for (std::size_t i = 0; i < n; ++i) cells_.prefetch_entry(entries[i].hash);
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint32_t number = cells_.find_or_add(entries[i].hash, *entries[i].key);
      cells_[number].last = slice;
      take(number, *entries[i].value);
    }
    if (n > 0) {
      key_heap_.take(*entries[0].key, 0);
      value_heap_.take(0, *entries[0].value);
    }
    if (visited == Visited::kRead) {
      this->charge_read(work, this->slices());
    } else {
      work -= std::min(work, visited == Visited::kAll ? n + 1 : most);
    }
    return visited;
  }

  // Windows begin to start in this block: its slices are folded from the last to the first.
  bool turn(std::size_t& work) {
    if (!turning_) return true;
    const auto end = std::find_if(runs_.begin(), runs_.end(), [&](const Run& run) { return !in_block(run.slice); });
    const auto count = static_cast<std::size_t>(end - runs_.begin());
    for (; turned_ < count; ++turned_, at_ = 0) {
      std::vector<Part>& parts = runs_[count - 1 - turned_].parts;
      const bool whole = walk(parts.size(), work, [&](std::size_t i) {
        Accumulator& suffix = cells_[parts[i].cell].suffix;
        Accumulator behind = std::move(suffix);
        suffix = std::move(parts[i].value);
        this->aggregate().merge(suffix, behind);
        parts[i].value = std::move(behind);
      });
      if (!whole) return false;
    }
    turned_ = 0;
    return true;
  }

  // Adds up what stragglers give to the window, slice by slice.
  bool gather_stragglers(std::size_t& work) {
    if (stragglers_->empty()) return true;
    const std::vector<EventTime> ends = stragglers_->ends();
    while (at_ < ends.size() && slicing_.slice_ending_at(ends[at_]) <= window_end_slice()) {
      if (work == 0) return false;
      std::size_t n = 0;
      const Visited visited = stragglers_->visit_some(
          ends[at_], piece_, work,
          [this](StraggleList& into, const StraggleList& from) {
            for (const Straggle<Accumulator>& each : from) this->aggregate().merge(straggle_of(into, each.first_end), each.accumulator);
          },
          [&](std::uint64_t hash, const Key& key, const StraggleList& list) {
            ++n;
            for (const Straggle<Accumulator>& straggle : list) {
              if (straggle.first_end > bounds_.end) continue;
              Cell& cell = cells_[cells_.find_or_add(hash, key)];
              if (cell.extra == kNone) {
                cell.extra = static_cast<std::uint32_t>(extras_.size());
                extras_.emplace_back();
              }
              this->aggregate().merge(extras_[cell.extra], straggle.accumulator);
            }
          });
      work -= std::min(work, n + 1);
      if (visited == Visited::kRead) this->charge_read(work, *stragglers_);
      if (visited == Visited::kAll) ++at_;
    }
    charge();
    return true;
  }

  bool emit_cells(std::size_t& work) {
    const std::int64_t next = window_ + slicing_.step();
    while (at_ < cells_.size()) {
      const std::size_t end = std::min({cells_.size(), at_ + work, at_ + this->room()});
      if (end == at_) return false;
      work -= end - at_;
      for (; at_ < end; ++at_) {
        const auto number = static_cast<std::uint32_t>(at_);
        Cell& cell = cells_[number];
        if (cell.last >= window_ || cell.extra != kNone) {
          Accumulator value = cell.suffix;
          this->aggregate().merge(value, cell.prefix);
          if (cell.extra != kNone) this->aggregate().merge(value, extras_[cell.extra]);
          this->put_result(cells_.key(number), bounds_.start, bounds_.end, value);
          cell.extra = kNone;
          if (derived_ && cell.last < next) cells_.remove(number);   // K4
        }
      }
    }
    extras_.clear();
    if (!derived_) leave_piece();
    return true;
  }
  // The slices that are in no later window go.
  bool leave(std::size_t& work) {
    const std::int64_t next = window_ + slicing_.step();
    for (; !runs_.empty() && runs_.front().slice < next; at_ = 0) {
      std::vector<Part>& parts = runs_.front().parts;
      if (!walk(parts.size(), work, [&](std::size_t i) { cells_[parts[i].cell].suffix = std::move(parts[i].value); })) return false;
      drop_run();
    }
    const EventTime gone = slicing_.slice_end(next - 1);
    this->slices().drop_through(gone);
    stragglers_->drop_through(gone);
    next_window_ = next;
    return true;
  }

  // --- directly

  void begin_pieces() {
    due_.clear();
    for (const EventTime end : this->slices().ends()) {
      const std::int64_t slice = slicing_.slice_ending_at(end);
      if (slice <= window_end_slice()) due_.push_back(slice);
    }
    std::reverse(due_.begin(), std::find_if(due_.begin(), due_.end(), [this](std::int64_t slice) { return !in_block(slice); }));
    needed_ = needed_for_piece_ = 0;
    cells_.clear();
    piece_ = this->slices().hashes();
    bound_piece(piece_.last);
  }
  // `last`: where it ends at the latest.
  void bound_piece(std::uint64_t last) { piece_.last = last - piece_.first > piece_span_ ? piece_.first + piece_span_ : last; }
  bool next_piece() {
    const std::uint64_t last = this->slices().hashes().last;
    if (piece_.last == last) return false;
    piece_.first = piece_.last + 1;
    bound_piece(last);
    return true;
  }
  bool fold_piece(std::size_t& work) {
    while (at_ < due_.size()) {
      if (work == 0) return false;
      const bool into_prefix = !in_block(due_[at_]);
      const Visited visited = fold_group(due_[at_], work, [&](std::uint32_t number, const Accumulator& value) {
        Cell& cell = cells_[number];
        needed_for_piece_ += 2 * sizeof(Part);   // vectors double
        if (into_prefix) return this->aggregate().merge(cell.prefix, value);
        Accumulator behind = std::move(cell.suffix);
        cell.suffix = value;
        this->aggregate().merge(cell.suffix, behind);
      });
      charge();
      if (cells_.size() > 2 * most_in_piece() && piece_.last - piece_.first > 1) {
        begin_shorter_piece();
      } else if (visited == Visited::kAll) {
        ++at_;
      }
    }
    return true;
  }
  // As many keys as are worth a look at the store, but little against the memory that there is.
  std::size_t most_in_piece() const {
    const std::size_t each = decltype(cells_)::kBytesPerKey + key_heap_.of(1) + value_heap_.of(2);
    return std::clamp<std::size_t>(memory_->budget() / 32 / each, each > kLargeKey ? 16 : 256, 8192);
  }
  void begin_shorter_piece() {
    this->slices().leave_visit();
    cells_.clear();
    needed_for_piece_ = 0;
    piece_span_ = (piece_.last - piece_.first) / 2;
    bound_piece(piece_.last);
    at_ = 0;
  }
  // The next piece is to be of the right size.
  void leave_piece() {
    constexpr std::uint64_t kWidest = ~std::uint64_t{0};
    const std::size_t most = most_in_piece();
    if (cells_.size() > most) {
      piece_span_ /= 2;
    } else if (cells_.size() < most / 2) {
      piece_span_ = piece_span_ > kWidest / 2 ? kWidest : piece_span_ * 2;
    }
    needed_ += std::exchange(needed_for_piece_, 0) + 2 * cells_.size() * decltype(cells_)::kBytesPerKey;
    cells_.clear();
  }

  const Slicing slicing_;
  Stragglers* stragglers_ = nullptr;   // by end of slice

  // Derived.
  bool derived_ = false;               // it is kept from window to window
  DenseIndex<Key, Cell> cells_;        // of all keys in the window
  std::deque<Run> runs_;               // ascending
  std::vector<std::vector<Part>> spare_;
  std::int64_t block_ = 0;             // in which windows start
  std::int64_t fold_from_ = kFree;     // slices before it are folded
  MemoryAccount* memory_ = nullptr;    // for what is derived
  std::size_t parts_held_ = 0;         // in runs_ and spare_
  std::size_t held_ = 0;               // bytes
  std::size_t needed_ = 0;             // bytes, of the last window that could not be derived
  std::size_t needed_for_piece_ = 0;   // of it
  bool give_up_asked_ = false;         // while a window fired
  state_internal::HeapSample key_heap_;
  state_internal::HeapSample value_heap_;

  // The firing under way.
  Stage stage_ = Stage::kChoose;
  std::int64_t next_window_ = kFree;   // those before it have fired
  std::int64_t window_ = 0;
  Window bounds_{};                    // unclipped
  bool turning_ = false;               // windows begin to start in another block
  std::size_t at_ = 0;                 // cell, part or list of stragglers within the stage
  std::size_t turned_ = 0;             // runs of the block that are folded
  HashRange piece_;                    // of the keys that are folded; all of them, unless the window fires directly
  std::uint64_t piece_span_ = ~std::uint64_t{0} / 1024;
  std::vector<std::int64_t> due_;      // the window's slices, in the order in which they are folded directly
  std::vector<Accumulator> extras_;
};

}  // namespace operators_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// Merges the watermarks and statuses of several inputs into one (W7, W10-W13). Used for the splits of a source task and for the inputs of a
// task.

#include <cstddef>
#include <optional>
#include <vector>

#include <tidemark/core/time.hpp>

namespace tidemark {
inline namespace v0 {

// An input is aligned (W11) if its watermark has reached the output: that needs no memory of its own, since the output never falls.
class WatermarkMerger {
 public:
  struct Input {
    EventTime watermark = kMinusInfinity;
    bool idle = false;
    bool finished = false;
    bool empty = false;   // leave_out()
  };

  explicit WatermarkMerger(std::size_t inputs = 0) : inputs_(inputs) {}

  std::size_t size() const { return inputs_.size(); }
  const Input& input(std::size_t index) const { return inputs_[index]; }
  EventTime output() const { return output_; }
  // Of all inputs, finished and idle ones too.
  EventTime greatest() const;
  bool all_finished() const;
  // True when no input that is not finished is active (and at least one is not finished).
  bool idle() const;

  // Each returns the new output if it rose. Values that are not above the input's last are ignored.
  std::optional<EventTime> on_watermark(std::size_t index, EventTime watermark);
  std::optional<EventTime> on_status(std::size_t index, bool idle);
  // Once all are finished, the greatest that any of them had: it depends on what was in the input, and not on which ended first.
  // +infinity comes after that, when the owner says so.
  std::optional<EventTime> on_finished(std::size_t index);
  void end() { output_ = kPlusInfinity; }

  // Nothing will come from this input but its end (W9). It is waited for by all_finished() and by nothing else: when its end comes is a
  // matter of threads, and no result may depend on it.
  void leave_out(std::size_t index) { inputs_[index].empty = true; }

  // As recorded in a checkpoint.
  void restore(std::size_t index, const Input& input) { inputs_[index] = input; }
  void restore_output(EventTime output) { output_ = output; }

 private:
  std::optional<EventTime> derive();

  std::vector<Input> inputs_;
  EventTime output_ = kMinusInfinity;
};

}  // namespace v0
}  // namespace tidemark

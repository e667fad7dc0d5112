#pragma once
// The head of a source's chain: polls the splits of its task in turn, one batch each, and tells the stages behind it where their watermarks
// belong.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tidemark/operators/graph.hpp>
#include <tidemark/operators/operator.hpp>
#include <tidemark/operators/refusals.hpp>
#include "src/activity.hpp"

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

class SourceHead final : public Operator {
 public:
  struct Split {
    std::uint32_t number = 0;      // in the job
    std::string name;
    Bytes position;                // empty: the start
    bool finished = false;
  };
  enum class Found : std::uint8_t { kSomething, kNothingNow, kEnded };

  // `activity`: of its task.
  SourceHead(std::shared_ptr<SourceBase> source, const RecordType& type, Activity& activity)
      : Operator(2), source_(std::move(source)), batch_(type.make_batch()), activity_(activity) {}

  Status open(OperatorContext& context) override;
  // After open() and before load(). `listeners`: the stages behind this head that make watermarks.
  Status open_splits(std::vector<Split> splits, std::vector<SplitListener*> listeners);
  // One bounded slice of reading. Precondition: nobody below is pending. kEnded: all splits are, and +infinity and the end were sent.
  Found read();
  // From now on read() polls no split: what was read before is told to its end, then +infinity and the end are sent.
  void drain() { draining_ = true; }
  bool draining() const { return draining_; }
  // With kNothingNow: how long until a poll may find something.
  std::chrono::milliseconds poll_again_after() const;
  bool has_splits() const { return !splits_.empty(); }
  // Where each split stands.
  std::vector<Split> splits() const;
  bool ended() const { return end_sent_; }
  // Whether a drain ended a split before its time.
  bool cut_off() const { return cut_off_; }

  Progress on_batch(BatchBase& batch) override;
  void save(Bytes& out) const override;
  Status load(ByteView saved) override;
  Status load_rescaled(std::span<const ByteView> saved) override;
  bool outlives_drain() const override { return true; }

 private:
  struct OpenSplit {
    Split split;
    std::unique_ptr<SplitReaderBase> reader;   // null once finished
    bool waits = false;                        // nothing at hand at the last poll
  };
  Result<PollResult> poll(OpenSplit& open);
  Status take_saved(ByteView saved, std::uint8_t& flags, std::vector<std::uint32_t>& ended) const;

  std::shared_ptr<SourceBase> source_;
  std::unique_ptr<BatchBase> batch_;
  Activity& activity_;
  std::vector<OpenSplit> splits_;
  std::vector<SplitListener*> listeners_;
  std::vector<Refused> refused_;
  Refusals refusals_;
  std::size_t next_ = 0;
  // What the next poll may bring, up to max_batch. The first results after a restart wait for few keys to be looked up.
  std::size_t ramp_ = 16;
  std::size_t fitting_ = 65536;                // records as large as the last ones that make a batch large enough in bytes
  std::vector<std::uint32_t> ended_splits_;    // to be told, when those below have taken their last batches; more than one after a rescale
  std::optional<std::uint32_t> waiting_split_;
  bool draining_ = false;
  bool cut_off_ = false;
  bool infinity_sent_ = false;
  bool end_sent_ = false;
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

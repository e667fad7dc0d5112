#include "watched.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace tidemark::simulation {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// Bounded by time as sources of the world are: they have a few records, and then for a while none.
class PacedReader final : public SplitReaderBase {
 public:
  PacedReader(const Clock& clock, Pace pace, std::unique_ptr<SplitReaderBase> under)
      : clock_(clock), pace_(pace), next_(clock.steady_now()), under_(std::move(under)) {}
  Result<PollResult> poll_into(BatchBase& out, std::size_t max_records, std::vector<Refused>& refused) override {
    const auto now = clock_.steady_now();
    if (now < next_) return PollResult::kNothingNow;
    next_ = now + pace_.pause;
    return under_->poll_into(out, std::min(max_records, pace_.records), refused);
  }
  Bytes position() const override { return under_->position(); }
  std::chrono::milliseconds poll_again_after() const override { return pace_.pause; }

 private:
  const Clock& clock_;
  const Pace pace_;
  SteadyTime next_;
  std::unique_ptr<SplitReaderBase> under_;
};

class PacedSource final : public SourceBase {
 public:
  PacedSource(Pace pace, std::shared_ptr<SourceBase> under) : pace_(pace), under_(std::move(under)) {}
  std::string describe() const override { return under_->describe(); }
  bool bounded() const override { return under_->bounded(); }
  Result<std::vector<std::string>> splits(const IoContext& io) override { return under_->splits(io); }
  Result<std::unique_ptr<SplitReaderBase>> open_split(const IoContext& io, const std::string& split, const Bytes& position) override {
    TIDEMARK_ASSIGN(auto reader, under_->open_split(io, split, position));
    return std::unique_ptr<SplitReaderBase>(std::make_unique<PacedReader>(io.clock, pace_, std::move(reader)));
  }

 private:
  const Pace pace_;
  std::shared_ptr<SourceBase> under_;
};

class WatchedCommitter final : public SinkCommitter {
 public:
  WatchedCommitter(Simulation& world, std::string name, std::unique_ptr<SinkCommitter> under)
      : world_(world), name_(std::move(name)), under_(std::move(under)) {}
  Result<CheckpointId> committed_epoch() override { return under_->committed_epoch(); }
  Result<CheckpointId> begun_epoch() override { return under_->begun_epoch(); }
  Status commit(CheckpointId epoch, CheckpointId previous, const std::vector<Committable>& committables) override {
    const std::string what = name_ + " " + std::to_string(epoch);
    TIDEMARK_TRY(world_.note("commit " + what));
    TIDEMARK_TRY(under_->commit(epoch, previous, committables));
    return world_.note("committed " + what);
  }
  Status discard_unlisted() override {
    TIDEMARK_TRY(world_.note("discard " + name_));
    return under_->discard_unlisted();
  }

 private:
  Simulation& world_;
  std::string name_;
  std::unique_ptr<SinkCommitter> under_;
};

class WatchedSink final : public SinkBase {
 public:
  WatchedSink(Simulation& world, std::string name, std::shared_ptr<SinkBase> under)
      : world_(world), name_(std::move(name)), under_(std::move(under)) {}
  std::string describe() const override { return under_->describe(); }
  SinkGuarantee guarantee() const override { return under_->guarantee(); }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext& io, const SinkIdentity& identity) override {
    return under_->open_writer(io, identity);
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext& io, const SinkIdentity& identity) override {
    TIDEMARK_ASSIGN(auto committer, under_->open_committer(io, identity));
    return std::unique_ptr<SinkCommitter>(std::make_unique<WatchedCommitter>(world_, name_, std::move(committer)));
  }

 private:
  Simulation& world_;
  std::string name_;
  std::shared_ptr<SinkBase> under_;
};

}  // namespace

std::shared_ptr<SourceBase> paced(std::shared_ptr<SourceBase> source, Pace pace) {
  return std::make_shared<PacedSource>(pace, std::move(source));
}

std::shared_ptr<SinkBase> watched(Simulation& world, std::string name, std::shared_ptr<SinkBase> sink) {
  return std::make_shared<WatchedSink>(world, std::move(name), std::move(sink));
}

}  // namespace tidemark::simulation

#pragma once
// The end of a chain: writes what the chain emits into channels. Nothing that was accepted is ever refused: what finds no room waits here,
// and the task is not stepped until there is room again (back-pressure).

#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <tidemark/core/hash.hpp>
#include <tidemark/operators/operator.hpp>
#include "src/channel.hpp"

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

class Writer : public Receiver {
 public:
  explicit Writer(std::vector<std::shared_ptr<Channel>> channels);

  Progress on_watermark(EventTime watermark) override;
  Progress on_status(bool idle) override;
  Progress on_end() override;
  void on_barrier(CheckpointId id);
  void produced_by(Waker& worker) {
    for (auto& channel : channels_) channel->produced_by(worker);
  }

  // Something waits for room.
  bool blocked() const { return waiting_ > 0; }
  // Tries to move what waits into the channels; true if nothing waits any more.
  bool drain();
  // Whether drain() would move something.
  bool has_room() {
    for (std::size_t target = 0; target < channels_.size(); ++target) {
      if (!overflow_[target].empty() && channels_[target]->has_room()) return true;
    }
    return false;
  }
  // Sends what was gathered, because nothing more is at hand.
  virtual void flush() {}

 protected:
  void send(std::size_t target, Element element);
  Channel& channel(std::size_t target) { return *channels_[target]; }
  std::size_t targets() const { return channels_.size(); }
  Progress answer() const { return blocked() ? Progress::kMore : Progress::kDone; }

 private:
  void send_to_all(Element::Kind kind, EventTime watermark, CheckpointId id);

  std::vector<std::shared_ptr<Channel>> channels_;
  std::vector<std::deque<Element>> overflow_;   // one for each channel, in order
  std::size_t waiting_ = 0;
};

// To the task with the same number: a batch changes hands as it is.
class ForwardWriter final : public Writer {
 public:
  explicit ForwardWriter(std::shared_ptr<Channel> channel) : Writer({std::move(channel)}) {}
  Progress on_batch(BatchBase& batch) override;
};

// To all tasks of a keyed stage, by the key group of each record's hash. A task's records are gathered until they are `max_batch`; those of
// all tasks are sent when together they are as large as what all queues may hold.
class ExchangeWriter final : public Writer {
 public:
  ExchangeWriter(std::vector<std::shared_ptr<Channel>> channels, KeySpace space, std::uint32_t max_batch, std::size_t queue_bytes);
  Progress on_batch(BatchBase& batch) override;
  void flush() override;

 private:
  void send_gathered(std::size_t target);

  KeySpace space_;
  std::uint32_t max_batch_;
  std::size_t most_gathered_;                  // bytes
  std::vector<std::uint16_t> task_of_group_;   // a division less for each record
  std::vector<std::unique_ptr<BatchBase>> gathered_;
  std::vector<BatchBase*> gathered_views_;
  std::size_t gathered_bytes_ = 0;             // of all of them
  Column<std::uint16_t> targets_;
  Column<std::uint32_t> scratch_;
};

// One outlet, several readers: each gets its own copy, the last one the original.
class Tee final : public Operator {
 public:
  Tee(const RecordType& type, std::size_t readers);
  Progress on_batch(BatchBase& batch) override;

 private:
  const RecordType& type_;
  std::vector<std::unique_ptr<BatchBase>> copies_;
};

// A stage that only passes on, such as the head of a union.
class PassThrough final : public Operator {
 public:
  Progress on_batch(BatchBase& batch) override;
};

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

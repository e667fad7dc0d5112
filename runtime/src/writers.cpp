#include "src/writers.hpp"

#include <algorithm>

namespace tidemark {
inline namespace v0 {
namespace runtime_internal {

Writer::Writer(std::vector<std::shared_ptr<Channel>> channels) : channels_(std::move(channels)), overflow_(channels_.size()) {}

void Writer::send(std::size_t target, Element element) {
  Channel& to = *channels_[target];
  if (overflow_[target].empty() && to.has_room()) {
    to.push(std::move(element));
    to.wake_consumer();
    return;
  }
  overflow_[target].push_back(std::move(element));
  ++waiting_;
}

bool Writer::drain() {
  for (std::size_t target = 0; waiting_ > 0 && target < channels_.size(); ++target) {
    auto& queue = overflow_[target];
    bool pushed = false;
    while (!queue.empty() && channels_[target]->has_room()) {
      channels_[target]->push(std::move(queue.front()));
      queue.pop_front();
      --waiting_;
      pushed = true;
    }
    if (pushed) channels_[target]->wake_consumer();
  }
  return waiting_ == 0;
}

void Writer::send_to_all(Element::Kind kind, EventTime watermark, CheckpointId id) {
  flush();
  for (std::size_t target = 0; target < channels_.size(); ++target) {
    Element element = Element::of(kind);
    element.watermark = watermark;
    element.checkpoint = id;
    send(target, std::move(element));
  }
}

Progress Writer::on_watermark(EventTime watermark) {
  // The end of one input is not the end of all (W13): the reader makes +infinity when all its inputs have ended.
  if (watermark == kPlusInfinity) return answer();
  send_to_all(Element::Kind::kWatermark, watermark, 0);
  return answer();
}
Progress Writer::on_status(bool idle) {
  send_to_all(idle ? Element::Kind::kIdle : Element::Kind::kActive, {}, 0);
  return answer();
}
Progress Writer::on_end() {
  send_to_all(Element::Kind::kEnd, {}, 0);
  return answer();
}
void Writer::on_barrier(CheckpointId id) { send_to_all(Element::Kind::kBarrier, {}, id); }

Progress ForwardWriter::on_batch(BatchBase& batch) {
  auto owned = channel(0).empty_batch();
  channel(0).type().swap(*owned, batch);
  send(0, Element::of_batch(std::move(owned)));
  return answer();
}

ExchangeWriter::ExchangeWriter(std::vector<std::shared_ptr<Channel>> channels, KeySpace space, std::uint32_t max_batch,
                               std::size_t queue_bytes)
    : Writer(std::move(channels)),
      space_(space),
      max_batch_(max_batch),
      most_gathered_(queue_bytes * targets()),
      gathered_(targets()),
      gathered_views_(targets()) {
  for (std::uint32_t group = 0; group < space_.groups; ++group) {
    task_of_group_.push_back(static_cast<std::uint16_t>(space_.task_of_group(group, static_cast<std::uint32_t>(targets()))));
  }
  for (std::size_t target = 0; target < targets(); ++target) {
    gathered_[target] = channel(target).empty_batch();
    gathered_views_[target] = gathered_[target].get();
  }
}

Progress ExchangeWriter::on_batch(BatchBase& batch) {
  const std::size_t n = batch.size();
  TIDEMARK_CHECK(batch.hashes.size() == n, "an exchange needs hashed records");
  targets_.resize(n);
  const std::uint64_t* const hashes = batch.hashes.data();
  std::uint16_t* const chosen = targets_.data();
  for (std::size_t i = 0; i < n; ++i) {
    chosen[i] = task_of_group_[space_.group_of(hashes[i])];
  }
  gathered_bytes_ += batch.bytes();   // before its records are moved out
  channel(0).type().scatter(batch, targets_, gathered_views_, scratch_);
  for (std::size_t target = 0; target < targets(); ++target) {
    if (gathered_[target]->size() >= max_batch_) send_gathered(target);
  }
  if (gathered_bytes_ >= most_gathered_) flush();
  return answer();
}

void ExchangeWriter::flush() {
  for (std::size_t target = 0; target < targets(); ++target) {
    if (!gathered_[target]->empty()) send_gathered(target);
  }
}

void ExchangeWriter::send_gathered(std::size_t target) {
  auto next = channel(target).empty_batch();
  gathered_views_[target] = next.get();
  Element element = Element::of_batch(std::exchange(gathered_[target], std::move(next)));
  gathered_bytes_ -= std::min(gathered_bytes_, element.bytes);
  send(target, std::move(element));
}

Tee::Tee(const RecordType& type, std::size_t readers) : Operator(readers), type_(type), copies_(readers - 1) {
  for (auto& copy : copies_) copy = type.make_batch();
}

Progress Tee::on_batch(BatchBase& batch) {
  Progress progress = Progress::kDone;
  for (std::size_t i = 0; i < copies_.size(); ++i) {
    copies_[i]->clear();
    type_.copy(batch, *copies_[i]);
    progress = progress | outlet(i).emit(*copies_[i]);
  }
  return progress | outlet(copies_.size()).emit(batch);
}

Progress PassThrough::on_batch(BatchBase& batch) {
  count().records_in += batch.size();
  count().records_out += batch.size();
  return main().emit(batch);
}

}  // namespace runtime_internal
}  // namespace v0
}  // namespace tidemark

#pragma once
// A sink that calls a function of the host: for embedding, and for measuring.

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <tidemark/operators/sink.hpp>

namespace tidemark {
inline namespace v0 {
namespace memory_internal {

template <class T, class F>
inline constexpr bool kTakesBatch = std::is_invocable_v<F&, const Batch<T>&>;
template <class T, class F>
inline constexpr bool kTakesRecordOrBatch = kTakesBatch<T, F> || std::is_invocable_v<F&, const T&>;

template <class T, class F>
class CallbackWriter final : public SinkWriter<T> {
 public:
  explicit CallbackWriter(F f) : f_(std::move(f)) {}

  Status write(const Batch<T>& batch) override {
    if constexpr (kTakesBatch<T, F>) {
      f_(batch);
    } else {
      for (const T& value : batch.values) f_(value);
    }
    return {};
  }
  EpochSeal seal(CheckpointId) override {
    return [] { return Result<Bytes>(Bytes{}); };
  }

 private:
  F f_;
};

// Nothing to commit: the function has seen the records already.
class CallbackCommitter final : public SinkCommitter {
 public:
  Result<CheckpointId> committed_epoch() override { return newest_; }
  Status commit(CheckpointId epoch, CheckpointId, const std::vector<Committable>&) override {
    newest_ = epoch;
    return {};
  }

 private:
  CheckpointId newest_ = 0;
};

template <class T, class Make>
class CallbackSink final : public SinkBase {
 public:
  explicit CallbackSink(Make make) : make_(std::move(make)) {}

  std::string describe() const override { return "callback"; }
  SinkGuarantee guarantee() const override { return SinkGuarantee::kAtLeastOnce; }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext&, const SinkIdentity& identity) override {
    using F = std::decay_t<std::invoke_result_t<Make&, std::uint32_t>>;
    return std::unique_ptr<SinkWriterBase>(std::make_unique<CallbackWriter<T, F>>(make_(identity.subtask)));
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext&, const SinkIdentity&) override {
    return std::unique_ptr<SinkCommitter>(std::make_unique<CallbackCommitter>());
  }

 private:
  Make make_;
};

}  // namespace memory_internal

// Calls a function for every record, or for every batch. At least once: after a restart it sees the records behind the restored
// checkpoint again.
//
// Each task has a function of its own, which make(std::uint32_t subtask) gives; make is called while the job starts. A function takes a
// const T& or a
// const Batch<T>& (good for the call alone), is called by one thread at a time, must not wait, and fails the job by throwing.
template <class T, class Make>
Sink<T> callback_sink_by_task(Make make) {
  static_assert(std::is_invocable_v<Make&, std::uint32_t>,
      "callback_sink_by_task<T>() needs a function that takes a subtask's number and returns a function");
  using F = std::decay_t<std::invoke_result_t<Make&, std::uint32_t>>;
  static_assert(memory_internal::kTakesRecordOrBatch<T, F>,
      "callback_sink_by_task<T>() needs a function that returns one that takes a record or a batch");
  return Sink<T>(std::make_shared<memory_internal::CallbackSink<T, Make>>(std::move(make)));
}

// The same with one function, copied for each task: what the copies share they must share safely.
template <class T, class F>
Sink<T> callback_sink(F f) {
  static_assert(memory_internal::kTakesRecordOrBatch<T, F>, "callback_sink<T>() needs a function that takes a record or a batch");
  return callback_sink_by_task<T>([f = std::move(f)](std::uint32_t) { return f; });
}

}  // namespace v0
}  // namespace tidemark

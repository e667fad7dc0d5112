// Z7: windows over any records and watermarks against a model that keeps every record (A2, A3, S1-S4, L1-L4), played in one of the ways
// that must make no difference: batches and steps, checkpoints that complete or fail, restores, shortage of memory (D1, D5).

#include <array>

#include "fuzz.hpp"
#include "operators/windows_model.hpp"

namespace tidemark::fuzz {
namespace {

using namespace window_tests;

WindowSpec spec_of(Choices& choices) {
  const Duration size{1 + choices.below(16)};
  const Duration slide{1 + choices.below(16)};
  const Duration offset{choices.below(16)};
  switch (choices.below(3)) {
    case 0: return tumbling(size, {.offset = offset});
    case 1: return sliding(size, slide, {.offset = offset});
    default: return session(size);
  }
}

// Splits that are read in turn, seen by an operator whose watermark lags behind them.
History history_of(Choices& choices) {
  std::vector<Split> splits(1 + choices.below(3), Split(static_cast<std::int64_t>(choices.below(8))));
  std::vector<std::int64_t> now(splits.size(), -20);
  History history;
  std::int64_t watermark = kNever;
  for (std::size_t steps = 0; steps < 40 && !choices.ended(); ++steps) {
    Step batch;
    for (std::uint64_t records = choices.below(5); records > 0; --records) {
      const std::size_t at = choices.below(splits.size());
      now[at] += static_cast<std::int64_t>(choices.below(8));
      const auto back = static_cast<std::int64_t>(choices.below(24));
      batch.records.push_back(splits[at].read(std::string(1 + choices.below(3), 'a'), now[at] - back));
    }
    if (!batch.records.empty()) history.push_back(batch);
    std::int64_t merged = kForever;
    for (const Split& split : splits) merged = std::min(merged, split.watermark());
    if (merged <= watermark || choices.below(2) == 0) continue;
    watermark = merged;
    history.push_back({{}, watermark});
  }
  return history;
}

// One way for each input: all of them take a hundred times as long, and the model knows what each must give.
PlayOptions way_of(Choices& choices) {
  PlayOptions options;
  options.interruption = static_cast<Interruption>(choices.below(6));
  options.max_batch = std::array{1000U, 3U, 1U}[choices.below(3)];
  options.step_budget = choices.below(2) == 0 ? 1'000'000 : 1;
  options.deterministic = choices.below(2) == 0;
  return options;
}

}  // namespace

void run(ByteView input) {
  Choices choices{input};
  const WindowSpec spec = spec_of(choices);
  const PlayOptions way = way_of(choices);
  const History history = history_of(choices);
  const Play play = panes_of(spec).play(script_of(history), way);
  require(what_came_out(play, way.deterministic) == model_of(spec, history), "windows hold what the model's do",
          spec.describe() + text_of(history));
}

}  // namespace tidemark::fuzz

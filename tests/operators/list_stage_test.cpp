// flat_map with a list of the task's own: what the function sees, what is saved, how the lists are dealt out where the parallelism changes
// (K6), and what is refused.

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <tidemark/operators/detail/list_stage.hpp>
#include <tidemark/testing/operator_harness.hpp>

namespace tidemark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Kept {
  std::string name;
  std::uint32_t length = 0;
};

// Emits what it has kept, then keeps the record as well, with three at the most. A record without a name empties the list.
struct LastThree {
  void operator()(const std::string& name, std::vector<Kept>& kept, Collector<std::string>& out) const {
    for (const Kept& each : kept) out(name + " after " + each.name + " " + std::to_string(each.length));
    if (kept.size() == 3) kept.erase(kept.begin());
    kept.push_back({name, static_cast<std::uint32_t>(name.size())});
    if (name.empty()) kept.clear();
  }
};
// Keeps everything.
struct Keep {
  void operator()(const std::string& name, std::vector<Kept>& kept, Collector<std::string>&) const { kept.push_back({name}); }
};

template <class Item, class F>
auto stage(F f) {
  return operators_internal::list_node<std::string, std::string, Item>("kept", f).make;
}

// The stage in one task of several.
class Instance {
 public:
  Instance(std::uint32_t subtask, std::uint32_t parallelism) {
    context_.name = "kept";
    context_.subtask = subtask;
    context_.parallelism = parallelism;
    context_.state = &state_;
    EXPECT_TRUE(stage_->open(context_).ok());
  }
  void give(std::vector<std::string> names) {
    Batch<std::string> batch;
    for (std::string& name : names) batch.values.push_back(std::move(name));
    EXPECT_EQ(stage_->on_batch(batch), Progress::kDone);
  }
  Operator& stage() { return *stage_; }
  StateComponent& component() { return *state_.components().front(); }
  Bytes saved() const {
    Bytes bytes;
    stage_->save(bytes);
    return bytes;
  }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    for (const Kept& kept : static_cast<OperatorList<Kept>&>(component()).items()) names.push_back(kept.name);
    return names;
  }

 private:
  StateBackend state_{KeySpace{}, 0, KeySpace{}.groups};
  OperatorContext context_;
  std::unique_ptr<Operator> stage_ = tidemark::stage<Kept>(Keep{})();
};

// All instances at this parallelism, each with its part of what those before had saved.
std::vector<std::unique_ptr<Instance>> rescaled(const std::vector<std::unique_ptr<Instance>>& before, std::uint32_t parallelism) {
  std::vector<Bytes> saved;
  for (const auto& instance : before) saved.push_back(instance->saved());
  const std::vector<ByteView> views{saved.begin(), saved.end()};
  std::vector<std::unique_ptr<Instance>> now;
  for (std::uint32_t subtask = 0; subtask < parallelism; ++subtask) {
    now.push_back(std::make_unique<Instance>(subtask, parallelism));
    EXPECT_TRUE(now.back()->stage().load_rescaled(views).ok());
  }
  return now;
}
std::vector<std::vector<std::string>> names_of(const std::vector<std::unique_ptr<Instance>>& instances) {
  std::vector<std::vector<std::string>> names;
  for (const auto& instance : instances) names.push_back(instance->names());
  return names;
}
using Lists = std::vector<std::vector<std::string>>;

TEST(ListStage, KeepsItsListFromRecordToRecordHoweverItIsInterrupted) {
  OperatorHarness<std::string> harness(stage<Kept>(LastThree{}));
  harness.collect<std::string>(kMainOutlet);
  const auto script = Script<std::string>{}
                          .batch({{"a", event_time(1)}, {"bb", event_time(2)}})
                          .record("c", event_time(3))
                          .watermark(event_time(2))
                          .record("d", event_time(1), event_time(2))   // behind (W5)
                          .record("", event_time(4))
                          .record("e", event_time(5))
                          .record("f", event_time(6))
                          .end();
  EXPECT_EQ(harness.disagreement(script), "");
  const Play play = harness.play(script);
  std::vector<std::string> lines;
  for (const Emitted<std::string>& emitted : play.records<std::string>()) lines.push_back(emitted.record);
  EXPECT_THAT(lines, ElementsAre("bb after a 1", "c after a 1", "c after bb 2", "d after a 1", "d after bb 2", "d after c 1", " after bb 2",
                                 " after c 1", " after d 1", "f after e 1"));
  EXPECT_EQ(play.records<std::string>()[3], (Emitted<std::string>{"d after a 1", event_time(1), event_time(2)}));   // P1
  EXPECT_EQ(play.rows_left, 2U) << "the items are there again after a restore";
  EXPECT_EQ(play.counters.records_in, 7U);
  EXPECT_EQ(play.counters.filtered, 2U) << "those for which nothing was emitted";
}

TEST(ListStage, TakesAStreamWithoutEventTime) {
  OperatorHarness<std::string> harness(stage<Kept>(LastThree{}));
  harness.collect<std::string>(kMainOutlet);
  EXPECT_EQ(harness.disagreement(Script<std::string>{}.untimed().batch({{"a"}, {"b"}}).record("c", kMinusInfinity)), "");
}

// K6: the lists of all tasks one after another, dealt out by index mod p.
TEST(ListStage, IsDealtOutByIndexAtAnotherParallelism) {
  std::vector<std::unique_ptr<Instance>> tasks;
  tasks.push_back(std::make_unique<Instance>(0, 1));
  tasks[0]->give({"a", "b", "c", "d", "e", "f", "g"});
  tasks = rescaled(tasks, 2);
  EXPECT_EQ(names_of(tasks), (Lists{{"a", "c", "e", "g"}, {"b", "d", "f"}}));
  tasks[1]->give({"h"});
  tasks = rescaled(tasks, 3);   // a c e g b d f h
  EXPECT_EQ(names_of(tasks), (Lists{{"a", "g", "f"}, {"c", "b", "h"}, {"e", "d"}}));
  tasks = rescaled(tasks, 1);
  EXPECT_EQ(names_of(tasks), (Lists{{"a", "g", "f", "c", "b", "h", "e", "d"}}));
  tasks = rescaled(tasks, 16);
  tasks = rescaled(tasks, 1);
  EXPECT_EQ(names_of(tasks), (Lists{{"a", "g", "f", "c", "b", "h", "e", "d"}}));
}

TEST(ListStage, StaysInItsTaskWhereTheParallelismStays) {
  std::vector<std::unique_ptr<Instance>> tasks;
  for (std::uint32_t subtask = 0; subtask < 2; ++subtask) tasks.push_back(std::make_unique<Instance>(subtask, 2));
  tasks[0]->give({"a", "b", "c"});
  tasks[1]->give({"d"});
  tasks = rescaled(tasks, 2);
  EXPECT_EQ(names_of(tasks), (Lists{{"a", "b", "c"}, {"d"}}));
}

TEST(ListStage, IsDealtOutThoughItIsEmpty) {
  std::vector<std::unique_ptr<Instance>> tasks;
  tasks.push_back(std::make_unique<Instance>(0, 1));
  EXPECT_THAT(tasks[0]->saved(), IsEmpty());
  EXPECT_EQ(names_of(rescaled(tasks, 2)), (Lists{{}, {}}));
}

TEST(ListStage, TakesNothingOfAListThatWasGivenUp) {   // K10
  Instance before(0, 1);
  before.give({"a"});
  Instance after(0, 1);
  after.component().begin_new();
  EXPECT_TRUE(after.stage().load(before.saved()).ok());
  EXPECT_THAT(after.names(), IsEmpty());
  EXPECT_TRUE(after.stage().load("not even a list of this type").ok());
}

// Bytes that no list of this type writes: cut off, too many, or lengths that lead out of them (S08).
TEST(ListStage, RefusesDamagedBytes) {
  Instance before(0, 1);
  before.give({"abc", "de"});
  const Bytes whole = before.saved();
  ASSERT_EQ(whole, Bytes("\x08\x03"
                         "abc\0\0\0\0"
                         "\x07\x02"
                         "de\0\0\0\0",
                         17));
  const auto load = [](const Bytes& bytes) { return Instance(0, 1).stage().load(bytes); };
  EXPECT_TRUE(load(whole).ok());
  for (std::size_t size = 1; size < whole.size(); ++size) {
    if (size == 9) continue;   // the first item alone
    const Status status = load(whole.substr(0, size));
    ASSERT_FALSE(status.ok()) << size << " bytes";
    EXPECT_EQ(status.error().code, ErrorCode::kCheckpointCorrupt);
    EXPECT_THAT(status.error().describe(), HasSubstr("operator_list of struct{string,u32}"));
  }
  EXPECT_FALSE(load(whole + '\0').ok()) << "an item of no bytes";
  Bytes longer = whole.substr(0, 9) + '\0';
  ++longer[0];
  EXPECT_FALSE(load(longer).ok()) << "an item and a byte more";
  EXPECT_FALSE(load(Bytes(10, '\xFF')).ok()) << "a length above all";
}

TEST(ListStage, IsSavedUpToItsBoundAndFailsTheJobBeyond) {
  Instance instance(0, 1);
  instance.give({std::string(kMaxOperatorListBytes - 10, 'x')});   // 3 bytes of length each of item and string, 4 of the number
  EXPECT_EQ(instance.saved().size(), kMaxOperatorListBytes);
  instance.give({""});
  try {
    (void)instance.saved();
    FAIL() << "it was saved";
  } catch (const JobFailure& failure) {
    EXPECT_EQ(failure.error().code, ErrorCode::kUserFunction);
    EXPECT_EQ(failure.error().message, "the list of operator \"kept\" is too long for a checkpoint");
    EXPECT_THAT(failure.error().describe(), HasSubstr("1048576 bytes in each task"));
    EXPECT_THAT(failure.error().fix, HasSubstr("keep fewer items"));
  }
}

TEST(ListStage, NamesTheRecordAtWhichItsFunctionThrew) {
  OperatorHarness<std::string> harness(stage<Kept>([](const std::string&, std::vector<Kept>& kept, Collector<std::string>&) {
    if (!kept.empty()) throw std::runtime_error("full");
    kept.emplace_back();
  }));
  try {
    (void)harness.play(Script<std::string>{}.record("a", event_time(1)).batch({{.record = "b", .time = event_time(2), .origin = {1, 5}}}));
    FAIL() << "it did not throw";
  } catch (const JobFailure& failure) {
    EXPECT_THAT(failure.error().message, HasSubstr("at split \"source/1\" position 5, event time"));
  }
}

}  // namespace
}  // namespace tidemark

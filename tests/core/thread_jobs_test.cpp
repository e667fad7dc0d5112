// Background jobs on threads of their own: who joins them waits for all.

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include <tidemark/core/detail/executor.hpp>

namespace tidemark {
namespace {

using core_internal::thread_jobs;

TEST(ThreadJobs, AreAllDoneWhenTheyAreJoinedThoseThatJobsPostAmongThem) {
  for (const int threads : {1, 3}) {
    const auto jobs = thread_jobs("jobs", threads);
    std::atomic<int> done{0};
    for (int i = 0; i < 100; ++i) {
      jobs->post([&] {
        jobs->post([&] { ++done; });
        ++done;
      });
    }
    jobs->join();
    EXPECT_EQ(done, 200) << threads << " threads";
  }
}

TEST(ThreadJobs, NeverRunOnTheThreadThatPosts) {
  const auto jobs = thread_jobs("jobs", 2);
  std::mutex mutex;
  std::set<std::thread::id> ran_on;
  for (int i = 0; i < 100; ++i) {
    jobs->post([&] {
      const std::lock_guard guard{mutex};
      ran_on.insert(std::this_thread::get_id());
    });
  }
  jobs->join();
  EXPECT_FALSE(ran_on.contains(std::this_thread::get_id()));
  EXPECT_LE(ran_on.size(), 2U);
}

TEST(ThreadJobs, KnowWhetherOneOfThemIsTheCaller) {
  const auto jobs = thread_jobs("jobs", 1);
  const auto others = thread_jobs("others", 1);
  std::atomic<bool> by_own{false};
  std::atomic<bool> by_other{true};
  jobs->post([&] { by_own = jobs->is_current(); });
  others->post([&] { by_other = jobs->is_current(); });
  jobs->join();
  others->join();
  EXPECT_TRUE(by_own);
  EXPECT_FALSE(by_other);
  EXPECT_FALSE(jobs->is_current());
}

// What a job holds may be the last thing that keeps somebody alive whom the poster waits for.
TEST(ThreadJobs, LetGoWhatTheyHoldWhenTheyAreDone) {
  const auto jobs = thread_jobs("jobs", 1);
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  jobs->post([held = std::move(held)] {});
  jobs->join();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace tidemark

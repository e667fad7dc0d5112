#pragma once
// A directory in which a job runs for real: what a crash left is laid out in it, the job starts there and runs to its end.

#include <cstdint>
#include <optional>
#include <string>

#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/runtime/runtime.hpp>

#include "operation.hpp"
#include "scenarios.hpp"
#include "tree.hpp"

namespace tidemark::proof {

// What a start is told.
struct Start {
  RestoreFrom from{};
  bool fork_lineage = false;
  std::string state = "state";   // below the root; any other than this one is a copy, and says so by its lock
  std::string out = "out";
};

class World {
 public:
  // In memory, where the machine has a file system for that: the log, not the disk, decides what lasts.
  explicit World(const Tree& tree);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  struct Run {
    std::string problem{};           // empty: the job ended as it should
    std::optional<ErrorCode> refused{};   // it did not start
    CheckpointId restored = 0;
    std::uint64_t checkpoints = 0;   // completed by this run
    std::uint64_t failed = 0;        // given up by this run
    bool ended_early = false;        // before it was asked for its savepoints
    bool at_rest = false;            // it had something to do, and so has tidied up
  };
  // The unbroken run that is recorded: it pauses now and then, so that there are checkpoints.
  Run record(const Scenario& scenario, Log& log);
  // The start after so many crashes, to the end of the input; recorded if there is a log. What it draws at random and the time of day
  // depend on that number alone, so that fewer of the trees that it writes differ.
  Run recover(const Scenario& scenario, std::size_t crashes, Log* log, const Start& start = {});
  // As `cp -r` does.
  void copy_directory(const std::string& from, const std::string& to);
  // Whether each savepoint that is here can be started from: empty, or what refuses it.
  std::string try_savepoints(const Scenario& scenario);

  Tree tree() const;
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

}  // namespace tidemark::proof

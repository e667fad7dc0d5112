#pragma once
// What must hold of the trees before and after a crash (reliability, section 4: I1 to I4, I6). All of it is read from the trees.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <tidemark/checkpoint/manifest.hpp>

#include "scenarios.hpp"
#include "tree.hpp"

namespace tidemark::proof {

// What somebody outside could have seen before the crash, and may rely on.
struct Seen {
  std::map<std::string, std::shared_ptr<const Bytes>> results;   // by path: files of sinks that are not hidden
  CheckpointId committed = 0;                                    // by the markers of the sinks
  CheckpointId begun = 0;                                        // the newest epoch of which there is a result, or a marker

  void add(const Seen& more);
};
Seen seen_in(const Tree& tree);
Output output_of(const Tree& tree);
// As the output of one job: the results up to a checkpoint, and what a fork that began with it has written to a directory of its own.
Tree with_fork(const Tree& tree, CheckpointId forked, const std::string& fork_out);

struct Verdict {
  std::uint64_t lost = 0;           // lines that are missing
  std::uint64_t doubled = 0;        // lines that are there more often than they should be
  std::uint64_t late_changed = 0;   // records that are late in only one of the two
  std::string problem{};            // anything else
  bool ok() const { return lost + doubled + late_changed == 0 && problem.empty(); }
  std::string describe() const;
};
// Of the tree that the run after the crash left when it had ended; `restored` is the checkpoint that it went on from.
Verdict judge(const Output& expected, const Seen& seen, CheckpointId restored, const Tree& after);
// I6: what is left of checkpoints, attempts and half-written files when all is at rest; empty if it is as it should be. `restored` may be
// there beside the two newest: it is kept until every byte of it was looked at (R3).
std::string leftover(const Tree& after, CheckpointId restored);

}  // namespace tidemark::proof

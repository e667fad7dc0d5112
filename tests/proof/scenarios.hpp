#pragma once
// The jobs that are crashed, each with a naive model of what it must write. A new operator joins by a line of the table in scenarios.cpp.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <tidemark/operators/graph.hpp>

#include "../runtime/payments.hpp"

namespace tidemark::proof {

// By sink, the sorted lines. A sink whose name begins with "late" has the records that came too late.
using Output = std::map<std::string, std::vector<std::string>>;

// The first start after a crash is not always the plain one. Where it is refused, as it must be if results of the newest checkpoint are
// visible, the plain one follows.
enum class Twist : std::uint8_t {
  kNone,
  kOlder,     // it asks for the checkpoint before the newest one
  kDamaged,   // a bit of the newest manifest has changed
  kCopied,    // the state directory was copied: the copy is forked, and two go on where one may
};

inline bool is_backward(Twist twist) { return twist == Twist::kOlder || twist == Twist::kDamaged; }

struct Scenario {
  const char* name = "";
  // Sinks write to out/SINK. `pace`: records of each split in a second; 0 for as fast as it goes.
  Graph (*graph)(const payments::Splits&, double pace, const std::string& out) = nullptr;
  Output (*model)(const payments::Splits&) = nullptr;
  std::size_t splits = 2;
  std::int64_t disorder = 60;               // make_payments: above kDisorder some of them are late
  std::uint32_t parallelism = 1;
  std::uint32_t parallelism_after = 1;      // of the start after a crash
  std::size_t memory = 0;
  bool savepoint = false;                   // keeps one in the middle, and stops with another
  std::size_t per_split = 160;
  std::uint64_t checkpoints = 3;            // that the unbroken run completes at the least
  bool every_second = false;                // small: all second crashes are tried, also by --quick
  Twist twist = Twist::kNone;
  bool one_task = false;                    // the output depends on the parallelism (K6), which is not varied
  std::uint32_t files_to_merge = 0;         // compaction begins after so few; 0: as ever
  bool one_fails = false;                   // the second manifest cannot be made: that checkpoint is given up, and the job goes on
};

const std::vector<Scenario>& scenarios();
payments::Splits input_of(const Scenario& scenario);

}  // namespace tidemark::proof

#pragma once
// The peer workloads as Tidemark jobs, built with the public interface alone.

#include <cstdint>
#include <string>

#include <tidemark/core/status.hpp>

#include "peer_workload.hpp"

namespace peer {

struct JobOptions {
  std::uint32_t parallelism = 1;
  std::uint32_t workers = 0;            // 0: what the runtime chooses
  std::uint32_t max_batch = 1000;
  // Where exactly-once checkpoints go, one a second; empty: none are taken. Must not exist yet; it is left behind.
  std::string state_directory;
};

// Runs the job to its end. At parallelism p the events come from p splits: event i is in split i % p.
tidemark::Result<Outcome> run_job(const Workload& workload, std::uint64_t events, const JobOptions& options);

}  // namespace peer

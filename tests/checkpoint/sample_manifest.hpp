#pragma once
// A manifest that uses every field.

#include <tidemark/checkpoint/manifest.hpp>

namespace tidemark::test_support {

inline Manifest sample_manifest(CheckpointId id = 7) {
  Manifest manifest;
  manifest.job = "clicks";
  manifest.lineage = "0123456789abcdef0123456789abcdef";
  manifest.attempt = 3;
  manifest.checkpoint = id;
  manifest.previous = id - 1;
  manifest.key_groups = 128;
  manifest.seed = 0x1122334455667788;
  manifest.created = std::chrono::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds{1'700'000'000'123}};
  manifest.tidemark_version = "0.1.0";
  manifest.operators = {
      {.name = "source", .kind = "source", .parallelism = 1, .states = {}},
      {.name = "per_user",
       .kind = "window",
       .parallelism = 2,
       .states = {{.id = 1,
                   .name = "panes",
                   .kind = "slices",
                   .key = "u64",
                   .value = "struct{u64,u64}",
                   .parameters = "tumbling(60s,0s)",
                   .timed = true,
                   .fingerprint = 0xFEDCBA9876543210,
                   .dropped_through = event_time(-60'000'000),
                   .live_buckets = {event_time(0), event_time(60'000'000)}},
                  {.id = 4,
                   .name = "seen",
                   .kind = "value",
                   .key = "string",
                   .value = "bool",
                   .parameters = "",
                   .timed = false,
                   .fingerprint = 2,
                   .dropped_through = kMinusInfinity,
                   .live_buckets = {}}}},
      {.name = "out", .kind = "sink", .parallelism = 2, .states = {}}};
  manifest.next_state_id = 5;
  manifest.discarded_states = {2};
  manifest.sources = {{.operator_name = "source",
                       .splits = {{.name = "a b\"\n", .position = Bytes("\0\1\xFF", 3), .finished = false, .progress = "p"},
                                  {.name = "", .position = "", .finished = true, .progress = ""}}}};
  manifest.tasks = {
      {.task = "source", .subtask = 0, .inputs = {}, .operators = {{.operator_name = "source", .state = "s", .watermark = event_time(9)}}},
      {.task = "per_user",
       .subtask = 1,
       .inputs = {{.channel = "source.0", .watermark = event_time(-5), .idle = true, .finished = false},
                  {.channel = "source.1", .watermark = kPlusInfinity, .idle = false, .finished = true}},
       .operators = {}}};
  manifest.sinks = {"out"};
  manifest.committables = {{.sink = "out", .subtask = 1, .epoch = id - 1, .bytes = Bytes("\0x", 2)},
                           {.sink = "out", .subtask = 0, .epoch = id, .bytes = "y"}};
  manifest.files = {{.name = "000012.sst", .size = 4711, .checksum = 0xDEADBEEF}, {.name = "CURRENT", .size = 16, .checksum = 1}};
  return manifest;
}

}  // namespace tidemark::test_support

#include "peer_workload.hpp"

#include <array>
#include <fstream>

#include <malloc.h>
#include <sys/resource.h>

namespace peer {
namespace {

using std::chrono::milliseconds;

const std::array<Workload, 11>& usual_workloads() {
  static const std::array<Workload, 11> all{{
      {"pass", Work::kPass, {100'000, 1'000'000, 0}, {}, {}, {}},
      {"tumble-1e3", Work::kWindow, {1'000, 1'000'000, 5}, milliseconds{1000}, milliseconds{1000}, {}},
      {"tumble-1e5", Work::kWindow, {100'000, 1'000'000, 5}, milliseconds{1000}, milliseconds{1000}, {}},
      {"tumble-1e6", Work::kWindow, {1'000'000, 1'000'000, 5}, milliseconds{1000}, milliseconds{1000}, {}},
      {"slide", Work::kWindow, {10'000, 100'000, 5}, milliseconds{10'000}, milliseconds{1000}, {}},
      {"slide-fine", Work::kWindow, {10'000, 100'000, 5}, milliseconds{10'000}, milliseconds{100}, {}},
      {"session", Work::kSession, {100'000, 1'000'000, 5}, {}, {}, milliseconds{100}},
      {"total-1e5", Work::kTotal, {100'000, 1'000'000, 0}, {}, {}, {}},
      {"total-1e6", Work::kTotal, {1'000'000, 1'000'000, 0}, {}, {}, {}},
      {"total-1e7", Work::kTotal, {10'000'000, 1'000'000, 0}, {}, {}, {}},
      {"velocity", Work::kVelocity, {100'000, 10'000, 0}, milliseconds{60'000}, {}, {}},
  }};
  return all;
}

struct Published {
  std::string_view name;
  std::uint64_t events;
  std::uint64_t outputs;
  std::uint64_t hash;
  std::uint64_t final = 0;   // 0: none
};

// Five engines and a plain loop, written independently of this program, agree on these.
constexpr Published kPublished[] = {
    {"pass", 100'000, 74'791, 0x6be98517fa72df82},
    {"tumble-1e3", 100'000, 1'868, 0x19b767a2c5632d7d},
    {"tumble-1e5", 100'000, 64'465, 0x514a8b62343ffa61},
    {"tumble-1e6", 100'000, 95'418, 0xb2f03e1c2a14f836},
    {"slide", 100'000, 100'191, 0xa6bd2b93ccf8bd6a},
    {"slide-fine", 100'000, 1'078'579, 0x8d968a6c5c82c2d0},
    {"session", 100'000, 63'238, 0x8d956edb10cd87ef},
    {"total-1e5", 100'000, 100'000, 0x56e2fc33e8eaabc2, 0x61c3a0aca9ee0c3e},
    {"total-1e6", 100'000, 100'000, 0x2f4b46281ff42b99, 0x0d16f94ce98307c2},
    {"total-1e7", 100'000, 100'000, 0x12e9c41496fea6fd, 0x98284bf22eed27a1},
    {"velocity", 100'000, 68, 0x6f3a7b27efa3a012},
    {"pass", 1'000'000, 750'482, 0x485983c94b67cab6},
    {"tumble-1e3", 1'000'000, 1'868, 0x0c3b4ba4a2507426},
    {"tumble-1e5", 1'000'000, 102'013, 0x5681900da81c7ab0},
    {"tumble-1e6", 1'000'000, 633'139, 0xb4aad3625f1b5345},
    {"slide", 1'000'000, 190'189, 0x6e3433ed6b92bdef},
    {"slide-fine", 1'000'000, 1'978'513, 0xaeb389d19519c939},
    {"session", 1'000'000, 396'137, 0xa28385f55909b278},
    {"total-1e5", 1'000'000, 1'000'000, 0x1fceaf5d00fae802, 0xb84216bf6c61c54c},
    {"total-1e6", 1'000'000, 1'000'000, 0x1260b83213cb1387, 0xe84230cd74550513},
    {"total-1e7", 1'000'000, 1'000'000, 0x6452c380780529d5, 0x24ec0ad6d7217176},
    {"velocity", 1'000'000, 437'774, 0x3bb0924e95d4f68e},
    {"pass", 5'000'000, 3'749'549, 0x6ed83495de0b7e7f},
    {"tumble-1e3", 5'000'000, 5'868, 0xeaf3cbc5b1445019},
    {"tumble-1e5", 5'000'000, 502'001, 0x4c42941643f18b20},
    {"tumble-1e6", 5'000'000, 3'160'857, 0x2f78dbaa47bd97d1},
    {"slide", 5'000'000, 590'191, 0x819107a5c17618c4},
    {"slide-fine", 5'000'000, 5'978'668, 0xcbe51f6b6314a8fc},
    {"session", 5'000'000, 1'875'206, 0xc28e54a14979dde5},
    {"total-1e5", 5'000'000, 5'000'000, 0x5c2bc4bd4da467f2, 0xf08ec030a1bb58db},
    {"total-1e6", 5'000'000, 5'000'000, 0xb10ff89626309685, 0xaba6f7f0f4e73dff},
    {"total-1e7", 5'000'000, 5'000'000, 0xf0ee985627344548, 0xbe8d70b9af91ede5},
    {"velocity", 5'000'000, 3'297'041, 0x3f27983c3f005e9b},
    {"pass", 20'000'000, 15'001'283, 0xf634b6c90aab70b0},
    {"tumble-1e3", 20'000'000, 20'868, 0xf2b52c3febf27f28},
    {"tumble-1e5", 20'000'000, 2'001'935, 0x2a162bfddbb3534c},
    {"tumble-1e6", 20'000'000, 12'643'264, 0x692157f0e3b51684},
    {"slide", 20'000'000, 2'090'191, 0xc478817ca16181f7},
    {"slide-fine", 20'000'000, 20'978'577, 0xfd163d7f1f894682},
    {"session", 20'000'000, 7'420'521, 0x59b0c7ee01689089},
    {"total-1e5", 20'000'000, 20'000'000, 0x5bc967cde58fba9e, 0xc413f41645a9a7f3},
    {"total-1e6", 20'000'000, 20'000'000, 0x591b55e78211b30f, 0x0d0f6814899acd4c},
    {"total-1e7", 20'000'000, 20'000'000, 0xddfb4d04436cacbc, 0x03eb02ef7a3cc363},
    {"velocity", 20'000'000, 14'020'010, 0x4c104a5f51351f28},
    {"pass", 200'000'000, 149'999'033, 0xe1a187bb91f7245d},
};

}  // namespace

std::optional<Workload> find_workload(std::string_view name) {
  for (const Workload& workload : usual_workloads()) {
    if (workload.name == name) return workload;
  }
  return std::nullopt;
}

std::string workload_names() {
  std::string names;
  for (const Workload& workload : usual_workloads()) names += (names.empty() ? "" : " ") + workload.name;
  return names;
}

std::optional<Answer> published_answer(const Workload& workload, std::uint64_t events) {
  if (workload.reshaped) return std::nullopt;
  for (const Published& row : kPublished) {
    if (row.name != workload.name || row.events != events) continue;
    return Answer{row.outputs, row.hash, row.final == 0 ? std::nullopt : std::optional(row.final)};
  }
  return std::nullopt;
}

void reset_peak_memory() {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

double peak_memory_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace peer

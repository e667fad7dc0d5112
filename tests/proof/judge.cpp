#include "judge.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>
#include <vector>

#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/core/file_system.hpp>

namespace tidemark::proof {

namespace {

bool is_result(const std::string& path) { return path.starts_with("out/") && file_name(path).front() != '.'; }
bool is_marker(const std::string& path) {
  return path.starts_with("out/") && file_name(path).starts_with(".tidemark-commit-");
}

CheckpointId epoch_in(const Bytes& marker) {
  constexpr std::string_view kLine = "\nepoch ";
  const std::size_t at = marker.find(kLine);
  CheckpointId epoch = 0;
  if (at != Bytes::npos) std::from_chars(marker.data() + at + kLine.size(), marker.data() + marker.size(), epoch);
  return epoch;
}

// Of a result, which is out/SINK/SINK-EPOCH-SUBTASK.
CheckpointId epoch_of_result(const std::string& path) {
  const std::size_t sink = file_name(parent_path(path)).size();
  const std::string name = file_name(path);
  return name.size() < sink + 11 ? 0 : parse_numbered_name(name.substr(sink + 1, 10)).value_or(0);
}

std::vector<std::string> without(const std::vector<std::string>& from, const std::vector<std::string>& these) {
  std::vector<std::string> left;
  std::set_difference(from.begin(), from.end(), these.begin(), these.end(), std::back_inserter(left));
  return left;
}

}  // namespace

void Seen::add(const Seen& more) {
  results.insert(more.results.begin(), more.results.end());
  committed = std::max(committed, more.committed);
  begun = std::max(begun, more.begun);
}

Seen seen_in(const Tree& tree) {
  Seen seen;
  for (auto at = tree.lower_bound("out/"); at != tree.end() && at->first.starts_with("out/"); ++at) {
    const auto& [path, contents] = *at;
    if (contents == nullptr) continue;
    if (is_result(path)) {
      seen.results.emplace(path, contents);
      seen.begun = std::max(seen.begun, epoch_of_result(path));
    }
    if (is_marker(path)) seen.committed = std::max(seen.committed, epoch_in(*contents));
  }
  seen.begun = std::max(seen.begun, seen.committed);
  return seen;
}

Output output_of(const Tree& tree) {
  Output output;
  for (auto at = tree.lower_bound("out/"); at != tree.end() && at->first.starts_with("out/"); ++at) {
    const auto& [path, contents] = *at;
    if (contents == nullptr) output[file_name(path)];
    if (contents == nullptr || !is_result(path)) continue;
    auto& lines = output[file_name(parent_path(path))];
    for (std::size_t begin = 0; begin < contents->size();) {
      const std::size_t end = std::min(contents->find('\n', begin), contents->size());
      lines.push_back(contents->substr(begin, end - begin));
      begin = end + 1;
    }
  }
  for (auto& [sink, lines] : output) std::sort(lines.begin(), lines.end());
  return output;
}

Tree with_fork(const Tree& tree, CheckpointId forked, const std::string& fork_out) {
  Tree whole;
  for (const auto& [path, contents] : tree) {
    if (contents == nullptr || file_name(path).front() == '.') continue;
    if (path.starts_with(fork_out + "/")) {
      whole["out/" + file_name(parent_path(path)) + "/fork-" + file_name(path)] = contents;
    } else if (is_result(path) && epoch_of_result(path) <= forked) {
      whole[path] = contents;
    }
  }
  return whole;
}

std::string Verdict::describe() const {
  std::string text;
  if (lost > 0) text += " lost " + std::to_string(lost);
  if (doubled > 0) text += " doubled " + std::to_string(doubled);
  if (late_changed > 0) text += " late changed " + std::to_string(late_changed);
  return text + (problem.empty() ? "" : " " + problem);
}

Verdict judge(const Output& expected, const Seen& seen, CheckpointId restored, const Tree& after) {
  Verdict verdict;
  const Output output = output_of(after);
  for (const auto& [sink, lines] : expected) {
    const auto found = output.find(sink);
    const std::vector<std::string> got = found == output.end() ? std::vector<std::string>{} : found->second;
    const std::uint64_t missing = without(lines, got).size();
    const std::uint64_t extra = without(got, lines).size();
    if (sink.starts_with("late")) {
      verdict.late_changed += missing + extra;
    } else {
      verdict.lost += missing;
      verdict.doubled += extra;
    }
  }
  for (const auto& [path, contents] : seen.results) {   // I2
    const auto found = after.find(path);
    if (found == after.end() || *found->second != *contents) verdict.problem = path + ", which was visible, was withdrawn";
  }
  if (restored < seen.committed) {   // I3, I4
    verdict.problem =
        "epoch " + std::to_string(seen.committed) + " was committed, and checkpoint " + std::to_string(restored) + " restored";
  }
  return verdict;
}

std::string leftover(const Tree& after, CheckpointId restored) {
  std::size_t attempts = 0;
  std::map<std::string, std::set<std::string>> stores;
  std::set<std::string> manifests;
  for (const auto& [path, contents] : after) {
    const std::string parent = parent_path(path);
    if (path.ends_with(".partial") || path.starts_with("state/savepoints/~")) return path + " was left behind";
    if (parent == "state/live" && ++attempts > 1) return path + " was left behind";
    if (path.starts_with("state/live/") && file_name(parent) == "rows") return path + " was left behind";
    if (parent == "state/checkpoints" || parent == "state/savepoints") stores[path];
    if (file_name(parent) == "store") stores[parent_path(parent)].insert(file_name(path));
    if (file_name(path) == "manifest") manifests.insert(parent);
  }
  std::size_t checkpoints = 0;
  for (const auto& [directory, names] : stores) {
    if (directory.starts_with("state/live/")) continue;
    const auto manifest = after.find(directory + "/manifest");
    if (manifest == after.end()) return directory + " has no manifest";
    const Result<Manifest> decoded = decode_manifest(*manifest->second, directory);
    if (!decoded.ok()) return decoded.error().describe();
    std::set<std::string> listed;
    for (const StoredFile& file : decoded->files) listed.insert(file.name);
    if (listed != names) return directory + " has other files than its manifest lists";
    const bool kept = decoded->checkpoint == restored;
    if (directory.starts_with("state/checkpoints/") && !kept && ++checkpoints > 2) return directory + " is one checkpoint too many";
  }
  return "";
}

}  // namespace tidemark::proof

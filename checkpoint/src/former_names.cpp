#include "src/former_names.hpp"

#include <algorithm>
#include <utility>

namespace tidemark {
inline namespace v0 {
namespace checkpoint_internal {

namespace {

// Tasks are called by the head of their chain, and input channels by the stage that they come from (runtime/src/job_builder.cpp).
void rename(Manifest& manifest, const std::string& from, const std::string& to) {
  const auto change = [&](std::string& name) {
    if (name == from) name = to;
  };
  for (OperatorEntry& entry : manifest.operators) change(entry.name);
  for (SourceEntry& source : manifest.sources) change(source.operator_name);
  for (std::string& sink : manifest.sinks) change(sink);
  for (CommittableEntry& committable : manifest.committables) change(committable.sink);
  for (TaskEntry& task : manifest.tasks) {
    change(task.task);
    for (InputEntry& input : task.inputs) {
      if (input.channel.starts_with(from + ":")) input.channel.replace(0, from.size(), to);
    }
    for (OperatorMeta& meta : task.operators) change(meta.operator_name);
  }
}

Error two_claims(const std::string& name, const std::string& first, const std::string& second) {
  return Error{.code = ErrorCode::kStateMismatch,
               .message = "\"" + name + "\" has two claims in the checkpoint: \"" + first + "\" and \"" + second + "\"",
               .facts = {},
               .why = "what both hold cannot become one",
               .fix = "leave formerly() for one of them out, or give up what \"" + second + "\" holds with --drop-state " + second};
}

}  // namespace

Result<RenamedManifest> under_present_names(std::shared_ptr<const Manifest> manifest, const JobFacts& job,
                                            const std::vector<std::string>& drop_state) {
  RenamedManifest renamed{.manifest = std::move(manifest), .former = {}};
  const std::vector<OperatorEntry>& stored = renamed.manifest->operators;
  for (const auto& [name, formers] : job.past.formerly) {
    const OperatorEntry* wanted = find_operator(job.operators, name);
    std::vector<std::string> claims;
    if (find_operator(stored, name) != nullptr) claims.push_back(name);
    for (const std::string& former : formers) {
      const OperatorEntry* entry = find_operator(stored, former);
      const bool dropped = std::find(drop_state.begin(), drop_state.end(), former) != drop_state.end();
      if (entry != nullptr && entry->kind == wanted->kind && !dropped) claims.push_back(former);
    }
    if (claims.size() > 1) return two_claims(name, claims[0], claims[1]);
    if (!claims.empty() && claims.front() != name) renamed.former[name] = claims.front();
  }
  if (renamed.former.empty()) return renamed;
  Manifest present = *renamed.manifest;
  for (const auto& [name, former] : renamed.former) rename(present, former, name);
  renamed.manifest = std::make_shared<const Manifest>(std::move(present));
  return renamed;
}

}  // namespace checkpoint_internal
}  // namespace v0
}  // namespace tidemark

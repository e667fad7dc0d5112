#pragma once
// Parts of a manifest as several verbs show them.

#include <string>

#include <tidemark/checkpoint/manifest.hpp>

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

// When it was taken, in UTC to the second.
std::string created_text(const Manifest& manifest);
// {"source":...,"split":...,"position":...,"finished":...}
std::string split_json(const SourceEntry& source, const SplitEntry& split);
// The fields of a task's input, without braces: "input", "watermark", "idle", "finished".
std::string input_fields(const InputEntry& input);

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark

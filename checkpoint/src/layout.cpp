#include <tidemark/checkpoint/layout.hpp>

#include <algorithm>

#include <tidemark/core/check.hpp>
#include <tidemark/core/file_system.hpp>

namespace tidemark {
inline namespace v0 {

namespace {
constexpr std::size_t kDigits = 10;
}

std::string lock_path(const std::string& directory) { return join_path(directory, "LOCK"); }
std::string socket_path(const std::string& directory) { return join_path(directory, "SOCKET"); }
std::string lineage_path(const std::string& directory) { return join_path(directory, "LINEAGE"); }
std::string place_path(const std::string& directory) { return join_path(directory, "PLACE"); }
std::string checkpoints_path(const std::string& directory) { return join_path(directory, "checkpoints"); }
std::string checkpoint_path(const std::string& directory, CheckpointId id) {
  return join_path(checkpoints_path(directory), numbered_name(id));
}
std::string manifest_path(const std::string& directory, CheckpointId id) { return manifest_in(checkpoint_path(directory, id)); }
std::string checkpoint_store_path(const std::string& directory, CheckpointId id) { return store_in(checkpoint_path(directory, id)); }
std::string savepoints_path(const std::string& directory) { return join_path(directory, "savepoints"); }
std::string savepoint_path(const std::string& directory, const std::string& label) { return join_path(savepoints_path(directory), label); }
std::string all_live_path(const std::string& directory) { return join_path(directory, "live"); }
std::string live_path(const std::string& directory, AttemptId attempt) {
  return join_path(all_live_path(directory), numbered_name(attempt));
}
std::string live_store_path(const std::string& directory, AttemptId attempt) { return join_path(live_path(directory, attempt), "store"); }
std::string live_rows_path(const std::string& directory, AttemptId attempt) { return join_path(live_path(directory, attempt), "rows"); }

std::string manifest_in(const std::string& checkpoint_directory) { return join_path(checkpoint_directory, "manifest"); }
std::string store_in(const std::string& checkpoint_directory) { return join_path(checkpoint_directory, "store"); }

std::string numbered_name(std::uint64_t number) {
  std::string digits = std::to_string(number);
  TIDEMARK_CHECK(number != 0 && digits.size() <= kDigits, "no name for number " + digits);
  return std::string(kDigits - digits.size(), '0') + digits;
}

std::optional<std::uint64_t> parse_numbered_name(std::string_view name) {
  const bool digits = std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (name.size() != kDigits || !digits) return std::nullopt;
  std::uint64_t number = 0;
  for (const char digit : name) number = number * 10 + static_cast<std::uint64_t>(digit - '0');
  if (number == 0) return std::nullopt;
  return number;
}

}  // namespace v0
}  // namespace tidemark

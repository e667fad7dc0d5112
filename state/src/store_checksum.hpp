#pragma once
// The checksum of stored files: XXH3, 64 bit, seed 0, of the whole file.

#include <cstdint>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/detail/xxh3.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/state/store.hpp>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

class FileChecksum {
 public:
  FileChecksum() { XXH3_64bits_reset(&state_); }
  void add(ByteView bytes) { XXH3_64bits_update(&state_, bytes.data(), bytes.size()); }
  std::uint64_t value() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

// Reads the whole file `name` of `directory`.
Result<StoredFile> sum_file(FileSystem& files, const std::string& directory, const std::string& name);
// kCheckpointCorrupt unless `file` is a file of that size in `directory`. Reads nothing of it.
Status check_presence(FileSystem& files, const std::string& directory, const StoredFile& file);
// kCheckpointCorrupt unless the whole content is as listed.
Status verify_file(FileSystem& files, const std::string& directory, const StoredFile& file);

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

#include <tidemark/core/check.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/file/detail/staged_sink.hpp>

#include "src/content_hash.hpp"
#include "src/sink_directory.hpp"
#include "src/staged_names.hpp"

namespace tidemark {
inline namespace v0 {
namespace file_internal {

// The file of one epoch, on the disk only when the first chunk is written.
struct StagedFile {
  std::string name;
  std::unique_ptr<WritableFile> file;
  std::uint64_t size = 0;
  ContentHash hash;

  Status append(FileSystem& files, const std::string& directory, ByteView bytes) {
    if (file == nullptr) {
      TIDEMARK_ASSIGN(file, files.create(join_path(directory, name)));
    }
    TIDEMARK_TRY(file->append(bytes));
    hash.add(bytes);
    size += bytes.size();
    return {};
  }
};

StagedOutput::StagedOutput(const IoContext& io, SinkIdentity identity, std::string directory, std::string extension,
                           PreambleFunction preamble)
    : io_(io),
      identity_(std::move(identity)),
      directory_(std::move(directory)),
      extension_(std::move(extension)),
      preamble_function_(std::move(preamble)) {}

Status StagedOutput::begin() {
  if (file_ != nullptr) return {};
  if (!preamble_known_ && preamble_function_ != nullptr) {
    TIDEMARK_ASSIGN(preamble_, preamble_function_(io_));
  }
  preamble_known_ = true;
  file_ = std::make_shared<StagedFile>();
  file_->name = staged_name(identity_, last_sealed_, extension_);
  buffer_ = preamble_;
  return {};
}

Status StagedOutput::write_out() {
  TIDEMARK_TRY(file_->append(io_.files, directory_, buffer_));
  buffer_.clear();
  return {};
}

EpochSeal StagedOutput::seal(CheckpointId epoch) {
  TIDEMARK_CHECK(epoch > last_sealed_, "epoch " + std::to_string(epoch) + " sealed after " + std::to_string(last_sealed_));
  last_sealed_ = epoch;
  if (file_ == nullptr) return [] { return Result<Bytes>(Bytes{}); };
  auto seal = [io = io_, directory = directory_, file = std::move(file_), rest = std::make_shared<const Bytes>(std::move(buffer_)),
               name = final_name(identity_, epoch, extension_)]() -> Result<Bytes> {
    TIDEMARK_TRY(file->append(io.files, directory, *rest));
    TIDEMARK_TRY(file->file->sync());
    TIDEMARK_TRY(file->file->close());
    TIDEMARK_TRY(io.files.sync_directory(directory));
    return encode(StagedRecord{.staged = file->name, .final = name, .size = file->size, .checksum = file->hash.value()});
  };
  file_ = nullptr;
  buffer_ = {};
  return seal;
}

Result<std::unique_ptr<StagedOutput>> open_staged_output(const IoContext& io, const SinkIdentity& identity, const std::string& directory,
                                                         const std::string& extension, PreambleFunction preamble) {
  TIDEMARK_TRY(prepare_directory(io, identity, directory));
  return std::make_unique<StagedOutput>(io, identity, directory, extension, std::move(preamble));
}

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

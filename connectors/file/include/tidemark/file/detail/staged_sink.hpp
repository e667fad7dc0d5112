#pragma once
// A transactional sink of files: rows are formatted into staged files, which the committer renames (reliability R5). Not promised.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <tidemark/core/bytes.hpp>
#include <tidemark/core/status.hpp>
#include <tidemark/operators/sink.hpp>

namespace tidemark {
inline namespace v0 {
namespace file_internal {

// What every file of a sink begins with. Asked when the first record is there.
using PreambleFunction = std::function<Result<Bytes>(const IoContext& io)>;

struct StagedFile;

// The output of one subtask on its way into staged files, at most one for each epoch.
class StagedOutput {
 public:
  StagedOutput(const IoContext& io, SinkIdentity identity, std::string directory, std::string extension, PreambleFunction preamble);

  // Before the first record of a batch: sees to it that the epoch's file begins with the preamble.
  Status begin();
  // Where the next record is appended, whole.
  Bytes& buffer() { return buffer_; }
  // After each record: hands the buffer to the file system when it is large enough.
  Status drain() { return buffer_.size() < kChunkBytes ? Status{} : write_out(); }
  // The seal owns what was written so far; the next epoch may be written while it runs.
  EpochSeal seal(CheckpointId epoch);

 private:
  static constexpr std::size_t kChunkBytes = std::size_t{256} << 10;
  Status write_out();

  IoContext io_;
  SinkIdentity identity_;
  std::string directory_;
  std::string extension_;
  PreambleFunction preamble_function_;
  Bytes preamble_;
  bool preamble_known_ = false;
  CheckpointId last_sealed_ = 0;
  Bytes buffer_;
  std::shared_ptr<StagedFile> file_;   // of the epoch that is being written; null: no record yet
};

// `extension` begins with a dot. Both make the directory if it is absent.
Result<std::unique_ptr<StagedOutput>> open_staged_output(const IoContext& io, const SinkIdentity& identity, const std::string& directory,
                                                         const std::string& extension, PreambleFunction preamble);
Result<std::unique_ptr<SinkCommitter>> open_file_committer(const IoContext& io, const SinkIdentity& identity, const std::string& directory,
                                                           const std::string& extension);

// A Row is made for each record over the buffer: Row(Bytes&, const Row::Config&); finish() ends the record.
template <class T, class Row, class Format>
class FormattedSinkWriter final : public SinkWriter<T> {
 public:
  FormattedSinkWriter(std::unique_ptr<StagedOutput> output, typename Row::Config config, Format format)
      : output_(std::move(output)), config_(std::move(config)), format_(std::move(format)) {}

  Status write(const Batch<T>& batch) override {
    if (batch.empty()) return {};
    TIDEMARK_TRY(output_->begin());
    for (const T& value : batch.values) {
      Row row(output_->buffer(), config_);
      format_(row, value);
      TIDEMARK_TRY(row.finish());
      TIDEMARK_TRY(output_->drain());
    }
    return {};
  }
  EpochSeal seal(CheckpointId epoch) override { return output_->seal(epoch); }

 private:
  std::unique_ptr<StagedOutput> output_;
  typename Row::Config config_;
  Format format_;
};

template <class T, class Row, class Format>
class FormattedSink final : public SinkBase {
 public:
  FormattedSink(std::string directory, typename Row::Config config, Format format)
      : directory_(std::move(directory)), config_(std::move(config)), format_(std::move(format)) {}

  std::string describe() const override { return std::string(Row::kFormat) + " files in " + directory_; }
  SinkGuarantee guarantee() const override { return SinkGuarantee::kExactlyOnce; }
  Result<std::unique_ptr<SinkWriterBase>> open_writer(const IoContext& io, const SinkIdentity& identity) override {
    TIDEMARK_ASSIGN(auto output, open_staged_output(io, identity, directory_, extension(), Row::preamble(config_)));
    return std::unique_ptr<SinkWriterBase>(
        std::make_unique<FormattedSinkWriter<T, Row, Format>>(std::move(output), config_, format_));
  }
  Result<std::unique_ptr<SinkCommitter>> open_committer(const IoContext& io, const SinkIdentity& identity) override {
    return open_file_committer(io, identity, directory_, extension());
  }

 private:
  static std::string extension() { return std::string(".") + Row::kFormat; }

  std::string directory_;
  typename Row::Config config_;
  Format format_;
};

}  // namespace file_internal
}  // namespace v0
}  // namespace tidemark

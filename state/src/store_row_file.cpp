#include <algorithm>

#include <rocksdb/sst_file_writer.h>

#include <tidemark/core/check.hpp>
#include <tidemark/state/store.hpp>

#include "src/store_environment.hpp"
#include "src/store_options.hpp"
#include "src/store_rows.hpp"

namespace tidemark {
inline namespace v0 {

namespace {

// Tables give their rows almost in order: a row may be this many places from its own, or fewer where rows are large.
constexpr std::size_t kKeptBack = 256;
constexpr std::size_t kKeptBackBytes = std::size_t{1} << 20;
constexpr std::size_t kBufferBytes = std::size_t{256} << 10;

rocksdb::EnvOptions environment_options() {
  rocksdb::EnvOptions options;
  options.writable_file_max_buffer_size = kBufferBytes;
  return options;
}

class SstWriter final : public RowFileWriter {
 public:
  SstWriter(FileSystem& files, std::string path)
      : files_(files),
        path_(std::move(path)),
        environment_(state_internal::make_environment(files, std::make_shared<state_internal::ReadFailures>())),
        writer_(std::make_unique<rocksdb::SstFileWriter>(environment_options(), state_internal::row_file_options(environment_.get()),
                                                         nullptr, false)) {}
  ~SstWriter() override {
    writer_.reset();   // it holds the file open
    if (created_ && !finished_) (void)files_.remove_file(path_).ok();
  }

  Status open() {
    const Status opened = checked(writer_->Open(path_));
    created_ = opened.ok();
    return opened;
  }

  Result<bool> append(const RowRun& piece) override {
    TIDEMARK_CHECK(!finished_, "row file " + path_);
    const std::vector<StoredRow> rows = state_internal::sorted_rows(kept_back_, piece);
    if (!rows.empty() && !last_.empty() && rows.front().key() <= last_) return false;
    const std::size_t end = end_of_ripe(rows);
    TIDEMARK_TRY(write(rows, end));
    if (end > 0) last_.assign(rows[end - 1].key());
    RowRun kept_back;
    for (std::size_t i = end; i < rows.size(); ++i) {
      rows[i].tombstone() ? kept_back.erase(rows[i].key()) : kept_back.put(rows[i].key(), rows[i].value());
    }
    kept_back_ = std::move(kept_back);
    return true;
  }

  Result<RowFile> finish() override {
    TIDEMARK_CHECK(!finished_, "row file " + path_);
    const std::vector<StoredRow> rows = state_internal::sorted_rows(kept_back_, {});
    TIDEMARK_CHECK(!rows.empty(), "a row file without rows: " + path_);
    TIDEMARK_TRY(write(rows, rows.size()));
    rocksdb::ExternalSstFileInfo info;
    TIDEMARK_TRY(checked(writer_->Finish(&info)));   // syncs and closes
    RowFile written{path_, info.file_size, 0};
    if (!state_internal::take_file_checksum(info.file_checksum_func_name, info.file_checksum, written.checksum)) {
      return checked(rocksdb::Status::Aborted("no checksum was made"));
    }
    finished_ = true;
    return written;
  }

 private:
  // Rows from there on are kept back.
  static std::size_t end_of_ripe(const std::vector<StoredRow>& rows) {
    const std::size_t least = rows.size() - std::min(rows.size(), kKeptBack);
    std::size_t end = rows.size();
    for (std::size_t bytes = 0; end > least && bytes < kKeptBackBytes;) bytes += rows[--end].size();
    return end;
  }
  Status write(const std::vector<StoredRow>& rows, std::size_t end) {
    for (std::size_t i = 0; i < end; ++i) {
      const rocksdb::Slice key{rows[i].key().data(), rows[i].key().size()};
      const rocksdb::Status status =
          rows[i].tombstone() ? writer_->Delete(key) : writer_->Put(key, {rows[i].value().data(), rows[i].value().size()});
      if (!status.ok()) return checked(status);
    }
    return {};
  }
  Status checked(const rocksdb::Status& status) const {
    return status.ok() ? Status{} : Status{state_internal::error_of(status, "write the row file \"" + path_ + "\"")};
  }

  FileSystem& files_;
  std::string path_;
  std::unique_ptr<rocksdb::Env> environment_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
  RowRun kept_back_;
  Bytes last_;             // key written last
  bool created_ = false;
  bool finished_ = false;
};

}  // namespace

Result<std::unique_ptr<RowFileWriter>> create_row_file(FileSystem& files, const std::string& path) {
  auto writer = std::make_unique<SstWriter>(files, path);
  TIDEMARK_TRY(writer->open());
  return std::unique_ptr<RowFileWriter>{std::move(writer)};
}

Result<RowFile> write_row_file(FileSystem& files, const std::string& path, const RowRun& run) {
  TIDEMARK_ASSIGN(const auto writer, create_row_file(files, path));
  TIDEMARK_TRY(writer->append(run).status());
  return writer->finish();
}

}  // namespace v0
}  // namespace tidemark

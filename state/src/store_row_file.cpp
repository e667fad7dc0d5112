#include <rocksdb/sst_file_writer.h>

#include <tidemark/core/check.hpp>
#include <tidemark/state/store.hpp>

#include "src/store_environment.hpp"
#include "src/store_options.hpp"
#include "src/store_rows.hpp"

namespace tidemark {
inline namespace v0 {

namespace {

rocksdb::Status add_rows(rocksdb::SstFileWriter& writer, const RowRun& run) {
  rocksdb::Status status;
  state_internal::each_in_order(run, [&](const StoredRow& row) {
    const rocksdb::Slice key{row.key().data(), row.key().size()};
    status = row.tombstone() ? writer.Delete(key) : writer.Put(key, {row.value().data(), row.value().size()});
    return status.ok();
  });
  return status;
}

}  // namespace

Result<StoredFile> write_row_file(FileSystem& files, const std::string& path, RowRun run) {
  TIDEMARK_CHECK(run.rows() > 0, "a row file without rows: " + path);
  const std::unique_ptr<rocksdb::Env> environment =
      state_internal::make_environment(files, std::make_shared<state_internal::ReadFailures>());
  rocksdb::ExternalSstFileInfo info;
  rocksdb::Status status;
  bool created = false;
  {
    // Done with the environment, and with the file, before either goes.
    rocksdb::SstFileWriter writer{rocksdb::EnvOptions{}, state_internal::row_file_options(environment.get()), nullptr, false};
    status = writer.Open(path);
    created = status.ok();
    if (status.ok()) status = add_rows(writer, run);
    if (status.ok()) status = writer.Finish(&info);   // syncs and closes
  }
  StoredFile stored{file_name(path), info.file_size, 0};
  if (status.ok() && !state_internal::take_file_checksum(info.file_checksum_func_name, info.file_checksum, stored.checksum)) {
    status = rocksdb::Status::Aborted("no checksum was made");
  }
  if (status.ok()) return stored;
  if (created) (void)files.remove_file(path).ok();
  return state_internal::error_of(status, "write the row file \"" + path + "\"");
}

}  // namespace v0
}  // namespace tidemark

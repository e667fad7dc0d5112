#pragma once
// The checkpoints of one job on disk: the I/O edge of this module. What to do is decided elsewhere (coordinator.hpp, recovery.hpp,
// retention.hpp).
//
// Reading needs no ownership and never writes, so that tools may look at a running job. Writing needs a CheckpointStore, which holds the
// directory's lock. Thread rule: one CheckpointStore is used by one strand at a time; the free functions by any thread. Errors:
// kStorageFailed, kDirectoryInUse, kDirectoryUnsafe, kCheckpointCorrupt, kCheckpointFailed; each names the path.

#include <memory>
#include <string>
#include <vector>

#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/checkpoint/manifest.hpp>
#include <tidemark/checkpoint/recovery.hpp>
#include <tidemark/checkpoint/retention.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {

// What the directory holds. An absent directory has no facts. Damaged manifests are facts, not errors.
Result<DirectoryFacts> read_state_directory(FileSystem& files, const std::string& directory);
// kCheckpointCorrupt also if the manifest is another checkpoint's, or absent.
Result<Manifest> load_manifest(FileSystem& files, const std::string& directory, CheckpointId id);
// The directory of the savepoint with that label in a state directory. kRestoreRefused, with those that there are, if it is not there.
Result<std::string> find_savepoint(FileSystem& files, const std::string& directory, const std::string& label);
// The manifest of a checkpoint or savepoint whose directory may lie anywhere, copied or not. kRestoreRefused if there is none.
Result<Manifest> load_manifest_in(FileSystem& files, const std::string& checkpoint_directory);
// Presence and size of every file: what must hold before the first record. Quick.
Status check_checkpoint_in(FileSystem& files, const std::string& checkpoint_directory, const Manifest& manifest);
// Every byte of every file.
Status verify_checkpoint_in(FileSystem& files, const std::string& checkpoint_directory, const Manifest& manifest);

class CheckpointStore {
 public:
  // Takes the one ownership of `directory`, made if absent, for the life of the object, and probes that it can be written to, synced and
  // renamed in. With no byte changed: kDirectoryInUse if anyone else owns it, kDirectoryUnsafe if others than the user of this process
  // could write to it (FileSystem::lock).
  static Result<std::unique_ptr<CheckpointStore>> open(FileSystem& files, std::string directory);
  ~CheckpointStore();
  CheckpointStore(const CheckpointStore&) = delete;
  CheckpointStore& operator=(const CheckpointStore&) = delete;

  const std::string& directory() const { return directory_; }
  // What only the owner knows is there as well: whether the directory was copied.
  Result<DirectoryFacts> read() const;

  // The first change of a start that restores a checkpoint, when nothing refuses it any more: from now on, durably, no start in this
  // directory begins afresh unasked, also where what was restored lies elsewhere and the process ends before the first checkpoint here.
  Status mark_lineage(CheckpointId restored, const std::string& job, const std::string& lineage);
  // The first change of any other start. Makes the live directory of an attempt, durable, with an empty rows/ in it; its store/ is made by
  // create_store or restore_store.
  Status make_live(AttemptId attempt);
  // After make_live. Makes the directory of a checkpoint, durable, and returns the path of its empty store/ for StateStore::link_into.
  Result<std::string> begin(CheckpointId id);

  // How publishing ended. A checkpoint that is kUnknown must be neither deleted nor counted on: only recovery may say what holds.
  enum class Published : std::uint8_t { kYes, kNo, kUnknown };
  struct PublishOutcome {
    Published published{};
    Status status;   // an error unless kYes
  };
  // Publishes the manifest of a begun checkpoint whose files are all durable. kYes: it survives any crash from now on.
  PublishOutcome publish(const Manifest& manifest);

  // Whether a savepoint may get this name: kBadName if it is no name, or taken.
  Status check_label(const std::string& label) const;
  // Keeps a complete checkpoint under a name that check_label allows: its files by hard links (copies where there are none), in a directory
  // of its own that is published whole (R1). After an error there is no such savepoint, or, if only the last step failed, possibly a
  // complete one.
  Status keep(CheckpointId id, const std::string& label);

  // Removes a checkpoint, manifest first, so that at no instant it looks complete and is not. Absent: success.
  Status remove(CheckpointId id);
  // Removes the directory of a checkpoint that was given up. Refuses (kCheckpointFailed) if it has a manifest.
  Status discard(CheckpointId id);
  Status remove_live(AttemptId attempt);
  // remove and remove_live of all; goes on after an error and returns the first.
  Status remove_all(const Deletions& deletions);

 private:
  CheckpointStore(FileSystem& files, std::string directory, std::unique_ptr<DirectoryLock> lock);
  // What PLACE says where the newest checkpoint was taken here.
  Bytes place() const;
  // The files of a checkpoint in a new directory `to`, durable but for its name.
  Status link_checkpoint(CheckpointId id, const std::string& to);

  FileSystem& files_;
  std::string directory_;
  std::unique_ptr<DirectoryLock> lock_;
  bool lineage_marked_ = false;
  bool in_place_ = false;
};

}  // namespace v0
}  // namespace tidemark

// Z6: a directory of checkpoints with damage of any kind is refused with the place, or holds the rows that it held (R2, R3, S11, faults
// F15-F19, promise 7). First as what is copied or imported is read, every byte verified; then as a restart in place reads row files, whose
// blocks are verified when they are read.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

#include <tidemark/checkpoint/checkpoint_store.hpp>

#include "fuzz.hpp"

namespace tidemark::fuzz {
namespace {

namespace fs = std::filesystem;

using Rows = Bytes;

Bytes contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Key and value of each row in turn; whether they are the same is all that is asked of them.
Result<Rows> rows_of(const std::string& checkpoint, const Manifest& manifest) {
  TIDEMARK_ASSIGN(const auto stored,
                  open_stored_rows(posix_file_system(), store_in(checkpoint), manifest.files, dropped_rows(manifest), {}));
  Rows rows;
  TIDEMARK_TRY(stored->scan("", [&](ByteView key, ByteView value) {
    append_sized(rows, key);
    append_sized(rows, value);
    return Status{};
  }));
  return rows;
}

// The state directory of the newest golden release: as it was, and a copy to be damaged.
class World {
 public:
  World() : copy_(fs::temp_directory_path() / ("tidemark-fuzz-" + std::to_string(::getpid()))) {
    fs::remove_all(copy_);
    fs::copy(kPristine, copy_, fs::copy_options::recursive);
    for (const auto& entry : fs::recursive_directory_iterator(kPristine)) {
      if (entry.is_regular_file()) files_.push_back(fs::relative(entry.path(), kPristine));
    }
    std::sort(files_.begin(), files_.end());
    const auto facts = read_state_directory(posix_file_system(), copy_);
    require(facts.ok() && facts->checkpoints.size() == 2, "the golden directory has two checkpoints");
    for (const FoundCheckpoint& found : facts->checkpoints) {
      const auto rows = rows_of(checkpoint_path(copy_, found.id), *found.manifest);
      require(rows.ok() && !rows->empty(), "the golden directory has rows");
      rows_[found.id] = *rows;
    }
  }
  ~World() { fs::remove_all(copy_); }

  std::string directory() const { return copy_; }
  const Rows& rows(CheckpointId id) const { return rows_.at(id); }

  // Returns whether a row file is all that was changed, and only in its contents.
  bool damage(Choices& choices) {
    const fs::path& file = files_[choices.below(files_.size())];
    const fs::path path = copy_ / file;
    if (std::find(damaged_.begin(), damaged_.end(), file) != damaged_.end()) return false;   // once is enough
    Bytes bytes = contents(kPristine / file);
    const std::size_t at = choices.below(bytes.size() * 257) % bytes.size();   // of any file a byte anywhere, by one number
    damaged_.push_back(file);
    switch (choices.below(7)) {
      case 0: fs::remove(path); return false;
      case 1: bytes.resize(at); break;
      case 2: bytes += choices.text(300); break;
      case 3: bytes = contents(kPristine / files_[choices.below(files_.size())]); break;
      case 4:
        fs::remove(path);
        fs::create_symlink(kPristine / file, path);
        return false;
      case 5: fs::rename(path, path.parent_path() / "000099.sst"); return false;
      default: bytes[at] = static_cast<char>(bytes[at] ^ (1 + choices.below(255))); break;
    }
    fs::remove(path);
    std::ofstream(path, std::ios::binary) << bytes;
    return file.extension() == ".sst";
  }
  void repair() {
    for (const fs::path& file : damaged_) {
      fs::remove((copy_ / file).parent_path() / "000099.sst");
      fs::remove(copy_ / file);
      fs::copy_file(kPristine / file, copy_ / file);
    }
    damaged_.clear();
  }

 private:
  const fs::path kPristine{GOLDEN_STATE};
  fs::path copy_;
  std::vector<fs::path> files_;     // all, in order
  std::vector<fs::path> damaged_;
  std::map<CheckpointId, Rows> rows_;
};

void require_named(const Status& status) {
  require(status.ok() || !status.error().message.empty(), "an error says what is wrong");
}

void recover(const World& world, bool row_files_alone) {
  FileSystem& files = posix_file_system();
  const Result<DirectoryFacts> facts = read_state_directory(files, world.directory());
  require_named(facts.status());
  if (!facts.ok()) return;
  for (const FoundCheckpoint& found : facts->checkpoints) {
    require_named(found.damage);
    if (found.manifest == nullptr) continue;
    const std::string checkpoint = checkpoint_path(world.directory(), found.id);
    const Status verified = verify_checkpoint_in(files, checkpoint, *found.manifest);
    require_named(verified);
    if (!verified.ok() && !(row_files_alone && check_checkpoint_in(files, checkpoint, *found.manifest).ok())) continue;
    const Result<Rows> rows = rows_of(checkpoint, *found.manifest);
    require_named(rows.status());
    require(rows.ok() || !verified.ok(), "what was verified can be read");
    require(!rows.ok() || *rows == world.rows(found.id), "what is read is what was written");
  }
}

}  // namespace

void run(ByteView input) {
  static World world;
  Choices choices{input};
  bool row_files_alone = true;
  do {
    row_files_alone = world.damage(choices) && row_files_alone;
  } while (choices.below(3) == 2 && !choices.ended());
  recover(world, row_files_alone);
  world.repair();
}

}  // namespace tidemark::fuzz

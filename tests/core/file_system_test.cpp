#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <tidemark/core/check.hpp>
#include <tidemark/core/file_system.hpp>

#include "support/recording_file_system.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::test_support;

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

FileSystem& disk() { return posix_file_system(); }

void write(const std::string& path, ByteView contents) {
  auto file = disk().create(path);
  ASSERT_TRUE(file.ok()) << file.error().describe();
  ASSERT_TRUE((*file)->append(contents).ok());
  ASSERT_TRUE((*file)->close().ok());
}

std::string read(const std::string& path) {
  Result<Bytes> contents = read_file(disk(), path, kNoLimit);
  return contents.ok() ? *contents : "cannot read: " + contents.error().message;
}

FileKind kind(const std::string& path) {
  Result<FileKind> kind = disk().kind(path);
  EXPECT_TRUE(kind.ok());
  return kind.ok() ? *kind : FileKind::kOther;
}

mode_t mode(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0);
  return info.st_mode & 0777;
}

// While it lives, no file of this process grows beyond `bytes`.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit small{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;
  ~SmallFiles() {
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST(PosixFileSystem, MakesFilesAndDirectoriesForTheirOwnerAlone) {   // S10
  const TemporaryDirectory directory;
  write(directory / "file", "contents");
  ASSERT_TRUE(disk().make_directory(directory / "sub").ok());
  EXPECT_EQ(mode(directory / "file"), 0600U);
  EXPECT_EQ(mode(directory / "sub"), 0700U);
  EXPECT_EQ(read(directory / "file"), "contents");
}

TEST(PosixFileSystem, NeverOpensWhatIsThereForWriting) {
  const TemporaryDirectory directory;
  write(directory / "file", "old");
  EXPECT_FALSE(disk().create(directory / "file").ok());
  ASSERT_EQ(::symlink((directory / "elsewhere").c_str(), (directory / "dangling").c_str()), 0);
  EXPECT_FALSE(disk().create(directory / "dangling").ok());
  EXPECT_EQ(read(directory / "file"), "old");
  EXPECT_EQ(kind(directory / "elsewhere"), FileKind::kAbsent);
}

TEST(PosixFileSystem, FollowsNoLinkInTheLastComponent) {
  const TemporaryDirectory directory;
  write(directory / "file", "contents");
  ASSERT_TRUE(disk().make_directory(directory / "sub").ok());
  ASSERT_EQ(::symlink("file", (directory / "link").c_str()), 0);
  ASSERT_EQ(::symlink("sub", (directory / "directory-link").c_str()), 0);
  EXPECT_FALSE(disk().open(directory / "link").ok());
  EXPECT_FALSE(disk().list(directory / "directory-link").ok());
  EXPECT_FALSE(disk().sync_directory(directory / "directory-link").ok());
  EXPECT_FALSE(disk().lock(directory / "link").ok());
  EXPECT_EQ(kind(directory / "link"), FileKind::kSymlink);
}

TEST(PosixFileSystem, OpensOnlyFilesAndDoesNotHangOnAPipe) {
  const TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_FALSE(disk().open(directory / "pipe").ok());
  EXPECT_FALSE(disk().open(directory.path()).ok());
  EXPECT_FALSE(disk().open(directory / "absent").ok());
}

TEST(PosixFileSystem, ReadsAtAnyOffset) {
  const TemporaryDirectory directory;
  write(directory / "file", "0123456789");
  const auto file = disk().open(directory / "file");
  ASSERT_TRUE(file.ok());
  char buffer[4] = {};
  EXPECT_EQ(*(*file)->size(), 10U);
  EXPECT_EQ(*(*file)->read_at(3, buffer, 4), 4U);
  EXPECT_EQ(std::string(buffer, 4), "3456");
  EXPECT_EQ(*(*file)->read_at(8, buffer, 4), 2U);
  EXPECT_EQ(*(*file)->read_at(10, buffer, 4), 0U);
  EXPECT_EQ(*(*file)->read_at(99, buffer, 4), 0U);
}

TEST(PosixFileSystem, RenamesOverAFileOrRefusesTo) {
  const TemporaryDirectory directory;
  write(directory / "a", "a");
  write(directory / "b", "b");
  EXPECT_FALSE(disk().rename_new(directory / "a", directory / "b").ok());
  EXPECT_EQ(read(directory / "b"), "b");
  EXPECT_TRUE(disk().rename(directory / "a", directory / "b").ok());
  EXPECT_EQ(read(directory / "b"), "a");
  EXPECT_TRUE(disk().rename_new(directory / "b", directory / "c").ok());
  EXPECT_EQ(kind(directory / "b"), FileKind::kAbsent);
  EXPECT_TRUE(disk().link(directory / "c", directory / "d").ok());
  EXPECT_FALSE(disk().link(directory / "c", directory / "d").ok());
  EXPECT_EQ(read(directory / "d"), "a");
  EXPECT_TRUE(disk().remove_file(directory / "c").ok());
  EXPECT_FALSE(disk().remove_file(directory / "c").ok());
}

TEST(PosixFileSystem, ListsByName) {
  const TemporaryDirectory directory;
  write(directory / "b", "");
  write(directory / ".hidden", "");
  ASSERT_TRUE(disk().make_directory(directory / "a").ok());
  ASSERT_EQ(::symlink("a", (directory / "c").c_str()), 0);
  const auto entries = disk().list(directory.path());
  ASSERT_TRUE(entries.ok());
  std::vector<std::pair<std::string, FileKind>> seen;
  for (const DirectoryEntry& entry : *entries) seen.emplace_back(entry.name, entry.kind);
  EXPECT_EQ(seen, (std::vector<std::pair<std::string, FileKind>>{{".hidden", FileKind::kFile},
                                                                 {"a", FileKind::kDirectory},
                                                                 {"b", FileKind::kFile},
                                                                 {"c", FileKind::kSymlink}}));
  EXPECT_FALSE(disk().remove_directory(directory.path()).ok()) << "it is not empty";
}

TEST(PosixFileSystem, NamesThePathTheOperationAndTheReason) {
  const TemporaryDirectory directory;
  const auto file = disk().open(directory / "absent");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, ErrorCode::kStorageFailed);
  EXPECT_EQ(file.error().message, "cannot open \"" + directory / "absent" + "\": No such file or directory (ENOENT)");
}

// A limit on the size of files makes the write fail; the first failure is the answer to all that follows (R1).
TEST(PosixFileSystem, GivesAFileUpAfterItsFirstFailure) {
  const TemporaryDirectory directory;
  const auto file = disk().create(directory / "file");
  ASSERT_TRUE(file.ok());
  const SmallFiles limit{4};
  const Status failed = (*file)->append("too long");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().message, "cannot write \"" + directory / "file" + "\": File too large (EFBIG)");
  EXPECT_FALSE((*file)->append("").ok());
  EXPECT_FALSE((*file)->sync().ok());
  const Status closed = (*file)->close();
  ASSERT_FALSE(closed.ok());
  EXPECT_EQ(closed.error().message, failed.error().message);
}

TEST(PosixFileSystem, TreatsUseAfterCloseAsADefect) {
  const TemporaryDirectory directory;
  const auto file = disk().create(directory / "file");
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->close().ok());
  EXPECT_THROW((void)(*file)->append("x").ok(), BrokenInvariant);
  EXPECT_THROW((void)(*file)->sync().ok(), BrokenInvariant);
  EXPECT_THROW((void)(*file)->close().ok(), BrokenInvariant);
}

TEST(ReadFile, RefusesAFileAboveItsLimitBeforeReadingIt) {
  const TemporaryDirectory directory;
  write(directory / "file", "12345");
  RecordingFileSystem files{disk()};
  EXPECT_TRUE(read_file(files, directory / "file", 5).ok());
  RecordingFileSystem again{disk()};
  EXPECT_FALSE(read_file(again, directory / "file", 4).ok());
  EXPECT_EQ(again.steps(), (std::vector<std::string>{"open " + directory / "file", "size " + directory / "file"}));
}

TEST(RemoveTree, RemovesEverythingButWhatLinksPointTo) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(make_directories(disk(), directory / "tree/a/b").ok());
  write(directory / "tree/a/b/file", "x");
  ASSERT_TRUE(disk().make_directory(directory / "outside").ok());
  write(directory / "outside/kept", "kept");
  ASSERT_EQ(::symlink("../outside", (directory / "tree/link").c_str()), 0);
  EXPECT_TRUE(remove_tree(disk(), directory / "tree").ok());
  EXPECT_EQ(kind(directory / "tree"), FileKind::kAbsent);
  EXPECT_EQ(read(directory / "outside/kept"), "kept");
  EXPECT_TRUE(remove_tree(disk(), directory / "tree").ok()) << "absent is success";
}

TEST(MakeDirectories, SyncsTheParentOfEachThatItMakesAndThatOfTheLastInAnyCase) {
  const TemporaryDirectory directory;
  RecordingFileSystem files{disk()};
  ASSERT_TRUE(make_directories(files, directory / "a/b/").ok());
  EXPECT_EQ(files.changes(),
            (std::vector<std::string>{"sync_directory " + parent_path(directory.path()), "make_directory " + directory / "a",
                                      "sync_directory " + directory.path(), "make_directory " + directory / "a/b",
                                      "sync_directory " + directory / "a"}));
  RecordingFileSystem again{disk()};
  ASSERT_TRUE(make_directories(again, directory / "a/b").ok());
  EXPECT_EQ(again.changes(), std::vector<std::string>{"sync_directory " + directory / "a"});
}

TEST(MakeDirectories, FollowsALinkAmongTheParentsButNotAtTheEnd) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(disk().make_directory(directory / "real").ok());
  ASSERT_EQ(::symlink("real", (directory / "link").c_str()), 0);
  EXPECT_TRUE(make_directories(disk(), directory / "link/a/b").ok());
  EXPECT_TRUE(make_directories(disk(), directory / "link/a").ok());
  EXPECT_EQ(kind(directory / "real/a/b"), FileKind::kDirectory);
  EXPECT_FALSE(make_directories(disk(), directory / "link").ok());
  write(directory / "file", "");
  EXPECT_FALSE(make_directories(disk(), directory / "file").ok());
  EXPECT_FALSE(make_directories(disk(), directory / "file/a").ok());
}

TEST(Paths, AreJoinedAndTakenApart) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("/", "b"), "/b");
  EXPECT_EQ(join_path("", "b"), "b");
  struct Case {
    std::string path, parent, name;
  };
  for (const Case& example : std::vector<Case>{{"a/b", "a", "b"}, {"a/b/", "a", "b"}, {"a", ".", "a"}, {"/a", "/", "a"}, {"/", "/", ""},
                                               {"/a/b", "/a", "b"}, {"a//b", "a", "b"}, {".", ".", "."}}) {
    EXPECT_EQ(parent_path(example.path), example.parent) << example.path;
    EXPECT_EQ(file_name(example.path), example.name) << example.path;
  }
}

}  // namespace

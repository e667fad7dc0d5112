#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <tidemark/core/file_system.hpp>

#include "support/temporary_directory.hpp"

namespace {

using namespace tidemark;
using namespace tidemark::test_support;

FileSystem& disk() { return posix_file_system(); }

// Runs `action` in a child process. Its answer is the child's exit code.
template <class Action>
int in_child(Action action) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(action());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Runs in a program of its own, since a forked child inherits the parent's table of locks: 0 if it got the lock, 1 if it is in use.
int lock_in_another_process(const std::string& path) {
  const std::string command = "flock --nonblock --conflict-exit-code 1 '" + path + "' true";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool is_in_use(const Result<std::unique_ptr<DirectoryLock>>& lock, const std::string& holder) {
  return !lock.ok() && lock.error().code == ErrorCode::kDirectoryInUse && lock.error().facts.at(1).second == holder;
}

TEST(DirectoryLock, ExcludesASecondRuntimeOfTheSameProcessAlsoByAnotherName) {
  const TemporaryDirectory directory;
  auto lock = disk().lock(directory / "lock");
  ASSERT_TRUE(lock.ok()) << lock.error().describe();
  EXPECT_TRUE(is_in_use(disk().lock(directory / "lock"), "another runtime in this process"));
  EXPECT_TRUE(is_in_use(disk().lock(directory / "./lock"), "another runtime in this process"));
  EXPECT_TRUE(is_in_use(disk().lock(directory / "lock"), "another runtime in this process")) << "a refusal must not give the lock up";
  (*lock).reset();
  EXPECT_TRUE(disk().lock(directory / "lock").ok());
  EXPECT_TRUE(disk().lock(directory / "lock").ok()) << "and again, since the one before is gone";
}

// Why a lock in `directory` is refused; no file was made there.
Error refusal_in(const std::string& directory) {
  const auto lock = disk().lock(join_path(directory, "lock"));
  EXPECT_FALSE(lock.ok()) << directory;
  EXPECT_EQ(*disk().kind(join_path(directory, "lock")), FileKind::kAbsent);
  return lock.ok() ? Error{} : lock.error();
}

// S10
TEST(DirectoryLock, RefusesADirectoryThatGroupOrOthersMayWriteAndSaysHowToMendIt) {
  const TemporaryDirectory directory;
  for (const mode_t mode : {0720U, 0775U, 0702U, 0777U, 01777U}) {
    ASSERT_EQ(::chmod(directory.path().c_str(), mode), 0);
    const Error error = refusal_in(directory.path());
    EXPECT_EQ(error.code, ErrorCode::kDirectoryUnsafe);
    EXPECT_EQ(error.fix, "chmod go-w \"" + directory.path() + "\"");
    EXPECT_FALSE(error.why.empty());
  }
  ASSERT_EQ(std::system(("chmod go-w '" + directory.path() + "'").c_str()), 0);
  EXPECT_TRUE(disk().lock(directory / "lock").ok()) << "what the error advises helps";
}

TEST(DirectoryLock, TakesADirectoryThatOthersMayOnlyRead) {   // S10
  const TemporaryDirectory directory;
  for (const mode_t mode : {0700U, 0750U, 0755U}) {
    ASSERT_EQ(::chmod(directory.path().c_str(), mode), 0);
    EXPECT_TRUE(disk().lock(directory / "lock").ok()) << mode;
  }
}

// S10. For root as well, whom no permission would stop.
TEST(DirectoryLock, RefusesADirectoryOfAnotherUserAlsoForRoot) {
  const TemporaryDirectory directory;
  const std::string self = std::to_string(::geteuid());
  const bool root = ::geteuid() == 0;
  const std::string foreign = root ? directory.path() : "/";   // nobody else may give a directory away
  if (root) {
    ASSERT_EQ(::chown(foreign.c_str(), 12345, 12345), 0);
  }
  const Error error = refusal_in(foreign);
  EXPECT_EQ(error.code, ErrorCode::kDirectoryUnsafe);
  EXPECT_EQ(error.facts.at(0).second, root ? "user 12345, mode 0700" : "user 0, mode 0755");
  EXPECT_EQ(error.facts.at(1).second, "user " + self);
  EXPECT_EQ(error.fix, "chown -R " + self + " \"" + foreign + "\", or start as the user who owns it");
  if (!root) return;
  ASSERT_EQ(::chmod(foreign.c_str(), 0775), 0);
  EXPECT_EQ(refusal_in(foreign).fix, "chmod go-w \"" + foreign + "\" and chown -R 0 \"" + foreign + "\", or start as the user who owns it");
}

TEST(DirectoryLock, OfOneDirectoryLeavesOthersAlone) {
  const TemporaryDirectory directory;
  const auto first = disk().lock(directory / "first");
  const auto second = disk().lock(directory / "second");
  EXPECT_TRUE(first.ok());
  EXPECT_TRUE(second.ok());
}

TEST(DirectoryLock, F09ExcludesOtherProcesses) {
  const TemporaryDirectory directory;
  {
    const auto lock = disk().lock(directory / "lock");
    ASSERT_TRUE(lock.ok());
    EXPECT_EQ(lock_in_another_process(directory / "lock"), 1);
    EXPECT_EQ(in_child([&] { return disk().lock(directory / "lock").ok() ? 0 : 1; }), 1);
  }
  EXPECT_EQ(lock_in_another_process(directory / "lock"), 0);
}

TEST(DirectoryLock, SeesThatAnotherProcessHoldsItAndChangesNothing) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(disk().lock(directory / "lock").ok());   // makes the file
  int ready[2];
  int done[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(done[1]);
    const auto lock = disk().lock(directory / "lock");
    char answer = lock.ok() ? 'y' : 'n';
    if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
    (void)!::read(done[0], &answer, 1);   // until the parent closes its end
    ::_exit(0);                           // without destructors, as a killed process ends
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_TRUE(is_in_use(disk().lock(directory / "lock"), "another process"));
  for (const int end : {ready[0], ready[1], done[0], done[1]}) ::close(end);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(disk().lock(directory / "lock").ok()) << "the operating system gives it up with the process";
}

// The host may fork while a job runs. A child without exec shares the descriptor and must not keep the directory locked.
TEST(DirectoryLock, F50IsNotKeptByAChildThatOutlivesIt) {
  const TemporaryDirectory directory;
  auto lock = disk().lock(directory / "lock");
  ASSERT_TRUE(lock.ok());
  int done[2];
  ASSERT_EQ(::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(done[1]);
    char byte = 0;
    (void)!::read(done[0], &byte, 1);
    ::_exit(0);
  }
  (*lock).reset();
  EXPECT_EQ(lock_in_another_process(directory / "lock"), 0);
  EXPECT_TRUE(disk().lock(directory / "lock").ok());
  ::close(done[0]);
  ::close(done[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
}

// By whatever was preserved: a copy is another file, and its inode has changed at another time.
TEST(DirectoryLock, IsToldFromItsCopiesAndKnownAgainWhereItsDirectoryWasMoved) {
  const TemporaryDirectory directory;
  const auto identity = [&](const std::string& path) {
    const auto lock = disk().lock(directory / path);
    return lock.ok() ? (*lock)->identity() : "no lock";
  };
  ASSERT_TRUE(disk().make_directory(directory / "a").ok());
  const std::string first = identity("a/lock");
  EXPECT_EQ(identity("a/lock"), first);
  ASSERT_EQ(std::system(("cp -a '" + directory / "a" + "' '" + directory / "copy" + "'").c_str()), 0);
  EXPECT_NE(identity("copy/lock"), first);
  ASSERT_TRUE(disk().rename(directory / "a", directory / "moved").ok());
  EXPECT_EQ(identity("moved/lock"), first);
  ASSERT_EQ(std::system(("cp -al '" + directory / "moved" + "' '" + directory / "links" + "'").c_str()), 0);
  EXPECT_NE(identity("links/lock"), first);
}

TEST(DirectoryLock, IsRefusedWithTheRemedy) {
  const TemporaryDirectory directory;
  const auto held = disk().lock(directory / "lock");
  const auto refused = disk().lock(directory / "lock");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "the directory \"" + directory.path() + "\" is in use");
  EXPECT_FALSE(refused.error().fix.empty());
}

}  // namespace

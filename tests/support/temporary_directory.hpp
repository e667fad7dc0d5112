#pragma once
// A fresh directory for one test, removed with all that is in it.

#include <string>

#include <gtest/gtest.h>

#include <tidemark/core/file_system.hpp>
#include <tidemark/core/random.hpp>

namespace tidemark::test_support {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(join_path(::testing::TempDir(), "tidemark-" + std::to_string(system_random().next()))) {
    const Status made = posix_file_system().make_directory(path_);
    EXPECT_TRUE(made.ok()) << made.error().describe();
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { EXPECT_TRUE(remove_tree(posix_file_system(), path_).ok()); }

  const std::string& path() const { return path_; }
  // A path inside.
  std::string operator/(const std::string& name) const { return join_path(path_, name); }

 private:
  std::string path_;
};

}  // namespace tidemark::test_support

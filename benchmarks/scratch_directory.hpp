#pragma once
// A fresh folder for a program's files, which is gone when this is.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include <unistd.h>

class ScratchDirectory {
 public:
  // In `parent`, which is made if need be; its name begins with `program`. Where that cannot be, says so and ends the process.
  ScratchDirectory(const std::string& parent, const std::string& program) {
    std::error_code error;
    std::filesystem::create_directories(parent, error);
    path_ = (std::filesystem::absolute(parent) / (program + ".XXXXXX")).string();
    if (error || ::mkdtemp(path_.data()) == nullptr) {
      std::fprintf(stderr, "%s: cannot make a directory in '%s': choose another with --state\n", program.c_str(), parent.c_str());
      std::exit(2);
    }
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

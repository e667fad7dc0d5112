#pragma once
// A child process, and the folders it works in.

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace tidemark::demo {

// Starts `arguments[0]`; its standard error goes to `log`.
class Child {
 public:
  Child(const std::vector<std::string>& arguments, const std::filesystem::path& log);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The exit code (or 128 + the signal) once it has ended; nothing after `patience`.
  std::optional<int> wait_for(std::chrono::milliseconds patience);
  // SIGKILL. False if it had ended before.
  bool kill();

 private:
  pid_t pid_ = -1;
  std::optional<int> exit_;
};

// A fresh folder below the system's folder for temporary files; removed with the object unless kept.
class Workspace {
 public:
  Workspace();
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  const std::filesystem::path& path() const { return path_; }
  void keep() { keep_ = true; }

 private:
  std::filesystem::path path_;
  bool keep_ = false;
};

}  // namespace tidemark::demo

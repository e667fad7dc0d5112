// The way into a target: libFuzzer's, or where that is not linked a program that runs the target once over each file it is given.

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Exactly as large as the input, so that the address sanitizer sees the first byte behind it.
  const std::vector<char> input(data, data + size);
  tidemark::fuzz::run({input.data(), input.size()});
  return 0;
}

#ifndef TIDEMARK_FUZZ
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kLongest{10};   // for one input; under a sanitizer too

bool replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  // Before the run, so that the last line names the input that ended it.
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);
  const Clock::time_point begun = Clock::now();
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (Clock::now() - begun <= kLongest) return true;
  std::printf("slow\n");
  return false;
}

}  // namespace

int main(int count, char** arguments) {
  std::size_t inputs = 0;
  bool quick = true;
  for (int i = 1; i < count; ++i) {
    if (std::filesystem::is_regular_file(arguments[i])) {
      quick = replay(arguments[i]) && quick;
      ++inputs;
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(arguments[i])) {
      if (!entry.is_regular_file()) continue;
      quick = replay(entry.path()) && quick;
      ++inputs;
    }
  }
  std::printf("%zu inputs\n", inputs);
  return quick && inputs > 0 ? 0 : 1;
}
#endif

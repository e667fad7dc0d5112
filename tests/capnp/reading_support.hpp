#pragma once
// What both releases of the schema are tested with.

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include <tidemark/capnp/message.hpp>
#include <tidemark/core/file_system.hpp>

namespace tidemark::capnp_test {

// A file as the other release's program writes it.
inline Bytes golden(const std::string& name) {
  const auto bytes = read_file(posix_file_system(), std::string{GOLDEN_DIRECTORY} + "/" + name, 1 << 20);
  EXPECT_TRUE(bytes.ok()) << bytes.error().describe();
  return bytes.ok() ? *bytes : Bytes{};
}

// With TIDEMARK_WRITE_GOLDEN=DIRECTORY in the environment the file is made there as well, which must not have it.
inline void expect_golden(const Bytes& written, const std::string& name) {
  if (const char* directory = std::getenv("TIDEMARK_WRITE_GOLDEN")) {
    const auto file = posix_file_system().create(std::string{directory} + "/" + name);
    ASSERT_TRUE(file.ok()) << file.error().describe();
    ASSERT_TRUE((*file)->append(written).ok() && (*file)->close().ok());
  }
  EXPECT_EQ(written, golden(name));
}

}  // namespace tidemark::capnp_test

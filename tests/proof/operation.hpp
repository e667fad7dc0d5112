#pragma once
// What a job did to the disk, one operation after the other. Reads are not in it, nor what failed.

#include <cstdint>
#include <string>
#include <vector>

#include <tidemark/core/bytes.hpp>

namespace tidemark::proof {

struct Operation {
  enum class Kind : std::uint8_t {
    kMakeDirectory,
    kCreate,            // the empty file `path`, which `file` means from now on
    kAppend,            // `data` to `file`
    kSync,              // `file`
    kLink,              // `path` also as `to`
    kRename,            // `path` to `to`, which is replaced
    kRemoveFile,
    kRemoveDirectory,
    kSyncDirectory,
  };
  Kind kind{};
  std::string path{};   // below the root of the recording; of an append or a sync, the name under which the file was made
  std::string to{};
  std::uint64_t file = 0;
  Bytes data{};
};

using Log = std::vector<Operation>;

}  // namespace tidemark::proof

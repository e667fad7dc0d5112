#pragma once
// The threads on which a store compacts: its own, so that they end with it and the host's other stores never wait for them.

#include <memory>

#include <rocksdb/env.h>

namespace tidemark {
inline namespace v0 {
namespace state_internal {

// `environment` with `threads` threads of its own for RocksDB's background work, of lower priority than the job's: what is compacted a
// little later costs nothing, what delays records does. They start with the first work and are joined by the destructor, which the store
// that uses them must not outlive.
std::unique_ptr<rocksdb::Env> with_own_threads(std::unique_ptr<rocksdb::Env> environment, int threads);

}  // namespace state_internal
}  // namespace v0
}  // namespace tidemark

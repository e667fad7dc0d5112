#include <tidemark/core/codec.hpp>

#include <tidemark/core/hash.hpp>

namespace tidemark {
inline namespace v0 {

std::uint64_t schema_fingerprint(std::string_view schema) { return hash_bytes(schema, 0); }

}  // namespace v0
}  // namespace tidemark

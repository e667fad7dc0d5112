#pragma once

namespace tidemark {
inline namespace v0 {

// Of this release; recorded in every manifest.
inline constexpr const char* kVersion = "0.1.0";

}  // namespace v0
}  // namespace tidemark

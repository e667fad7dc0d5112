#include <tidemark/core/secret.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <string.h>

namespace tidemark {
inline namespace v0 {

namespace {

constexpr std::string_view kFile = "file:";
constexpr std::string_view kEnvironment = "env:";

Error unusable(std::string_view reference, const std::string& reason) {
  return Error{.code = ErrorCode::kBadConfiguration,
               .message = "the secret \"" + std::string(reference) + "\" cannot be used: " + reason,
               .facts = {},
               .why = "",
               .fix = "put it into that place, alone, with at most " + std::to_string(kLongestSecret) + " bytes"};
}

Status check_size(std::string_view reference, std::uint64_t size) {
  if (size == 0) return unusable(reference, "it is empty");
  if (size > kLongestSecret) return unusable(reference, "it has " + std::to_string(size) + " bytes");
  return {};
}

}  // namespace

Result<Secret> Secret::from(FileSystem& files, std::string_view reference) {
  if (reference.starts_with(kEnvironment)) {
    const char* const value = std::getenv(std::string(reference.substr(kEnvironment.size())).c_str());
    if (value == nullptr) return unusable(reference, "there is no such variable");
    const std::string_view bytes{value};
    TIDEMARK_TRY(check_size(reference, bytes.size()));
    Secret secret{bytes.size()};
    std::copy(bytes.begin(), bytes.end(), secret.bytes_.get());
    return secret;
  }
  if (!reference.starts_with(kFile)) {
    return Error{.code = ErrorCode::kBadConfiguration,
                 .message = "a secret is not given as a reference",
                 .facts = {},
                 .why = "whatever is written out shows in lists of processes and in histories of shells and configurations",
                 .fix = "give \"file:PATH\" or \"env:NAME\", where it lies"};
  }
  const auto file = files.open(std::string(reference.substr(kFile.size())));
  if (!file.ok()) return unusable(reference, file.error().message);
  TIDEMARK_ASSIGN(const std::uint64_t size, (*file)->size());
  TIDEMARK_TRY(check_size(reference, size));
  Secret secret{static_cast<std::size_t>(size)};
  TIDEMARK_ASSIGN(secret.size_, (*file)->read_at(0, secret.bytes_.get(), secret.size_));
  if (secret.size_ > 0 && secret.reveal().back() == '\n') --secret.size_;
  TIDEMARK_TRY(check_size(reference, secret.size_));
  return secret;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  bytes_ = std::move(other.bytes_);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

Secret::~Secret() { wipe(); }

void Secret::wipe() noexcept {
  if (bytes_ != nullptr) ::explicit_bzero(bytes_.get(), size_);   // which no compiler leaves out
}

bool Secret::matches(ByteView candidate) const {
  if (candidate.size() != size_) return false;
  volatile unsigned char difference = 0;   // volatile: no compiler may end the loop early
  for (std::size_t i = 0; i < size_; ++i) difference = difference | static_cast<unsigned char>(bytes_[i] ^ candidate[i]);
  return difference == 0;
}

}  // namespace v0
}  // namespace tidemark

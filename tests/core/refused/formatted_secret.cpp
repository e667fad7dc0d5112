#include <fmt/format.h>

#include <tidemark/core/secret.hpp>

std::string text_of(const tidemark::Secret& secret) { return fmt::format("{}", secret); }

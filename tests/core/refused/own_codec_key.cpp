#include <string>

#include <tidemark/core/codec.hpp>

class Name {
 public:
  explicit Name(std::string text = {}) : text_(text) {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

template <>
struct tidemark::Codec<Name> {
  static void encode(const Name& name, Bytes& out) { append_sized(out, name.text()); }
  [[nodiscard]] static bool decode(ByteView& in, Name& name) {
    ByteView text;
    if (!take_sized(in, text)) return false;
    name = Name{std::string{text}};
    return true;
  }
  static std::string schema() { return "name"; }
};

void use() { tidemark::core_internal::require_key<Name>(); }

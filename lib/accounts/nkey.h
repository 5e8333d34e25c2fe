#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sealane {

// An Ed25519 key pair as NATS writes it (github.com/nats-io/nkeys): base32 of a type prefix, the
// key and a CRC-16. Thread rule: immutable.
class NKey {
 public:
  enum class Type { kOperator, kAccount, kUser };

  // From OpenSSL's random source. INTERNAL when that fails.
  [[nodiscard]] static absl::StatusOr<NKey> Generate(Type type);
  // "SO...", "SA...", "SU...". INVALID_ARGUMENT says what is wrong with it, without its text.
  [[nodiscard]] static absl::StatusOr<NKey> FromSeed(std::string_view seed);

  [[nodiscard]] Type type() const { return type_; }
  // "O...", "A...", "U...".
  [[nodiscard]] const std::string& public_key() const { return public_; }
  // The secret, as FromSeed takes it.
  [[nodiscard]] std::string seed() const;
  // 64 bytes. INTERNAL when OpenSSL fails.
  [[nodiscard]] absl::StatusOr<std::string> Sign(std::string_view message) const;

 private:
  using Raw = std::array<unsigned char, 32>;
  NKey(Type type, const Raw& raw) : type_(type), raw_(raw) {}
  [[nodiscard]] static absl::StatusOr<NKey> FromRaw(Type type, const Raw& raw);

  Type type_;
  Raw raw_;
  std::string public_;
};

// RFC 4648 base32 without padding.
[[nodiscard]] std::string Base32(std::string_view bytes);

}  // namespace sealane

#include "lib/accounts/nkey.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr unsigned kSeedPrefix = 18 << 3;  // 'S'

// The first character of a public key, as a prefix byte.
unsigned PrefixOf(NKey::Type type) {
  switch (type) {
    case NKey::Type::kOperator:
      return 14 << 3;  // 'O'
    case NKey::Type::kAccount:
      return 0;  // 'A'
    case NKey::Type::kUser:
      break;
  }
  return 20 << 3;  // 'U'
}

// CRC-16/XMODEM.
uint16_t Crc16(std::string_view bytes) {
  unsigned crc = 0;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
    }
  }
  return static_cast<uint16_t>(crc & 0xffff);
}

std::string WithChecksum(std::string bytes) {
  const uint16_t crc = Crc16(bytes);
  bytes.push_back(static_cast<char>(crc & 0xff));
  bytes.push_back(static_cast<char>(crc >> 8));
  return Base32(bytes);
}

std::optional<std::string> FromBase32(std::string_view text) {
  std::string bytes;
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    buffer = (buffer << 5) | static_cast<unsigned>(value);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<char>((buffer >> bits) & 0xff));
    }
  }
  return bytes;
}

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

template <typename Raw>
std::unique_ptr<EVP_PKEY, FreeKey> OpensslKey(const Raw& raw) {
  return std::unique_ptr<EVP_PKEY, FreeKey>(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw.data(), raw.size()));
}

}  // namespace

std::string Base32(std::string_view bytes) {
  std::string out;
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : bytes) {
    buffer = (buffer << 8) | static_cast<unsigned char>(c);
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out.push_back(kAlphabet[(buffer >> bits) & 31]);
    }
  }
  if (bits > 0) out.push_back(kAlphabet[(buffer << (5 - bits)) & 31]);
  return out;
}

absl::StatusOr<NKey> NKey::FromRaw(Type type, const Raw& raw) {
  NKey key(type, raw);
  const auto pair = OpensslKey(raw);
  Raw shared{};
  size_t size = shared.size();
  if (pair == nullptr || EVP_PKEY_get_raw_public_key(pair.get(), shared.data(), &size) != 1) {
    return Internal("OpenSSL cannot make an Ed25519 key");
  }
  std::string bytes(1, static_cast<char>(PrefixOf(type)));
  bytes.append(shared.begin(), shared.end());
  key.public_ = WithChecksum(std::move(bytes));
  return key;
}

absl::StatusOr<NKey> NKey::Generate(Type type) {
  Raw raw{};
  if (RAND_bytes(raw.data(), static_cast<int>(raw.size())) != 1) {
    return Internal("OpenSSL has no random bytes");
  }
  return FromRaw(type, raw);
}

absl::StatusOr<NKey> NKey::FromSeed(std::string_view seed) {
  const std::optional<std::string> bytes = FromBase32(seed);
  if (!bytes.has_value() || bytes->size() != 2 + 32 + 2) {
    return InvalidArgument("not a seed: expected 58 characters of base32");
  }
  if (WithChecksum(bytes->substr(0, 34)) != seed) {
    return InvalidArgument("not a seed: the checksum is wrong");
  }
  const auto first = static_cast<unsigned char>((*bytes)[0]);
  const auto second = static_cast<unsigned char>((*bytes)[1]);
  const unsigned prefix = ((first & 7U) << 5) | (second >> 3);
  Raw raw{};
  std::copy_n(bytes->begin() + 2, raw.size(), raw.begin());
  if ((first & 0xf8U) == kSeedPrefix) {
    for (const Type type : {Type::kOperator, Type::kAccount, Type::kUser}) {
      if (PrefixOf(type) == prefix) return FromRaw(type, raw);
    }
  }
  return InvalidArgument("not the seed of an operator, account or user");
}

std::string NKey::seed() const {
  const unsigned prefix = PrefixOf(type_);
  std::string bytes;
  bytes.push_back(static_cast<char>(kSeedPrefix | (prefix >> 5)));
  bytes.push_back(static_cast<char>((prefix & 31) << 3));
  bytes.append(raw_.begin(), raw_.end());
  return WithChecksum(std::move(bytes));
}

absl::StatusOr<std::string> NKey::Sign(std::string_view message) const {
  const auto pair = OpensslKey(raw_);
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  std::string signature(64, '\0');
  size_t size = signature.size();
  if (pair == nullptr || context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, pair.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     reinterpret_cast<const unsigned char*>(message.data()), message.size()) != 1) {
    return Internal("OpenSSL cannot sign");
  }
  return signature;
}

}  // namespace sealane

#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::kubeauth {

// Keys for tests, made by OpenSSL alone.
class TestKey {
 public:
  static TestKey Rsa(unsigned bits = 2048) { return TestKey(EVP_RSA_gen(bits)); }
  static TestKey Ec(const char* curve = "P-256") { return TestKey(EVP_EC_gen(curve)); }
  ~TestKey() { EVP_PKEY_free(pkey_); }
  TestKey(const TestKey&) = delete;
  TestKey& operator=(const TestKey&) = delete;
  TestKey(TestKey&& other) noexcept : pkey_(std::exchange(other.pkey_, nullptr)) {}

  [[nodiscard]] std::string Pem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, pkey_, nullptr, nullptr, 0, nullptr, nullptr);
    return Drain(bio);
  }
  [[nodiscard]] std::string PublicPem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, pkey_);
    return Drain(bio);
  }
  [[nodiscard]] Json Jwk(const std::string& kid) const {
    Json jwk = {{"kid", kid}, {"use", "sig"}};
    if (EVP_PKEY_get_base_id(pkey_) == EVP_PKEY_RSA) {
      jwk["kty"] = "RSA";
      jwk["n"] = Number(OSSL_PKEY_PARAM_RSA_N, 0);
      jwk["e"] = Number(OSSL_PKEY_PARAM_RSA_E, 0);
    } else {
      const int half = (EVP_PKEY_get_bits(pkey_) + 7) / 8;
      jwk["kty"] = "EC";
      jwk["crv"] = half == 32 ? "P-256" : "P-384";
      jwk["x"] = Number(OSSL_PKEY_PARAM_EC_PUB_X, half);
      jwk["y"] = Number(OSSL_PKEY_PARAM_EC_PUB_Y, half);
    }
    return jwk;
  }
  static std::string Encode(const std::string& bytes) {
    std::string out;
    absl::WebSafeBase64Escape(bytes, &out);
    return out;
  }
  // A token of any header, signed with RSA and SHA-256, whatever the header says.
  [[nodiscard]] std::string SignRsa(const Json& header, const Json& claims) const {
    const std::string text = StrCat(Encode(header.dump()), ".", Encode(claims.dump()));
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, pkey_);
    size_t length = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    EVP_DigestSign(context, nullptr, &length, bytes, text.size());
    std::string signature(length, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &length, bytes,
                   text.size());
    EVP_MD_CTX_free(context);
    signature.resize(length);
    return StrCat(text, ".", Encode(signature));
  }

 private:
  explicit TestKey(EVP_PKEY* pkey) : pkey_(pkey) {}
  static std::string Drain(BIO* bio) {
    char* data = nullptr;
    const auto size = static_cast<size_t>(BIO_get_mem_data(bio, &data));
    std::string out(data, size);
    BIO_free(bio);
    return out;
  }
  [[nodiscard]] std::string Number(const char* name, int width) const {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(pkey_, name, &number);
    const int bytes = std::max(width, BN_num_bytes(number));
    std::string out(static_cast<size_t>(bytes), '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(out.data()), bytes);
    BN_free(number);
    return Encode(out);
  }

  EVP_PKEY* pkey_;
};

}  // namespace sealane::kubeauth

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::kubeauth {

// JSON Web Tokens (RFC 7519) signed with keys of two halves, and nothing else of JOSE:
// RS256/384/512, PS256/384/512 (RSA of 2,048 bits or more), ES256 and ES384. The key decides which
// of these a token may say; shared secrets and "none" do not exist here. All of this is safe from
// any thread.

// A private or public key of OpenSSL, shared. A plain value.
class Key {
 public:
  struct Impl;
  explicit Key(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  [[nodiscard]] const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

// The public keys that a JSON Web Key Set (RFC 7517) names. Immutable.
class KeySet {
 public:
  static constexpr size_t kMaxKeys = 64;
  KeySet() = default;
  // Keys of other kinds or for another use are left out. INVALID_ARGUMENT: no such document, a
  // broken key, too many of them.
  [[nodiscard]] static absl::StatusOr<KeySet> Parse(std::string_view json);
  // The public half of a key, under the name that Sign gives.
  [[nodiscard]] static KeySet Of(const Key& key);

  [[nodiscard]] bool Has(std::string_view kid) const;
  [[nodiscard]] size_t size() const { return keys_.size(); }

 private:
  friend class Verifier;
  struct Entry {
    std::string kid;
    std::string alg;  // the only one it may be used for; empty: any of its kind
    Key key;
  };
  std::vector<Entry> keys_;
};

// A token that could be taken apart, before its signature is looked at: nothing in it is to be
// believed.
struct UnverifiedJwt {
  std::string alg;
  std::string kid;  // empty: not said
  std::shared_ptr<const Json> claims;
  std::string signed_text;
  std::string signature;
};

// INVALID_ARGUMENT: no compact JWS, too long (16 KiB), not strictly base64url or JSON, names twice,
// or with a header that asks for more than a signature (crit, zip, jwk, jku, x5u, x5c, b64).
[[nodiscard]] absl::StatusOr<UnverifiedJwt> TakeApart(std::string_view token);

// OK when one of the keys made the signature. UNAUTHENTICATED otherwise; the message is for logs.
// NOT_FOUND: there is no key of the token's name.
[[nodiscard]] absl::Status VerifySignature(const UnverifiedJwt& token, const KeySet& keys);

// An RSA or EC (P-256, P-384) private key in PEM. INVALID_ARGUMENT otherwise.
[[nodiscard]] absl::StatusOr<Key> ParsePrivateKey(std::string_view pem);
// The token with these claims, signed.
[[nodiscard]] absl::StatusOr<std::string> Sign(const Json& claims, const Key& key);

}  // namespace sealane::kubeauth

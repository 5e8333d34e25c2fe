#include "lib/kubeauth/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "lib/core/json.h"
#include "lib/core/json_depth.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::kubeauth {
namespace {

constexpr size_t kMaxToken = 16 << 10;
constexpr size_t kMaxKeySet = 1 << 20;
constexpr int kDeepest = 16;
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;

template <auto fn>
struct Free {
  template <typename T>
  void operator()(T* p) const {
    fn(p);
  }
};
using PkeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using BnPtr = std::unique_ptr<BIGNUM, Free<BN_free>>;

enum class KeyKind { kRsa, kP256, kP384 };

struct Algorithm {
  std::string_view name;
  const EVP_MD* (*digest)();
  KeyKind kind;
  bool pss;
};
constexpr std::array<Algorithm, 8> kAlgorithms = {{{"RS256", EVP_sha256, KeyKind::kRsa, false},
                                                   {"RS384", EVP_sha384, KeyKind::kRsa, false},
                                                   {"RS512", EVP_sha512, KeyKind::kRsa, false},
                                                   {"PS256", EVP_sha256, KeyKind::kRsa, true},
                                                   {"PS384", EVP_sha384, KeyKind::kRsa, true},
                                                   {"PS512", EVP_sha512, KeyKind::kRsa, true},
                                                   {"ES256", EVP_sha256, KeyKind::kP256, false},
                                                   {"ES384", EVP_sha384, KeyKind::kP384, false}}};

const Algorithm* Find(std::string_view name) {
  const auto it = std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                               [&](const Algorithm& one) { return one.name == name; });
  return it == kAlgorithms.end() ? nullptr : &*it;
}

// Bytes of one half of an ECDSA signature.
size_t Half(KeyKind kind) { return kind == KeyKind::kP256 ? 32 : 48; }

std::string Base64UrlEncode(std::string_view bytes) {
  std::string out;
  absl::WebSafeBase64Escape(ToAbsl(bytes), &out);  // without padding
  return out;
}

// Only the one text that these bytes have.
std::optional<std::string> Base64UrlDecode(std::string_view text) {
  std::string out;
  if (!absl::WebSafeBase64Unescape(ToAbsl(text), &out) || Base64UrlEncode(out) != text) {
    return std::nullopt;
  }
  return out;
}

// The JSON object in a text in which no object has a name twice: two readers could disagree on it.
std::optional<Json> StrictObject(std::string_view text) {
  if (NestedDeeperThan(text, kDeepest)) return std::nullopt;
  std::vector<std::set<std::string>> names;
  bool twice = false;
  const auto callback = [&](int /*depth*/, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) names.emplace_back();
    if (event == Json::parse_event_t::object_end) names.pop_back();
    if (event == Json::parse_event_t::key) {
      twice = !names.back().insert(parsed.get<std::string>()).second || twice;
    }
    return true;
  };
  Json out = Json::parse(text, callback, /*allow_exceptions=*/false);
  if (twice || !out.is_object()) return std::nullopt;
  return out;
}

// A string field, "" when it is absent; nullopt when it is something else.
std::optional<std::string> TextOf(const Json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end()) return std::string();
  if (!it->is_string()) return std::nullopt;
  return it->get<std::string>();
}

}  // namespace

struct Key::Impl {
  PkeyPtr pkey;
  KeyKind kind = KeyKind::kRsa;
};

namespace {

absl::StatusOr<KeyKind> KindOf(const EVP_PKEY* pkey) {
  if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA) {
    const int bits = EVP_PKEY_get_bits(pkey);
    if (bits < kMinRsaBits || bits > kMaxRsaBits) {
      return InvalidArgument(StrCat("an RSA key of ", bits, " bits"));
    }
    return KeyKind::kRsa;
  }
  if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC) {
    std::array<char, 64> group{};
    size_t length = 0;
    if (EVP_PKEY_get_group_name(pkey, group.data(), group.size(), &length) == 1) {
      const std::string_view name(group.data(), length);
      if (name == "prime256v1" || name == "P-256") return KeyKind::kP256;
      if (name == "secp384r1" || name == "P-384") return KeyKind::kP384;
    }
    return InvalidArgument("a curve other than P-256 and P-384");
  }
  return InvalidArgument("neither an RSA nor an EC key");
}

absl::StatusOr<Key> MakeKey(PkeyPtr pkey) {
  if (pkey == nullptr) return InvalidArgument("no key that can be used");
  SEALANE_ASSIGN_OR_RETURN(const KeyKind kind, KindOf(pkey.get()));
  auto impl = std::make_shared<Key::Impl>();
  impl->pkey = std::move(pkey);
  impl->kind = kind;
  return Key(std::move(impl));
}

PkeyPtr FromParams(const char* type, OSSL_PARAM_BLD* builder) {
  const std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>> params(OSSL_PARAM_BLD_to_param(builder));
  const std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>> context(
      EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* out = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &out, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return PkeyPtr(out);
}

BnPtr Number(const std::string& bytes) {
  return BnPtr(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                         static_cast<int>(bytes.size()), nullptr));
}

absl::StatusOr<std::string> Bytes(const Json& jwk, const char* name) {
  const std::optional<std::string> text = TextOf(jwk, name);
  std::optional<std::string> bytes;
  if (text.has_value() && !text->empty()) bytes = Base64UrlDecode(*text);
  if (!bytes.has_value()) return InvalidArgument(StrCat(name, " must be base64url"));
  return *std::move(bytes);
}

absl::StatusOr<Key> RsaKey(const Json& jwk) {
  SEALANE_ASSIGN_OR_RETURN(const std::string n, Bytes(jwk, "n"));
  SEALANE_ASSIGN_OR_RETURN(const std::string e, Bytes(jwk, "e"));
  if (n.size() > kMaxRsaBits / 8 + 1 || e.size() > 8)
    return InvalidArgument("too large an RSA key");
  const BnPtr modulus = Number(n);
  const BnPtr exponent = Number(e);
  const std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return MakeKey(FromParams("RSA", builder.get()));
}

absl::StatusOr<Key> EcKey(const Json& jwk) {
  const std::string curve = TextOf(jwk, "crv").value_or("");
  const bool p256 = curve == "P-256";
  if (!p256 && curve != "P-384") return InvalidArgument("crv must be P-256 or P-384");
  SEALANE_ASSIGN_OR_RETURN(const std::string x, Bytes(jwk, "x"));
  SEALANE_ASSIGN_OR_RETURN(const std::string y, Bytes(jwk, "y"));
  const size_t half = p256 ? 32 : 48;
  if (x.size() != half || y.size() != half) return InvalidArgument("x and y are not of the curve");
  const std::string point = StrCat(std::string(1, '\x04'), x, y);
  const std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                  p256 ? "prime256v1" : "secp384r1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  return MakeKey(FromParams("EC", builder.get()));
}

// JOSE's two numbers one behind the other as OpenSSL's form, and back. Empty: they are none.
std::string ToDer(std::string_view halves, size_t half) {
  if (halves.size() != 2 * half) return {};
  const auto* bytes = reinterpret_cast<const unsigned char*>(halves.data());
  const std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(bytes, static_cast<int>(half), nullptr);
  BIGNUM* s = BN_bin2bn(bytes + half, static_cast<int>(half), nullptr);
  if (ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(signature.get(), &der);
  if (length <= 0) return {};
  std::string out(reinterpret_cast<char*>(der), static_cast<size_t>(length));
  OPENSSL_free(der);
  return out;
}

std::string FromDer(const std::string& der, size_t half) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>> signature(
      d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size())));  // NOLINT: OpenSSL's type
  if (signature == nullptr) return {};
  std::string out(2 * half, '\0');
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), to, static_cast<int>(half));
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), to + half, static_cast<int>(half));
  return out;
}

bool SetPadding(const Algorithm& algorithm, EVP_PKEY_CTX* context) {
  if (!algorithm.pss) return true;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool Verifies(const UnverifiedJwt& token, const Algorithm& algorithm, const Key::Impl& key) {
  std::string signature = token.signature;
  if (key.kind != KeyKind::kRsa) signature = ToDer(signature, Half(key.kind));
  if (signature.empty()) return false;
  const std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pkey_context = nullptr;
  return EVP_DigestVerifyInit(context.get(), &pkey_context, algorithm.digest(), nullptr,
                              key.pkey.get()) == 1 &&
         SetPadding(algorithm, pkey_context) &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(),
                          reinterpret_cast<const unsigned char*>(token.signed_text.data()),
                          token.signed_text.size()) == 1;
}

// The name of a key of ours: a digest of its public half.
std::string NameOf(const Key::Impl& key) {
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(key.pkey.get(), &der);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  if (length > 0) SHA256(der, static_cast<size_t>(length), digest.data());
  OPENSSL_free(der);
  return Base64UrlEncode({reinterpret_cast<const char*>(digest.data()), 16});
}

}  // namespace

absl::StatusOr<KeySet> KeySet::Parse(std::string_view json) {
  if (json.size() > kMaxKeySet) return InvalidArgument("the key set is too long");
  const std::optional<Json> set = StrictObject(json);
  if (!set.has_value()) return InvalidArgument("the key set is not a JSON object");
  const auto keys = set->find("keys");
  if (keys == set->end() || !keys->is_array()) return InvalidArgument("keys: must be a list");
  if (keys->size() > kMaxKeys) return InvalidArgument("keys: too many");
  KeySet out;
  for (size_t i = 0; i < keys->size(); ++i) {
    const Json& jwk = (*keys)[i];
    const std::string where = StrCat("keys[", i, "]");
    if (!jwk.is_object()) return InvalidArgument(StrCat(where, ": must be an object"));
    const std::optional<std::string> kid = TextOf(jwk, "kid");
    const std::optional<std::string> alg = TextOf(jwk, "alg");
    const std::string use = TextOf(jwk, "use").value_or("");
    const std::string type = TextOf(jwk, "kty").value_or("");
    if (!kid || !alg) return InvalidArgument(StrCat(where, ": kid and alg must be strings"));
    if ((!use.empty() && use != "sig") || (type != "RSA" && type != "EC")) continue;
    if (!alg->empty() && Find(*alg) == nullptr) continue;
    absl::StatusOr<Key> key = type == "RSA" ? RsaKey(jwk) : EcKey(jwk);
    if (!key.ok()) return Annotate(key.status(), where);
    out.keys_.push_back({*kid, *alg, *std::move(key)});
  }
  return out;
}

KeySet KeySet::Of(const Key& key) {
  KeySet out;
  out.keys_.push_back({NameOf(key.impl()), "", key});
  return out;
}

bool KeySet::Has(std::string_view kid) const {
  return std::any_of(keys_.begin(), keys_.end(), [&](const Entry& key) { return key.kid == kid; });
}

absl::StatusOr<UnverifiedJwt> TakeApart(std::string_view token) {
  if (token.size() > kMaxToken) return InvalidArgument("the token is too long");
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return InvalidArgument("no compact JWS");
  }
  const auto header = Base64UrlDecode(token.substr(0, first));
  const auto payload = Base64UrlDecode(token.substr(first + 1, second - first - 1));
  const auto signature = Base64UrlDecode(token.substr(second + 1));
  if (!header || !payload || !signature) return InvalidArgument("not base64url");
  const std::optional<Json> head = StrictObject(*header);
  std::optional<Json> claims = StrictObject(*payload);
  if (!head || !claims) return InvalidArgument("header and payload must be JSON objects");
  for (const char* name : {"crit", "zip", "jwk", "jku", "x5u", "x5c", "b64"}) {
    if (head->contains(name)) return InvalidArgument(StrCat("header ", name, " is not supported"));
  }
  const std::optional<std::string> alg = TextOf(*head, "alg");
  const std::optional<std::string> kid = TextOf(*head, "kid");
  if (!alg || !kid) return InvalidArgument("alg and kid must be strings");
  UnverifiedJwt out;
  out.alg = *alg;
  out.kid = *kid;
  out.claims = std::make_shared<const Json>(*std::move(claims));
  out.signed_text = std::string(token.substr(0, second));
  out.signature = *signature;
  return out;
}

// KeySet's friend.
class Verifier {
 public:
  static absl::Status Verify(const UnverifiedJwt& token, const KeySet& keys) {
    const Algorithm* algorithm = Find(token.alg);
    if (algorithm == nullptr) {
      return absl::UnauthenticatedError(ToAbsl(StrCat("algorithm ", token.alg, " is not allowed")));
    }
    bool named = false;
    for (const KeySet::Entry& entry : keys.keys_) {
      if (!token.kid.empty() && entry.kid != token.kid) continue;
      named = true;
      if (entry.key.impl().kind != algorithm->kind) continue;
      if (!entry.alg.empty() && entry.alg != token.alg) continue;
      if (Verifies(token, *algorithm, entry.key.impl())) return absl::OkStatus();
    }
    if (!named) return NotFound("no key of that name");
    return absl::UnauthenticatedError("the signature is not right");
  }
};

absl::Status VerifySignature(const UnverifiedJwt& token, const KeySet& keys) {
  return Verifier::Verify(token, keys);
}

absl::StatusOr<Key> ParsePrivateKey(std::string_view pem) {
  const std::unique_ptr<BIO, Free<BIO_free>> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  PkeyPtr pkey(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (pkey == nullptr) return InvalidArgument("no private key in PEM");
  return MakeKey(std::move(pkey));
}

absl::StatusOr<std::string> Sign(const Json& claims, const Key& key) {
  const Key::Impl& impl = key.impl();
  const Algorithm& algorithm = *Find(impl.kind == KeyKind::kRsa    ? "RS256"
                                     : impl.kind == KeyKind::kP256 ? "ES256"
                                                                   : "ES384");
  const Json header = {{"alg", algorithm.name}, {"kid", NameOf(impl)}, {"typ", "JWT"}};
  const std::string text =
      StrCat(Base64UrlEncode(WriteJson(header)), ".", Base64UrlEncode(WriteJson(claims)));
  const std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t length = 0;
  if (EVP_DigestSignInit(context.get(), nullptr, algorithm.digest(), nullptr, impl.pkey.get()) !=
          1 ||
      EVP_DigestSign(context.get(), nullptr, &length, bytes, text.size()) != 1) {
    return Internal("the key cannot sign");
  }
  std::string signature(length, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length,
                     bytes, text.size()) != 1) {
    return Internal("the key cannot sign");
  }
  signature.resize(length);
  if (impl.kind != KeyKind::kRsa) signature = FromDer(signature, Half(impl.kind));
  return StrCat(text, ".", Base64UrlEncode(signature));
}

}  // namespace sealane::kubeauth

#include "lib/accounts/claims.h"

#include <openssl/evp.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

constexpr char kHeader[] = R"({"typ":"JWT","alg":"ed25519-nkey"})";
constexpr int kNoLimit = -1;

std::string Encode(std::string_view bytes) {
  std::string out;
  absl::WebSafeBase64Escape(ToAbsl(bytes), &out);  // without padding
  return out;
}

absl::StatusOr<std::string> Signed(Json claims, const NKey& issuer, absl::Time now) {
  claims["iss"] = issuer.public_key();
  claims["iat"] = absl::ToUnixSeconds(now);
  // An id that only tells one token from another: the digest of what it says.
  const std::string text = claims.dump();
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha512_256(), nullptr) != 1) {
    return Internal("OpenSSL cannot hash");
  }
  claims["jti"] = Base32(std::string_view(reinterpret_cast<const char*>(digest), size));
  const std::string body = StrCat(Encode(kHeader), ".", Encode(claims.dump()));
  SEALANE_ASSIGN_OR_RETURN(const std::string signature, issuer.Sign(body));
  return StrCat(body, ".", Encode(signature));
}

Json Claims(std::string_view name, std::string_view subject, Json nats) {
  nats["version"] = 2;
  return {{"name", name}, {"sub", subject}, {"nats", std::move(nats)}};
}

Json Limits(bool jetstream) {
  Json limits = {{"subs", kNoLimit},    {"data", kNoLimit},    {"payload", kNoLimit},
                 {"imports", kNoLimit}, {"exports", kNoLimit}, {"wildcards", true},
                 {"conn", kNoLimit},    {"leaf", kNoLimit}};
  if (jetstream) {
    for (const char* field :
         {"mem_storage", "disk_storage", "streams", "consumer", "max_ack_pending"}) {
      limits[field] = kNoLimit;
    }
  }
  return limits;
}

// What a token says, without what differs from one signing to the next.
Json ClaimsOf(std::string_view token) {
  const size_t head = token.find('.');
  const size_t end = head == std::string_view::npos ? head : token.find('.', head + 1);
  std::string text;
  if (end == std::string_view::npos ||
      !absl::WebSafeBase64Unescape(ToAbsl(token.substr(head + 1, end - head - 1)), &text)) {
    return {};
  }
  Json claims = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!claims.is_object()) return {};
  claims.erase("iat");
  claims.erase("jti");
  return claims;
}

const char* TypeName(bool service) { return service ? "service" : "stream"; }

}  // namespace

absl::StatusOr<std::string> OperatorJwt(std::string_view name, const NKey& oper,
                                        std::string_view system_account, absl::Time now) {
  return Signed(
      Claims(name, oper.public_key(), {{"type", "operator"}, {"system_account", system_account}}),
      oper, now);
}

absl::StatusOr<std::string> AccountJwt(
    const AccountLayout& layout, std::string_view account, const NKey& oper,
    const std::function<absl::StatusOr<std::string>(const std::string&)>& key_of,
    const Revocations& revoked, absl::Time now) {
  Json nats = {{"type", "account"}, {"limits", Limits(layout.jetstream)}};
  for (const AccountExport& one : layout.exports) {
    Json item = {{"name", one.subject}, {"subject", one.subject}, {"type", TypeName(one.service)}};
    if (one.service) item["response_type"] = one.streamed ? "Stream" : "Singleton";
    nats["exports"].push_back(std::move(item));
  }
  for (const AccountImport& one : layout.imports) {
    SEALANE_ASSIGN_OR_RETURN(const std::string from, key_of(one.account));
    nats["imports"].push_back({{"name", StrCat(one.account, " ", one.subject)},
                               {"subject", one.subject},
                               {"account", from},
                               {"local_subject", one.local},
                               {"type", TypeName(one.service)}});
  }
  for (const auto& [user, until] : revoked) {
    nats["revocations"][user] = absl::ToUnixSeconds(until);
  }
  return Signed(Claims(layout.name, account, std::move(nats)), oper, now);
}

absl::StatusOr<std::string> UserJwt(std::string_view name, const NKey& user,
                                    const AccountPermissions& permissions, const NKey& account,
                                    absl::Time now) {
  Json nats = {{"type", "user"},      {"subs", kNoLimit},      {"data", kNoLimit},
               {"payload", kNoLimit}, {"pub", Json::object()}, {"sub", Json::object()}};
  if (!permissions.publish.empty()) nats["pub"]["allow"] = permissions.publish;
  if (!permissions.subscribe.empty()) nats["sub"]["allow"] = permissions.subscribe;
  if (permissions.max_responses > 0) {
    nats["resp"] = {{"max", permissions.max_responses},
                    {"ttl", absl::ToInt64Nanoseconds(permissions.respond_within)}};
  }
  return Signed(Claims(name, user.public_key(), std::move(nats)), account, now);
}

absl::StatusOr<std::string> DeletionJwt(const NKey& oper, const std::vector<std::string>& accounts,
                                        absl::Time now) {
  return Signed(
      Claims("deletion", oper.public_key(), {{"type", "generic"}, {"accounts", accounts}}), oper,
      now);
}

bool SameClaims(std::string_view one, std::string_view other) {
  const Json first = ClaimsOf(one);
  return first.is_object() && first == ClaimsOf(other);
}

absl::StatusOr<NKey> KeyOfCredentials(std::string_view text) {
  constexpr std::string_view kMark = "-----BEGIN USER NKEY SEED-----\n";
  const size_t at = text.find(kMark);
  if (at == std::string_view::npos) return InvalidArgument("has no user seed");
  const std::string_view rest = text.substr(at + kMark.size());
  return NKey::FromSeed(rest.substr(0, rest.find('\n')));
}

std::string CredentialsText(std::string_view jwt, const NKey& user) {
  return StrCat("-----BEGIN NATS USER JWT-----\n", jwt,
                "\n------END NATS USER JWT------\n\n"
                "-----BEGIN USER NKEY SEED-----\n",
                user.seed(), "\n------END USER NKEY SEED------\n");
}

}  // namespace sealane

#include "lib/kubeauth/service_accounts.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeauth/oidc.h"

namespace sealane::kubeauth {
namespace {

constexpr std::string_view kPrefix = "system:serviceaccount:";

absl::Status Invalid(const kubeapi::StoredObject& account, kubeapi::FieldError error) {
  return kubeapi::InvalidObject({"authentication.k8s.io", "TokenRequest", account.key().name},
                                {std::move(error)});
}

// The string at a JSON pointer; "" when there is none.
std::string ClaimAt(const Json& claims, const char* pointer) {
  const Json::json_pointer path(pointer);
  if (!claims.contains(path) || !claims.at(path).is_string()) return "";
  return claims.at(path).get<std::string>();
}

std::string UidOf(const kubeapi::StoredObject& object) {
  return object.value().at("metadata").value("uid", "");
}

}  // namespace

ServiceAccounts::ServiceAccounts(Key key, const kubeapi::Store& store, const Clock& clock)
    : key_(std::move(key)), keys_(KeySet::Of(key_)), store_(store), clock_(clock) {}

absl::StatusOr<Json> ServiceAccounts::Issue(const kubeapi::StoredObject& account,
                                            const Json& request) const {
  Json out = request.is_object() ? request : Json::object();
  out["apiVersion"] = "authentication.k8s.io/v1";
  out["kind"] = "TokenRequest";
  out["metadata"] = {{"name", account.key().name},
                     {"namespace", account.key().ns},
                     {"creationTimestamp", FormatKubeTime(clock_.Now())}};
  Json& spec = out["spec"];
  if (!spec.is_object()) spec = Json::object();
  Json& audiences = spec["audiences"];
  if (audiences.is_null() || audiences == Json::array()) audiences = Json::array({kIssuer});
  if (audiences != Json::array({kIssuer})) {
    return Invalid(account, kubeapi::UnsupportedField("spec.audiences", audiences, {kIssuer}));
  }
  if (const auto bound = spec.find("boundObjectRef"); bound != spec.end() && !bound->is_null()) {
    return Invalid(account, kubeapi::ForbiddenField("spec.boundObjectRef", "not supported"));
  }
  Json& seconds = spec["expirationSeconds"];
  if (seconds.is_null()) seconds = absl::ToInt64Seconds(kDefaultLife);
  const bool number = seconds.is_number_integer();
  const absl::Duration life = number ? absl::Seconds(seconds.get<int64_t>()) : absl::ZeroDuration();
  if (life < kShortestLife || life > kLongestLife) {
    return Invalid(account, kubeapi::InvalidField("spec.expirationSeconds", seconds,
                                                  "must be from 600 to 86400"));
  }
  const absl::Time now = clock_.Now();
  const Json claims = {
      {"iss", kIssuer},
      {"aud", audiences},
      {"sub", StrCat(kPrefix, account.key().ns, ":", account.key().name)},
      {"iat", absl::ToUnixSeconds(now)},
      {"nbf", absl::ToUnixSeconds(now)},
      {"exp", absl::ToUnixSeconds(now + life)},
      {"kubernetes.io",
       {{"namespace", account.key().ns},
        {"serviceaccount", {{"name", account.key().name}, {"uid", UidOf(account)}}}}}};
  SEALANE_ASSIGN_OR_RETURN(std::string token, Sign(claims, key_));
  out["status"] = {{"token", std::move(token)},
                   {"expirationTimestamp", FormatKubeTime(now + life)}};
  return out;
}

std::optional<kubeapi::UserInfo> ServiceAccounts::UserOf(std::string_view token) const {
  const absl::StatusOr<UnverifiedJwt> parts = TakeApart(token);
  if (!parts.ok() || !VerifySignature(*parts, keys_).ok() ||
      !CheckOrigin(*parts->claims, kIssuer, kIssuer).ok() ||
      !CheckTimes(*parts->claims, clock_.Now()).ok()) {
    return std::nullopt;
  }
  const std::string ns = ClaimAt(*parts->claims, "/kubernetes.io/namespace");
  const std::string name = ClaimAt(*parts->claims, "/kubernetes.io/serviceaccount/name");
  const std::string uid = ClaimAt(*parts->claims, "/kubernetes.io/serviceaccount/uid");
  const kubeapi::ObjectPtr account = store_.Get({"serviceaccounts", ns, name});
  if (account == nullptr || uid.empty() || UidOf(*account) != uid) return std::nullopt;
  kubeapi::UserInfo user;
  user.name = StrCat(kPrefix, ns, ":", name);
  user.uid = uid;
  user.groups = {"system:serviceaccounts", StrCat("system:serviceaccounts:", ns)};
  return user;
}

Json ReviewToken(const Authenticator& authenticate, std::string_view token) {
  http::HttpRequest request;
  request.headers.Add("Authorization", StrCat("Bearer ", token));
  const std::optional<kubeapi::UserInfo> user = authenticate(request);
  if (!user.has_value()) {
    return {{"authenticated", false}, {"error", "the token is not known"}};
  }
  Json info = {{"username", user->name}, {"groups", user->groups}};
  if (!user->uid.empty()) info["uid"] = user->uid;
  return {{"authenticated", true}, {"user", std::move(info)}};
}

}  // namespace sealane::kubeauth

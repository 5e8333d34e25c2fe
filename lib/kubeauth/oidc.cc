#include "lib/kubeauth/oidc.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::kubeauth {
namespace {

constexpr size_t kMaxName = 1024;
constexpr size_t kMaxGroups = 500;

absl::Status Refused(std::string_view why) { return absl::UnauthenticatedError(ToAbsl(why)); }

const Json* Claim(const Json& claims, const std::string& name) {
  const auto it = claims.find(name);
  return it == claims.end() ? nullptr : &*it;
}

// A NumericDate; InfinitePast: absent; InfiniteFuture: no number.
absl::Time TimeOf(const Json& claims, const char* name) {
  const Json* claim = Claim(claims, name);
  if (claim == nullptr) return absl::InfinitePast();
  if (!claim->is_number()) return absl::InfiniteFuture();
  const double seconds = claim->get<double>();
  if (!(seconds >= 0 && seconds < 1e12)) return absl::InfiniteFuture();
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

bool IsReserved(std::string_view name) { return name.starts_with("system:"); }

std::string Prefix(const OidcOptions& options) {
  if (options.username_prefix == "-") return "";
  if (!options.username_prefix.empty()) return options.username_prefix;
  return options.username_claim == "email" ? "" : options.issuer + "#";
}

std::vector<std::string> Groups(const Json& claims, const OidcOptions& options) {
  std::vector<std::string> out;
  const Json* claim = options.groups_claim.empty() ? nullptr : Claim(claims, options.groups_claim);
  if (claim == nullptr) return out;
  const auto add = [&](const Json& group) {
    if (!group.is_string() || out.size() == kMaxGroups) return;
    std::string name = options.groups_prefix + group.get<std::string>();
    if (!name.empty() && name.size() <= kMaxName && !IsReserved(name)) {
      out.push_back(std::move(name));
    }
  };
  if (claim->is_array()) {
    for (const Json& group : *claim) add(group);
  } else {
    add(*claim);
  }
  return out;
}

}  // namespace

absl::Status CheckTimes(const Json& claims, absl::Time now) {
  const absl::Time expires = TimeOf(claims, "exp");
  if (expires == absl::InfinitePast() || expires == absl::InfiniteFuture()) {
    return Refused("exp must be a time");
  }
  if (now >= expires + kClockLeeway) return Refused("the token has expired");
  for (const char* name : {"nbf", "iat"}) {
    if (TimeOf(claims, name) > now + kClockLeeway) return Refused("the token is not valid yet");
  }
  return absl::OkStatus();
}

absl::Status CheckOrigin(const Json& claims, std::string_view issuer, std::string_view audience) {
  const Json* iss = Claim(claims, "iss");
  if (iss == nullptr || *iss != Json(issuer)) return Refused("another issuer");
  const Json* aud = Claim(claims, "aud");
  const Json wanted(audience);
  const bool mine = aud != nullptr &&
                    (*aud == wanted || (aud->is_array() &&
                                        std::find(aud->begin(), aud->end(), wanted) != aud->end()));
  return mine ? absl::OkStatus() : Refused("for another audience");
}

absl::StatusOr<kubeapi::UserInfo> UserOfClaims(const Json& claims, const OidcOptions& options,
                                               absl::Time now) {
  if (const absl::Status origin = CheckOrigin(claims, options.issuer, options.client_id);
      !origin.ok()) {
    return origin;
  }
  if (const absl::Status times = CheckTimes(claims, now); !times.ok()) return times;
  const Json* name = Claim(claims, options.username_claim);
  if (name == nullptr || !name->is_string()) return Refused("no user name");
  if (options.username_claim == "email") {
    const Json* verified = Claim(claims, "email_verified");
    if (verified != nullptr && *verified != Json(true)) return Refused("the email is not verified");
  }
  const auto& text = name->get_ref<const std::string&>();
  kubeapi::UserInfo user;
  user.name = Prefix(options) + text;
  if (text.empty() || user.name.size() > kMaxName) return Refused("no user name");
  if (IsReserved(user.name)) return Refused("a name that Kubernetes keeps for itself");
  user.groups = Groups(claims, options);
  return user;
}

Authenticator ByOidc(OidcOptions options, KeySource keys, const Clock& clock) {
  return [options = std::move(options), keys = std::move(keys),
          &clock](const http::HttpRequest& request) -> std::optional<kubeapi::UserInfo> {
    const std::string_view token = BearerToken(request);
    // Other kinds of tokens have no two dots.
    if (std::count(token.begin(), token.end(), '.') != 2) return std::nullopt;
    const absl::StatusOr<UnverifiedJwt> parts = TakeApart(token);
    // Only tokens of this issuer may have keys fetched.
    if (!parts.ok() || !CheckOrigin(*parts->claims, options.issuer, options.client_id).ok()) {
      return std::nullopt;
    }
    const std::shared_ptr<const KeySet> now = keys.keys();
    const absl::Status verified =
        now == nullptr ? absl::NotFoundError("no keys yet") : VerifySignature(*parts, *now);
    if (absl::IsNotFound(verified) && keys.missing) keys.missing();
    if (!verified.ok()) return std::nullopt;
    absl::StatusOr<kubeapi::UserInfo> user = UserOfClaims(*parts->claims, options, clock.Now());
    if (!user.ok()) return std::nullopt;
    return *std::move(user);
  };
}

}  // namespace sealane::kubeauth

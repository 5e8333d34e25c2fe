// Bearer tokens and key sets: the first line is the key set, the rest the token. No input may make
// a user of a token whose signature is not right.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "absl/time/time.h"
#include "lib/core/json.h"
#include "lib/kubeauth/jwt.h"
#include "lib/kubeauth/oidc.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sealane::kubeauth;  // NOLINT(google-build-using-namespace): a program
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(input.find('\n'), input.size());
  const std::string_view token = input.substr(std::min(line + 1, input.size()));
  const absl::StatusOr<KeySet> keys = KeySet::Parse(input.substr(0, line));
  const absl::StatusOr<UnverifiedJwt> parts = TakeApart(token);
  if (!parts.ok()) return 0;
  OidcOptions options;
  options.issuer = "i";
  options.client_id = "a";
  options.groups_claim = "groups";
  const auto user = UserOfClaims(*parts->claims, options, absl::FromUnixSeconds(1'800'000'000));
  if (user.ok() && (user->name.empty() || user->name.starts_with("system:"))) std::abort();
  for (const std::string& group : user.ok() ? user->groups : std::vector<std::string>()) {
    if (group.starts_with("system:")) std::abort();
  }
  if (keys.ok() && VerifySignature(*parts, *keys).ok() && parts->signature.empty()) std::abort();
  return 0;
}

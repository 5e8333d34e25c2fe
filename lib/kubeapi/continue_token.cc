#include "lib/kubeapi/continue_token.h"

#include "absl/strings/escaping.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::kubeapi {

std::string ContinueToken::Encode() const {
  const Json token = {{"v", "meta.k8s.io/v1"}, {"rv", revision}, {"ns", ns}, {"start", name}};
  return std::string(absl::WebSafeBase64Escape(token.dump()));
}

absl::StatusOr<ContinueToken> ContinueToken::Decode(std::string_view text) {
  std::string json;
  if (!absl::WebSafeBase64Unescape(ToAbsl(text), &json)) return InvalidArgument("bad token");
  const Json token = Json::parse(json, nullptr, false);
  if (!token.is_object() || !token.value("rv", Json()).is_number_unsigned() ||
      !token.value("ns", Json()).is_string() || !token.value("start", Json()).is_string()) {
    return InvalidArgument("bad token");
  }
  return ContinueToken{token.at("rv"), token.at("ns"), token.at("start")};
}

}  // namespace sealane::kubeapi

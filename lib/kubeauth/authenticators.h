#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/http/message.h"
#include "lib/kubeapi/access.h"

namespace sealane::kubeauth {

// Who sends a request, or nullopt when this way of knowing does not know. Never blocks.
using Authenticator = std::function<std::optional<kubeapi::UserInfo>(const http::HttpRequest&)>;

// The token of "Authorization: Bearer TOKEN"; empty without one, or with two such headers.
[[nodiscard]] std::string_view BearerToken(const http::HttpRequest& request);

// Users by their verified TLS certificate: the common name is the user, organisations its groups.
[[nodiscard]] Authenticator ByClientCertificate();

// The first that knows the sender says who it is. The group system:authenticated is added. Nobody
// is anonymous: a request without credentials has no user.
[[nodiscard]] Authenticator FirstOf(std::vector<Authenticator> authenticators);

}  // namespace sealane::kubeauth

#include "lib/kubeauth/authenticators.h"

#include <strings.h>

#include <algorithm>
#include <string>
#include <utility>

namespace sealane::kubeauth {
namespace {

constexpr char kAuthenticated[] = "system:authenticated";

}  // namespace

std::string_view BearerToken(const http::HttpRequest& request) {
  static constexpr std::string_view kScheme = "Bearer ";
  std::string_view value;
  size_t count = 0;
  for (const auto& field : request.headers.fields()) {
    if (strcasecmp(field.first.c_str(), "Authorization") != 0) continue;
    value = field.second;
    ++count;
  }
  if (count != 1 || value.size() <= kScheme.size() ||
      strncasecmp(value.data(), kScheme.data(), kScheme.size()) != 0) {
    return {};
  }
  value.remove_prefix(kScheme.size());
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  return value.find(' ') == std::string_view::npos ? value : std::string_view();
}

Authenticator ByClientCertificate() {
  return [](const http::HttpRequest& request) -> std::optional<kubeapi::UserInfo> {
    if (request.peer == nullptr || request.peer->common_name.empty()) return std::nullopt;
    return kubeapi::UserInfo{request.peer->common_name, "", request.peer->organizations};
  };
}

Authenticator FirstOf(std::vector<Authenticator> authenticators) {
  return [all = std::move(authenticators)](
             const http::HttpRequest& request) -> std::optional<kubeapi::UserInfo> {
    for (const Authenticator& authenticator : all) {
      auto user = authenticator(request);
      if (!user) continue;
      if (std::find(user->groups.begin(), user->groups.end(), kAuthenticated) ==
          user->groups.end()) {
        user->groups.emplace_back(kAuthenticated);
      }
      return user;
    }
    return std::nullopt;
  };
}

}  // namespace sealane::kubeauth

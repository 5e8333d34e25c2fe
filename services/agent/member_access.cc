#include "services/agent/member_access.h"

#include <array>
#include <optional>
#include <vector>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/message.h"

namespace sealane::agent {
namespace {

// What a path below /api/<version> or /apis/<group>/<version> names.
struct Named {
  std::string group;
  std::string resource;
  std::string subresource;
};

Named WhatIsNamed(const std::vector<std::string>& path) {
  Named out;
  const auto at = [&](size_t i) { return i < path.size() ? path[i] : std::string(); };
  size_t i = 2;
  if (at(0) == "apis") {
    out.group = at(1);
    i = 3;
  }
  if (at(i) == "watch" || at(i) == "proxy") ++i;  // old forms of the API
  if (at(i) == "namespaces" && i + 2 < path.size() && at(i + 2) != "status" &&
      at(i + 2) != "finalize") {
    i += 2;
  }
  out.resource = at(i);
  out.subresource = at(i + 2);
  return out;
}

}  // namespace

absl::StatusOr<MemberAccess> ParseMemberAccess(std::string_view text) {
  if (text == "none") return MemberAccess::kNone;
  if (text == "read") return MemberAccess::kRead;
  if (text == "read-secrets") return MemberAccess::kSecrets;
  if (text == "write") return MemberAccess::kWrite;
  return InvalidArgument(StrCat("must be none, read, read-secrets or write, not \"", text, "\""));
}

absl::Status MayAskMember(MemberAccess access, std::string_view method, std::string_view target) {
  const std::optional<std::vector<std::string>> path = http::PathSegments(target);
  if (!path.has_value()) return InvalidArgument("the path could be read in two ways");
  if (access == MemberAccess::kNone) {
    return absl::PermissionDeniedError(
        "the owner of the cluster lets nobody in (the agent's --member-api)");
  }
  constexpr std::array<std::string_view, 7> kRoots = {"api",     "apis",  "version", "openapi",
                                                      "healthz", "livez", "readyz"};
  bool known = false;
  for (std::string_view root : kRoots) known = known || path->front() == root;
  if (!known) return absl::PermissionDeniedError("only the Kubernetes API is served");
  const bool api = path->front() == "api" || path->front() == "apis";
  const Named named = api ? WhatIsNamed(*path) : Named();
  for (std::string_view through : {"exec", "attach", "portforward", "proxy"}) {
    if (named.subresource == through || (api && path->size() > 2 && (*path)[2] == "proxy")) {
      return absl::UnimplementedError(
          ToAbsl(StrCat(named.subresource.empty() ? std::string("proxy") : named.subresource,
                        " is not possible over the bus: use the cluster's own API server")));
    }
  }
  if (access != MemberAccess::kWrite && method != "GET" && method != "HEAD") {
    return absl::PermissionDeniedError(
        "the owner of the cluster allows no writes (the agent's --member-api)");
  }
  if (access == MemberAccess::kRead && named.group.empty() && named.resource == "secrets") {
    return absl::PermissionDeniedError(
        "the owner of the cluster does not show Secrets (the agent's --member-api)");
  }
  return absl::OkStatus();
}

}  // namespace sealane::agent

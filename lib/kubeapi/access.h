#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/core/json_fwd.h"
#include "lib/http/handler.h"
#include "lib/http/message.h"
#include "lib/kubeapi/resource.h"
#include "lib/kubeapi/store.h"

namespace sealane::kubeapi {

// Who sends a request. A plain value type.
struct UserInfo {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;
};

// What a request wants to do, in the words of Kubernetes' authorisation. A plain value type.
struct Attributes {
  // get, list, watch, create, update, patch, delete, deletecollection; for a path that names no
  // resource the method in lower case.
  std::string verb;
  bool resource_request = false;
  std::string group;
  std::string resource;  // the plural
  std::string subresource;
  std::string ns;
  std::string name;
  std::string path;  // decoded; set when it is no resource request
};

// The attributes of a request. `target` is its parsed path: authorisation looks at the very value
// that the request is served by.
[[nodiscard]] Attributes AttributesOf(std::string_view method, const http::Target& target);

// Kubernetes' 403 for a user who may not do that; `reason` is added when it is not empty.
[[nodiscard]] absl::Status Forbidden(const UserInfo& user, const Attributes& attributes,
                                     std::string_view reason = "");

// Nobody is served as somebody else: that 403 for a request with an "Impersonate-..." header, whose
// sender would take the answer for another user's. OK when it has none.
[[nodiscard]] absl::Status RefuseImpersonation(const http::Headers& headers, const UserInfo& user,
                                               const Attributes& attributes);

// Whether a request target has a form that could mean two things to two readers: an encoded slash,
// backslash or NUL, or a segment that is "." or ".." (encoded or not). The query is not looked at.
[[nodiscard]] bool AmbiguousPath(std::string_view target);

// One answered request, for the audit.
struct AuditRecord {
  UserInfo user;  // without a name when nobody was authenticated
  Attributes attributes;
  int code = 0;  // 0: the client left, or the server stopped, before there was an answer
  absl::Duration latency;
};

// The hooks by which a server is closed to strangers. They run on the server's executor inside the
// request, so they only look at what is in memory. Without `authenticate` the others are not used.
struct AccessHooks {
  // Who it is; nullopt is answered 401.
  std::function<std::optional<UserInfo>(const http::HttpRequest&)> authenticate;
  // Whether the user may. Without this hook an authenticated user may everything.
  std::function<bool(const UserInfo&, const Attributes&)> authorize;
  // Whether the user may write that very object, defaults and patches applied, besides the right to
  // write objects of its kind: RBAC's question whether a role gives more than its writer has. A
  // refusal is answered 403 with its message.
  std::function<absl::Status(const UserInfo&, const Resource&, std::string_view ns, const Json&)>
      may_write;
  // Told right before a request's write is given to the store, and with nullptr right after: in
  // whose name the store is asked. Writes of the server's own are not told.
  std::function<void(const UserInfo*)> writing;
  // The user's rules in a namespace as the status of a SelfSubjectRulesReview. Without this hook
  // the review says that it is incomplete.
  std::function<Json(const UserInfo&, std::string_view ns)> rules;
  // The answer to a TokenRequest for a ServiceAccount, and the status of a TokenReview. Without
  // these hooks both are answered 405.
  std::function<absl::StatusOr<Json>(const StoredObject& account, const Json& request)> issue_token;
  std::function<Json(std::string_view token)> review_token;
  // Told of every request that would change something or was denied, once it is answered.
  std::function<void(const AuditRecord&)> audit;
};

// Answers the reviews of authorization.k8s.io and authentication.k8s.io (except TokenReview) for a
// user: the body with its status. BadRequest when the body does not say what is asked.
[[nodiscard]] absl::StatusOr<Json> AnswerReview(const AccessHooks& hooks, const Resource& resource,
                                                std::string_view ns, const UserInfo& user,
                                                const Json& body);

// A writer that passes everything on and tells the status code of the answer once, when the answer
// begins, or 0 when it is dropped without one.
[[nodiscard]] std::shared_ptr<http::ResponseWriter> ObserveAnswer(
    std::shared_ptr<http::ResponseWriter> writer, std::function<void(int code)> done);

}  // namespace sealane::kubeapi

// The door of ApiServer: who asks, may they, and what the audit is told.

#include <string>
#include <utility>

#include "lib/core/json.h"
#include "lib/kubeapi/access.h"
#include "lib/kubeapi/api_server.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/request.h"

namespace sealane::kubeapi {

bool ApiServer::Admit(Request& request) {
  if (!request.user) request.user = options_.access.authenticate(request.http);
  const Attributes attributes = AttributesOf(request.http.method, request.target);
  if (options_.access.audit) {
    request.record = std::make_shared<AuditRecord>(
        AuditRecord{request.user.value_or(UserInfo()), attributes, 0, {}});
    const std::string& verb = attributes.verb;
    const bool reads = verb == "get" || verb == "list" || verb == "watch" || verb == "head";
    request.writer = ObserveAnswer(std::move(request.writer),
                                   [audit = options_.access.audit, record = request.record, reads,
                                    &clock = env_.clock, start = env_.clock.Now()](int code) {
                                     if (reads && code != 401 && code != 403) return;
                                     record->code = code;
                                     record->latency = clock.Now() - start;
                                     audit(*record);
                                   });
  }
  if (!request.user) {
    Fail(request, ApiError(401, "Unauthorized", "Unauthorized"));
    return false;
  }
  if (AmbiguousPath(request.http.path)) {
    Fail(request, BadRequest("the path has a segment \".\" or \"..\", or an encoded slash"));
    return false;
  }
  if (const absl::Status refused =
          RefuseImpersonation(request.http.headers, *request.user, attributes);
      !refused.ok()) {
    Fail(request, refused);
    return false;
  }
  return Allow(request, attributes);
}

bool ApiServer::Allow(Request& request, const Attributes& attributes) {
  const AccessHooks& access = options_.access;
  if (!access.authorize || access.authorize(*request.user, attributes)) return true;
  Fail(request, Forbidden(*request.user, attributes));
  return false;
}

}  // namespace sealane::kubeapi

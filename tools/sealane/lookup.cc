#include "tools/sealane/lookup.h"

#include <algorithm>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "tools/sealane/apps.h"

namespace sealane::cli {

absl::StatusOr<Subject> FindSubject(const Invocation& invocation) {
  const Args& args = invocation.args;
  if (args.positional().size() != 1) return InvalidArgument("give one NAME or KIND/NAME");
  Subject subject;
  SEALANE_ASSIGN_OR_RETURN(const AppName name, ParseAppName(args.positional()[0]));
  SEALANE_ASSIGN_OR_RETURN(subject.timeout, Timeout(args));
  Context context;
  SEALANE_ASSIGN_OR_RETURN(subject.fleet, Connect(invocation, &context));
  v1::QueryRequest request;
  request.set_what("apps");
  request.set_name(name.name);
  request.set_namespace_(args.Has("namespace") ? args.Get("namespace") : context.default_namespace);
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply,
                           subject.fleet->Query("status", request, subject.timeout));
  SEALANE_ASSIGN_OR_RETURN(const std::vector<v1::AppStatus> apps, SelectApps(reply, name));
  subject.app = apps.front();
  return subject;
}

v1::QueryRequest About(std::string_view what, const v1::ObjectRef& ref) {
  v1::QueryRequest request;
  request.set_what(std::string(what));
  request.set_group(std::string(GroupOf(ref.api_version())));
  request.set_kind(ref.kind());
  request.set_namespace_(ref.namespace_());
  request.set_name(ref.name());
  return request;
}

std::map<std::string, std::string> RenderErrors(std::string_view explanation) {
  std::map<std::string, std::string> errors;
  const Json list = Json::parse(explanation, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array()) return errors;
  for (const Json& entry : list) {
    if (!entry.is_object()) continue;
    const auto failed = entry.find("renderErrors");
    if (failed == entry.end() || !failed->is_object()) continue;
    for (const auto& [cluster, why] : failed->items()) {
      if (why.is_string()) errors[cluster] = why.get<std::string>();
    }
  }
  return errors;
}

absl::StatusOr<std::string> OutputFormat(const Args& args,
                                         std::initializer_list<std::string_view> allowed) {
  std::string format = args.Get("output");
  if (format.empty() || std::find(allowed.begin(), allowed.end(), format) != allowed.end()) {
    return format;
  }
  return InvalidArgument(StrCat("--output is \"", format, "\"; allowed: ", StrJoin(allowed, ", ")));
}

}  // namespace sealane::cli

#include "tools/sealane/lookup.h"

#include <algorithm>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"

namespace sealane::cli {

absl::StatusOr<Subject> FindSubject(const Invocation& invocation) {
  const Args& args = invocation.args;
  if (args.positional().size() != 1) return InvalidArgument("give one NAME or KIND/NAME");
  Subject subject;
  SEALANE_ASSIGN_OR_RETURN(const AppName name, ParseAppName(args.positional()[0]));
  SEALANE_ASSIGN_OR_RETURN(subject.timeout, Timeout(args));
  Context context;
  SEALANE_ASSIGN_OR_RETURN(subject.fleet, Connect(invocation, &context));
  SEALANE_ASSIGN_OR_RETURN(subject.app, FindApp(*subject.fleet, name,
                                                args.Has("namespace") ? args.Get("namespace")
                                                                      : context.default_namespace,
                                                subject.timeout));
  return subject;
}

absl::StatusOr<v1::AppStatus> FindApp(Fleet& fleet, const AppName& name, const std::string& ns,
                                      absl::Duration timeout) {
  v1::QueryRequest request;
  request.set_what("apps");
  request.set_name(name.name);
  request.set_namespace_(ns);
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet.Query("status", request, timeout));
  SEALANE_ASSIGN_OR_RETURN(const std::vector<v1::AppStatus> apps, SelectApps(reply, name));
  return apps.front();
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

AppDetails FetchDetails(Fleet& fleet, const v1::AppStatus& app, absl::Duration timeout,
                        v1::QueryReply* placements) {
  AppDetails details;
  details.app = app;
  auto works = fleet.Query("policy", About("works", app.ref()), timeout);
  if (works.ok()) details.works = *std::move(works);
  const auto explained = fleet.Query("policy", About("explain", app.ref()), timeout);
  if (explained.ok()) {
    for (const auto& [cluster, why] : RenderErrors(explained->body())) {
      details.app.add_render_errors(StrCat(cluster, ": ", why));
    }
  }
  auto placed = fleet.Query("scheduler", About("placements", app.ref()), timeout);
  if (placed.ok() && placed->placements_size() > 0) {
    *placements = *std::move(placed);
    details.placed = &placements->placements(0);
  }
  return details;
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

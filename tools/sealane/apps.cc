#include "tools/sealane/apps.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "lib/core/same_word.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

bool IsWorkload(const v1::AppStatus& app) {
  return app.replicas().wanted() > 0 || IsWorkloadKind(app.ref().kind());
}

}  // namespace

absl::StatusOr<AppName> ParseAppName(std::string_view text) {
  const size_t slash = text.find('/');
  AppName name;
  if (slash != std::string_view::npos) {
    name.kind = std::string(text.substr(0, slash));
    text.remove_prefix(slash + 1);
  }
  name.name = std::string(text);
  if (name.name.empty() || name.name.find('/') != std::string::npos) {
    return InvalidArgument("expected NAME or KIND/NAME, as in deployment/classroom");
  }
  return name;
}

bool IsWorkloadKind(std::string_view kind) {
  return kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet" || kind == "Job" ||
         kind == "CronJob";
}

absl::StatusOr<v1::ObjectRef> SelectRef(const std::vector<v1::ObjectRef>& refs,
                                        const AppName& name) {
  v1::QueryReply reply;
  for (const v1::ObjectRef& ref : refs) *reply.add_apps()->mutable_ref() = ref;
  SEALANE_ASSIGN_OR_RETURN(const std::vector<v1::AppStatus> found, SelectApps(reply, name));
  return found.front().ref();
}

absl::StatusOr<std::vector<v1::AppStatus>> SelectApps(const v1::QueryReply& apps,
                                                      const AppName& name) {
  std::vector<v1::AppStatus> found;
  std::set<std::string> namespaces;
  for (const v1::AppStatus& app : apps.apps()) {
    if (app.ref().name() != name.name) continue;
    if (!name.kind.empty() && !SameWord(app.ref().kind(), name.kind)) continue;
    found.push_back(app);
    if (!app.ref().namespace_().empty()) namespaces.insert(app.ref().namespace_());
  }
  const std::string label = name.kind.empty() ? name.name : StrCat(name.kind, "/", name.name);
  if (found.empty()) {
    return NotFound(StrCat("there is no ", label, "; `sealane get apps -A` lists what there is"));
  }
  if (namespaces.size() > 1) {
    return InvalidArgument(StrCat("there is a ", label, " in the namespaces ",
                                  StrJoin(namespaces, ", "), "; choose one with -n"));
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::make_tuple(!IsWorkload(a), a.ref().kind()) <
           std::make_tuple(!IsWorkload(b), b.ref().kind());
  });
  return found;
}

std::string ProgressLine(const v1::AppStatus& app) {
  std::vector<std::string> parts;
  for (const v1::ClusterAppStatus& cluster : app.clusters()) {
    const std::string ready = FormatReady(cluster.replicas());
    parts.push_back(StrCat(cluster.cluster(), " ", ready == "-" ? cluster.health() : ready));
  }
  return StrCat(app.phase().empty() ? "Pending" : app.phase(), "  ready ",
                FormatReady(app.replicas()), parts.empty() ? "" : "  (", StrJoin(parts, ", "),
                parts.empty() ? "" : ")");
}

}  // namespace sealane::cli

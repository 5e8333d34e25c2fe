#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/query.pb.h"
#include "tools/sealane/apps.h"
#include "tools/sealane/command.h"
#include "tools/sealane/views.h"

namespace sealane::cli {

// The one object that a command line names, and the fleet it is in.
struct Subject {
  std::unique_ptr<Fleet> fleet;
  absl::Duration timeout;
  v1::AppStatus app;
};

// Connects and finds the object of `[KIND/]NAME [-n NAMESPACE]`. Errors say what is missing or what
// is ambiguous.
[[nodiscard]] absl::StatusOr<Subject> FindSubject(const Invocation& invocation);

// The one that `name` means, in this namespace (empty: any). Errors as of SelectApps.
[[nodiscard]] absl::StatusOr<v1::AppStatus> FindApp(Fleet& fleet, const AppName& name,
                                                    const std::string& ns, absl::Duration timeout);

// What the other services say about the object; a service that does not answer is left out.
// `placements` holds what the details point to.
[[nodiscard]] AppDetails FetchDetails(Fleet& fleet, const v1::AppStatus& app,
                                      absl::Duration timeout, v1::QueryReply* placements);

// A query `what` about exactly this object.
[[nodiscard]] v1::QueryRequest About(std::string_view what, const v1::ObjectRef& ref);

// Cluster -> why its last rendering failed, from the policy service's explanation of one object. An
// explanation of another shape has none.
[[nodiscard]] std::map<std::string, std::string> RenderErrors(std::string_view explanation);

// --output as one of `allowed`, "" when it is not given. INVALID_ARGUMENT names the allowed ones.
[[nodiscard]] absl::StatusOr<std::string> OutputFormat(
    const Args& args, std::initializer_list<std::string_view> allowed);

}  // namespace sealane::cli

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/query.pb.h"

namespace sealane::cli {

// "NAME" or "KIND/NAME"; the kind in any letter case.
struct AppName {
  std::string kind;  // empty: any
  std::string name;
};
[[nodiscard]] absl::StatusOr<AppName> ParseAppName(std::string_view text);

// The one that `name` means among objects: workloads before everything else, then by kind. Errors
// as of SelectApps.
[[nodiscard]] absl::StatusOr<v1::ObjectRef> SelectRef(const std::vector<v1::ObjectRef>& refs,
                                                      const AppName& name);

// Whether objects of this kind run something.
[[nodiscard]] bool IsWorkloadKind(std::string_view kind);

// The rows that `name` means, the main one first: workloads before everything else, then by kind.
// NOT_FOUND when there is none; INVALID_ARGUMENT when several namespaces have one (and none was
// asked for), naming them.
[[nodiscard]] absl::StatusOr<std::vector<v1::AppStatus>> SelectApps(const v1::QueryReply& apps,
                                                                    const AppName& name);

// One line about where an application stands, for watching it.
[[nodiscard]] std::string ProgressLine(const v1::AppStatus& app);

}  // namespace sealane::cli

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/json_fwd.h"

namespace sealane {

namespace v1 {
class FieldError;
}  // namespace v1

namespace kube {

// A GitSource: a path of a Git repository whose manifests are the desired state. docs/gitops.md
// explains every field.
inline constexpr std::string_view kGitSourceGroup = "sealane.io";
inline constexpr std::string_view kGitSourceApiVersion = "sealane.io/v1alpha1";
inline constexpr std::string_view kGitSourceKind = "GitSource";
// On a GitSource, any text: when it changes, the source is looked at at once.
inline constexpr std::string_view kSyncAnnotation = "sealane.io/sync";

// The spec of a GitSource with its defaults.
struct GitSourceSpec {
  std::string url;  // https, http, ssh, git, file, "user@host:path", or an absolute path
  std::string branch = "main";
  std::string path;  // below the root, without "./" and a slash at its ends; empty: all of it
  absl::Duration interval = absl::Minutes(1);
  bool prune = true;        // what leaves the path leaves the fleet
  bool suspend = false;     // nothing is fetched
  bool take_over = false;   // objects that somebody else published become this source's
  std::string credentials;  // a name that the source service knows; empty: none
};

// Reads the object; appends every reason for which it is refused, with the field's path.
[[nodiscard]] GitSourceSpec ReadGitSource(const Json& object, std::vector<v1::FieldError>* errors);

// What is wrong with a repository's address, a branch's name or a path; "" when nothing is.
[[nodiscard]] std::string UrlFault(std::string_view url);
[[nodiscard]] std::string BranchFault(std::string_view branch);
[[nodiscard]] std::string PathFault(std::string_view path);
// Whether the address names files of the machine that reads it.
[[nodiscard]] bool IsLocalUrl(std::string_view url);

}  // namespace kube
}  // namespace sealane

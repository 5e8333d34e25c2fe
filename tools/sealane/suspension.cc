#include "tools/sealane/suspension.h"

#include <set>

#include "lib/core/json.h"
#include "lib/core/status.h"

namespace sealane::cli {
namespace {

bool Everywhere(const Json& manifest) {
  static const Json::json_pointer kPath("/spec/suspension/dispatching");
  return manifest.contains(kPath) && manifest.at(kPath) == true;
}

std::set<std::string> SuspendedClusters(const Json& manifest) {
  static const Json::json_pointer kPath("/spec/suspension/dispatchingOnClusters/clusterNames");
  std::set<std::string> names;
  if (!manifest.contains(kPath) || !manifest.at(kPath).is_array()) return names;
  for (const Json& name : manifest.at(kPath)) {
    if (name.is_string()) names.insert(name.get<std::string>());
  }
  return names;
}

void SetClusters(const std::set<std::string>& names, Json& manifest) {
  if (names.empty()) {
    manifest["spec"].erase("suspension");
  } else {
    manifest["spec"]["suspension"] = {{"dispatchingOnClusters", {{"clusterNames", names}}}};
  }
}

}  // namespace

absl::StatusOr<bool> Suspend(const std::vector<std::string>& clusters, Json& manifest) {
  if (clusters.empty()) {
    if (Everywhere(manifest)) return false;
    manifest["spec"]["suspension"] = {{"dispatching", true}};
    return true;
  }
  if (Everywhere(manifest)) {
    return FailedPrecondition("it is suspended everywhere; resume it first, then suspend it there");
  }
  const std::set<std::string> before = SuspendedClusters(manifest);
  std::set<std::string> names = before;
  names.insert(clusters.begin(), clusters.end());
  if (names == before) return false;
  SetClusters(names, manifest);
  return true;
}

absl::StatusOr<bool> Resume(const std::vector<std::string>& clusters, Json& manifest) {
  const bool everywhere = Everywhere(manifest);
  const std::set<std::string> before = SuspendedClusters(manifest);
  if (clusters.empty()) {
    if (!everywhere && before.empty()) return false;
    manifest["spec"].erase("suspension");
    return true;
  }
  if (everywhere) {
    return FailedPrecondition(
        "it is suspended everywhere; resume it, then suspend it in the clusters that are to rest");
  }
  std::set<std::string> names = before;
  for (const std::string& cluster : clusters) names.erase(cluster);
  if (names == before) return false;
  SetClusters(names, manifest);
  return true;
}

}  // namespace sealane::cli

#include "tools/sealane/differences.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::cli {
namespace {

// Path of a leaf -> its text. For an element of a list of plain values the text belongs to the
// path.
using Leaves = std::set<std::pair<std::string, std::string>>;

bool AllNamed(const Json& list) {
  return std::all_of(list.begin(), list.end(), [](const Json& element) {
    const auto name = element.is_object() ? element.find("name") : element.end();
    return element.is_object() && name != element.end() && name->is_string();
  });
}

void Flatten(const Json& json, const std::string& path, Leaves& leaves) {
  if (json.is_object()) {
    for (const auto& item : json.items()) {
      Flatten(item.value(), path.empty() ? item.key() : StrCat(path, ".", item.key()), leaves);
    }
    return;
  }
  if (!json.is_array()) {
    leaves.emplace(path, StrCat("=", PlainText(json)));
    return;
  }
  const bool named = AllNamed(json);
  size_t index = 0;
  for (const Json& element : json) {
    if (element.is_object()) {
      const std::string key = named ? element.at("name").get<std::string>() : StrCat(index);
      Flatten(element, StrCat(path, "[", key, "]"), leaves);
    } else {
      leaves.emplace(path, StrCat(" ", PlainText(element)));
    }
    ++index;
  }
}

bool HasOwnColumn(std::string_view path) {
  return path == "spec.replicas" || path.ends_with("].image");
}

// The path as people say it; see the header.
std::string InWords(std::string_view path, std::string_view text) {
  static constexpr std::string_view kLabels = "metadata.labels.";
  static constexpr std::string_view kAnnotations = "metadata.annotations.";
  if (path.starts_with(kLabels)) return StrCat("label ", path.substr(kLabels.size()), text);
  if (path.starts_with(kAnnotations)) {
    return StrCat("annotation ", path.substr(kAnnotations.size()), text);
  }
  const size_t containers = path.find("ontainers[");  // containers and initContainers
  const size_t end = path.find(']', containers);
  if (containers == std::string_view::npos || end == std::string_view::npos) {
    return StrCat(path, text);
  }
  const size_t begin = containers + std::string_view("ontainers[").size();
  const std::string_view container = path.substr(begin, end - begin);
  std::string_view field = path.substr(end + 1);
  if (field.starts_with('.')) field.remove_prefix(1);
  static constexpr std::string_view kEnv = "env[";
  static constexpr std::string_view kValue = "].value";
  if (field.starts_with(kEnv) && field.ends_with(kValue)) {
    field = field.substr(kEnv.size(), field.size() - kEnv.size() - kValue.size());
  }
  return StrCat(container, ": ", field, text);
}

}  // namespace

std::string PlainText(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::map<std::string, std::vector<std::string>> Differences(
    const std::map<std::string, Json>& manifests) {
  std::map<std::string, Leaves> by_cluster;
  std::map<std::pair<std::string, std::string>, size_t> seen;
  for (const auto& [cluster, manifest] : manifests) {
    Leaves& leaves = by_cluster[cluster];
    Flatten(manifest, "", leaves);
    for (const auto& leaf : leaves) ++seen[leaf];
  }
  std::map<std::string, std::vector<std::string>> differences;
  for (const auto& [cluster, leaves] : by_cluster) {
    std::vector<std::string>& own = differences[cluster];
    for (const auto& leaf : leaves) {
      if (seen[leaf] == manifests.size() || HasOwnColumn(leaf.first)) continue;
      own.push_back(InWords(leaf.first, leaf.second));
    }
  }
  return differences;
}

std::vector<std::string> Images(const Json& manifest) {
  static const Json::json_pointer kTemplate("/spec/template/spec/containers");
  static const Json::json_pointer kCron("/spec/jobTemplate/spec/template/spec/containers");
  static const Json::json_pointer kPod("/spec/containers");
  std::vector<std::string> images;
  for (const auto* pointer : {&kTemplate, &kCron, &kPod}) {
    if (!manifest.contains(*pointer) || !manifest.at(*pointer).is_array()) continue;
    const Json& containers = manifest.at(*pointer);
    for (const Json& container : containers) {
      if (!container.is_object() || !container.contains("image")) continue;
      const std::string image = PlainText(container.at("image"));
      images.push_back(containers.size() == 1 || !container.contains("name")
                           ? image
                           : StrCat(PlainText(container.at("name")), ": ", image));
    }
    break;
  }
  return images;
}

}  // namespace sealane::cli

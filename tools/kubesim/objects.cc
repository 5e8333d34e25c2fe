#include "tools/kubesim/objects.h"

#include <map>

#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::kubesim {

const Json& ValueAt(const Json& object, std::string_view path) {
  static const Json* const null = new Json();
  const Json* at = &object;
  while (!path.empty()) {
    if (!at->is_object()) return *null;
    const size_t dot = path.find('.');
    const auto it = at->find(std::string(path.substr(0, dot)));
    if (it == at->end()) return *null;
    at = &*it;
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return *at;
}

std::string TextAt(const Json& object, std::string_view path) {
  const Json& value = ValueAt(object, path);
  return value.is_string() ? value.get<std::string>() : "";
}

int64_t NumberAt(const Json& object, std::string_view path, int64_t fallback) {
  const Json& value = ValueAt(object, path);
  return value.is_number_integer() ? value.get<int64_t>() : fallback;
}

bool IsDeleting(const Json& object) {
  return !ValueAt(object, "metadata.deletionTimestamp").is_null();
}

namespace {

const Json* ControllerOf(const Json& object) {
  const Json& owners = ValueAt(object, "metadata.ownerReferences");
  if (!owners.is_array()) return nullptr;
  for (const Json& owner : owners) {
    if (owner.value("controller", false)) return &owner;
  }
  return nullptr;
}

}  // namespace

std::string ControllerUid(const Json& object) {
  const Json* owner = ControllerOf(object);
  return owner == nullptr ? "" : owner->value("uid", "");
}

std::optional<kubeapi::ObjectKey> ControllerKey(const Json& object, const std::string& ns) {
  static const std::map<std::string, std::string> resources = {{"Deployment", "apps/deployments"},
                                                               {"ReplicaSet", "apps/replicasets"},
                                                               {"StatefulSet", "apps/statefulsets"},
                                                               {"DaemonSet", "apps/daemonsets"},
                                                               {"Job", "batch/jobs"}};
  const Json* owner = ControllerOf(object);
  if (owner == nullptr) return std::nullopt;
  const auto resource = resources.find(owner->value("kind", ""));
  if (resource == resources.end()) return std::nullopt;
  return kubeapi::ObjectKey{resource->second, ns, owner->value("name", "")};
}

Json OwnerReference(const Json& owner, const char* kind) {
  return {{"apiVersion", owner.value("apiVersion", "")},
          {"kind", kind},
          {"name", TextAt(owner, "metadata.name")},
          {"uid", TextAt(owner, "metadata.uid")},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

bool HasCondition(const Json& object, std::string_view type) {
  const Json& conditions = ValueAt(object, "status.conditions");
  if (!conditions.is_array()) return false;
  for (const Json& condition : conditions) {
    if (condition.value("type", "") == type) return condition.value("status", "") == "True";
  }
  return false;
}

bool IsActivePod(const Json& pod) {
  const std::string phase = TextAt(pod, "status.phase");
  return phase != "Succeeded" && phase != "Failed" && !IsDeleting(pod);
}

bool IsReadyPod(const Json& pod) { return IsActivePod(pod) && HasCondition(pod, "Ready"); }

std::string TemplateHash(const Json& pod_template) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  uint64_t hash = Fnv1a64(pod_template.dump());
  std::string out;
  for (int i = 0; i < 10; ++i) {
    out.push_back(kAlphabet[hash % kAlphabet.size()]);
    hash /= kAlphabet.size();
  }
  return out;
}

int64_t IntOrPercent(const Json& value, int64_t total, bool round_up) {
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_string()) return 0;
  const std::string text = value.get<std::string>();
  if (text.empty() || text.back() != '%') return 0;
  const int64_t product = total * std::atoll(text.c_str());
  return round_up ? (product + 99) / 100 : product / 100;
}

}  // namespace sealane::kubesim

#include "services/policy/overrides.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/expansion.h"
#include "lib/kube/image_reference.h"
#include "lib/kube/json_access.h"
#include "lib/kube/json_patch.h"
#include "lib/kube/kinds.h"
#include "lib/kube/manifest.h"
#include "services/policy/override_rules.h"

namespace sealane::policy {
namespace {

using kube::Find;
using kube::GetString;

constexpr size_t kMaxShownValue = 256;

const Json& Items(const Json& parent, std::string_view name) {
  static const Json& empty = *new Json(Json::array());
  const Json* list = Find(parent, {name});
  return list == nullptr || list->is_null() ? empty : *list;
}

// A rule that concerns a cluster.
struct MatchedRule {
  const OverridePolicy& policy;
  int index;
};

// Applies one rule to one object.
class RuleRun {
 public:
  RuleRun(const MatchedRule& matched, Json& object, std::vector<v1::AppliedOverride>* applied)
      : matched_(matched), object_(object), applied_(applied) {}

  absl::Status Run(const Json& overriders) {
    const std::pair<std::string_view, absl::Status (RuleRun::*)(const Json&)> steps[] = {
        {"imageOverrider", &RuleRun::Image},   {"commandOverrider", &RuleRun::Command},
        {"argsOverrider", &RuleRun::Args},     {"envOverrider", &RuleRun::Environment},
        {"labelsOverrider", &RuleRun::Labels}, {"annotationsOverrider", &RuleRun::Annotations},
        {"fieldOverrider", &RuleRun::Field},
    };
    for (const auto& [name, step] : steps) {
      const Json& list = Items(overriders, name);
      for (size_t i = 0; i < list.size(); ++i) {
        operation_ = StrCat(name, "[", i, "]");
        SEALANE_RETURN_IF_ERROR(Annotate((this->*step)(list[i]), operation_));
        SEALANE_RETURN_IF_ERROR(Annotate(CheckObject(), operation_));
      }
    }
    const Json& patches = Items(overriders, "plaintext");
    for (size_t i = 0; i < patches.size(); ++i) {
      operation_ = StrCat("plaintext[", i, "]");
      SEALANE_RETURN_IF_ERROR(Annotate(Plaintext(patches[i]), operation_));
    }
    return Annotate(CheckObject(), "plaintext");
  }

 private:
  // Whatever was done to it, it must remain an object of some kind.
  absl::Status CheckObject() {
    if (!object_.is_object()) return InvalidArgument("the result is not an object");
    const std::string_view version = GetString(object_, {"apiVersion"});
    if (GetString(object_, {"kind"}).empty()) return InvalidArgument("the result has no kind");
    if (std::count(version.begin(), version.end(), '/') > 1) {
      return InvalidArgument("the result has a malformed apiVersion");
    }
    return absl::OkStatus();
  }

  absl::Status Patch(std::string_view op, const std::string& path, const Json& value) {
    SEALANE_RETURN_IF_ERROR(kube::ApplyPatch(object_, op, path, value));
    Record(op, path, value);
    return absl::OkStatus();
  }

  void Record(std::string_view op, const std::string& path, const Json& value) {
    if (applied_ == nullptr) return;
    v1::AppliedOverride& entry = applied_->emplace_back();
    *entry.mutable_policy() = matched_.policy.ref;
    entry.set_rule(matched_.index);
    entry.set_overrider(operation_);
    entry.set_path(path);
    entry.set_operator_(std::string(op));
    if (op == "remove") return;
    std::string text = WriteJson(value);
    if (text.size() > kMaxShownValue) {
      text.resize(kMaxShownValue);
      text += "...";
    }
    entry.set_value_json(std::move(text));
  }

  // The lists of containers that overriders by container reach, with their JSON pointers.
  absl::Status EachContainer(
      const std::function<absl::Status(Json& container, const std::string& pointer)>& visit) {
    const std::string_view kind = GetString(object_, {"kind"});
    const std::string_view pod = kube::PodSpecPointer(kind);
    if (pod.empty() || (kind == "CronJob" && !matched_.policy.rules->all_containers)) {
      return absl::OkStatus();
    }
    static constexpr std::array<std::string_view, 3> kLists = {"containers", "initContainers",
                                                               "ephemeralContainers"};
    for (const std::string_view list : kLists) {
      const std::string pointer = StrCat(pod, "/", list);
      Json* containers = kube::FindPointer(object_, pointer);
      if (containers != nullptr && !containers->is_null()) {
        if (!containers->is_array()) return InvalidArgument(StrCat(pointer, ": must be a list"));
        for (size_t i = 0; i < containers->size(); ++i) {
          // Looked up again: `visit` may have patched the object.
          const std::string at = StrCat(pointer, "/", i);
          Json* container = kube::FindPointer(object_, at);
          if (container == nullptr || !container->is_object()) {
            return InvalidArgument(StrCat(at, ": must be an object"));
          }
          SEALANE_RETURN_IF_ERROR(visit(*container, at));
        }
      }
      if (!matched_.policy.rules->all_containers) break;
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<std::string> NewImage(std::string_view image, const Json& overrider) {
    SEALANE_ASSIGN_OR_RETURN(kube::ImageReference parts, kube::ParseImage(image));
    const std::string_view component = GetString(overrider, {"component"});
    const std::string_view op = GetString(overrider, {"operator"});
    const std::string value(GetString(overrider, {"value"}));
    const auto change = [&](const std::string& old) {
      return op == "add" ? old + value : op == "replace" ? value : std::string();
    };
    if (component == "Registry") {
      parts.registry = change(parts.registry);
    } else if (component == "Repository") {
      parts.repository = change(parts.repository);
    } else if (op == "remove") {
      parts.tag.clear();
      parts.digest.clear();
    } else {
      parts.SetTagOrDigest(change(parts.TagOrDigest()));
    }
    return parts.ToString();
  }

  absl::Status Image(const Json& overrider) {
    const Json* predicate = Find(overrider, {"predicate"});
    if (predicate != nullptr && !predicate->is_null()) {
      const std::string path(GetString(*predicate, {"path"}));
      if (!path.starts_with('/')) return InvalidArgument("predicate.path must begin with '/'");
      const Json* image = kube::FindPointer(object_, path);
      if (image == nullptr || !image->is_string()) {
        return InvalidArgument(StrCat(path, ": there is no image"));
      }
      SEALANE_ASSIGN_OR_RETURN(const std::string changed,
                               NewImage(image->get_ref<const std::string&>(), overrider));
      return Patch("replace", path, changed);
    }
    SEALANE_RETURN_IF_ERROR(CheckPodTypes());
    return EachContainer([&](Json& container, const std::string& at) -> absl::Status {
      const auto changed = NewImage(GetString(container, {"image"}), overrider);
      if (!changed.ok()) return Annotate(changed.status(), StrCat(at, "/image"));
      return Patch("replace", StrCat(at, "/image"), *changed);
    });
  }

  absl::Status Command(const Json& overrider) { return Words("command", overrider); }
  absl::Status Args(const Json& overrider) { return Words("args", overrider); }

  absl::Status Words(std::string_view target, const Json& overrider) {
    const std::string_view name = GetString(overrider, {"containerName"});
    const bool remove = GetString(overrider, {"operator"}) == "remove";
    const Json& values = Items(overrider, "value");
    return EachContainer([&](Json& container, const std::string& at) -> absl::Status {
      if (GetString(container, {"name"}) != name) return absl::OkStatus();
      const Json* current = Find(container, {target});
      const bool present = current != nullptr && !current->is_null();
      if (present && !current->is_array()) {
        return InvalidArgument(StrCat(at, "/", target, ": must be a list"));
      }
      Json words = present ? *current : Json::array();
      if (!remove) {
        for (const Json& value : values) words.push_back(value);
      } else {
        Json kept = Json::array();
        for (const Json& word : words) {
          if (std::find(values.begin(), values.end(), word) == values.end()) kept.push_back(word);
        }
        words = std::move(kept);
      }
      return Patch(present ? "replace" : "add", StrCat(at, "/", target), words);
    });
  }

  absl::Status Environment(const Json& overrider) {
    const std::string_view name = GetString(overrider, {"containerName"});
    const std::string_view op = GetString(overrider, {"operator"});
    return EachContainer([&](Json& container, const std::string& at) -> absl::Status {
      if (!name.empty() && GetString(container, {"name"}) != name) return absl::OkStatus();
      const Json* current = Find(container, {"env"});
      const bool present = current != nullptr && !current->is_null();
      if (present && !current->is_array()) {
        return InvalidArgument(StrCat(at, "/env: must be a list"));
      }
      Json variables = present ? *current : Json::array();
      bool changed = false;
      for (const Json& wanted : Items(overrider, "value")) {
        const auto known = std::find_if(variables.begin(), variables.end(), [&](const Json& v) {
          return GetString(v, {"name"}) == GetString(wanted, {"name"});
        });
        if (known == variables.end()) {
          if (op != "add") continue;
          variables.push_back(wanted);
        } else if (op == "remove") {
          variables.erase(known);
        } else {
          *known = wanted;
        }
        changed = true;
      }
      if (!changed) return absl::OkStatus();
      return Patch(present ? "replace" : "add", StrCat(at, "/env"), variables);
    });
  }

  absl::Status Labels(const Json& overrider) { return TextMap("labels", overrider); }
  absl::Status Annotations(const Json& overrider) { return TextMap("annotations", overrider); }

  absl::Status TextMap(std::string_view target, const Json& overrider) {
    const std::string op(GetString(overrider, {"operator"}));
    const Json* values = Find(overrider, {"value"});
    if (values == nullptr || !values->is_object()) return absl::OkStatus();
    for (const auto& [key, value] : values->items()) {
      const Json* map = Find(object_, {"metadata", target});
      const bool usable =
          map != nullptr && map->is_object() &&
          std::all_of(map->begin(), map->end(), [](const Json& text) { return text.is_string(); });
      if (op == "add") {
        if (!usable) {
          Json& metadata = object_["metadata"];
          if (metadata.is_null()) metadata = Json::object();
          if (!metadata.is_object()) continue;
          metadata[target] = Json::object();
        }
      } else if (!usable || !map->contains(key)) {
        continue;
      }
      SEALANE_RETURN_IF_ERROR(
          Patch(op, StrCat("/metadata/", target, "/", kube::EscapePointerToken(key)), value));
    }
    return absl::OkStatus();
  }

  absl::Status Field(const Json& overrider) {
    const std::string path(GetString(overrider, {"fieldPath"}));
    if (!kube::CheckPointer(path).empty()) return InvalidArgument("fieldPath must begin with '/'");
    Json* field = kube::FindPointer(object_, path);
    if (field == nullptr) return InvalidArgument(StrCat(path, ": there is no such field"));
    if (!field->is_string()) return InvalidArgument(StrCat(path, ": is not a string"));
    const auto& text = field->get_ref<const std::string&>();
    const Json& yaml = Items(overrider, "yaml");
    const Json& json = Items(overrider, "json");
    std::string changed;
    if (!yaml.empty()) {
      SEALANE_ASSIGN_OR_RETURN(changed, kube::PatchYamlText(text, yaml));
    } else if (!json.empty()) {
      SEALANE_ASSIGN_OR_RETURN(changed, kube::PatchJsonText(text, json));
    }
    *field = std::move(changed);
    Record("replace", path, *field);
    return absl::OkStatus();
  }

  absl::Status Plaintext(const Json& patch) {
    const Json* value = Find(patch, {"value"});
    return Patch(GetString(patch, {"operator"}), std::string(GetString(patch, {"path"})),
                 value == nullptr ? Json() : *value);
  }

  // An image overrider reads the workload by its types: a field that an earlier patch has spoilt is
  // found here.
  absl::Status CheckPodTypes() {
    const std::string_view kind = GetString(object_, {"kind"});
    if (kube::PodSpecPointer(kind).empty() || kind == "CronJob") return absl::OkStatus();
    for (const std::string_view field : {"replicas", "parallelism", "completions"}) {
      const Json* value = Find(object_, {"spec", field});
      if (value != nullptr && !value->is_null() && !value->is_number_integer()) {
        return InvalidArgument(StrCat("/spec/", field, ": must be an integer"));
      }
    }
    return absl::OkStatus();
  }

  const MatchedRule& matched_;
  Json& object_;
  std::vector<v1::AppliedOverride>* applied_;
  std::string operation_;
};

bool Concerns(const OverrideRule& rule, const v1::ClusterStatus& cluster) {
  return rule.every_cluster || rule.target.Matches(cluster);
}

// Applies the policies in the given order.
absl::Status ApplyInOrder(const std::vector<const OverridePolicy*>& policies,
                          const v1::ClusterStatus& cluster, Json& manifest,
                          std::vector<v1::AppliedOverride>* applied) {
  for (const OverridePolicy* policy : policies) {
    for (size_t i = 0; i < policy->rules->rules.size(); ++i) {
      const OverrideRule& rule = policy->rules->rules[i];
      if (!Concerns(rule, cluster)) continue;
      const std::string where = StrCat(Describe(KeyOf(policy->ref)), " rule ", i);
      const Json* overriders = &rule.overriders;
      Json expanded;
      if (policy->rules->expand) {
        expanded = *overriders;
        SEALANE_RETURN_IF_ERROR(Annotate(kube::ExpandAll(expanded, cluster), where));
        overriders = &expanded;
      }
      const MatchedRule matched{*policy, static_cast<int>(i)};
      SEALANE_RETURN_IF_ERROR(
          Annotate(RuleRun(matched, manifest, applied).Run(*overriders), where));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyOverrides(const std::vector<const OverridePolicy*>& policies,
                            const v1::ClusterStatus& cluster, Json& manifest,
                            std::vector<v1::AppliedOverride>* applied) {
  std::vector<const OverridePolicy*> wide;
  std::vector<const OverridePolicy*> own;
  for (const OverridePolicy* policy : policies) {
    (policy->cluster_wide() ? wide : own).push_back(policy);
  }
  for (const auto* stage : {&wide, &own}) {
    if (stage->empty()) continue;
    const v1::ObjectRef ref = kube::RefOf(manifest);
    SEALANE_RETURN_IF_ERROR(
        ApplyInOrder(RelevantOverrides({ref, manifest}, *stage), cluster, manifest, applied));
  }
  return absl::OkStatus();
}

std::string OverrideKey(const std::vector<const OverridePolicy*>& policies,
                        const v1::ClusterStatus& cluster) {
  std::string key;
  for (size_t p = 0; p < policies.size(); ++p) {
    for (size_t i = 0; i < policies[p]->rules->rules.size(); ++i) {
      const OverrideRule& rule = policies[p]->rules->rules[i];
      if (!Concerns(rule, cluster)) continue;
      key += StrCat(p, ".", i, "=", kube::ExpansionKey(rule.references, cluster), ";");
    }
  }
  return key;
}

}  // namespace sealane::policy

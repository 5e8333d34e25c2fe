#include "lib/kube/reflect_status.h"

#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/status_fields.h"

namespace sealane::kube {
namespace {

// What is reported of a kind.
struct ReflectRule {
  std::vector<NumberField> numbers;
  std::vector<std::string_view> values;  // copied as they are, when present
  bool generations = false;              // adds generation and resourceTemplateGeneration
};

const std::map<std::string_view, ReflectRule>& Rules() {
  static const auto& rules = *new std::map<std::string_view, ReflectRule>{
      {"apps/Deployment",
       {{{"replicas"},
         {"updatedReplicas"},
         {"readyReplicas"},
         {"availableReplicas"},
         {"unavailableReplicas"},
         {"observedGeneration"}},
        {},
        true}},
      {"apps/ReplicaSet",
       {{{"replicas", true}, {"readyReplicas"}, {"availableReplicas"}, {"observedGeneration"}},
        {},
        true}},
      // observedGeneration is not part of what Karmada reports here; WorkStatus carries it beside.
      {"apps/StatefulSet",
       {{{"replicas", true},
         {"availableReplicas", true},
         {"currentReplicas"},
         {"readyReplicas"},
         {"updatedReplicas"}},
        {},
        true}},
      {"apps/DaemonSet",
       {{{"currentNumberScheduled", true},
         {"desiredNumberScheduled", true},
         {"numberMisscheduled", true},
         {"numberReady", true},
         {"numberAvailable"},
         {"numberUnavailable"},
         {"updatedNumberScheduled"},
         {"observedGeneration"}},
        {},
        true}},
      {"batch/Job",
       {{{"active"}, {"succeeded"}, {"failed"}}, {"conditions", "startTime", "completionTime"}}},
      {"policy/PodDisruptionBudget",
       {{{"currentHealthy", true},
         {"desiredHealthy", true},
         {"disruptionsAllowed", true},
         {"expectedPods", true}},
        {"disruptedPods"}}},
      {"autoscaling/HorizontalPodAutoscaler",
       {{{"currentReplicas"}, {"desiredReplicas", true}}, {}}},
      {"/Service", {{}, {"loadBalancer"}}},
  };
  return rules;
}

absl::StatusOr<int64_t> ResourceTemplateGeneration(FieldReader& metadata) {
  FieldReader annotations(metadata.Object("annotations"), "metadata.annotations");
  const std::string text = annotations.String(kTemplateGenerationAnnotation);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgument(StrCat("metadata.annotations[", kTemplateGenerationAnnotation,
                                  "]: must be a whole number, is \"", text, "\""));
  }
  return value;
}

// A Service that is not a load balancer reports nothing.
bool HasReport(const std::string& group_kind, FieldReader& object) {
  if (group_kind != "/Service") return true;
  return FieldReader(object.Object("spec"), "spec").String("type") == "LoadBalancer";
}

}  // namespace

absl::StatusOr<Json> ReflectStatus(const Json& object, std::optional<int64_t> template_generation) {
  FieldReader reader(&object, "object");
  const std::string group_kind = GroupKind(object);
  if (!HasReport(group_kind, reader)) return Json();
  const Json* status = reader.Object("status");
  if (!reader.status().ok()) return reader.status();
  if (status == nullptr) return Json();
  const auto rule = Rules().find(group_kind);
  if (rule == Rules().end()) return *status;

  FieldReader fields(status, "status");
  Json result = Json::object();
  for (const NumberField& number : rule->second.numbers) {
    const int64_t value = fields.Int(number.name);
    if (value != 0 || number.keep_zero) result[std::string(number.name)] = value;
  }
  if (!fields.status().ok()) return fields.status();
  for (const std::string_view name : rule->second.values) {
    if (fields.Has(name)) result[std::string(name)] = status->at(std::string(name));
  }
  if (!rule->second.generations) return result;

  FieldReader metadata(reader.Object("metadata"), "metadata");
  if (!template_generation.has_value()) {
    SEALANE_ASSIGN_OR_RETURN(template_generation, ResourceTemplateGeneration(metadata));
  }
  const int64_t generation = metadata.Int("generation");
  if (!metadata.status().ok()) return metadata.status();
  if (generation != 0) result["generation"] = generation;
  if (*template_generation != 0) result["resourceTemplateGeneration"] = *template_generation;
  if (result.empty()) return Json();
  return result;
}

}  // namespace sealane::kube

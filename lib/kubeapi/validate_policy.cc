// Rules of PodDisruptionBudgets, HorizontalPodAutoscalers and Leases.

#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_kinds.h"
#include "lib/kubeapi/validate_meta.h"

namespace sealane::kubeapi {
namespace {

struct MetricKind {
  std::string_view type;
  const char* field;
};
constexpr MetricKind kMetricKinds[] = {{"ContainerResource", "containerResource"},
                                       {"External", "external"},
                                       {"Object", "object"},
                                       {"Pods", "pods"},
                                       {"Resource", "resource"}};

void CheckTarget(const Json& source, const FieldPath& path, FieldErrors& errors) {
  const Json& target = At(source, "target");
  const FieldPath at = path.Child("target");
  const std::string_view type = TextView(target, "type");
  if (type.empty()) {
    errors.push_back(RequiredField(at.Text("type"), "must specify a metric target type"));
  } else if (type != "Utilization" && type != "Value" && type != "AverageValue") {
    errors.push_back(
        InvalidField(at.Text("type"), type, "must be either Utilization, Value, or AverageValue"));
  }
  if (const auto percent = IntAt(target, "averageUtilization"); percent && *percent < 1) {
    errors.push_back(
        InvalidField(at.Text("averageUtilization"), *percent, "must be greater than 0"));
  }
}

void CheckMetric(const Json& metric, const FieldPath& path, FieldErrors& errors) {
  const std::string_view type = TextView(metric, "type");
  const auto* const kind =
      std::find_if(std::begin(kMetricKinds), std::end(kMetricKinds),
                   [&](const MetricKind& candidate) { return candidate.type == type; });
  if (kind == std::end(kMetricKinds)) {
    if (type.empty()) {
      errors.push_back(RequiredField(path.Text("type"), "must specify a metric source type"));
    }
    errors.push_back(UnsupportedField(
        path.Text("type"), type, {"ContainerResource", "External", "Object", "Pods", "Resource"}));
    return;
  }
  const Json& source = At(metric, kind->field);
  const FieldPath at = path.Child(kind->field);
  if (source.is_null()) {
    errors.push_back(
        RequiredField(at.Text(), "must populate information for the given metric source"));
  } else {
    CheckTarget(source, at, errors);
    if (type == "Resource" || type == "ContainerResource") {
      if (TextView(source, "name").empty()) {
        errors.push_back(RequiredField(at.Text("name"), "must specify a resource name"));
      }
    } else if (TextView(At(source, "metric"), "name").empty()) {
      errors.push_back(RequiredField(at.Text("metric.name"), "must specify a metric name"));
    }
  }
  for (const MetricKind& other : kMetricKinds) {
    if (other.type != type && Has(metric, other.field)) {
      errors.push_back(
          ForbiddenField(path.Text(other.field), "must populate the given metric source only"));
    }
  }
}

}  // namespace

void CheckDisruptionBudget(const Json& spec, FieldErrors& errors) {
  if (Has(spec, "minAvailable") && Has(spec, "maxUnavailable")) {
    errors.push_back(
        InvalidField("spec", spec, "minAvailable and maxUnavailable cannot be both set"));
  }
  CheckIntOrPercent(spec, "minAvailable", /*at_most_100=*/true, kSpec, errors);
  CheckIntOrPercent(spec, "maxUnavailable", /*at_most_100=*/true, kSpec, errors);
  CheckLabelSelector(At(spec, "selector"), kSpec.Child("selector"), errors);
  CheckOneOf(spec, "unhealthyPodEvictionPolicy", {"AlwaysAllow", "IfHealthyBudget"}, kSpec, errors);
}

void CheckAutoscaler(const Json& spec, FieldErrors& errors) {
  const Json& metrics = ListAt(spec, "metrics");
  const auto least = IntAt(spec, "minReplicas");
  const int64_t most = IntAt(spec, "maxReplicas").value_or(0);
  // To scale to nothing and back takes a metric that is there without pods.
  const bool to_zero = std::any_of(metrics.begin(), metrics.end(), [](const Json& metric) {
    const std::string_view type = TextView(metric, "type");
    return type == "Object" || type == "External";
  });
  if (least && *least < (to_zero ? 0 : 1)) {
    errors.push_back(InvalidField("spec.minReplicas", *least,
                                  StrCat("must be greater than or equal to ", to_zero ? 0 : 1)));
  }
  if (most < 1) {
    errors.push_back(InvalidField("spec.maxReplicas", most, "must be greater than 0"));
  }
  if (least && most < *least) {
    errors.push_back(
        InvalidField("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"));
  }
  const Json& target = At(spec, "scaleTargetRef");
  const FieldPath path = kSpec.Child("scaleTargetRef");
  CheckRequired(target, "kind", path, errors);
  CheckRequired(target, "name", path, errors);
  for (size_t i = 0; i < metrics.size(); ++i) {
    CheckMetric(metrics[i], kSpec.Child("metrics", i), errors);
  }
}

void CheckLease(const Json& spec, FieldErrors& errors) {
  if (const auto seconds = IntAt(spec, "leaseDurationSeconds"); seconds && *seconds <= 0) {
    errors.push_back(InvalidField("spec.leaseDurationSeconds", *seconds, "must be greater than 0"));
  }
  CheckNonNegative(spec, "leaseTransitions", kSpec, errors);
}

}  // namespace sealane::kubeapi

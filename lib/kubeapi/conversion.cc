#include "lib/kubeapi/conversion.h"

#include <string>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::kubeapi {
namespace {

constexpr char kV1[] = "autoscaling/v1";
constexpr char kV2[] = "autoscaling/v2";
// Where Kubernetes keeps what v1 has no fields for.
constexpr char kMetrics[] = "autoscaling.alpha.kubernetes.io/metrics";
constexpr char kBehavior[] = "autoscaling.alpha.kubernetes.io/behavior";

// How a source of metrics is written in v1; in v2 all have `target` and most `metric`.
struct Source {
  const char* field;
  const char* metric;  // "": the metric is a resource and stays `name`
  const char* selector;
  const char* value;
  const char* average;
};
constexpr Source kSources[] = {
    {"resource", "", "", "", "targetAverageValue"},
    {"containerResource", "", "", "", "targetAverageValue"},
    {"pods", "metricName", "selector", "", "targetAverageValue"},
    {"object", "metricName", "selector", "targetValue", "averageValue"},
    {"external", "metricName", "metricSelector", "targetValue", "targetAverageValue"}};

// Moves a field, where there is one.
void Move(Json& from, const char* field, Json& to, const char* name) {
  if (*field == '\0' || !from.is_object()) return;
  const auto it = from.find(field);
  if (it == from.end()) return;
  Json value = std::move(*it);
  from.erase(it);
  if (!value.is_null()) to[name] = std::move(value);
}

Json MetricToV2(const Json& metric) {
  Json out = metric;
  for (const Source& form : kSources) {
    if (!out.contains(form.field) || !out[form.field].is_object()) continue;
    Json& source = out[form.field];
    Json target = Json::object();
    Json named = Json::object();
    Move(source, form.metric, named, "name");
    Move(source, form.selector, named, "selector");
    Move(source, "targetAverageUtilization", target, "averageUtilization");
    Move(source, form.average, target, "averageValue");
    Move(source, form.value, target, "value");
    Move(source, "target", source, "describedObject");  // of an object
    // An average comes before a value of 0, which v1 cannot leave out.
    if (target.contains("averageValue")) target.erase("value");
    target["type"] = target.contains("averageUtilization") ? "Utilization"
                     : target.contains("averageValue")     ? "AverageValue"
                                                           : "Value";
    if (!named.empty()) source["metric"] = std::move(named);
    source["target"] = std::move(target);
  }
  return out;
}

Json MetricToV1(const Json& metric) {
  Json out = metric;
  for (const Source& form : kSources) {
    if (!out.contains(form.field) || !out[form.field].is_object()) continue;
    Json& source = out[form.field];
    Json target = source.value("target", Json::object());
    Json named = source.value("metric", Json::object());
    source.erase("target");
    source.erase("metric");
    if (*form.metric != '\0') {
      Move(named, "name", source, form.metric);
      Move(named, "selector", source, form.selector);
    }
    Move(target, "averageUtilization", source, "targetAverageUtilization");
    Move(target, "averageValue", source, form.average);
    if (*form.value != '\0') Move(target, "value", source, form.value);
    Move(source, "describedObject", source, "target");
  }
  return out;
}

// The metric that v1 has a field for.
bool IsCpuUtilization(const Json& metric) {
  const Json::json_pointer name("/resource/name");
  return metric.is_object() && metric.contains(name) && metric.at(name) == "cpu" &&
         metric.contains(Json::json_pointer("/resource/target/averageUtilization"));
}

// What an annotation holds; null when it is absent or no JSON.
Json TakeAnnotation(Json& object, const char* name) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return nullptr;
  const auto all = metadata->find("annotations");
  if (all == metadata->end() || !all->is_object() || !all->contains(name)) return nullptr;
  const Json text = (*all)[name];
  all->erase(name);
  if (all->empty()) metadata->erase("annotations");
  return text.is_string() ? Json::parse(text.get_ref<const std::string&>(), nullptr, false)
                          : Json();
}

void AutoscalerToV2(Json& object) {
  const Json others = TakeAnnotation(object, kMetrics);
  Json behavior = TakeAnnotation(object, kBehavior);
  const auto spec = object.find("spec");
  if (spec == object.end() || !spec->is_object()) return;
  Json metrics = Json::array();
  if (others.is_array()) {
    for (const Json& metric : others) {
      if (metric.is_object()) metrics.push_back(MetricToV2(metric));
    }
  }
  if (const auto cpu = spec->find("targetCPUUtilizationPercentage"); cpu != spec->end()) {
    if (!cpu->is_null()) {
      metrics.push_back({{"type", "Resource"},
                         {"resource",
                          {{"name", "cpu"},
                           {"target", {{"type", "Utilization"}, {"averageUtilization", *cpu}}}}}});
    }
    spec->erase("targetCPUUtilizationPercentage");
  }
  if (!metrics.empty()) (*spec)["metrics"] = std::move(metrics);
  if (behavior.is_object()) (*spec)["behavior"] = std::move(behavior);
}

void AutoscalerToV1(Json& object) {
  const auto spec = object.find("spec");
  if (spec != object.end() && spec->is_object()) {
    Json others = Json::array();
    for (const Json& metric : spec->value("metrics", Json::array())) {
      if (IsCpuUtilization(metric) && !spec->contains("targetCPUUtilizationPercentage")) {
        (*spec)["targetCPUUtilizationPercentage"] =
            metric["resource"]["target"]["averageUtilization"];
      } else {
        others.push_back(MetricToV1(metric));
      }
    }
    Json& metadata = object["metadata"];
    if (!others.empty()) metadata["annotations"][kMetrics] = others.dump();
    if (spec->contains("behavior")) {
      metadata["annotations"][kBehavior] = (*spec)["behavior"].dump();
    }
    spec->erase("metrics");
    spec->erase("behavior");
  }
  const auto status = object.find("status");
  if (status == object.end() || !status->is_object()) return;
  for (const Json& metric : status->value("currentMetrics", Json::array())) {
    const Json::json_pointer now("/resource/current/averageUtilization");
    if (metric.value("type", "") != "Resource" || !metric.contains(now)) continue;
    if (metric["resource"].value("name", "") == "cpu") {
      (*status)["currentCPUUtilizationPercentage"] = metric.at(now);
    }
  }
  status->erase("currentMetrics");
  status->erase("conditions");
}

}  // namespace

void ToStorageForm(Json& object) {
  const std::string version = object.value("apiVersion", "");
  const std::string kind = object.value("kind", "");
  if (version == kV1 && kind == "HorizontalPodAutoscaler") {
    AutoscalerToV2(object);
    object["apiVersion"] = kV2;
  } else if (version == "batch/v1beta1" && kind == "CronJob") {
    object["apiVersion"] = "batch/v1";
  }
}

Json FromStorageForm(std::string_view api_version, const Json& object) {
  Json out = object;
  if (api_version == kV1) AutoscalerToV1(out);
  out["apiVersion"] = api_version;
  return out;
}

}  // namespace sealane::kubeapi

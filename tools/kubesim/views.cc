#include "tools/kubesim/views.h"

#include <algorithm>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/errors.h"
#include "tools/kubesim/objects.h"
#include "tools/kubesim/scheduling.h"

namespace sealane::kubesim {
namespace {

const Json* StatusOf(const Json& pod, const std::string& container) {
  for (const Json& status : ValueAt(pod, "status.containerStatuses")) {
    if (TextAt(status, "name") == container) return &status;
  }
  return nullptr;
}

absl::Time StartOf(const Json& pod, const std::string& container) {
  const Json* status = StatusOf(pod, container);
  if (status == nullptr) return absl::InfiniteFuture();
  std::string text = TextAt(*status, "state.running.startedAt");
  if (text.empty()) text = TextAt(*status, "state.terminated.startedAt");
  const auto time = ParseKubeTime(text);
  return time.ok() ? *time : absl::InfiniteFuture();
}

absl::Time EndOf(const Json& pod, const std::string& container) {
  const Json* status = StatusOf(pod, container);
  const auto time = status == nullptr
                        ? absl::StatusOr<absl::Time>(absl::InfiniteFuture())
                        : ParseKubeTime(TextAt(*status, "state.terminated.finishedAt"));
  return time.ok() ? *time : absl::InfiniteFuture();
}

Json Usage(const Amount& requested) {
  return {{"cpu", StrCat(static_cast<int64_t>(requested.cpu * 500), "m")},
          {"memory", StrCat(static_cast<int64_t>(requested.memory / 2048), "Ki")}};
}

Json Head(const char* kind, const kubeapi::ObjectKey& key, absl::Time now) {
  Json metadata = {{"name", key.name}, {"creationTimestamp", FormatKubeTime(now)}};
  if (!key.ns.empty()) metadata["namespace"] = key.ns;
  return {{"kind", kind},
          {"apiVersion", "metrics.k8s.io/v1beta1"},
          {"metadata", metadata},
          {"timestamp", FormatKubeTime(now)},
          {"window", "10s"}};
}

Json PodMetrics(const kubeapi::ObjectPtr& pod, absl::Time now) {
  Json out = Head("PodMetrics", pod->key(), now);
  out["metadata"]["labels"] = ValueAt(pod->value(), "metadata.labels");
  out["containers"] = Json::array();
  for (const Json& container : ValueAt(pod->value(), "spec.containers")) {
    Json alone = pod->value();
    alone["spec"]["containers"] = Json::array({container});
    out["containers"].push_back(
        {{"name", TextAt(container, "name")}, {"usage", Usage(RequestsOf(alone))}});
  }
  return out;
}

Json NodeMetrics(const kubeapi::Store& store, const kubeapi::ObjectPtr& node, absl::Time now) {
  Amount used;
  store.ForEach("pods", "", {}, [&](const kubeapi::ObjectPtr& pod) {
    if (TextAt(pod->value(), "spec.nodeName") == node->key().name && IsActivePod(pod->value())) {
      used.Add(RequestsOf(pod->value()), 1);
    }
    return true;
  });
  Json out = Head("NodeMetrics", node->key(), now);
  out["usage"] = Usage(used);
  return out;
}

Json Definition(const char* plural, const char* kind, bool namespaced) {
  return {{"apiVersion", "apiextensions.k8s.io/v1"},
          {"kind", "CustomResourceDefinition"},
          {"metadata", {{"name", StrCat(plural, ".metrics.k8s.io")}}},
          {"spec",
           {{"group", "metrics.k8s.io"},
            {"scope", namespaced ? "Namespaced" : "Cluster"},
            {"names", {{"plural", plural}, {"kind", kind}, {"listKind", StrCat(kind, "List")}}},
            {"versions",
             {{{"name", "v1beta1"},
               {"served", true},
               {"storage", true},
               {"schema",
                {{"openAPIV3Schema",
                  {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}}}}}}}}}}};
}

}  // namespace

absl::StatusOr<std::string> LogContainer(const Json& pod, const std::string& wanted) {
  std::vector<std::string> names;
  for (const Json& container : ValueAt(pod, "spec.containers")) {
    names.push_back(TextAt(container, "name"));
  }
  const std::string name = TextAt(pod, "metadata.name");
  std::string chosen = wanted;
  if (chosen.empty()) {
    if (names.size() != 1) {
      return kubeapi::BadRequest(StrCat("a container name must be specified for pod ", name,
                                        ", choose one of: [", StrJoin(names, " "), "]"));
    }
    chosen = names.front();
  }
  if (std::find(names.begin(), names.end(), chosen) == names.end()) {
    return kubeapi::BadRequest(StrCat("container ", chosen, " is not valid for pod ", name));
  }
  if (StartOf(pod, chosen) == absl::InfiniteFuture()) {
    const Json* status = StatusOf(pod, chosen);
    const std::string why = status == nullptr ? "" : TextAt(*status, "state.waiting.reason");
    return kubeapi::BadRequest(
        StrCat("container \"", chosen, "\" in pod \"", name,
               "\" is waiting to start: ", why.empty() ? "ContainerCreating" : why));
  }
  return chosen;
}

int64_t LogLines(const Json& pod, const std::string& container, absl::Time now) {
  const absl::Time start = StartOf(pod, container);
  const absl::Time end = std::min(now, EndOf(pod, container));
  return end < start ? 0 : absl::ToInt64Seconds(end - start) + 1;
}

std::string LogLine(const Json& pod, const std::string& container, int64_t index, bool timestamp) {
  std::string out;
  if (timestamp) {
    out = StrCat(FormatKubeTime(StartOf(pod, container) + absl::Seconds(index)), " ");
  }
  return StrCat(out, TextAt(pod, "metadata.name"), "/", container, " line ", index, "\n");
}

std::shared_ptr<const Json> MetricsDefinitions() {
  return std::make_shared<const Json>(Json::array(
      {Definition("pods", "PodMetrics", true), Definition("nodes", "NodeMetrics", false)}));
}

std::optional<absl::StatusOr<Json>> MetricsAnswer(const kubeapi::Store& store,
                                                  const std::string& path, absl::Time now) {
  std::vector<std::string> parts;
  for (size_t start = 1; start <= path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    parts.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  std::string ns;
  if (parts.size() >= 3 && parts[0] == "namespaces") {
    ns = parts[1];
    parts.erase(parts.begin(), parts.begin() + 2);
  }
  if (parts.empty() || parts.size() > 2) return std::nullopt;
  const bool nodes = parts[0] == "nodes";
  if (!nodes && parts[0] != "pods") return std::nullopt;
  const auto metrics = [&](const kubeapi::ObjectPtr& object) {
    return nodes ? NodeMetrics(store, object, now) : PodMetrics(object, now);
  };
  if (parts.size() == 2) {
    const kubeapi::ObjectPtr object = store.Get({parts[0], nodes ? "" : ns, parts[1]});
    if (object == nullptr) return kubeapi::NotFoundError({"metrics.k8s.io", parts[0], parts[1]});
    return metrics(object);
  }
  Json items = Json::array();
  store.ForEach(parts[0], ns, {}, [&](const kubeapi::ObjectPtr& object) {
    if (nodes || TextAt(object->value(), "status.phase") == "Running") {
      items.push_back(metrics(object));
    }
    return true;
  });
  return Json({{"kind", nodes ? "NodeMetricsList" : "PodMetricsList"},
               {"apiVersion", "metrics.k8s.io/v1beta1"},
               {"metadata", Json::object()},
               {"items", std::move(items)}});
}

}  // namespace sealane::kubesim

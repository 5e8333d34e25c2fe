#include "tools/kubesim/scheduling.h"

#include <cctype>
#include <cstdlib>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/kubesim/quantity.h"

namespace sealane::kubesim {
namespace {

double AmountAt(const Json& map, const char* name) {
  const auto it = map.is_object() ? map.find(name) : map.end();
  if (!map.is_object() || it == map.end() || !it->is_string()) return 0;
  const auto value = QuantityValue(it->get_ref<const std::string&>());
  return value.ok() ? *value : 0;
}

bool Tolerates(const Json& pod_spec, const Json& taint) {
  for (const Json& toleration : pod_spec.value("tolerations", Json::array())) {
    const std::string effect = toleration.value("effect", "");
    if (!effect.empty() && effect != taint.value("effect", "")) continue;
    const std::string key = toleration.value("key", "");
    if (key.empty() && toleration.value("operator", "") == "Exists") return true;
    if (key != taint.value("key", "")) continue;
    if (toleration.value("operator", "Equal") == "Exists" ||
        toleration.value("value", "") == taint.value("value", "")) {
      return true;
    }
  }
  return false;
}

bool IsReady(const Json& node) {
  for (const Json& condition :
       node.value("status", Json::object()).value("conditions", Json::array())) {
    if (condition.value("type", "") == "Ready") return condition.value("status", "") == "True";
  }
  return false;
}

// Why this pod cannot run there; empty when it can.
std::string WhyNot(const Json& pod, const Json& node, const Amount& used) {
  const Json spec = node.value("spec", Json::object());
  const Json& pod_spec = pod.at("spec");
  if (!IsReady(node)) return "node(s) were not ready";
  if (spec.value("unschedulable", false)) return "node(s) were unschedulable";
  for (const Json& taint : spec.value("taints", Json::array())) {
    const std::string effect = taint.value("effect", "");
    if (effect != "PreferNoSchedule" && !Tolerates(pod_spec, taint)) {
      return StrCat("node(s) had untolerated taint {", taint.value("key", ""), ": ",
                    taint.value("value", ""), "}");
    }
  }
  const Json labels = node.at("metadata").value("labels", Json::object());
  const Json selector = pod_spec.value("nodeSelector", Json::object());
  for (const auto& [key, value] : selector.items()) {
    if (labels.value(key, "") != value) return "node(s) didn't match Pod's node affinity/selector";
  }
  const Amount want = RequestsOf(pod);
  const Amount have = AllocatableOf(node);
  if (used.pods + 1 > have.pods) return "Too many pods";
  if (used.cpu + want.cpu > have.cpu) return "Insufficient cpu";
  if (used.memory + want.memory > have.memory) return "Insufficient memory";
  return "";
}

}  // namespace

absl::StatusOr<double> QuantityValue(std::string_view text) {
  const std::string copy(text);
  char* end = nullptr;
  const double number = std::strtod(copy.c_str(), &end);
  const std::string_view suffix =
      std::string_view(copy).substr(static_cast<size_t>(end - copy.c_str()));
  static const std::map<std::string_view, double> scales = {{"", 1},
                                                            {"n", 1e-9},
                                                            {"u", 1e-6},
                                                            {"m", 1e-3},
                                                            {"k", 1e3},
                                                            {"M", 1e6},
                                                            {"G", 1e9},
                                                            {"T", 1e12},
                                                            {"P", 1e15},
                                                            {"E", 1e18},
                                                            {"Ki", 1024.0},
                                                            {"Mi", 1048576.0},
                                                            {"Gi", 1073741824.0},
                                                            {"Ti", 1099511627776.0},
                                                            {"Pi", 1125899906842624.0}};
  const auto scale = scales.find(suffix);
  if (end == copy.c_str() || scale == scales.end() || number < 0) {
    return InvalidArgument(StrCat("not a quantity: \"", text, "\""));
  }
  return number * scale->second;
}

void Amount::Add(const Amount& other, int sign) {
  cpu += sign * other.cpu;
  memory += sign * other.memory;
  pods += sign * other.pods;
}

bool Amount::Fits(const Amount& more, const Amount& capacity) const {
  return cpu + more.cpu <= capacity.cpu && memory + more.memory <= capacity.memory &&
         pods + more.pods <= capacity.pods;
}

Amount RequestsOf(const Json& pod) {
  Amount out;
  out.pods = 1;
  for (const Json& container : pod.at("spec").value("containers", Json::array())) {
    const Json requests = container.value("resources", Json::object()).value("requests", Json());
    out.cpu += AmountAt(requests, "cpu");
    out.memory += AmountAt(requests, "memory");
  }
  return out;
}

Amount AllocatableOf(const Json& node) {
  const Json allocatable = node.value("status", Json::object()).value("allocatable", Json());
  Amount out;
  out.cpu = AmountAt(allocatable, "cpu");
  out.memory = AmountAt(allocatable, "memory");
  out.pods = static_cast<int>(AmountAt(allocatable, "pods"));
  return out;
}

absl::StatusOr<std::string> ChooseNode(const Json& pod,
                                       const std::map<std::string, const Json*>& nodes,
                                       const std::map<std::string, Amount>& used) {
  std::string best;
  int fewest = 0;
  std::map<std::string, int> reasons;
  for (const auto& [name, node] : nodes) {
    const auto it = used.find(name);
    const Amount now = it == used.end() ? Amount() : it->second;
    if (const std::string why = WhyNot(pod, *node, now); !why.empty()) {
      ++reasons[why];
    } else if (best.empty() || now.pods < fewest) {
      best = name;
      fewest = now.pods;
    }
  }
  if (!best.empty()) return best;
  std::vector<std::string> parts;
  for (const auto& [why, count] : reasons) parts.push_back(StrCat(count, " ", why));
  return FailedPrecondition(StrCat("0/", nodes.size(), " nodes are available",
                                   parts.empty() ? "" : ": ", StrJoin(parts, ", "), "."));
}

}  // namespace sealane::kubesim

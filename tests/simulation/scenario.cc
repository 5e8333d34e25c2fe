#include "tests/simulation/scenario.h"

#include <algorithm>

#include "lib/core/strings.h"

namespace sealane::simulation {
namespace {

constexpr const char* kNamespaces[] = {"alpha", "beta"};
constexpr const char* kScenarioApps[] = {"web", "api", "db", "chat"};
constexpr const char* kScenarioPolicies[] = {"p1", "p2"};

std::string Id(const std::string& ns, const std::string& name) { return StrCat(ns, "/", name); }

}  // namespace

std::map<std::string, int> WebsterByHand(int replicas, const std::map<std::string, int>& weights,
                                         bool descending_names) {
  std::map<std::string, int> seats;
  for (const auto& [name, weight] : weights) seats[name] = 0;
  for (int i = 0; i < replicas; ++i) {
    std::string best;
    for (const auto& [name, weight] : weights) {
      if (best.empty()) {
        best = name;
        continue;
      }
      // weight/(2s+1) compared without division.
      const int64_t mine = int64_t{weight} * (2 * seats[best] + 1);
      const int64_t theirs = int64_t{weights.at(best)} * (2 * seats[name] + 1);
      const bool better =
          mine > theirs || (mine == theirs && (seats[name] < seats[best] ||
                                               (seats[name] == seats[best] && descending_names)));
      if (better) best = name;
    }
    ++seats[best];
  }
  std::erase_if(seats, [](const auto& entry) { return entry.second == 0; });
  return seats;
}

Scenario::Scenario(std::vector<ClusterSpec> clusters) : clusters_(std::move(clusters)) {}

std::vector<std::string> Scenario::InitialManifests(Random& random) {
  std::vector<std::string> out;
  for (const ClusterSpec& cluster : clusters_) {
    out.push_back(StrCat(
        "apiVersion: cluster.karmada.io/v1alpha1\nkind: Cluster\nmetadata:\n  name: ", cluster.name,
        "\nspec:\n  syncMode: Pull\n  provider: ", cluster.provider, "\n  region: ", cluster.region,
        "\n"));
  }
  for (const char* ns : kNamespaces) {
    for (const char* name : kScenarioPolicies) {
      PolicySpec policy = RandomPolicy(random, ns, name);
      out.push_back(PolicyYaml(policy));
      policies_[Id(ns, name)] = std::move(policy);
    }
  }
  return out;
}

PolicySpec Scenario::RandomPolicy(Random& random, const std::string& ns,
                                  const std::string& name) const {
  PolicySpec policy{
      .ns = ns, .name = name, .mode = "", .clusters = {}, .provider = "", .weights = {}};
  switch (random.Below(3)) {
    case 0:
      policy.provider = clusters_[random.Below(clusters_.size())].provider;
      break;
    case 1:
      break;  // every cluster
    default:
      for (const ClusterSpec& cluster : clusters_) {
        if (random.Below(2) == 0) policy.clusters.push_back(cluster.name);
      }
      if (policy.clusters.empty()) policy.clusters.push_back(clusters_[0].name);
  }
  policy.mode = random.Below(2) == 0 ? "Duplicated" : "Divided";
  if (policy.mode == "Divided") {
    for (const ClusterSpec& cluster : clusters_) {
      policy.weights[cluster.name] = static_cast<int>(1 + random.Below(4));
    }
  }
  return policy;
}

AppSpec Scenario::RandomApp(Random& random) const {
  return {.ns = kNamespaces[random.Below(std::size(kNamespaces))],
          .name = kScenarioApps[random.Below(std::size(kScenarioApps))],
          .policy = kScenarioPolicies[random.Below(std::size(kScenarioPolicies))],
          .image = StrCat("shop/app:", random.Below(1000)),
          .replicas = static_cast<int>(1 + random.Below(9)),
          .config = StrCat("v", random.Below(1000))};
}

Scenario::Event Scenario::NextEvent(Random& random) {
  Event event;
  const uint64_t dice = random.Below(100);
  if (dice < 55 || apps_.empty()) {
    const AppSpec app = RandomApp(random);
    event.manifests = {DeploymentYaml(app), ConfigMapYaml(app)};
    event.what = StrCat("apply app ", app.ns, "/", app.name, " policy=", app.policy,
                        " replicas=", app.replicas, " image=", app.image);
    apps_[Id(app.ns, app.name)] = app;
  } else if (dice < 70) {
    auto it = std::next(apps_.begin(), static_cast<int64_t>(random.Below(apps_.size())));
    event.remove = true;
    event.manifests = {DeploymentYaml(it->second), ConfigMapYaml(it->second)};
    event.what = StrCat("delete app ", it->first);
    apps_.erase(it);
  } else if (dice < 85) {
    const std::string ns = kNamespaces[random.Below(std::size(kNamespaces))];
    const std::string name = kScenarioPolicies[random.Below(std::size(kScenarioPolicies))];
    PolicySpec policy = RandomPolicy(random, ns, name);
    event.manifests = {PolicyYaml(policy)};
    event.what = StrCat("change policy ", ns, "/", name, " to ", policy.mode);
    policies_[Id(ns, name)] = std::move(policy);
  } else {
    const std::string ns = kNamespaces[random.Below(std::size(kNamespaces))];
    const std::string name = StrCat("o", random.Below(2));
    if (overrides_.contains(Id(ns, name)) && random.Below(3) == 0) {
      event.remove = true;
      event.manifests = {OverrideYaml(overrides_[Id(ns, name)])};
      event.what = StrCat("delete override ", ns, "/", name);
      overrides_.erase(Id(ns, name));
    } else {
      const OverrideSpec spec{.ns = ns,
                              .name = name,
                              .provider = clusters_[random.Below(clusters_.size())].provider,
                              .registry = StrCat("registry-", random.Below(9), ".example.com"),
                              .label = StrCat("f", random.Below(9))};
      event.manifests = {OverrideYaml(spec)};
      event.what = StrCat("change override ", ns, "/", name, " for ", spec.provider);
      overrides_[Id(ns, name)] = spec;
    }
  }
  return event;
}

std::map<std::string, int> Scenario::Placement(const AppSpec& app, bool descending_names) const {
  const PolicySpec& policy = policies_.at(Id(app.ns, app.policy));
  std::map<std::string, int> weights;
  for (const ClusterSpec& c : clusters_) {
    const bool named = policy.clusters.empty() ||
                       std::count(policy.clusters.begin(), policy.clusters.end(), c.name) > 0;
    const bool provided = policy.provider.empty() || policy.provider == c.provider;
    if (named && provided)
      weights[c.name] = policy.mode == "Divided" ? policy.weights.at(c.name) : 0;
  }
  if (policy.mode == "Divided") return WebsterByHand(app.replicas, weights, descending_names);
  for (auto& [name, replicas] : weights) replicas = app.replicas;
  return weights;
}

ExpectedObject Scenario::DeploymentIn(const AppSpec& app, const ClusterSpec& cluster,
                                      int replicas) const {
  ExpectedObject out{.replicas = replicas, .image = app.image, .flavour = "", .config = ""};
  // Overrides of the namespace in name order; the later wins.
  for (const auto& [id, o] : overrides_) {
    if (o.ns != app.ns || o.provider != cluster.provider) continue;
    out.image = StrCat(o.registry, "/", app.image);
    out.flavour = o.label;
  }
  return out;
}

std::string ExpectedObject::ToString() const {
  return StrCat("{replicas ", replicas, ", image '", image, "', flavour '", flavour, "', config '",
                config, "'}");
}

std::string Scenario::Mismatch(const std::map<std::string, ClusterContent>& actual) const {
  std::map<std::string, ClusterContent> left = actual;
  for (const auto& [id, app] : apps_) {
    const std::string deployment = StrCat("Deployment ", id);
    const std::string config_map = StrCat("ConfigMap ", id);
    std::string difference;
    for (const bool descending : {false, true}) {
      difference.clear();
      const std::map<std::string, int> placement = Placement(app, descending);
      for (const ClusterSpec& cluster : clusters_) {
        const ClusterContent& content = actual.at(cluster.name);
        const auto wanted = placement.find(cluster.name);
        const auto found = content.find(deployment);
        const std::string is = found == content.end() ? "absent" : found->second.ToString();
        const std::string should = wanted == placement.end()
                                       ? "absent"
                                       : DeploymentIn(app, cluster, wanted->second).ToString();
        if (is != should) {
          difference +=
              StrCat(deployment, " in ", cluster.name, " is ", is, ", should be ", should, "\n");
        }
      }
      if (difference.empty()) break;
    }
    if (!difference.empty()) return difference;
    // ConfigMaps go to every candidate, also to one that got no replica.
    const std::map<std::string, int> everywhere = [this, &app = app] {
      AppSpec one = app;
      one.replicas = 1'000;
      return Placement(one, false);
    }();
    for (const ClusterSpec& cluster : clusters_) {
      const ClusterContent& content = actual.at(cluster.name);
      const auto found = content.find(config_map);
      const std::string is = found == content.end() ? "absent" : found->second.ToString();
      const std::string should =
          everywhere.contains(cluster.name)
              ? ExpectedObject{.replicas = 0, .image = "", .flavour = "", .config = app.config}
                    .ToString()
              : "absent";
      if (is != should) {
        return StrCat(config_map, " in ", cluster.name, " is ", is, ", should be ", should);
      }
      left[cluster.name].erase(config_map);
      left[cluster.name].erase(deployment);
    }
  }
  for (const auto& [cluster, content] : left) {
    if (!content.empty()) return StrCat(content.begin()->first, " was left behind in ", cluster);
  }
  return "";
}

std::string Scenario::DeploymentYaml(const AppSpec& app) const {
  return StrCat(
      "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: ", app.name,
      "\n  namespace: ", app.ns, "\n  labels: {policy: ", app.policy,
      "}\nspec:\n  replicas: ", app.replicas, "\n  selector: {matchLabels: {app: ", app.name,
      "}}\n  template:\n    metadata: {labels: {app: ", app.name,
      "}}\n    spec:\n      containers:\n      - name: main\n        image: ", app.image, "\n");
}

std::string Scenario::ConfigMapYaml(const AppSpec& app) const {
  return StrCat("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ", app.name,
                "\n  namespace: ", app.ns, "\n  labels: {policy: ", app.policy,
                "}\ndata: {value: ", app.config, "}\n");
}

std::string Scenario::PolicyYaml(const PolicySpec& policy) const {
  std::string affinity;
  if (!policy.clusters.empty()) {
    affinity =
        StrCat("    clusterAffinity: {clusterNames: [", StrJoin(policy.clusters, ", "), "]}\n");
  } else if (!policy.provider.empty()) {
    affinity = StrCat(
        "    clusterAffinity: {fieldSelector: {matchExpressions: [{key: provider, operator: In, "
        "values: [",
        policy.provider, "]}]}}\n");
  }
  std::string scheduling = "    replicaScheduling:\n      replicaSchedulingType: Duplicated\n";
  if (policy.mode == "Divided") {
    scheduling =
        "    replicaScheduling:\n      replicaSchedulingType: Divided\n"
        "      replicaDivisionPreference: Weighted\n      weightPreference:\n"
        "        staticWeightList:\n";
    for (const auto& [cluster, weight] : policy.weights) {
      scheduling += StrCat("        - {targetCluster: {clusterNames: [", cluster,
                           "]}, weight: ", weight, "}\n");
    }
  }
  std::string selectors;
  for (const char* type :
       {"apiVersion: apps/v1, kind: Deployment", "apiVersion: v1, kind: ConfigMap"}) {
    selectors +=
        StrCat("  - {", type, ", labelSelector: {matchLabels: {policy: ", policy.name, "}}}\n");
  }
  return StrCat(
      "apiVersion: policy.karmada.io/v1alpha1\nkind: PropagationPolicy\nmetadata:\n  name: ",
      policy.name, "\n  namespace: ", policy.ns, "\nspec:\n  resourceSelectors:\n", selectors,
      "  placement:\n", affinity, scheduling);
}

std::string Scenario::OverrideYaml(const OverrideSpec& spec) const {
  return StrCat(
      "apiVersion: policy.karmada.io/v1alpha1\nkind: OverridePolicy\nmetadata:\n  name: ",
      spec.name, "\n  namespace: ", spec.ns,
      "\nspec:\n  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]\n  overrideRules:\n "
      " - targetCluster: {fieldSelector: {matchExpressions: [{key: "
      "provider, operator: In, values: [",
      spec.provider,
      "]}]}}\n    overriders:\n      imageOverrider:\n      - {component: Registry, operator: ",
      "replace, value: ", spec.registry,
      "}\n      labelsOverrider:\n      - {operator: add, value: {flavour: ", spec.label, "}}\n");
}

}  // namespace sealane::simulation

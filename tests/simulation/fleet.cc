#include "tests/simulation/fleet.h"

#include <utility>

#include "lib/core/strings.h"

namespace sealane::simulation {
namespace {

constexpr const char* kApps[] = {"api", "chat", "db", "web"};
constexpr const char* kPolicies[] = {"p1", "p2"};

std::string ClusterYaml(const ClusterSpec& cluster, const std::string& taints) {
  return StrCat("apiVersion: cluster.karmada.io/v1alpha1\nkind: Cluster\nmetadata:\n  name: ",
                cluster.name, "\nspec:\n  syncMode: Pull\n  provider: ", cluster.provider,
                "\n  region: ", cluster.region, "\n", taints);
}

// Each replica takes one CPU.
std::string AppYaml(const Fleet::App& app) {
  return StrCat("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: ", app.name,
                "\n  namespace: ", kFleetNamespace, "\n  labels: {policy: ", app.policy,
                "}\nspec:\n  replicas: ", app.replicas,
                "\n  selector: {matchLabels: {app: ", app.name,
                "}}\n  template:\n    metadata: {labels: {app: ", app.name,
                "}}\n    spec:\n      containers:\n      - name: main\n        image: ", app.image,
                "\n        resources: {requests: {cpu: 1}}\n");
}

std::string PolicyYaml(const Fleet::Policy& policy) {
  std::string placement;
  if (!policy.clusters.empty()) {
    placement =
        StrCat("    clusterAffinity: {clusterNames: [", StrJoin(policy.clusters, ", "), "]}\n");
  }
  placement += "    replicaScheduling:\n      replicaSchedulingType: ";
  switch (policy.mode) {
    case Fleet::Policy::Mode::kDuplicated:
      placement += "Duplicated\n";
      break;
    case Fleet::Policy::Mode::kStatic:
      placement +=
          "Divided\n      replicaDivisionPreference: Weighted\n      weightPreference:\n"
          "        staticWeightList:\n";
      for (const auto& [cluster, weight] : policy.weights) {
        placement += StrCat("        - {targetCluster: {clusterNames: [", cluster,
                            "]}, weight: ", weight, "}\n");
      }
      break;
    case Fleet::Policy::Mode::kDynamic:
      placement +=
          "Divided\n      replicaDivisionPreference: Weighted\n"
          "      weightPreference: {dynamicWeight: AvailableReplicas}\n";
      break;
    case Fleet::Policy::Mode::kAggregated:
      placement += "Divided\n      replicaDivisionPreference: Aggregated\n";
      break;
  }
  std::string annotations;
  for (const std::string& annotation : policy.annotations) {
    annotations += StrCat("    ", annotation, "\n");
  }
  if (!annotations.empty()) annotations = StrCat("  annotations:\n", annotations);
  return StrCat(
      "apiVersion: policy.karmada.io/v1alpha1\nkind: PropagationPolicy\nmetadata:\n  name: ",
      policy.name, "\n  namespace: ", kFleetNamespace, "\n", annotations,
      "spec:\n  propagateDeps: true\n",
      "  resourceSelectors:\n  - {apiVersion: apps/v1, kind: Deployment, labelSelector: "
      "{matchLabels: {policy: ",
      policy.name, "}}}\n", policy.failover, "  placement:\n", placement);
}

template <typename T>
auto& Any(Random& random, T& items) {
  return *std::next(std::begin(items), static_cast<int64_t>(random.Below(std::size(items))));
}

}  // namespace

Fleet::Fleet(std::vector<ClusterSpec> clusters) : clusters_(std::move(clusters)) {}

std::vector<std::string> Fleet::Names() { return {std::begin(kApps), std::end(kApps)}; }

const Fleet::App* Fleet::Find(const std::string& app) const {
  const auto it = apps_.find(app);
  return it == apps_.end() ? nullptr : &it->second;
}

absl::Duration Fleet::AskedForLess(const std::string& app) const {
  const auto it = less_.find(app);
  return it == less_.end() ? -absl::InfiniteDuration() : it->second;
}

absl::Duration Fleet::Deleted(const std::string& app) const {
  const auto it = deleted_.find(app);
  return it == deleted_.end() ? -absl::InfiniteDuration() : it->second;
}

Fleet::Policy Fleet::RandomPolicy(Random& random, const std::string& name) const {
  Policy policy;
  policy.name = name;
  policy.mode = static_cast<Policy::Mode>(random.Below(4));
  if (random.Below(2) == 0) {
    for (const ClusterSpec& cluster : clusters_) {
      if (random.Below(2) == 0) policy.clusters.insert(cluster.name);
    }
  }
  for (const ClusterSpec& cluster : clusters_) {
    policy.weights[cluster.name] = static_cast<int>(1 + random.Below(4));
  }
  if (policy.mode == Policy::Mode::kStatic && random.Below(2) == 0) {
    policy.annotations.emplace_back("sealane.io/respect-capacity: \"true\"");
  }
  if (random.Below(3) == 0)
    policy.annotations.emplace_back("sealane.io/failback: WhenHealthyFor=1m");
  if (random.Below(3) == 0) {
    constexpr const char* kScopes[] = {"SameProvider", "SameProviderOrRegion", "Any"};
    policy.annotations.push_back(StrCat("sealane.io/failover-scope: ", Any(random, kScopes)));
  }
  if (random.Below(3) == 0) {
    policy.annotations.emplace_back("sealane.io/rebalance: WhenClustersJoin");
  }
  if (random.Below(2) == 0) {
    policy.failover = StrCat(
        "  failover:\n    application:\n      decisionConditions: "
        "{tolerationSeconds: ",
        20 + random.Below(60), "}\n");
    policy.failover += random.Below(3) == 0
                           ? std::string("      purgeMode: Never\n")
                           : StrCat("      purgeMode: Gracefully\n      gracePeriodSeconds: ",
                                    30 + random.Below(200), "\n");
  }
  return policy;
}

Fleet::Event Fleet::First(Random& random, size_t clusters) {
  Event event;
  for (size_t i = 0; i < clusters; ++i) {
    event.manifests.push_back(ClusterYaml(clusters_[i], ""));
    joined_.insert(clusters_[i].name);
  }
  for (const char* name : kPolicies) {
    policies_[name] = RandomPolicy(random, name);
    event.manifests.push_back(PolicyYaml(policies_[name]));
    event.what += StrCat("policy\n", event.manifests.back());
  }
  return event;
}

Fleet::Event Fleet::Join() {
  Event event;
  if (joined_.size() == clusters_.size()) return event;
  const ClusterSpec& cluster = clusters_[joined_.size()];
  joined_.insert(cluster.name);
  event.manifests = {ClusterYaml(cluster, "")};
  event.what = cluster.name;
  return event;
}

Fleet::Event Fleet::Taint(const std::string& cluster, const std::string& how) {
  std::string taints;
  if (how == "drain") taints = "  taints: [{key: sealane.io/drain, effect: NoExecute}]\n";
  if (how == "cordon") {
    taints = "  taints: [{key: cluster.karmada.io/unschedulable, effect: NoSchedule}]\n";
  }
  Event event;
  for (const ClusterSpec& spec : clusters_) {
    if (spec.name == cluster) event.manifests = {ClusterYaml(spec, taints)};
  }
  event.what = StrCat(how.empty() ? "uncordon" : how, " ", cluster);
  return event;
}

Fleet::Event Fleet::Apply(const App& app, std::string what) {
  Event event;
  event.manifests = {AppYaml(app)};
  event.what = StrCat(what, " ", app.name, ": policy ", app.policy, ", ", app.replicas,
                      " replicas, image ", app.image);
  apps_[app.name] = app;
  return event;
}

Fleet::Event Fleet::Next(Random& random, absl::Duration now) {
  const uint64_t dice = random.Below(100);
  if (dice < 20) {
    const std::string name = Any(random, kPolicies);
    policies_[name] = RandomPolicy(random, name);
    Event event;
    event.manifests = {PolicyYaml(policies_[name])};
    event.what = StrCat("policy\n", event.manifests[0]);
    return event;
  }
  const std::string name = Any(random, kApps);
  const auto it = apps_.find(name);
  if (it == apps_.end()) {
    return Apply(
        {.name = name,
         .policy = Any(random, kPolicies),
         .image = random.Below(8) == 0 ? kBadImage : StrCat("shop/app:", 1 + random.Below(1000)),
         .replicas = static_cast<int>(1 + random.Below(6))},
        "apply");
  }
  App app = it->second;
  if (dice < 35) {
    Event event;
    event.remove = true;
    event.manifests = {AppYaml(app)};
    event.what = StrCat("delete ", name);
    apps_.erase(it);
    less_[name] = deleted_[name] = now;
    return event;
  }
  if (dice < 65) {
    app.replicas = static_cast<int>(random.Below(8));
    if (app.replicas < it->second.replicas) less_[name] = now;
    return Apply(app, "scale");
  }
  if (dice < 85) {
    app.image = random.Below(3) == 0 ? kBadImage : StrCat("shop/app:", 1 + random.Below(1000));
    return Apply(app, "image");
  }
  app.policy = Any(random, kPolicies);
  return Apply(app, "label");
}

}  // namespace sealane::simulation

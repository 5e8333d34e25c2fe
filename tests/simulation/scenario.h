#pragma once

#include <map>
#include <string>
#include <vector>

#include "lib/core/env.h"

namespace sealane::simulation {

// A member cluster of the simulated fleet.
struct ClusterSpec {
  std::string name;
  std::string provider;
  std::string region;
};

// What the last events say about one application (a Deployment and a ConfigMap of the same name).
struct AppSpec {
  std::string ns;
  std::string name;
  std::string policy;  // value of its label "policy": the PropagationPolicy that selects it
  std::string image;   // without registry
  int replicas = 1;
  std::string config;  // data of its ConfigMap
};

// What the last events say about one PropagationPolicy; it selects by the label policy=<name>.
struct PolicySpec {
  std::string ns;
  std::string name;
  std::string mode;                    // "Duplicated" or "Divided"
  std::vector<std::string> clusters;   // by name; empty: `provider`
  std::string provider;                // fieldSelector provider In [provider]; empty: every cluster
  std::map<std::string, int> weights;  // Divided: static weight by cluster name; others have none
};

// What the last events say about one OverridePolicy (per namespace, selects everything in it).
struct OverrideSpec {
  std::string ns;
  std::string name;
  std::string provider;  // clusters concerned
  std::string registry;  // set on every image
  std::string label;     // value of label "flavour"
};

// One object as a member cluster should hold it.
struct ExpectedObject {
  int replicas = 0;
  std::string image;    // Deployments
  std::string flavour;  // label
  std::string config;   // ConfigMaps
  [[nodiscard]] std::string ToString() const;
  friend bool operator==(const ExpectedObject&, const ExpectedObject&) = default;
};

// "Deployment a/web" -> what it should be, per cluster.
using ClusterContent = std::map<std::string, ExpectedObject>;

// The desired state of the fleet as the last deploy events say it, with its own simple reading of
// the placement rules: the oracle that the real services are held against. It shares no code with
// them.
class Scenario {
 public:
  explicit Scenario(std::vector<ClusterSpec> clusters);

  // One random deploy event: YAML documents to apply or delete. Updates the desired state.
  struct Event {
    bool remove = false;
    std::vector<std::string> manifests;
    std::string what;  // for the log of a failed run
  };
  Event NextEvent(Random& random);
  // Manifests that must be there before the first event: the Cluster objects and the policies.
  std::vector<std::string> InitialManifests(Random& random);

  // Holds what the member clusters contain against the desired state; empty when they agree, else
  // the first difference in words. `actual` has an entry for each cluster.
  [[nodiscard]] std::string Mismatch(const std::map<std::string, ClusterContent>& actual) const;
  [[nodiscard]] const std::vector<ClusterSpec>& clusters() const { return clusters_; }

 private:
  std::string DeploymentYaml(const AppSpec& app) const;
  std::string ConfigMapYaml(const AppSpec& app) const;
  std::string PolicyYaml(const PolicySpec& policy) const;
  std::string OverrideYaml(const OverrideSpec& spec) const;
  PolicySpec RandomPolicy(Random& random, const std::string& ns, const std::string& name) const;
  AppSpec RandomApp(Random& random) const;
  // Replicas per cluster of one application. Ties of the division go by name, in a direction that
  // depends on the object's uid, which the oracle does not know.
  std::map<std::string, int> Placement(const AppSpec& app, bool descending_names) const;
  ExpectedObject DeploymentIn(const AppSpec& app, const ClusterSpec& cluster, int replicas) const;

  std::vector<ClusterSpec> clusters_;
  std::map<std::string, AppSpec> apps_;            // by ns/name
  std::map<std::string, PolicySpec> policies_;     // by ns/name
  std::map<std::string, OverrideSpec> overrides_;  // by ns/name
};

// Divides `replicas` by weight as Webster does (highest quotient weight/(2*seats+1), ties to fewer
// seats, then to the name). Exposed for its own test.
std::map<std::string, int> WebsterByHand(int replicas, const std::map<std::string, int>& weights,
                                         bool descending_names);

}  // namespace sealane::simulation

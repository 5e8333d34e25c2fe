#pragma once

#include <memory>
#include <string>
#include <vector>

#include "benchmarks/render/render_benchmark.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/table.h"
#include "lib/core/sim_executor.h"
#include "lib/runtime/service.h"
#include "lib/telemetry/metrics.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/policy/policy_metrics.h"

namespace sealane::bench {

// The manifests of the benchmark: Deployments of 1.4 kB spread over namespaces, and five override
// policies that concern each of them.
[[nodiscard]] std::string DeploymentJson(int index, const RenderOptions& options);
[[nodiscard]] std::vector<std::string> OverridePolicies(const RenderOptions& options);
[[nodiscard]] std::string PropagationPolicyJson();
[[nodiscard]] v1::ClusterStatus BenchCluster(int index);

// The policy service on the bus in memory, with a scheduler of a few lines beside it, on virtual
// time: what it costs is processor time.
class PolicyFleet {
 public:
  explicit PolicyFleet(const RenderOptions& options);

  // Publishes the manifests, a hundred to an event, and runs until nothing more happens.
  void Deploy(const std::vector<std::string>& manifests);
  void StartService();
  void StopService();
  // Lets some time pass: a service at rest drops what only makes its work faster.
  void Rest();
  // Nothing is placed until this is called.
  void PlaceEverywhere();
  [[nodiscard]] policy::PolicyMetrics& metrics() { return metrics_; }
  [[nodiscard]] size_t works() const;

 private:
  void Place(const std::string& key);
  void Settle();

  RenderOptions options_;
  SimExecutor sim_{1};
  MemoryServer server_{sim_.env()};
  std::unique_ptr<Bus> hub_ = server_.Connect(BusIdentity::Hub());
  std::unique_ptr<Bus> platform_ = server_.Connect(BusIdentity::Platform("bench"));
  Table<v1::ClusterStatus> clusters_;
  Table<v1::Binding> bindings_;
  Table<v1::Placed> placements_;
  Registry registry_;
  policy::PolicyMetrics metrics_{registry_};
  std::unique_ptr<Bus> service_bus_;
  std::unique_ptr<Service> service_;
  bool placing_ = false;
  int published_ = 0;
};

}  // namespace sealane::bench

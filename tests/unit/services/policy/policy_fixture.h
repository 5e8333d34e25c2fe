#pragma once

// The whole policy service on the in-memory bus and virtual time. A scheduler and agents of a few
// lines stand around it: every binding is placed as the test says, and what is to be removed is.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/query.h"
#include "lib/bus/subjects.h"
#include "lib/bus/table.h"
#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "lib/model/identity.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/query.pb.h"
#include "services/policy/policy_metrics.h"
#include "services/policy/policy_service.h"
#include "tests/support/status_matchers.h"

namespace sealane::policy {

class PolicyServiceTest : public ::testing::Test {
 protected:
  PolicyServiceTest();

  void StartService();
  void StopService();
  // Until nothing more happens.
  void Settle();

  void PutCluster(const std::string& name, const std::string& region,
                  std::map<std::string, std::string> labels = {});

  // Publishes the documents of a YAML text as one event and returns the answer.
  v1::DeployResult Apply(std::string_view yaml) { return Publish(yaml, v1::Operation::APPLY); }
  v1::DeployResult Delete(std::string_view yaml) { return Publish(yaml, v1::Operation::DELETE); }
  v1::DeployResult Publish(std::string_view yaml, v1::Operation::Type type);
  // As Apply; every operation must be accepted.
  void MustApply(std::string_view yaml);
  void MustDelete(std::string_view yaml);

  // "Deployment shop/web", "Namespace shop" -> its row; nullptr: none.
  const v1::Binding* Binding(std::string_view object);
  // The live work of the object in the cluster; nullptr: none, or one that is being removed.
  const v1::Work* Work(const std::string& cluster, std::string_view object);
  Json Manifest(const std::string& cluster, std::string_view object);
  // Clusters with a live work of the object.
  std::set<std::string> ClustersOf(std::string_view object);
  // The name of the claiming policy; "": unclaimed.
  std::string Claimer(std::string_view object);
  std::vector<std::string> Reasons() const;
  // Messages of the events with this reason.
  std::vector<std::string> Told(std::string_view reason) const;
  v1::QueryReply Ask(const std::string& what, const std::string& name);
  Json Explain(const std::string& name);

  SimExecutor sim_{5};
  MemoryServer server_{sim_.env()};
  std::unique_ptr<Bus> hub_ = server_.Connect(BusIdentity::Hub());
  std::unique_ptr<Bus> platform_ = server_.Connect(BusIdentity::Platform("paas"));
  Table<v1::ClusterStatus> clusters_{*hub_, sim_.env(), kClusterStatusTable};
  Table<v1::Binding> bindings_{*hub_, sim_.env(), kBindingsTable};
  Table<v1::Work> works_{*hub_, sim_.env(), kWorksTable};
  Table<v1::Placed> placements_{*hub_, sim_.env(), kPlacementsTable};
  QueryClient queries_{*hub_, sim_.env()};
  Registry registry_;
  PolicyMetrics metrics_{registry_};  // the service's own: same names
  // What the scheduler answers; by default every cluster, with all replicas.
  std::function<std::map<std::string, int32_t>(const v1::Binding&)> place_;
  // Work rows whose removal the agents have not confirmed, when they are told not to.
  bool agents_answer_ = true;
  std::vector<v1::Event> events_;

 private:
  void Schedule(const std::string& key);
  void ConfirmRemoval(const std::string& key);

  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  std::map<std::string, v1::DeployResult> results_;
  std::unique_ptr<Bus> service_bus_;
  std::unique_ptr<Service> service_;
  int published_ = 0;
};

// The row key of "Kind ns/name" or "Kind name", for the kinds that the tests use.
std::string KeyOfText(std::string_view object);

}  // namespace sealane::policy

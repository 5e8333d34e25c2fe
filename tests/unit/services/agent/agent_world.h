#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/packed_table.h"
#include "lib/bus/snapshot_server.h"
#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "lib/kubeapi/direct_transport.h"
#include "lib/runtime/service.h"
#include "lib/telemetry/metrics.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/agent/state_store.h"
#include "tools/kubesim/cluster.h"

namespace sealane::agent {

// Where the member has the Deployment that most tests are about.
inline constexpr char kDeployment[] = "/apis/apps/v1/namespaces/shop/deployments/web";

// One agent between a bus and a simulated API server, on virtual time. The test is the control
// plane (works in, statuses out), another user of the cluster, and the trouble in between.
class AgentWorld {
 public:
  struct Answer {
    int status = 0;
    Json body;
  };
  // A request that the agent sent.
  struct Sent {
    absl::Duration at;
    http::HttpRequest request;
  };

  // `controllers`: the cluster's own controllers run (namespaces are finalized, pods get ready).
  explicit AgentWorld(bool controllers = false, uint64_t seed = 1);
  ~AgentWorld();

  // The process. Killed, it loses what it had not stored.
  void StartAgent();
  void KillAgent();
  [[nodiscard]] Service& agent() { return *service_; }

  // The control plane. Each Put is a newer word on the object that the manifest names.
  v1::Work Put(std::string_view manifest, const std::function<void(v1::Work&)>& change = {});
  // The row goes, as when the control plane has finished with it.
  void RemoveRow(std::string_view kind, std::string_view name);
  // What the agent said last, and everything it said.
  [[nodiscard]] const v1::WorkStatus* Status(std::string_view name) const;
  [[nodiscard]] bool Says(std::string_view name, v1::WorkStatus::State state,
                          std::string_view reason = "") const;
  [[nodiscard]] const std::vector<v1::WorkStatus>& said() const { return said_; }
  void CutBus(bool cut);
  // What the agent said of its cluster last.
  [[nodiscard]] const v1::Heartbeat& heartbeat() const { return heartbeat_; }

  // The cluster, as another user sees it. Answers come at once; time stands still.
  Answer Call(const std::string& method, const std::string& path, const Json& body = Json(),
              const std::string& content_type = "application/json");
  http::HttpResponse Ask(const http::HttpRequest& request);
  // The ConfigMap shop/<name>; null when there is none.
  [[nodiscard]] Json ConfigMap(const std::string& name);
  [[nodiscard]] kubesim::Cluster& cluster() { return cluster_; }
  // How often an object of this resource ("configmaps") was created.
  [[nodiscard]] int created(const std::string& resource) const;

  // Runs until it holds; false when `limit` of virtual time passed first.
  bool Until(const std::function<bool()>& holds, absl::Duration limit = absl::Seconds(30)) {
    return sim.RunUntil(holds, limit);
  }
  // The agent's writes (PATCH, DELETE) so far.
  [[nodiscard]] std::vector<Sent> Writes() const;
  // "sealane_agent_..." with its labels, as /metrics shows it.
  [[nodiscard]] double Metric(std::string_view series) const;

  SimExecutor sim;
  MemoryServer server;
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  std::vector<Sent> sent;
  // Answers in the API server's place, when it answers.
  std::function<std::optional<http::HttpResponse>(const http::HttpRequest&)> fault;
  // How long the API server takes, when it answers; may be empty.
  std::function<absl::Duration(const http::HttpRequest&)> delay;
  bool hang = false;  // the API server takes requests and never answers

 private:
  void Handle(const http::HttpRequest& request, std::shared_ptr<http::ResponseWriter> writer);

  kubesim::Cluster cluster_;
  std::map<std::string, int> created_;
  uint64_t subscription_ = 0;
  std::vector<std::shared_ptr<http::ResponseWriter>> held_;  // requests that hang
  std::unique_ptr<Bus> hub_;
  std::unique_ptr<PackedTable<v1::Work>> works_;
  std::unique_ptr<SnapshotServer> snapshots_;
  std::unique_ptr<Subscription> statuses_;
  std::map<std::string, v1::WorkStatus, std::less<>> status_;  // by the object's name
  std::vector<v1::WorkStatus> said_;
  std::unique_ptr<Subscription> heartbeats_;
  v1::Heartbeat heartbeat_;
  int64_t version_ = 0;

  std::unique_ptr<ScopedExecutor> executor_;
  std::unique_ptr<Env> env_;
  std::unique_ptr<Bus> bus_;
  std::unique_ptr<Registry> metrics_;
  std::unique_ptr<Service> service_;
};

// One AgentWorld and what most tests ask of it.
class AgentTest : public ::testing::Test {
 protected:
  explicit AgentTest(bool controllers = false) : world_(controllers) {}
  // The newest work is applied, and the agent said so.
  bool Applied(std::string_view name = "web") {
    return world_.Until([&] { return world_.Says(name, v1::WorkStatus::APPLIED); });
  }
  bool Failed(std::string_view reason, std::string_view name = "web") {
    return world_.Until([&] { return world_.Says(name, v1::WorkStatus::FAILED, reason); });
  }
  // data.value of the ConfigMap shop/<name>.
  std::string Value(const std::string& name = "web") {
    const Json object = world_.ConfigMap(name);
    return object.is_null() ? "(absent)" : object["data"].value("value", std::string("(none)"));
  }
  AgentWorld world_;
};

inline constexpr char kMergePatch[] = "application/merge-patch+json";
// Where the ConfigMap shop/web is.
inline constexpr char kPath[] = "/api/v1/namespaces/shop/configmaps/web";

// An error of the API server.
http::HttpResponse StatusAnswer(int code, std::string_view reason, std::string_view message,
                                std::string_view retry_after = "");

// A ConfigMap shop/<name> with data.value, as JSON.
std::string ConfigMapManifest(std::string_view name, std::string_view value,
                              std::string_view annotations = "{}");

}  // namespace sealane::agent

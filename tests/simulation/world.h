#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/bus/memory_bus.h"
#include "lib/bus/query.h"
#include "lib/core/sim_executor.h"
#include "lib/runtime/service.h"
#include "lib/telemetry/metrics.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/query.pb.h"
#include "services/agent/state_store.h"
#include "services/scheduler/options.h"
#include "services/status/options.h"
#include "tests/simulation/scenario.h"
#include "tools/kubesim/cluster.h"

namespace sealane::simulation {

// How much trouble a run has.
struct Trouble {
  // Each message takes a random time up to this.
  absl::Duration max_delay = absl::ZeroDuration();
  double duplicate_probability = 0;
};

// What the services are told, and what a member cluster is made of.
struct Setup {
  int nodes = 3;
  int cpus_per_node = 8;
  absl::Duration heartbeat = absl::Seconds(10);
  bool started = true;  // agents run from the beginning; else each waits for Start
  scheduler::Options scheduler;
  status::Options status;
};

// The whole control plane and its member clusters in one thread on virtual time: the message server
// in memory, the three services, and per cluster a kubesim with its agent. Everything follows from
// the seed. Thread rule: one thread.
class World {
 public:
  World(uint64_t seed, std::vector<ClusterSpec> clusters, Trouble trouble, Setup setup = {});
  ~World();

  // Publishes a deploy event as the platform "paas" does. The answer is kept in results().
  void Deploy(const std::vector<std::string>& manifests, bool remove);
  // Kills a process and starts it again: "policy", "scheduler", "status", "agent:<cluster>". What
  // it had not made durable is lost.
  void RestartProcess(const std::string& name);
  // The same in two steps. Kill does nothing when it does not run, nor Start when it does.
  void Kill(const std::string& name);
  void Start(const std::string& name);
  [[nodiscard]] bool Runs(const std::string& name) const;
  // Cuts the link between a cluster's agent and the bus, or mends it.
  void SetCut(const std::string& cluster, bool cut);
  // Its agent runs, and its link is not cut.
  [[nodiscard]] bool Reachable(const std::string& cluster) const;
  void RestartBus(absl::Duration downtime) { server_.Restart(downtime); }
  [[nodiscard]] std::vector<std::string> processes() const;
  [[nodiscard]] std::vector<std::string> clusters() const;
  // Of each cluster, on all its nodes.
  [[nodiscard]] int64_t cpus() const { return int64_t{setup_.nodes} * setup_.cpus_per_node; }

  // What a cluster's API server holds of what the platform deploys.
  [[nodiscard]] std::map<std::string, ClusterContent> Content() const;
  [[nodiscard]] std::vector<std::string> NotIdle() const;
  // The newest AppStatus of each object, by "Kind ns/name", as the platform was told.
  [[nodiscard]] const std::map<std::string, v1::AppStatus>& app_status() const {
    return app_status_;
  }
  [[nodiscard]] const std::map<std::string, v1::DeployResult>& results() const { return results_; }
  [[nodiscard]] size_t published() const { return published_; }
  [[nodiscard]] MemoryServer& server() { return server_; }
  [[nodiscard]] SimExecutor& sim() { return sim_; }
  [[nodiscard]] kubesim::Cluster& cluster(const std::string& name) {
    return *members_.at(name).cluster;
  }

 private:
  // A process that can be killed: what it is made of goes with it.
  struct Process {
    std::function<std::unique_ptr<Service>(ServiceContext)> make;
    BusIdentity identity;
    std::unique_ptr<ScopedExecutor> executor;
    std::unique_ptr<Env> env;
    std::unique_ptr<Bus> bus;
    std::unique_ptr<Registry> metrics;
    std::unique_ptr<Service> service;
    int starts = 0;
  };
  struct Member {
    ClusterSpec spec;
    std::unique_ptr<kubesim::Cluster> cluster;
    std::shared_ptr<agent::MemoryDisk> disk;
    bool cut = false;
  };

  void AddProcess(const std::string& name, BusIdentity identity,
                  std::function<std::unique_ptr<Service>(ServiceContext)> make);
  void SetFaults(const std::string& name, bool cut);
  void SendNext();
  void AskForResult(const std::string& id);
  void StopProcess(Process& process);

  SimExecutor sim_;
  MemoryServer server_;
  Trouble trouble_;
  Setup setup_;
  std::map<std::string, Member> members_;
  std::map<std::string, Process> processes_;
  std::unique_ptr<Bus> platform_;
  std::unique_ptr<Subscription> answers_;
  std::unique_ptr<Subscription> app_statuses_;
  std::map<std::string, v1::DeployResult> results_;
  std::map<std::string, v1::AppStatus> app_status_;
  size_t published_ = 0;
  std::deque<std::pair<std::string, std::string>> outbox_;  // id and payload, in order
  std::unique_ptr<QueryClient> queries_;
};

}  // namespace sealane::simulation

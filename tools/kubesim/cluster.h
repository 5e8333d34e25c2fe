#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/core/scoped_executor.h"
#include "lib/kubeapi/api_server.h"
#include "lib/kubeapi/lifecycle.h"
#include "lib/kubeapi/store.h"
#include "tools/kubesim/options.h"
#include "tools/kubesim/scheduling.h"

namespace sealane::kubesim {

// A simulated Kubernetes cluster: an API server in memory, nodes, a scheduler, kubelets, and the
// controllers of Deployments, ReplicaSets, StatefulSets, DaemonSets and Jobs. Level-triggered: a
// change enqueues the keys it concerns, and each key is brought to its desired state from the
// current objects.
//
// It has no threads and no sockets: it runs on `env`, in production an EventLoop behind an
// HttpServer, in simulations a SimExecutor with virtual time. Thread rule: that executor.
class Cluster {
 public:
  Cluster(Env env, ClusterOptions options, kubeapi::ApiServerOptions server_options);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  [[nodiscard]] kubeapi::ApiServer& api() { return *server_; }
  [[nodiscard]] const ClusterOptions& options() const { return options_; }
  // The handler to put behind an HttpServer or a DirectTransport.
  void Handle(const http::HttpRequest& request, std::shared_ptr<http::ResponseWriter> writer);

  // Faults for tests. What the cluster stores, and its return to that: the server restarts, so
  // watches end.
  [[nodiscard]] kubeapi::MemoryStore::Backup MakeBackup() const { return store_.MakeBackup(); }
  void Restore(const kubeapi::MemoryStore::Backup& backup) {
    server_->EndWatches();
    store_.Restore(backup);
  }
  // A failed node is NotReady: its pods are no longer ready, and none are placed there until it
  // recovers.
  void FailNode(const std::string& name);
  void RecoverNode(const std::string& name);

 private:
  struct KeyLess {
    bool operator()(const kubeapi::ObjectKey& a, const kubeapi::ObjectKey& b) const;
  };
  using KeySet = std::set<kubeapi::ObjectKey, KeyLess>;

  // cluster.cc: the queue and what the controllers share.
  void OnChange(const kubeapi::Change& change);
  void Enqueue(const kubeapi::ObjectKey& key);
  void EnqueueAfter(const kubeapi::ObjectKey& key, absl::Duration delay);
  void Run();
  void Reconcile(const kubeapi::ObjectKey& key);
  void Track(const kubeapi::StoredObject& object, int sign);
  [[nodiscard]] std::vector<kubeapi::ObjectPtr> OwnedBy(const std::string& uid,
                                                        const std::string& resource) const;
  void Create(const std::string& resource, const std::string& ns, const Json& object);
  // Writes an object through the main endpoint ("") or its status; nothing when it is unchanged.
  void Write(const kubeapi::StoredObject& before, const Json& object, const char* subresource);
  void Delete(const kubeapi::StoredObject& object);
  void DeletePodNow(const kubeapi::StoredObject& pod);
  // An event about an object, as `kubectl describe` shows; repeated ones are counted.
  void Event(const kubeapi::StoredObject& about, const char* type, const std::string& reason,
             const std::string& message);
  [[nodiscard]] Json PodFromTemplate(const kubeapi::StoredObject& owner, const char* kind,
                                     const Json& pod_template, const std::string& name) const;
  // Sets a condition and its times; lastTransitionTime moves only with the status.
  void SetCondition(Json& status, const std::string& type, const std::string& value,
                    const std::string& reason, const std::string& message) const;
  [[nodiscard]] std::string Now() const;

  // deployments.cc
  void ReconcileDeployment(const kubeapi::ObjectPtr& deployment);
  void ReconcileReplicaSet(const kubeapi::ObjectPtr& replica_set);
  void RollOut(const kubeapi::StoredObject& deployment, const kubeapi::ObjectPtr& current,
               const std::vector<kubeapi::ObjectPtr>& old);
  void Scale(const kubeapi::StoredObject& replica_set, int64_t replicas);
  void WriteDeploymentStatus(const kubeapi::StoredObject& deployment,
                             const kubeapi::ObjectPtr& current,
                             const std::vector<kubeapi::ObjectPtr>& all);
  // workloads.cc
  void ReconcileStatefulSet(const kubeapi::ObjectPtr& set);
  void ReconcileDaemonSet(const kubeapi::ObjectPtr& set);
  void ReconcileJob(const kubeapi::ObjectPtr& job);
  // nodes.cc
  void CreateNodes();
  void CreateNamespaces();
  void ReconcileNamespace(const kubeapi::ObjectPtr& ns);
  void SetNodeReady(const std::string& name, bool ready);
  // pods.cc
  void ReconcilePod(const kubeapi::ObjectPtr& pod);
  void SchedulePod(const kubeapi::ObjectPtr& pod);
  void RunPod(const kubeapi::ObjectPtr& pod);
  void RetryPending();

  // serve.cc: what kubelets and the metrics server answer. False: it is the API server's.
  bool ServeLog(const http::Target& target, const std::shared_ptr<http::ResponseWriter>& writer);
  bool ServeMetrics(const http::Target& target, http::ResponseWriter& writer) const;

  const ClusterOptions options_;
  const std::string token_;
  ScopedExecutor executor_;
  Env env_;
  kubeapi::MemoryStore store_;
  std::unique_ptr<kubeapi::ApiServer> server_;
  std::unique_ptr<kubeapi::Lifecycle> lifecycle_;
  uint64_t subscription_ = 0;
  KeySet queue_;
  bool scheduled_ = false;
  std::map<std::string, KeySet> owned_;             // by the controlling owner's uid
  std::map<std::string, Amount> used_;              // by node
  KeySet pending_;                                  // pods that found no node
  std::map<std::string, absl::Time> scheduled_at_;  // by pod uid
  uint64_t next_pod_ip_ = 0;
};

}  // namespace sealane::kubesim

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/bus/bus.h"
#include "lib/bus/subjects.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/kubeapi/store.h"
#include "lib/telemetry/log.h"
#include "lib/telemetry/metrics.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/gateway/binding_views.h"
#include "services/gateway/deploys.h"
#include "services/gateway/kinds.h"

namespace sealane::gateway {

// The fleet as the store of an API server. Reads come from the stream `api` (services/gateway/
// projector.h), whose sequence counts for objects, app_status and cluster_status alike and in every
// gateway: it is the resourceVersion. Writes become deploy events; they are done when they are
// durable and have come back through that stream, so that what was written is read.
// Thread rule: the executor thread.
class BusStore final : public kubeapi::Store {
 public:
  // All borrowed. `history_limit`: changes that watches may resume from; `bus_replicas`: as
  // StreamConfig::replicas; `lag`: is told how long after the bus stored a row it is shown.
  BusStore(Bus& bus, Env env, Deploys& deploys, int bus_replicas, size_t history_limit,
           Histogram& lag);
  ~BusStore() override;

  // Begins to follow the bus; `on_synced` once, when everything that was there has been read.
  void Start(std::function<void()> on_synced);
  // The stream that counts revisions was lost and made anew. This process has to begin again.
  [[nodiscard]] bool lost() const { return lost_; }
  [[nodiscard]] size_t size() const { return entries_.size(); }
  // The kind that is stored under that name ("apps/deployments"); nullptr: none.
  [[nodiscard]] const Kind* KindOf(std::string_view storage_name) const {
    return kinds_.Stored(storage_name);
  }
  // In whose name the writes that follow are made: for history, and for people.
  void SetPublisher(std::string publisher) { publisher_ = std::move(publisher); }

  uint64_t revision() const override { return view_.revision(); }
  kubeapi::ObjectPtr Get(const kubeapi::ObjectKey& key) const override {
    return BindingViews::Has(key.resource) ? bindings_.Get(key) : view_.Get(key);
  }
  void ForEach(std::string_view resource, std::string_view ns,
               const std::pair<std::string, std::string>& after,
               const std::function<bool(const kubeapi::ObjectPtr&)>& visit) const override {
    BindingViews::Has(resource) ? bindings_.ForEach(resource, ns, after, visit)
                                : view_.ForEach(resource, ns, after, visit);
  }
  size_t Count(std::string_view resource, std::string_view ns) const override {
    return BindingViews::Has(resource) ? bindings_.Count(resource, ns) : view_.Count(resource, ns);
  }
  // Besides the errors of Store: those of the API, for what intake refuses or does not answer.
  void Put(const kubeapi::ObjectKey& key, Json object, uint64_t expected, Done done) override;
  void Remove(const kubeapi::ObjectKey& key, uint64_t expected, Done done) override;
  uint64_t Subscribe(Observer observer) override;
  void Unsubscribe(uint64_t id) override;
  absl::StatusOr<std::vector<kubeapi::Change>> History(std::string_view resource,
                                                       uint64_t revision) const override {
    return BindingViews::Has(resource) ? bindings_.History(resource, revision)
                                       : view_.History(resource, revision);
  }

 private:
  // What the bus says of one object.
  struct Entry {
    v1::StoredObject row;
    uint64_t row_revision = 0;  // in `objects`; 0: there is no row
    v1::AppStatus app;  // what the status of an object needs; one cluster: there are clusters
  };
  struct Waiter {
    uint64_t row_revision;
    kubeapi::ObjectKey key;
    Done done;
  };

  void OnEvent(const WatchEvent& event);
  void MeasureLag(const BusMessage& message);
  void OnObject(const std::string& key, const BusMessage& message, bool gone);
  void OnApp(const std::string& key, const BusMessage& message, bool gone);
  void OnCluster(const BusMessage& message, bool gone);
  void Show(const std::string& key, uint64_t revision);
  void Hide(const Entry& entry, uint64_t revision);
  // Objects that came before the definition of their kind are shown now.
  void OnDefinition(uint64_t revision);
  void ShowNamespace(const std::string& name, int64_t since_micros, uint64_t revision);
  // Shows what every fleet has without anybody having made it: namespaces and roles.
  void ShowImplied();
  // Whether it is a namespace that objects are in.
  [[nodiscard]] bool IsInhabited(const kubeapi::ObjectKey& key) const;
  // The object is gone from the fleet; one of those, and a namespace that objects are in, is there
  // again as if nobody had made it.
  void ShowGone(const kubeapi::ObjectKey& key, uint64_t revision);
  // Tells those whose write of this row has come round.
  void Wake(const std::string& key);
  void LetViewsRest();
  // Tells changes of views, once everything has been read.
  [[nodiscard]] BindingViews::Tell Teller();
  void Remember(const std::string& key, uint64_t revision);
  // The key of the object in this store; nullopt: its kind is not served.
  [[nodiscard]] std::optional<kubeapi::ObjectKey> KeyOf(const v1::ObjectRef& ref) const;
  [[nodiscard]] std::string RowKeyOf(const kubeapi::ObjectKey& key) const;
  void Write(const kubeapi::ObjectKey& key, v1::Operation operation, Done done);

  Bus& bus_;
  const Clock& clock_;
  Deploys& deploys_;
  Histogram& lag_;
  int bus_replicas_;
  kubeapi::MemoryStore view_;
  BindingViews bindings_;
  std::map<uint64_t, Observer> observers_;
  Kinds kinds_;
  Logger log_{"gateway"};
  bool synced_ = false;
  bool lost_ = false;
  std::string publisher_{kGatewayPlatform};
  std::function<void()> on_synced_;
  int64_t created_micros_ = 0;                          // of the stream `api`
  uint64_t position_ = 0;                               // in it
  std::map<std::string, Entry> entries_;                // by row key
  std::map<std::string, v1::ClusterStatus> clusters_;   // by name
  std::set<std::string> unserved_;                      // row keys of kinds that are not served
  std::map<std::string, std::vector<Waiter>> waiters_;  // by row key
  std::map<std::string, uint64_t> removed_;  // rows that went lately -> revision of the removal
  std::deque<std::string> removals_;         // the same, in order
  std::unique_ptr<Subscription> watch_;
  ScopedExecutor executor_;
};

}  // namespace sealane::gateway

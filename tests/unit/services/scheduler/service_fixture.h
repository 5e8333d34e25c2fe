#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "lib/bus/memory_bus.h"
#include "lib/bus/query.h"
#include "lib/bus/subjects.h"
#include "lib/bus/table.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/query.pb.h"
#include "services/scheduler/scheduler_service.h"
#include "tests/unit/services/scheduler/worlds.h"

namespace sealane::scheduler {

// The scheduler service on the bus in memory and on virtual time, with its tables at hand.
class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest()
      : sim_(11),
        server_(sim_.env()),
        bus_(server_.Connect(BusIdentity::Hub())),
        bindings_(*bus_, sim_.env(), kBindingsTable),
        clusters_(*bus_, sim_.env(), kClusterStatusTable),
        objects_(*bus_, sim_.env(), kObjectsTable),
        placements_(*bus_, sim_.env(), kPlacementsTable),
        apps_(*bus_, sim_.env(), kAppStatusTable),
        client_(*bus_, sim_.env()) {
    for (std::string_view name :
         {kBindingsTable, kClusterStatusTable, kObjectsTable, kAppStatusTable}) {
      Ensure(name, true);
    }
    Ensure(kEventsLog, false);
    options_.failback_spread = absl::ZeroDuration();
    const auto nothing = [](const std::string&) {};
    bindings_.Start(nothing, [] {});
    clusters_.Start(nothing, [] {});
    objects_.Start(nothing, [] {});
    apps_.Start(nothing, [] {});
    placements_.Start(
        [this](const std::string& key) {
          ++placement_changes_;
          if (all_is_well_) SayHealthy(key);
        },
        [] {});
    WatchOptions events;
    events.stream = std::string(kEventsLog);
    events.all = true;
    event_watch_ = bus_->Watch(events, [this](const WatchEvent& event) {
      v1::Event parsed;
      if (event.type == WatchEvent::Type::kPut && parsed.ParseFromString(event.message.payload)) {
        events_.push_back(parsed);
      }
    });
  }

  void Ensure(std::string_view name, bool table) {
    StreamConfig config;
    config.name = std::string(name);
    config.subjects = {StrCat(name, ".>")};
    config.last_per_subject = table;
    bus_->EnsureStream(config, [](const absl::Status& status) { EXPECT_TRUE(status.ok()); });
  }

  void StartService() {
    service_bus_ = server_.Connect(BusIdentity::Hub());
    ServiceContext context{sim_.env(), *service_bus_, registry_, StrCat("test-", ++starts_)};
    options_.elect_leader = false;
    service_ = MakeSchedulerService(context, options_);
    service_->Start();
    Settle();
  }

  void StopService() {
    service_.reset();
    service_bus_.reset();
  }

  // Until nothing more happens.
  void Settle() {
    sim_.RunFor(absl::Milliseconds(100));
    EXPECT_TRUE(sim_.RunUntil([this] { return service_->Idle(); }, absl::Seconds(30)));
    sim_.RunFor(absl::Milliseconds(100));
  }

  void PutCluster(const v1::ClusterStatus& cluster) {
    clusters_.Put(EncodeToken(cluster.name()), cluster);
  }
  std::string PutBinding(const v1::Binding& binding) {
    const std::string key = RowKey(binding.ref());
    bindings_.Put(key, binding);
    return key;
  }
  // As the status service would, when everything runs where it is placed.
  void SayHealthy(const std::string& key) {
    const Row<v1::Placed>* placed = placements_.Find(key);
    const Row<v1::Binding>* binding = bindings_.Find(key);
    if (placed == nullptr || binding == nullptr) return;
    v1::AppStatus row;
    *row.mutable_ref() = placed->value.ref();
    row.set_uid(placed->value.uid());
    for (const v1::TargetCluster& target : placed->value.clusters()) {
      v1::ClusterAppStatus& part = *row.add_clusters();
      part.set_cluster(target.name());
      part.set_health("Healthy");
      part.set_applied_generation(binding->value.object_generation());
      part.mutable_replicas()->set_ready(target.replicas());
    }
    apps_.Put(key, row);
  }
  const v1::Placed* Placed(const std::string& key) {
    const Row<v1::Placed>* row = placements_.Find(key);
    return row == nullptr ? nullptr : &row->value;
  }
  TargetMap Targets(const std::string& key) {
    const v1::Placed* placed = Placed(key);
    return placed == nullptr ? TargetMap{{"none", -1}} : ToMap(*placed);
  }
  std::vector<std::string> Reasons() const {
    std::vector<std::string> reasons;
    for (const v1::Event& event : events_) reasons.push_back(event.reason());
    return reasons;
  }
  v1::QueryReply Ask(const v1::QueryRequest& request) {
    v1::QueryReply reply;
    bool done = false;
    client_.Query(platform::Query("scheduler"), request, absl::Seconds(5),
                  [&](const absl::StatusOr<v1::QueryReply>& answer) {
                    done = true;
                    if (answer.ok()) {
                      reply = *answer;
                    } else {
                      reply.set_error(std::string(ToStd(answer.status().message())));
                    }
                  });
    EXPECT_TRUE(sim_.RunUntil([&] { return done; }, absl::Seconds(10)));
    return reply;
  }

  // A counter or gauge of the service.
  double Metric(const char* name) { return registry_.AddCounter(name, "").Value(); }

  Options options_;
  SimExecutor sim_;
  MemoryServer server_;
  std::unique_ptr<Bus> bus_;
  Table<v1::Binding> bindings_;
  Table<v1::ClusterStatus> clusters_;
  Table<v1::StoredObject> objects_;
  Table<v1::Placed> placements_;
  Table<v1::AppStatus> apps_;
  bool all_is_well_ = true;  // what is placed is healthy at once
  QueryClient client_;
  Registry registry_;
  std::vector<v1::Event> events_;
  std::unique_ptr<Subscription> event_watch_;
  std::unique_ptr<Bus> service_bus_;
  std::unique_ptr<Service> service_;
  int placement_changes_ = 0;
  int starts_ = 0;
};

}  // namespace sealane::scheduler

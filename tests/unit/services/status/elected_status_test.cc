// Two processes of the status service: one leads, the other takes over.

#include "services/status/elected_status.h"

#include "gtest/gtest.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/subjects.h"
#include "lib/bus/table.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "lib/telemetry/metrics.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/query.pb.h"
#include "sealane/v1/tables.pb.h"
#include "tests/support/status_matchers.h"

namespace sealane::status {
namespace {

class ElectedStatusTest : public ::testing::Test {
 protected:
  struct Process {
    std::unique_ptr<Bus> bus;
    std::unique_ptr<ScopedExecutor> executor;
    std::unique_ptr<Env> env;
    std::unique_ptr<Registry> metrics;
    std::unique_ptr<ElectedStatus> service;
    [[nodiscard]] bool leads() const {
      return metrics->AddGauge("sealane_status_leader", "").Value() == 1;
    }
  };

  ElectedStatusTest() : server_(sim_.env()), hub_(server_.Connect(BusIdentity::Hub())) {
    StreamConfig objects;
    objects.name = std::string(kObjectsTable);
    objects.subjects = {objects.name + ".>"};
    StreamConfig bindings = objects;
    bindings.name = std::string(kBindingsTable);
    bindings.subjects = {bindings.name + ".>"};
    StreamConfig placements = objects;
    placements.name = std::string(kPlacementsTable);
    placements.subjects = {placements.name + ".>"};
    for (const StreamConfig& config : {objects, bindings, placements}) {
      hub_->EnsureStream(config, [](const absl::Status& status) { EXPECT_OK(status); });
    }
    sim_.RunFor(absl::Seconds(1));
    rows_ = std::make_unique<Table<v1::ClusterStatus>>(*hub_, sim_.env(), kClusterStatusTable);
  }

  Process Start(const std::string& instance) {
    Process process;
    process.bus = server_.Connect(BusIdentity::Hub(), instance);
    process.executor = std::make_unique<ScopedExecutor>(sim_);
    process.env = std::make_unique<Env>(Env{sim_, *process.executor, sim_});
    process.metrics = std::make_unique<Registry>();
    Options options;
    options.elect_leader = true;
    process.service = std::make_unique<ElectedStatus>(
        ServiceContext{*process.env, *process.bus, *process.metrics, instance}, options);
    process.service->Start();
    sim_.RunFor(absl::Seconds(1));
    return process;
  }

  void Register(const std::string& name) {
    v1::StoredObject object;
    object.mutable_ref()->set_api_version("cluster.karmada.io/v1alpha1");
    object.mutable_ref()->set_kind("Cluster");
    object.mutable_ref()->set_name(name);
    object.set_generation(1);
    object.set_manifest(StrCat(R"({"apiVersion":"cluster.karmada.io/v1alpha1","kind":"Cluster",)",
                               R"("metadata":{"name":")", name, R"("},"spec":{}})"));
    AppendRequest request;
    request.subject = StrCat(kObjectsTable, ".", RowKey(KeyOf(object.ref())));
    request.payload = object.SerializeAsString();
    hub_->Append(std::move(request),
                 [](const absl::StatusOr<Appended>& result) { EXPECT_OK(result); });
  }

  // Whether a status service answers a question.
  bool Answers() {
    bool answered = false;
    v1::QueryRequest request;
    request.set_what("clusters");
    hub_->Request("query.status", request.SerializeAsString(), absl::Seconds(1),
                  [&](const absl::StatusOr<BusMessage>& reply) { answered = reply.ok(); });
    sim_.RunFor(absl::Seconds(2));
    return answered;
  }

  SimExecutor sim_{1};
  MemoryServer server_;
  std::unique_ptr<Bus> hub_;
  std::unique_ptr<Table<v1::ClusterStatus>> rows_;
};

TEST_F(ElectedStatusTest, TheStandbyFollowsAndTakesOver) {
  Process first = Start("first");
  rows_->Start([](const std::string&) {}, [] {});
  Process second = Start("second");
  ASSERT_TRUE(first.leads());
  EXPECT_FALSE(second.leads());
  EXPECT_TRUE(second.service->Ready(nullptr)) << "a standby is ready to take over";
  Register("a");
  sim_.RunFor(absl::Seconds(1));
  ASSERT_EQ(rows_->rows().size(), 1U);
  // Killed, without a word.
  first.service.reset();
  first.bus.reset();
  Register("b");
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(rows_->rows().size(), 1U) << "nobody works";
  sim_.RunFor(absl::Seconds(4));
  EXPECT_TRUE(second.leads());
  EXPECT_EQ(rows_->rows().size(), 2U);
}

TEST_F(ElectedStatusTest, OnlyTheLeaderShowsTheFleet) {
  Process first = Start("first");
  Process second = Start("second");
  EXPECT_TRUE(first.service->View().has_data());
  EXPECT_EQ(first.service->View().why_not, "");
  const FleetView standby = second.service->View();
  EXPECT_FALSE(standby.has_data());
  EXPECT_EQ(standby.leader, first.service->View().leader);
  EXPECT_NE(standby.why_not.find("standby; first"), std::string::npos) << standby.why_not;
  first.service->Retire([] {});
  sim_.RunFor(absl::Milliseconds(200));
  EXPECT_FALSE(first.service->View().has_data()) << "it forgot";
  EXPECT_TRUE(second.service->View().has_data());
}

TEST_F(ElectedStatusTest, WhoEndsLetsTheOtherLeadAtOnce) {
  Process first = Start("first");
  Process second = Start("second");
  bool told = false;
  first.service->Retire([&] { told = true; });
  sim_.RunFor(absl::Milliseconds(200));
  EXPECT_TRUE(told);
  EXPECT_FALSE(first.leads());
  EXPECT_TRUE(second.leads());
}

TEST_F(ElectedStatusTest, WhoLostTheLeaseTellsNothingOfTheFleetAnyMore) {
  Process first = Start("first");
  Process second = Start("second");
  Register("a");
  sim_.RunFor(absl::Seconds(10));
  const auto told = [](const Process& process, const std::string& series) {
    return process.metrics->Expose().find(series) != std::string::npos;
  };
  const std::string count = "sealane_clusters{condition=\"unknown\"} 1\n";
  const std::string own = "sealane_cluster_ready{cluster=\"a\"} 0\n";
  EXPECT_TRUE(told(first, count) && told(first, own));
  EXPECT_FALSE(told(second, count) || told(second, own)) << "one process tells it";
  BusFaults cut;
  cut.disconnected = true;
  server_.SetFaults("first", cut);
  sim_.RunFor(absl::Seconds(15));
  ASSERT_TRUE(second.leads());
  EXPECT_TRUE(told(second, count) && told(second, own));
  EXPECT_FALSE(told(first, count) || told(first, own));
}

TEST_F(ElectedStatusTest, WhoLostTheLeaseIsAStandbyAgain) {
  Process first = Start("first");
  rows_->Start([](const std::string&) {}, [] {});
  Process second = Start("second");
  BusFaults cut;
  cut.disconnected = true;
  server_.SetFaults("first", cut);
  sim_.RunFor(absl::Seconds(6));
  EXPECT_FALSE(first.leads());
  EXPECT_TRUE(second.leads());
  server_.SetFaults("first", {});
  sim_.RunFor(absl::Seconds(3));
  const auto before = server_.StreamLastSequence(std::string(kClusterStatusTable));
  Register("a");
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(rows_->rows().size(), 1U);
  EXPECT_EQ(server_.StreamLastSequence(std::string(kClusterStatusTable)), before + 1)
      << "only one of them writes";
  EXPECT_TRUE(Answers());
  // And back.
  second.service.reset();
  second.bus.reset();
  sim_.RunFor(absl::Seconds(5));
  EXPECT_TRUE(first.leads());
  Register("b");
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(rows_->rows().size(), 2U);
}

}  // namespace
}  // namespace sealane::status

// The source service beside the real policy service, over the bus in memory and on virtual time;
// the repositories are what the test says.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/subjects.h"
#include "lib/bus/table.h"
#include "lib/core/json.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/sim_executor.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/source.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/policy/policy_service.h"
#include "services/source/keeper.h"
#include "services/source/source_service.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/services/source/fake_git.h"

namespace sealane::source {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string ConfigMap(std::string_view name, std::string_view value,
                      std::string_view metadata = "") {
  return StrCat("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ", name,
                ", namespace: shop", metadata, "}\ndata: {value: '", value, "'}\n");
}

class KeeperTest : public ::testing::Test {
 protected:
  KeeperTest() {
    for (const std::string_view table : {kClusterStatusTable, kPlacementsTable, kWorkStatusTable,
                                         kBindingsTable, kWorksTable, kEventsLog}) {
      StreamConfig config;
      config.name = std::string(table);
      config.subjects = {StrCat(table, ".>")};
      config.last_per_subject = table != kEventsLog;
      hub_->EnsureStream(config, [](const absl::Status&) {});
    }
    policy::PolicyOptions options;
    options.elect_leader = false;
    policy_ = policy::MakePolicyService({sim_.env(), *policy_bus_, policy_registry_, "policy-0"},
                                        options);
    policy_->Start();
    objects_.Start([](const std::string&) {}, [] {});
    states_.Start([](const std::string&) {}, [] {});
    WatchOptions events;
    events.stream = std::string(kEventsLog);
    events.all = true;
    events_watch_ = hub_->Watch(events, [this](const WatchEvent& event) {
      v1::Event parsed;
      if (event.type == WatchEvent::Type::kPut && parsed.ParseFromString(event.message.payload) &&
          parsed.service() == "source") {
        told_.push_back(StrCat(parsed.reason(), " ", parsed.ref().name(), ": ", parsed.message()));
      }
    });
    StartSource();
  }

  void StartSource() {
    source_bus_ = server_.Connect(BusIdentity::Hub());
    registry_ = std::make_unique<Registry>();
    SourceOptions options;
    options.elect_leader = false;
    source_ = MakeSourceService({sim_.env(), *source_bus_, *registry_, "source-0"}, options,
                                std::make_unique<FakeGit>(sim_, world_));
    source_->Start();
    Settle();
  }
  void StopSource() {
    source_.reset();
    source_bus_.reset();
  }
  void Settle(absl::Duration for_so_long = absl::Seconds(3)) { sim_.RunFor(for_so_long); }

  // As somebody beside the source does it.
  v1::DeployResult Publish(const std::string& manifest,
                           v1::Operation::Type type = v1::Operation::APPLY) {
    v1::DeployEvent event;
    event.set_id(StrCat("event-", ++published_));
    event.set_publisher("bob");
    event.add_operations()->set_type(type);
    event.mutable_operations(0)->set_manifest(manifest);
    AppendRequest request;
    request.subject = hub::Deploy("paas");
    request.message_id = event.id();
    request.payload = event.SerializeAsString();
    hub_->Append(std::move(request), [](const absl::StatusOr<Appended>& r) { EXPECT_OK(r); });
    v1::DeployResult result;
    Settle(absl::Seconds(1));
    hub_->GetLast(kDeployedTable, hub::Deployed("paas", event.id()),
                  [&](const absl::StatusOr<std::optional<BusMessage>>& found) {
                    ASSERT_TRUE(found.ok() && found->has_value());
                    ASSERT_TRUE(result.ParseFromString((*found)->payload));
                  });
    Settle(absl::Seconds(2));
    return result;
  }
  void AddSource(const std::string& name, std::string_view more = "") {
    const v1::DeployResult result =
        Publish(StrCat("apiVersion: sealane.io/v1alpha1\nkind: GitSource\nmetadata: {name: ", name,
                       "}\nspec: {url: 'https://git.example.com/a.git'", more, "}\n"));
    EXPECT_TRUE(result.accepted()) << result.ShortDebugString();
  }
  void RemoveSource(const std::string& name) {
    Publish(
        StrCat("apiVersion: sealane.io/v1alpha1\nkind: GitSource\nmetadata: {name: ", name, "}\n"),
        v1::Operation::DELETE);
  }
  // The head of the source's branch; it is read within a minute.
  void Push(const std::string& name, std::string commit, const std::string& text) {
    world_.Push(name, std::move(commit), text);
    Settle(absl::Seconds(65));
  }

  std::set<std::string> ConfigMaps() const {
    std::set<std::string> names;
    for (const auto& [key, row] : objects_.rows()) {
      if (row.value.deleting() || row.value.ref().kind() != "ConfigMap") continue;
      const Json manifest = Json::parse(row.value.manifest());
      names.insert(StrCat(row.value.ref().name(), "=",
                          manifest["data"]["value"].get_ref<const std::string&>()));
    }
    return names;
  }
  const v1::StoredObject& Stored(const std::string& name) const {
    static const v1::StoredObject none;
    const auto* row = objects_.Find(StrCat("=.ConfigMap.shop.", name));
    return row == nullptr ? none : row->value;
  }
  [[nodiscard]] double Now() {
    return absl::ToDoubleSeconds(sim_.env().clock.Now() - absl::UnixEpoch());
  }
  // The value of a metric without labels; -1: there is none.
  [[nodiscard]] double Metric(const std::string& name) const {
    const std::string text = registry_->Expose();
    const std::string line = StrCat("\n", name, " ");
    const size_t at = text.find(line);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size()));
  }
  v1::GitSourceState State(const std::string& name) const {
    const auto* row = states_.Find(EncodeToken(name));
    return row == nullptr ? v1::GitSourceState() : row->value;
  }

  SimExecutor sim_{5};
  MemoryServer server_{sim_.env()};
  std::unique_ptr<Bus> hub_ = server_.Connect(BusIdentity::Hub());
  std::unique_ptr<Bus> policy_bus_ = server_.Connect(BusIdentity::Hub());
  Registry policy_registry_;
  std::unique_ptr<Service> policy_;
  Table<v1::StoredObject> objects_{*hub_, sim_.env(), kObjectsTable};
  Table<v1::GitSourceState> states_{*hub_, sim_.env(), "sources"};
  std::unique_ptr<Subscription> events_watch_;
  std::vector<std::string> told_;
  FakeRepositories world_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Bus> source_bus_;
  std::unique_ptr<Service> source_;
  int published_ = 0;
};

TEST_F(KeeperTest, ACommitIsAppliedAndTheNextOneReplacesIt) {
  AddSource("shop");
  EXPECT_EQ(State("shop").state(), "FetchFailed");
  EXPECT_EQ(State("shop").message(), "no such repository");
  Push("shop", "a1", ConfigMap("a", "1") + ConfigMap("b", "1"));
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1", "b=1"));
  EXPECT_EQ(State("shop").state(), "Applied");
  EXPECT_EQ(State("shop").applied_commit().substr(0, 2), "a1");
  EXPECT_THAT(State("shop").objects(), SizeIs(2));
  EXPECT_EQ(Stored("a").publisher(), "gitops/shop@a1000000");
  Push("shop", "b2", ConfigMap("a", "2") + ConfigMap("c", "1"));
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=2", "c=1"));
  EXPECT_THAT(told_, ::testing::Contains("GitCommitApplied shop: commit b2000000: 2 objects; 2 "
                                         "applied, 1 removed"));
  // Back: the branch's head counts, whatever it was before.
  Push("shop", "a1", ConfigMap("a", "1") + ConfigMap("b", "1"));
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1", "b=1"));
}

TEST_F(KeeperTest, AnUnchangedHeadPublishesAndWritesNothing) {
  AddSource("shop");
  Push("shop", "a1", ConfigMap("a", "1"));
  const uint64_t events = server_.StreamLastSequence(kDeployLog);
  const uint64_t rows = server_.StreamLastSequence("sources");
  const int reads = world_.reads;
  Settle(absl::Minutes(10));
  EXPECT_GE(world_.reads, reads + 9);
  EXPECT_EQ(server_.StreamLastSequence(kDeployLog), events);
  EXPECT_EQ(server_.StreamLastSequence("sources"), rows);
}

TEST_F(KeeperTest, ABadCommitChangesNothing) {
  AddSource("shop");
  Push("shop", "a1", ConfigMap("a", "1"));
  Push("shop", "b2", ConfigMap("a", "2") + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {}\n");
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1"));
  EXPECT_EQ(State("shop").state(), "Refused");
  EXPECT_THAT(State("shop").message(),
              AllOf(HasSubstr("commit b2000000: all.yaml, document 2 (line "),
                    HasSubstr("metadata.name"), HasSubstr("commit a1000000 stays in force")));
  EXPECT_EQ(State("shop").applied_commit().substr(0, 2), "a1");
  EXPECT_EQ(State("shop").fetched_commit().substr(0, 2), "b2");
  ASSERT_THAT(State("shop").problems(), SizeIs(1));
  const size_t told = told_.size();
  Settle(absl::Minutes(5));
  EXPECT_EQ(told_.size(), told) << "the same refusal is told once";
}

TEST_F(KeeperTest, AnEmptyPathAndAFailedFetchRemoveNothing) {
  AddSource("shop");
  Push("shop", "a1", ConfigMap("a", "1"));
  Push("shop", "b2", "# nothing\n");
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1"));
  EXPECT_EQ(State("shop").state(), "Refused");
  world_.trees.insert_or_assign("shop", absl::StatusOr<GitTree>(NotFound("no branch main")));
  Settle(absl::Minutes(3));
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1"));
  EXPECT_EQ(State("shop").state(), "FetchFailed");
  EXPECT_THAT(State("shop").objects(), SizeIs(1));
}

TEST_F(KeeperTest, WhatIsToBeKeptStays) {
  AddSource("shop");
  Push("shop", "a1",
       ConfigMap("a", "1", ", annotations: {sealane.io/prune: 'false'}") + ConfigMap("b", "1"));
  Push("shop", "b2", ConfigMap("b", "1"));
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1", "b=1"));
  AddSource("shop", ", prune: false");
  Push("shop", "c3", ConfigMap("c", "1"));
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1", "b=1", "c=1"));
  // What stayed is still the source's.
  AddSource("shop");
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1", "c=1"));
}

TEST_F(KeeperTest, AChangeByHandIsPutRight) {
  AddSource("shop");
  Push("shop", "a1", ConfigMap("a", "1"));
  EXPECT_TRUE(Publish(ConfigMap("a", "by hand")).accepted());
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=by hand"));
  Settle(absl::Seconds(65));
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1"));
  // And once more within the bus' memory of ids.
  EXPECT_TRUE(Publish(ConfigMap("a", "by hand")).accepted());
  EXPECT_TRUE(Publish(ConfigMap("a", "1"), v1::Operation::DELETE).accepted());
  Settle(absl::Seconds(65));
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1"));
}

TEST_F(KeeperTest, ObjectsOfOthersAreNotTakenOver) {
  EXPECT_TRUE(Publish(ConfigMap("his", "1")).accepted());
  AddSource("one");
  AddSource("two");
  Push("one", "a1", ConfigMap("a", "1"));
  Push("two", "b2", ConfigMap("a", "2"));
  EXPECT_EQ(State("two").state(), "Refused");
  EXPECT_THAT(State("two").message(), HasSubstr("belongs to the GitSource one"));
  Push("two", "c3", ConfigMap("his", "2") + ConfigMap("more", "2"));
  EXPECT_THAT(State("two").message(), HasSubstr("was published by bob"));
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1", "his=1"));
  AddSource("two", ", takeOver: true");
  Settle();
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1", "his=2", "more=2"));
}

TEST_F(KeeperTest, ASourceThatGoesTakesItsObjectsWithIt) {
  EXPECT_TRUE(Publish(ConfigMap("his", "1")).accepted());
  AddSource("shop");
  Push("shop", "a1", ConfigMap("a", "1") + ConfigMap("b", "1"));
  RemoveSource("shop");
  EXPECT_THAT(ConfigMaps(), ElementsAre("his=1"));
  EXPECT_EQ(State("shop").name(), "");
  EXPECT_THAT(world_.forgotten, ElementsAre("shop"));
  EXPECT_THAT(told_,
              ::testing::Contains(HasSubstr("GitSourceRemoved shop: the source is gone: 2")));
}

TEST_F(KeeperTest, ASourceThatLeavesSomethingSaysSoAndLeavesItsClusters) {
  AddSource("shop");
  Push("shop", "a1",
       "apiVersion: cluster.karmada.io/v1alpha1\nkind: Cluster\nmetadata: {name: north}\n"
       "spec: {syncMode: Pull}\n" +
           ConfigMap("a", "1", ", annotations: {sealane.io/prune: 'false'}") + ConfigMap("b", "1"));
  ASSERT_EQ(State("shop").state(), "Applied") << State("shop").message();
  RemoveSource("shop");
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1"));
  EXPECT_EQ(State("shop").name(), "");
  EXPECT_THAT(told_, ::testing::Contains(HasSubstr(
                         "the source is gone: 1 object removed with it; left in the fleet: 1 "
                         "object, and because of that its clusters: north")));
  const auto* cluster = objects_.Find("cluster=2Ekarmada=2Eio.Cluster.=.north");
  ASSERT_NE(cluster, nullptr);
  EXPECT_FALSE(cluster->value.deleting());
}

TEST_F(KeeperTest, ASourceThatGoesWhileItPublishesTakesItsObjectsWithItToo) {
  AddSource("shop");
  world_.Push("shop", "a1", ConfigMap("a", "1"));
  ASSERT_TRUE(sim_.RunUntil([&] { return Stored("a").has_ref(); }, absl::Minutes(2)));
  // Its answer has not been read yet.
  EXPECT_EQ(State("shop").state(), "FetchFailed");
  RemoveSource("shop");
  EXPECT_THAT(ConfigMaps(), IsEmpty());
  EXPECT_EQ(State("shop").name(), "");
  EXPECT_THAT(told_,
              ::testing::Contains(HasSubstr("GitSourceRemoved shop: the source is gone: 1")));
}

TEST_F(KeeperTest, ASourceThatDoesNotPruneLeavesThemAlsoWhenTheServiceWasAway) {
  AddSource("shop", ", prune: false");
  Push("shop", "a1", ConfigMap("a", "1"));
  StopSource();
  RemoveSource("shop");
  StartSource();
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1"));
  EXPECT_EQ(State("shop").name(), "");
}

TEST_F(KeeperTest, ARestartAnywhereDoublesAndLosesNothing) {
  AddSource("shop");
  Push("shop", "a1", ConfigMap("a", "1") + ConfigMap("b", "1"));
  // The service ends at each moment of a publication; meanwhile the head moves on.
  for (int i = 0; i < 30; ++i) {
    const std::string value = StrCat(i);
    GitTree tree;
    tree.commit = std::string(40, static_cast<char>('a' + i % 6));
    tree.files = {{"all.yaml", ConfigMap("a", value) + ConfigMap(StrCat("only-", i), value)}};
    world_.trees.insert_or_assign("shop", std::move(tree));
    StopSource();
    source_bus_ = server_.Connect(BusIdentity::Hub());
    registry_ = std::make_unique<Registry>();
    SourceOptions options;
    options.elect_leader = false;
    source_ = MakeSourceService({sim_.env(), *source_bus_, *registry_, "source-0"}, options,
                                std::make_unique<FakeGit>(sim_, world_));
    source_->Start();
    sim_.RunFor(absl::Milliseconds(90 + 5 * i));
  }
  Settle(absl::Seconds(10));
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=29", "only-29=29"));
  EXPECT_EQ(State("shop").state(), "Applied");
  EXPECT_THAT(State("shop").objects(), SizeIs(2));
}

TEST_F(KeeperTest, SuspendedItReadsNothingUntilItIsResumed) {
  AddSource("shop", ", suspend: true");
  const int reads = world_.reads;
  Push("shop", "a1", ConfigMap("a", "1"));
  EXPECT_EQ(world_.reads, reads);
  EXPECT_EQ(State("shop").state(), "Suspended");
  EXPECT_THAT(ConfigMaps(), IsEmpty());
  AddSource("shop");
  EXPECT_THAT(ConfigMaps(), ElementsAre("a=1"));
}

TEST_F(KeeperTest, WhenASourceIsDueIsToldAlsoWhenItHangs) {
  const auto overdue = [this] {
    return Now() - Metric("sealane_source_sync_due_timestamp_seconds");
  };
  EXPECT_EQ(Metric("sealane_source_sync_due_timestamp_seconds"), 0) << "there is none";
  world_.Push("shop", "a1", ConfigMap("a", "1"));
  AddSource("shop");
  EXPECT_LE(overdue(), -50) << "within a minute again";
  Settle(absl::Minutes(30));
  EXPECT_LE(overdue(), 2);
  // Its repository cannot be read.
  world_.trees.insert_or_assign("shop", absl::StatusOr<GitTree>(NotFound("no branch main")));
  Settle(absl::Minutes(10));
  EXPECT_NEAR(overdue(), 540, 61);
  EXPECT_EQ(Metric("sealane_source_sources_failing"), 1);
  // It can, and what it holds now is refused.
  Push("shop", "b2", "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {}\n");
  Settle(absl::Minutes(10));
  EXPECT_GE(overdue(), 1100);
  Push("shop", "c3", ConfigMap("a", "3"));
  EXPECT_LE(overdue(), 2);
  // Nobody answers what it publishes: nothing fails, and nothing goes on.
  policy_.reset();
  Push("shop", "d4", ConfigMap("a", "4"));
  Settle(absl::Minutes(30));
  EXPECT_GE(overdue(), 1700);
  EXPECT_EQ(Metric("sealane_source_sources_failing"), 0);
}

TEST_F(KeeperTest, OnlySourcesThatAreToBeInForceAreDue) {
  world_.Push("shop", "a1", ConfigMap("a", "1"));
  AddSource("shop", ", suspend: true");
  Settle(absl::Minutes(5));
  EXPECT_EQ(Metric("sealane_source_sources"), 1);
  EXPECT_EQ(Metric("sealane_source_sync_due_timestamp_seconds"), 0);
  AddSource("shop");  // resumed: due from now on, not from before
  EXPECT_GT(Metric("sealane_source_sync_due_timestamp_seconds"), Now());
  RemoveSource("shop");
  Settle(absl::Minutes(1));
  EXPECT_EQ(Metric("sealane_source_sync_due_timestamp_seconds"), 0);
  EXPECT_EQ(Metric("sealane_source_sources"), 0);
}

TEST_F(KeeperTest, WhoDoesNotLeadSaysNothingOfSources) {
  Registry registry;
  SourceMetrics metrics(registry);
  FakeGit git(sim_, world_);
  world_.Push("shop", "a1", ConfigMap("a", "1"));
  AddSource("shop");
  StopSource();
  auto keeper = std::make_unique<Keeper>(sim_.env(), *hub_, git, states_, metrics);
  keeper->Start();
  Settle();
  EXPECT_EQ(metrics.sources.Value(), 1);
  EXPECT_EQ(metrics.objects.Value(), 1);
  EXPECT_GT(metrics.sync_due.Value(), Now());
  keeper.reset();
  EXPECT_EQ(metrics.sources.Value(), 0);
  EXPECT_EQ(metrics.objects.Value(), 0);
  EXPECT_EQ(metrics.sync_due.Value(), 0);
}

TEST_F(KeeperTest, ALargeCommitGoesInPartsAllOfThemOrNone) {
  AddSource("shop");
  const std::string large(300'000, 'x');
  std::string all;
  for (int i = 0; i < 5; ++i) all += ConfigMap(StrCat("large-", i), large);
  Push("shop", "a1", all);
  EXPECT_THAT(ConfigMaps(), SizeIs(5));
  EXPECT_EQ(State("shop").state(), "Applied");
  // The last of them may not be removed: nothing changes.
  EXPECT_TRUE(Publish(ConfigMap("large-0", large,
                                ", labels: {resourcetemplate.karmada.io/deletion-protected: "
                                "Always}"))
                  .accepted());
  std::string changed;
  for (int i = 1; i < 5; ++i) {
    changed += ConfigMap(StrCat("large-", i), std::string(300'000, 'y'));
  }
  Push("shop", "b2", changed);
  EXPECT_EQ(State("shop").state(), "Refused");
  EXPECT_THAT(State("shop").message(), HasSubstr("protected from deletion"));
  EXPECT_EQ(Stored("large-1").generation(), 1);
}

}  // namespace
}  // namespace sealane::source

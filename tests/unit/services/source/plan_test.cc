#include "services/source/plan.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"

namespace sealane::source {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kUid[] = "00000000-0000-4000-8000-000000000001";

class PlanTest : public ::testing::Test {
 protected:
  static v1::GitObject Object(const std::string& name, uint64_t hash = 1) {
    v1::GitObject object;
    object.mutable_ref()->set_api_version("v1");
    object.mutable_ref()->set_kind("ConfigMap");
    object.mutable_ref()->set_namespace_("shop");
    object.mutable_ref()->set_name(name);
    object.set_manifest_hash(hash);
    object.set_file(StrCat(name, ".yaml#1"));
    return object;
  }
  static std::string Key(const std::string& name) { return RowKey(Object(name).ref()); }

  void Want(const std::string& name, uint64_t hash = 1) {
    desired_.push_back({Object(name, hash), Key(name), StrCat("manifest of ", name)});
  }
  // The source owns it and the fleet has it.
  StoredFact& Have(const std::string& name, uint64_t hash = 1) {
    owned_[Key(name)] = Object(name, hash);
    StoredFact& fact = stored_[Key(name)];
    fact.hash = hash;
    fact.revision = 7;
    fact.ours = true;
    return fact;
  }
  StoredFact& Foreign(const std::string& name, uint64_t hash = 1) {
    StoredFact& fact = stored_[Key(name)];
    fact.hash = hash;
    fact.revision = 9;
    fact.publisher = "bob";
    return fact;
  }
  LookUp Stored() const {
    return [this](const std::string& key) {
      const auto it = stored_.find(key);
      return it == stored_.end() ? nullptr : &it->second;
    };
  }
  Plan Make() {
    options_.uid = kUid;
    options_.commit = "c0ffee";
    return MakePlan(desired_, owned_, Stored(), options_);
  }
  // "+manifest of a" applies, "-shop/a" deletes.
  static std::vector<std::string> Operations(const Plan& plan) {
    std::vector<std::string> out;
    for (const v1::DeployEvent& event : plan.events) {
      for (const v1::Operation& operation : event.operations()) {
        out.push_back(
            StrCat(operation.type() == v1::Operation::APPLY ? "+" : "-", operation.manifest()));
      }
    }
    return out;
  }

  std::vector<DesiredObject> desired_;
  Owned owned_;
  std::map<std::string, StoredFact> stored_;
  PlanOptions options_;
};

TEST_F(PlanTest, AppliesWhatIsNewOrDiffersAndRemovesWhatLeft) {
  Want("new");
  Want("changed", 2);
  Want("same");
  Have("changed");
  Have("same");
  Have("left");
  const Plan plan = Make();
  EXPECT_THAT(plan.problems, IsEmpty());
  EXPECT_THAT(Operations(plan), ElementsAre("+manifest of new", "+manifest of changed",
                                            HasSubstr("\"name\":\"left\"")));
  ASSERT_THAT(plan.events, SizeIs(1));
  const v1::DeployEvent& event = plan.events[0];
  EXPECT_TRUE(event.all_or_nothing());
  EXPECT_TRUE(event.operations(0).precondition().must_not_exist());
  EXPECT_EQ(event.operations(1).precondition().expected_revision(), 7u);
  EXPECT_EQ(event.operations(2).precondition().expected_revision(), 7u);
  EXPECT_EQ(event.operations(1).source(), "changed.yaml#1");
  EXPECT_EQ(plan.applied, 2);
  EXPECT_EQ(plan.removed, 1);
  EXPECT_THAT(plan.owned, SizeIs(3));
}

TEST_F(PlanTest, NothingToDoIsNoEvent) {
  Want("same");
  Have("same");
  EXPECT_THAT(Make().events, IsEmpty());
}

TEST_F(PlanTest, TheSamePlanHasTheSameIdAndAnotherHasAnother) {
  Want("a");
  const std::string first = Make().events.at(0).id();
  EXPECT_THAT(first, ::testing::StartsWith(StrCat("git-", kUid, "-c0ffee-")));
  EXPECT_LE(first.size() + 1, 128u);
  EXPECT_EQ(Make().events.at(0).id(), first);
  EXPECT_EQ(SourceOfEvent(first), kUid);
  // The same change of an object that has been written since is another event.
  Have("a", 5).revision = 20;
  const std::string second = Make().events.at(0).id();
  stored_[Key("a")].revision = 21;
  EXPECT_NE(Make().events.at(0).id(), second);
  EXPECT_EQ(SourceOfEvent("git-short"), "");
  EXPECT_EQ(SourceOfEvent("5f0c2a1e"), "");
}

TEST_F(PlanTest, ASourceThatGoesAndLeavesSomethingLeavesItsClustersToo) {
  for (const char* name : {"north", "south"}) {
    v1::GitObject cluster;
    cluster.mutable_ref()->set_api_version("cluster.karmada.io/v1alpha1");
    cluster.mutable_ref()->set_kind("Cluster");
    cluster.mutable_ref()->set_name(name);
    const std::string key = RowKey(cluster.ref());
    owned_[key] = cluster;
    stored_[key].revision = 7;
    stored_[key].ours = true;
  }
  Have("goes");
  StoredFact& kept = Have("stays");
  kept.keep = true;
  // A commit may do without clusters all the same.
  EXPECT_EQ(Make().removed, 3);
  options_.commit = "";
  const auto remove = [&] { return MakePlan({}, owned_, Stored(), options_); };
  Plan plan = remove();
  EXPECT_THAT(Operations(plan), ElementsAre(HasSubstr("\"name\":\"goes\"")));
  EXPECT_EQ(plan.kept, 1);
  EXPECT_THAT(plan.held_clusters, ElementsAre("north", "south"));
  // What somebody else keeps, or is on its way, holds nothing.
  kept.owner = "another";
  EXPECT_THAT(Operations(remove()), SizeIs(3));
  kept.owner = "";
  kept.deleting = true;
  EXPECT_THAT(Operations(remove()), SizeIs(3));
  kept.deleting = false;
  kept.keep = false;
  plan = remove();
  EXPECT_THAT(Operations(plan), SizeIs(4));
  EXPECT_THAT(plan.held_clusters, IsEmpty());
  // A cluster that is to be kept does not hold the others.
  stored_[owned_.rbegin()->first].keep = true;
  EXPECT_THAT(Operations(remove()), SizeIs(3));
}

TEST_F(PlanTest, WhatIsKeptIsNotRemoved) {
  Have("a").keep = true;
  Have("b");
  owned_[Key("b")].set_keep(true);
  Plan plan = Make();
  EXPECT_THAT(plan.events, IsEmpty());
  EXPECT_EQ(plan.kept, 2);
  EXPECT_THAT(plan.owned, IsEmpty());
  Have("c");
  options_.prune = false;
  EXPECT_THAT(Make().events, IsEmpty());
  options_.prune = true;
  EXPECT_THAT(Operations(Make()), ElementsAre(HasSubstr("\"name\":\"c\"")));
}

TEST_F(PlanTest, WhatIsGoneOrNoLongerOursIsNotRemoved) {
  owned_[Key("gone")] = Object("gone");
  Have("going").deleting = true;
  StoredFact& other = Have("others");
  other.ours = false;
  other.owner = "other";
  EXPECT_THAT(Make().events, IsEmpty());
}

TEST_F(PlanTest, AnObjectOfSomebodyElseIsRefusedUnlessItMayBeTakenOver) {
  Want("his", 2);
  Foreign("his");
  Plan plan = Make();
  ASSERT_THAT(plan.problems, SizeIs(1));
  EXPECT_THAT(Describe(plan.problems[0]),
              HasSubstr("his.yaml#1: ConfigMap shop/his: exists and was published by bob"));
  EXPECT_THAT(plan.events, IsEmpty());
  options_.take_over = true;
  EXPECT_THAT(Operations(Make()), ElementsAre("+manifest of his"));
  // That of another source is never taken over.
  stored_[Key("his")].owner = "other";
  plan = Make();
  ASSERT_THAT(plan.problems, SizeIs(1));
  EXPECT_THAT(Describe(plan.problems[0]), HasSubstr("belongs to the GitSource other"));
}

TEST_F(PlanTest, OneThatIsGoingIsMadeAnew) {
  Want("a");
  Foreign("a").deleting = true;
  const Plan plan = Make();
  EXPECT_THAT(Operations(plan), ElementsAre("+manifest of a"));
  EXPECT_EQ(plan.events[0].operations(0).precondition().expected_revision(), 0u);
}

TEST_F(PlanTest, AChangeByHandIsPutRight) {
  Want("a");
  StoredFact& fact = Have("a");
  fact.hash = 99;
  fact.ours = false;
  fact.publisher = "alice";
  EXPECT_THAT(Operations(Make()), ElementsAre("+manifest of a"));
  v1::GitSourceState state;
  *state.add_objects() = Object("a");
  EXPECT_TRUE(Drifted(state, Stored()));
  fact.hash = 1;
  EXPECT_FALSE(Drifted(state, Stored()));
  stored_.clear();
  EXPECT_TRUE(Drifted(state, Stored()));
}

TEST_F(PlanTest, WhatDoesNotFitIntoOneEventBecomesSeveralInOrder) {
  options_.max_event_bytes = 2000;
  for (int i = 0; i < 40; ++i) Want(StrCat("object-", i + 10));
  const Plan plan = Make();
  EXPECT_GT(plan.events.size(), 1u);
  std::set<std::string> ids;
  for (const v1::DeployEvent& event : plan.events) {
    EXPECT_LE(event.ByteSizeLong(), 2000u);
    ids.insert(event.id());
  }
  EXPECT_EQ(ids.size(), plan.events.size());
  EXPECT_THAT(Operations(plan), SizeIs(40));
  EXPECT_EQ(Operations(plan).front(), "+manifest of object-10");
  EXPECT_EQ(Operations(plan).back(), "+manifest of object-49");
}

}  // namespace
}  // namespace sealane::source

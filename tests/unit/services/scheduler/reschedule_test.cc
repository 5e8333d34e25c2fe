// What wakes the service, what it leaves alone, and what it counts as taken.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/service_fixture.h"

namespace sealane::scheduler {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

using RescheduleTest = ServiceTest;

// Two pod templates, five pods, that run in one cluster together.
v1::Binding MakeSet(const std::string& name) {
  v1::Binding binding = MakeBinding(
      0, R"({"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]})",
      name);
  for (const int replicas : {1, 4}) {
    v1::Component* component = binding.add_components();
    component->set_replicas(replicas);
    component->mutable_replica_requirements();
  }
  return binding;
}

TEST_F(RescheduleTest, WorkloadsOfSeveralTemplatesDoNotTakeTheSameRoom) {
  StartService();
  PutCluster(MakeRoomy("a", 8));
  PutCluster(MakeRoomy("b", 7));
  const std::string first = PutBinding(MakeSet("first"));
  const std::string second = PutBinding(MakeSet("second"));
  const std::string third = PutBinding(MakeSet("third"));
  Settle();
  EXPECT_THAT(Targets(first), UnorderedElementsAre(Pair("a", 0)));
  EXPECT_THAT(Targets(second), UnorderedElementsAre(Pair("b", 0)));
  EXPECT_EQ(Placed(third)->state(), "Unschedulable") << Placed(third)->message();
}

}  // namespace
}  // namespace sealane::scheduler

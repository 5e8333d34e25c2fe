// What objects were before: what the policy service keeps, and how it answers what = history.
#include "services/policy/history.h"

#include "tests/unit/services/policy/policy_fixture.h"

namespace sealane::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Web(int replicas, std::string_view ns = "shop") {
  return StrCat("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: ", ns,
                "}, spec: {replicas: ", replicas, "}}");
}

class HistoryTest : public PolicyServiceTest {
 protected:
  // "<generation>: <replicas>", with a star for the one in force.
  std::vector<std::string> History() {
    const v1::QueryReply reply = Ask("history", "web");
    std::vector<std::string> lines;
    EXPECT_EQ(reply.revisions_size(), reply.objects_size());
    for (int i = 0; i < reply.objects_size(); ++i) {
      const Json manifest = Json::parse(reply.objects(i).manifest());
      lines.push_back(StrCat(reply.objects(i).generation(), ": ",
                             manifest["spec"]["replicas"].get<int>(),
                             reply.revisions(i) == 0 ? "" : " *"));
    }
    return lines;
  }
};

TEST_F(HistoryTest, EveryGenerationIsKeptOnce) {
  EXPECT_THAT(History(), IsEmpty());
  MustApply(Web(3));
  EXPECT_THAT(History(), ElementsAre("1: 3 *"));
  MustApply(Web(5));
  MustApply(Web(5));
  MustApply(Web(3));
  EXPECT_THAT(History(), ElementsAre("1: 3", "2: 5", "3: 3 *"));
  MustApply("{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}}");
  EXPECT_EQ(Ask("history", "web").objects_size(), 4) << "every kind of that name";
}

TEST_F(HistoryTest, ItSurvivesARestartAndIsBounded) {
  for (int i = 1; i <= kRevisionsKept + 4; ++i) MustApply(Web(i));
  StopService();
  StartService();
  Settle();
  const std::vector<std::string> history = History();
  ASSERT_EQ(history.size(), static_cast<size_t>(kRevisionsKept + 1));
  EXPECT_EQ(history.front(), "4: 4");
  EXPECT_EQ(history.back(), "14: 14 *");
}

TEST_F(HistoryTest, WhatIsGoneIsKeptAndANewLifeBeginsAnew) {
  MustApply(Web(1));
  MustApply(Web(2));
  MustDelete(Web(2));
  Settle();
  EXPECT_THAT(History(), ElementsAre("1: 1", "2: 2"));
  MustApply(Web(7));
  EXPECT_THAT(History(), ElementsAre("1: 7 *"));
  MustApply(Web(8));
  EXPECT_THAT(History(), ElementsAre("1: 7", "2: 8 *"));
}

TEST_F(HistoryTest, ADryRunAndARefusalKeepNothing) {
  MustApply(Web(1));
  EXPECT_FALSE(Apply("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: "
                     "shop}, spec: {replicas: x}}")
                   .accepted());
  EXPECT_THAT(History(), ElementsAre("1: 1 *"));
}

TEST_F(HistoryTest, NamespacesAreToldApart) {
  MustApply(Web(1));
  MustApply(Web(2));
  MustApply(Web(9, "test"));
  v1::QueryReply reply = Ask("history", "web");
  std::vector<std::string> namespaces;
  for (const v1::StoredObject& object : reply.objects()) {
    namespaces.push_back(StrCat(object.ref().namespace_(), " ", object.generation()));
  }
  EXPECT_THAT(namespaces, ElementsAre("shop 1", "shop 2", "test 1"));
}

v1::StoredObject Object(int64_t generation, uint64_t sequence, std::string uid = "a") {
  v1::StoredObject object;
  object.set_generation(generation);
  object.set_deploy_sequence(sequence);
  object.set_uid(std::move(uid));
  return object;
}

std::vector<int64_t> Generations(const std::vector<v1::StoredObject>& history) {
  std::vector<int64_t> generations;
  for (const v1::StoredObject& object : history) generations.push_back(object.generation());
  return generations;
}

TEST(HistoryOf, OrdersByDeployEventsAndTellsLivesApart) {
  EXPECT_THAT(HistoryOf({}, std::nullopt), IsEmpty());
  EXPECT_THAT(Generations(HistoryOf({Object(2, 20), Object(1, 10)}, Object(3, 30))),
              ElementsAre(1, 2, 3));
  // Kept, but the write that was to replace it has not come through.
  EXPECT_THAT(Generations(HistoryOf({Object(1, 10), Object(2, 20)}, Object(2, 20))),
              ElementsAre(1, 2));
  // Of two events of one bus message: the generation decides.
  EXPECT_THAT(Generations(HistoryOf({Object(2, 10), Object(1, 10)}, Object(3, 10))),
              ElementsAre(1, 2, 3));
  // Gone, and made anew: counts from 1.
  EXPECT_THAT(Generations(HistoryOf({Object(1, 10), Object(2, 20)}, Object(1, 40, "b"))),
              ElementsAre(1));
  // Made anew while it was on its way out: goes on counting.
  EXPECT_THAT(Generations(HistoryOf({Object(1, 10), Object(2, 20)}, Object(3, 40, "b"))),
              ElementsAre(1, 2, 3));
  // On its way out: nothing is in force.
  v1::StoredObject deleting = Object(2, 50);
  deleting.set_deleting(true);
  EXPECT_THAT(HistoryOf({Object(1, 10), Object(2, 20)}, deleting).back().deleting(), false);
}

TEST(RevisionSubject, ReusesItsSlots) {
  EXPECT_EQ(RevisionSubject("apps.Deployment.shop.web", 3), "revisions.apps.Deployment.shop.web.3");
  EXPECT_EQ(RevisionSubject("k", 3), RevisionSubject("k", 3 + kRevisionsKept));
}

}  // namespace
}  // namespace sealane::policy

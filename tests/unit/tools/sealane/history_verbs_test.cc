// sealane history, sealane rollback.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tests/unit/tools/sealane/command_fixture.h"

namespace sealane::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class HistoryVerbTest : public CommandTest {
 protected:
  // One more revision of an object; the last with a row's revision is in force.
  v1::StoredObject& Add(int64_t generation, std::string_view image, uint64_t row = 0,
                        std::string_view kind = "Deployment", std::string_view ns = "shop") {
    v1::QueryReply& reply = script_.replies["policy history"];
    v1::StoredObject& object = *reply.add_objects();
    object.mutable_ref()->set_api_version("apps/v1");
    object.mutable_ref()->set_kind(std::string(kind));
    object.mutable_ref()->set_namespace_(std::string(ns));
    object.mutable_ref()->set_name("web");
    object.set_generation(generation);
    object.set_publisher(StrCat("ci/", generation));
    object.set_event_id(StrCat("e-", generation));
    object.set_updated_micros(1'700'000'000'000'000 - (10 - generation) * 3'600'000'000);
    object.set_manifest(StrCat(R"({"kind":")", kind, R"(","spec":{"image":")", image, R"("}})"));
    reply.add_revisions(row);
    return object;
  }
  void Accept(int64_t generation) {
    v1::OperationResult& result = *script_.result->add_results();
    result.mutable_object()->set_kind("Deployment");
    result.mutable_object()->set_namespace_("shop");
    result.mutable_object()->set_name("web");
    result.set_accepted(true);
    result.set_changed(true);
    result.set_generation(generation);
  }
};

TEST_F(HistoryVerbTest, ListsTheNewestFirstAndWhoPublishedIt) {
  Add(3, "a");
  Add(4, "b");
  Add(5, "a", 77);
  EXPECT_EQ(Run({"history", "deployment/web", "-n", "shop"}), kOk);
  EXPECT_EQ(out_.str(),
            "Deployment shop/web\n"
            "REVISION  AGE  PUBLISHER  NOTE\n"
            "5         5h   ci/5       in force, the same as 3\n"
            "4         6h   ci/4       -\n"
            "3         7h   ci/3       -\n");
  EXPECT_EQ(script_.queries[0].first, "policy");
  EXPECT_EQ(script_.queries[0].second.namespace_(), "shop");
  EXPECT_EQ(Run({"history", "web", "-o", "wide"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("e-4"));
  EXPECT_EQ(Run({"history", "web", "-o", "json"}), kOk);
  const Json json = Json::parse(out_.str());
  EXPECT_EQ(json["revisions"][2]["inForce"], true);
  EXPECT_EQ(json["revisions"][2]["sameAs"], 3);
  EXPECT_EQ(json["revisions"][1]["manifest"]["spec"]["image"], "b");
}

TEST_F(HistoryVerbTest, ShowsOneRevisionAndWhatChangedSince) {
  Add(1, "a");
  Add(2, "b", 7);
  EXPECT_EQ(Run({"history", "web", "--revision", "1"}), kOk);
  EXPECT_EQ(out_.str(), "kind: Deployment\nspec:\n  image: a\n");
  EXPECT_EQ(Run({"history", "web", "--revision", "1", "--diff"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("--- revision 1\n+++ revision 2\n"));
  EXPECT_THAT(out_.str(), HasSubstr("-  image: a\n+  image: b\n"));
  EXPECT_EQ(Run({"history", "web", "--diff"}), kUsage);
  EXPECT_EQ(Run({"history", "web", "--revision", "x"}), kUsage);
  EXPECT_EQ(Run({"history", "web", "--revision", "9"}), kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("kept are 1, 2"));
}

TEST_F(HistoryVerbTest, WhatIsNotThereOrAmbiguousIsSaid) {
  EXPECT_EQ(Run({"history", "web"}), kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("there is no web"));
  Add(1, "a", 7);
  Add(1, "a", 8, "Deployment", "test");
  EXPECT_EQ(Run({"history", "web"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("namespaces shop, test; choose one with -n"));
  EXPECT_EQ(Run({"history"}), kUsage);
}

TEST_F(HistoryVerbTest, OfSeveralKindsTheWorkloadIsMeant) {
  Add(1, "c", 5, "ConfigMap");
  Add(1, "a", 7);
  EXPECT_EQ(Run({"history", "web"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("Deployment shop/web\n"));
  EXPECT_EQ(Run({"history", "configmap/web"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("ConfigMap shop/web\n"));
}

TEST_F(HistoryVerbTest, RollbackPublishesThatManifestAsTheUser) {
  Add(3, "a");
  Add(4, "b", 77);
  Accept(5);
  EXPECT_EQ(Run({"rollback", "web", "--to", "3"}), kOk);
  ASSERT_EQ(script_.events.size(), 1U);
  EXPECT_EQ(script_.events[0].publisher(), "amy");
  const v1::Operation& operation = script_.events[0].operations(0);
  EXPECT_EQ(operation.type(), v1::Operation::APPLY);
  EXPECT_EQ(Json::parse(operation.manifest())["spec"]["image"], "a");
  EXPECT_EQ(operation.precondition().expected_revision(), 77U);
  EXPECT_THAT(out_.str(), HasSubstr("revision 5 is what revision 3 was"));
  EXPECT_THAT(out_.str(), HasSubstr("sealane status Deployment/web -n shop --wait"));
}

TEST_F(HistoryVerbTest, WithoutANumberItIsTheNewestThatDiffers) {
  Add(2, "old");
  Add(3, "a");
  Add(4, "b");
  Add(5, "b", 77);
  Accept(6);
  EXPECT_EQ(Run({"rollback", "web"}), kOk);
  EXPECT_EQ(Json::parse(script_.events.at(0).operations(0).manifest())["spec"]["image"], "a");
}

TEST_F(HistoryVerbTest, ARevisionThatIsNotKeptIsRefusedAndTheOthersAreNamed) {
  Add(3, "a");
  Add(4, "b", 77);
  EXPECT_EQ(Run({"rollback", "web", "--to", "2"}), kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("Deployment shop/web has no revision 2"));
  EXPECT_THAT(err_.str(), HasSubstr("kept are 3, 4"));
  EXPECT_TRUE(script_.events.empty());
  EXPECT_EQ(Run({"rollback", "web", "--to", "4"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("nothing to do"));
  EXPECT_TRUE(script_.events.empty());
}

TEST_F(HistoryVerbTest, ADryRunShowsWhatWouldChange) {
  Add(1, "a");
  Add(2, "b", 77);
  Accept(3);
  EXPECT_EQ(Run({"rollback", "web", "--to", "1", "--dry-run"}), kOk);
  EXPECT_TRUE(script_.events.at(0).dry_run());
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("(dry run)"), HasSubstr("-  image: b\n+  image: a\n")));
}

TEST_F(HistoryVerbTest, ASecretIsNotShownInADiff) {
  Add(1, "a", 0, "Secret");
  Add(2, "b", 7, "Secret");
  Accept(3);
  EXPECT_EQ(Run({"rollback", "web", "--to", "1", "--dry-run"}), kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("not shown"), Not(HasSubstr("image"))));
}

TEST_F(HistoryVerbTest, WhatWasDeletedComesBack) {
  Add(1, "a");
  Add(2, "b");
  Accept(1);
  EXPECT_EQ(Run({"history", "web"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("not in the fleet any more"));
  EXPECT_EQ(Run({"rollback", "web"}), kOk);
  const v1::Operation& operation = script_.events.at(0).operations(0);
  EXPECT_EQ(Json::parse(operation.manifest())["spec"]["image"], "b");
  EXPECT_TRUE(operation.precondition().must_not_exist());
  EXPECT_EQ(operation.precondition().expected_revision(), 0U);
}

TEST_F(HistoryVerbTest, ARefusalIsShown) {
  Add(1, "a");
  Add(2, "b", 77);
  v1::OperationResult& result = *script_.result->add_results();
  v1::FieldError& error = *result.add_errors();
  error.set_reason("Conflict");
  error.set_message("the object's revision is 78, not 77");
  EXPECT_EQ(Run({"rollback", "web"}), kRefused);
  EXPECT_THAT(out_.str(), HasSubstr("Conflict: the object's revision is 78"));
}

}  // namespace
}  // namespace sealane::cli

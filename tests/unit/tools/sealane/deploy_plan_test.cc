#include "tools/sealane/deploy_plan.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sealane::cli {
namespace {

using ::testing::HasSubstr;

TEST(PlanDeployTest, OneEventWithOperationsInOrder) {
  DeployPlanOptions options;
  options.publisher = "alice";
  options.dry_run = true;
  const auto events = PlanDeploy({{"a.yaml", "a: 1"}, {"b.yaml#2", "b: 2"}}, options);
  ASSERT_OK(events);
  ASSERT_EQ(events->size(), 1U);
  const v1::DeployEvent& event = events->front();
  EXPECT_EQ(event.publisher(), "alice");
  EXPECT_TRUE(event.dry_run());
  ASSERT_EQ(event.operations_size(), 2);
  EXPECT_EQ(event.operations(0).type(), v1::Operation::APPLY);
  EXPECT_EQ(event.operations(0).manifest(), "a: 1");
  EXPECT_EQ(event.operations(1).source(), "b.yaml#2");
}

TEST(PlanDeployTest, DeletesNameTheSameManifests) {
  DeployPlanOptions options;
  options.deleting = true;
  const auto events = PlanDeploy({{"a.yaml", "a: 1"}}, options);
  ASSERT_OK(events);
  EXPECT_EQ(events->front().operations(0).type(), v1::Operation::DELETE);
}

TEST(PlanDeployTest, SplitsWhatDoesNotFitIntoOneMessage) {
  DeployPlanOptions options;
  options.max_event_bytes = 1000;
  const std::string big(400, 'x');
  const std::vector<Document> documents = {{"1", big}, {"2", big}, {"3", big}};
  const auto events = PlanDeploy(documents, options);
  ASSERT_OK(events);
  ASSERT_EQ(events->size(), 2U);
  EXPECT_EQ(events->at(0).operations_size(), 2);
  EXPECT_EQ(events->at(1).operations(0).source(), "3");
  for (const v1::DeployEvent& event : *events) EXPECT_LE(event.ByteSizeLong(), 1000U);

  options.all_or_nothing = true;
  EXPECT_THAT(PlanDeploy(documents, options).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("needs 2 events")));
}

TEST(PlanDeployTest, NamesADocumentThatFitsIntoNoMessage) {
  EXPECT_THAT(PlanDeploy({{"big.yaml#3", std::string(1 << 20, 'x')}}, {}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("big.yaml#3: TooLong")));
}

}  // namespace
}  // namespace sealane::cli

#include "services/status/leases.h"

#include "gtest/gtest.h"

namespace sealane::status {
namespace {

absl::Duration At(int seconds) { return absl::Seconds(seconds); }

TEST(ClusterLeaseTest, NewClusterIsReadyAtItsFirstWord) {
  ClusterLease lease({}, At(0), std::nullopt, false);
  EXPECT_EQ(lease.Judge(At(0)), Readiness::kUnknown);
  lease.Heard(At(100), true, absl::ZeroDuration());
  EXPECT_EQ(lease.Judge(At(100)), Readiness::kTrue);
  EXPECT_GT(lease.NextChange(), At(140));
}

TEST(ClusterLeaseTest, SilenceLongerThanTheLeaseIsUnknown) {
  ClusterLease lease({}, At(0), std::nullopt, false);
  lease.Heard(At(0), true, absl::ZeroDuration());
  EXPECT_EQ(lease.Judge(At(0)), Readiness::kTrue);
  EXPECT_EQ(lease.Judge(At(40)), Readiness::kTrue);
  const absl::Duration next = lease.NextChange();
  EXPECT_EQ(lease.Judge(next), Readiness::kUnknown);
  EXPECT_EQ(lease.NextChange(), absl::InfiniteDuration());
}

TEST(ClusterLeaseTest, AgentsOwnLeaseWins) {
  ClusterLease lease({}, At(0), std::nullopt, false);
  lease.Heard(At(0), true, At(5));
  EXPECT_EQ(lease.Judge(At(0)), Readiness::kTrue);
  EXPECT_EQ(lease.Judge(At(6)), Readiness::kUnknown);
}

TEST(ClusterLeaseTest, ReturnMustLastForTheHoldTime) {
  ClusterLease lease({}, At(0), Readiness::kUnknown, true);
  EXPECT_EQ(lease.Judge(At(0)), Readiness::kUnknown);
  lease.Heard(At(10), true, absl::ZeroDuration());
  EXPECT_EQ(lease.Judge(At(10)), Readiness::kUnknown);
  lease.Heard(At(20), true, absl::ZeroDuration());
  EXPECT_EQ(lease.Judge(At(20)), Readiness::kUnknown);
  EXPECT_EQ(lease.NextChange(), At(40));
  EXPECT_EQ(lease.Judge(At(40)), Readiness::kTrue);
}

TEST(ClusterLeaseTest, FlappingLinkChangesNothing) {
  ClusterLease lease({}, At(0), Readiness::kUnknown, true);
  // Heard for 20 s, silent for longer than the lease, again and again.
  for (int start = 0; start < 1000; start += 100) {
    lease.Heard(At(start), true, At(20));
    EXPECT_EQ(lease.Judge(At(start)), Readiness::kUnknown);
    EXPECT_EQ(lease.Judge(At(start + 25)), Readiness::kUnknown);
    EXPECT_EQ(lease.Judge(At(start + 90)), Readiness::kUnknown);
  }
}

TEST(ClusterLeaseTest, UnhealthyApiMustLastForTheHoldTime) {
  ClusterLease lease({}, At(0), Readiness::kTrue, true);
  lease.Heard(At(0), false, absl::ZeroDuration());
  EXPECT_EQ(lease.Judge(At(0)), Readiness::kTrue);
  lease.Heard(At(10), true, absl::ZeroDuration());
  EXPECT_EQ(lease.Judge(At(10)), Readiness::kTrue);
  lease.Heard(At(20), false, absl::ZeroDuration());
  EXPECT_EQ(lease.Judge(At(20)), Readiness::kTrue);
  lease.Heard(At(45), false, absl::ZeroDuration());
  EXPECT_EQ(lease.Judge(At(49)), Readiness::kTrue);
  EXPECT_EQ(lease.Judge(At(50)), Readiness::kFalse);
}

TEST(ClusterLeaseTest, RestartedServiceGivesOneLease) {
  ClusterLease lease({}, At(1000), Readiness::kTrue, true);
  EXPECT_EQ(lease.Judge(At(1000)), Readiness::kTrue);
  EXPECT_EQ(lease.Judge(At(1040)), Readiness::kTrue);
  EXPECT_EQ(lease.Judge(At(1041)), Readiness::kUnknown);
}

TEST(ReadinessTest, NamesRoundTrip) {
  for (const Readiness readiness : {Readiness::kUnknown, Readiness::kTrue, Readiness::kFalse}) {
    EXPECT_EQ(ParseReadiness(ReadinessName(readiness)), readiness);
  }
  EXPECT_EQ(ParseReadiness("true"), std::nullopt);
}

}  // namespace
}  // namespace sealane::status

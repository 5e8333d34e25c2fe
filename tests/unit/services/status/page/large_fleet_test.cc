// A thousand clusters and ten thousand applications: every answer stays small.

#include "gtest/gtest.h"
#include "tests/unit/services/status/page/page_fixture.h"

namespace sealane::status {
namespace {

class LargeFleetTest : public PageTest {
 protected:
  static constexpr int kClusters = 1000;
  static constexpr int kApps = 10'000;

  // Without a wait.
  void PutNow(std::string_view table, const std::string& key, const std::string& bytes) {
    AppendRequest request;
    request.subject = StrCat(table, ".", key);
    request.payload = bytes;
    hub_->Append(std::move(request),
                 [](const absl::StatusOr<Appended>& result) { EXPECT_OK(result); });
  }
  static std::string ClusterName(int i) { return StrCat("cluster-", i); }

  void Fill() {
    for (int i = 0; i < kClusters; ++i) {
      v1::StoredObject object;
      Identify(*object.mutable_ref(), "cluster.karmada.io/v1alpha1", "Cluster", "", ClusterName(i));
      object.set_uid(StrCat("uid-", i));
      object.set_generation(1);
      object.set_manifest(
          Json{{"apiVersion", "cluster.karmada.io/v1alpha1"},
               {"kind", "Cluster"},
               {"metadata", {{"name", ClusterName(i)}}},
               {"spec",
                {{"provider", StrCat("provider-", i % 4)}, {"region", StrCat("region-", i % 40)}}}}
              .dump());
      PutNow(kObjectsTable, RowKey(object.ref()), object.SerializeAsString());
    }
    for (int i = 0; i < kApps; ++i) {
      const std::string name = StrCat("app-", i);
      v1::StoredObject object;
      Identify(*object.mutable_ref(), "apps/v1", "Deployment", StrCat("n-", i % 100), name);
      object.set_uid("uid-" + name);
      object.set_generation(1);
      object.set_manifest("{}");
      v1::Binding binding;
      *binding.mutable_ref() = object.ref();
      Identify(*binding.mutable_policy(), "policy.karmada.io/v1alpha1", "PropagationPolicy", "n",
               "p");
      binding.set_replicas(6);
      v1::Placed placed;
      *placed.mutable_ref() = object.ref();
      placed.set_state("Scheduled");
      for (int k = 0; k < 3; ++k) {
        v1::TargetCluster* target = placed.add_clusters();
        target->set_name(ClusterName((i + k * 333) % kClusters));
        target->set_replicas(2);
      }
      const std::string key = RowKey(object.ref());
      PutNow(kObjectsTable, key, object.SerializeAsString());
      PutNow(kBindingsTable, key, binding.SerializeAsString());
      PutNow(kPlacementsTable, key, placed.SerializeAsString());
    }
    sim_.RunFor(absl::Seconds(5));
  }
};

TEST_F(LargeFleetTest, EveryAnswerStaysSmall) {
  Fill();
  const Json summary = GetJson("/api/summary");
  ASSERT_EQ(summary["clusters"]["total"], kClusters);
  ASSERT_EQ(summary["apps"]["workloads"], kApps);
  ASSERT_EQ(summary["replicas"]["wanted"], 6 * kApps);
  for (const char* path :
       {"/api/summary", "/api/clusters", "/api/clusters?limit=200",
        "/api/apps?only=workloads&limit=20", "/api/apps?limit=200", "/api/apps?q=app-9999",
        "/api/apps?cluster=cluster-7", "/api/apps?phase=Failed",
        "/api/app?group=apps&kind=Deployment&namespace=n-7&name=app-7"}) {
    sim_.RunFor(absl::Seconds(3));  // what is counted over the fleet is counted anew
    const auto answer = Get(path);
    EXPECT_EQ(answer->response.status, 200) << path;
    EXPECT_LT(answer->response.body.size(), 400U << 10) << path;
  }
}

}  // namespace
}  // namespace sealane::status

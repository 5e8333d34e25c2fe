#include "tools/sealane/render_message.h"

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::cli {
namespace {

TEST(MessageToJsonTest, ShowsManifestsTimesAndNumbersAsWhatTheyAre) {
  v1::StoredObject object;
  object.mutable_ref()->set_api_version("apps/v1");
  object.mutable_ref()->set_namespace_("classroom");
  object.set_generation(3);
  object.set_manifest(R"({"spec":{"replicas":2}})");
  object.set_created_micros(1'700'000'000'000'001);
  EXPECT_EQ(MessageToJson(object), Json::parse(R"({
    "ref": {"apiVersion": "apps/v1", "namespace": "classroom"},
    "generation": 3,
    "manifest": {"spec": {"replicas": 2}},
    "created": "2023-11-14T22:13:20.000001Z"
  })"));
}

TEST(MessageToJsonTest, DropsTheJsonSuffixAndNamesEnums) {
  v1::WorkStatus status;
  status.set_state(v1::WorkStatus::APPLIED);
  status.set_status_json(R"({"readyReplicas":1})");
  EXPECT_EQ(MessageToJson(status),
            Json::parse(R"({"state": "APPLIED", "status": {"readyReplicas": 1}})"));
  status.set_status_json("not json");
  EXPECT_EQ(MessageToJson(status)["status"], "not json");
}

TEST(MessageToJsonTest, MapsAndLists) {
  v1::ClusterStatus cluster;
  (*cluster.mutable_labels())["tier"] = "edge";
  cluster.add_zones("a");
  cluster.mutable_node_summary()->set_total_num(3);
  EXPECT_EQ(MessageToJson(cluster), Json::parse(R"({
    "labels": {"tier": "edge"}, "zones": ["a"], "nodeSummary": {"totalNum": 3}})"));
}

}  // namespace
}  // namespace sealane::cli

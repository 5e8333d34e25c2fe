#include "lib/core/json.h"
#include "lib/kube/dependencies.h"
#include "lib/kube/image_reference.h"
#include "lib/kube/json_patch.h"
#include "lib/kube/prune.h"
#include "lib/kube/replicas.h"
#include "lib/kube/revise.h"
#include "sealane/v1/placement.pb.h"
#include "tests/support/status_matchers.h"

namespace sealane::kube {
namespace {

TEST(JsonPatch, OperationsAndTheirFailures) {
  Json document = {{"a", {1, 2}}, {"b", {{"x/y", 1}}}};
  ASSERT_OK(ApplyPatch(document, "add", "/a/1", 9));
  ASSERT_OK(ApplyPatch(document, "add", "/a/-", 3));
  ASSERT_OK(ApplyPatch(document, "replace", "/b/x~1y", 2));
  ASSERT_OK(ApplyPatch(document, "remove", "/a/0", nullptr));
  ASSERT_OK(ApplyPatch(document, "replace", "/a/-1", 4));
  EXPECT_EQ(document, (Json{{"a", {9, 2, 4}}, {"b", {{"x/y", 2}}}}));
  const Json before = document;
  for (const auto& [op, path] : std::vector<std::pair<std::string, std::string>>{{"replace", "/c"},
                                                                                 {"remove", "/a/7"},
                                                                                 {"add", "/a/5"},
                                                                                 {"add", "/c/d"},
                                                                                 {"add", "nothing"},
                                                                                 {"move", "/a"},
                                                                                 {"add", "/a/x"},
                                                                                 {"remove", ""}}) {
    EXPECT_FALSE(ApplyPatch(document, op, path, 1).ok()) << op << " " << path;
    EXPECT_EQ(document, before);
  }
}

TEST(ImageReference, Parts) {
  const auto parse = [](std::string_view text) {
    const auto image = ParseImage(text);
    if (!image.ok()) return std::string("error");
    return image->registry + "|" + image->repository + "|" + image->tag + "|" +
           image->digest.substr(0, 8);
  };
  const std::string digest = "sha256:" + std::string(64, 'b');
  EXPECT_EQ(parse("nginx"), "|nginx||");
  EXPECT_EQ(parse("nginx:1.25"), "|nginx|1.25|");
  EXPECT_EQ(parse("library/nginx"), "|library/nginx||");
  EXPECT_EQ(parse("localhost/nginx"), "localhost|nginx||");
  EXPECT_EQ(parse("localhost:5000"), "|localhost|5000|");
  EXPECT_EQ(parse("reg.io:443/a/b_c:v1"), "reg.io:443|a/b_c|v1|");
  EXPECT_EQ(parse("[::1]:80/a"), "[::1]:80|a||");
  EXPECT_EQ(parse("a@" + digest), "|a||sha256:b");
  EXPECT_EQ(parse("a:1@" + digest), "|a|1|");
  for (const char* bad :
       {"", "Nginx", "a:", "a@sha256:12", "a//b", "a/_b", "-a/b", "a:1:2", "a b"}) {
    EXPECT_EQ(parse(bad), "error") << bad;
  }
  ImageReference image = *ParseImage("a:1");
  image.SetTagOrDigest(digest);
  EXPECT_EQ(image.ToString(), "a@" + digest);
  image.SetTagOrDigest("not a tag");
  EXPECT_EQ(image.ToString(), "a@" + digest);
}

TEST(Replicas, RequestsOfOneReplica) {
  const Json job = {
      {"apiVersion", "batch/v1"},
      {"kind", "Job"},
      {"spec",
       {{"parallelism", 5},
        {"completions", 3},
        {"template",
         {{"spec",
           {{"containers",
             {{{"resources", {{"requests", {{"cpu", "500m"}}}, {"limits", {{"memory", "1Gi"}}}}}},
              {{"resources", {{"requests", {{"cpu", 1}, {"example.com/gpu", "2"}}}}}}}},
            {"initContainers", {{{"resources", {{"requests", {{"cpu", "3"}}}}}}}},
            {"nodeSelector", {{"disk", "ssd"}}}}}}}}}};
  v1::ReplicaRequirements requirements;
  const auto count = CountReplicas(job, &requirements);
  ASSERT_OK(count);
  EXPECT_EQ(count->replicas, 3);
  EXPECT_EQ(requirements.resource_request().at("cpu"), "3");
  EXPECT_EQ(requirements.resource_request().at("memory"), "1Gi");
  EXPECT_EQ(requirements.resource_request().at("example.com/gpu"), "2");
  EXPECT_EQ(requirements.node_claim().node_selector().at("disk"), "ssd");
  Json bad = job;
  bad["spec"]["parallelism"] = "many";
  EXPECT_FALSE(CountReplicas(bad, &requirements).ok());
  Json revised = job;
  ASSERT_OK(ReviseReplicas(revised, 2));
  EXPECT_EQ(revised["spec"]["parallelism"], 2);
}

TEST(Dependencies, OfAStatefulSet) {
  const Json set = {
      {"apiVersion", "apps/v1"},
      {"kind", "StatefulSet"},
      {"metadata", {{"name", "db"}, {"namespace", "shop"}}},
      {"spec",
       {{"volumeClaimTemplates", {{{"metadata", {{"name", "data"}}}}}},
        {"template",
         {{"spec",
           {{"serviceAccountName", "db"},
            {"volumes",
             {{{"persistentVolumeClaim", {{"claimName", "data"}}}},
              {{"persistentVolumeClaim", {{"claimName", "extra"}}}},
              {{"configMap", {{"name", "conf"}}}}}},
            {"containers", {{{"envFrom", {{{"secretRef", {{"name", "s"}}}}}}}}}}}}}}}};
  const auto found = FindDependencies(set);
  ASSERT_OK(found);
  std::string names;
  for (const Dependency& d : *found) names += d.kind + "/" + d.ns + "/" + d.name + " ";
  EXPECT_EQ(names,
            "ConfigMap/shop/conf PersistentVolumeClaim/shop/extra Secret/shop/s "
            "ServiceAccount/shop/db ");
}

TEST(Prune, PerKind) {
  Json service = {{"kind", "Service"},
                  {"metadata", {{"uid", "x"}, {"labels", {{"a", "b"}}}}},
                  {"spec", {{"clusterIP", "10.0.0.1"}, {"clusterIPs", {"10.0.0.1"}}}},
                  {"status", {{"x", 1}}}};
  ASSERT_OK(Prune(service));
  EXPECT_EQ(service, (Json{{"kind", "Service"},
                           {"metadata", {{"labels", {{"a", "b"}}}}},
                           {"spec", Json::object()}}));
  Json headless = {{"kind", "Service"}, {"spec", {{"clusterIP", "None"}}}};
  ASSERT_OK(Prune(headless));
  EXPECT_EQ(headless["spec"]["clusterIP"], "None");
  Json account = {
      {"kind", "ServiceAccount"},
      {"metadata", {{"name", "a"}}},
      {"secrets", {{{"name", "a-token-x"}}, {{"name", "a-token-y"}}, {{"name", "own"}}}}};
  ASSERT_OK(Prune(account));
  EXPECT_EQ(account["secrets"], (Json{{{"name", "own"}}}));
}

}  // namespace
}  // namespace sealane::kube

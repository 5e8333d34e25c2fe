#include "benchmarks/common/workload.h"

#include <array>
#include <cstdio>

#include "lib/core/strings.h"

namespace sealane::bench {
namespace {

constexpr std::array<const char*, 3> kProviders = {"aliyun", "tencent", "aws"};
constexpr std::array<const char*, 3> kRegions = {"cn-beijing", "cn-shanghai", "us-east-1"};

std::string Numbered(const char* prefix, int index) {
  char text[32];
  std::snprintf(text, sizeof(text), "%s-%05d", prefix, index);
  return text;
}

}  // namespace

std::string ClusterName(int index) { return Numbered("bench", index); }
std::string AppName(int index) { return Numbered("app", index); }

std::string ClusterManifest(std::string_view name, int turn) {
  const auto region = static_cast<size_t>(turn) % kRegions.size();
  return StrCat(
      R"({"apiVersion":"cluster.karmada.io/v1alpha1","kind":"Cluster","metadata":{"name":")", name,
      R"("},"spec":{"syncMode":"Pull","provider":")", kProviders[region], R"(","region":")",
      kRegions[region], R"("}})");
}

std::vector<std::string> SetupManifests(std::string_view without) {
  return {
      R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"bench"}})",
      StrCat(R"({"apiVersion":"policy.karmada.io/v1alpha1","kind":"PropagationPolicy",
          "metadata":{"name":"everywhere","namespace":"bench"},
          "spec":{"resourceSelectors":[{"apiVersion":"apps/v1","kind":"Deployment",
                    "labelSelector":{"matchLabels":{"tier":"bench"}}}],
                  "placement":{"clusterAffinity":{"exclude":[")",
             without, R"("]},
                    "replicaScheduling":{"replicaSchedulingType":"Duplicated"}}}})"),
      R"({"apiVersion":"policy.karmada.io/v1alpha1","kind":"OverridePolicy",
          "metadata":{"name":"registries","namespace":"bench"},
          "spec":{"resourceSelectors":[{"apiVersion":"apps/v1","kind":"Deployment",
                    "labelSelector":{"matchLabels":{"tier":"bench"}}}],
                  "overrideRules":[
                    {"targetCluster":{"fieldSelector":{"matchExpressions":[
                       {"key":"region","operator":"In","values":["cn-beijing"]}]}},
                     "overriders":{"imageOverrider":[
                       {"component":"Registry","operator":"replace","value":"registry.beijing"}]}},
                    {"targetCluster":{"fieldSelector":{"matchExpressions":[
                       {"key":"region","operator":"In","values":["us-east-1"]}]}},
                     "overriders":{"labelsOverrider":[
                       {"operator":"add","value":{"flavour":"abroad"}}]}}]}})",
  };
}

std::string PolicyForOnly(std::string_view cluster, int first, int count) {
  std::string selectors;
  for (int i = first; i < first + count; ++i) {
    selectors +=
        StrCat(selectors.empty() ? "" : ",",
               R"({"apiVersion":"apps/v1","kind":"Deployment","name":")", AppName(i), R"("})");
  }
  return StrCat(R"({"apiVersion":"policy.karmada.io/v1alpha1","kind":"PropagationPolicy",
          "metadata":{"name":"only-)",
                cluster, R"(","namespace":"bench"},"spec":{"resourceSelectors":[)", selectors,
                R"(],"placement":{"clusterAffinity":{"clusterNames":[")", cluster,
                R"("]},"replicaScheduling":{"replicaSchedulingType":"Duplicated"}}}})");
}

std::string AppManifest(int index, int version) {
  const std::string name = AppName(index);
  return StrCat(
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":")", name,
      R"(","namespace":"bench","labels":{"app":")", name,
      R"(","tier":"bench"},"annotations":{"team.example.org/owner":"platform"}},"spec":{"replicas":3,)",
      R"("selector":{"matchLabels":{"app":")", name,
      R"("}},"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":0}},)",
      R"("template":{"metadata":{"labels":{"app":")", name,
      R"(","tier":"bench"}},"spec":{"serviceAccountName":"default","terminationGracePeriodSeconds":30,)",
      R"("containers":[{"name":"web","image":"registry.example.org/shop/web:)", version,
      R"(","args":["--port=8080","--log=json"],"ports":[{"name":"http","containerPort":8080}],)",
      R"("env":[{"name":"MODE","value":"production"},{"name":"REGION","value":"any"}],)",
      R"("resources":{"requests":{"cpu":"100m","memory":"128Mi"},"limits":{"memory":"256Mi"}},)",
      R"("readinessProbe":{"httpGet":{"path":"/ready","port":"http"},"periodSeconds":5}},)",
      R"({"name":"proxy","image":"registry.example.org/mesh/proxy:2.4","ports":[{"name":"mesh","containerPort":15001}],)",
      R"("resources":{"requests":{"cpu":"50m","memory":"64Mi"}},)",
      R"("volumeMounts":[{"name":"config","mountPath":"/etc/proxy","readOnly":true}]}],)",
      R"("volumes":[{"name":"config","emptyDir":{"sizeLimit":"64Mi"}}]}}}})");
}

}  // namespace sealane::bench

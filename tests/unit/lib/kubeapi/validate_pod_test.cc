// What is refused of pods and of the workloads that make them.

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

using Strings = std::vector<std::string>;

class ValidatePodTest : public ::testing::Test {
 protected:
  ValidatePodTest() { api_.MakeNamespace("ns"); }

  // Faults of a Deployment whose pod is `pod`, without the path of the pod.
  Strings OfPod(const Json& pod) {
    Json deployment = Deployment("d");
    deployment["spec"]["template"]["spec"] = pod;
    Strings out = FaultsOf(api_.Post(StrCat(kApps, "deployments?dryRun=All"), deployment));
    const std::string prefix = "spec.template.spec.";
    for (std::string& fault : out) {
      if (fault.substr(0, prefix.size()) == prefix) fault = fault.substr(prefix.size());
    }
    return out;
  }
  // Of a pod of one container with these fields, without the container's path.
  Strings OfContainer(const Json& fields, const Json& pod = Json::object()) {
    Json container = {{"name", "c"}, {"image", "i"}};
    container.update(fields);
    Json whole = pod;
    whole["containers"] = Json::array({container});
    Strings out = OfPod(whole);
    const std::string prefix = "containers[0].";
    for (std::string& fault : out) {
      if (fault.substr(0, prefix.size()) == prefix) fault = fault.substr(prefix.size());
    }
    return out;
  }
  Strings OfWorkload(const std::string& plural, const Json& object) {
    return FaultsOf(api_.Post(StrCat(kApps, plural, "?dryRun=All"), object));
  }

  static constexpr char kApps[] = "/apis/apps/v1/namespaces/ns/";
  ApiHarness api_;
};

Json StatefulSet(const std::string& name) {
  Json set = Deployment(name);
  set["kind"] = "StatefulSet";
  set["spec"].erase("strategy");
  set["spec"]["serviceName"] = name;
  return set;
}

TEST_F(ValidatePodTest, AStatefulSetMountsItsClaims) {
  Json set = StatefulSet("db");
  Json& pod = set["spec"]["template"]["spec"];
  pod["volumes"] = Json::array({{{"name", "tmp"}, {"emptyDir", Json::object()}}});
  pod["containers"][0]["volumeMounts"] = {{{"name", "data"}, {"mountPath", "/data"}},
                                          {{"name", "tmp"}, {"mountPath", "/tmp"}}};
  set["spec"]["volumeClaimTemplates"] =
      Json::array({{{"metadata", {{"name", "data"}}},
                    {"spec",
                     {{"accessModes", {"ReadWriteOnce"}},
                      {"resources", {{"requests", {{"storage", "1Gi"}}}}}}}}});
  EXPECT_EQ(OfWorkload("statefulsets", set), Strings());
  ASSERT_EQ(api_.Post(StrCat(kApps, "statefulsets"), set).status, 201);
  EXPECT_EQ(FaultsOf(api_.Put(StrCat(kApps, "statefulsets/db"), set)), Strings());
  set["spec"]["serviceName"] = "other";
  EXPECT_EQ(api_.Put(StrCat(kApps, "statefulsets/db"), set).status, 422);
  pod["restartPolicy"] = "Never";
  EXPECT_EQ(OfWorkload("statefulsets", set),
            Strings({"spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported "
                     "values: \"Always\""}));
}

TEST_F(ValidatePodTest, RequestsStayBelowLimits) {
  const auto faults = [&](const Json& requests, const Json& limits) {
    return OfContainer({{"resources", {{"requests", requests}, {"limits", limits}}}});
  };
  EXPECT_EQ(faults({{"cpu", "1500m"}}, {{"cpu", 1}}),
            Strings({"resources.requests: Invalid value: \"1500m\": must be less than or equal to "
                     "cpu limit of 1"}));
  EXPECT_EQ(faults({{"cpu", "1000m"}, {"memory", "1Gi"}}, {{"cpu", "1"}, {"memory", "1024Mi"}}),
            Strings());
  EXPECT_EQ(faults({{"memory", "2Gi"}}, {{"memory", "1Gi"}}).size(), 1U);
  EXPECT_EQ(faults({{"memory", "2Gi"}}, Json::object()), Strings());
  EXPECT_EQ(
      faults({{"cpu", "-1"}}, Json::object()),
      Strings({"resources.requests[cpu]: Invalid value: \"-1\": must be greater than or equal "
               "to 0"}));
  EXPECT_EQ(faults({{"mem", "1Gi"}}, Json::object()),
            Strings({"resources.requests[mem]: Invalid value: \"mem\": must be a standard resource "
                     "type or fully qualified",
                     "resources.requests[mem]: Invalid value: \"mem\": must be a standard resource "
                     "for containers"}));
  // Of what cannot be shared, the request is the limit.
  EXPECT_EQ(faults({{"example.com/gpu", 1}}, {{"example.com/gpu", 1}}), Strings());
  EXPECT_EQ(faults({{"example.com/gpu", 1}}, {{"example.com/gpu", 2}}),
            Strings({"resources.requests: Invalid value: \"1\": must be equal to example.com/gpu "
                     "limit of 2"}));
  EXPECT_EQ(faults({{"example.com/gpu", 1}}, Json::object()),
            Strings({"resources.limits: Required value: Limit must be set for non overcommitable "
                     "resources"}));
  EXPECT_EQ(faults(Json::object(), {{"example.com/gpu", "500m"}}),
            Strings({"resources.limits[example.com/gpu]: Invalid value: \"500m\": must be an "
                     "integer"}));
  EXPECT_EQ(faults({{"hugepages-2Mi", "4Mi"}, {"ephemeral-storage", "1Gi"}},
                   {{"hugepages-2Mi", "4Mi"}, {"memory", "1E"}}),
            Strings());
}

TEST_F(ValidatePodTest, ProbesDoOneThing) {
  EXPECT_EQ(OfContainer({{"livenessProbe", {{"periodSeconds", 5}}}}),
            Strings({"livenessProbe: Required value: must specify a handler type"}));
  EXPECT_EQ(OfContainer({{"readinessProbe",
                          {{"exec", {{"command", {"true"}}}}, {"tcpSocket", {{"port", 80}}}}}}),
            Strings({"readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler "
                     "type"}));
  EXPECT_EQ(OfContainer({{"livenessProbe", {{"httpGet", {{"port", 0}}}}}}),
            Strings({"livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, "
                     "inclusive"}));
  EXPECT_EQ(OfContainer({{"livenessProbe", {{"httpGet", {{"path", "/"}}}}}}).size(), 1U);
  EXPECT_EQ(OfContainer({{"livenessProbe", {{"httpGet", {{"port", "http-of-too-many"}}}}}}).size(),
            1U);
  EXPECT_EQ(OfContainer({{"livenessProbe", {{"grpc", {{"port", 70000}}}}}}).size(), 1U);
  EXPECT_EQ(OfContainer({{"startupProbe", {{"exec", Json::object()}}}}),
            Strings({"startupProbe.exec.command: Required value"}));
  const Json exec = {{"command", {"true"}}};
  EXPECT_EQ(OfContainer({{"livenessProbe", {{"exec", exec}, {"successThreshold", 2}}}}),
            Strings({"livenessProbe.successThreshold: Invalid value: 2: must be 1"}));
  EXPECT_EQ(OfContainer({{"readinessProbe",
                          {{"exec", exec}, {"successThreshold", 2}, {"failureThreshold", 0}}}}),
            Strings());
  EXPECT_EQ(OfContainer({{"livenessProbe", {{"exec", exec}, {"successThreshold", 0}}}}), Strings());
  EXPECT_EQ(OfContainer({{"livenessProbe", {{"exec", exec}, {"timeoutSeconds", -1}}}}).size(), 1U);
  EXPECT_EQ(OfContainer({{"lifecycle", {{"preStop", {{"sleep", {{"seconds", 40}}}}}}}}),
            Strings({"lifecycle.preStop.sleep: Invalid value: 40: must be non-negative and less "
                     "than terminationGracePeriodSeconds (30)"}));
  EXPECT_EQ(OfContainer({{"lifecycle", {{"preStop", {{"sleep", {{"seconds", 40}}}}}}}},
                        {{"terminationGracePeriodSeconds", 60}}),
            Strings());
  EXPECT_EQ(OfContainer({{"lifecycle", {{"postStart", Json::object()}}}}).size(), 1U);
  for (const char* port : {"http", "a", "web-2", "8080a"}) {
    EXPECT_EQ(OfContainer({{"livenessProbe", {{"tcpSocket", {{"port", port}}}}}}), Strings());
  }
}

TEST_F(ValidatePodTest, PortsAndNames) {
  EXPECT_EQ(OfContainer({{"ports",
                          {{{"name", "http"}, {"containerPort", 80}},
                           {{"name", "http"}, {"containerPort", 81}}}}}),
            Strings({"ports[1].name: Duplicate value: \"http\""}));
  EXPECT_EQ(OfContainer({{"ports", Json::array({{{"containerPort", 65536}}})}}),
            Strings({"ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, "
                     "inclusive"}));
  EXPECT_EQ(OfContainer({{"ports", Json::array({{{"name", "Web"}, {"containerPort", 1}}})}}),
            Strings({"ports[0].name: Invalid value: \"Web\": must contain only alpha-numeric "
                     "characters (a-z, 0-9), and hyphens (-)"}));
  EXPECT_EQ(OfContainer({{"ports", Json::array({{{"name", "web"}}})}}),
            Strings({"ports[0].containerPort: Required value"}));
  EXPECT_EQ(
      OfContainer({{"ports", Json::array({{{"containerPort", 1}, {"hostPort", -1}}})}}).size(), 1U);
  EXPECT_EQ(
      OfContainer({{"ports", Json::array({{{"containerPort", 1}, {"protocol", "HTTP"}}})}}).size(),
      1U);
  const Json taken = {{"containerPort", 1}, {"hostPort", 80}};
  EXPECT_EQ(OfContainer({{"ports", {taken, {{"containerPort", 2}, {"hostPort", 80}}}}}),
            Strings({"ports[1].hostPort: Duplicate value: \"TCP//80\""}));
  const Json c = {{"name", "c"}, {"image", "i"}};
  EXPECT_EQ(OfPod({{"containers", {c, c}}}),
            Strings({"containers[1].name: Duplicate value: \"c\""}));
  EXPECT_EQ(OfPod({{"containers", {c}}, {"initContainers", {c}}}),
            Strings({"initContainers[0].name: Duplicate value: \"c\""}));
  EXPECT_EQ(OfPod(Json::object()), Strings({"containers: Required value"}));
  EXPECT_EQ(OfContainer({{"imagePullPolicy", "Sometimes"}}),
            Strings({"imagePullPolicy: Unsupported value: \"Sometimes\": supported values: "
                     "\"Always\", \"IfNotPresent\", \"Never\""}));
  EXPECT_EQ(OfContainer(Json::object(), {{"restartPolicy", "Never"}}),
            Strings({"restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""}));
  EXPECT_EQ(OfContainer(Json::object(), {{"activeDeadlineSeconds", 5}}),
            Strings({"activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not "
                     "Supported"}));
  EXPECT_EQ(OfContainer({{"ports", Json::array({{{"containerPort", 1}, {"hostPort", 2}}})}},
                        {{"hostNetwork", true}})
                .size(),
            1U);
}

TEST_F(ValidatePodTest, InitContainersHaveNoProbesUnlessTheyStay) {
  Json init = {{"name", "init"}, {"image", "i"}, {"readinessProbe", {{"grpc", {{"port", 1}}}}}};
  const Json containers = Json::array({{{"name", "c"}, {"image", "i"}}});
  EXPECT_EQ(OfPod({{"containers", containers}, {"initContainers", {init}}}),
            Strings({"initContainers[0].readinessProbe: Forbidden: may not be set for init "
                     "containers without restartPolicy=Always"}));
  init["restartPolicy"] = "Always";
  EXPECT_EQ(OfPod({{"containers", containers}, {"initContainers", {init}}}), Strings());
}

TEST_F(ValidatePodTest, Environment) {
  EXPECT_EQ(OfContainer({{"env", Json::array({{{"value", "x"}}})}}),
            Strings({"env[0].name: Required value"}));
  EXPECT_EQ(OfContainer({{"env", Json::array({{{"name", "a=b"}}})}}),
            Strings({"env[0].name: Invalid value: \"a=b\": a valid environment variable name must "
                     "consist only of printable ASCII characters other than '='"}));
  for (const char* name : {"1A", "a.b", "A B", "A/B"}) {
    EXPECT_EQ(OfContainer({{"env", {{{"name", name}, {"value", "1"}}, {{"name", name}}}}}),
              Strings());
  }
  const auto from = [&](const Json& value_from) {
    return OfContainer({{"env", Json::array({{{"name", "A"}, {"valueFrom", value_from}}})}});
  };
  EXPECT_EQ(from(Json::object()).size(), 1U);
  EXPECT_EQ(from({{"secretKeyRef", {{"name", "s"}}}}),
            Strings({"env[0].valueFrom.secretKeyRef.key: Required value"}));
  EXPECT_EQ(from({{"secretKeyRef", {{"name", "s"}, {"key", "k"}}},
                  {"configMapKeyRef", {{"name", "s"}, {"key", "k"}}}}),
            Strings({"env[0].valueFrom: Invalid value: \"\": may not have more than one field "
                     "specified at a time"}));
  EXPECT_EQ(from({{"fieldRef", {{"fieldPath", "status.phase"}}}}).size(), 1U);
  EXPECT_EQ(from({{"fieldRef", {{"fieldPath", "spec.nope"}}}}),
            Strings({"env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.nope\": error "
                     "converting fieldPath: field label not supported: spec.nope"}));
  for (const char* field : {"metadata.labels['a']", "metadata.annotations['a/b']", "status.podIP",
                            "status.hostIPs", "metadata.uid"}) {
    EXPECT_EQ(from({{"fieldRef", {{"fieldPath", field}}}}), Strings()) << field;
  }
  EXPECT_EQ(from({{"resourceFieldRef", {{"resource", "limits.gpu"}}}}).size(), 1U);
  EXPECT_EQ(from({{"resourceFieldRef", {{"resource", "limits.hugepages-2Mi"}}}}), Strings());
  EXPECT_EQ(from({{"fileKeyRef", {{"volumeName", "v"}, {"path", "p"}, {"key", "k"}}}}), Strings());
  EXPECT_EQ(
      OfContainer({{"env", Json::array({{{"name", "A"},
                                         {"value", "x"},
                                         {"valueFrom",
                                          {{"fieldRef", {{"fieldPath", "metadata.name"}}}}}}})}}),
      Strings({"env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is "
               "not empty"}));
  EXPECT_EQ(OfContainer({{"envFrom", Json::array({{{"prefix", "A_"}}})}}),
            Strings({"envFrom: Invalid value: \"\": must specify one of: `configMapRef` or "
                     "`secretRef`"}));
  EXPECT_EQ(OfContainer({{"envFrom", Json::array({{{"secretRef", Json::object()}}})}}),
            Strings({"envFrom[0].secretRef.name: Required value"}));
  EXPECT_EQ(OfContainer({{"envFrom", Json::array({{{"configMapRef", {{"name", "c"}}}}})}}),
            Strings());
}

TEST_F(ValidatePodTest, VolumesAndMounts) {
  const Json volumes = {{{"name", "a"}, {"emptyDir", Json::object()}}, {{"name", "b"}}};
  const auto mounts = [&](const Json& list) {
    return OfContainer({{"volumeMounts", list}}, {{"volumes", volumes}});
  };
  EXPECT_EQ(mounts({{{"name", "a"}, {"mountPath", "/a"}}, {{"name", "b"}, {"mountPath", "/b"}}}),
            Strings());
  EXPECT_EQ(mounts(Json::array({{{"name", "a"}}})),
            Strings({"volumeMounts[0].mountPath: Required value"}));
  EXPECT_EQ(mounts(Json::array({{{"name", "z"}, {"mountPath", "/a"}}})),
            Strings({"volumeMounts[0].name: Not found: \"z\""}));
  EXPECT_EQ(mounts({{{"name", "a"}, {"mountPath", "/a"}}, {{"name", "b"}, {"mountPath", "/a"}}}),
            Strings({"volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique"}));
  EXPECT_EQ(mounts(Json::array({{{"name", "a"}, {"mountPath", "/a"}, {"subPath", "../x"}}})),
            Strings({"volumeMounts.subPath: Invalid value: \"../x\": must not contain '..'"}));
  EXPECT_EQ(mounts(Json::array({{{"name", "a"}, {"mountPath", "/a"}, {"subPath", "x/..y"}}})),
            Strings());
  const auto volume = [&](const Json& fields) {
    return OfContainer(Json::object(), {{"volumes", Json::array({fields})}});
  };
  EXPECT_EQ(volume({{"emptyDir", Json::object()}}), Strings({"volumes[0].name: Required value"}));
  EXPECT_EQ(volume({{"name", "A_b"}}).size(), 1U);
  EXPECT_EQ(volume({{"name", "a"}, {"secret", Json::object()}}),
            Strings({"volumes[0].secret.secretName: Required value"}));
  EXPECT_EQ(
      volume({{"name", "a"}, {"secret", {{"secretName", "s"}}}, {"emptyDir", Json::object()}}),
      Strings({"volumes[0].secret: Forbidden: may not specify more than 1 volume type"}));
  EXPECT_EQ(volume({{"name", "a"}, {"persistentVolumeClaim", Json::object()}}).size(), 1U);
  EXPECT_EQ(
      volume({{"name", "a"},
              {"configMap",
               {{"name", "c"},
                {"defaultMode", 01000},
                {"items", {{{"key", "k"}, {"path", "/x"}}, {{"key", "k"}}}}}}}),
      Strings({"volumes[0].configMap.defaultMode: Invalid value: 512: must be a number "
               "between 0 and 0777 (octal), both inclusive",
               "volumes[0].configMap.items[0].path: Invalid value: \"/x\": must be a relative "
               "path",
               "volumes[0].configMap.items[1].path: Required value"}));
  EXPECT_EQ(volume({{"name", "a"},
                    {"projected",
                     {{"sources",
                       {{{"serviceAccountToken", {{"path", "token"}, {"expirationSeconds", 60}}}},
                        {{"configMap", {{"name", "c"}}}},
                        {{"downwardAPI",
                          {{"items",
                            {{{"path", "labels"},
                              {"fieldRef", {{"fieldPath", "metadata.labels"}}}}}}}}}}}}}}),
            Strings({"volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: "
                     "Invalid value: 60: may not specify a duration less than 10 minutes"}));
  EXPECT_EQ(volume({{"name", "a"}, {"image", {{"reference", "r"}}}}), Strings());
}

TEST_F(ValidatePodTest, Scheduling) {
  const auto spec = [&](const Json& fields) { return OfContainer(Json::object(), fields); };
  EXPECT_EQ(spec({{"nodeSelector", {{"a b", "c"}}}}).size(), 1U);
  EXPECT_EQ(spec({{"tolerations", Json::array({{{"key", "a"}, {"operator", "Is"}}})}}),
            Strings({"tolerations[0].operator: Unsupported value: \"Is\": supported values: "
                     "\"Equal\", \"Exists\""}));
  EXPECT_EQ(
      spec({{"tolerations",
             {{{"operator", "Exists"}},
              {{"key", "a"}, {"value", "b"}, {"effect", "NoExecute"}, {"tolerationSeconds", 5}},
              {{"key", "a"}, {"operator", "Gt"}, {"value", "5"}}}}}),
      Strings());
  EXPECT_EQ(spec({{"tolerations", Json::array({{{"value", "a"}}})}}).size(), 1U);
  const auto affinity = [&](const Json& value) { return spec({{"affinity", value}}); };
  EXPECT_EQ(affinity({{"podAntiAffinity",
                       {{"requiredDuringSchedulingIgnoredDuringExecution",
                         Json::array({{{"labelSelector", {{"matchLabels", {{"a", "b"}}}}}}})}}}}),
            Strings({"affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]."
                     "topologyKey: Required value: can not be empty"}));
  EXPECT_EQ(
      affinity({{"nodeAffinity",
                 {{"preferredDuringSchedulingIgnoredDuringExecution",
                   Json::array({{{"weight", 0},
                                 {"preference",
                                  {{"matchExpressions",
                                    Json::array({{{"key", "a"}, {"operator", "In"}}})}}}}})}}}})
          .size(),
      2U);
  EXPECT_EQ(
      affinity(
          {{"nodeAffinity",
            {{"requiredDuringSchedulingIgnoredDuringExecution",
              {{"nodeSelectorTerms",
                Json::array({{{"matchExpressions", Json::array({{{"key", "a"},
                                                                 {"operator", "Gt"},
                                                                 {"values", {"1"}}}})}}})}}}}}}),
      Strings());
  EXPECT_EQ(
      spec({{"topologySpreadConstraints",
             Json::array(
                 {{{"maxSkew", 1}, {"topologyKey", "zone"}, {"whenUnsatisfiable", "Never"}}})}})
          .size(),
      1U);
}

TEST_F(ValidatePodTest, WorkloadsThemselves) {
  const auto deployment = [&](const Json& fields) {
    Json object = Deployment("d");
    object["spec"].update(fields);
    return OfWorkload("deployments", object);
  };
  EXPECT_EQ(
      deployment({{"strategy", {{"rollingUpdate", {{"maxSurge", "0%"}, {"maxUnavailable", 0}}}}}}),
      Strings({"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 "
               "when `maxSurge` is 0"}));
  EXPECT_EQ(deployment({{"strategy", {{"rollingUpdate", {{"maxUnavailable", "half"}}}}}}).size(),
            1U);
  EXPECT_EQ(
      deployment({{"strategy", {{"rollingUpdate", {{"maxUnavailable", "101%"}}}}}}),
      Strings({"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not "
               "be greater than 100%"}));
  EXPECT_EQ(deployment({{"strategy", {{"rollingUpdate", {{"maxSurge", "200%"}}}}}}), Strings());
  EXPECT_EQ(deployment({{"progressDeadlineSeconds", 10}, {"minReadySeconds", 10}}).size(), 1U);
  EXPECT_EQ(
      deployment({{"selector", Json::object()}}),
      Strings({"spec.selector: Invalid value: {}: empty selector is invalid for deployment"}));
  EXPECT_EQ(
      deployment({{"selector",
                   {{"matchExpressions", Json::array({{{"key", "a"}, {"operator", "Is"}}})}}}}),
      Strings({"spec.selector.matchExpressions[0].operator: Invalid value: \"Is\": not a valid "
               "selector operator"}));
  Json annotated = Deployment("d");
  annotated["spec"]["template"]["metadata"]["annotations"] = {{"not valid", "x"}};
  EXPECT_EQ(OfWorkload("deployments", annotated).at(0).substr(0, 40),
            "spec.template.annotations: Invalid value");
  Json daemons = Deployment("d");
  daemons["kind"] = "DaemonSet";
  daemons["spec"].erase("replicas");
  daemons["spec"].erase("strategy");
  EXPECT_EQ(OfWorkload("daemonsets", daemons), Strings());
  daemons["spec"]["updateStrategy"] = {{"rollingUpdate", {{"maxSurge", 1}}}};
  EXPECT_EQ(OfWorkload("daemonsets", daemons),
            Strings({"spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set "
                     "when maxUnavailable is non-zero"}));
  Json set = StatefulSet("a.b");
  EXPECT_EQ(OfWorkload("statefulsets", set).size(), 1U);
}

TEST_F(ValidatePodTest, OfAPodOnlyItsImagesChange) {
  const std::string path = "/api/v1/namespaces/ns/pods";
  Json pod = {{"kind", "Pod"},
              {"metadata", {{"name", "p"}}},
              {"spec", {{"containers", Json::array({{{"name", "c"}, {"image", "i"}}})}}}};
  EXPECT_EQ(api_.Post(path, pod).status, 201);
  EXPECT_EQ(api_.Call("PATCH", path + "/p",
                      R"([{"op":"replace","path":"/spec/containers/0/image","value":"j"}])",
                      "application/json-patch+json")
                .status,
            200);
  EXPECT_EQ(api_.MergePatch(path + "/p", {{"spec", {{"nodeSelector", {{"a", "b"}}}}}}).status, 422);
  pod["metadata"]["name"] = "q";
  pod["spec"]["schedulingGates"] = Json::array({{{"name", "example.com/wait"}}});
  EXPECT_EQ(api_.Post(path, pod).status, 201);
  EXPECT_EQ(api_.MergePatch(path + "/q", {{"spec", {{"nodeSelector", {{"a", "b"}}}}}}).status, 200);
  EXPECT_EQ(api_.MergePatch(path + "/q", {{"spec", {{"hostname", "b"}}}}).status, 422);
  pod["metadata"]["name"] = "r";
  pod["spec"]["containers"][0]["image"] = " i";
  EXPECT_EQ(api_.Post(path, pod).status, 422);
}

}  // namespace
}  // namespace sealane::kubeapi

// What is refused of Jobs, Services, policies, roles and claims.

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/cron_schedule.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

using Strings = std::vector<std::string>;

class ValidateKindsTest : public ::testing::Test {
 protected:
  ValidateKindsTest() { api_.MakeNamespace("ns"); }
  // Faults of an object of this spec.
  Strings OfSpec(const std::string& group_version, const std::string& plural, const Json& spec) {
    return Of(group_version, plural, {{"spec", spec}});
  }
  Strings Of(const std::string& group_version, const std::string& plural, const Json& fields) {
    Json object = {{"metadata", {{"name", "x"}}}};
    object.update(fields);
    return FaultsOf(api_.Post(StrCat(Path(group_version, plural), "?dryRun=All"), object));
  }
  static std::string Path(const std::string& group_version, const std::string& plural) {
    const std::string root = group_version == "v1" ? "/api/" : "/apis/";
    const bool cluster = plural.substr(0, 7) == "cluster";
    return StrCat(root, group_version, cluster ? "/" : "/namespaces/ns/", plural);
  }
  ApiHarness api_;
};

Json JobSpec(const std::string& restart_policy = "Never") {
  return {{"template",
           {{"spec",
             {{"restartPolicy", restart_policy},
              {"containers", Json::array({{{"name", "c"}, {"image", "i"}}})}}}}}};
}

TEST(CronScheduleTest, AcceptsWhatKubernetesDoes) {
  for (const char* good : {"* * * * *",
                           "*/5 * * * *",
                           "0 0 1 1 0",
                           "59 23 31 12 6",
                           "0,30 8-18 * * mon-fri",
                           "0 0 ? * SUN",
                           "1-59/2 * * jan-dec *",
                           "5/15 * * * *",
                           "@hourly",
                           "@daily",
                           "@midnight",
                           "@weekly",
                           "@monthly",
                           "@yearly",
                           "@annually",
                           "@every 90s",
                           "@every 1h30m",
                           "@every 1.5h",
                           " 0   0 * * * ",
                           "1,,2 * * * *",
                           "+1 * * * *",
                           "01 * * * *"}) {
    EXPECT_EQ(WhyNotSchedule(good), "") << good;
  }
}

TEST(CronScheduleTest, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "empty spec string"},
      {"* * * *", "expected exactly 5 fields, found 4: [* * * *]"},
      {"* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"},
      {"60 * * * *", "end of range (60) above maximum (59): 60"},
      {"* * 0 * *", "beginning of range (0) below minimum (1): 0"},
      {"* * * * 7", "end of range (7) above maximum (6): 7"},
      {"30-10 * * * *", "beginning of range (30) beyond end of range (10): 30-10"},
      {"*/0 * * * *", "step of range should be a positive number: */0"},
      {"1-2-3 * * * *", "too many hyphens: 1-2-3"},
      {"1/2/3 * * * *", "too many slashes: 1/2/3"},
      {"a * * * *", "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"},
      {"-1 * * * *", "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax"},
      {"*/-1 * * * *", "negative number (-1) not allowed: -1"},
      {"+ * * * *", "failed to parse int from +: strconv.Atoi: parsing \"+\": invalid syntax"},
      {"@nightly", "unrecognized descriptor: @nightly"},
      {"@every", "unrecognized descriptor: @every"},
      {"@every day", "failed to parse duration @every day: time: invalid duration \"day\""},
      {"@every 5", "failed to parse duration @every 5: time: invalid duration \"5\""}};
  for (const auto& [text, why] : bad) EXPECT_EQ(WhyNotSchedule(text), why) << text;
  EXPECT_NE(WhyNotSchedule("99999999999999999999 * * * *"), "");
}

TEST_F(ValidateKindsTest, Jobs) {
  const auto job = [&](const Json& fields, const std::string& policy = "Never") {
    Json spec = JobSpec(policy);
    spec.update(fields);
    return OfSpec("batch/v1", "jobs", spec);
  };
  EXPECT_EQ(job(Json::object()), Strings());
  EXPECT_EQ(job(Json::object(), "Always"),
            Strings({"spec.template.spec.restartPolicy: Required value: valid values: "
                     "\"OnFailure\", \"Never\""}));
  EXPECT_EQ(
      job(Json::object(), "Sometimes"),
      Strings({"spec.template.spec.restartPolicy: Unsupported value: \"Sometimes\": supported "
               "values: \"Always\", \"OnFailure\", \"Never\""}));
  EXPECT_EQ(job({{"backoffLimit", -1}}),
            Strings({"spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"}));
  EXPECT_EQ(job({{"parallelism", -1}, {"completions", -1}}).size(), 2U);
  EXPECT_EQ(job({{"completionMode", "Indexed"}, {"parallelism", 2}}),
            Strings({"spec.completions: Required value: when completion mode is Indexed"}));
  EXPECT_EQ(job({{"backoffLimitPerIndex", 1}}).size(), 1U);
}

TEST_F(ValidateKindsTest, OfAJobLittleChanges) {
  const std::string path = Path("batch/v1", "jobs");
  const auto make = [&](const std::string& name, const Json& fields) {
    Json object = {{"metadata", {{"name", name}}}, {"spec", JobSpec()}};
    object["spec"].update(fields);
    ASSERT_EQ(api_.Post(path, object).status, 201);
  };
  make("running", Json::object());
  const Json labels = {{"spec", {{"template", {{"spec", {{"nodeSelector", {{"a", "b"}}}}}}}}}};
  EXPECT_EQ(api_.MergePatch(path + "/running", labels).status, 422);
  EXPECT_EQ(api_.MergePatch(path + "/running", {{"spec", {{"completions", 3}}}}).status, 422);
  EXPECT_EQ(api_.MergePatch(path + "/running", {{"spec", {{"parallelism", 3}}}}).status, 200);
  EXPECT_EQ(api_.MergePatch(path + "/running", {{"spec", {{"suspend", true}}}}).status, 200);
  EXPECT_EQ(api_.MergePatch(path + "/running", labels).status, 200);
  make("indexed", {{"completionMode", "Indexed"}, {"completions", 2}, {"parallelism", 2}});
  EXPECT_EQ(api_.MergePatch(path + "/indexed", {{"spec", {{"completions", 3}}}}).status, 422);
  EXPECT_EQ(api_.MergePatch(path + "/indexed", {{"spec", {{"completions", 3}, {"parallelism", 3}}}})
                .status,
            200);
}

TEST_F(ValidateKindsTest, CronJobs) {
  const auto cron = [&](const Json& fields) {
    Json spec = {{"schedule", "*/5 * * * *"}, {"jobTemplate", {{"spec", JobSpec()}}}};
    spec.update(fields);
    return OfSpec("batch/v1", "cronjobs", spec);
  };
  EXPECT_EQ(cron({{"timeZone", "Asia/Shanghai"}}), Strings());
  EXPECT_EQ(
      cron({{"schedule", "every day"}}),
      Strings({"spec.schedule: Invalid value: \"every day\": expected exactly 5 fields, found "
               "2: [every day]"}));
  EXPECT_EQ(cron({{"schedule", "TZ=UTC 0 0 * * *"}}),
            Strings({"spec.schedule: Invalid value: \"TZ=UTC 0 0 * * *\": cannot use TZ or CRON_TZ "
                     "in schedule, use timeZone field instead"}));
  EXPECT_EQ(cron({{"timeZone", "Asia//Shanghai"}}),
            Strings({"spec.timeZone: Invalid value: \"Asia//Shanghai\": unknown time zone "
                     "Asia//Shanghai"}));
  EXPECT_EQ(cron({{"timeZone", "Local"}}).size(), 1U);
  EXPECT_EQ(cron({{"timeZone", "Etc/GMT+5"}}), Strings());
  EXPECT_EQ(cron({{"concurrencyPolicy", "Skip"}}),
            Strings({"spec.concurrencyPolicy: Unsupported value: \"Skip\": supported values: "
                     "\"Allow\", \"Forbid\", \"Replace\""}));
  EXPECT_EQ(cron({{"jobTemplate", {{"spec", JobSpec("Always")}}}}),
            Strings({"spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid "
                     "values: \"OnFailure\", \"Never\""}));
  EXPECT_EQ(cron({{"failedJobsHistoryLimit", -1}}).size(), 1U);
}

TEST_F(ValidateKindsTest, Services) {
  const auto service = [&](const Json& spec) { return OfSpec("v1", "services", spec); };
  EXPECT_EQ(service({{"ports", {{{"port", 80}}, {{"name", "b"}, {"port", 81}}}}}),
            Strings({"spec.ports[0].name: Required value"}));
  EXPECT_EQ(service({{"ports", {{{"name", "a"}, {"port", 80}}, {{"name", "a"}, {"port", 81}}}}}),
            Strings({"spec.ports[1].name: Duplicate value: \"a\""}));
  EXPECT_EQ(service({{"ports", {{{"name", "a"}, {"port", 80}}, {{"name", "b"}, {"port", 80}}}}}),
            Strings({"spec.ports[1]: Duplicate value: {\"port\":80,\"protocol\":\"TCP\"}"}));
  EXPECT_EQ(service({{"ports",
                      {{{"name", "a"}, {"port", 80}},
                       {{"name", "b"}, {"port", 80}, {"protocol", "UDP"}}}}}),
            Strings());
  EXPECT_EQ(service({{"ports", Json::array({{{"port", 80}, {"targetPort", 70000}}})}}).size(), 1U);
  EXPECT_EQ(service({{"ports", Json::array({{{"port", 80}, {"targetPort", "Web"}}})}}).size(), 1U);
  EXPECT_EQ(service({{"ports", Json::array({{{"port", 80}, {"targetPort", "web"}}})}}), Strings());
  EXPECT_EQ(service({{"ports", Json::array({{{"port", 80}, {"targetPort", 0}}})}}), Strings());
  EXPECT_EQ(service({{"type", "ExternalName"}}), Strings({"spec.externalName: Required value"}));
  EXPECT_EQ(service({{"type", "ExternalName"}, {"externalName", "db.example.com."}}), Strings());
  EXPECT_EQ(service({{"type", "ExternalName"}, {"externalName", "10.0.0.1"}}), Strings());
  EXPECT_EQ(service({{"type", "ExternalName"}, {"externalName", "not a name"}}).size(), 1U);
  EXPECT_EQ(service({{"clusterIP", "None"}, {"selector", {{"a", "b"}}}}), Strings());
  EXPECT_EQ(service({{"clusterIP", "None"}, {"selector", {{"a", "b c"}}}}).size(), 1U);
  EXPECT_EQ(service({{"clusterIP", "None"}, {"type", "NodePort"}}),
            Strings({"spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for "
                     "NodePort services"}));
  EXPECT_EQ(service({{"clusterIP", "None"}, {"sessionAffinity", "Always"}}).size(), 1U);
  EXPECT_EQ(service({{"clusterIP", "None"}, {"externalIPs", {"10.0.0.1", "2001:db8::1"}}}),
            Strings());
  EXPECT_EQ(service({{"clusterIP", "None"}, {"externalIPs", {"example.com"}}}).size(), 1U);
}

TEST_F(ValidateKindsTest, Ingresses) {
  const auto ingress = [&](const Json& spec) {
    return OfSpec("networking.k8s.io/v1", "ingresses", spec);
  };
  const Json backend = {{"service", {{"name", "web"}, {"port", {{"number", 80}}}}}};
  const auto path = [&](const Json& fields) {
    Json one = {{"path", "/"}, {"pathType", "Prefix"}, {"backend", backend}};
    one.update(fields);
    return ingress({{"rules", Json::array({{{"http", {{"paths", Json::array({one})}}}}})}});
  };
  EXPECT_EQ(path(Json::object()), Strings());
  EXPECT_EQ(
      path({{"path", "web"}}),
      Strings({"spec.rules[0].http.paths[0].path: Invalid value: \"web\": must be an absolute "
               "path"}));
  EXPECT_EQ(path({{"pathType", "Regex"}}).size(), 1U);
  EXPECT_EQ(path({{"pathType", nullptr}}),
            Strings({"spec.rules[0].http.paths[0].pathType: Required value: pathType must be "
                     "specified"}));
  EXPECT_EQ(path({{"pathType", "ImplementationSpecific"}, {"path", ""}}), Strings());
  EXPECT_EQ(path({{"backend", {{"service", {{"name", "web"}}}}}}),
            Strings({"spec.rules[0].http.paths[0].backend: Required value: port name or number is "
                     "required"}));
  EXPECT_EQ(path({{"backend", Json::object()}}).size(), 1U);
  EXPECT_EQ(ingress({{"defaultBackend", backend}}), Strings());
  EXPECT_EQ(ingress(Json::object()),
            Strings({"spec: Invalid value: null: either `defaultBackend` or `rules` must be "
                     "specified"}));
  const auto host = [&](const std::string& name) {
    return ingress({{"rules", Json::array({{{"host", name}}})},
                    {"tls", Json::array({{{"hosts", Json::array({name})}}})}});
  };
  EXPECT_EQ(host("*.example.com"), Strings());
  EXPECT_EQ(host("a.*.com").size(), 2U);
  EXPECT_EQ(host("https://example.com").size(), 2U);
}

TEST_F(ValidateKindsTest, NetworkPolicies) {
  const auto policy = [&](const Json& spec) {
    return OfSpec("networking.k8s.io/v1", "networkpolicies", spec);
  };
  EXPECT_EQ(policy({{"podSelector", Json::object()}}), Strings());
  const auto ingress = [&](const Json& rule) {
    return policy({{"podSelector", Json::object()}, {"ingress", Json::array({rule})}});
  };
  EXPECT_EQ(ingress({{"from", Json::array({{{"podSelector", Json::object()}}})},
                     {"ports", Json::array({{{"port", 80}, {"endPort", 90}}})}}),
            Strings());
  EXPECT_EQ(ingress({{"from", Json::array({Json::object()})}}),
            Strings({"spec.ingress[0].from[0]: Required value: must specify a peer"}));
  EXPECT_EQ(ingress({{"from", Json::array({{{"ipBlock", {{"cidr", "10.0.0.0"}}}}})}}),
            Strings({"spec.ingress[0].from[0].ipBlock.cidr: Invalid value: \"10.0.0.0\": must be a "
                     "valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"}));
  EXPECT_EQ(ingress({{"from", Json::array({{{"ipBlock", {{"cidr", "2001:db8::/64"}}},
                                            {"podSelector", Json::object()}}})}})
                .size(),
            1U);
  EXPECT_EQ(ingress({{"ports", Json::array({{{"port", 80}, {"endPort", 70}}})}}).size(), 1U);
  EXPECT_EQ(ingress({{"ports", Json::array({{{"port", "web"}, {"endPort", 70}}})}}).size(), 1U);
  EXPECT_EQ(
      policy({{"podSelector",
               {{"matchExpressions", Json::array({{{"key", "a"}, {"operator", "In"}}})}}}}),
      Strings({"spec.podSelector.matchExpressions[0].values: Required value: must be specified "
               "when `operator` is 'In' or 'NotIn'"}));
  EXPECT_EQ(policy({{"podSelector", Json::object()}, {"policyTypes", {"In"}}}).size(), 1U);
}

TEST_F(ValidateKindsTest, BudgetsAutoscalersAndLeases) {
  const auto budget = [&](const Json& spec) {
    return OfSpec("policy/v1", "poddisruptionbudgets", spec);
  };
  EXPECT_EQ(budget({{"minAvailable", 1}, {"maxUnavailable", "10%"}}),
            Strings({"spec: Invalid value: {\"maxUnavailable\":\"10%\",\"minAvailable\":1}: "
                     "minAvailable and maxUnavailable cannot be both set"}));
  EXPECT_EQ(budget({{"maxUnavailable", 0}}), Strings());
  EXPECT_EQ(budget({{"minAvailable", "150%"}}).size(), 1U);
  EXPECT_EQ(budget({{"minAvailable", -1}}).size(), 1U);
  const auto scaler = [&](const Json& fields) {
    Json spec = {{"scaleTargetRef", {{"kind", "Deployment"}, {"name", "d"}}}, {"maxReplicas", 3}};
    spec.update(fields);
    return OfSpec("autoscaling/v2", "horizontalpodautoscalers", spec);
  };
  EXPECT_EQ(scaler(Json::object()), Strings());
  EXPECT_EQ(scaler({{"minReplicas", 4}}),
            Strings({"spec.maxReplicas: Invalid value: 3: must be greater than or equal to "
                     "`minReplicas`"}));
  EXPECT_EQ(scaler({{"minReplicas", 0}}),
            Strings({"spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"}));
  EXPECT_EQ(scaler({{"maxReplicas", 0}}).size(), 2U);
  EXPECT_EQ(scaler({{"scaleTargetRef", {{"kind", "Deployment"}}}}),
            Strings({"spec.scaleTargetRef.name: Required value"}));
  EXPECT_EQ(scaler({{"metrics", Json::array({{{"type", "Resource"}}})}}),
            Strings({"spec.metrics[0].resource: Required value: must populate information for the "
                     "given metric source"}));
  EXPECT_EQ(scaler({{"metrics", Json::array({{{"type", "Cpu"}}})}}).size(), 1U);
  EXPECT_EQ(
      scaler({{"minReplicas", 0},
              {"metrics", Json::array({{{"type", "External"},
                                        {"external",
                                         {{"metric", {{"name", "queue"}}},
                                          {"target", {{"type", "Value"}, {"value", "5"}}}}}}})}}),
      Strings());
  const auto lease = [&](const Json& spec) {
    return OfSpec("coordination.k8s.io/v1", "leases", spec);
  };
  EXPECT_EQ(lease(Json::object()), Strings());
  EXPECT_EQ(lease({{"leaseDurationSeconds", 0}}),
            Strings({"spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"}));
  EXPECT_EQ(lease({{"leaseTransitions", -1}}).size(), 1U);
}

TEST_F(ValidateKindsTest, RolesAndBindings) {
  const std::string rbac = "rbac.authorization.k8s.io/v1";
  const auto role = [&](const std::string& plural, const Json& rule) {
    return Of(rbac, plural, {{"rules", Json::array({rule})}});
  };
  EXPECT_EQ(role("roles", {{"apiGroups", {""}}, {"resources", {"pods"}}, {"verbs", {"get"}}}),
            Strings());
  EXPECT_EQ(role("roles", {{"apiGroups", {""}}, {"resources", {"pods"}}}),
            Strings({"rules[0].verbs: Required value: verbs must contain at least one value"}));
  EXPECT_EQ(role("roles", {{"resources", {"pods"}}, {"verbs", {"get"}}}),
            Strings({"rules[0].apiGroups: Required value: resource rules must supply at least one "
                     "api group"}));
  const Json urls = {{"nonResourceURLs", {"/healthz"}}, {"verbs", {"get"}}};
  EXPECT_EQ(role("clusterroles", urls), Strings());
  EXPECT_EQ(role("roles", urls).size(), 1U);
  const auto binding = [&](const std::string& plural, const Json& ref, const Json& subject) {
    return Of(rbac, plural, {{"roleRef", ref}, {"subjects", Json::array({subject})}});
  };
  const Json cluster = {{"kind", "ClusterRole"}, {"name", "r"}};
  const Json user = {{"kind", "User"}, {"name", "u"}};
  EXPECT_EQ(binding("rolebindings", cluster, user), Strings());
  EXPECT_EQ(binding("clusterrolebindings", {{"kind", "Role"}, {"name", "r"}}, user),
            Strings({"roleRef.kind: Unsupported value: \"Role\": supported values: "
                     "\"ClusterRole\""}));
  EXPECT_EQ(binding("rolebindings", {{"kind", "Role"}}, user),
            Strings({"roleRef.name: Required value"}));
  const Json account = {{"kind", "ServiceAccount"}, {"name", "a"}};
  EXPECT_EQ(binding("rolebindings", cluster, account), Strings());
  EXPECT_EQ(binding("clusterrolebindings", cluster, account),
            Strings({"subjects[0].namespace: Required value"}));
  EXPECT_EQ(binding("rolebindings", cluster, {{"kind", "Robot"}, {"name", "a"}}).size(), 1U);
  EXPECT_EQ(binding("rolebindings", cluster, {{"kind", "Group"}}),
            Strings({"subjects[0].name: Required value"}));
}

TEST_F(ValidateKindsTest, Claims) {
  const auto claim = [&](const Json& spec) { return OfSpec("v1", "persistentvolumeclaims", spec); };
  const Json resources = {{"requests", {{"storage", "1Gi"}}}};
  EXPECT_EQ(claim({{"accessModes", {"ReadWriteOnce"}}, {"resources", resources}}), Strings());
  EXPECT_EQ(claim({{"resources", resources}}),
            Strings({"spec.accessModes: Required value: at least 1 access mode is required"}));
  EXPECT_EQ(claim({{"accessModes", {"ReadWriteOnce"}}}),
            Strings({"spec.resources[storage]: Required value"}));
  EXPECT_EQ(claim({{"accessModes", {"RWO"}}, {"resources", resources}}).size(), 1U);
  const std::string path = Path("v1", "persistentvolumeclaims");
  ASSERT_EQ(
      api_.Post(path, {{"metadata", {{"name", "c"}}},
                       {"spec", {{"accessModes", {"ReadWriteOnce"}}, {"resources", resources}}}})
          .status,
      201);
  EXPECT_EQ(api_.MergePatch(path + "/c", {{"spec", {{"storageClassName", "fast"}}}}).status, 200);
  EXPECT_EQ(api_.MergePatch(path + "/c", {{"spec", {{"storageClassName", "slow"}}}}).status, 422);
  EXPECT_EQ(api_.MergePatch(path + "/c",
                            {{"spec", {{"resources", {{"requests", {{"storage", "2Gi"}}}}}}}})
                .status,
            200);
}

}  // namespace
}  // namespace sealane::kubeapi

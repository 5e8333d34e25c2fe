#include "benchmarks/render/fleet.h"

#include <cstdlib>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/deploy.pb.h"
#include "services/policy/policy_service.h"

namespace sealane::bench {
namespace {

constexpr const char* kPolicyVersion = "policy.karmada.io/v1alpha1";
constexpr int kOperationsPerEvent = 100;
constexpr int kRegions = 4;

std::string NamespaceOf(int index) { return StrCat("team-", index); }

Json Policy(const std::string& kind, const std::string& name, const std::string& ns, Json rules) {
  Json metadata = {{"name", name}};
  if (!ns.empty()) metadata["namespace"] = ns;
  return {
      {"apiVersion", kPolicyVersion},
      {"kind", kind},
      {"metadata", std::move(metadata)},
      {"spec",
       {{"resourceSelectors", Json::array({{{"apiVersion", "apps/v1"}, {"kind", "Deployment"}}})},
        {"overrideRules", std::move(rules)}}}};
}

Json InRegion(int region) {
  return {{"fieldSelector",
           {{"matchExpressions",
             Json::array({{{"key", "region"},
                           {"operator", "In"},
                           {"values", Json::array({StrCat("region-", region)})}}})}}}};
}

// One rule for each region.
Json ByRegion(const std::function<Json(const std::string& region)>& overriders) {
  Json rules = Json::array();
  for (int r = 0; r < kRegions; ++r) {
    rules.push_back(
        {{"targetCluster", InRegion(r)}, {"overriders", overriders(StrCat("region-", r))}});
  }
  return rules;
}

}  // namespace

std::string DeploymentJson(int index, const RenderOptions& options) {
  const std::string name = StrCat("service-", index);
  const auto container = [&](const std::string& which) {
    Json env = Json::array();
    for (int i = 0; i < 6; ++i) {
      env.push_back({{"name", StrCat("SETTING_", i)}, {"value", StrCat("value-of-", i)}});
    }
    return Json{
        {"name", which},
        {"image", StrCat("docker.io/shop/", which, ":1.4.", index % 10)},
        {"args", {"--listen=:8080", "--log-level=info"}},
        {"env", std::move(env)},
        {"ports", Json::array({{{"containerPort", 8080}, {"name", "http"}}})},
        {"resources",
         {{"requests", {{"cpu", "100m"}, {"memory", "128Mi"}}}, {"limits", {{"memory", "256Mi"}}}}},
        {"readinessProbe", {{"httpGet", {{"path", "/ready"}, {"port", "http"}}}}}};
  };
  const Json labels = {{"app", name}, {"team", NamespaceOf(index % options.namespaces)}};
  const Json deployment = {
      {"apiVersion", "apps/v1"},
      {"kind", "Deployment"},
      {"metadata",
       {{"name", name},
        {"namespace", NamespaceOf(index % options.namespaces)},
        {"labels", labels},
        {"annotations", {{"owner", "team@example.com"}}}}},
      {"spec",
       {{"replicas", 3},
        {"selector", {{"matchLabels", {{"app", name}}}}},
        {"template",
         {{"metadata", {{"labels", labels}}},
          {"spec", {{"containers", Json::array({container("web"), container("relay")})}}}}}}}};
  return deployment.dump();
}

std::vector<std::string> OverridePolicies(const RenderOptions& options) {
  std::vector<std::string> policies;
  policies.push_back(
      Policy("ClusterOverridePolicy", "registry", "", ByRegion([](const std::string& region) {
               return Json{
                   {"imageOverrider", Json::array({{{"component", "Registry"},
                                                    {"operator", "replace"},
                                                    {"value", region + ".registry.example"}}})}};
             }))
          .dump());
  policies.push_back(
      Policy("ClusterOverridePolicy", "labels", "", ByRegion([](const std::string& region) {
               return Json{{"labelsOverrider",
                            Json::array({{{"operator", "add"}, {"value", {{"region", region}}}}})}};
             }))
          .dump());
  for (int i = 0; i < options.namespaces; ++i) {
    const std::string ns = NamespaceOf(i);
    policies.push_back(
        Policy("OverridePolicy", "arguments", ns, ByRegion([](const std::string& region) {
                 return Json{{"argsOverrider", Json::array({{{"containerName", "web"},
                                                             {"operator", "add"},
                                                             {"value", {"--region=" + region}}}})}};
               }))
            .dump());
    policies.push_back(
        Policy("OverridePolicy", "environment", ns, ByRegion([](const std::string& region) {
                 return Json{
                     {"envOverrider",
                      Json::array(
                          {{{"operator", "add"},
                            {"value", Json::array({{{"name", "REGION"}, {"value", region}}})}}})}};
               }))
            .dump());
    policies.push_back(
        Policy(
            "OverridePolicy", "patches", ns,
            Json::array(
                {{{"overriders",
                   {{"plaintext", Json::array({{{"path", "/spec/template/spec/priorityClassName"},
                                                {"operator", "add"},
                                                {"value", "high"}}})}}}}}))
            .dump());
  }
  return policies;
}

std::string PropagationPolicyJson() {
  return Json{
      {"apiVersion", kPolicyVersion},
      {"kind", "ClusterPropagationPolicy"},
      {"metadata", {{"name", "everything"}}},
      {"spec",
       {{"resourceSelectors", Json::array({{{"apiVersion", "apps/v1"}, {"kind", "Deployment"}}})}}}}
      .dump();
}

v1::ClusterStatus BenchCluster(int index) {
  v1::ClusterStatus cluster;
  cluster.set_name(StrCat("cluster-", index));
  cluster.set_region(StrCat("region-", index % kRegions));
  cluster.set_provider("aws");
  return cluster;
}

PolicyFleet::PolicyFleet(const RenderOptions& options)
    : options_(options),
      clusters_(*hub_, sim_.env(), kClusterStatusTable),
      bindings_(*hub_, sim_.env(), kBindingsTable),
      placements_(*hub_, sim_.env(), kPlacementsTable) {
  for (const std::string_view table : {kClusterStatusTable, kPlacementsTable, kWorkStatusTable,
                                       kBindingsTable, kWorksTable, kEventsLog}) {
    StreamConfig config;
    config.name = std::string(table);
    config.subjects = {StrCat(table, ".>")};
    hub_->EnsureStream(config, [](const absl::Status&) {});
  }
  clusters_.Start([](const std::string&) {}, [] {});
  placements_.Start([](const std::string&) {}, [] {});
  bindings_.Start([this](const std::string& key) { Place(key); }, [] {});
  for (int i = 0; i < options_.clusters; ++i) {
    const v1::ClusterStatus cluster = BenchCluster(i);
    clusters_.Put(EncodeToken(cluster.name()), cluster);
  }
  StartService();
}

void PolicyFleet::StartService() {
  service_bus_ = server_.Connect(BusIdentity::Hub());
  policy::PolicyOptions options;
  options.elect_leader = false;
  service_ = policy::MakePolicyService(
      ServiceContext{sim_.env(), *service_bus_, registry_, "policy-0"}, options);
  service_->Start();
  Settle();
}

void PolicyFleet::StopService() {
  service_.reset();
  service_bus_.reset();
}

void PolicyFleet::Rest() { sim_.RunFor(absl::Seconds(10)); }

void PolicyFleet::Settle() {
  sim_.RunFor(absl::Milliseconds(100));
  if (!sim_.RunUntil([this] { return service_->Idle(); }, absl::Hours(1))) std::abort();
  sim_.RunFor(absl::Milliseconds(100));
}

void PolicyFleet::Deploy(const std::vector<std::string>& manifests) {
  for (size_t i = 0; i < manifests.size(); i += kOperationsPerEvent) {
    v1::DeployEvent event;
    event.set_id(StrCat("event-", ++published_));
    event.set_publisher("bench");
    for (size_t j = i; j < std::min(manifests.size(), i + kOperationsPerEvent); ++j) {
      v1::Operation& operation = *event.add_operations();
      operation.set_type(v1::Operation::APPLY);
      operation.set_manifest(manifests[j]);
    }
    AppendRequest request;
    request.subject = std::string(platform::kDeploy);
    request.message_id = event.id();
    request.payload = event.SerializeAsString();
    platform_->Append(std::move(request), [](const absl::StatusOr<Appended>& result) {
      if (!result.ok()) std::abort();
    });
  }
  Settle();
}

void PolicyFleet::PlaceEverywhere() {
  placing_ = true;
  for (const auto& [key, row] : bindings_.rows()) Place(key);
  Settle();
}

size_t PolicyFleet::works() const { return server_.StreamSize(kWorksTable); }

void PolicyFleet::Place(const std::string& key) {
  const Row<v1::Binding>* row = bindings_.Find(key);
  if (!placing_ || row == nullptr || !row->value.has_policy()) return;
  const Row<v1::Placed>* placed = placements_.Find(key);
  if (placed != nullptr && placed->value.binding_revision() == row->value.revision()) return;
  v1::Placed answer;
  *answer.mutable_ref() = row->value.ref();
  answer.set_uid(row->value.uid());
  answer.set_binding_revision(row->value.revision());
  answer.set_state("Scheduled");
  for (const auto& [name, cluster] : clusters_.rows()) {
    v1::TargetCluster& target = *answer.add_clusters();
    target.set_name(cluster.value.name());
    target.set_replicas(row->value.replicas());
    v1::ClusterDecision& decision = *answer.add_decisions();
    decision.set_cluster(cluster.value.name());
    decision.set_selected(true);
    decision.set_replicas(row->value.replicas());
    (*decision.mutable_scores())["ClusterLocality"] = 100;
  }
  placements_.Put(key, std::move(answer));
}

}  // namespace sealane::bench

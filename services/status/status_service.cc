#include "services/status/status_service.h"

#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/policy_admission.h"
#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/status/cluster_view.h"

namespace sealane::status {
namespace {

constexpr std::string_view kService = "status";
constexpr std::string_view kClusterGroup = "cluster.karmada.io";

}  // namespace

StatusService::StatusService(ServiceContext context, const Options& options)
    : context_(std::move(context)),
      options_(options),
      metrics_(context_.metrics),
      gauges_(context_.metrics),
      app_gauges_(context_.metrics, options.per_app_metrics),
      leading_(!options.elect_leader),
      events_(context_.bus, context_.env, kService),
      apps_(
          context_.env, context_.bus, options_, metrics_, app_gauges_,
          [this](v1::Event event) { events_.Emit(std::move(event)); },
          [this](std::string_view cluster) { return clusters_.Word(cluster); }),
      clusters_(
          context_.env, context_.bus, options_, metrics_,
          [this](v1::Event event) { events_.Emit(std::move(event)); },
          [this](const std::string& cluster) { apps_.ClusterChanged(cluster); }),
      objects_(context_.bus, context_.env, kObjectsTable,
               {.store = [this](const std::string& key, std::string_view bytes,
                                uint64_t) { return StoreObject(key, bytes); },
                .erase = [this](const std::string& key) { EraseObject(key); }}),
      executor_(context_.env.executor) {}

StatusService::~StatusService() {
  for (const auto& entry : clusters_.rows().rows()) gauges_.Remove(entry.second.value.name());
  metrics_.ForgetFleet();
}

void StatusService::Start() {
  EnsureStreams();
  objects_.Start([](const std::string&) {}, [this] { OnSynced(); });
  clusters_.Start([this] { OnSynced(); });
  apps_.Start([this] { OnSynced(); });
  UpdateMetrics();
}

void StatusService::EnsureStreams() {
  const auto table = [&](std::string_view name) {
    StreamConfig config;
    config.name = std::string(name);
    config.subjects = {StrCat(name, ".>")};
    config.replicas = context_.bus_replicas;
    return config;
  };
  StreamConfig apps = table(kAppStatusTable);
  apps.republish_prefix = std::string(kLivePrefix);
  StreamConfig events = table(kEventsLog);
  events.last_per_subject = false;
  events.republish_prefix = std::string(kLivePrefix);
  events.max_age = options_.events_max_age;
  events.max_bytes = options_.events_max_bytes;
  events.discard_old = true;
  for (const StreamConfig& config :
       {table(kClusterStatusTable), apps, table(kWorkStatusTable), events}) {
    context_.bus.EnsureStream(config, [this, name = config.name](const absl::Status& status) {
      if (status.ok()) return;
      log_.Error("a stream could not be created", {{"stream", name}, {"error", status.ToString()}});
    });
  }
}

bool StatusService::StoreObject(const std::string& key, std::string_view bytes) {
  v1::StoredObject object;
  if (!object.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
  const ObjectKey identity = KeyOf(object.ref());
  if (identity.group == kClusterGroup && identity.kind == "Cluster") {
    auto registered = RegisteredCluster(object);
    if (!registered.ok()) {
      log_.Warn("a Cluster cannot be used",
                {{"cluster", identity.name}, {"error", registered.status().ToString()}});
      return false;
    }
    special_[key] = {Kind::kCluster, identity.name};
    clusters_.SetRegistered(identity.name, *std::move(registered));
    apps_.ClusterChanged(identity.name);
    return true;
  }
  if (identity.group == kube::kPolicyGroup && identity.kind == "ClusterTaintPolicy") {
    const Json manifest = Json::parse(object.manifest(), nullptr, /*allow_exceptions=*/false);
    auto policy = ParseTaintPolicy(manifest, object.created_micros());
    if (!policy.ok()) {
      log_.Warn("a ClusterTaintPolicy cannot be used",
                {{"policy", identity.name}, {"error", policy.status().ToString()}});
      return false;
    }
    special_[key] = {Kind::kTaintPolicy, identity.name};
    clusters_.SetTaintPolicy(identity.name, *std::move(policy));
    return true;
  }
  // Policies and the like are not propagated and have no status of their own.
  if (identity.group == kube::kPolicyGroup || identity.group == kClusterGroup) return true;
  apps_.SetObject(key, identity, FactsOf(object));
  return true;
}

void StatusService::EraseObject(const std::string& key) {
  const auto it = special_.find(key);
  if (it == special_.end()) {
    apps_.SetObject(key, {}, std::nullopt);
    return;
  }
  const Special special = it->second;
  special_.erase(it);
  if (special.kind == Kind::kTaintPolicy) {
    clusters_.SetTaintPolicy(special.name, std::nullopt);
    return;
  }
  gauges_.Remove(special.name);
  clusters_.SetRegistered(special.name, std::nullopt);
  apps_.ClusterChanged(special.name);
}

void StatusService::Lead() {
  leading_ = true;
  if (unsynced_ == 0) WorkIfPossible();
}

void StatusService::OnSynced() {
  --unsynced_;
  WorkIfPossible();
}

// Nothing is written, removed or answered before everything has been seen.
void StatusService::WorkIfPossible() {
  if (unsynced_ > 0 || !leading_) return;
  log_.Info("working", {{"apps", std::to_string(apps_.apps())},
                        {"works", std::to_string(apps_.works())},
                        {"clusters", std::to_string(clusters_.rows().size())}});
  clusters_.Run();
  apps_.Run();
  queries_ = std::make_unique<Queries>(context_.env, context_.bus, apps_, clusters_);
}

bool StatusService::Ready(std::string* why_not) const {
  if (unsynced_ == 0) return true;
  if (why_not != nullptr) *why_not = "the tables have not been replayed yet";
  return false;
}

bool StatusService::Idle() const {
  return unsynced_ == 0 && (!leading_ || queries_ != nullptr) && events_.waiting() == 0 &&
         clusters_.idle() && apps_.idle();
}

void StatusService::UpdateMetrics() {
  executor_.After(options_.metrics_interval, [this] { UpdateMetrics(); });
  if (!leading_) return;  // each cluster and application is told of by one process
  clusters_.UpdateMetrics();
  apps_.UpdateMetrics();
  for (const auto& [cluster, progress] : apps_.ProgressOf(clusters_.Joining())) {
    clusters_.SetProgress(cluster, progress.placed, progress.healthy);
  }
  const auto works = apps_.CountWorks();
  const auto repairs = apps_.TakeDriftRepairs();
  for (const auto& entry : clusters_.rows().rows()) {
    const v1::ClusterStatus& row = entry.second.value;
    if (!clusters_.Registered(row.name())) continue;
    const auto counted = works.find(row.name());
    const auto repaired = repairs.find(row.name());
    gauges_.Set(row, clusters_.HeartbeatAge(row.name()),
                counted != works.end() ? counted->second : ClusterGauges::Works{},
                repaired != repairs.end() ? repaired->second : 0);
  }
}

}  // namespace sealane::status

#include "services/agent/agent_service.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/bus/work_feed.h"
#include "lib/core/json.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kube/json_access.h"
#include "lib/kube/kube_client.h"
#include "lib/telemetry/log.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/agent/agent_metrics.h"
#include "services/agent/apply.h"
#include "services/agent/capacity_answers.h"
#include "services/agent/catalog_keeper.h"
#include "services/agent/cluster_facts.h"
#include "services/agent/desired.h"
#include "services/agent/heartbeat.h"
#include "services/agent/member_api.h"
#include "services/agent/observe.h"
#include "services/agent/pods.h"
#include "services/agent/report.h"

namespace sealane::agent {
namespace {

constexpr absl::Duration kHousekeeping = absl::Seconds(5);
constexpr absl::Duration kFactsInterval = absl::Minutes(5);
constexpr char kMetaKey[] = "meta";

kube::KubeClientOptions ClientOptions(const AgentOptions& options) {
  kube::KubeClientOptions out;
  out.max_in_flight = static_cast<size_t>(options.max_concurrent_requests);
  out.timeout = options.request_timeout;
  return out;
}

class AgentService final : public Service {
 public:
  AgentService(ServiceContext context, AgentOptions options, AgentParts parts)
      : env_(context.env),
        bus_(context.bus),
        options_(std::move(options)),
        transport_(std::move(parts.transport)),
        store_(std::move(parts.store)),
        memory_(std::move(parts.memory)),
        metrics_(context.metrics),
        client_(env_, *transport_, std::move(parts.credentials), ClientOptions(options_)),
        desired_(options_.cluster, items_, *store_),
        reporter_(env_, bus_, *store_, items_, metrics_, options_.cluster),
        observer_(client_, items_, metrics_, ObserverHooks()),
        applier_(env_, client_, *store_, items_, metrics_, options_.cluster,
                 options_.max_concurrent_requests, ApplierHooks()),
        pods_(env_, client_, items_, [this](const std::string& key) { reporter_.Changed(key); }),
        catalog_keeper_(
            client_,
            [this](std::shared_ptr<const kube::ApiCatalog> catalog) { OnCatalog(catalog); },
            [this] { return applier_.misses_kinds(); }),
        health_(client_, metrics_, [this](bool healthy) { OnHealth(healthy); }),
        facts_(client_, metrics_, FactsHooks()),
        capacity_(env_, bus_, client_, facts_, metrics_),
        member_api_(env_, bus_, client_, options_.member_access, metrics_),
        heartbeat_(env_, bus_, HeartbeatOptionsOf(options_), health_, facts_, metrics_,
                   [this](v1::Heartbeat& heartbeat) {
                     heartbeat.set_works_applied(static_cast<int64_t>(metrics_.applied.Value()));
                     if (health_.healthy()) heartbeat.set_api_message(applier_.write_trouble());
                   }),
        executor_(env_.executor) {}

  void Start() override;
  bool Ready(std::string* why_not) const override;
  bool Idle() const override;

 private:
  static HeartbeatOptions HeartbeatOptionsOf(const AgentOptions& options) {
    return {options.cluster, options.heartbeat_interval, options.version};
  }
  Observer::Hooks ObserverHooks();
  Applier::Hooks ApplierHooks();
  ClusterFacts::Hooks FactsHooks();

  void LoadState();
  void SaveMeta();
  WorkFeed::Handlers FeedHandlers();
  void OnWork(const std::string& key, v1::Work work);
  void OnFeedSynced(bool first);
  // The works come from the same life of their table as those known before.
  bool SameLife() const;
  void RowGone(const std::string& key);
  void OnHealth(bool healthy);
  void OnCatalog(const std::shared_ptr<const kube::ApiCatalog>& catalog);
  // The kinds that works name may have changed: follow them, in a turn of its own.
  void UpdateObserver();
  void Housekeep();
  // What is wrong although the agent does its work; "" when nothing is.
  std::string Trouble() const;

  Env env_;
  Bus& bus_;
  AgentOptions options_;
  std::unique_ptr<http::HttpTransport> transport_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<MemoryKeeper> memory_;
  AgentMetrics metrics_;
  Logger log_{"agent"};
  kube::KubeClient client_;
  Items items_;
  DesiredState desired_;
  Reporter reporter_;
  Observer observer_;
  Applier applier_;
  PodInspector pods_;
  CatalogKeeper catalog_keeper_;
  ApiHealth health_;
  ClusterFacts facts_;
  CapacityAnswers capacity_;
  MemberApi member_api_;
  HeartbeatSender heartbeat_;

  int64_t incarnation_ = 0;
  int64_t stream_created_ = 0;  // life of the works stream that the works are from; 0: unknown
  bool state_found_ = false;    // the state store was not empty at start
  std::string state_problem_;
  bool started_facts_ = false;
  bool synced_ = false;  // a complete set of works was seen by this process
  bool update_posted_ = false;
  bool works_changed_ = false;  // since the kinds to follow were looked through
  absl::Duration facts_refreshed_;
  std::shared_ptr<const kube::ApiCatalog> catalog_;
  std::set<std::string> told_;  // keys the feed told before its first snapshot was complete
  std::unique_ptr<WorkFeed> feed_;
  std::unique_ptr<Subscription> bus_state_;
  ScopedExecutor executor_;
};

Observer::Hooks AgentService::ObserverHooks() {
  Observer::Hooks hooks;
  hooks.on_change = [this](const std::string& key, bool to_plan) {
    pods_.ItemChanged(key);
    if (to_plan) applier_.Add(key);
    reporter_.Changed(key);
  };
  hooks.on_definition_change = [this] { catalog_keeper_.DefinitionChanged(); };
  return hooks;
}

Applier::Hooks AgentService::ApplierHooks() {
  Applier::Hooks hooks;
  hooks.on_outcome = [this](const std::string& key) {
    pods_.ItemChanged(key);
    reporter_.Changed(key);
  };
  hooks.on_forget = [this](const std::string& key) { reporter_.Remove(key); };
  hooks.on_unknown_kind = [this] { catalog_keeper_.Doubt(); };
  hooks.on_definition = [this] { catalog_keeper_.DefinitionChanged(); };
  hooks.on_no_answer = [this](const absl::Status&) { health_.Suspect(); };
  hooks.is_known = [this](std::string_view api_version, std::string_view kind) {
    return observer_.IsKnown(api_version, kind);
  };
  return hooks;
}

ClusterFacts::Hooks AgentService::FactsHooks() {
  ClusterFacts::Hooks hooks;
  hooks.on_change = [this] { heartbeat_.Changed(); };
  hooks.on_pod_trouble = [this](std::string_view ns) { pods_.PodChanged(ns); };
  return hooks;
}

void AgentService::Start() {
  LoadState();
  reporter_.SetIncarnation(incarnation_);
  reporter_.Start();
  pods_.Start();
  bus_state_ = bus_.OnState([this](BusState state) {
    const bool connected = state == BusState::kConnected;
    metrics_.bus_connected.Set(connected ? 1 : 0);
    if (!connected) return;
    reporter_.Retry();
    heartbeat_.Changed();
  });
  WorkFeedOptions feed;
  feed.cluster = options_.cluster;
  feed.incarnation = incarnation_;
  feed_ = std::make_unique<WorkFeed>(bus_, env_, feed, FeedHandlers());
  feed_->Start();
  health_.Start();
  capacity_.Start();
  member_api_.Start();
  heartbeat_.Start(incarnation_);
  Housekeep();
}

void AgentService::LoadState() {
  int64_t previous = 0;
  const absl::Status status = store_->Load([&](std::string_view key, std::string_view value) {
    state_found_ = true;
    const std::string row(key.substr(std::min<size_t>(2, key.size())));
    if (key == kMetaKey) {
      const Json meta = Json::parse(value, nullptr, /*allow_exceptions=*/false);
      previous = kube::GetInt(meta, {"incarnation"});
      stream_created_ = kube::GetInt(meta, {"worksStreamCreated"});
    } else if (key.substr(0, 2) == "w/") {
      const absl::Status restored = desired_.Restore(row, value);
      if (!restored.ok()) {
        log_.Error("dropping a stored work",
                   {{"key", row}, {"error", std::string(ToStd(restored.message()))}});
      }
    } else if (key.substr(0, 2) == "i/") {
      auto inventory = DecodeInventory(value);
      if (!inventory.ok()) return;
      items_[row].drift_repairs = inventory->drift_repairs;
      items_[row].inventory = *std::move(inventory);
    } else if (key.substr(0, 2) == "s/") {
      reporter_.Restore(row, value);
    }
  });
  if (!status.ok()) {
    state_problem_ = ToStd(status.message());
    log_.Error("cannot read the state directory", {{"error", state_problem_}});
  }
  // A later process has a larger number, also when the clock went back.
  incarnation_ = std::max(previous + 1, ToMicros(env_.clock.Now()));
  SaveMeta();
  for (const auto& entry : items_) applier_.OnNewWork(entry.first);
  log_.Info("state loaded", {{"works", std::to_string(items_.size())},
                             {"incarnation", std::to_string(incarnation_)}});
}

void AgentService::SaveMeta() {
  const Json meta = {{"incarnation", incarnation_}, {"worksStreamCreated", stream_created_}};
  store_->Put(kMetaKey, meta.dump()).IgnoreError();
}

WorkFeed::Handlers AgentService::FeedHandlers() {
  WorkFeed::Handlers handlers;
  handlers.on_put = [this](const std::string& key, v1::Work work) { OnWork(key, std::move(work)); };
  handlers.on_delete = [this](const std::string& key) { RowGone(key); };
  handlers.on_synced = [this](bool first) { OnFeedSynced(first); };
  return handlers;
}

void AgentService::OnWork(const std::string& key, v1::Work work) {
  if (!synced_) told_.insert(key);
  std::string error;
  switch (desired_.Put(key, std::move(work), &error)) {
    case DesiredState::Taken::kChanged:
      metrics_.works_received.Increment();
      items_.at(key).received = env_.clock.Monotonic();
      applier_.OnNewWork(key);
      works_changed_ = true;
      // Many works come at once: not all are looked at for each of them.
      if (catalog_ != nullptr && observer_.Lacks(items_.at(key), *catalog_)) UpdateObserver();
      return;
    case DesiredState::Taken::kStale:
      metrics_.works_stale.Increment();
      return;
    case DesiredState::Taken::kMalformed:
      metrics_.works_malformed.Increment();
      log_.Error("dropping a malformed work", {{"key", key}, {"error", error}});
      return;
  }
}

bool AgentService::SameLife() const {
  return stream_created_ == 0 || stream_created_ == feed_->stream_created_micros();
}

void AgentService::OnFeedSynced(bool first) {
  const bool same_life = SameLife();
  if (first) {
    // The feed tells what went while it was looking; what went before is found here.
    std::vector<std::string> gone;
    for (const auto& entry : items_) {
      if (entry.second.work != nullptr && !told_.contains(entry.first)) gone.push_back(entry.first);
    }
    for (const std::string& key : gone) RowGone(key);
    reporter_.RemoveOrphans();
    told_.clear();
  }
  if (!same_life) {
    log_.Warn("the table of works was made anew: what it does not name is left as it is");
    reporter_.ResendAll();
  }
  if (first || !same_life) {
    stream_created_ = feed_->stream_created_micros();
    SaveMeta();
  }
  if (!first) return;
  synced_ = true;
  metrics_.works_synced.Set(1);
  applier_.AllowPruning();
  for (const auto& entry : items_) {
    if (entry.second.work == nullptr || entry.second.work->deleting()) applier_.Add(entry.first);
  }
}

void AgentService::RowGone(const std::string& key) {
  const auto it = items_.find(key);
  if (it == items_.end()) {
    reporter_.Remove(key);
    return;
  }
  if (!SameLife()) {
    // The control plane lost its data: that it does not name a work any more means nothing.
    desired_.Abandon(key);
    applier_.Forget(key);
    reporter_.Remove(key);
    return;
  }
  if (!desired_.Remove(key)) return;
  pods_.ItemChanged(key);
  applier_.OnNewWork(key);
  works_changed_ = true;
}

void AgentService::OnHealth(bool healthy) {
  log_.Info(healthy ? "the API server answers" : "the API server does not answer",
            {{"message", health_.message()}});
  heartbeat_.Changed();
  if (!healthy) {
    applier_.Pause();
    return;
  }
  catalog_keeper_.Refresh();
  if (!started_facts_) {
    started_facts_ = true;
    facts_refreshed_ = env_.clock.Monotonic();
    facts_.Start();
  }
  // What it stores may be another state than before (etcd restored from a backup).
  observer_.Relist();
  applier_.Resume();
}

void AgentService::OnCatalog(const std::shared_ptr<const kube::ApiCatalog>& catalog) {
  catalog_ = catalog;
  heartbeat_.SetCatalog(catalog);
  applier_.SetCatalog(catalog);
  if (health_.healthy()) applier_.Resume();
  UpdateObserver();
}

void AgentService::UpdateObserver() {
  if (update_posted_ || catalog_ == nullptr) return;
  update_posted_ = true;
  executor_.Post([this] {
    update_posted_ = false;
    observer_.Update(*catalog_);
  });
}

void AgentService::Housekeep() {
  // Kinds that no work names any more are not followed any longer.
  if (std::exchange(works_changed_, false)) UpdateObserver();
  const absl::Status flushed = store_->Flush();
  if (flushed.ok() != state_problem_.empty()) {
    state_problem_ = flushed.ok() ? std::string() : std::string(ToStd(flushed.message()));
    if (!flushed.ok()) log_.Error("cannot store state", {{"error", state_problem_}});
  }
  metrics_.state_writable.Set(state_problem_.empty() ? 1 : 0);
  metrics_.works.Set(static_cast<double>(items_.size()));
  metrics_.works_failed.Set(
      static_cast<double>(std::count_if(items_.begin(), items_.end(), [](const auto& entry) {
        return entry.second.outcome == Outcome::kFailed;
      })));
  metrics_.reports_pending.Set(static_cast<double>(reporter_.pending()));
  metrics_.queue_waiting.Set(static_cast<double>(applier_.stats().waiting));
  metrics_.queue_age.Set(absl::ToDoubleSeconds(applier_.oldest_wait()));
  const kube::KubeClientStats stats = client_.stats();
  const auto catch_up = [](Counter& counter, uint64_t value) {
    counter.Increment(static_cast<double>(value) - counter.Value());
  };
  catch_up(metrics_.api_requests, stats.requests);
  catch_up(metrics_.api_errors, stats.errors);
  catch_up(metrics_.api_throttled, stats.throttled);
  if (started_facts_ && env_.clock.Monotonic() - facts_refreshed_ >= kFactsInterval) {
    facts_refreshed_ = env_.clock.Monotonic();
    facts_.Refresh();
  }
  executor_.After(kHousekeeping, [this] { Housekeep(); });
}

bool AgentService::Ready(std::string* why_not) const {
  if (!health_.healthy()) {
    *why_not = StrCat("the API server does not answer: ", health_.message());
    return false;
  }
  if (catalog_ == nullptr) {
    *why_not = "what the API server serves is not known yet";
    return false;
  }
  // With works from the state directory the agent does its work also when the bus is away.
  if (!synced_ && items_.empty()) {
    *why_not = "no works have arrived from the bus yet";
    return false;
  }
  *why_not = Trouble();
  return true;
}

std::string AgentService::Trouble() const {
  std::vector<std::string> all;
  if (!state_problem_.empty()) all.push_back(state_problem_);
  if (std::string writes = applier_.write_trouble(); !writes.empty()) {
    all.push_back(std::move(writes));
  }
  return StrJoin(all, "; ");
}

bool AgentService::Idle() const {
  return synced_ && catalog_ != nullptr && health_.healthy() && !update_posted_ &&
         applier_.idle() && reporter_.idle() && observer_.AllKnown() && !catalog_keeper_.busy();
}

}  // namespace

std::unique_ptr<Service> MakeAgent(ServiceContext context, AgentOptions options, AgentParts parts) {
  return std::make_unique<AgentService>(std::move(context), std::move(options), std::move(parts));
}

}  // namespace sealane::agent

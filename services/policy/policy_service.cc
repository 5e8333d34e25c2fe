#include "services/policy/policy_service.h"

#include <string>
#include <utility>

#include "absl/strings/str_split.h"
#include "lib/bus/event_sink.h"
#include "lib/bus/query.h"
#include "lib/bus/snapshot_server.h"
#include "lib/bus/subjects.h"
#include "lib/core/scoped_executor.h"
#include "lib/model/identity.h"
#include "lib/reconcile/keyed_queue.h"
#include "lib/runtime/leader_lease.h"
#include "lib/telemetry/log.h"
#include "sealane/v1/agent.pb.h"
#include "services/policy/answers.h"
#include "services/policy/history.h"
#include "services/policy/intake.h"
#include "services/policy/policy_metrics.h"
#include "services/policy/preview.h"
#include "services/policy/renderer.h"
#include "services/policy/state.h"

namespace sealane::policy {
namespace {

constexpr absl::Duration kRestAfter = absl::Seconds(2);
constexpr std::string_view kPriorityClassPrefix = "scheduling=2Ek8s=2Eio.PriorityClass.";

class PolicyService final : public Service {
 public:
  PolicyService(ServiceContext context, PolicyOptions options)
      : env_{context.env.clock, executor_, context.env.random},
        bus_(context.bus),
        bus_replicas_(context.bus_replicas),
        metrics_(context.metrics),
        executor_(context.env.executor),
        events_(context.bus, env_, "policy"),
        state_(context.bus, env_),
        history_(env_, context.bus, state_.objects),
        intake_(env_, context.bus, state_, events_, metrics_, [this] { OnAcknowledged(); }),
        matcher_(env_, state_, events_, metrics_, std::move(options.match)),
        renderer_(env_, state_, events_, metrics_),
        match_queue_(env_, QueueOptions("match"),
                     [this](const std::string& key, KeyedQueue::Done done) {
                       RestLater();
                       Match(key, done);
                     }),
        render_queue_(env_, QueueOptions("render"),
                      [this](const std::string& key, KeyedQueue::Done done) {
                        RestLater();
                        done(ToResult(renderer_.Reconcile(key)));
                      }) {
    if (!options.elect_leader) return;
    LeaderLeaseOptions lease;
    lease.service = "policy";
    lease.instance = context.instance;
    lease.replicas = context.bus_replicas;
    lease_ = std::make_unique<LeaderLease>(
        context.bus, env_, lease, [this] { SetLeading(true); }, [this] { SetLeading(false); });
  }

  void Start() override;
  bool Ready(std::string* why_not) const override;
  // A successor need not wait for the end of the lease.
  void Retire(std::function<void()> done) override {
    if (lease_ == nullptr) {
      done();
    } else {
      lease_->Release(std::move(done));
    }
  }
  bool Idle() const override {
    if (!synced_) return false;
    if (!leading_) return true;  // another process works
    return intake_.idle() && match_queue_.idle() && render_queue_.idle() &&
           state_.objects.in_flight() + state_.bindings.in_flight() + state_.works.in_flight() == 0;
  }

 private:
  static KeyedQueueOptions QueueOptions(std::string name) {
    KeyedQueueOptions options;
    options.name = std::move(name);
    return options;
  }
  static ReconcileResult ToResult(absl::Status status) {
    return status.ok() ? ReconcileResult::Done() : ReconcileResult::Terminal(std::move(status));
  }

  void EnsureStreams();
  void OnSynced();
  void SetLeading(bool leading);
  void WorkIfPossible();
  void OnObject(const std::string& key);
  // An override policy or a PriorityClass came, changed or went: who needs it looks again.
  void MatchDependentsOf(const std::string& key);
  void OnBinding(const std::string& key);
  void OnWork(const std::string& key);
  void OnPlacement(const std::string& key);
  void OnCluster(const std::string& key);
  void OnWorkStatus(const WatchEvent& event);
  void OnAcknowledged();
  void Match(const std::string& key, const KeyedQueue::Done& done);
  // Once nothing has been to do for a while, what only makes work faster is dropped.
  void RestLater();
  void Rest();
  void UpdateGauges();

  Env env_;
  Bus& bus_;
  int bus_replicas_;
  PolicyMetrics metrics_;
  Logger log_{"policy"};
  ScopedExecutor executor_;
  EventSink events_;
  State state_;
  HistoryAnswers history_;
  Intake intake_;
  Matcher matcher_;
  Renderer renderer_;
  KeyedQueue match_queue_;
  KeyedQueue render_queue_;
  std::unique_ptr<SnapshotServer> snapshots_;
  std::unique_ptr<QueryServer> queries_;
  std::unique_ptr<QueryServer> results_;
  std::unique_ptr<Subscription> work_status_;
  std::unique_ptr<LeaderLease> lease_;
  std::set<std::string> waiting_for_ack_;  // deleted objects whose event is not acknowledged yet
  int tables_synced_ = 0;
  bool synced_ = false;
  bool leading_ = false;
  TimerId rest_timer_ = 0;
  bool worked_ = false;  // since the timer was last set
};

void PolicyService::Start() {
  EnsureStreams();
  const auto synced = [this] {
    if (++tables_synced_ == 5) OnSynced();
  };
  state_.objects.Start([this](const std::string& key) { OnObject(key); }, synced);
  state_.bindings.Start([this](const std::string& key) { OnBinding(key); }, synced);
  state_.works.Start([this](const std::string& key) { OnWork(key); }, synced);
  state_.placements.Start([this](const std::string& key) { OnPlacement(key); }, synced);
  state_.clusters.Start([this](const std::string& key) { OnCluster(key); }, synced);
  snapshots_ = std::make_unique<SnapshotServer>(bus_, env_, state_.works);
  snapshots_->Start();
  if (lease_ != nullptr) {
    lease_->Start();
  } else {
    SetLeading(true);
  }
  queries_ = std::make_unique<QueryServer>(
      bus_, hub::Query("policy"),
      [this](const v1::QueryRequest& request, const std::shared_ptr<QueryAnswer>& answer) {
        if (synced_ && request.what() == "preview") {
          AnswerPreview(state_, matcher_, request, *answer);
        } else if (synced_ && request.what() == "history") {
          history_.Answer(request, answer);
        } else if (synced_) {
          AnswerQuery(state_, matcher_, renderer_, request, *answer);
        } else {
          answer->Fail("the policy service is still reading its tables; ask again in a moment");
        }
      });
  results_ = std::make_unique<QueryServer>(
      bus_, hub::kResultRequests,
      [this](const v1::QueryRequest& request, const std::shared_ptr<QueryAnswer>& answer) {
        AnswerResult(bus_, request, answer);
      });
}

void PolicyService::EnsureStreams() {
  const auto ensure = [this](std::string_view name, StreamConfig config) {
    config.name = std::string(name);
    config.subjects = {StrCat(name, ".>")};
    config.replicas = bus_replicas_;
    bus_.EnsureStream(config, [this, name = std::string(name)](const absl::Status& status) {
      if (!status.ok()) {
        log_.Error("stream cannot be made",
                   {{"stream", name}, {"error", std::string(ToStd(status.message()))}});
      }
    });
  };
  ensure(kObjectsTable, {});
  StreamConfig revisions;
  revisions.max_bytes = int64_t{4} << 30;
  revisions.discard_old = true;
  ensure(kRevisionsTable, revisions);
  ensure(kBindingsTable, {});
  StreamConfig works;
  works.republish_prefix = std::string(kLivePrefix);
  ensure(kWorksTable, works);
  StreamConfig deploy;
  deploy.last_per_subject = false;
  deploy.max_age = absl::Hours(24 * 7);
  deploy.max_bytes = int64_t{4} << 30;
  ensure(kDeployLog, deploy);
  StreamConfig answers;
  answers.max_age = absl::Hours(24);
  ensure(kDeployedTable, answers);
}

void PolicyService::OnSynced() {
  synced_ = true;
  log_.Info("synced", {{"objects", StrCat(state_.objects.size())},
                       {"bindings", StrCat(state_.bindings.size())},
                       {"works", StrCat(state_.works.size())}});
  WatchOptions options;
  options.stream = std::string(kWorkStatusTable);
  work_status_ = bus_.Watch(options, [this](const WatchEvent& event) { OnWorkStatus(event); });
  WorkIfPossible();
}

void PolicyService::SetLeading(bool leading) {
  leading_ = leading;
  metrics_.leader.Set(leading ? 1 : 0);
  state_.objects.SetSoleWriter(leading);
  state_.bindings.SetSoleWriter(leading);
  state_.works.SetSoleWriter(leading);
  if (leading) {
    WorkIfPossible();
    return;
  }
  intake_.Stop();
  match_queue_.Pause();
  render_queue_.Pause();
}

void PolicyService::WorkIfPossible() {
  if (!synced_ || !leading_) return;
  // What happened while another process led is looked at once; a work whose object and binding
  // went meanwhile is found through its own row.
  for (const auto& [key, row] : state_.objects.rows()) match_queue_.Add(key);
  for (const auto& [key, row] : state_.bindings.rows()) {
    match_queue_.Add(key);
    render_queue_.Add(key);
  }
  for (const auto& [key, row] : state_.works.rows()) render_queue_.Add(ObjectOfWorkKey(key));
  matcher_.LearnDependencies();
  match_queue_.Start();
  render_queue_.Start();
  intake_.Start();
}

void PolicyService::OnObject(const std::string& key) {
  const Row<v1::StoredObject>* row = state_.objects.Find(key);
  const v1::StoredObject* object = row == nullptr ? nullptr : &row->value;
  state_.labels.Set(key, object == nullptr ? std::string_view() : object->manifest());
  // A row that went is known by its key: the kinds of policies have short plain names.
  v1::ObjectRef ref;
  if (object != nullptr) {
    ref = object->ref();
  } else if (key.starts_with("policy=2Ekarmada=2Eio.")) {
    ref.set_api_version("policy.karmada.io/v1alpha1");
    ref.set_kind(std::string(SubjectToken(key, 1)));
    ref.set_namespace_(DecodeToken(SubjectToken(key, 2)).value_or(""));
  }
  if (PolicyIndex::IsPolicy(ref)) {
    const bool was_there = state_.policies.FindOverride(key) != nullptr;
    const PolicyIndex::Change change = state_.policies.Set(key, ref, object);
    if (was_there != (state_.policies.FindOverride(key) != nullptr)) MatchDependentsOf(key);
    if (change.unparsed) log_.Error("stored policy does not parse", {{"key", key}});
    for (const std::string& concerned : state_.Concerned(change)) {
      if (change.propagation) {
        match_queue_.Add(concerned);
      } else {
        render_queue_.Add(concerned);
      }
    }
    for (const std::string& ns : state_.ConcernedNamespaces(change)) render_queue_.Add(ns);
  }
  if (key.starts_with(kPriorityClassPrefix)) MatchDependentsOf(key);
  match_queue_.Add(key);
  render_queue_.Add(key);
  UpdateGauges();
}

void PolicyService::MatchDependentsOf(const std::string& key) {
  for (const PropagationPolicy* policy : state_.policies.DependentsOf(key)) {
    for (const std::string& concerned : state_.Concerned(PolicyIndex::ChangeOf(*policy))) {
      match_queue_.Add(concerned);
    }
  }
}

void PolicyService::OnBinding(const std::string& key) {
  render_queue_.Add(key);
  // What was just written says already what matching would find.
  const Row<v1::Binding>* row = state_.bindings.Find(key);
  if (row == nullptr || !row->pending || row->value.deleting()) match_queue_.Add(key);
  for (const std::string& needed : state_.dependencies.NeededBy(key)) match_queue_.Add(needed);
  UpdateGauges();
}

void PolicyService::OnPlacement(const std::string& key) {
  render_queue_.Add(key);
  for (const std::string& needed : state_.dependencies.NeededBy(key)) match_queue_.Add(needed);
}

void PolicyService::OnWork(const std::string& key) {
  const std::string ns = state_.NoteWork(key);
  if (!ns.empty()) render_queue_.Add(NamespaceKey(ns));
  const Row<v1::Work>* row = state_.works.Find(key);
  if (row == nullptr) {
    // When it went as it should, only the last work of an object has consequences.
    const bool withdrawn = state_.removed.erase(key) > 0;
    const std::string object(ObjectOfWorkKey(key));
    if (!withdrawn || !state_.clusters_of.contains(object)) {
      render_queue_.Add(object);
      match_queue_.Add(object);
    }
    // The last work of a cluster that leaves lets its Cluster object go.
    match_queue_.Add(RowKey(ClusterObject(ClusterOfRowKey(key))));
  } else if (row->value.deleting()) {
    render_queue_.Add(ObjectOfWorkKey(key));
  }
  UpdateGauges();
}

void PolicyService::OnCluster(const std::string& key) {
  if (!state_.NoteCluster(key)) return;
  for (const std::string& object : renderer_.TakeUnrendered(key)) render_queue_.Add(object);
  // Overrides look at a cluster's labels, provider and region: its works are looked at again.
  const std::string prefix = StrCat(key, ".");
  const auto rows = state_.works.rows();
  for (auto it = rows.lower_bound(prefix); it != rows.end() && it->first.starts_with(prefix);
       ++it) {
    render_queue_.Add(ObjectOfWorkKey(it->first));
  }
}

void PolicyService::OnWorkStatus(const WatchEvent& event) {
  if (event.type != WatchEvent::Type::kPut && event.type != WatchEvent::Type::kDelete) return;
  const std::string key(SubjectAfter(event.message.subject, 1));
  v1::WorkStatus status;
  if (event.type == WatchEvent::Type::kPut && status.ParseFromString(event.message.payload) &&
      status.state() == v1::WorkStatus::REMOVED &&
      EncodeToken(status.cluster()) == SubjectToken(event.message.subject, 1)) {
    if (state_.works.Find(key) == nullptr) return;
    state_.removed[key] = status.fence();
    if (leading_) renderer_.Settle(key);
  } else {
    state_.removed.erase(key);
  }
}

void PolicyService::OnAcknowledged() {
  for (const std::string& key : std::exchange(waiting_for_ack_, {})) match_queue_.Add(key);
}

void PolicyService::Match(const std::string& key, const KeyedQueue::Done& done) {
  Matcher::Affected affected;
  const absl::Status status = matcher_.Reconcile(key, &affected);
  metrics_.matches.Increment();
  for (const std::string& other : affected) match_queue_.Add(other);
  const Row<v1::StoredObject>* row = state_.objects.Find(key);
  if (row != nullptr && row->value.deleting() &&
      row->value.deploy_sequence() > state_.acknowledged_sequence) {
    waiting_for_ack_.insert(key);
  }
  done(ToResult(status));
}

bool PolicyService::Ready(std::string* why_not) const {
  if (!synced_) *why_not = StrCat("tables not synced yet: ", 5 - tables_synced_, " of 5 missing");
  return synced_;
}

void PolicyService::RestLater() {
  worked_ = true;
  if (rest_timer_ == 0) rest_timer_ = executor_.After(kRestAfter, [this] { Rest(); });
}

void PolicyService::Rest() {
  rest_timer_ = 0;
  if (std::exchange(worked_, false)) {
    rest_timer_ = executor_.After(kRestAfter, [this] { Rest(); });
  } else {
    state_.manifests.Clear();
  }
}

void PolicyService::UpdateGauges() {
  metrics_.objects.Set(static_cast<double>(state_.objects.size()));
  metrics_.bindings.Set(static_cast<double>(state_.bindings.size()));
  metrics_.works.Set(static_cast<double>(state_.works.size()));
  metrics_.render_errors.Set(static_cast<double>(renderer_.error_count()));
  metrics_.match_queue.Set(static_cast<double>(match_queue_.stats().waiting));
  metrics_.render_queue.Set(static_cast<double>(render_queue_.stats().waiting));
  metrics_.match_queue_age.Set(absl::ToDoubleSeconds(match_queue_.oldest_wait()));
  metrics_.render_queue_age.Set(absl::ToDoubleSeconds(render_queue_.oldest_wait()));
}

}  // namespace

std::unique_ptr<Service> MakePolicyService(ServiceContext context, PolicyOptions options) {
  return std::make_unique<PolicyService>(context, std::move(options));
}

ServiceDefinition PolicyDefinition() {
  ServiceDefinition definition;
  definition.name = "sealane-policy";
  definition.writes_bursts = true;
  definition.summary = "Takes deploy events, matches policies, renders one manifest per cluster.";
  definition.flags = {
      {"skipped-namespaces",
       "Comma-separated namespaces that are never propagated; * ends a prefix",
       StrJoin(MatchOptions().skipped_namespaces, ","), false},
      {"skipped-kinds", "Comma-separated kinds that are never propagated: Kind.group, or *.group",
       StrJoin(MatchOptions().skipped_kinds, ","), false}};
  definition.make = [](const Flags& flags,
                       ServiceContext context) -> absl::StatusOr<std::unique_ptr<Service>> {
    PolicyOptions options;
    const auto list = [&flags](std::string_view name) -> std::vector<std::string> {
      return absl::StrSplit(std::string(flags.Get(name)), ',', absl::SkipEmpty());
    };
    options.match.skipped_namespaces = list("skipped-namespaces");
    options.match.skipped_kinds = list("skipped-kinds");
    return MakePolicyService(context, std::move(options));
  };
  return definition;
}

}  // namespace sealane::policy

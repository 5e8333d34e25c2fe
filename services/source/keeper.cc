#include "services/source/keeper.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kube/json_access.h"
#include "lib/kube/own_annotations.h"
#include "lib/model/field_errors.h"
#include "lib/model/identity.h"
#include "lib/model/same_message.h"
#include "sealane/v1/app.pb.h"
#include "services/source/results.h"

namespace sealane::source {
namespace {

constexpr std::string_view kSourceRows = "sealane=2Eio.GitSource.";
constexpr std::string_view kKept = "keep";  // what is left of a manifest that says so
constexpr int kMaxProblems = 50;            // that are stored
constexpr int kMaxConflicts = 5;            // publications in a row that met another writer
constexpr absl::Duration kAfterConflict = absl::Milliseconds(300);

std::string SourceKey(std::string_view name) {
  return StrCat(kSourceRows, "=.", EncodeToken(name));
}

bool IsSource(const v1::ObjectRef& ref) {
  return ref.kind() == kube::kGitSourceKind && GroupOf(ref.api_version()) == kube::kGitSourceGroup;
}

// Of all other objects only the hash of the manifest is needed, and whether it says to keep them.
void Trim(v1::StoredObject& object) {
  if (IsSource(object.ref())) return;
  bool keep = false;
  if (object.manifest().find(kube::kPruneAnnotation) != std::string::npos) {
    const Json parsed = Json::parse(object.manifest(), nullptr, /*allow_exceptions=*/false);
    keep = kube::GetString(parsed, {"metadata", "annotations", kube::kPruneAnnotation}) == "false";
  }
  object.set_manifest(std::string(keep ? kKept : std::string_view()));
  object.clear_trace_id();
}

std::string ShortCommit(const std::string& commit) { return commit.substr(0, 8); }

}  // namespace

struct Keeper::Source {
  explicit Source(std::string its_name) : name(std::move(its_name)) {
    state.set_name(name);
    shown = state;
    shown.set_state("Pending");
    shown.set_message("not read yet");
  }

  void SetObjects(const Owned& owned) {
    state.clear_objects();
    for (const auto& [key, object] : owned) *state.add_objects() = object;
  }

  std::string name;
  kube::GitSourceSpec spec;
  v1::GitSourceState state;  // as it becomes
  v1::GitSourceState shown;  // as it was when nothing was under way last
  std::unique_ptr<Publisher> publisher;
  bool busy = false;
  bool again = false;  // woken while busy
  TimerId timer = 0;
  Backoff backoff{{absl::Seconds(2), absl::Minutes(5)}};
  int conflicts = 0;
  absl::Duration read_began;
  int64_t checked_micros = 0;
  // Since when it is to be in force: the last time that it was, or when this process came to know
  // it; 0 while it is suspended or goes.
  int64_t in_force_micros = 0;
  int64_t settled_generation = 0;  // with which the applied commit was compared with the fleet
};

Keeper::Keeper(Env env, Bus& bus, GitReader& git, Table<v1::GitSourceState>& states,
               SourceMetrics& metrics)
    : env_{env.clock, executor_, env.random},
      bus_(bus),
      git_(git),
      states_(states),
      metrics_(metrics),
      executor_(env.executor),
      events_(bus, env_, "source"),
      objects_(bus, env_, kObjectsTable) {
  objects_.TrimRows(Trim);
}

Keeper::~Keeper() {
  // Who leads next tells them.
  sources_.clear();
  UpdateGauges();
}

void Keeper::Start() {
  objects_.Start([this](const std::string& key) { OnObject(key); }, [this] { BeginIfSynced(); });
}

bool Keeper::idle() const {
  return synced() && states_.in_flight() == 0 &&
         std::none_of(sources_.begin(), sources_.end(),
                      [](const auto& entry) { return entry.second->busy; });
}

int64_t Keeper::CheckedMicros(const std::string& name) const {
  const auto it = sources_.find(name);
  return it == sources_.end() ? 0 : it->second->checked_micros;
}

void Keeper::BeginIfSynced() {
  if (synced_ || !objects_.synced() || !states_.synced()) return;
  synced_ = true;
  for (const auto& [key, row] : states_.rows()) {
    auto source = std::make_unique<Source>(row.value.name());
    source->state = row.value;
    source->shown = row.value;
    sources_[row.value.name()] = std::move(source);
  }
  for (const auto& [key, row] : objects_.rows()) {
    if (key.starts_with(kSourceRows)) sources_.try_emplace(row.value.ref().name(), nullptr);
  }
  for (auto& [name, source] : sources_) {
    if (source == nullptr) source = std::make_unique<Source>(name);
  }
  // All are known before one works: whose an object is depends on all of them.
  std::vector<std::string> names;
  for (const auto& [name, source] : sources_) names.push_back(name);
  for (const std::string& name : names) Wake(name);
  log_.Info("synced", {{"sources", StrCat(sources_.size())}});
}

void Keeper::OnObject(const std::string& key) {
  if (!synced() || !key.starts_with(kSourceRows)) return;
  const absl::StatusOr<std::string> name = DecodeToken(SubjectToken(key, 3));
  if (name.ok()) Wake(*name);
}

void Keeper::Wake(const std::string& name) {
  auto& source = sources_[name];
  if (source == nullptr) source = std::make_unique<Source>(name);
  if (source->busy) {
    source->again = true;
    return;
  }
  executor_.Cancel(source->timer);
  source->timer = 0;
  Work(*source);
}

void Keeper::WakeAfter(Source& source, absl::Duration delay) {
  executor_.Cancel(source.timer);
  source.timer = executor_.After(delay, [this, name = source.name] {
    if (sources_.contains(name)) Wake(name);
  });
}

void Keeper::Work(Source& source) {
  const v1::StoredObject* object = Object(source.name);
  if (object == nullptr) {
    source.in_force_micros = 0;
    return Remove(source);
  }
  const Json manifest = Json::parse(object->manifest(), nullptr, /*allow_exceptions=*/false);
  std::vector<v1::FieldError> errors;
  source.spec = kube::ReadGitSource(manifest, &errors);
  v1::GitSourceState& state = source.state;
  const bool moved = state.uid() != object->uid() || state.url() != source.spec.url ||
                     state.branch() != source.spec.branch || state.path() != source.spec.path;
  if (moved) source.settled_generation = 0;
  state.set_uid(object->uid());
  state.set_observed_generation(object->generation());
  state.set_sync_request(
      std::string(kube::GetString(manifest, {"metadata", "annotations", kube::kSyncAnnotation})));
  state.set_url(source.spec.url);
  state.set_branch(source.spec.branch);
  state.set_path(source.spec.path);
  state.set_prune(source.spec.prune);
  source.busy = true;
  if (states_.Find(EncodeToken(source.name)) == nullptr) Write(source);  // it is known
  if (source.spec.suspend) {
    source.in_force_micros = 0;
  } else if (source.in_force_micros == 0) {
    source.in_force_micros = ToMicros(env_.clock.Now());
  }
  UpdateGauges();         // what follows may take long
  if (!errors.empty()) {  // intake has let it through: one of another version
    return FailedToRead(source, absl::InvalidArgumentError(ToAbsl(sealane::Describe(errors))));
  }
  if (source.spec.suspend) {
    state.set_state("Suspended");
    state.set_message("nothing is fetched until `sealane gitops resume`");
    return Rest(source, absl::InfiniteDuration());
  }
  Read(source);
}

void Keeper::Read(Source& source) {
  source.read_began = env_.clock.Monotonic();
  git_.Read(source.name, source.spec,
            [this, name = source.name, alive = executor_.alive()](absl::StatusOr<GitTree> tree) {
              if (alive.expired()) return;
              const auto it = sources_.find(name);
              if (it != sources_.end()) TookTree(*it->second, std::move(tree));
            });
}

void Keeper::TookTree(Source& source, absl::StatusOr<GitTree> tree) {
  metrics_.fetch_seconds.Observe(absl::ToDoubleSeconds(env_.clock.Monotonic() - source.read_began));
  if (!tree.ok()) return FailedToRead(source, tree.status());
  metrics_.fetches_ok.Increment();
  source.backoff.Reset();
  source.checked_micros = ToMicros(env_.clock.Now());
  // What was changed or removed meanwhile is looked at with fresh eyes.
  const v1::StoredObject* object = Object(source.name);
  if (object == nullptr || object->generation() != source.state.observed_generation() ||
      object->uid() != source.state.uid()) {
    source.again = true;
    return Rest(source, absl::ZeroDuration());
  }
  if (source.state.fetched_commit() != tree->commit) {
    source.state.set_fetched_commit(tree->commit);
    source.state.set_fetched_micros(source.checked_micros);
  }
  if (!tree->problems.empty()) return Refuse(source, std::move(tree->problems));
  const LookUp stored = LookUpFor(source);
  if (source.state.applied_commit() == tree->commit && source.state.state() == "Applied" &&
      source.settled_generation == object->generation() && !Drifted(source.state, stored)) {
    source.in_force_micros = source.checked_micros;
    return Rest(source, source.spec.interval);
  }
  Desired desired = ReadDesired(tree->files, source.name, TreeLimits());
  if (!desired.problems.empty()) return Refuse(source, std::move(desired.problems));
  PlanOptions options;
  options.uid = source.state.uid();
  options.commit = tree->commit;
  options.prune = source.spec.prune;
  options.take_over = source.spec.take_over;
  options.max_event_bytes = std::min(options.max_event_bytes, bus_.MaxPayload() * 9 / 10);
  Plan plan = MakePlan(desired.objects, OwnedBy(source), stored, options);
  if (!plan.problems.empty()) return Refuse(source, std::move(plan.problems));
  if (plan.events.empty()) return Applied(source, plan);
  Publish(source, std::move(plan));
}

void Keeper::Publish(Source& source, Plan plan) {
  const std::string publisher = StrCat(
      "gitops/", source.name,
      Object(source.name) == nullptr ? "" : "@" + ShortCommit(source.state.fetched_commit()));
  std::vector<v1::DeployEvent> events = std::move(plan.events);
  for (v1::DeployEvent& event : events) {
    event.set_publisher(publisher);
    event.set_created_micros(ToMicros(env_.clock.Now()));
  }
  source.publisher = std::make_unique<Publisher>(bus_, env_, std::move(events),
                                                 [this, name = source.name, plan = std::move(plan)](
                                                     const std::vector<v1::DeployResult>& results) {
                                                   const auto it = sources_.find(name);
                                                   if (it == sources_.end()) return;
                                                   // The publisher must outlive its own callback.
                                                   std::shared_ptr<Publisher> ended =
                                                       std::move(it->second->publisher);
                                                   executor_.Post([ended] {});
                                                   Published(*it->second, plan, results);
                                                 });
}

void Keeper::Published(Source& source, const Plan& plan,
                       const std::vector<v1::DeployResult>& results) {
  const bool accepted = std::all_of(results.begin(), results.end(),
                                    [](const v1::DeployResult& r) { return r.accepted(); });
  // Somebody wrote meanwhile, or the same event was handled before: look again.
  if (!accepted && std::any_of(results.begin(), results.end(), IsConflict) &&
      ++source.conflicts <= kMaxConflicts) {
    return Rest(source, kAfterConflict);
  }
  source.conflicts = 0;
  if (accepted) {
    metrics_.objects_applied.Increment(plan.applied);
    metrics_.objects_removed.Increment(plan.removed);
  }
  if (Object(source.name) == nullptr && !plan.removal) {
    // It went while a commit was being published: what that made goes with it.
    if (accepted) source.SetObjects(plan.owned);
    return Rest(source, kAfterConflict);
  }
  if (plan.removal) {
    std::string message = StrCat("the source is gone: ", CountText(plan.removed, "object"),
                                 " removed with it", StayText(plan));
    for (const v1::GitProblem& problem : ProblemsOf(results)) {
      message.append(StrCat("; stays: ", Describe(problem)));
    }
    Tell(source, accepted ? "Normal" : "Warning", "GitSourceRemoved", message);
    return Rest(source, absl::InfiniteDuration());
  }
  if (!accepted) return Refuse(source, ProblemsOf(results));
  Applied(source, plan);
}

void Keeper::Remove(Source& source) {
  source.busy = true;
  PlanOptions options;
  options.uid = source.state.uid();
  options.prune = source.state.prune();
  Plan plan = MakePlan({}, OwnedBy(source), LookUpFor(source), options);
  // Each by itself: one that is protected does not hold up the others.
  for (v1::DeployEvent& event : plan.events) event.set_all_or_nothing(false);
  if (!plan.events.empty()) return Publish(source, std::move(plan));
  if (states_.Find(EncodeToken(source.name)) != nullptr) {
    Tell(source, "Normal", "GitSourceRemoved", StrCat("the source is gone", StayText(plan)));
  }
  Rest(source, absl::InfiniteDuration());
}

void Keeper::FailedToRead(Source& source, const absl::Status& status) {
  metrics_.fetches_failed.Increment();
  const std::string message(ToStd(status.message()));
  const bool news = source.shown.state() != "FetchFailed" || source.shown.message() != message;
  source.state.set_state("FetchFailed");
  source.state.set_message(message);
  source.state.clear_problems();
  if (news) Tell(source, "Warning", "GitFetchFailed", message);
  Rest(source, std::min(source.spec.interval, source.backoff.Next(env_.random)));
}

void Keeper::Refuse(Source& source, std::vector<v1::GitProblem> problems) {
  v1::GitSourceState& state = source.state;
  state.set_state("Refused");
  state.clear_problems();
  for (const v1::GitProblem& problem : problems) {
    if (state.problems_size() < kMaxProblems) *state.add_problems() = problem;
  }
  std::string why = problems.empty() ? "refused" : Describe(problems.front());
  if (problems.size() > 1) why.append(StrCat(" (and ", problems.size() - 1, " more)"));
  state.set_message(
      StrCat("commit ", ShortCommit(state.fetched_commit()), ": ", why, "; ",
             state.applied_commit().empty()
                 ? "nothing is applied"
                 : StrCat("commit ", ShortCommit(state.applied_commit()), " stays in force")));
  if (source.shown.state() != "Refused" || source.shown.message() != state.message()) {
    metrics_.commits_refused.Increment();
    Tell(source, "Warning", "GitCommitRefused", state.message());
  }
  Rest(source, source.spec.interval);
}

void Keeper::Applied(Source& source, const Plan& plan) {
  v1::GitSourceState& state = source.state;
  source.conflicts = 0;
  source.in_force_micros = ToMicros(env_.clock.Now());
  source.settled_generation = state.observed_generation();
  const bool is_new = state.applied_commit() != state.fetched_commit();
  if (is_new) {
    state.set_applied_commit(state.fetched_commit());
    state.set_applied_micros(ToMicros(env_.clock.Now()));
    metrics_.commits_applied.Increment();
    Tell(source, "Normal", "GitCommitApplied",
         StrCat("commit ", ShortCommit(state.applied_commit()), ": ",
                CountText(static_cast<int>(plan.owned.size()), "object"), "; ", ChangeText(plan)));
  } else if (plan.applied + plan.removed > 0) {
    metrics_.repairs.Increment();
    Tell(source, "Normal", "GitRepaired",
         StrCat("the fleet is as commit ", ShortCommit(state.applied_commit()),
                " says again: ", ChangeText(plan)));
  }
  state.set_state("Applied");
  state.set_message("");
  state.clear_problems();
  source.SetObjects(plan.owned);
  Rest(source, source.spec.interval);
}

void Keeper::Rest(Source& source, absl::Duration next) {
  source.busy = false;
  const std::string key = EncodeToken(source.name);
  const bool was_removed = next == absl::InfiniteDuration() && Object(source.name) == nullptr;
  if (was_removed) {
    if (states_.Find(key) != nullptr) states_.Remove(key);
    git_.Forget(source.name);
    executor_.Cancel(source.timer);
    sources_.erase(source.name);  // `source` is gone
    return UpdateGauges();
  }
  const bool again = std::exchange(source.again, false);
  if (!again && !SameMessage(source.shown, source.state)) {
    source.shown = source.state;
    Write(source);
  }
  UpdateGauges();
  if (again) {
    WakeAfter(source, absl::ZeroDuration());
  } else if (next < absl::InfiniteDuration()) {
    WakeAfter(source, next);
  }
}

void Keeper::Write(const Source& source) {
  states_.Put(EncodeToken(source.name), source.shown,
              [log = log_](const absl::StatusOr<uint64_t>& written) {
                if (written.ok()) return;
                log.Warn("state of a source not stored",
                         {{"error", std::string(ToStd(written.status().message()))}});
              });
}

const v1::StoredObject* Keeper::Object(const std::string& name) const {
  const Row<v1::StoredObject>* row = objects_.Find(SourceKey(name));
  return row == nullptr || row->value.deleting() ? nullptr : &row->value;
}

// What its row says, and what it published since that row was written: the process may have ended
// in between.
Owned Keeper::OwnedBy(const Source& source) const {
  Owned owned;
  for (const v1::GitObject& object : source.state.objects()) owned[RowKey(object.ref())] = object;
  if (source.state.uid().empty()) return owned;
  for (const auto& [key, row] : objects_.rows()) {
    if (row.value.deleting() || SourceOfEvent(row.value.event_id()) != source.state.uid()) continue;
    *owned[key].mutable_ref() = row.value.ref();
  }
  return owned;
}

LookUp Keeper::LookUpFor(const Source& source) const {
  std::map<std::string, std::string> owners;  // uid -> name
  for (const auto& [name, other] : sources_) {
    if (const v1::StoredObject* object = Object(name); object != nullptr) {
      owners[object->uid()] = name;
    }
  }
  return [this, uid = source.state.uid(), owners = std::move(owners),
          fact = std::make_shared<StoredFact>()](const std::string& key) -> const StoredFact* {
    const Row<v1::StoredObject>* row = objects_.Find(key);
    if (row == nullptr) return nullptr;
    const v1::StoredObject& object = row->value;
    const std::string writer(SourceOfEvent(object.event_id()));
    *fact = StoredFact();
    fact->revision = row->revision;
    fact->hash = object.manifest_hash();
    fact->deleting = object.deleting();
    fact->keep = object.manifest() == kKept;
    fact->ours = !writer.empty() && writer == uid;
    fact->publisher = object.publisher();
    if (!fact->ours && !writer.empty()) {
      const auto owner = owners.find(writer);
      if (owner != owners.end()) fact->owner = owner->second;
    }
    return fact.get();
  };
}

void Keeper::Tell(const Source& source, std::string_view type, std::string_view reason,
                  const std::string& message) {
  v1::Event event;
  event.set_type(std::string(type));
  event.set_reason(std::string(reason));
  event.set_message(message);
  event.mutable_ref()->set_api_version(std::string(kube::kGitSourceApiVersion));
  event.mutable_ref()->set_kind(std::string(kube::kGitSourceKind));
  event.mutable_ref()->set_name(source.name);
  events_.Emit(std::move(event));
  log_.Info("source",
            {{"name", source.name}, {"reason", std::string(reason)}, {"message", message}});
}

void Keeper::UpdateGauges() {
  int failing = 0;
  int objects = 0;
  absl::Time due = absl::InfiniteFuture();
  for (const auto& [name, source] : sources_) {
    failing += source->state.state() == "Refused" || source->state.state() == "FetchFailed" ? 1 : 0;
    objects += source->state.objects_size();
    if (source->in_force_micros == 0) continue;
    due = std::min(due, FromMicros(source->in_force_micros) + source->spec.interval);
  }
  metrics_.sources.Set(static_cast<double>(sources_.size()));
  metrics_.sources_failing.Set(failing);
  metrics_.objects.Set(objects);
  metrics_.sync_due.Set(
      due == absl::InfiniteFuture() ? 0 : absl::ToDoubleSeconds(due - absl::UnixEpoch()));
}

}  // namespace sealane::source

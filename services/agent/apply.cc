#include "services/agent/apply.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kube/api_error.h"
#include "lib/kube/json_access.h"
#include "lib/model/identity.h"
#include "sealane/v1/tables.pb.h"
#include "services/agent/observe.h"
#include "services/agent/ownership.h"
#include "services/agent/refusal.h"

namespace sealane::agent {
namespace {

using kube::ApiErrorOf;
using kube::GetString;

// A refusal is tried again: the cluster may have changed (quota, webhook, definition).
constexpr absl::Duration kRefusedFirst = absl::Seconds(5);
constexpr absl::Duration kRefusedMax = absl::Minutes(5);
// How often an object that finalizers hold is asked for, besides watching it.
constexpr absl::Duration kWaitInterval = absl::Seconds(5);
// Passing failures in a row before they are reported as a failed work.
constexpr int kReportedFailures = 3;
constexpr size_t kMaxMessage = 2048;
// A kind that is not served this long after a definition was applied is said to be missing.
constexpr absl::Duration kDefinitionGrace = absl::Seconds(5);
// From so many failed writes in a row on, they are told in the agent's health.
constexpr int kWriteTrouble = 3;

KeyedQueueOptions QueueOptions(int max_active, const Items& items) {
  KeyedQueueOptions options;
  options.name = "apply";
  options.max_active = max_active;
  options.max_active_per_lane = max_active;
  options.priority_of = [&items](std::string_view key) -> int64_t {
    const auto it = items.find(key);
    if (it == items.end() || it->second.work == nullptr) return 0;
    const v1::ObjectRef& ref = it->second.work->ref();
    return -ApplyRank(GroupOf(ref.api_version()), ref.kind());
  };
  options.backoff = {.initial = absl::Milliseconds(50), .max = absl::Seconds(30)};
  return options;
}

// The work wants its object to be there.
bool ToApply(const Item& item) {
  return item.work != nullptr && !item.work->deleting() && !item.work->suspended();
}

// What the work wants was applied and nobody changed it since.
bool InForce(const Item& item) {
  return ToApply(item) && item.inventory && item.inventory->manifest_hash == item.manifest_hash &&
         item.observed && item.observed->uid == item.inventory->uid &&
         item.observed->fields_hash == item.inventory->fields_hash;
}

}  // namespace

absl::Duration Doubled(absl::Duration first, int times, absl::Duration max) {
  absl::Duration delay = first;
  for (int i = 0; i < times && delay < max; ++i) delay *= 2;
  return std::min(delay, max);
}

Applier::Applier(Env env, kube::KubeClient& client, StateStore& store, Items& items,
                 AgentMetrics& metrics, std::string_view cluster, int max_active, Hooks hooks)
    : env_(env),
      client_(client),
      store_(store),
      items_(items),
      metrics_(metrics),
      cluster_(cluster),
      hooks_(std::move(hooks)),
      roll_call_(env, client),
      queue_(env, QueueOptions(max_active, items),
             [this](const std::string& key, Done done) {
               if (MustWait(key)) return done(ReconcileResult::Done());
               Attempt(key, /*looked_up=*/false, nullptr,
                       [this, key, done](ReconcileResult result) {
                         OnTried(key);
                         done(std::move(result));
                       });
             }),
      executor_(env.executor) {}

void Applier::SetCatalog(std::shared_ptr<const kube::ApiCatalog> catalog) {
  catalog_ = std::move(catalog);
  for (const std::string& key : std::exchange(unknown_kinds_, {})) queue_.Add(key);
}

void Applier::OnNewWork(const std::string& key) {
  failures_.erase(key);
  const Item* item = Find(key);
  if (item != nullptr && ToApply(*item)) {
    const Target target = TargetOf(*item);
    order_.Expect(key, GroupOf(target.api_version), target.kind, target.ns, target.name);
  } else {
    OnTried(key);
  }
  queue_.Add(key);
}

bool Applier::MustWait(const std::string& key) {
  const Item* item = Find(key);
  if (item == nullptr || !ToApply(*item)) return false;
  const Target target = TargetOf(*item);
  return order_.Waits(key, GroupOf(target.api_version), target.kind, target.ns, target.name);
}

void Applier::OnTried(const std::string& key) {
  for (const std::string& waiting : order_.Tried(key)) queue_.Add(waiting);
}

void Applier::Resume() {
  if (catalog_ == nullptr) return;
  queue_.Start();
  for (const std::string& key : transient_) queue_.Add(key);
}

Item* Applier::Find(std::string_view key) {
  const auto it = items_.find(key);
  return it == items_.end() ? nullptr : &it->second;
}

void Applier::Forget(const std::string& key) {
  queue_.Forget(key);
  OnTried(key);
  failures_.erase(key);
  transient_.erase(key);
  unknown_kinds_.erase(key);
}

void Applier::Drop(const std::string& key) {
  items_.erase(items_.find(key));
  failures_.erase(key);
  transient_.erase(key);
  unknown_kinds_.erase(key);
}

Applier::Target Applier::TargetOf(const Item& item) {
  if (item.work != nullptr) {
    const v1::ObjectRef& ref = item.work->ref();
    return {ref.api_version(), ref.kind(), ref.namespace_(), ref.name()};
  }
  const Inventory& inventory = *item.inventory;
  return {inventory.api_version, inventory.kind, inventory.ns, inventory.name};
}

Inventory Applier::IntentFor(const Target& target) {
  Inventory intent;
  intent.api_version = target.api_version;
  intent.kind = target.kind;
  intent.ns = target.ns;
  intent.name = target.name;
  return intent;
}

void Applier::Attempt(const std::string& key, bool looked_up, const Json* live, const Done& done) {
  Item* item = Find(key);
  if (item == nullptr) return done(ReconcileResult::Done());
  if (item->work == nullptr && !item->inventory) {
    hooks_.on_forget(key);
    Drop(key);
    return done(ReconcileResult::Done());
  }
  const Target target = TargetOf(*item);
  const kube::ResourceType* type = catalog_->Find(target.api_version, target.kind);
  if (type == nullptr) return UnknownKind(key, *item, target, done);
  PlanInput input;
  input.item = item;
  input.looked_up = looked_up;
  input.observed_known = looked_up || hooks_.is_known(target.api_version, target.kind);
  input.may_prune = may_prune_;
  Decision decision = Plan(input);
  // An object that several works name (under two API groups) goes with the last of them.
  if ((decision.step == Step::kRemove || decision.step == Step::kRelease) &&
      OwnedByAnother(key, target, item->observed->uid)) {
    decision.step = item->work != nullptr ? Step::kRemoved : Step::kForget;
  }
  switch (decision.step) {
    case Step::kNothing:
      if (InForce(*item)) {
        Confirm(key, *item);
      } else if (item->work != nullptr) {
        hooks_.on_outcome(key);  // perhaps a newer word on what is done already
      }
      return done(ReconcileResult::Done());
    case Step::kLookUp:
      return LookUpOneOfMany(key, *type, target, done);
    case Step::kApply:
      if (item->recreating) {
        item->recreating = false;
        metrics_.recreated.Increment();
      }
      return Apply(key, *type, target, decision, live, done);
    case Step::kRefuse:
      metrics_.refused.Increment();
      metrics_.ApplyError("Conflict").Increment();
      transient_.erase(key);
      SetOutcome(key, *item, Outcome::kFailed, "Conflict",
                 StrCat("the object exists and was made by ", item->observed->owner,
                        "; conflictResolution Overwrite would take it over"));
      // Theirs is nothing we follow.
      item->observed.reset();
      return done(
          ReconcileResult::AgainAfter(Doubled(kRefusedFirst, failures_[key]++, kRefusedMax)));
    case Step::kRemove:
      return Remove(key, *type, target, done);
    case Step::kRelease:
      return Release(key, *type, target, done);
    case Step::kWait:
      SetOutcome(key, *item, Outcome::kRemoving, "Finalizers",
                 item->observed->finalizers.empty()
                     ? std::string("waiting for the object to go")
                     : StrCat("held by finalizers: ", item->observed->finalizers));
      return done(ReconcileResult::AgainAfter(kWaitInterval));
    case Step::kRemoved:
      OnGone(key, *item);
      SetOutcome(key, *item, Outcome::kRemoved, "", "");
      return done(ReconcileResult::Done());
    case Step::kForget:
      OnGone(key, *item);
      hooks_.on_forget(key);
      Drop(key);
      return done(ReconcileResult::Done());
  }
}

void Applier::Apply(const std::string& key, const kube::ResourceType& type, const Target& target,
                    const Decision& decided, const Json* live, const Done& done) {
  Item& item = *Find(key);
  auto prepared = PrepareManifest(item.work->manifest(), cluster_, live);
  if (!prepared.ok()) return Failed(key, prepared.status(), done);
  if (prepared->retain_replicas && decided.exists && live == nullptr) {
    return LookUp(key, type, target, done);
  }
  if (decided.repair && prepared->report_drift) {
    if (item.observed) return ReportDrift(key, type, target, prepared->body, done);
    if (item.reason != kDrifted) metrics_.drift_reported.Increment();
    SetOutcome(key, item, Outcome::kApplied, kDrifted, "the object was deleted");
    return done(ReconcileResult::Done());
  }
  if (decided.repair) {
    const absl::Duration wait = FightDelay(item);
    if (wait > absl::ZeroDuration()) return done(ReconcileResult::AgainAfter(wait));
  }
  Decision decision = decided;
  if (item.observed) decision.seen_version = item.observed->resource_version;
  if (item.inventory) return Send(key, type, target, decision, *std::move(prepared), done);
  // Written before the object exists, so that it is never forgotten.
  item.inventory = IntentFor(target);
  SaveInventory(key, item);
  AfterSync(
      [this, key, type, target, decision, work = item.work, prepared = *std::move(prepared), done] {
        const Item* item = Find(key);
        if (item == nullptr || item->work != work) return Attempt(key, false, nullptr, done);
        Send(key, type, target, decision, prepared, done);
      });
}

void Applier::AfterSync(std::function<void()> then) {
  unsynced_.push_back(std::move(then));
  if (unsynced_.size() > 1) return;
  executor_.Post([this] {
    for (const std::string& key : order_.expected()) {
      Item* item = Find(key);
      if (item == nullptr || item->inventory) continue;
      item->inventory = IntentFor(TargetOf(*item));
      SaveInventory(key, *item);
    }
    // A disk that is full shows in the agent's health; the cluster is looked after all the same.
    store_.Sync().IgnoreError();
    for (const auto& next : std::exchange(unsynced_, {})) next();
  });
}

void Applier::Send(const std::string& key, const kube::ResourceType& type, const Target& target,
                   const Decision& decision, PreparedManifest prepared, const Done& done) {
  const Item& item = *Find(key);
  kube::ApplyOptions options;
  options.force = decision.force;
  client_.Apply(
      type, target.ns, target.name, std::move(prepared.body), options,
      [this, key, type, target, done, decision, work = item.work, hash = item.manifest_hash,
       recreate = prepared.recreate,
       alive = executor_.alive()](const absl::Status& status, const Json* object, bool created) {
        if (alive.expired()) return;
        NoteWrite(status);
        Item* item = Find(key);
        if (item == nullptr) return done(ReconcileResult::Done());
        if (status.ok()) {
          if (!created && !decision.exists && HasOtherMaker(*object)) {
            return StepBack(key, type, target, done);
          }
          OnApplied(key, work, hash, decision, *object, created);
          return done(ReconcileResult::Done());
        }
        if (recreate && decision.exists && OnlyImmutable(status)) {
          log_.Info("replacing an object whose immutable field changed", {{"key", key}});
          item->recreating = true;
          return Attempt(key, /*looked_up=*/false, nullptr, done);
        }
        Failed(key, status, done);
      });
}

void Applier::OnApplied(const std::string& key, const std::shared_ptr<const v1::Work>& work,
                        uint64_t manifest_hash, const Decision& decision, const Json& object,
                        bool created) {
  Item& item = *Find(key);
  metrics_.applied.Increment();
  failures_.erase(key);
  transient_.erase(key);
  const absl::Duration now = env_.clock.Monotonic();
  // What changed nothing was no repair: another field manager has a field now that we leave to it.
  const bool repaired = decision.repair && ResourceVersionOf(object) != decision.seen_version;
  if (repaired) {
    ++item.drift_repairs;
    ++item.repairs_in_a_row;
    item.last_repair = now;
    metrics_.drift_repairs.Increment();
  }
  if (item.work == work && !decision.repair) {
    metrics_.apply_seconds.Observe(absl::ToDoubleSeconds(now - item.received));
  }
  // Only an item that was dropped and came back meanwhile has none.
  if (!item.inventory) item.inventory = IntentFor(TargetOf(item));
  Inventory& inventory = *item.inventory;
  if (inventory.uid.empty() && created) inventory.created = true;
  inventory.uid = GetString(object, {"metadata", "uid"});
  inventory.api_version = work->ref().api_version();
  inventory.fence_uid = work->fence().uid();
  inventory.fence_version = work->fence().version();
  inventory.object_generation = work->object_generation();
  inventory.manifest_hash = manifest_hash;
  inventory.fields_hash = OwnedFieldsHash(object);
  inventory.resource_version = ResourceVersionOf(object);
  inventory.drift_repairs = item.drift_repairs;
  inventory.applied_micros = ToMicros(env_.clock.Now());
  SaveInventory(key, item);
  Observed seen = Observe(object, work->object_generation());
  const bool overtaken = item.observed && item.observed->uid == seen.uid &&
                         item.observed->resource_version > seen.resource_version;
  if (!overtaken) item.observed = std::move(seen);
  if (overtaken) queue_.Add(key);
  SetOutcome(key, item, Outcome::kApplied, "", "");
  if (inventory.kind == "CustomResourceDefinition") {
    definition_applied_ = now;
    hooks_.on_definition();
  }
}

void Applier::Confirm(const std::string& key, Item& item) {
  failures_.erase(key);
  transient_.erase(key);
  // A newer word on the same manifest: only its fence or generation changed.
  if (item.inventory->fence_version != item.work->fence().version()) {
    item.inventory->fence_uid = item.work->fence().uid();
    item.inventory->fence_version = item.work->fence().version();
    item.inventory->object_generation = item.work->object_generation();
    item.inventory->applied_micros = ToMicros(env_.clock.Now());
    SaveInventory(key, item);
  }
  SetOutcome(key, item, Outcome::kApplied, "", "");
}

void Applier::UnknownKind(const std::string& key, Item& item, const Target& target,
                          const Done& done) {
  const bool removing = item.work == nullptr || item.work->deleting();
  if (removing && catalog_->complete && may_prune_) {
    // No kind, no object.
    OnGone(key, item);
    if (item.work != nullptr) {
      if (item.outcome != Outcome::kRemoved) SetOutcome(key, item, Outcome::kRemoved, "", "");
    } else {
      hooks_.on_forget(key);
      Drop(key);
    }
    return done(ReconcileResult::Done());
  }
  unknown_kinds_.insert(key);
  hooks_.on_unknown_kind();
  if (removing) return done(ReconcileResult::Done());
  // The definition may be among those that came a moment ago and are not served yet.
  const absl::Duration since = env_.clock.Monotonic() - definition_applied_;
  if (since < kDefinitionGrace) {
    return done(ReconcileResult::AgainAfter(kDefinitionGrace - since));
  }
  metrics_.ApplyError("NoKindMatch").Increment();
  SetOutcome(key, item, Outcome::kFailed, "NoKindMatch",
             StrCat("the cluster does not serve ", target.kind, " in ", target.api_version));
  done(ReconcileResult::Done());
}

void Applier::Failed(const std::string& key, const absl::Status& status, const Done& done) {
  Item* found = Find(key);
  if (found == nullptr) return done(ReconcileResult::Done());
  Item& item = *found;
  const auto error = ApiErrorOf(status);
  const bool missing_namespace =
      error && error->http_status == 404 && error->detail_kind == "namespaces";
  const bool terminating = error && error->cause == "NamespaceTerminating";
  // Somebody made or changed the object between our look and our write.
  const bool raced = error && error->http_status == 409 && error->reason == "Conflict";
  const bool no_endpoint = error && error->http_status == 404 && !missing_namespace;
  const int failures = ++failures_[key];
  if (!error && kube::IsTransient(status)) hooks_.on_no_answer(status);
  if (no_endpoint) hooks_.on_unknown_kind();
  const std::string reason =
      error && !error->reason.empty() ? error->reason : std::string(CodeReason(status));
  const std::string message = std::string(ToStd(status.message())).substr(0, kMaxMessage);
  metrics_.ApplyError(reason).Increment();
  if (kube::IsTransient(status) || missing_namespace || terminating || raced || no_endpoint) {
    metrics_.apply_retries.Increment();
    transient_.insert(key);
    if (failures >= kReportedFailures && error) {
      SetOutcome(key, item, Outcome::kFailed, reason, message);
    }
    if (error && error->retry_after > absl::ZeroDuration()) {
      return done(ReconcileResult::AgainAfter(error->retry_after));
    }
    return done(ReconcileResult::Retry(status));
  }
  metrics_.refused.Increment();
  transient_.erase(key);
  SetOutcome(key, item, Outcome::kFailed, reason, message);
  done(ReconcileResult::AgainAfter(Doubled(kRefusedFirst, failures - 1, kRefusedMax)));
}

void Applier::SetOutcome(const std::string& key, Item& item, Outcome outcome,
                         std::string_view reason, std::string_view message) {
  item.outcome = outcome;
  item.reason = reason;
  item.message = message;
  hooks_.on_outcome(key);
}

void Applier::NoteWrite(const absl::Status& status) {
  if (status.ok()) {
    failed_writes_ = 0;
  } else {
    const auto error = ApiErrorOf(status);
    if (!error) return;  // no answer: that is health's business
    const int code = error->http_status;
    if (code != 403 && code != 405 && code < 500) return;
    ++failed_writes_;
    write_error_ = std::string(ToStd(status.message())).substr(0, 500);
  }
  metrics_.failed_writes.Set(failed_writes_);
}

std::string Applier::write_trouble() const {
  return failed_writes_ < kWriteTrouble ? std::string()
                                        : StrCat("writes to the API server fail: ", write_error_);
}

void Applier::SaveInventory(const std::string& key, const Item& item) {
  // A failure is kept by the store and tried again; the agent's health says so meanwhile.
  store_.Put(StrCat("i/", key), EncodeInventory(*item.inventory)).IgnoreError();
}

}  // namespace sealane::agent

#include "services/gateway/bus_store.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/conversion.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/writer.h"
#include "lib/kubeauth/default_roles.h"
#include "lib/model/identity.h"
#include "services/gateway/admit.h"
#include "services/gateway/object_view.h"
#include "services/gateway/projector.h"

namespace sealane::gateway {
namespace {

using kubeapi::ObjectKey;
using kubeapi::ObjectPtr;

constexpr char kNamespaces[] = "namespaces";
constexpr char kCrdKind[] = "CustomResourceDefinition";
// Of each row: a deletion is shown with the object as it was last, and watches that come back to a
// gateway that was started again go on where nothing is missing since.
constexpr int kKeptPerKey = 4;
// The answer to a removal may come after the row has gone.
constexpr size_t kRememberedRemovals = 16384;
// Longer than a watch lasts: then its client asks again.
constexpr absl::Duration kViewsRest = absl::Hours(1);

sealane::ObjectKey ClusterKey(std::string_view name) {
  return {"cluster.karmada.io", "Cluster", "", std::string(name)};
}

// What a refusal of intake is to a client of the API.
absl::Status ToStatus(const v1::OperationResult& result, const ObjectKey& key,
                      std::string_view group, std::string_view kind) {
  std::vector<kubeapi::FieldError> errors;
  for (const v1::FieldError& error : result.errors()) {
    if (error.reason() == "Conflict") return absl::AbortedError(error.message());
    if (error.reason() == "AlreadyExists") return absl::AlreadyExistsError(error.message());
    if (error.reason() == "NotFound") {
      return kubeapi::NotFoundError({std::string(group), key.resource, key.name});
    }
    errors.push_back(ToFieldError(error));
  }
  return kubeapi::InvalidObject({std::string(group), std::string(kind), key.name}, errors);
}

bool IsSystemNamespace(const ObjectKey& key) {
  return key.resource == kNamespaces && std::ranges::find(kubeapi::kSystemNamespaces, key.name) !=
                                            std::end(kubeapi::kSystemNamespaces);
}

absl::Status Undeletable(const ObjectKey& key) {
  const size_t slash = key.resource.find('/');
  const bool core = slash == std::string::npos;
  return kubeapi::ForbiddenError(
      {core ? "" : key.resource.substr(0, slash),
       core ? key.resource : key.resource.substr(slash + 1), key.name},
      "it is there without anybody having made it and cannot be deleted");
}

absl::Status OnlyAView(const ObjectKey& key) {
  return kubeapi::ForbiddenError(
      {"work.karmada.io", key.resource.substr(key.resource.find('/') + 1), key.name},
      "it shows what the scheduler decided and cannot be written; policies decide");
}

}  // namespace

BusStore::BusStore(Bus& bus, Env env, Deploys& deploys, int bus_replicas, size_t history_limit,
                   Histogram& lag)
    : bus_(bus),
      clock_(env.clock),
      deploys_(deploys),
      lag_(lag),
      bus_replicas_(bus_replicas),
      view_(history_limit),
      executor_(env.executor) {}

BusStore::~BusStore() = default;

void BusStore::Start(std::function<void()> on_synced) {
  on_synced_ = std::move(on_synced);
  LetViewsRest();
  StreamConfig config;
  config.name = kApiTable;
  config.subjects = {StrCat(kApiTable, ".>")};
  config.history = kKeptPerKey;
  config.replicas = bus_replicas_;
  bus_.EnsureStream(config, [this, alive = executor_.alive()](const absl::Status& status) {
    if (alive.expired()) return;
    if (!status.ok()) {
      log_.Error("the stream of the API cannot be made", {{"error", status.ToString()}});
      return;
    }
    WatchOptions options;
    options.stream = kApiTable;
    options.all = true;
    watch_ = bus_.Watch(options, [this](const WatchEvent& event) { OnEvent(event); });
  });
}

// --- From the bus

void BusStore::OnEvent(const WatchEvent& event) {
  if (lost_) return;
  if (event.type == WatchEvent::Type::kReset) {
    if (created_micros_ != 0 && created_micros_ != event.stream_created_micros) {
      // Another stream counts otherwise: nothing that was shown so far can be compared with it.
      log_.Error("the stream of the API was made anew; this process has to begin again", {});
      lost_ = true;
    }
    created_micros_ = event.stream_created_micros;
    ShowImplied();
    return;
  }
  if (event.type == WatchEvent::Type::kSynced) {
    view_.FollowTo(event.last_sequence);
    if (!std::exchange(synced_, true) && on_synced_) on_synced_();
    return;
  }
  const BusMessage& message = event.message;
  if (message.sequence <= position_) return;  // told once more
  // What is no longer kept cannot be told to watches that come from before.
  if (message.sequence > position_ + 1) view_.Compact(message.sequence - 1);
  position_ = message.sequence;
  const std::string_view table = SubjectToken(message.subject, 1);
  const std::string key(SubjectAfter(message.subject, 2));
  const bool gone = event.type == WatchEvent::Type::kDelete;
  if (table == kObjectsTable) {
    OnObject(key, message, gone);
  } else if (table == kAppStatusTable) {
    OnApp(key, message, gone);
  } else if (table == kClusterStatusTable) {
    OnCluster(message, gone);
  }
  view_.FollowTo(message.sequence);
  MeasureLag(message);
}

// The clocks of the bus and of this process are compared: what they contradict counts as 0.
void BusStore::MeasureLag(const BusMessage& message) {
  const int64_t stored = OriginOf(message).stored_micros;
  if (!synced_ || stored == 0) return;
  const absl::Duration lag = clock_.Now() - FromMicros(stored);
  lag_.Observe(absl::ToDoubleSeconds(std::max(lag, absl::ZeroDuration())));
}

void BusStore::OnObject(const std::string& key, const BusMessage& message, bool gone) {
  const Origin origin = OriginOf(message);
  if (gone) {
    const auto found = entries_.find(key);
    if (found != entries_.end()) {
      const Entry last = std::move(found->second);
      entries_.erase(found);
      unserved_.erase(key);
      Hide(last, message.sequence);
      bindings_.Remove(key, message.sequence, Teller());
    }
    Remember(key, origin.sequence);
  } else {
    Entry& entry = entries_[key];
    v1::StoredObject row;
    if (!row.ParseFromString(message.payload)) {
      log_.Warn("a row that is no object", {{"subject", message.subject}});
      return;
    }
    entry.row = std::move(row);
    entry.row_revision = origin.sequence;
    Show(key, message.sequence);
    bindings_.SetRow(key, entry.row, message.sequence, Teller());
  }
  Wake(key);
}

void BusStore::Remember(const std::string& key, uint64_t revision) {
  removed_[key] = revision;
  removals_.push_back(key);
  if (removals_.size() <= kRememberedRemovals) return;
  removed_.erase(removals_.front());
  removals_.pop_front();
}

void BusStore::OnApp(const std::string& key, const BusMessage& message, bool gone) {
  v1::AppStatus app;
  if (gone || !app.ParseFromString(message.payload)) {
    bindings_.Remove(key, message.sequence, Teller());
    const auto it = entries_.find(key);
    if (it == entries_.end()) return;
    it->second.app.Clear();
    if (it->second.row_revision == 0) {
      entries_.erase(it);
    } else {
      Show(key, message.sequence);
    }
    return;
  }
  Entry& entry = entries_[key];
  v1::AppStatus kept;
  kept.set_uid(app.uid());
  kept.set_generation(app.generation());
  kept.set_observed_generation(app.observed_generation());
  kept.set_status_json(app.status_json());
  kept.set_phase_since_micros(app.phase_since_micros());
  *kept.mutable_replicas() = app.replicas();
  if (!app.clusters().empty()) kept.add_clusters();
  // Objects that have no status are not changed by what else is said of them. Others get another
  // revision also when nothing that is shown differs: it must be the same in every gateway, and one
  // that starts later sees only the newest rows.
  const bool shown =
      !kept.status_json().empty() || !entry.app.status_json().empty() || entry.row.deleting();
  entry.app = std::move(kept);
  if (shown && entry.row_revision != 0) Show(key, message.sequence);
  bindings_.SetApp(key, entry.row_revision == 0 ? nullptr : &entry.row, std::move(app),
                   message.sequence, Teller());
}

void BusStore::LetViewsRest() {
  // An open watch keeps them awake for as long as it may last: it reads none.
  executor_.After(kViewsRest, [this] {
    bindings_.Rest();
    LetViewsRest();
  });
}

BindingViews::Tell BusStore::Teller() {
  if (!synced_) return {};
  return [this](const kubeapi::Change& change) {
    view_.FollowTo(change.object->revision());
    // An observer may go while it is told.
    const std::map<uint64_t, Observer> observers = observers_;
    for (const auto& entry : observers) entry.second(change);
  };
}

uint64_t BusStore::Subscribe(Observer observer) {
  const uint64_t id = view_.Subscribe(observer);
  observers_[id] = std::move(observer);
  return id;
}

void BusStore::Unsubscribe(uint64_t id) {
  view_.Unsubscribe(id);
  observers_.erase(id);
}

void BusStore::OnCluster(const BusMessage& message, bool gone) {
  v1::ClusterStatus cluster;
  if (gone) {
    const auto name = DecodeToken(SubjectAfter(message.subject, 2));
    if (name.ok()) clusters_.erase(*name);
    return;
  }
  if (!cluster.ParseFromString(message.payload)) return;
  const std::string name = cluster.name();
  clusters_[name] = std::move(cluster);
  const std::string key = RowKey(ClusterKey(name));
  const auto it = entries_.find(key);
  if (it != entries_.end() && it->second.row_revision != 0) Show(key, message.sequence);
}

std::optional<ObjectKey> BusStore::KeyOf(const v1::ObjectRef& ref) const {
  const Kind* kind = kinds_.Of(GroupOf(ref.api_version()), ref.kind());
  if (kind == nullptr) return std::nullopt;
  return ObjectKey{kind->storage_name, ref.namespace_(), ref.name()};
}

void BusStore::Show(const std::string& key, uint64_t revision) {
  const Entry& entry = entries_.at(key);
  const std::optional<ObjectKey> mine = KeyOf(entry.row.ref());
  if (!mine.has_value()) {
    unserved_.insert(key);
    return;
  }
  unserved_.erase(key);
  // Nothing has to be withdrawn: it is as good as gone.
  if (entry.row.deleting() && entry.app.clusters().empty()) {
    return ShowGone(*mine, revision);
  }
  const v1::ClusterStatus* cluster = nullptr;
  if (entry.row.ref().kind() == "Cluster") {
    const auto it = clusters_.find(entry.row.ref().name());
    if (it != clusters_.end() && it->second.uid() == entry.row.uid()) cluster = &it->second;
  }
  absl::StatusOr<Json> object = MakeObject(entry.row, &entry.app, cluster);
  if (!object.ok()) {
    log_.Warn("a row that is no object", {{"key", key}});
    return;
  }
  if (!mine->ns.empty()) ShowNamespace(mine->ns, entry.row.created_micros(), revision);
  kubeapi::ToStorageForm(*object);  // written through another door in another version
  // First, so that nobody sees the definition before its kind is known here.
  const bool defines = entry.row.ref().kind() == kCrdKind && kinds_.Define(*object);
  view_.Follow(*mine, *std::move(object), revision);
  if (defines) OnDefinition(revision);
}

void BusStore::Hide(const Entry& entry, uint64_t revision) {
  if (entry.row_revision == 0) return;
  const std::optional<ObjectKey> mine = KeyOf(entry.row.ref());
  if (!mine.has_value()) return;
  // The kind of a definition stays known: its objects are yet to be removed.
  ShowGone(*mine, revision);
}

void BusStore::OnDefinition(uint64_t revision) {
  const std::set<std::string> keys = unserved_;
  for (const std::string& key : keys) {
    if (KeyOf(entries_.at(key).row.ref()).has_value()) Show(key, revision);
  }
}

void BusStore::ShowNamespace(const std::string& name, int64_t since_micros, uint64_t revision) {
  const ObjectKey key{kNamespaces, "", name};
  if (view_.Get(key) != nullptr) return;
  view_.Follow(key, ImpliedNamespace(name, FromMicros(since_micros)), revision);
}

void BusStore::ShowImplied() {
  for (const std::string_view name : kubeapi::kSystemNamespaces) {
    ShowNamespace(std::string(name), created_micros_, 1);
  }
  for (const ObjectKey& key : kubeauth::DefaultRbacKeys()) {
    if (view_.Get(key) != nullptr) continue;
    view_.Follow(key, kubeauth::DefaultRbacObject(key, FromMicros(created_micros_)), 1);
  }
}

bool BusStore::IsInhabited(const ObjectKey& key) const {
  return key.resource == kNamespaces && std::ranges::any_of(entries_, [&](const auto& row) {
           const Entry& entry = row.second;
           const bool gone = entry.row.deleting() && entry.app.clusters().empty();
           return entry.row_revision != 0 && !gone && entry.row.ref().namespace_() == key.name;
         });
}

void BusStore::ShowGone(const ObjectKey& key, uint64_t revision) {
  const ObjectPtr last = view_.Get(key);
  Json implied = IsSystemNamespace(key) || IsInhabited(key)
                     ? ImpliedNamespace(key.name, FromMicros(created_micros_))
                     : kubeauth::DefaultRbacObject(key, FromMicros(created_micros_));
  if (implied.is_null()) return view_.FollowRemoval(key, revision);
  // It may be told to have gone twice: while it is withdrawn, and when its row goes.
  if (last != nullptr && last->value()["metadata"]["uid"] == implied["metadata"]["uid"]) return;
  view_.Follow(key, std::move(implied), revision);
}

void BusStore::Wake(const std::string& key) {
  const auto found = waiters_.find(key);
  if (found == waiters_.end()) return;
  const auto entry = entries_.find(key);
  const auto removal = removed_.find(key);
  const uint64_t seen = std::max(entry == entries_.end() ? 0 : entry->second.row_revision,
                                 removal == removed_.end() ? 0 : removal->second);
  std::vector<Waiter> due;
  std::erase_if(found->second, [&](Waiter& waiter) {
    if (waiter.row_revision > seen) return false;
    due.push_back(std::move(waiter));
    return true;
  });
  if (found->second.empty()) waiters_.erase(found);
  for (Waiter& waiter : due) waiter.done(view_.Get(waiter.key));
}

// --- To the bus

std::string BusStore::RowKeyOf(const ObjectKey& key) const {
  const Kind* kind = kinds_.Stored(key.resource);
  if (kind == nullptr) return {};
  return RowKey(
      sealane::ObjectKey{std::string(GroupOf(kind->api_version)), kind->kind, key.ns, key.name});
}

void BusStore::Put(const ObjectKey& key, Json object, uint64_t expected, Done done) {
  if (BindingViews::Has(key.resource)) return done(OnlyAView(key));
  const Kind* kind = kinds_.Stored(key.resource);
  if (kind == nullptr) return done(kubeapi::NoSuchResource());
  const ObjectPtr now = Get(key);
  if (expected == 0 && now != nullptr) {
    return done(absl::AlreadyExistsError("the object exists"));
  }
  if (expected != 0 && (now == nullptr || now->revision() != expected)) {
    return done(absl::AbortedError("the object has been modified"));
  }
  const auto entry = entries_.find(RowKeyOf(key));
  const bool stored = entry != entries_.end() && entry->second.row_revision != 0 && now != nullptr;
  if (stored && entry->second.row.deleting()) {
    return done(kubeapi::ApiError(409, "Conflict",
                                  StrCat(key.resource, " \"", key.name,
                                         "\" is being withdrawn from the clusters and cannot be "
                                         "changed any more; create it again when it is gone")));
  }
  // A role would be made in order to be deleted. Namespaces of the system do not come so far.
  if (object["metadata"].contains("deletionTimestamp") && !stored && key.resource != kNamespaces) {
    return done(Undeletable(key));
  }
  // The version of its manifest is the one that its kind is stored in.
  std::string api_version = object.value("apiVersion", kind->api_version);
  Split split = SplitObject(std::move(object), api_version, kind->kind);
  v1::Operation operation;
  operation.set_type(v1::Operation::APPLY);
  operation.set_manifest(std::move(split.manifest));
  operation.set_api_metadata(std::move(split.api_metadata));
  if (stored) {
    operation.mutable_precondition()->set_expected_revision(entry->second.row_revision);
  } else {
    operation.mutable_precondition()->set_must_not_exist(true);
  }
  Write(key, std::move(operation), [done](absl::StatusOr<ObjectPtr> written) {
    // Written, and removed by somebody else since.
    if (written.ok() && *written == nullptr) {
      return done(absl::AbortedError("the object was removed meanwhile"));
    }
    done(std::move(written));
  });
}

void BusStore::Remove(const ObjectKey& key, uint64_t expected, Done done) {
  if (BindingViews::Has(key.resource)) return done(OnlyAView(key));
  const Kind* kind = kinds_.Stored(key.resource);
  const ObjectPtr now = Get(key);
  if (kind == nullptr || now == nullptr || now->revision() != expected) {
    return done(absl::AbortedError("the object has been modified"));
  }
  const auto entry = entries_.find(RowKeyOf(key));
  if (entry == entries_.end() || entry->second.row_revision == 0) {
    return done(Undeletable(key));
  }
  if (entry->second.row.deleting()) return done(now);
  Json manifest = {{"apiVersion", kind->api_version}, {"kind", kind->kind}};
  manifest["metadata"]["name"] = key.name;
  if (!key.ns.empty()) manifest["metadata"]["namespace"] = key.ns;
  v1::Operation operation;
  operation.set_type(v1::Operation::DELETE);
  operation.set_manifest(manifest.dump());
  operation.mutable_precondition()->set_expected_revision(entry->second.row_revision);
  Write(key, std::move(operation), [now, done](absl::StatusOr<ObjectPtr> written) {
    if (!written.ok()) return done(written.status());
    done(*written == nullptr ? now : *written);
  });
}

void BusStore::Write(const ObjectKey& key, v1::Operation operation, Done done) {
  const Kind kind = *kinds_.Stored(key.resource);
  deploys_.Publish(std::move(operation), publisher_,
                   [this, key, kind, done = std::move(done),
                    alive = executor_.alive()](absl::StatusOr<v1::OperationResult> result) {
                     if (alive.expired()) return;
                     if (!result.ok()) return done(result.status());
                     if (!result->accepted()) {
                       return done(ToStatus(*result, key, GroupOf(kind.api_version), kind.kind));
                     }
                     // Nothing was written: there was nothing to remove.
                     if (result->revision() == 0) return done(Get(key));
                     const std::string row = RowKeyOf(key);
                     waiters_[row].push_back({result->revision(), key, done});
                     Wake(row);
                   });
}

}  // namespace sealane::gateway

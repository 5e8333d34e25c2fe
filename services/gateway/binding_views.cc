#include "services/gateway/binding_views.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "lib/core/hash.h"
#include "lib/core/ids.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/gateway/kinds.h"

namespace sealane::gateway {
namespace {

using kubeapi::Change;
using kubeapi::ChangeType;
using kubeapi::ObjectKey;
using kubeapi::ObjectPtr;

constexpr char kWorkGroup[] = "work.karmada.io";
constexpr char kBindings[] = "work.karmada.io/resourcebindings";
constexpr char kClusterBindings[] = "work.karmada.io/clusterresourcebindings";
constexpr char kWorks[] = "work.karmada.io/works";
constexpr std::string_view kWorkNamespace = "karmada-es-";

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Names of RBAC objects have colons, those of bindings and works cannot.
std::string DnsName(std::string text) {
  std::replace(text.begin(), text.end(), ':', '.');
  return Lower(std::move(text));
}

// As Karmada names them: the decimal FNV-1a of what the object is, in letters that make no words.
std::string WorkName(const v1::ObjectRef& ref) {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  uint32_t hash = 2166136261u;
  for (const char c : Lower(StrCat(ref.namespace_(), "-", ref.name(), "-", ref.kind()))) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  }
  std::string tail = std::to_string(hash);
  for (char& c : tail) c = kLetters[static_cast<unsigned char>(c) % kLetters.size()];
  return StrCat(DnsName(ref.name()), "-", tail);
}

// The same for the same object, and another for each view of it.
std::string ViewUid(std::string_view of, const std::string& uid) {
  const uint64_t a = Fnv1a64(StrCat(of, " ", uid));
  const uint64_t b = Fnv1a64(StrCat(uid, " ", of));
  return UuidFrom(a, b);
}

Json Condition(const char* type, bool holds, const char* yes, const char* no, std::string message,
               int64_t since_micros) {
  return {{"type", type},
          {"status", holds ? "True" : "False"},
          {"reason", holds ? yes : no},
          {"message", std::move(message)},
          {"lastTransitionTime", FormatKubeTime(FromMicros(since_micros))}};
}

bool IsTarget(const v1::ClusterAppStatus& cluster) { return cluster.state() != "Removing"; }
bool IsApplied(const v1::ClusterAppStatus& cluster) {
  return cluster.state() == "Applied" || cluster.state() == "Lost";
}

Json StatusIn(const v1::ClusterAppStatus& cluster) {
  Json status = Json::parse(cluster.status_json(), nullptr, /*allow_exceptions=*/false);
  return status.is_object() ? status : Json();
}

// Without the name.
Json Metadata(std::string uid, const v1::StoredObject& row) {
  return {{"uid", std::move(uid)},
          {"generation", row.generation()},
          {"creationTimestamp", FormatKubeTime(FromMicros(row.created_micros()))}};
}

// "PropagationPolicy classroom/classroom" as Karmada's annotations.
void NamePolicy(const std::string& policy, Json& metadata) {
  const size_t space = policy.find(' ');
  const size_t slash = policy.find('/');
  if (space == std::string::npos) return;
  const bool cluster = policy.starts_with("Cluster");
  const std::string prefix =
      cluster ? "clusterpropagationpolicy.karmada.io/" : "propagationpolicy.karmada.io/";
  const bool named = slash != std::string::npos && slash > space;
  Json& annotations = metadata["annotations"];
  annotations[prefix + "name"] = policy.substr((named ? slash : space) + 1);
  if (named) annotations[prefix + "namespace"] = policy.substr(space + 1, slash - space - 1);
}

Json BindingOf(const v1::StoredObject& row, const v1::AppStatus& app) {
  const v1::ObjectRef& ref = row.ref();
  const bool workload = app.replicas().wanted() > 0;
  Json targets = Json::array();
  Json status = Json::array();
  bool applied = !app.clusters().empty();
  for (const v1::ClusterAppStatus& cluster : app.clusters()) {
    if (!IsTarget(cluster)) continue;
    Json target = {{"name", cluster.cluster()}};
    if (workload) target["replicas"] = cluster.replicas().wanted();
    targets.push_back(std::move(target));
    applied = applied && IsApplied(cluster);
    Json one = {{"clusterName", cluster.cluster()},
                {"applied", IsApplied(cluster)},
                {"health", cluster.health().empty() ? "Unknown" : cluster.health()}};
    if (!IsApplied(cluster))
      one["appliedMessage"] = StrCat(cluster.reason(), ": ", cluster.message());
    if (Json own = StatusIn(cluster); !own.is_null()) one["status"] = std::move(own);
    status.push_back(std::move(one));
  }
  const bool scheduled = app.schedule_state() == "Scheduled";
  Json resource = {{"apiVersion", ref.api_version()},
                   {"kind", ref.kind()},
                   {"name", ref.name()},
                   {"uid", row.uid()}};
  if (!ref.namespace_().empty()) resource["namespace"] = ref.namespace_();
  Json out;
  out["apiVersion"] = StrCat(kWorkGroup, "/v1alpha2");
  out["kind"] = ref.namespace_().empty() ? "ClusterResourceBinding" : "ResourceBinding";
  out["metadata"] = Metadata(ViewUid("binding", row.uid()), row);
  NamePolicy(app.policy(), out["metadata"]);
  // Without ownerReferences, which Karmada sets: a view must not hold up the deletion of its
  // object.
  out["spec"] = {{"resource", std::move(resource)}, {"clusters", std::move(targets)}};
  if (workload) out["spec"]["replicas"] = app.replicas().wanted();
  out["status"]["aggregatedStatus"] = std::move(status);
  out["status"]["conditions"] = Json::array(
      {Condition("Scheduled", scheduled, "Success",
                 app.schedule_state().empty() ? "Pending" : app.schedule_state().c_str(),
                 app.schedule_message(), app.phase_since_micros()),
       Condition("FullyApplied", applied, "FullyAppliedSuccess", "FullyAppliedFailed",
                 applied ? "All works have been successfully applied"
                         : "Failed to apply all works, see status.aggregatedStatus for details",
                 app.phase_since_micros())});
  return out;
}

Json WorkOf(const v1::StoredObject& row, const v1::ClusterAppStatus& cluster) {
  const v1::ObjectRef& ref = row.ref();
  Json identity = {{"apiVersion", ref.api_version()}, {"kind", ref.kind()}};
  identity["metadata"]["name"] = ref.name();
  Json identifier = {{"ordinal", 0},
                     {"group", GroupOf(ref.api_version())},
                     {"version", ref.api_version().substr(ref.api_version().find('/') + 1)},
                     {"kind", ref.kind()},
                     {"name", ref.name()}};
  if (!ref.namespace_().empty()) {
    identity["metadata"]["namespace"] = ref.namespace_();
    identifier["namespace"] = ref.namespace_();
  }
  Json manifest_status = {{"identifier", std::move(identifier)},
                          {"health", cluster.health().empty() ? "Unknown" : cluster.health()}};
  if (Json own = StatusIn(cluster); !own.is_null()) manifest_status["status"] = std::move(own);
  const bool applied = IsApplied(cluster);
  Json out;
  out["apiVersion"] = StrCat(kWorkGroup, "/v1alpha1");
  out["kind"] = "Work";
  out["metadata"] = Metadata(ViewUid(StrCat("work ", cluster.cluster()), row.uid()), row);
  out["spec"]["workload"]["manifests"] = Json::array({std::move(identity)});
  out["status"]["conditions"] = Json::array(
      {Condition("Applied", applied, "AppliedSuccessful", "AppliedFailed",
                 applied ? "Manifest has been successfully applied"
                         : StrCat(cluster.state(), " ", cluster.reason(), ": ", cluster.message()),
                 cluster.applied_micros())});
  out["status"]["manifestStatuses"] = Json::array({std::move(manifest_status)});
  return out;
}

std::string HeadOf(const v1::StoredObject& row) {
  v1::StoredObject head;
  *head.mutable_ref() = row.ref();
  head.set_uid(row.uid());
  head.set_generation(row.generation());
  head.set_created_micros(row.created_micros());
  return head.SerializeAsString();
}

}  // namespace

std::vector<ObjectKey> ViewKeys(const v1::StoredObject& row, const v1::AppStatus& app) {
  std::vector<ObjectKey> out;
  if (app.uid() != row.uid() || app.policy().empty()) return out;
  const v1::ObjectRef& ref = row.ref();
  out.push_back({ref.namespace_().empty() ? kClusterBindings : kBindings, ref.namespace_(),
                 DnsName(StrCat(ref.name(), "-", ref.kind()))});
  const std::string work = app.clusters().empty() ? "" : WorkName(ref);
  for (const v1::ClusterAppStatus& cluster : app.clusters()) {
    out.push_back({kWorks, StrCat(kWorkNamespace, cluster.cluster()), work});
  }
  return out;
}

std::vector<View> MakeViews(const v1::StoredObject& row, const v1::AppStatus& app) {
  const std::vector<ObjectKey> keys = ViewKeys(row, app);
  std::vector<View> out;
  for (size_t i = 0; i < keys.size(); ++i) {
    Json object = i == 0 ? BindingOf(row, app) : WorkOf(row, app.clusters(static_cast<int>(i) - 1));
    Json& metadata = object["metadata"];
    metadata["name"] = keys[i].name;
    if (!keys[i].ns.empty()) metadata["namespace"] = keys[i].ns;
    out.push_back({keys[i], std::make_shared<Json>(std::move(object))});
  }
  return out;
}

BindingViews::BindingViews() = default;
BindingViews::~BindingViews() = default;

bool BindingViews::Has(std::string_view resource) {
  return resource.starts_with("work.karmada.io/");
}

std::vector<Json> BindingViews::Definitions() {
  const KindColumn age = {"Age", "date", ".metadata.creationTimestamp"};
  const std::vector<KindColumn> binding = {
      {"Scheduled", "string", ".status.conditions[?(@.type==\"Scheduled\")].status"},
      {"FullyApplied", "string", ".status.conditions[?(@.type==\"FullyApplied\")].status"},
      age};
  return {
      MakeDefinition(kWorkGroup, "v1alpha2", "resourcebindings", "ResourceBinding", true, "rb",
                     binding),
      MakeDefinition(kWorkGroup, "v1alpha2", "clusterresourcebindings", "ClusterResourceBinding",
                     false, "crb", binding),
      MakeDefinition(kWorkGroup, "v1alpha1", "works", "Work", true, "wk",
                     {{"Workload-Kind", "string", ".spec.workload.manifests[0].kind"},
                      {"Applied", "string", ".status.conditions[?(@.type==\"Applied\")].status"},
                      age})};
}

std::vector<ObjectKey> BindingViews::KeysOf(const Source& source) {
  v1::StoredObject row;
  v1::AppStatus app;
  if (source.row.empty() || !row.ParseFromString(source.row) || !app.ParseFromString(source.app)) {
    return {};
  }
  return ViewKeys(row, app);
}

void BindingViews::Rest() { awake_ = std::exchange(used_, false); }

std::vector<View> BindingViews::Make(const Source& source) {
  v1::StoredObject row;
  v1::AppStatus app;
  if (source.row.empty() || !row.ParseFromString(source.row) || !app.ParseFromString(source.app))
    return {};
  return MakeViews(row, app);
}

void BindingViews::SetApp(const std::string& row_key, const v1::StoredObject* row,
                          v1::AppStatus app, uint64_t revision, const Tell& tell) {
  // The object itself shows that.
  app.clear_status_json();
  const auto keys = row == nullptr ? std::vector<ObjectKey>() : ViewKeys(*row, app);
  Replace(row_key, {row == nullptr ? "" : HeadOf(*row), app.SerializeAsString(), revision}, keys,
          tell);
}

void BindingViews::SetRow(const std::string& row_key, const v1::StoredObject& row,
                          uint64_t revision, const Tell& tell) {
  const auto found = sources_.find(row_key);
  if (found == sources_.end()) return;
  v1::AppStatus app;
  if (!app.ParseFromString(found->second.app)) return;
  Replace(row_key, {HeadOf(row), found->second.app, revision}, ViewKeys(row, app), tell);
}

void BindingViews::Remove(const std::string& row_key, uint64_t revision, const Tell& tell) {
  if (sources_.contains(row_key)) Replace(row_key, {"", "", revision}, {}, tell);
}

void BindingViews::Replace(const std::string& row_key, const Source& next,
                           const std::vector<ObjectKey>& keys, const Tell& tell) {
  const uint64_t revision = next.revision;
  const bool telling = tell && awake_;
  auto found = sources_.find(row_key);
  const Source last = found == sources_.end() ? Source() : found->second;
  for (const ObjectKey& key : KeysOf(last)) resources_[key.resource].erase({key.ns, key.name});
  if (next.app.empty()) {
    if (found != sources_.end()) sources_.erase(found);
  } else {
    found = sources_.insert_or_assign(row_key, next).first;
  }
  for (const ObjectKey& key : keys) {
    resources_[key.resource][{key.ns, key.name}] = &found->first;
  }
  if (!telling) {
    complete_since_ = std::max(complete_since_, revision);
    history_.clear();
    return;
  }
  const std::vector<View> before = Make(last);
  const std::vector<View> after = Make(next);
  const uint64_t before_revision = last.revision;
  const auto stored = [](const View& view, uint64_t at) {
    Json object = *view.object;
    object["metadata"]["resourceVersion"] = std::to_string(at);
    return std::make_shared<const kubeapi::StoredObject>(view.key, std::move(object), at);
  };
  const auto twin = [](const std::vector<View>& views, const View& of) {
    return std::find_if(views.begin(), views.end(), [&](const View& view) {
      return view.key.resource == of.key.resource && view.key.ns == of.key.ns;
    });
  };
  for (const View& view : after) {
    const auto was = twin(before, view);
    if (was == before.end()) {
      Record({ChangeType::kAdded, stored(view, revision), nullptr}, tell);
    } else if (*was->object != *view.object) {
      Record({ChangeType::kModified, stored(view, revision), stored(*was, before_revision)}, tell);
    }
  }
  for (const View& view : before) {
    if (twin(after, view) != after.end()) continue;
    Record({ChangeType::kDeleted, stored(view, revision), stored(view, before_revision)}, tell);
  }
}

void BindingViews::Record(Change change, const Tell& tell) {
  tell(change);
  history_.push_back(std::move(change));
  if (history_.size() <= kHistory) return;
  complete_since_ = std::max(complete_since_, history_.front().object->revision());
  history_.pop_front();
}

ObjectPtr BindingViews::Find(std::string_view resource, std::string_view ns, std::string_view name,
                             const Source& source) {
  for (View& view : Make(source)) {
    if (view.key.resource != resource || view.key.ns != ns || view.key.name != name) continue;
    (*view.object)["metadata"]["resourceVersion"] = std::to_string(source.revision);
    return std::make_shared<const kubeapi::StoredObject>(view.key, std::move(*view.object),
                                                         source.revision);
  }
  return nullptr;
}

ObjectPtr BindingViews::Get(const ObjectKey& key) const {
  Wake();
  const auto index = resources_.find(key.resource);
  if (index == resources_.end()) return nullptr;
  const auto found = index->second.find({key.ns, key.name});
  if (found == index->second.end()) return nullptr;
  return Find(key.resource, key.ns, key.name, sources_.at(*found->second));
}

void BindingViews::ForEach(std::string_view resource, std::string_view ns,
                           const std::pair<std::string, std::string>& after,
                           const std::function<bool(const ObjectPtr&)>& visit) const {
  Wake();
  const auto index = resources_.find(resource);
  if (index == resources_.end()) return;
  auto it = index->second.upper_bound(after);
  if (!ns.empty() && after.first < ns) it = index->second.lower_bound({std::string(ns), ""});
  for (; it != index->second.end(); ++it) {
    if (!ns.empty() && it->first.first != ns) break;
    const ObjectPtr object =
        Find(resource, it->first.first, it->first.second, sources_.at(*it->second));
    if (object != nullptr && !visit(object)) return;
  }
}

size_t BindingViews::Count(std::string_view resource, std::string_view ns) const {
  const auto index = resources_.find(resource);
  if (index == resources_.end()) return 0;
  if (ns.empty()) return index->second.size();
  return static_cast<size_t>(
      std::count_if(index->second.begin(), index->second.end(),
                    [&](const auto& entry) { return entry.first.first == ns; }));
}

absl::StatusOr<std::vector<Change>> BindingViews::History(std::string_view resource,
                                                          uint64_t revision) const {
  Wake();
  if (revision < complete_since_) {
    return absl::OutOfRangeError("the changes since then are not all kept");
  }
  std::vector<Change> out;
  for (const Change& change : history_) {
    if (change.object->revision() > revision && change.object->key().resource == resource) {
      out.push_back(change);
    }
  }
  return out;
}

}  // namespace sealane::gateway

#include "tools/kubesim/cluster.h"

#include <tuple>
#include <utility>

#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "tools/kubesim/objects.h"
#include "tools/kubesim/views.h"

namespace sealane::kubesim {

using kubeapi::Change;
using kubeapi::ChangeType;
using kubeapi::ObjectKey;
using kubeapi::ObjectPtr;
using kubeapi::Resource;
using kubeapi::StoredObject;
using kubeapi::WriteOptions;

namespace {

// Keys handled in one turn, so that requests are answered between.
constexpr size_t kBatch = 32;

WriteOptions Controller() {
  WriteOptions options;
  options.manager = "kube-controller-manager";
  return options;
}

}  // namespace

bool Cluster::KeyLess::operator()(const ObjectKey& a, const ObjectKey& b) const {
  return std::tie(a.resource, a.ns, a.name) < std::tie(b.resource, b.ns, b.name);
}

namespace {

kubeapi::ApiServerOptions WithMetrics(bool metrics, kubeapi::ApiServerOptions options) {
  if (metrics) options.definitions = MetricsDefinitions();
  return options;
}

}  // namespace

Cluster::Cluster(Env env, ClusterOptions options, kubeapi::ApiServerOptions server_options)
    : options_(std::move(options)),
      token_(server_options.token),
      executor_(env.executor),
      env_{env.clock, executor_, env.random},
      store_(options_.history_limit),
      server_(std::make_unique<kubeapi::ApiServer>(
          env_, store_, WithMetrics(options_.metrics, std::move(server_options)))),
      lifecycle_(std::make_unique<kubeapi::Lifecycle>(*server_, kubeapi::LifecycleOptions())) {
  subscription_ = store_.Subscribe([this](const Change& change) { OnChange(change); });
  CreateNamespaces();
  CreateNodes();
}

Cluster::~Cluster() { store_.Unsubscribe(subscription_); }

void Cluster::Track(const StoredObject& object, int sign) {
  const std::string owner = ControllerUid(object.value());
  if (!owner.empty()) {
    if (sign > 0) {
      owned_[owner].insert(object.key());
    } else if (const auto it = owned_.find(owner); it != owned_.end()) {
      it->second.erase(object.key());
      if (it->second.empty()) owned_.erase(it);
    }
  }
  if (object.key().resource != "pods") return;
  const std::string node = TextAt(object.value(), "spec.nodeName");
  const std::string phase = TextAt(object.value(), "status.phase");
  if (node.empty() || phase == "Succeeded" || phase == "Failed") return;
  used_[node].Add(RequestsOf(object.value()), sign);
}

void Cluster::OnChange(const Change& change) {
  if (change.previous != nullptr) Track(*change.previous, -1);
  if (change.type != ChangeType::kDeleted) Track(*change.object, 1);
  const ObjectKey& key = change.object->key();
  static const std::set<std::string> mine = {"pods",
                                             "nodes",
                                             "namespaces",
                                             "apps/deployments",
                                             "apps/replicasets",
                                             "apps/statefulsets",
                                             "apps/daemonsets",
                                             "batch/jobs"};
  if (!options_.controllers || mine.count(key.resource) == 0) return;
  Enqueue(key);
  for (const auto& object : {change.object, change.previous}) {
    if (object == nullptr) continue;
    if (const auto owner = ControllerKey(object->value(), key.ns)) Enqueue(*owner);
  }
  if (key.resource == "nodes") {
    for (const char* resource : {"apps/daemonsets"}) {
      store_.ForEach(resource, "", {}, [&](const ObjectPtr& set) {
        Enqueue(set->key());
        return true;
      });
    }
    RetryPending();
  }
  if (key.resource == "pods" && change.type == ChangeType::kDeleted) {
    pending_.erase(key);
    scheduled_at_.erase(TextAt(change.object->value(), "metadata.uid"));
    RetryPending();
  }
}

void Cluster::Enqueue(const ObjectKey& key) {
  queue_.insert(key);
  if (std::exchange(scheduled_, true)) return;
  executor_.Post([this] { Run(); });
}

void Cluster::EnqueueAfter(const ObjectKey& key, absl::Duration delay) {
  executor_.After(delay, [this, key] { Enqueue(key); });
}

void Cluster::Run() {
  scheduled_ = false;
  for (size_t i = 0; i < kBatch && !queue_.empty(); ++i) {
    const ObjectKey key = *queue_.begin();
    queue_.erase(queue_.begin());
    Reconcile(key);
  }
  if (!queue_.empty() && !std::exchange(scheduled_, true)) executor_.Post([this] { Run(); });
}

void Cluster::Reconcile(const ObjectKey& key) {
  const ObjectPtr object = store_.Get(key);
  if (object == nullptr) return;
  if (key.resource == "pods") return ReconcilePod(object);
  if (key.resource == "namespaces") return ReconcileNamespace(object);
  if (IsDeleting(object->value())) return;  // the garbage collector has it
  if (key.resource == "apps/deployments") return ReconcileDeployment(object);
  if (key.resource == "apps/replicasets") return ReconcileReplicaSet(object);
  if (key.resource == "apps/statefulsets") return ReconcileStatefulSet(object);
  if (key.resource == "apps/daemonsets") return ReconcileDaemonSet(object);
  if (key.resource == "batch/jobs") return ReconcileJob(object);
}

std::vector<ObjectPtr> Cluster::OwnedBy(const std::string& uid, const std::string& resource) const {
  std::vector<ObjectPtr> out;
  const auto it = owned_.find(uid);
  if (it == owned_.end()) return out;
  for (const ObjectKey& key : it->second) {
    if (key.resource != resource) continue;
    if (ObjectPtr object = store_.Get(key)) out.push_back(std::move(object));
  }
  return out;
}

void Cluster::Create(const std::string& resource, const std::string& ns, const Json& object) {
  if (const Resource* facts = server_->Stored(resource)) {
    server_->Create({facts, ns, "", ""}, object, Controller(), nullptr);
  }
}

void Cluster::Write(const StoredObject& before, const Json& object, const char* subresource) {
  if (object == before.value()) return;
  const Resource* resource = server_->Stored(before.key().resource);
  if (resource == nullptr) return;
  server_->Update({resource, before.key().ns, before.key().name, subresource}, object, Controller(),
                  nullptr);
}

void Cluster::Delete(const StoredObject& object) {
  const Resource* resource = server_->Stored(object.key().resource);
  if (resource == nullptr) return;
  server_->Delete({resource, object.key().ns, object.key().name, ""},
                  {{"propagationPolicy", "Background"}}, Controller(), nullptr);
}

void Cluster::DeletePodNow(const StoredObject& pod) {
  server_->Delete({server_->Stored("pods"), pod.key().ns, pod.key().name, ""},
                  {{"gracePeriodSeconds", 0},
                   {"preconditions", {{"uid", TextAt(pod.value(), "metadata.uid")}}}},
                  Controller(), nullptr);
}

void Cluster::Event(const StoredObject& about, const char* type, const std::string& reason,
                    const std::string& message) {
  const Json& object = about.value();
  const std::string ns = about.key().ns.empty() ? "default" : about.key().ns;
  const std::string name =
      StrCat(about.key().name, ".",
             Hex64(Fnv1a64(StrCat(TextAt(object, "metadata.uid"), reason, message))));
  if (const ObjectPtr known = store_.Get({"events", ns, name})) {
    Json again = known->value();
    again["count"] = again.value("count", 1) + 1;
    again["lastTimestamp"] = Now();
    return Write(*known, again, "");
  }
  Create("events", ns,
         {{"metadata", {{"name", name}, {"namespace", ns}}},
          {"involvedObject",
           {{"kind", object.value("kind", "")},
            {"apiVersion", object.value("apiVersion", "")},
            {"namespace", about.key().ns},
            {"name", about.key().name},
            {"uid", TextAt(object, "metadata.uid")}}},
          {"reason", reason},
          {"message", message},
          {"type", type},
          {"count", 1},
          {"firstTimestamp", Now()},
          {"lastTimestamp", Now()},
          {"source", {{"component", "kubesim"}}}});
}

Json Cluster::PodFromTemplate(const StoredObject& owner, const char* kind, const Json& pod_template,
                              const std::string& name) const {
  Json metadata = Json::object();
  const Json template_metadata = pod_template.value("metadata", Json::object());
  for (const char* field : {"labels", "annotations"}) {
    if (template_metadata.contains(field)) metadata[field] = template_metadata[field];
  }
  if (name.empty()) {
    metadata["generateName"] = owner.key().name + "-";
  } else {
    metadata["name"] = name;
  }
  metadata["ownerReferences"] = Json::array({OwnerReference(owner.value(), kind)});
  return {{"metadata", metadata}, {"spec", pod_template.value("spec", Json::object())}};
}

void Cluster::SetCondition(Json& status, const std::string& type, const std::string& value,
                           const std::string& reason, const std::string& message) const {
  Json& conditions = status["conditions"];
  if (!conditions.is_array()) conditions = Json::array();
  Json* found = nullptr;
  for (Json& condition : conditions) {
    if (condition.value("type", "") == type) found = &condition;
  }
  if (found == nullptr) {
    conditions.push_back({{"type", type}});
    found = &conditions.back();
  }
  if (found->value("status", "") != value) (*found)["lastTransitionTime"] = Now();
  (*found)["status"] = value;
  for (const auto& [key, text] : std::initializer_list<std::pair<const char*, const std::string&>>{
           {"reason", reason}, {"message", message}}) {
    if (text.empty()) {
      found->erase(key);
    } else {
      (*found)[key] = text;
    }
  }
}

std::string Cluster::Now() const { return FormatKubeTime(env_.clock.Now()); }

}  // namespace sealane::kubesim

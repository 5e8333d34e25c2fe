#include "services/policy/renderer.h"

#include <algorithm>
#include <utility>

#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/time.h"
#include "lib/kube/prune.h"
#include "lib/kube/revise.h"
#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "services/policy/overrides.h"

namespace sealane::policy {
namespace {

constexpr std::string_view kNamespacePrefix = "=.Namespace.=.";
constexpr const char* kManagedLabel = "sealane.io/managed";

// Namespaces that every cluster has of its own.
bool IsBuiltinNamespace(std::string_view ns) { return ns == "default" || ns.starts_with("kube-"); }

bool Contains(const google::protobuf::RepeatedPtrField<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

ObjectRenderer::ObjectRenderer(Json manifest, std::vector<const OverridePolicy*> overrides,
                               bool revise_replicas)
    : overrides_(std::move(overrides)), revise_replicas_(revise_replicas) {
  pruned_ = kube::Prune(manifest);
  base_ = std::make_unique<const Json>(std::move(manifest));
}

ObjectRenderer::~ObjectRenderer() = default;

absl::StatusOr<const Rendering*> ObjectRenderer::Render(const v1::ClusterStatus& cluster,
                                                        int32_t replicas) {
  const std::string cache_key =
      StrCat(revise_replicas_ ? replicas : 0, "|", OverrideKey(overrides_, cluster));
  auto found = cache_.find(cache_key);
  if (found == cache_.end()) {
    Json manifest = *base_;
    Rendering rendering;
    absl::Status status = pruned_;
    if (status.ok() && revise_replicas_) status = kube::ReviseReplicas(manifest, replicas);
    if (status.ok()) status = ApplyOverrides(overrides_, cluster, manifest, &rendering.applied);
    if (status.ok() && !manifest["metadata"].is_object()) {
      status = InvalidArgument("overrides left no metadata");
    }
    if (status.ok()) {
      Json& labels = manifest["metadata"]["labels"];
      if (!labels.is_object()) labels = Json::object();
      labels[kManagedLabel] = "true";
      rendering.manifest = manifest.dump(-1, ' ', false, Json::error_handler_t::replace);
      rendering.hash = Fnv1a64(rendering.manifest);
      found = cache_.emplace(cache_key, std::move(rendering)).first;
    } else {
      found = cache_.emplace(cache_key, std::move(status)).first;
    }
  }
  if (!found->second.ok()) return found->second.status();
  return &*found->second;
}

Renderer::Renderer(Env env, State& state, EventSink& events, PolicyMetrics& metrics)
    : env_(env), state_(state), events_(events), metrics_(metrics) {}

absl::Status Renderer::Reconcile(const std::string& key) {
  const absl::Duration start = env_.clock.Monotonic();
  const Row<v1::Binding>* row = state_.bindings.Find(key);
  const v1::Binding* binding = row == nullptr ? nullptr : &row->value;
  Targets targets;
  if (!FindTargets(key, binding, &targets)) return absl::OkStatus();
  AddNamespaceTargets(key, &targets);
  absl::Status status = absl::OkStatus();
  if (!targets.empty()) status = WriteWanted(key, binding, targets);
  Withdraw(key, binding, targets);
  if (binding != nullptr && binding->deleting() && !state_.clusters_of.contains(key)) {
    state_.bindings.Remove(key);
  }
  metrics_.render_seconds.Observe(absl::ToDoubleSeconds(env_.clock.Monotonic() - start));
  return status;
}

bool Renderer::FindTargets(const std::string& key, const v1::Binding* binding,
                           Targets* targets) const {
  if (binding == nullptr || binding->deleting()) return true;
  const Row<v1::Placed>* row = state_.placements.Find(key);
  const bool answered = row != nullptr && row->value.uid() == binding->uid();
  if (binding->has_policy() && binding->has_placement() &&
      (!answered || row->value.binding_revision() < binding->revision())) {
    return false;
  }
  const auto add = [&](const v1::TargetCluster& cluster) {
    Target& target = (*targets)[EncodeToken(cluster.name())];
    target.cluster = cluster.name();
    target.replicas = std::max(target.replicas, cluster.replicas());
    const v1::Suspension& suspension = binding->suspension();
    target.suspended =
        suspension.dispatching() ||
        Contains(suspension.dispatching_on_clusters().cluster_names(), cluster.name());
  };
  if (answered) {
    for (const v1::TargetCluster& cluster : row->value.clusters()) add(cluster);
  }
  for (const v1::BindingSnapshot& parent : binding->required_by()) {
    for (const v1::TargetCluster& cluster : parent.clusters()) add(cluster);
  }
  return true;
}

void Renderer::AddNamespaceTargets(const std::string& key, Targets* targets) const {
  if (!key.starts_with(kNamespacePrefix)) return;
  const std::string ns =
      DecodeToken(std::string_view(key).substr(kNamespacePrefix.size())).value_or("");
  if (ns.empty() || IsBuiltinNamespace(ns)) return;
  const auto content = state_.namespace_content.find(ns);
  if (content == state_.namespace_content.end()) return;
  for (const auto& [token, count] : content->second) {
    (*targets)[token].cluster = DecodeToken(token).value_or("");
  }
}

absl::Status Renderer::WriteWanted(const std::string& key, const v1::Binding* binding,
                                   const Targets& targets) {
  const Row<v1::StoredObject>* object = state_.objects.Find(key);
  v1::Work common;
  Json manifest;
  if (object != nullptr && !object->value.deleting()) {
    *common.mutable_ref() = object->value.ref();
    common.mutable_fence()->set_uid(object->value.uid());
    common.set_object_generation(object->value.generation());
    common.set_trace_id(object->value.trace_id());
    manifest = Json::parse(object->value.manifest(), nullptr, false);
    if (manifest.is_discarded()) return absl::InternalError("stored manifest is not JSON");
  } else if (key.starts_with(kNamespacePrefix)) {
    // A namespace that nobody described: it is there because its content is.
    const std::string ns = DecodeToken(key.substr(kNamespacePrefix.size())).value_or("");
    common.mutable_ref()->set_api_version("v1");
    common.mutable_ref()->set_kind("Namespace");
    common.mutable_ref()->set_name(ns);
    common.mutable_fence()->set_uid(StrCat("namespace-", ns));
    manifest = {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", ns}}}};
  } else {
    return absl::OkStatus();  // it is on its way out; Withdraw has the last word
  }
  bool workload = false;
  if (binding != nullptr) {
    common.set_conflict_resolution(binding->conflict_resolution());
    workload = binding->replicas() > 0 && !binding->policy().kind().empty();
    const Row<v1::Placed>* placed = state_.placements.Find(key);
    if (placed != nullptr) common.set_placement_revision(placed->value.revision());
  }
  const ObjectView view{common.ref(), manifest};
  std::vector<const OverridePolicy*> overrides =
      PossibleOverrides(view, state_.policies.OverridesFor(common.ref()));
  ObjectRenderer renderer(manifest, std::move(overrides), workload);
  for (const auto& [token, target] : targets) {
    const Row<v1::ClusterStatus>* cluster = state_.clusters.Find(token);
    if (cluster == nullptr) continue;  // not registered (any more): the scheduler will say so
    const std::string work_key = StrCat(token, ".", key);
    const absl::StatusOr<const Rendering*> rendering =
        renderer.Render(cluster->value, target.replicas);
    if (!rendering.ok()) {
      Fail(work_key, common, target.cluster, rendering.status());
    } else {
      errors_.erase(work_key);
      WriteWork(work_key, target, common, **rendering);
    }
  }
  metrics_.renderings.Increment(static_cast<double>(renderer.distinct()));
  return absl::OkStatus();
}

void Renderer::WriteWork(const std::string& work_key, const Target& target, const v1::Work& common,
                         const Rendering& rendering) {
  const Row<v1::Work>* row = state_.works.Find(work_key);
  if (row != nullptr) {
    const v1::Work& is = row->value;
    if (!is.deleting() && is.fence().uid() == common.fence().uid() &&
        is.object_generation() == common.object_generation() &&
        is.suspended() == target.suspended &&
        is.conflict_resolution() == common.conflict_resolution() &&
        is.manifest_hash() == rendering.hash && is.manifest() == rendering.manifest) {
      metrics_.works_unchanged.Increment();
      return;
    }
  }
  v1::Work work = common;
  work.set_cluster(target.cluster);
  work.set_suspended(target.suspended);
  work.set_manifest(rendering.manifest);
  work.set_manifest_hash(rendering.hash);
  *work.mutable_applied_overrides() = {rendering.applied.begin(), rendering.applied.end()};
  const int64_t now = ToMicros(env_.clock.Now());
  work.mutable_fence()->set_version(
      row == nullptr ? now : std::max(row->value.fence().version() + 1, now));
  work.set_rendered_micros(now);
  metrics_.works_written.Increment();
  state_.works.Put(work_key, std::move(work));
}

void Renderer::Withdraw(const std::string& key, const v1::Binding* binding,
                        const Targets& targets) {
  const auto found = state_.clusters_of.find(key);
  if (found == state_.clusters_of.end()) return;
  const Row<v1::StoredObject>* object = state_.objects.Find(key);
  const std::set<std::string> tokens = found->second;
  for (const std::string& token : tokens) {
    if (targets.contains(token)) continue;
    const std::string work_key = StrCat(token, ".", key);
    errors_.erase(work_key);
    const Row<v1::Work>* row = state_.works.Find(work_key);
    if (row == nullptr) continue;
    if (!row->value.deleting()) {
      v1::Work work = row->value;
      work.set_deleting(true);
      work.clear_manifest();
      work.clear_manifest_hash();
      work.clear_applied_overrides();
      // Preserved only when the application itself goes, not when it moves away from a cluster. A
      // namespace that nobody described may hold what others put there: it stays.
      const bool leaving = binding == nullptr || binding->deleting();
      const bool described = object != nullptr || !key.starts_with(kNamespacePrefix);
      work.set_preserve_on_deletion(!described || (leaving && binding != nullptr &&
                                                   binding->preserve_resources_on_deletion()));
      const int64_t now = ToMicros(env_.clock.Now());
      work.mutable_fence()->set_version(std::max(work.fence().version() + 1, now));
      work.set_rendered_micros(now);
      if (object != nullptr) work.set_trace_id(object->value.trace_id());
      metrics_.works_written.Increment();
      state_.works.Put(work_key, std::move(work));
      continue;
    }
    const auto removed = state_.removed.find(work_key);
    const bool gone = removed != state_.removed.end() &&
                      removed->second.uid() == row->value.fence().uid() &&
                      removed->second.version() == row->value.fence().version();
    if (gone) state_.works.Remove(work_key);
  }
}

void Renderer::Fail(const std::string& work_key, const v1::Work& common, const std::string& cluster,
                    const absl::Status& status) {
  metrics_.render_failures.Increment();
  std::string& known = errors_[work_key];
  const std::string message(ToStd(status.message()));
  if (known == message) return;
  known = message;
  v1::Event event;
  event.set_service("policy");
  event.set_type("Warning");
  event.set_reason("RenderFailed");
  event.set_message(message);
  *event.mutable_ref() = common.ref();
  event.set_cluster(cluster);
  event.set_trace_id(common.trace_id());
  events_.Emit(std::move(event));
}

}  // namespace sealane::policy

#include "services/policy/renderer.h"

#include <algorithm>
#include <utility>

#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/time.h"
#include "lib/kube/json_access.h"
#include "lib/kube/object_marks.h"
#include "lib/kube/prune.h"
#include "lib/kube/revise.h"
#include "lib/model/divide.h"
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

bool IsJob(const Json& manifest) {
  return GroupOf(kube::GetString(manifest, {"apiVersion"})) == "batch" &&
         kube::GetString(manifest, {"kind"}) == "Job";
}

void AddLabels(const ObjectRenderer::Labels& labels, Json& manifest) {
  Json& own = manifest["metadata"]["labels"];
  if (!own.is_object()) own = Json::object();
  for (const auto& [name, value] : labels) own[name] = value;
}

// The platform said that this Namespace is none of our business where only its content is ours.
bool LeavesNamespaceAlone(const Row<v1::StoredObject>* object) {
  return object != nullptr && object->value.ref().kind() == "Namespace" &&
         kube::SkipsAutoPropagation(object->value.manifest());
}

}  // namespace

std::vector<int64_t> DivideCompletions(int64_t completions, const std::vector<int32_t>& replicas,
                                       std::string_view uid) {
  std::vector<Party> parties;
  parties.reserve(replicas.size());
  for (const int32_t count : replicas) parties.push_back({count, -1});
  return DivideWebster(completions, parties, !uid.empty() && (Fnv1a32(uid) & 1) == 1);
}

ObjectRenderer::ObjectRenderer(Json manifest, std::vector<const OverridePolicy*> overrides)
    : overrides_(std::move(overrides)) {
  pruned_ = kube::Prune(manifest);
  // A member that deletes its finished Job would be given it again, and run it again.
  if (const auto spec = manifest.find("spec");
      spec != manifest.end() && spec->is_object() && IsJob(manifest)) {
    spec->erase("ttlSecondsAfterFinished");
  }
  base_ = std::make_unique<const Json>(std::move(manifest));
}

ObjectRenderer::~ObjectRenderer() = default;

absl::StatusOr<const Rendering*> ObjectRenderer::Render(const v1::ClusterStatus& cluster,
                                                        Share share, const Labels& labels) {
  std::string cache_key =
      StrCat(share.replicas, "|", share.completions, "|", OverrideKey(overrides_, cluster));
  for (const auto& [name, value] : labels) cache_key += StrCat("|", name, "=", value);
  auto found = cache_.find(cache_key);
  if (found == cache_.end()) {
    Json manifest = *base_;
    Rendering rendering;
    absl::Status status = pruned_;
    if (status.ok() && share.replicas >= 0) {
      status = kube::ReviseReplicas(manifest, share.replicas);
    }
    if (status.ok() && share.completions >= 0) kube::ReviseCompletions(manifest, share.completions);
    if (status.ok() && !labels.empty()) AddLabels(labels, manifest);
    if (status.ok()) status = ApplyOverrides(overrides_, cluster, manifest, &rendering.applied);
    if (status.ok() && !manifest["metadata"].is_object()) {
      status = InvalidArgument("overrides left no metadata");
    }
    if (status.ok()) {
      Json& labels = manifest["metadata"]["labels"];
      if (!labels.is_object()) labels = Json::object();
      labels[kManagedLabel] = "true";
      rendering.manifest = WriteJson(manifest);
      rendering.hash = Fnv1a64(rendering.manifest);
      rendering.conflict_resolution = kube::ConflictResolutionOf(manifest);
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
  Errors errors;
  if (!targets.empty()) status = WriteWanted(key, binding, targets, &errors);
  Withdraw(key, binding, targets);
  if (status.ok()) SetErrors(key, binding, std::move(errors));
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
  const auto add = [&](const v1::TargetCluster& cluster, int32_t replicas) {
    const std::string token = EncodeToken(cluster.name());
    if (state_.IsAbandoned(token)) return;
    Target& target = (*targets)[token];
    target.cluster = cluster.name();
    target.share.replicas = std::max(target.share.replicas, replicas);
    const v1::Suspension& suspension = binding->suspension();
    target.suspended =
        suspension.dispatching() ||
        Contains(suspension.dispatching_on_clusters().cluster_names(), cluster.name());
  };
  // A workload has the replicas of its placement, also when no policy claims it any more; what only
  // follows others is as it was published.
  if (answered) {
    for (const v1::TargetCluster& cluster : row->value.clusters()) {
      add(cluster, binding->replicas() > 0 ? cluster.replicas() : -1);
    }
    for (const v1::Eviction& eviction : row->value.evictions()) {
      for (const std::string& name : eviction.replaced_by()) {
        const auto target = targets->find(EncodeToken(name));
        if (target == targets->end()) continue;
        target->second.labels.insert(eviction.preserved_labels().begin(),
                                     eviction.preserved_labels().end());
      }
    }
  }
  for (const v1::BindingSnapshot& parent : binding->required_by()) {
    for (const v1::TargetCluster& cluster : parent.clusters()) add(cluster, -1);
  }
  return true;
}

void Renderer::AddNamespaceTargets(const std::string& key, Targets* targets) const {
  if (!key.starts_with(kNamespacePrefix)) return;
  const std::string ns =
      DecodeToken(std::string_view(key).substr(kNamespacePrefix.size())).value_or("");
  if (ns.empty() || IsBuiltinNamespace(ns)) return;
  const auto content = state_.namespace_content.find(ns);
  if (content == state_.namespace_content.end() || LeavesNamespaceAlone(state_.objects.Find(key))) {
    return;
  }
  for (const auto& [token, count] : content->second) {
    (*targets)[token].cluster = DecodeToken(token).value_or("");
  }
}

absl::StatusOr<Renderer::Source> Renderer::SourceOf(const std::string& key,
                                                    const v1::Binding* binding,
                                                    Targets& targets) const {
  const Row<v1::StoredObject>* object = state_.objects.Find(key);
  Source source;
  v1::Work& common = source.common;
  Json manifest;
  if (object != nullptr && !object->value.deleting()) {
    *common.mutable_ref() = object->value.ref();
    common.mutable_fence()->set_uid(object->value.uid());
    common.set_object_generation(object->value.generation());
    common.set_trace_id(object->value.trace_id());
    manifest = state_.manifests.Copy(key, object->value);
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
    return source;  // it is on its way out; Withdraw has the last word
  }
  if (binding != nullptr) {
    common.set_conflict_resolution(binding->conflict_resolution());
    const Row<v1::Placed>* placed = state_.placements.Find(key);
    if (placed != nullptr) common.set_placement_revision(placed->value.revision());
    if (binding->placement().replica_scheduling().replica_scheduling_type() == "Divided") {
      ShareCompletions(kube::CompletionsOf(manifest), binding->uid(),
                       placed == nullptr ? nullptr : &placed->value, targets);
    }
  }
  const ObjectView view{common.ref(), manifest};
  std::vector<const OverridePolicy*> overrides =
      PossibleOverrides(view, state_.policies.OverridesFor(common.ref()));
  source.renderer = std::make_unique<ObjectRenderer>(std::move(manifest), std::move(overrides));
  return source;
}

void Renderer::AddAppliedOverrides(std::string_view work_key, v1::Work& work) const {
  const std::string key(ObjectOfWorkKey(work_key));
  const std::string token(work_key.substr(0, work_key.size() - key.size() - 1));
  const Row<v1::Binding>* row = state_.bindings.Find(key);
  const v1::Binding* binding = row == nullptr ? nullptr : &row->value;
  const Row<v1::ClusterStatus>* cluster = state_.clusters.Find(token);
  Targets targets;
  if (cluster == nullptr || !FindTargets(key, binding, &targets)) return;
  AddNamespaceTargets(key, &targets);
  const auto target = targets.find(token);
  if (target == targets.end()) return;
  const auto source = SourceOf(key, binding, targets);
  if (!source.ok() || source->renderer == nullptr) return;
  const auto rendering =
      source->renderer->Render(cluster->value, target->second.share, target->second.labels);
  if (!rendering.ok() || (*rendering)->manifest != work.manifest()) return;
  *work.mutable_applied_overrides() = {(*rendering)->applied.begin(), (*rendering)->applied.end()};
}

absl::Status Renderer::WriteWanted(const std::string& key, const v1::Binding* binding,
                                   Targets& targets, Errors* errors) {
  absl::StatusOr<Source> source = SourceOf(key, binding, targets);
  if (!source.ok()) return source.status();
  if (source->renderer == nullptr) return absl::OkStatus();
  const v1::Work& common = source->common;
  ObjectRenderer& renderer = *source->renderer;
  for (const auto& [token, target] : targets) {
    const Row<v1::ClusterStatus>* cluster = state_.clusters.Find(token);
    if (cluster == nullptr) {  // not registered (yet, or any more)
      unrendered_[token].insert(key);
      continue;
    }
    const std::string work_key = StrCat(token, ".", key);
    const absl::StatusOr<const Rendering*> rendering =
        renderer.Render(cluster->value, target.share, target.labels);
    if (!rendering.ok()) {
      metrics_.render_failures.Increment();
      unrendered_[token].insert(key);
      errors->emplace(target.cluster, ToStd(rendering.status().message()));
    } else {
      WriteWork(work_key, target, common, **rendering);
    }
  }
  metrics_.renderings.Increment(static_cast<double>(renderer.distinct()));
  return absl::OkStatus();
}

void Renderer::ShareCompletions(int64_t completions, std::string_view uid, const v1::Placed* placed,
                                Targets& targets) {
  if (completions <= 0) return;
  // A copy that only stays for a while keeps the share that it had.
  std::map<std::string, const v1::Eviction*> copies;
  if (placed != nullptr) {
    for (const v1::Eviction& eviction : placed->evictions()) {
      if (eviction.replaced_by().empty() || eviction.planned() > 0) continue;
      copies[EncodeToken(eviction.cluster())] = &eviction;
    }
  }
  std::vector<int32_t> replicas;
  for (const auto& [token, target] : targets) {
    replicas.push_back(copies.contains(token) ? 0 : std::max(target.share.replicas, 0));
  }
  const std::vector<int64_t> divided = DivideCompletions(completions, replicas, uid);
  size_t i = 0;
  for (auto& [token, target] : targets) {
    // Where it is not divided it is as it was published.
    if (target.share.replicas >= 0) target.share.completions = divided[i];
    ++i;
    const auto copy = copies.find(token);
    if (copy == copies.end()) continue;
    std::vector<int32_t> before;
    size_t own = 0;
    for (const v1::TargetCluster& cluster : copy->second->before()) {
      if (cluster.name() == target.cluster) own = before.size();
      before.push_back(cluster.replicas());
    }
    if (!before.empty()) {
      target.share.completions = DivideCompletions(completions, before, uid)[own];
    }
  }
}

void Renderer::Abandon(const std::string& work_key, const v1::Work& work) {
  v1::Event event;
  event.set_type("Warning");
  event.set_reason("Abandoned");
  *event.mutable_ref() = work.ref();
  event.set_trace_id(work.trace_id());
  event.set_cluster(work.cluster());
  event.set_message("the cluster was given up; what was delivered there is not managed any more");
  events_.Emit(std::move(event));
  state_.works.Remove(work_key);
}

void Renderer::WriteWork(const std::string& work_key, const Target& target, const v1::Work& common,
                         const Rendering& rendering) {
  const std::string_view conflict_resolution = rendering.conflict_resolution.empty()
                                                   ? std::string_view(common.conflict_resolution())
                                                   : rendering.conflict_resolution;
  const Row<v1::Work>* row = state_.works.Find(work_key);
  if (row != nullptr) {
    const v1::Work& is = row->value;
    if (!is.deleting() && is.fence().uid() == common.fence().uid() &&
        is.object_generation() == common.object_generation() &&
        is.suspended() == target.suspended && is.conflict_resolution() == conflict_resolution &&
        is.manifest_hash() == rendering.hash && is.manifest() == rendering.manifest) {
      metrics_.works_unchanged.Increment();
      return;
    }
  }
  v1::Work work = common;
  work.set_cluster(target.cluster);
  work.set_conflict_resolution(std::string(conflict_resolution));
  work.set_suspended(target.suspended);
  work.set_manifest(rendering.manifest);
  work.set_manifest_hash(rendering.hash);
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
  const std::vector<const std::string*> clusters = found->second;
  for (const std::string* token : clusters) {
    if (targets.contains(*token)) continue;
    const std::string work_key = StrCat(*token, ".", key);
    const Row<v1::Work>* row = state_.works.Find(work_key);
    if (row == nullptr) continue;
    if (state_.IsAbandoned(*token)) {
      Abandon(work_key, row->value);
      continue;
    }
    if (!row->value.deleting()) {
      v1::Work work = row->value;
      work.set_deleting(true);
      work.clear_manifest();
      work.clear_manifest_hash();
      work.clear_applied_overrides();
      // Preserved only when the application itself goes, not when it moves away from a cluster. A
      // namespace that nobody described may hold what others put there: it stays.
      const bool leaving = binding == nullptr || binding->deleting();
      const bool kept = state_.KeepsWorkloads(*token);
      const bool described = !LeavesNamespaceAlone(object) &&
                             (object != nullptr || !key.starts_with(kNamespacePrefix));
      work.set_preserve_on_deletion(
          !described || kept ||
          (leaving && binding != nullptr && binding->preserve_resources_on_deletion()));
      const int64_t now = ToMicros(env_.clock.Now());
      work.mutable_fence()->set_version(std::max(work.fence().version() + 1, now));
      work.set_rendered_micros(now);
      if (object != nullptr) work.set_trace_id(object->value.trace_id());
      metrics_.works_written.Increment();
      state_.works.Put(work_key, std::move(work));
      continue;
    }
    Settle(work_key);
  }
}

void Renderer::Settle(const std::string& work_key) {
  const auto removed = state_.removed.find(work_key);
  const Row<v1::Work>* row = state_.works.Find(work_key);
  if (removed == state_.removed.end() || row == nullptr || !row->value.deleting()) return;
  const v1::Fence& fence = row->value.fence();
  if (removed->second.uid() == fence.uid() && removed->second.version() == fence.version()) {
    state_.works.Remove(work_key);
  }
}

const Renderer::Errors& Renderer::ErrorsOf(std::string_view key) const {
  static const auto& none = *new Errors();
  const auto it = errors_.find(key);
  return it == errors_.end() ? none : it->second;
}

std::set<std::string> Renderer::TakeUnrendered(std::string_view cluster) {
  std::set<std::string> keys;
  if (const auto it = unrendered_.find(cluster); it != unrendered_.end()) {
    keys = std::move(it->second);
    unrendered_.erase(it);
  }
  return keys;
}

void Renderer::SetErrors(const std::string& key, const v1::Binding* binding, Errors errors) {
  const Errors& known = ErrorsOf(key);
  for (const auto& [cluster, message] : errors) {
    if (const auto it = known.find(cluster); it != known.end() && it->second == message) continue;
    v1::Event event;
    event.set_service("policy");
    event.set_type("Warning");
    event.set_reason("RenderFailed");
    event.set_message(message);
    if (binding != nullptr) {
      *event.mutable_ref() = binding->ref();
      event.set_trace_id(binding->trace_id());
    } else if (const Row<v1::StoredObject>* object = state_.objects.Find(key); object != nullptr) {
      *event.mutable_ref() = object->value.ref();
    }
    event.set_cluster(cluster);
    events_.Emit(std::move(event));
  }
  // `binding` may be gone from the table by now; the row tells.
  const Row<v1::Binding>* row = state_.bindings.Find(key);
  if (row != nullptr) {
    const auto& told = row->value.render_errors();
    const bool same = static_cast<size_t>(told.size()) == errors.size() &&
                      std::all_of(errors.begin(), errors.end(), [&](const auto& error) {
                        const auto it = told.find(error.first);
                        return it != told.end() && it->second == error.second;
                      });
    if (!same) {
      v1::Binding changed = row->value;
      changed.clear_render_errors();
      for (const auto& [cluster, message] : errors) {
        (*changed.mutable_render_errors())[cluster] = message;
      }
      state_.bindings.Put(key, std::move(changed));
    }
  }
  error_count_ += errors.size() - known.size();
  if (errors.empty()) {
    errors_.erase(key);
  } else {
    errors_[key] = std::move(errors);
  }
}

}  // namespace sealane::policy

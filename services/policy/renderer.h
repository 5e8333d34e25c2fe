#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/bus/event_sink.h"
#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/core/strings.h"
#include "services/policy/policy_metrics.h"
#include "services/policy/state.h"

namespace sealane::policy {

// What a cluster is to hold of an object: one rendering, shared by the clusters whose overrides and
// replicas are equal.
struct Rendering {
  std::string manifest;  // canonical JSON
  uint64_t hash = 0;
  std::vector<v1::AppliedOverride> applied;
};

// Renders one object for clusters. Pure: prune, then revise replicas, then overrides, then the mark
// that the agent watches by. Valid as long as the manifest and the policies it was made from.
class ObjectRenderer {
 public:
  // `manifest` is the desired state as stored; it is pruned once here.
  ObjectRenderer(Json manifest, std::vector<const OverridePolicy*> overrides, bool revise_replicas);
  ~ObjectRenderer();

  // `replicas` is ignored unless revise_replicas. The error names policy, rule and path.
  absl::StatusOr<const Rendering*> Render(const v1::ClusterStatus& cluster, int32_t replicas);
  [[nodiscard]] size_t distinct() const { return cache_.size(); }

 private:
  std::unique_ptr<const Json> base_;
  std::vector<const OverridePolicy*> overrides_;
  bool revise_replicas_;
  absl::Status pruned_;
  std::map<std::string, absl::StatusOr<Rendering>> cache_;  // by override key and replicas
};

// Brings the works of an object to what its binding and placement say. Thread rule: executor
// thread.
class Renderer {
 public:
  Renderer(Env env, State& state, EventSink& events, PolicyMetrics& metrics);

  absl::Status Reconcile(const std::string& key);
  // Works whose last rendering failed, with the reason; the last good work is in force.
  [[nodiscard]] const std::map<std::string, std::string>& errors() const { return errors_; }

 private:
  struct Target {
    std::string cluster;
    int32_t replicas = 0;
    bool suspended = false;
  };
  using Targets = std::map<std::string, Target>;  // by encoded cluster

  // False: the scheduler has not answered the newest binding yet; nothing may change.
  bool FindTargets(const std::string& key, const v1::Binding* binding, Targets* targets) const;
  void AddNamespaceTargets(const std::string& key, Targets* targets) const;
  absl::Status WriteWanted(const std::string& key, const v1::Binding* binding,
                           const Targets& targets);
  void WriteWork(const std::string& work_key, const Target& target, const v1::Work& common,
                 const Rendering& rendering);
  void Withdraw(const std::string& key, const v1::Binding* binding, const Targets& targets);
  void Fail(const std::string& work_key, const v1::Work& common, const std::string& cluster,
            const absl::Status& status);

  Env env_;
  State& state_;
  EventSink& events_;
  PolicyMetrics& metrics_;
  std::map<std::string, std::string> errors_;
};

}  // namespace sealane::policy

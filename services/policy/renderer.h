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
  std::string_view conflict_resolution;  // as the object itself says; "": as its policy says
};

// What of a workload one cluster gets.
struct Share {
  int32_t replicas = -1;     // negative: as the manifest says
  int64_t completions = -1;  // of a Job; negative: as the manifest says
};

// Renders one object for clusters. Pure: prune, then revise replicas, then overrides, then the mark
// that the agent watches by. Valid as long as the manifest and the policies it was made from.
class ObjectRenderer {
 public:
  // `manifest` is the desired state as stored; it is pruned once here.
  ObjectRenderer(Json manifest, std::vector<const OverridePolicy*> overrides);
  ~ObjectRenderer();

  // The error names policy, rule and path.
  // `labels`: the object gets them in addition, what overrides say wins.
  using Labels = std::map<std::string, std::string>;
  absl::StatusOr<const Rendering*> Render(const v1::ClusterStatus& cluster, Share share,
                                          const Labels& labels = {});
  [[nodiscard]] size_t distinct() const { return cache_.size(); }
  [[nodiscard]] const Json& base() const { return *base_; }

 private:
  std::unique_ptr<const Json> base_;
  std::vector<const OverridePolicy*> overrides_;
  absl::Status pruned_;
  std::map<std::string, absl::StatusOr<Rendering>> cache_;  // by override key and replicas
};

// Divides the completions of a Job by the replicas of the clusters, in name order, as Karmada does.
// `uid` decides ties.
[[nodiscard]] std::vector<int64_t> DivideCompletions(int64_t completions,
                                                     const std::vector<int32_t>& replicas,
                                                     std::string_view uid);

// Brings the works of an object to what its binding and placement say. Thread rule: executor
// thread.
class Renderer {
 public:
  Renderer(Env env, State& state, EventSink& events, PolicyMetrics& metrics);

  absl::Status Reconcile(const std::string& key);
  // Removes the row of a work that is withdrawn once its cluster said that nothing is left of it.
  void Settle(const std::string& work_key);
  // Renders once more what the work carries, to tell the operations that made it: they would be
  // most of the row if they were kept. Nothing is added when policies or the object have changed
  // since, so that the result differs.
  void AddAppliedOverrides(std::string_view work_key, v1::Work& work) const;
  // Why the object's last rendering failed, by cluster; the last good works are in force.
  using Errors = std::map<std::string, std::string>;
  [[nodiscard]] const Errors& ErrorsOf(std::string_view key) const;
  // Objects that are placed in the cluster (encoded) but could not be rendered for it: it was not
  // known yet, or overrides failed. They are forgotten.
  std::set<std::string> TakeUnrendered(std::string_view cluster);
  [[nodiscard]] size_t error_count() const { return error_count_; }

 private:
  struct Target {
    std::string cluster;
    Share share;
    bool suspended = false;
    ObjectRenderer::Labels labels;  // the state that a failover preserves
  };
  using Targets = std::map<std::string, Target>;  // by encoded cluster

  // False: the scheduler has not answered the newest binding yet; nothing may change.
  bool FindTargets(const std::string& key, const v1::Binding* binding, Targets* targets) const;
  void AddNamespaceTargets(const std::string& key, Targets* targets) const;
  // What the works of an object have in common, and what renders them; no renderer: the object is
  // on its way out. Completes the targets' shares.
  struct Source {
    v1::Work common;
    std::unique_ptr<ObjectRenderer> renderer;
  };
  absl::StatusOr<Source> SourceOf(const std::string& key, const v1::Binding* binding,
                                  Targets& targets) const;
  absl::Status WriteWanted(const std::string& key, const v1::Binding* binding, Targets& targets,
                           Errors* errors);
  // Divides the completions of a Job. `placed`: which clusters only keep a copy for a while.
  static void ShareCompletions(int64_t completions, std::string_view uid, const v1::Placed* placed,
                               Targets& targets);
  // The cluster was given up: the work is forgotten, and told.
  void Abandon(const std::string& work_key, const v1::Work& work);
  void WriteWork(const std::string& work_key, const Target& target, const v1::Work& common,
                 const Rendering& rendering);
  void Withdraw(const std::string& key, const v1::Binding* binding, const Targets& targets);
  // Replaces what is known of the object's failures, tells the new ones, and writes them into its
  // binding for the status service.
  void SetErrors(const std::string& key, const v1::Binding* binding, Errors errors);

  Env env_;
  State& state_;
  EventSink& events_;
  PolicyMetrics& metrics_;
  StringMap<Errors> errors_;  // by row key of the object; only those that have some
  size_t error_count_ = 0;
  StringMap<std::set<std::string>> unrendered_;  // encoded cluster -> row keys
};

}  // namespace sealane::policy

#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/bus/packed_table.h"
#include "lib/core/env.h"
#include "lib/core/strings.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/policy/dependency_graph.h"
#include "services/policy/label_index.h"
#include "services/policy/manifest_cache.h"
#include "services/policy/policy_index.h"

namespace sealane::policy {

// The tables that the policy service reads and writes, and what is derived from them. Intake,
// Matcher and Renderer share it; each writes its own table only. Thread rule: executor thread.
struct State {
  State(Bus& bus, Env env);

  PackedTable<v1::StoredObject> objects;  // written by Intake, removed by Matcher
  // Written by Matcher; render_errors by Renderer, who also removes the rows.
  PackedTable<v1::Binding> bindings;
  PackedTable<v1::Work> works;  // written by Renderer
  PackedTable<v1::Placed> placements;
  Table<v1::ClusterStatus> clusters;

  PolicyIndex policies;
  DependencyGraph dependencies;
  LabelIndex labels;  // of the rows of `objects`
  ManifestCache manifests;

  // Row key of an object -> encoded clusters that have a work row of it, in order. The names stay
  // where they are.
  StringMap<std::vector<const std::string*>> clusters_of;
  // Namespace -> encoded cluster -> how many works of that namespace the cluster has.
  std::map<std::string, std::map<std::string, int>, std::less<>> namespace_content;
  // Work rows whose agent says Removed: row key of the work -> the fence it spoke about.
  StringMap<v1::Fence> removed;

  // Every deploy event up to this stream sequence is durable and acknowledged.
  uint64_t acknowledged_sequence = 0;

  // Keeps clusters_of and namespace_content equal to the work rows. Returns the namespace whose
  // clusters changed, or "".
  std::string NoteWork(const std::string& work_key);
  // Whether what was delivered to the cluster (encoded) is to be left there: its Cluster object is
  // on its way out and annotated sealane.io/keep-workloads: "true" (`sealane unjoin`).
  [[nodiscard]] bool KeepsWorkloads(const std::string& cluster_token) const;
  // Whether the cluster (encoded) was given up: it is on its way out and annotated
  // sealane.io/abandon: "true" (`sealane unjoin --force`). Nobody waits for its agent.
  [[nodiscard]] bool IsAbandoned(const std::string& cluster_token) const;
  // True when what overrides can see of the cluster (labels, provider, region, zones) changed since
  // the last call, or it was given up: most changes of a cluster's status are about its capacity.
  bool NoteCluster(const std::string& cluster_key);
  // Row keys of the objects that a policy with these selectors may concern, in order: found by
  // name, by label or by kind, never by looking at everything.
  [[nodiscard]] std::vector<std::string> Concerned(const PolicyIndex::Change& change) const;
  // Row keys of the namespaces that follow their content and that the change may concern, whether
  // or not somebody described them: overrides of the whole fleet apply to them.
  [[nodiscard]] std::vector<std::string> ConcernedNamespaces(
      const PolicyIndex::Change& change) const;

 private:
  // Whether cluster-wide overrides may give objects of the namespace the labels that its own
  // override policies select by.
  [[nodiscard]] bool MayBeRelabelled(const ResourceSelector& selector, const std::string& ns) const;
  void AddConcerned(const ResourceSelector& selector, std::string_view ns,
                    std::set<std::string>* keys) const;

  std::set<std::string, std::less<>> cluster_tokens_;  // what clusters_of points to
  StringMap<std::string> cluster_facts_;               // cluster -> what overrides see of it
};

// The row key of the Namespace object of that name.
[[nodiscard]] std::string NamespaceKey(std::string_view ns);
// Identity of the Cluster object of that name.
[[nodiscard]] ObjectKey ClusterObject(std::string_view name);
// "<cluster>.<row>" -> "<row>".
[[nodiscard]] std::string_view ObjectOfWorkKey(std::string_view work_key);

}  // namespace sealane::policy

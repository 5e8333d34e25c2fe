#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/json_fwd.h"
#include "lib/kube/health.h"
#include "lib/kube/json_path.h"
#include "lib/model/identity.h"
#include "lib/model/labels_view.h"

namespace sealane {

struct Rebalancer;

namespace v1 {
class AppStatus;
class Binding;
class Placed;
class StoredObject;
class WorkStatus;
}  // namespace v1

namespace status {

// What the status service keeps in memory of each row it reads: with 100,000 works, manifests and
// placement rules would be most of its memory, and it needs neither.

// Of a row of `objects`.
struct ObjectFacts {
  std::string api_version;
  std::string uid;
  std::string trace_id;
  std::string service_type;  // spec.type of a Service
  LabelList labels;
  int64_t generation = 0;
  int64_t updated_micros = 0;
  bool deleting = false;
  std::shared_ptr<const Rebalancer> rebalancer;  // what a WorkloadRebalancer asks for
};

// Of a row of `bindings`.
struct BindingFacts {
  std::string policy;  // "PropagationPolicy classroom/web"; empty: unclaimed
  int64_t revision = 0;
  int64_t object_generation = 0;
  int64_t claimed_micros = 0;
  int32_t replicas = 0;
  // Clusters of the objects that need this one, which it follows; in order of names.
  std::vector<uint32_t> attached_to;
  // Cluster -> why the newest rendering for it failed; most bindings have none.
  std::map<std::string, std::string, std::less<>> render_errors;
  // Where its policy suspends dispatching: everywhere, or in these clusters.
  bool suspended = false;
  std::set<std::string, std::less<>> suspended_in;
  // failover.*.statePreservation: label -> where in the status its value is.
  std::vector<std::pair<std::string, kube::JsonPath>> state_rules;
};

// Of a row of `placements`.
struct PlacementFacts {
  struct Target {
    uint32_t cluster = 0;  // see ClusterNames
    int32_t replicas = 0;
  };
  std::vector<Target> targets;  // in order of names
  std::string state;
  std::string message;
  int64_t binding_revision = 0;  // that it answers
  int64_t scheduled_micros = 0;
};

struct ReplicaCounts {
  int32_t wanted = 0;  // only where the cluster decides: DaemonSet
  int32_t updated = 0;
  int32_t ready = 0;
  int32_t available = 0;
};

// Of a row of `work_status`.
struct WorkFacts {
  // Said only when something is wrong.
  struct Words {
    std::string reason;
    std::string message;
    std::string detail;
  };
  enum class State : uint8_t { kUnspecified, kApplied, kFailed, kRemoved, kRemoving };

  uint32_t cluster = 0;
  State state = State::kUnspecified;
  kube::Health health = kube::Health::kUnknown;
  ReplicaCounts replicas;
  uint64_t uid_hash = 0;
  int64_t fence_version = 0;
  int64_t incarnation = 0;
  int64_t counter = 0;
  int64_t object_generation = 0;
  int64_t member_generation = 0;
  int64_t observed_generation = 0;
  int64_t applied_micros = 0;
  int64_t received_micros = 0;  // our clock
  int64_t drift_repairs = 0;    // ever, of this work there
  // Of those, how many an event has told of, and when (see work_news.h).
  int64_t drift_told = 0;
  int64_t drift_told_micros = 0;
  std::string status_json;
  std::unique_ptr<Words> words;
};

// Of the row of `app_status` in force: what the next one depends on.
struct Published {
  struct ClusterTimes {
    uint32_t cluster = 0;
    int64_t unhealthy_since_micros = 0;
    int64_t healthy_micros = 0;
    int64_t healthy_generation = 0;  // that healthy_micros and applied_micros are about
    int64_t placed_micros = 0;
    int64_t rendered_micros = 0;
    int64_t applied_micros = 0;
    int64_t last_word_micros = 0;
  };
  uint64_t content_hash = 0;  // of everything but the times at which things were said
  uint64_t uid_hash = 0;
  int64_t generation = 0;
  int64_t observed_generation = 0;
  int64_t phase_since_micros = 0;
  int64_t claimed_micros = 0;
  int64_t updated_micros = 0;
  uint64_t revision = 0;  // of the row
  std::string phase;
  std::string status_json;             // aggregated
  std::vector<ClusterTimes> clusters;  // in order of names
  size_t bytes = 0;                    // of the row
};

// Cluster names as small numbers. Thread rule: one thread.
class ClusterNames {
 public:
  // The number of a name, given when it is first seen.
  uint32_t Id(std::string_view name);
  [[nodiscard]] const std::string& Name(uint32_t id) const { return *names_[id]; }
  [[nodiscard]] size_t size() const { return names_.size(); }

 private:
  std::vector<std::unique_ptr<std::string>> names_;
  std::map<std::string_view, uint32_t> ids_;
};

[[nodiscard]] uint64_t UidHash(std::string_view uid);

[[nodiscard]] ObjectFacts FactsOf(const v1::StoredObject& object);
[[nodiscard]] BindingFacts FactsOf(const v1::Binding& binding, ClusterNames& names);
[[nodiscard]] PlacementFacts FactsOf(const v1::Placed& placed, ClusterNames& names);
// Takes the strings of the message.
[[nodiscard]] WorkFacts FactsOf(v1::WorkStatus&& word, ClusterNames& names, int64_t now_micros);
[[nodiscard]] Published FactsOf(const v1::AppStatus& row, ClusterNames& names);

// Replicas as the reflected status of a workload tells them, by the field names of its kind.
[[nodiscard]] ReplicaCounts CountReplicas(const Json& status);

// True when `word` is not newer than what is known: it is to be dropped. A larger incarnation wins,
// then a larger counter.
[[nodiscard]] bool IsStale(const WorkFacts& known, const WorkFacts& word);

// A hash of the row without the times that change although nothing happens.
[[nodiscard]] uint64_t ContentHash(const v1::AppStatus& row);

}  // namespace status
}  // namespace sealane

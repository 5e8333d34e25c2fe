#include "services/source/plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"

namespace sealane::source {
namespace {

constexpr std::string_view kEventPrefix = "git-";
constexpr size_t kUidLength = 36;
constexpr size_t kCommitLength = 40;  // of longer ones so much is enough
constexpr size_t kEnvelope = 512;     // what an event has besides its operations, generously

// Why the source may not write this object; "": it may.
std::string WhyNotOurs(const StoredFact& fact, bool owned, bool take_over) {
  if (!fact.owner.empty() && !fact.deleting) {
    return StrCat("belongs to the GitSource ", fact.owner);
  }
  if (fact.ours || owned || fact.deleting || take_over) return "";
  return StrCat("exists and was published by ",
                fact.publisher.empty() ? "an unnamed publisher" : fact.publisher,
                ", not by this source; delete it there, or set spec.takeOver");
}

bool IsCluster(const v1::GitObject& object) {
  return object.ref().kind() == "Cluster" &&
         GroupOf(object.ref().api_version()) == "cluster.karmada.io";
}

std::string IdentityOf(const v1::ObjectRef& ref) {
  Json manifest = {{"apiVersion", ref.api_version()},
                   {"kind", ref.kind()},
                   {"metadata", {{"name", ref.name()}}}};
  if (!ref.namespace_().empty()) manifest["metadata"]["namespace"] = ref.namespace_();
  return WriteJson(manifest);
}

class Planner {
 public:
  Planner(const Owned& owned, const LookUp& stored, const PlanOptions& options)
      : owned_(owned), stored_(stored), options_(options) {}

  void Want(const DesiredObject& wanted) {
    plan_.owned[wanted.key] = wanted.object;
    const StoredFact* fact = stored_(wanted.key);
    v1::Operation operation;
    operation.set_type(v1::Operation::APPLY);
    operation.set_manifest(wanted.manifest);
    operation.set_source(wanted.object.file());
    if (fact == nullptr) {
      operation.mutable_precondition()->set_must_not_exist(true);
    } else {
      const bool owned = owned_.contains(wanted.key);
      const std::string why = WhyNotOurs(*fact, owned, options_.take_over);
      if (!why.empty()) {
        v1::GitProblem problem = MakeProblem(wanted.object.file(), "Conflict", why);
        *problem.mutable_ref() = wanted.object.ref();
        plan_.problems.push_back(std::move(problem));
        return;
      }
      const bool same = !fact->deleting && fact->hash == wanted.object.manifest_hash();
      if (same) return;
      if (!fact->deleting) {
        operation.mutable_precondition()->set_expected_revision(fact->revision);
      }
    }
    ++plan_.applied;
    operations_.push_back(std::move(operation));
  }

  // The source goes.
  void BeginRemoval() {
    plan_.removal = true;
    holds_clusters_ = std::any_of(owned_.begin(), owned_.end(), [this](const auto& entry) {
      const StoredFact* fact = IsCluster(entry.second) ? nullptr : Ours(entry.first);
      return fact != nullptr && Keeps(*fact, entry.second);
    });
  }

  void Leave(const std::string& key, const v1::GitObject& object) {
    const StoredFact* fact = Ours(key);
    if (fact == nullptr) return;
    if (Keeps(*fact, object)) {
      ++plan_.kept;
      return;
    }
    if (holds_clusters_ && IsCluster(object)) {
      plan_.held_clusters.insert(plan_.held_clusters.begin(), object.ref().name());
      return;
    }
    v1::Operation operation;
    operation.set_type(v1::Operation::DELETE);
    operation.set_manifest(IdentityOf(object.ref()));
    operation.set_source(object.file());
    operation.mutable_precondition()->set_expected_revision(fact->revision);
    ++plan_.removed;
    operations_.push_back(std::move(operation));
  }

  Plan Finish() {
    if (plan_.problems.empty()) MakeEvents();
    return std::move(plan_);
  }

 private:
  // What is known of an object of the source; nullptr: it is not the source's any more.
  const StoredFact* Ours(const std::string& key) const {
    const StoredFact* fact = stored_(key);
    return fact == nullptr || fact->deleting || !fact->owner.empty() ? nullptr : fact;
  }

  // Whether the object stays in the fleet when it leaves the path.
  bool Keeps(const StoredFact& fact, const v1::GitObject& object) const {
    return !options_.prune || fact.keep || object.keep();
  }

  void MakeEvents() {
    if (operations_.empty()) return;
    uint64_t digest = 0;
    size_t bytes = 0;
    plan_.events.emplace_back();
    for (v1::Operation& operation : operations_) {
      digest = Fnv1a64(StrCat(Hex64(digest), operation.SerializeAsString()));
      const size_t size = operation.ByteSizeLong() + 8;
      if (bytes > 0 && bytes + size + kEnvelope > options_.max_event_bytes) {
        plan_.events.emplace_back();
        bytes = 0;
      }
      bytes += size;
      *plan_.events.back().add_operations() = std::move(operation);
    }
    const std::string commit =
        options_.commit.empty() ? "removed" : options_.commit.substr(0, kCommitLength);
    for (size_t i = 0; i < plan_.events.size(); ++i) {
      v1::DeployEvent& event = plan_.events[i];
      event.set_id(StrCat(EventPrefix(options_.uid), commit, "-", Hex64(digest), "-", i + 1));
      event.set_trace_id(plan_.events.front().id());
      event.set_all_or_nothing(true);
    }
  }

  const Owned& owned_;
  const LookUp& stored_;
  const PlanOptions& options_;
  bool holds_clusters_ = false;
  Plan plan_;
  std::vector<v1::Operation> operations_;
};

}  // namespace

Plan MakePlan(const std::vector<DesiredObject>& desired, const Owned& owned, const LookUp& stored,
              const PlanOptions& options) {
  Planner planner(owned, stored, options);
  if (options.commit.empty()) planner.BeginRemoval();
  std::set<std::string> wanted;
  for (const DesiredObject& one : desired) {
    wanted.insert(one.key);
    planner.Want(one);
  }
  // In the reverse order of their keys: what is in a namespace before the namespace ("=.Namespace"
  // is early in the order).
  for (auto it = owned.rbegin(); it != owned.rend(); ++it) {
    if (!wanted.contains(it->first)) planner.Leave(it->first, it->second);
  }
  return planner.Finish();
}

bool Drifted(const v1::GitSourceState& state, const LookUp& stored) {
  for (const v1::GitObject& object : state.objects()) {
    const StoredFact* fact = stored(RowKey(object.ref()));
    if (fact == nullptr || fact->deleting || fact->hash != object.manifest_hash()) return true;
  }
  return false;
}

std::string EventPrefix(std::string_view uid) { return StrCat(kEventPrefix, uid, "-"); }

std::string_view SourceOfEvent(std::string_view event_id) {
  const size_t length = kEventPrefix.size() + kUidLength;
  if (!event_id.starts_with(kEventPrefix) || event_id.size() <= length || event_id[length] != '-') {
    return {};
  }
  return event_id.substr(kEventPrefix.size(), kUidLength);
}

}  // namespace sealane::source

#include "services/status/app_status.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "absl/time/time.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kube/aggregate_status.h"
#include "lib/kube/health.h"
#include "lib/model/label_syntax.h"
#include "sealane/v1/common.pb.h"

namespace sealane::status {
namespace {

// The states of one cluster's part.
constexpr std::string_view kPartPending = "Pending";
constexpr std::string_view kPartApplied = "Applied";
constexpr std::string_view kPartFailed = "Failed";
constexpr std::string_view kPartRemoving = "Removing";
constexpr std::string_view kPartLost = "Lost";

// One cluster's part, while it is being judged.
struct Part {
  uint32_t cluster = 0;
  const PlacementFacts::Target* target = nullptr;  // nullptr: should not run it
  const WorkFacts* work = nullptr;                 // of this object, not of an earlier one
  const std::string* render_error = nullptr;       // no newer manifest could be made for it
  bool held = false;  // dispatching is suspended, and it does not run the newest generation
  ClusterWord word;

  // Nobody knows what is there now: the agent is silent, or its API server does not answer it.
  [[nodiscard]] bool lost() const { return word.readiness != Readiness::kTrue; }
};

bool Suspended(const AppInput& in, uint32_t cluster) {
  return in.binding != nullptr &&
         (in.binding->suspended || in.binding->suspended_in.contains(in.names.Name(cluster)));
}

// Clusters that should run the object, and those that still say something about it, by name.
std::vector<Part> MakeParts(const AppInput& in, uint64_t uid_hash) {
  std::vector<Part> parts;
  static const auto& none = *new std::vector<PlacementFacts::Target>();
  const auto& targets = in.placement != nullptr ? in.placement->targets : none;
  auto target = targets.begin();
  auto work = in.works.begin();
  while (target != targets.end() || work != in.works.end()) {
    Part part;
    int order = 0;
    if (target == targets.end()) {
      order = 1;
    } else if (work == in.works.end()) {
      order = -1;
    } else {
      order = in.names.Name(target->cluster).compare(in.names.Name((*work)->cluster));
    }
    if (order <= 0) {
      part.cluster = target->cluster;
      part.target = &*target++;
    }
    if (order >= 0) {
      part.cluster = (*work)->cluster;
      if ((*work)->uid_hash == uid_hash && (*work)->state != WorkFacts::State::kRemoved) {
        part.work = *work;
      }
      ++work;
    }
    if (part.target == nullptr && part.work == nullptr) continue;
    if (in.binding != nullptr && part.target != nullptr && !in.binding->render_errors.empty()) {
      const auto& errors = in.binding->render_errors;
      const auto error = errors.find(in.names.Name(part.cluster));
      if (error != errors.end()) part.render_error = &error->second;
    }
    part.held = part.target != nullptr && Suspended(in, part.cluster) &&
                (part.work == nullptr || part.work->object_generation < in.object.generation);
    part.word = in.cluster_word(part.cluster);
    parts.push_back(part);
  }
  return parts;
}

const Published::ClusterTimes* FindTimes(const AppInput& in, uint32_t cluster) {
  if (in.published == nullptr) return nullptr;
  const auto& times = in.published->clusters;
  const std::string& name = in.names.Name(cluster);
  const auto it = std::lower_bound(times.begin(), times.end(), name,
                                   [&](const Published::ClusterTimes& entry, const std::string& n) {
                                     return in.names.Name(entry.cluster) < n;
                                   });
  return it != times.end() && it->cluster == cluster ? &*it : nullptr;
}

void Say(v1::ClusterAppStatus& out, std::string_view state, std::string_view reason,
         std::string_view message) {
  out.set_state(std::string(state));
  out.set_reason(std::string(reason));
  out.set_message(std::string(message));
}

void SayState(const Part& part, v1::ClusterAppStatus& out) {
  const WorkFacts* work = part.work;
  if (!part.word.registered) {
    Say(out, kPartLost, "ClusterNotRegistered", "no such cluster is registered");
  } else if (part.word.readiness == Readiness::kFalse) {
    Say(out, kPartLost, "ClusterNotReady",
        "the cluster's API server does not answer; this is its last word");
  } else if (part.lost()) {
    Say(out, kPartLost, "ClusterLost", "the cluster's agent is silent; this is its last word");
  } else if (part.target == nullptr) {
    Say(out, kPartRemoving, "NotPlacedHere", "it is being removed from this cluster");
  } else if (part.render_error != nullptr) {
    Say(out, kPartFailed, "RenderFailed", *part.render_error);
  } else if (part.held) {
    Say(out, work == nullptr ? kPartPending : kPartApplied, "Suspended",
        "its policy suspends dispatching to this cluster");
  } else if (work == nullptr) {
    Say(out, kPartPending, "WaitingForCluster", "the cluster has not applied it yet");
  } else if (work->state == WorkFacts::State::kFailed) {
    Say(out, kPartFailed, work->words != nullptr ? work->words->reason : "",
        work->words != nullptr ? work->words->message : "");
  } else if (work->state == WorkFacts::State::kRemoving) {
    Say(out, kPartRemoving, "Returning", "an earlier copy is being removed first");
  } else {
    Say(out, kPartApplied, work->words != nullptr ? work->words->reason : "",
        work->words == nullptr        ? ""
        : work->words->detail.empty() ? work->words->message
                                      : work->words->detail);
  }
}

// What the application takes along when it leaves the cluster. Only what can be a label is.
void PreserveState(const AppInput& in, const WorkFacts& work, v1::ClusterAppStatus& out) {
  if (in.binding == nullptr || in.binding->state_rules.empty() || work.status_json.empty()) return;
  const Json status = Json::parse(work.status_json, nullptr, /*allow_exceptions=*/false);
  for (const auto& [label, path] : in.binding->state_rules) {
    const Json* value = path.Find(status);
    if (value == nullptr || value->is_structured() || value->is_null()) continue;
    const std::string text = value->is_string() ? value->get<std::string>() : value->dump();
    if (CheckLabelValue(text).empty()) (*out.mutable_preserved_labels())[label] = text;
  }
}

// When the newest generation was placed in the cluster and rendered for it: the first times count,
// whatever is decided or rendered again.
void FillRollout(const AppInput& in, const Part& part, const Published::ClusterTimes* times,
                 v1::ClusterAppStatus& out) {
  const bool same_generation =
      in.published != nullptr && in.published->generation == in.object.generation;
  if (same_generation && times != nullptr) {
    out.set_placed_micros(times->placed_micros);
    out.set_rendered_micros(times->rendered_micros);
  }
  if (out.placed_micros() == 0 && part.target != nullptr && in.placement != nullptr &&
      in.binding != nullptr && in.binding->object_generation >= in.object.generation &&
      in.placement->binding_revision >= in.binding->revision) {
    out.set_placed_micros(in.placement->scheduled_micros);
  }
  if (out.rendered_micros() == 0 && part.work != nullptr &&
      part.work->object_generation >= in.object.generation) {
    out.set_rendered_micros(part.work->fence_version);
  }
}

v1::ClusterAppStatus DescribePart(const AppInput& in, const Part& part, bool with_status) {
  v1::ClusterAppStatus out;
  out.set_cluster(in.names.Name(part.cluster));
  SayState(part, out);
  const bool heard = part.work != nullptr && part.word.registered && !part.lost();
  const kube::Health health = heard ? part.work->health : kube::Health::kUnknown;
  out.set_health(std::string(kube::HealthName(health)));
  v1::Replicas& replicas = *out.mutable_replicas();
  if (part.target != nullptr) replicas.set_wanted(part.target->replicas);
  if (heard) {
    const ReplicaCounts& counts = part.work->replicas;
    if (counts.wanted != 0 && part.target != nullptr) replicas.set_wanted(counts.wanted);
    replicas.set_updated(counts.updated);
    replicas.set_ready(counts.ready);
    replicas.set_available(counts.available);
  }
  const Published::ClusterTimes* times = FindTimes(in, part.cluster);
  int64_t last_word = times != nullptr ? times->last_word_micros : 0;
  if (part.work != nullptr) {
    out.set_applied_generation(part.work->object_generation);
    const bool known = times != nullptr && times->applied_micros != 0 &&
                       times->healthy_generation == part.work->object_generation;
    out.set_applied_micros(known ? times->applied_micros : part.work->applied_micros);
    last_word = std::max(last_word, part.work->received_micros);
    if (with_status && heard) out.set_status_json(part.work->status_json);
    PreserveState(in, *part.work, out);
  }
  FillRollout(in, part, times, out);
  if (part.lost()) last_word = std::max(last_word, part.word.last_heartbeat_micros);
  out.set_last_word_micros(last_word);

  // A cluster that is lost keeps its clocks: silence is not recovery.
  const bool unhealthy = heard ? health == kube::Health::kUnhealthy : part.lost();
  if (unhealthy && times != nullptr && times->unhealthy_since_micros != 0) {
    out.set_unhealthy_since_micros(times->unhealthy_since_micros);
  } else if (heard && unhealthy) {
    out.set_unhealthy_since_micros(in.now_micros);
  }
  if (times != nullptr && times->healthy_micros != 0 &&
      times->healthy_generation == out.applied_generation()) {
    out.set_healthy_micros(times->healthy_micros);
  } else if (health == kube::Health::kHealthy) {
    out.set_healthy_micros(in.now_micros);
  }
  return out;
}

// Kinds whose controllers always say which generation they have seen. Other kinds may not: there, 0
// says nothing.
bool TellsObservedGeneration(const AppInput& in) {
  static constexpr std::string_view kKinds[] = {"Deployment", "StatefulSet", "DaemonSet",
                                                "ReplicaSet"};
  return in.key.group == "apps" &&
         std::find(std::begin(kKinds), std::end(kKinds), in.key.kind) != std::end(kKinds);
}

// The cluster runs the newest generation, and its controller has acted on it.
bool RunsNewest(const AppInput& in, const Part& part) {
  if (part.work == nullptr || part.lost()) return false;
  if (part.work->state != WorkFacts::State::kApplied) return false;
  if (part.work->object_generation < in.object.generation) return false;
  if (part.work->observed_generation == 0) return !TellsObservedGeneration(in);
  return part.work->observed_generation >= part.work->member_generation;
}

// A member's reflected status, with the generation its controller has seen: not every kind's status
// carries it, but the agent always says it.
Json MemberStatus(const WorkFacts& work) {
  if (work.status_json.empty()) return Json();
  Json status = Json::parse(work.status_json, nullptr, /*allow_exceptions=*/false);
  if (!status.is_object()) return Json();
  if (work.observed_generation != 0 && !status.contains("observedGeneration")) {
    status["observedGeneration"] = work.observed_generation;
  }
  return status;
}

// The Kubernetes status of the object over all clusters that should run it; null: none.
Json Aggregate(const AppInput& in, const std::vector<Part>& parts, bool same_object) {
  Json object = {{"apiVersion", in.object.api_version},
                 {"kind", in.key.kind},
                 {"metadata", {{"generation", in.object.generation}}},
                 {"spec", {{"type", in.object.service_type}}}};
  if (!kube::CanAggregate(object)) return Json();
  Json previous;
  if (same_object && !in.published->status_json.empty()) {
    previous = Json::parse(in.published->status_json, nullptr, /*allow_exceptions=*/false);
    if (previous.is_object()) object["status"] = previous;
  }
  std::vector<Json> statuses;
  statuses.reserve(parts.size());
  std::vector<kube::AggregateItem> items;
  for (const Part& part : parts) {
    if (part.target == nullptr) continue;
    const bool heard = part.work != nullptr && !part.lost();
    statuses.push_back(heard ? MemberStatus(*part.work) : Json());
    items.push_back({in.names.Name(part.cluster), &statuses.back()});
  }
  if (items.empty()) return previous;
  auto status = kube::AggregateStatus(object, items, FromMicros(in.now_micros));
  // One malformed report does not take the whole picture away.
  return status.ok() ? *std::move(status) : previous;
}

bool JobFailed(const Json& status) {
  const auto conditions = status.is_object() ? status.find("conditions") : status.end();
  if (!status.is_object() || conditions == status.end() || !conditions->is_array()) return false;
  return std::any_of(conditions->begin(), conditions->end(), [](const Json& condition) {
    return condition.is_object() && condition.contains("type") && condition["type"] == "Failed" &&
           condition.contains("status") && condition["status"] == "True";
  });
}

// How many of the clusters that should run the object are in which state.
struct Tally {
  size_t targets = 0;
  size_t spoken = 0;   // have said something about this object
  size_t newest = 0;   // run the newest generation
  size_t healthy = 0;  // and are healthy
  size_t failed = 0;
  size_t lost = 0;
  std::string problem;  // of the first cluster that has one: "aws-virginia: Invalid: ..."
};

Tally Count(const AppInput& in, const std::vector<Part>& parts, const v1::AppStatus& row) {
  Tally tally;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    const v1::ClusterAppStatus& said = row.clusters(static_cast<int>(i));
    if (part.target == nullptr) continue;
    ++tally.targets;
    if (part.work != nullptr) ++tally.spoken;
    const bool newest = RunsNewest(in, part);
    if (newest) ++tally.newest;
    const bool healthy = newest && part.work->health == kube::Health::kHealthy;
    if (healthy) ++tally.healthy;
    if (said.state() == kPartFailed) ++tally.failed;
    if (said.state() == kPartLost) ++tally.lost;
    if (healthy || !tally.problem.empty()) continue;
    if (said.reason().empty() && said.message().empty()) continue;
    tally.problem = said.cluster();
    for (const std::string* text : {&said.reason(), &said.message()}) {
      if (!text->empty()) tally.problem = StrCat(tally.problem, ": ", *text);
    }
  }
  return tally;
}

// Where the object should be: where it is placed, and where objects that need it are.
PlacementFacts WithAttached(const AppInput& in) {
  PlacementFacts all;
  if (in.placement != nullptr) all = *in.placement;
  const size_t placed = all.targets.size();
  for (const uint32_t cluster : in.binding->attached_to) {
    const bool known =
        std::any_of(all.targets.begin(), all.targets.begin() + static_cast<ptrdiff_t>(placed),
                    [&](const auto& target) { return target.cluster == cluster; });
    if (!known) all.targets.push_back({cluster, 0});
  }
  std::sort(all.targets.begin(), all.targets.end(), [&](const auto& a, const auto& b) {
    return in.names.Name(a.cluster) < in.names.Name(b.cluster);
  });
  return all;
}

std::string_view Phase(const AppInput& in, const Tally& tally, bool job_failed, bool same_object) {
  if (in.object.deleting) return kDeleting;
  if (tally.targets == 0) return kPending;
  if (job_failed) return kFailed;
  if (tally.failed > 0 && tally.healthy > 0) return kDegraded;
  // While another cluster still works at it, a refusal by one is not the end: it may yet run there.
  if (tally.failed > 0 && tally.failed + tally.lost == tally.targets) return kFailed;
  const bool was_up = same_object && in.published->generation == in.object.generation &&
                      (in.published->phase == kHealthy || in.published->phase == kDegraded);
  if (tally.lost > 0 && (was_up || tally.healthy > 0)) return kDegraded;
  if (tally.healthy == tally.targets) return kHealthy;
  const bool settled = tally.newest + tally.failed == tally.targets;
  if (settled) return was_up ? kDegraded : kProgressing;
  return tally.spoken == 0 ? kScheduled : kApplying;
}

std::string Message(const AppInput& in, const Tally& tally) {
  if (in.object.deleting) {
    return tally.spoken == 0 ? "waiting for its removal to be confirmed" : "being removed";
  }
  if (in.binding == nullptr || (in.binding->policy.empty() && tally.targets == 0)) {
    return "no policy selects it";
  }
  if (in.placement == nullptr) return "waiting to be scheduled";
  if (tally.targets == 0) {
    return in.placement->message.empty() ? "no cluster fits" : in.placement->message;
  }
  std::string text = StrCat(tally.healthy, " of ", tally.targets, " clusters healthy");
  if (tally.newest < tally.targets) {
    text = StrCat(text, ", ", tally.newest, " run generation ", in.object.generation);
  }
  if (in.binding->policy.empty() && in.binding->attached_to.empty()) {
    text = StrCat(text, "; no policy claims it any more, it stays where it is");
  }
  if (!tally.problem.empty()) text = StrCat(text, "; ", tally.problem);
  return text;
}

void SumReplicas(const AppInput& in, const std::vector<Part>& parts, v1::AppStatus& row) {
  v1::Replicas& total = *row.mutable_replicas();
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].target == nullptr) continue;
    const v1::Replicas& part = row.clusters(static_cast<int>(i)).replicas();
    total.set_wanted(total.wanted() + part.wanted());
    total.set_updated(total.updated() + part.updated());
    total.set_ready(total.ready() + part.ready());
    total.set_available(total.available() + part.available());
  }
  if (total.wanted() == 0 && in.binding != nullptr && in.placement == nullptr) {
    total.set_wanted(in.binding->replicas);
  }
}

}  // namespace

v1::AppStatus RowFor(const ObjectKey& key, const ObjectFacts& object) {
  v1::AppStatus row;
  v1::ObjectRef& ref = *row.mutable_ref();
  ref.set_api_version(object.api_version);
  ref.set_kind(key.kind);
  ref.set_namespace_(key.ns);
  ref.set_name(key.name);
  row.set_uid(object.uid);
  row.set_generation(object.generation);
  row.set_trace_id(object.trace_id);
  row.set_deleting(object.deleting);
  row.set_accepted_micros(object.updated_micros);
  return row;
}

v1::AppStatus ComputeAppStatus(const AppInput& in) {
  const uint64_t uid_hash = UidHash(in.object.uid);
  const bool same_object = in.published != nullptr && in.published->uid_hash == uid_hash;
  AppInput own = in;  // what was published about an earlier object of this name does not count
  if (!same_object) own.published = nullptr;
  PlacementFacts with_attached;
  if (in.binding != nullptr && !in.binding->attached_to.empty()) {
    with_attached = WithAttached(in);
    own.placement = &with_attached;
  }

  v1::AppStatus row = RowFor(in.key, in.object);
  if (in.binding != nullptr) row.set_policy(in.binding->policy);
  if (same_object && in.published->generation == in.object.generation) {
    row.set_claimed_micros(in.published->claimed_micros);
  }
  if (row.claimed_micros() == 0 && in.binding != nullptr &&
      in.binding->object_generation >= in.object.generation) {
    row.set_claimed_micros(in.binding->claimed_micros);
  }
  if (in.placement != nullptr) {
    row.set_schedule_state(in.placement->state);
    row.set_schedule_message(in.placement->message);
  }

  const std::vector<Part> parts = MakeParts(own, uid_hash);
  const Json status = Aggregate(own, parts, same_object);
  // Where no one status can be made, each cluster's own is told.
  const bool aggregated =
      kube::CanAggregate({{"apiVersion", in.object.api_version}, {"kind", in.key.kind}});
  for (const Part& part : parts) {
    *row.add_clusters() = DescribePart(own, part, !aggregated);
    if (part.render_error != nullptr) {
      row.add_render_errors(StrCat(in.names.Name(part.cluster), ": ", *part.render_error));
    }
  }
  if (status.is_object()) row.set_status_json(status.dump());
  SumReplicas(own, parts, row);

  const Tally tally = Count(own, parts, row);
  const bool all_newest = tally.targets > 0 && tally.newest == tally.targets;
  row.set_observed_generation(all_newest    ? in.object.generation
                              : same_object ? in.published->observed_generation
                                            : 0);
  row.set_phase(std::string(Phase(own, tally, JobFailed(status), same_object)));
  row.set_message(Message(own, tally));
  const bool same_phase = same_object && in.published->phase == row.phase();
  row.set_phase_since_micros(same_phase ? in.published->phase_since_micros : in.now_micros);
  row.set_updated_micros(in.now_micros);
  return row;
}

}  // namespace sealane::status

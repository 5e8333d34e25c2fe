#include "services/status/app_facts.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/status_fields.h"
#include "lib/model/rebalancer.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/placement.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::status {
namespace {

WorkFacts::State StateOf(v1::WorkStatus::State state) {
  switch (state) {
    case v1::WorkStatus::APPLIED:
      return WorkFacts::State::kApplied;
    case v1::WorkStatus::FAILED:
      return WorkFacts::State::kFailed;
    case v1::WorkStatus::REMOVED:
      return WorkFacts::State::kRemoved;
    case v1::WorkStatus::REMOVING:
      return WorkFacts::State::kRemoving;
    default:
      return WorkFacts::State::kUnspecified;
  }
}

int32_t CountOf(kube::FieldReader& fields, std::string_view name) {
  return static_cast<int32_t>(std::clamp<int64_t>(fields.Int(name), 0, INT32_MAX));
}

}  // namespace

uint32_t ClusterNames::Id(std::string_view name) {
  if (const auto it = ids_.find(name); it != ids_.end()) return it->second;
  const auto id = static_cast<uint32_t>(names_.size());
  names_.push_back(std::make_unique<std::string>(name));
  ids_.emplace(*names_.back(), id);
  return id;
}

uint64_t UidHash(std::string_view uid) { return Fnv1a64(uid); }

ObjectFacts FactsOf(const v1::StoredObject& object) {
  ObjectFacts facts;
  facts.api_version = object.ref().api_version();
  facts.uid = object.uid();
  facts.trace_id = object.trace_id();
  facts.generation = object.generation();
  facts.updated_micros = object.updated_micros();
  facts.deleting = object.deleting();
  const Json manifest = Json::parse(object.manifest(), nullptr, /*allow_exceptions=*/false);
  kube::FieldReader root(&manifest, "manifest");
  kube::FieldReader metadata(root.Object("metadata"), "metadata");
  if (const Json* labels = metadata.Object("labels"); labels != nullptr) {
    for (const auto& [key, value] : labels->items()) {
      if (value.is_string()) facts.labels.emplace_back(key, value.get<std::string>());
    }
  }
  if (IsRebalancer(GroupOf(object.ref().api_version()), object.ref().kind())) {
    auto rebalancer = ParseRebalancer(object);
    if (rebalancer.ok()) {
      facts.rebalancer = std::make_shared<const Rebalancer>(*std::move(rebalancer));
    }
  }
  if (object.ref().kind() == "Service") {
    facts.service_type = kube::FieldReader(root.Object("spec"), "spec").String("type");
  }
  return facts;
}

BindingFacts FactsOf(const v1::Binding& binding, ClusterNames& names) {
  BindingFacts facts;
  if (binding.has_policy()) facts.policy = Describe(KeyOf(binding.policy()));
  facts.revision = binding.revision();
  facts.object_generation = binding.object_generation();
  facts.claimed_micros = binding.claimed_micros();
  facts.replicas = binding.replicas();
  std::set<std::string> attached_to;
  for (const v1::BindingSnapshot& parent : binding.required_by()) {
    for (const v1::TargetCluster& cluster : parent.clusters()) attached_to.insert(cluster.name());
  }
  for (const std::string& cluster : attached_to) facts.attached_to.push_back(names.Id(cluster));
  const v1::Suspension& suspension = binding.suspension();
  facts.suspended = suspension.dispatching();
  const auto& clusters = suspension.dispatching_on_clusters().cluster_names();
  facts.suspended_in = {clusters.begin(), clusters.end()};
  const v1::FailoverBehavior& failover = binding.failover();
  for (const v1::StatePreservation* part :
       {&failover.application().state_preservation(), &failover.cluster().state_preservation()}) {
    for (const v1::StatePreservationRule& rule : part->rules()) {
      // Admission refused what is no path.
      auto path = kube::JsonPath::Parse(rule.json_path());
      if (path.ok()) facts.state_rules.emplace_back(rule.alias_label_name(), *std::move(path));
    }
  }
  facts.render_errors = {binding.render_errors().begin(), binding.render_errors().end()};
  return facts;
}

PlacementFacts FactsOf(const v1::Placed& placed, ClusterNames& names) {
  PlacementFacts facts;
  for (const v1::TargetCluster& target : placed.clusters()) {
    facts.targets.push_back({names.Id(target.name()), target.replicas()});
  }
  std::sort(facts.targets.begin(), facts.targets.end(), [&](const auto& a, const auto& b) {
    return names.Name(a.cluster) < names.Name(b.cluster);
  });
  facts.state = placed.state();
  facts.message = placed.message();
  facts.binding_revision = placed.binding_revision();
  facts.scheduled_micros = placed.scheduled_micros();
  return facts;
}

WorkFacts FactsOf(v1::WorkStatus&& word, ClusterNames& names, int64_t now_micros) {
  WorkFacts facts;
  facts.cluster = names.Id(word.cluster());
  facts.state = StateOf(word.state());
  facts.health = kube::ParseHealth(word.health());
  facts.uid_hash = UidHash(word.fence().uid());
  facts.fence_version = word.fence().version();
  facts.incarnation = word.incarnation();
  facts.counter = word.counter();
  facts.object_generation = word.object_generation();
  facts.member_generation = word.member_generation();
  facts.observed_generation = word.observed_generation();
  facts.applied_micros = word.applied_micros();
  facts.received_micros = now_micros;
  facts.drift_repairs = word.drift_repairs();
  facts.drift_told = facts.drift_repairs;
  if (!word.status_json().empty()) {
    const Json status = Json::parse(word.status_json(), nullptr, /*allow_exceptions=*/false);
    if (status.is_object()) {
      facts.replicas = CountReplicas(status);
      facts.status_json = std::move(*word.mutable_status_json());
      facts.status_json.shrink_to_fit();
    }
  }
  if (!word.reason().empty() || !word.message().empty() || !word.detail().empty()) {
    facts.words = std::make_unique<WorkFacts::Words>();
    facts.words->reason = std::move(*word.mutable_reason());
    facts.words->message = std::move(*word.mutable_message());
    facts.words->detail = std::move(*word.mutable_detail());
  }
  return facts;
}

Published FactsOf(const v1::AppStatus& row, ClusterNames& names) {
  Published facts;
  facts.content_hash = ContentHash(row);
  facts.uid_hash = UidHash(row.uid());
  facts.generation = row.generation();
  facts.observed_generation = row.observed_generation();
  facts.phase_since_micros = row.phase_since_micros();
  facts.claimed_micros = row.claimed_micros();
  facts.updated_micros = row.updated_micros();
  facts.phase = row.phase();
  facts.status_json = row.status_json();
  facts.bytes = row.ByteSizeLong();
  facts.clusters.reserve(row.clusters_size());
  for (const v1::ClusterAppStatus& cluster : row.clusters()) {
    facts.clusters.push_back({.cluster = names.Id(cluster.cluster()),
                              .unhealthy_since_micros = cluster.unhealthy_since_micros(),
                              .healthy_micros = cluster.healthy_micros(),
                              .healthy_generation = cluster.applied_generation(),
                              .placed_micros = cluster.placed_micros(),
                              .rendered_micros = cluster.rendered_micros(),
                              .applied_micros = cluster.applied_micros(),
                              .last_word_micros = cluster.last_word_micros()});
  }
  return facts;
}

ReplicaCounts CountReplicas(const Json& status) {
  kube::FieldReader fields(&status, "status");
  if (fields.Has("desiredNumberScheduled")) {
    return {.wanted = CountOf(fields, "desiredNumberScheduled"),
            .updated = CountOf(fields, "updatedNumberScheduled"),
            .ready = CountOf(fields, "numberReady"),
            .available = CountOf(fields, "numberAvailable")};
  }
  return {.wanted = 0,
          .updated = CountOf(fields, "updatedReplicas"),
          .ready = CountOf(fields, "readyReplicas"),
          .available = CountOf(fields, "availableReplicas")};
}

bool IsStale(const WorkFacts& known, const WorkFacts& word) {
  if (word.incarnation != known.incarnation) return word.incarnation < known.incarnation;
  return word.counter <= known.counter;
}

uint64_t ContentHash(const v1::AppStatus& row) {
  v1::AppStatus content = row;
  content.clear_updated_micros();
  for (v1::ClusterAppStatus& cluster : *content.mutable_clusters()) {
    cluster.clear_last_word_micros();
  }
  return Fnv1a64(content.SerializeAsString());
}

}  // namespace sealane::status

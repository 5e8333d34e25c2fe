#include "services/agent/plan.h"

#include <string_view>

#include "sealane/v1/tables.pb.h"

namespace sealane::agent {
namespace {

bool IsNamespace(const Item& item) {
  if (item.work != nullptr) {
    return item.work->ref().kind() == "Namespace" && item.work->ref().api_version() == "v1";
  }
  return item.inventory && item.inventory->kind == "Namespace" &&
         item.inventory->api_version == "v1";
}

// The object seen in the cluster was made (or taken over) by an agent.
bool IsOurObject(const Item& item) {
  return item.observed->managed || (item.inventory && !item.inventory->uid.empty() &&
                                    item.inventory->uid == item.observed->uid);
}

Decision PlanApply(const PlanInput& input) {
  const Item& item = *input.item;
  Decision decision;
  decision.step = Step::kApply;
  const bool applied = item.inventory && !item.inventory->uid.empty() &&
                       item.inventory->manifest_hash == item.manifest_hash;
  if (applied) {
    if (!input.observed_known) return {};
    const auto& seen = item.observed;
    if (seen && seen->uid == item.inventory->uid) {
      if (seen->fields_hash == item.inventory->fields_hash) return {};
      // The watch is behind our own last write.
      if (seen->resource_version != 0 &&
          seen->resource_version < item.inventory->resource_version) {
        return {};
      }
      // Somebody is deleting it: it is made again when it is gone.
      if (seen->deleting) return {};
    }
    decision.repair = true;
  }
  if (item.observed && IsOurObject(item)) {
    if (item.observed->deleting) return {};
    decision.force = true;
    decision.exists = true;
    return decision;
  }
  if (!input.looked_up) return {Step::kLookUp};
  if (!item.observed) return decision;
  // Namespaces are shared by nature: only our label is added to one that was there before.
  if (item.work->conflict_resolution() == "Overwrite" || IsNamespace(item)) {
    decision.force = true;
    decision.exists = true;
    return decision;
  }
  return {Step::kRefuse};
}

Decision PlanRemove(const PlanInput& input, Step when_gone) {
  const Item& item = *input.item;
  const bool preserve =
      item.work != nullptr ? item.work->preserve_on_deletion() : item.inventory->preserve;
  if (item.recreating && item.work != nullptr && !item.work->deleting()) when_gone = Step::kApply;
  if (input.looked_up || (input.observed_known && item.observed && !preserve)) {
    if (!item.observed) return {when_gone};
    if (!IsOurObject(item)) return {when_gone};
    if (preserve) return {Step::kRelease};
    if (IsNamespace(item) &&
        (!item.inventory || !item.inventory->created || IsSystemNamespace(item.inventory->name))) {
      return {Step::kRelease};
    }
    if (item.observed->deleting) return {Step::kWait};
    return {Step::kRemove};
  }
  return {Step::kLookUp};
}

}  // namespace

Decision Plan(const PlanInput& input) {
  const Item& item = *input.item;
  if (item.work == nullptr) {
    if (!item.inventory) return {Step::kForget};
    if (!input.may_prune) return {};
    return PlanRemove(input, Step::kForget);
  }
  if (item.work->deleting()) {
    if (item.outcome == Outcome::kRemoved) return {};
    return PlanRemove(input, Step::kRemoved);
  }
  if (item.work->suspended()) return {};
  if (item.recreating) return PlanRemove(input, Step::kApply);
  return PlanApply(input);
}

bool IsSystemNamespace(std::string_view name) {
  return name == "default" || name.substr(0, 5) == "kube-";
}

}  // namespace sealane::agent

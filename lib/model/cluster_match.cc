#include "lib/model/cluster_match.h"

#include <algorithm>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/placement.pb.h"

namespace sealane {
namespace {

bool Contains(const std::vector<std::string>& sorted, std::string_view text) {
  return std::binary_search(sorted.begin(), sorted.end(), text,
                            [](std::string_view a, std::string_view b) { return a < b; });
}

bool AnyZoneIn(const ClusterFacts& cluster, const std::vector<std::string>& values) {
  for (size_t i = 0; i < cluster.zone_count; ++i) {
    if (Contains(values, cluster.zones[i])) return true;
  }
  return false;
}

const std::string* NullIfEmpty(const std::string* text) {
  return text != nullptr && text->empty() ? nullptr : text;
}

}  // namespace

template <typename Affinity>
void AffinityMatcher::Compile(const Affinity& affinity) {
  names_.assign(affinity.cluster_names().begin(), affinity.cluster_names().end());
  std::sort(names_.begin(), names_.end());
  exclude_.assign(affinity.exclude().begin(), affinity.exclude().end());
  std::sort(exclude_.begin(), exclude_.end());
  if (affinity.has_label_selector()) {
    auto compiled = Selector::Compile(affinity.label_selector());
    if (compiled.ok()) {
      labels_ = *std::move(compiled);
    } else {
      status_ = Annotate(compiled.status(), "labelSelector");
    }
  }
  const auto& expressions = affinity.field_selector().match_expressions();
  for (int i = 0; i < expressions.size(); ++i) {
    const auto& expression = expressions[i];
    const bool is_zone = expression.key() == "zone";
    auto op = ParseSelectorOperator(expression.operator_());
    if (is_zone && op.ok() && *op != SelectorRequirement::Op::kGt &&
        *op != SelectorRequirement::Op::kLt) {
      // Zones are compared as plain words: no rule for label values applies.
      SelectorRequirement requirement;
      requirement.key = expression.key();
      requirement.op = *op;
      requirement.values.assign(expression.values().begin(), expression.values().end());
      std::sort(requirement.values.begin(), requirement.values.end());
      fields_.push_back(std::move(requirement));
      continue;
    }
    auto requirement = MakeRequirement(expression.key(), expression.operator_(),
                                       {expression.values().begin(), expression.values().end()});
    if (!requirement.ok() || is_zone) {
      const absl::Status why = requirement.ok()
                                   ? InvalidArgument("the operator is not supported for zones")
                                   : requirement.status();
      status_ = Annotate(why, StrCat("fieldSelector.matchExpressions[", i, "]"));
      continue;
    }
    fields_.push_back(*std::move(requirement));
  }
}

AffinityMatcher::AffinityMatcher(const v1::ClusterAffinity& affinity) { Compile(affinity); }
AffinityMatcher::AffinityMatcher(const v1::ClusterAffinityTerm& term) { Compile(term); }

bool AffinityMatcher::FieldMatches(const SelectorRequirement& requirement,
                                   const ClusterFacts& cluster) const {
  if (requirement.key == "zone") {
    switch (requirement.op) {
      case SelectorRequirement::Op::kIn:
        return AnyZoneIn(cluster, requirement.values);
      case SelectorRequirement::Op::kNotIn:
        return !AnyZoneIn(cluster, requirement.values);
      case SelectorRequirement::Op::kExists:
        return cluster.zone_count > 0;
      case SelectorRequirement::Op::kDoesNotExist:
        return cluster.zone_count == 0;
      default:
        return false;
    }
  }
  const std::string* value = nullptr;
  if (requirement.key == "provider") value = NullIfEmpty(cluster.provider);
  if (requirement.key == "region") value = NullIfEmpty(cluster.region);
  return requirement.Matches(value);
}

bool AffinityMatcher::Matches(const ClusterFacts& cluster) const {
  if (!status_.ok()) return false;
  if (!exclude_.empty() && Contains(exclude_, cluster.name)) return false;
  if (!names_.empty() && !Contains(names_, cluster.name)) return false;
  if (!labels_.Matches(cluster.labels)) return false;
  for (const SelectorRequirement& requirement : fields_) {
    if (!FieldMatches(requirement, cluster)) return false;
  }
  return true;
}

std::string AffinityMatcher::WhyNot(const ClusterFacts& cluster) const {
  if (!status_.ok()) return std::string(ToStd(status_.message()));
  std::vector<std::string> reasons;
  if (Contains(exclude_, cluster.name)) reasons.emplace_back("the cluster is excluded by name");
  if (std::string why = labels_.WhyNot(cluster.labels); !why.empty()) {
    reasons.push_back(StrCat("labels do not meet ", why));
  }
  std::vector<std::string> fields;
  for (const SelectorRequirement& requirement : fields_) {
    if (!FieldMatches(requirement, cluster)) fields.push_back(ToString(requirement));
  }
  if (!fields.empty()) {
    reasons.push_back(StrCat("the cluster does not meet ", StrJoin(fields, ",")));
  }
  if (!names_.empty() && !Contains(names_, cluster.name)) {
    reasons.emplace_back("not among clusterNames");
  }
  return StrJoin(reasons, "; ");
}

bool AffinityMatcher::Matches(const v1::ClusterStatus& cluster) const {
  const std::vector<std::string> zones(cluster.zones().begin(), cluster.zones().end());
  ClusterFacts facts;
  facts.name = cluster.name();
  facts.labels = LabelsView(cluster.labels());
  facts.provider = &cluster.provider();
  facts.region = &cluster.region();
  facts.zones = zones.data();
  facts.zone_count = zones.size();
  return Matches(facts);
}

bool ClusterMatches(const v1::ClusterAffinity& affinity, const v1::ClusterStatus& cluster) {
  return AffinityMatcher(affinity).Matches(cluster);
}

}  // namespace sealane

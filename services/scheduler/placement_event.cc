#include "services/scheduler/placement_event.h"

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/scheduler/plan.h"

namespace sealane::scheduler {

std::string DescribeClusters(const v1::Placed& placed) {
  constexpr int kShown = 10;
  std::vector<std::string> parts;
  for (int i = 0; i < placed.clusters_size() && i < kShown; ++i) {
    const v1::TargetCluster& target = placed.clusters(i);
    parts.push_back(target.replicas() == 0 ? target.name()
                                           : StrCat(target.name(), "=", target.replicas()));
  }
  if (placed.clusters_size() > kShown) {
    parts.push_back(StrCat("and ", placed.clusters_size() - kShown, " more"));
  }
  return parts.empty() ? "no cluster" : StrJoin(parts, ", ");
}

namespace {

// The clusters that gained or lost replicas, or the object.
void NameChanged(const v1::Placed* before, const v1::Placed& after, v1::Event* event) {
  constexpr int kMost = 200;
  std::map<std::string_view, std::pair<int64_t, int64_t>> counts;  // one more each: it is there
  if (before != nullptr) {
    for (const v1::TargetCluster& target : before->clusters()) {
      counts[target.name()].first = int64_t{target.replicas()} + 1;
    }
  }
  for (const v1::TargetCluster& target : after.clusters()) {
    counts[target.name()].second = int64_t{target.replicas()} + 1;
  }
  for (const auto& [cluster, count] : counts) {
    if (event->clusters_size() >= kMost) return;
    if (count.first != count.second) event->add_clusters(std::string(cluster));
  }
}

}  // namespace

bool EventOf(const v1::Placed* before, const Plan& plan, v1::Event* event) {
  const v1::Placed& row = plan.row;
  const bool same_object = before != nullptr && before->uid() == row.uid();
  const bool failed = row.state() != "Scheduled" && row.state() != "Suspended";
  const bool failed_before = same_object && before->state() == row.state();
  *event->mutable_ref() = row.ref();
  event->set_trace_id(row.trace_id());
  const std::string object = Describe(KeyOf(row.ref()));
  if (plan.moved) {
    const bool first = !same_object || before->clusters().empty();
    event->set_type("Normal");
    event->set_reason(first ? "Placed" : "Moved");
    event->set_message(StrCat(object, ": ", DescribeClusters(row), " (", plan.cause, ")"));
    NameChanged(same_object ? before : nullptr, row, event);
    return true;
  }
  if (!failed || failed_before) return false;
  event->set_type("Warning");
  event->set_reason("Unschedulable");
  event->set_message(StrCat(object, ": ", row.state(), ": ", row.message(),
                            row.clusters().empty() ? "" : "; the last placement stays in force"));
  return true;
}

v1::Event RebalanceEvent(const v1::StoredObject& object, const absl::Status& parsed, size_t objects,
                         const std::vector<std::string>& not_found) {
  constexpr size_t kShown = 20;
  v1::Event event;
  *event.mutable_ref() = object.ref();
  event.set_trace_id(object.trace_id());
  event.set_type(parsed.ok() && not_found.empty() ? "Normal" : "Warning");
  const std::string name = StrCat("WorkloadRebalancer ", object.ref().name(), ": ");
  if (!parsed.ok()) {
    event.set_reason("RebalancerRefused");
    event.set_message(StrCat(name, ToStd(parsed.message())));
    return event;
  }
  std::string text = StrCat(name, "objects divided anew: ", objects);
  if (not_found.empty()) {
    event.set_reason("Rebalanced");
  } else {
    event.set_reason("RebalancedInPart");
    std::vector<std::string> shown = not_found;
    if (shown.size() > kShown) {
      shown.resize(kShown);
      shown.push_back(StrCat("and ", not_found.size() - kShown, " more"));
    }
    text += StrCat("; not found: ", StrJoin(shown, ", "));
  }
  event.set_message(text);
  return event;
}

}  // namespace sealane::scheduler

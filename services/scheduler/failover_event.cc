#include "services/scheduler/failover_event.h"

#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "services/scheduler/failover.h"
#include "services/scheduler/placement_event.h"

namespace sealane::scheduler {
namespace {

v1::Event NewEvent(const v1::Binding& binding, std::string_view reason,
                   const std::string& cluster) {
  v1::Event event;
  *event.mutable_ref() = binding.ref();
  event.set_trace_id(binding.trace_id());
  event.set_type("Warning");
  event.set_reason(std::string(reason));
  event.set_cluster(cluster);
  return event;
}

std::string WhatBecomesOfTheCopy(const v1::Eviction& eviction) {
  std::string text = "the copy there goes";
  if (eviction.purge_mode() == "Never") text = "the copy there stays";
  if (eviction.purge_mode() == "Gracefully") {
    text = "the copy there goes when the new one is healthy";
  }
  if (eviction.grace_until_micros() > 0) {
    const int64_t seconds = (eviction.grace_until_micros() - eviction.since_micros()) / 1'000'000;
    text += StrCat(", or after ", seconds, "s");
  }
  return text;
}

}  // namespace

v1::Event FailoverEvent(const v1::Binding& binding, const v1::Eviction& eviction,
                        const v1::Placed& row) {
  v1::Event event =
      NewEvent(binding, eviction.tainted() ? kClusterFailoverEvent : "ApplicationFailover",
               eviction.cluster());
  event.set_message(StrCat(Describe(KeyOf(binding.ref())), ": ", DescribeFailures({eviction}),
                           "; it runs in ", DescribeClusters(row), " now; ",
                           WhatBecomesOfTheCopy(eviction)));
  return event;
}

v1::Event FailoverHeldEvent(const v1::Binding& binding, const std::string& cluster,
                            std::string_view why) {
  v1::Event event = NewEvent(binding, kFailoverHeldEvent, cluster);
  event.set_message(StrCat(Describe(KeyOf(binding.ref())), ": ", why));
  return event;
}

}  // namespace sealane::scheduler

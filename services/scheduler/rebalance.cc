#include "services/scheduler/rebalance.h"

#include <algorithm>

namespace sealane::scheduler {

void Rebalances::Ask(const std::string& key, int64_t triggered_micros) {
  int64_t& asked = asked_[key];
  asked = std::max(asked, triggered_micros);
}

int64_t Rebalances::TriggeredFor(const v1::Binding& binding) const {
  const auto asked = asked_.empty() ? asked_.end() : asked_.find(RowKey(binding.ref()));
  return std::max(binding.reschedule_triggered_micros(), asked == asked_.end() ? 0 : asked->second);
}

}  // namespace sealane::scheduler

#pragma once

#include <functional>
#include <map>
#include <string>

#include "lib/model/rebalancer.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::scheduler {

// Who was asked to be divided anew, and when. What was asked for stays asked when the
// WorkloadRebalancer goes. Thread rule: executor thread.
class Rebalances {
 public:
  // The binding, which exists, is named by a request of that time.
  void Ask(const std::string& key, int64_t triggered_micros);
  // The binding went: another object of that name is not concerned.
  void Forget(const std::string& key) { asked_.erase(key); }
  // The newest request; 0: none.
  [[nodiscard]] int64_t TriggeredFor(const v1::Binding& binding) const;

 private:
  std::map<std::string, int64_t, std::less<>> asked_;  // by the binding's key
};

}  // namespace sealane::scheduler

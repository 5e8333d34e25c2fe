#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/model/identity.h"
#include "lib/model/selector.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::scheduler {

// A WorkloadRebalancer (apps.karmada.io/v1alpha1): asks once, when it is made or changed, that
// objects be divided anew. Beside Karmada's references by name, an entry may have a `labelSelector`
// in place of the name: all objects of that kind (and namespace, when given) whose labels match.
struct Rebalancer {
  struct Workload {
    std::string group;
    std::string kind;
    std::string ns;
    std::string name;  // empty: by selector
    Selector selector;
  };
  int64_t triggered_micros = 0;
  std::vector<Workload> workloads;

  [[nodiscard]] bool Names(const v1::Binding& binding) const;
};

// INVALID_ARGUMENT names the field.
[[nodiscard]] absl::StatusOr<Rebalancer> ParseRebalancer(const v1::StoredObject& object);

// All of them. Thread rule: executor thread.
class Rebalancers {
 public:
  // nullptr: the object is gone (what it asked for stays asked).
  absl::Status Set(const std::string& key, const v1::StoredObject* object);
  [[nodiscard]] const Rebalancer* Find(const std::string& key) const;
  // The newest request that names the binding; 0: none.
  [[nodiscard]] int64_t TriggeredFor(const v1::Binding& binding) const;

 private:
  std::map<std::string, Rebalancer> rebalancers_;
};

}  // namespace sealane::scheduler

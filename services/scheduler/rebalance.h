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

    // By name: the key of the object's rows.
    [[nodiscard]] std::string Key() const;
    // By selector.
    [[nodiscard]] bool Selects(const v1::Binding& binding) const;
    // For people: "Deployment shop/web", "Deployment shop by labels".
    [[nodiscard]] std::string Describe() const;
  };
  int64_t triggered_micros = 0;
  std::vector<Workload> workloads;
};

// INVALID_ARGUMENT names the field.
[[nodiscard]] absl::StatusOr<Rebalancer> ParseRebalancer(const v1::StoredObject& object);

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

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"
#include "lib/model/identity.h"
#include "lib/model/labels_view.h"
#include "lib/model/selector.h"

namespace sealane {

namespace v1 {
class FieldError;
class StoredObject;
}  // namespace v1

// A WorkloadRebalancer (apps.karmada.io/v1alpha1): asks once, when it is made or changed, that
// objects be divided anew. Beside Karmada's references by name, an entry may have a `labelSelector`
// in place of the name: all objects of that kind (and namespace, when given) whose labels match.
struct Rebalancer {
  struct Workload {
    std::string api_version;
    std::string group;
    std::string kind;
    std::string ns;
    std::string name;  // empty: by selector
    Selector selector;

    // By name: the key of the object's rows.
    [[nodiscard]] std::string Key() const;
    // By selector.
    [[nodiscard]] bool Selects(const ObjectKey& key, const LabelsView& labels) const;
    // For people: "Deployment shop/web", "Deployment shop by labels".
    [[nodiscard]] std::string Describe() const;
  };
  int64_t triggered_micros = 0;
  std::vector<Workload> workloads;
};

[[nodiscard]] bool IsRebalancer(std::string_view group, std::string_view kind);
// What is wrong with the manifest of one; empty: nothing.
[[nodiscard]] std::vector<v1::FieldError> CheckRebalancer(const Json& manifest);
// INVALID_ARGUMENT names the field.
[[nodiscard]] absl::StatusOr<Rebalancer> ParseRebalancer(const v1::StoredObject& object);

}  // namespace sealane

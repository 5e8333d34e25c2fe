#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// An object that another one needs beside it in a cluster.
struct Dependency {
  std::string api_version;
  std::string kind;
  std::string ns;
  std::string name;       // empty: by labels
  std::string label_key;  // with label_value: every object of the kind with this label
  std::string label_value;

  friend bool operator==(const Dependency&, const Dependency&) = default;
  friend auto operator<=>(const Dependency&, const Dependency&) = default;
};

// What a workload, an Ingress or a ServiceImport refers to: ConfigMaps, Secrets, the ServiceAccount
// (unless "default"), PersistentVolumeClaims (not those of a StatefulSet's own templates); TLS
// Secrets of an Ingress. Sorted, without duplicates. INVALID_ARGUMENT when a field has a wrong
// type. Source: Karmada's pkg/resourceinterpreter/default/native/dependencies.go.
[[nodiscard]] absl::StatusOr<std::vector<Dependency>> FindDependencies(const Json& object);

}  // namespace sealane::kube

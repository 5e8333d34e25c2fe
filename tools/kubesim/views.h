#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/store.h"

namespace sealane::kubesim {

// What kubelets and the metrics server tell of a simulated cluster. All are pure.

// The container whose log is meant; errors as the kubelet's (lib/kubeapi/errors.h): none named
// among several, not found, not started.
[[nodiscard]] absl::StatusOr<std::string> LogContainer(const Json& pod, const std::string& wanted);
// Number of lines that a pod has printed: one for each second since its container started.
[[nodiscard]] int64_t LogLines(const Json& pod, const std::string& container, absl::Time now);
// One of them (from 0), with its line end.
[[nodiscard]] std::string LogLine(const Json& pod, const std::string& container, int64_t index,
                                  bool timestamp);

// The definitions of metrics.k8s.io.
[[nodiscard]] std::shared_ptr<const Json> MetricsDefinitions();
// The answer to a path below /apis/metrics.k8s.io/v1beta1 (without that): half of what is requested
// is used. nullopt: no such path.
[[nodiscard]] std::optional<absl::StatusOr<Json>> MetricsAnswer(const kubeapi::Store& store,
                                                                const std::string& path,
                                                                absl::Time now);

}  // namespace sealane::kubesim

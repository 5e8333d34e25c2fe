#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/store.h"

namespace sealane::kubesim {

// Small readers of Kubernetes objects that the controllers share. All are pure.

// The value at a dotted path; null when absent.
[[nodiscard]] const Json& ValueAt(const Json& object, std::string_view path);
[[nodiscard]] std::string TextAt(const Json& object, std::string_view path);
[[nodiscard]] int64_t NumberAt(const Json& object, std::string_view path, int64_t fallback = 0);

[[nodiscard]] bool IsDeleting(const Json& object);
// uid and key of the owner that controls an object; empty when none does.
[[nodiscard]] std::string ControllerUid(const Json& object);
[[nodiscard]] std::optional<kubeapi::ObjectKey> ControllerKey(const Json& object,
                                                              const std::string& ns);
// An owner reference to `owner`, as its controller.
[[nodiscard]] Json OwnerReference(const Json& owner, const char* kind);

// Whether a condition of that type is "True".
[[nodiscard]] bool HasCondition(const Json& object, std::string_view type);
// A pod that counts towards replicas: neither ended nor being deleted.
[[nodiscard]] bool IsActivePod(const Json& pod);
[[nodiscard]] bool IsReadyPod(const Json& pod);
// A short hash of a pod template, in the alphabet of generated names.
[[nodiscard]] std::string TemplateHash(const Json& pod_template);
// Resolves "25%" or 3 against a total.
[[nodiscard]] int64_t IntOrPercent(const Json& value, int64_t total, bool round_up);

}  // namespace sealane::kubesim

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"
#include "lib/kube/json_text.h"
#include "lib/model/identity.h"

namespace sealane {

namespace v1 {
class FieldError;
class ObjectRef;
}  // namespace v1

namespace kube {

// The largest manifest that is taken, as received and in canonical form: with what surrounds it, it
// must fit into one message of the bus (1 MiB).
inline constexpr size_t kMaxManifestBytes = size_t{768} * 1024;

// Whether the text begins as JSON does: with a bracket, or a brace and a quoted key. (A mapping in
// YAML's flow style begins with a brace, too, but hardly with a quoted key.)
[[nodiscard]] bool LooksLikeJson(std::string_view text);

// Parses YAML or JSON text with any number of documents. Empty documents are left out; a `v1 List`
// gives its items. Each value is an object; whether it is a good manifest is for ValidateIdentity.
// INVALID_ARGUMENT with line and column. `lines` (may be null) gets the line on which each document
// begins, from 1.
[[nodiscard]] absl::Status ParseManifests(std::string_view text, std::vector<Json>* manifests,
                                          std::vector<int>* lines = nullptr);
// Parses text that holds exactly one manifest of at most kMaxManifestBytes.
[[nodiscard]] absl::Status ParseManifest(std::string_view text, Json* manifest);

// The identity that a manifest states; parts that are absent or of a wrong type are empty.
[[nodiscard]] v1::ObjectRef RefOf(const Json& manifest);
[[nodiscard]] ObjectKey ManifestKey(const Json& manifest);

// Gives a manifest of a namespaced built-in kind the namespace "default" when it has none.
void DefaultNamespace(Json& manifest);

// Appends what is wrong with apiVersion, kind, metadata.name, metadata.namespace, labels and
// annotations (form and Kubernetes' rules of names per kind). Run DefaultNamespace first.
void ValidateIdentity(const Json& manifest, std::vector<v1::FieldError>* errors);

// Block style YAML with keys in order, as kubectl prints; ends with a newline.
[[nodiscard]] std::string ToYaml(const Json& value);

}  // namespace kube
}  // namespace sealane

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"
#include "sealane/v1/common.pb.h"

namespace sealane::kube {

// What admission says about a manifest.
struct Admission {
  std::vector<v1::FieldError> errors;  // empty: accepted
  std::vector<std::string> warnings;
};

// Reads the text of one manifest as a platform sends it: parses it, takes away what only a server
// sets (uid, revision, status except a policy's, ...), gives an object of a namespaced kind its
// default namespace and checks its identity. What is wrong is appended to `errors`; a text that
// cannot be parsed leaves `manifest` as it was.
void ReadManifest(std::string_view text, Json* manifest, std::vector<v1::FieldError>* errors);

// Checks a manifest of any kind (ReadManifest has found no error) and applies the defaults of its
// kind in place. Policies of policy.karmada.io are held to Karmada's CRD schema and webhooks,
// Cluster objects to Karmada's validation, other kinds to what every API server requires of them.
[[nodiscard]] Admission Admit(Json& object);

// The canonical JSON text of an admitted manifest, as it is stored. Appends TooLong when that text
// is larger than kMaxManifestBytes.
[[nodiscard]] std::string CanonicalManifest(const Json& manifest,
                                            std::vector<v1::FieldError>* errors);

// All of it, as the policy service does with every operation that applies a manifest: without a
// server, the same answer, except for what depends on the other objects of the fleet.
[[nodiscard]] Admission AdmitText(std::string_view text, Json* manifest);

}  // namespace sealane::kube

// What a platform may send as a manifest, YAML or JSON: it is refused with reasons, or taken in a
// form that is read again as it was written, that is admitted again unchanged, and that matching
// and rendering understand.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/kube/admission.h"
#include "lib/kube/json_access.h"
#include "lib/kube/manifest.h"
#include "lib/kube/policy_admission.h"
#include "lib/kube/prune.h"
#include "sealane/v1/common.pb.h"
#include "services/policy/policy_spec.h"

namespace {

using namespace sealane;  // NOLINT: a program of one function

void Check(bool holds) {
  if (!holds) std::abort();
}

void Take(Json& manifest) {
  kube::DefaultNamespace(manifest);
  std::vector<v1::FieldError> errors;
  kube::ValidateIdentity(manifest, &errors);
  if (!errors.empty()) return;
  if (const auto admission = kube::Admit(manifest); !admission.errors.empty()) {
    for (const v1::FieldError& error : admission.errors) Check(!error.message().empty());
    return;
  }
  const std::string canonical = WriteJson(manifest);
  Json again = Json::parse(canonical, nullptr, false);
  Check(!again.is_discarded() && again.dump() == canonical);
  Check(kube::Admit(again).errors.empty() && again.dump() == canonical);
  const std::string_view kind = kube::GetString(again, {"kind"});
  if (kube::GetString(again, {"apiVersion"}) == kube::kPolicyApiVersion) {
    if (kind.ends_with("PropagationPolicy")) {
      Check(policy::ParsePropagationPolicy(again).ok());
    } else if (kind.ends_with("OverridePolicy")) {
      Check(policy::ParseOverridePolicy(again).ok());
    }
  }
  (void)kube::Prune(again);
  (void)kube::ToYaml(again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<Json> manifests;
  if (!kube::ParseManifests(text, &manifests).ok()) return 0;
  for (Json& manifest : manifests) Take(manifest);
  return 0;
}

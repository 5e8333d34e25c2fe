// A document and a patch, {"document", "patch": [{"operator", "path", "value"}]}: an operation
// either fails and changes nothing, or leaves a document that can be written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/core/json.h"
#include "lib/kube/json_access.h"
#include "lib/kube/json_patch.h"
#include "lib/kube/json_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sealane;  // NOLINT: a program of one function
  Json input;
  if (!kube::ReadJson({reinterpret_cast<const char*>(data), size}, &input).ok()) return 0;
  const Json* patch = kube::Find(input, {"patch"});
  const Json* start = kube::Find(input, {"document"});
  if (patch == nullptr || start == nullptr || !patch->is_array()) return 0;
  Json document = *start;
  for (const Json& operation : *patch) {
    const Json before = document;
    const Json* value = kube::Find(operation, {"value"});
    const auto status =
        kube::ApplyPatch(document, kube::GetString(operation, {"operator"}),
                         kube::GetString(operation, {"path"}), value == nullptr ? Json() : *value);
    if (!status.ok() && document != before) std::abort();
  }
  (void)kube::PatchJsonText(start->dump(), *patch);
  (void)kube::PatchYamlText(kube::GetString(input, {"text"}), *patch);
  return 0;
}

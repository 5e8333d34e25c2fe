#include "tools/sealane/validation.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/kube/admission.h"
#include "lib/kube/manifest.h"

namespace sealane::cli {

v1::DeployResult Validate(const std::vector<Document>& documents, std::vector<Json>* manifests) {
  v1::DeployResult result;
  result.set_accepted(true);
  for (const Document& document : documents) {
    v1::OperationResult& operation = *result.add_results();
    operation.set_source(document.source);
    Json manifest;
    kube::Admission admission = kube::AdmitText(document.text, &manifest);
    if (manifest.is_object()) *operation.mutable_object() = kube::RefOf(manifest);
    operation.set_accepted(admission.errors.empty());
    if (!operation.accepted()) result.set_accepted(false);
    for (v1::FieldError& error : admission.errors) *operation.add_errors() = std::move(error);
    for (std::string& warning : admission.warnings) operation.add_warnings(std::move(warning));
    if (manifests != nullptr) manifests->push_back(std::move(manifest));
  }
  return result;
}

}  // namespace sealane::cli

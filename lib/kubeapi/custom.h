#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/errors.h"

namespace sealane::kubeapi {

// Custom resources: what a CRD's structural schema (OpenAPI v3) does to objects. Pure functions.

// Drops fields that the schema does not declare; their paths are added to `unknown`.
void PruneCustom(const Json& schema, Json& object, std::vector<std::string>& unknown);
// Fills in the schema's defaults.
void DefaultCustom(const Json& schema, Json& object);
// Checks the object's values. The validations of CEL rules are not evaluated.
[[nodiscard]] std::vector<FieldError> ValidateCustom(const Json& schema, const Json& object);

// Storage name of CustomResourceDefinitions themselves.
inline constexpr char kCrds[] = "apiextensions.k8s.io/customresourcedefinitions";
// The finalizer by which a CustomResourceDefinition that is being deleted waits for its objects.
inline constexpr char kCrdCleanup[] = "customresourcecleanup.apiextensions.k8s.io";
// Storage name of the objects that a CustomResourceDefinition defines ("example.com/widgets").
[[nodiscard]] std::string StorageOfCrd(const Json& crd);
// Marks a CustomResourceDefinition as terminating: its condition of that name.
void TerminateCrd(Json& crd, absl::Time now);

// Fills in what a CustomResourceDefinition may leave out (singular, listKind, conversion, status).
void DefaultCrd(Json& crd);
// Faults of a CRD itself.
[[nodiscard]] std::vector<FieldError> ValidateCrd(const Json& crd);
// What a valid CRD asks for that this server does not do: it evaluates no CEL rules, does not know
// every regular expression, and asks no conversion webhook.
[[nodiscard]] std::vector<std::string> CrdWarnings(const Json& crd);
// Whether its versions differ, so that only the one in storage can be served.
[[nodiscard]] bool ConvertsByWebhook(const Json& crd);
// The status of an accepted CRD that is served; one that says so already keeps it.
void EstablishCrd(Json& crd, absl::Time now);

}  // namespace sealane::kubeapi

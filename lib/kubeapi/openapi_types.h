#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/resource.h"

namespace sealane::kubeapi {

// What `x-kubernetes-group-version-kind` says of a resource.
[[nodiscard]] Json GroupVersionKind(const Resource& resource);

// Describes types as the `components.schemas` of an OpenAPI v3 document. Names are short and unique
// within one document; they carry no descriptions, because the server's table of facts has none. Of
// a custom resource it is the schema of its definition, with all that this says.
class OpenApiTypes {
 public:
  // Adds the schema of a resource's kind and all that it refers to.
  void Add(const Resource& resource);
  // Name -> schema of all that was added.
  [[nodiscard]] Json Schemas();

 private:
  Json Describe(const Type* type);
  Json DescribeStruct(const Type& type);
  std::string NameOf(const Type* type);
  std::string Unique(const std::string& name);

  std::set<std::string> taken_;
  std::map<const Type*, std::string> names_;
  std::vector<const Type*> pending_;                // named, not yet described
  std::vector<std::pair<std::string, Json>> done_;  // name, schema
  std::map<const Type*, std::vector<Json>> kinds_;  // the kinds that a type is the root of
};

}  // namespace sealane::kubeapi

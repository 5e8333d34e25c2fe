#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::kubeapi {

// What the server knows of a type: enough to check, prune, merge and track ownership of its values.
// Built-in types come from the table under lib/kubeapi/data (facts of kube-apiserver 1.36's
// OpenAPI), custom ones from their CRD.
struct Type;

struct Field {
  const Type* type = nullptr;
  std::string merge_key;     // strategic merge patch: x-kubernetes-patch-merge-key
  bool merge_list = false;   // patch strategy "merge"
  bool retain_keys = false;  // patch strategy "retainKeys"
  bool required = false;
};

struct Type {
  enum class Kind {
    kAny,  // anything goes, and its parts are tracked by their JSON shape
    kString,
    kInteger,
    kNumber,
    kBoolean,
    kIntOrString,
    kQuantity,  // a string, or a number
    kStruct,
    kMap,
    kList,
  };
  enum class ListType { kAtomic, kSet, kMap };

  Kind kind = Kind::kAny;
  std::string name;    // of a struct, short: "DeploymentSpec"
  std::string format;  // "int32", "byte", "date-time", ...
  std::map<std::string, Field, std::less<>> fields;
  const Type* element = nullptr;  // of a map or list
  ListType list_type = ListType::kAtomic;
  std::vector<std::string> keys;  // of a list of type map, sorted
  bool atomic = false;            // a struct or map that is owned as a whole
  bool preserve_unknown = false;  // a struct that keeps fields it does not declare
  // Fields of struct type that the Go type always carries (not pointers): they exist, empty, before
  // anything is set, which decides who owns the struct itself. Sorted.
  std::vector<std::string> always;

  [[nodiscard]] const Field* Find(std::string_view field) const;
};

// The value a missing key of a list-map item stands for; nullptr when the key has none. (The
// published schemas default only `protocol`, to TCP.)
[[nodiscard]] const Json* ListKeyDefault(std::string_view key);

// Facts of one built-in resource or subresource, as discovery shows them.
struct ResourceFacts {
  std::string group;  // of the path
  std::string version;
  std::string name;  // "deployments", "deployments/scale"
  std::string kind;
  std::string kind_group;    // of the kind, where it differs (Scale)
  std::string kind_version;  // "
  std::string singular;
  bool namespaced = false;
  std::vector<std::string> verbs;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
};

// The types and resources of one server. Immutable after construction and shared.
class Schema {
 public:
  // The embedded table, decoded once per process.
  static std::shared_ptr<const Schema> Builtin();
  // Parses a table of the embedded form.
  static absl::StatusOr<std::shared_ptr<const Schema>> Parse(const Json& table);

  // The type of a kind; nullptr when unknown.
  [[nodiscard]] const Type* FindKind(std::string_view group, std::string_view version,
                                     std::string_view kind) const;
  [[nodiscard]] const std::vector<ResourceFacts>& resources() const { return resources_; }
  [[nodiscard]] const Type* object_meta() const { return object_meta_; }
  [[nodiscard]] static const Type* Any();

 private:
  std::deque<Type> types_;
  std::map<std::string, const Type*> by_name_;  // full definition name
  std::map<std::string, const Type*, std::less<>> by_kind_;
  std::vector<ResourceFacts> resources_;
  const Type* object_meta_ = nullptr;
};

// The types of one version of a custom resource, from its openAPIV3Schema. `types` owns them.
struct CustomType {
  std::deque<Type> types;
  const Type* root = nullptr;
};
[[nodiscard]] std::shared_ptr<const CustomType> BuildCustomType(const Json& open_api_schema,
                                                                const Type* object_meta,
                                                                std::string_view kind);

}  // namespace sealane::kubeapi

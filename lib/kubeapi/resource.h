#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/schema.h"

namespace sealane::kubeapi {

// A served resource in one version: what requests, discovery and storage need to know of it.
struct Resource {
  std::string group;
  std::string version;
  std::string plural;
  std::string singular;
  std::string kind;
  std::string list_kind;
  bool namespaced = false;
  std::vector<std::string> verbs;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  std::vector<ResourceFacts> subresources;
  const Type* type = nullptr;
  bool builtin = true;
  bool has_generation = false;
  bool create_on_update = false;     // PUT of a missing object creates it
  bool unconditional_update = true;  // PUT without resourceVersion is allowed
  std::vector<std::string> field_selectors;

  // Custom resources only: the version's entry of the CRD (schema, printer columns, scale paths)
  // and what keeps `type` alive.
  std::shared_ptr<const Json> crd_version;
  std::shared_ptr<const CustomType> custom_type;
  std::string storage_version;
  // Of a built-in version in another form than its objects are stored in (conversion.h): the one
  // that they are stored in. nullptr: this one.
  const Resource* stored = nullptr;
  bool hidden = false;  // served to who asks for it, and not shown by discovery

  [[nodiscard]] std::string ApiVersion() const;
  // Key of its objects in the store, the same for all versions: "apps/deployments".
  [[nodiscard]] std::string StorageName() const;
  [[nodiscard]] bool HasVerb(std::string_view verb) const;
  [[nodiscard]] const ResourceFacts* Subresource(std::string_view name) const;
  [[nodiscard]] bool HasStatus() const { return Subresource("status") != nullptr; }
  // As errors name it: by plural ("configmaps") or by kind ("ConfigMap").
  [[nodiscard]] ErrorTarget Target(std::string_view name) const;
  [[nodiscard]] ErrorTarget KindTarget(std::string_view name) const;
};

// Every resource that is served now: the built-in ones and those of established CRDs.
class Registry {
 public:
  explicit Registry(std::shared_ptr<const Schema> schema);

  [[nodiscard]] const Resource* Find(std::string_view group, std::string_view version,
                                     std::string_view plural) const;
  // By kind; for owner references and templates. nullptr when unknown.
  [[nodiscard]] const Resource* FindKind(std::string_view api_version, std::string_view kind) const;
  [[nodiscard]] bool HasGroupVersion(std::string_view group, std::string_view version) const;
  // Groups in order of discovery, "" (core) first; versions preferred first.
  [[nodiscard]] std::vector<std::string> Groups() const;
  [[nodiscard]] std::vector<std::string> Versions(std::string_view group) const;
  [[nodiscard]] std::vector<const Resource*> InGroupVersion(std::string_view group,
                                                            std::string_view version) const;
  // One resource per storage name: the one of the storage version.
  [[nodiscard]] std::vector<const Resource*> Stored() const;
  [[nodiscard]] const Schema& schema() const { return *schema_; }

  // Serves, updates or drops the custom resource that a CRD object defines; nothing happens when it
  // does not define one (Defines).
  void SetCustomResource(const Json& crd);
  void RemoveCustomResource(const Json& crd);
  // Serves the custom resource of a CRD for good: no CRD object changes or drops it.
  void ReserveCustomResource(const Json& crd);
  // False: what a CRD object names is a built-in or reserved resource, so that it has no effect.
  [[nodiscard]] bool Defines(const Json& crd) const;

 private:
  struct Group {
    std::string name;
    std::vector<std::string> versions;
  };
  void Add(std::shared_ptr<const Resource> resource);
  // Serves a built-in resource in an older version, too.
  void AddForm(std::string_view group, std::string_view version, std::string_view plural,
               std::string_view stored_version, bool hidden);
  void Serve(const Json& crd);
  void Drop(std::string_view group, std::string_view plural);

  std::shared_ptr<const Schema> schema_;
  std::vector<Group> groups_;
  std::map<std::string, std::shared_ptr<const Resource>, std::less<>> resources_;
  std::set<std::string> reserved_;  // storage names that no CRD object defines
  std::vector<std::shared_ptr<const Resource>> retired_;  // requests may still point at them
};

}  // namespace sealane::kubeapi

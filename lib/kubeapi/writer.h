#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/resource.h"
#include "lib/kubeapi/store.h"

namespace sealane::kubeapi {

// Namespaces that are always there: they cannot be deleted.
inline constexpr std::string_view kSystemNamespaces[] = {"default", "kube-node-lease",
                                                         "kube-public", "kube-system"};

// How a write is to be made: the query parameters that all writes share.
struct WriteOptions {
  std::string manager = "unknown";  // field manager
  // "Strict", "Warn" or "Ignore": what to do with unknown fields, and with those given twice.
  std::string field_validation = "Warn";
  std::vector<std::string> doubled;  // what reading the body said of fields given twice
  bool dry_run = false;
  bool force = false;  // server-side apply takes fields from others
};

// Which object, through which endpoint.
struct WriteTarget {
  const Resource* resource = nullptr;
  std::string ns;
  std::string name;
  std::string subresource;  // "", "status" or "scale"
};

// A decided write that is not made yet.
struct WritePlan {
  enum class Action { kNothing, kPut, kRemove };
  Action action = Action::kNothing;
  ObjectKey key;
  std::shared_ptr<const Json> object;  // the object as it will be (for a removal: as it was last)
  uint64_t expected = 0;               // revision that must still hold; 0: must not exist
  bool created = false;
  // A deletion that is complete at once: answered with a Status instead of the object.
  bool gone = false;
  std::vector<std::string> warnings;
};

// What admission found in an object. Errors: it is refused with a 422.
struct Admitted {
  std::vector<FieldError> errors;
  std::vector<std::string> warnings;
};
// Admission by the owner of the store, as mutating and validating webhooks do it: sets defaults in
// place in what is about to be written (also with a dry run, not to `status`) and judges it.
using Admitter = std::function<Admitted(const Resource&, Json& object)>;

// Decides what a write request does: decoding, defaulting, merging, ownership, validation and the
// rules of deletion. Reads the store but never writes it. Thread rule: the executor's.
class Writer {
 public:
  // `admit` may be nullptr. `node_ports`: Services that need node ports and name none are given
  // some.
  Writer(Env env, Store& store, const Registry& registry, Admitter admit, bool node_ports);

  [[nodiscard]] absl::StatusOr<WritePlan> Create(const WriteTarget& target, const Json& body,
                                                 const WriteOptions& options);
  [[nodiscard]] absl::StatusOr<WritePlan> Update(const WriteTarget& target, const Json& body,
                                                 const WriteOptions& options);
  // `content_type` decides the form of the patch.
  [[nodiscard]] absl::StatusOr<WritePlan> Patch(const WriteTarget& target,
                                                std::string_view content_type,
                                                std::string_view body, const WriteOptions& options);
  // `delete_options` is a DeleteOptions object or null.
  [[nodiscard]] absl::StatusOr<WritePlan> Delete(const WriteTarget& target,
                                                 const Json& delete_options,
                                                 const WriteOptions& options);
  // The Scale object of a scalable one.
  [[nodiscard]] static Json ScaleOf(const Resource& resource, const Json& object);

 private:
  // The request's object in the form of its type, defaulted.
  absl::StatusOr<Json> Decode(const Resource& resource, const Json& raw,
                              const WriteOptions& options,
                              std::vector<std::string>& warnings) const;
  // Brings an object of the target's version into the form that it is stored in; the target of
  // that.
  absl::StatusOr<WriteTarget> ToStorage(const WriteTarget& target, Json& object) const;
  absl::Status Fit(const Resource& resource, Json& object, std::vector<std::string>& unknown) const;
  // Whether objects may be made of a custom kind: not while its definition is being deleted.
  absl::Status CheckDefinition(const Resource& resource) const;
  absl::Status CheckNamespace(const WriteTarget& target, std::string_view name) const;
  absl::StatusOr<WritePlan> FinishCreate(const WriteTarget& target, Json object,
                                         const WriteOptions& options, bool applied,
                                         std::vector<std::string> warnings);
  absl::StatusOr<WritePlan> FinishUpdate(const WriteTarget& target, const ObjectPtr& before,
                                         Json object, const WriteOptions& options, bool applied,
                                         std::vector<std::string> warnings);
  absl::StatusOr<WritePlan> Apply(const WriteTarget& target, const ObjectPtr& before,
                                  std::string_view body, const WriteOptions& options);
  absl::StatusOr<WritePlan> UpdateScale(const WriteTarget& target, const ObjectPtr& before,
                                        const Json& scale, const WriteOptions& options);
  absl::Status CheckUpdate(const WriteTarget& target, const ObjectPtr& before,
                           const Json& object) const;
  absl::Status Admit(const WriteTarget& target, std::string_view name, Json& object,
                     std::vector<std::string>& warnings) const;
  absl::Status AllocateService(const Json& before, Json& service);
  std::string GenerateName(const std::string& base);
  // A generated name that is free, unless several in a row were taken.
  std::string UnusedName(const WriteTarget& target, const std::string& base);
  ObjectKey KeyOf(const WriteTarget& target) const;

  Env env_;
  Store& store_;
  const Registry& registry_;
  const Admitter admit_;
  const bool node_ports_;
};

}  // namespace sealane::kubeapi

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"
#include "sealane/v1/query.pb.h"
#include "tools/sealane/apps.h"
#include "tools/sealane/views.h"

namespace sealane::cli {

// What one object was and is. A revision's number is its generation.
struct ObjectHistory {
  v1::ObjectRef ref;
  std::vector<v1::StoredObject> revisions;  // oldest first; never empty
  // The object's row, for preconditions; 0: the last revision is not in force, the object is gone.
  uint64_t row_revision = 0;

  [[nodiscard]] bool in_force() const { return row_revision != 0; }
};

// The history of the object that `name` means in the answer to what = history: workloads before
// everything else, then by kind. NOT_FOUND when nothing is kept; INVALID_ARGUMENT when several
// namespaces have one, naming them.
[[nodiscard]] absl::StatusOr<ObjectHistory> SelectHistory(const v1::QueryReply& reply,
                                                          const AppName& name);

// NOT_FOUND names the revisions that are kept.
[[nodiscard]] absl::StatusOr<const v1::StoredObject*> FindRevision(const ObjectHistory& history,
                                                                   int64_t revision);
// The newest revision that differs from the one in force; of an object that is gone, its last.
// NOT_FOUND when there is none.
[[nodiscard]] absl::StatusOr<const v1::StoredObject*> PreviousRevision(
    const ObjectHistory& history);

// The manifest as YAML.
[[nodiscard]] std::string RevisionText(const v1::StoredObject& revision);
// How `to` differs from `from`, as `diff -u` prints it; "" when they are equal. What a Secret holds
// is not shown.
[[nodiscard]] std::string RevisionDiff(const v1::StoredObject& from, const v1::StoredObject& to);

[[nodiscard]] std::string FormatHistory(const ObjectHistory& history, const ViewOptions& options);
[[nodiscard]] Json HistoryToJson(const ObjectHistory& history);

}  // namespace sealane::cli

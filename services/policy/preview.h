#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/bus/query.h"
#include "sealane/v1/query.pb.h"
#include "services/policy/matcher.h"
#include "services/policy/state.h"

namespace sealane::policy {

// What matching would make of objects and policies that nobody has applied yet.
struct Preview {
  std::vector<v1::Binding> bindings;   // that would be made or changed, sorted by row key
  std::vector<std::string> unclaimed;  // "Deployment shop/web": given objects without a policy
};

// `given.objects` carry manifests as they would be applied; each is held to admission
// (INVALID_ARGUMENT names the object and the field). Dependencies are not followed: what
// propagateDeps takes along has no placement of its own. Changes nothing.
[[nodiscard]] absl::StatusOr<Preview> PreviewObjects(const State& state, const Matcher& matcher,
                                                     const v1::QueryReply& given);

// Answers what = preview (proto/sealane/v1/query.proto).
void AnswerPreview(const State& state, const Matcher& matcher, const v1::QueryRequest& request,
                   QueryAnswer& answer);

}  // namespace sealane::policy

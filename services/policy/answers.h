#pragma once

#include <memory>

#include "lib/bus/bus.h"
#include "lib/bus/query.h"
#include "sealane/v1/query.pb.h"
#include "services/policy/matcher.h"
#include "services/policy/renderer.h"
#include "services/policy/state.h"

namespace sealane::policy {

// Answers query.policy: what = objects | bindings | works | render | explain, filtered by group,
// kind, namespace, name and cluster. `works` (and `render`, the same) gives, per cluster, the
// manifest with the overrides that made it, for the first thousand works; `explain` gives as JSON
// which policy claims the object and why the others do not.
void AnswerQuery(const State& state, const Matcher& matcher, const Renderer& renderer,
                 const v1::QueryRequest& request, QueryAnswer& answer);

// Answers a question on hub::kResultRequests: the DeployResult of the asking platform's deploy
// event `name`, as `body`; an empty body when there is none (yet).
void AnswerResult(Bus& bus, const v1::QueryRequest& request,
                  const std::shared_ptr<QueryAnswer>& answer);

}  // namespace sealane::policy

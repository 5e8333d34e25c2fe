#include "services/policy/answers.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/model/identity.h"
#include "services/policy/matcher.h"

namespace sealane::policy {
namespace {

// How many rows travel in one part; the bus layer divides further by size.
constexpr int kRowsPerPart = 256;
// For how many works of one answer the operations that made them are found again; it takes about a
// tenth of a millisecond each.
constexpr int kExplainedWorks = 1000;

bool Wanted(const v1::QueryRequest& request, const v1::ObjectRef& ref) {
  const auto fits = [](const std::string& filter, std::string_view value) {
    return filter.empty() || filter == value;
  };
  return fits(request.kind(), ref.kind()) && fits(request.namespace_(), ref.namespace_()) &&
         fits(request.name(), ref.name()) && fits(request.group(), GroupOf(ref.api_version()));
}

// Sends the rows of a table that the request wants, with `add` putting one into a part.
template <typename T, typename AddRow>
void SendRows(const PackedTable<T>& table, const v1::QueryRequest& request, QueryAnswer& answer,
              AddRow add) {
  v1::QueryReply part;
  int in_part = 0;
  uint32_t sent = 0;
  const std::string prefix =
      request.cluster().empty() ? "" : StrCat(EncodeToken(request.cluster()), ".");
  const auto rows = table.rows();
  for (auto it = rows.lower_bound(prefix); it != rows.end(); ++it) {
    const auto [key, row] = *it;
    if (!key.starts_with(prefix)) break;
    T value = row.Parse();
    if (!Wanted(request, value.ref())) continue;
    if (request.limit() != 0 && sent == request.limit()) break;
    add(part, std::move(value), row.revision);
    ++sent;
    if (++in_part == kRowsPerPart) {
      answer.Send(part);
      part.Clear();
      in_part = 0;
    }
  }
  if (in_part > 0) answer.Send(part);
  answer.End();
}

// Why a policy that matches does not claim the object. `first`: the policy that claims it, or that
// is about to.
std::string WhyNot(const State& state, const PropagationPolicy& policy,
                   const PropagationPolicy* first, bool claimed, const ObjectView& view) {
  if (Matches(policy.selectors, view) == MatchStrength::kNone) {
    return "no selector matches the object";
  }
  const std::string missing = NeedsOf(state, policy).missing;
  if (!missing.empty()) return StrCat("it waits for ", missing);
  if (first == nullptr || first == &policy) return "about to claim";
  const std::string after = WhyAfter(policy, *first, view);
  if (!after.empty() || !claimed) return after;
  if (Preempts(policy, *first)) return "about to preempt";
  return StrCat("it would come first, but a claim is kept until its policy stops matching, is ",
                "deleted or is preempted; ",
                policy.preempts ? "preempting takes a strictly higher priority"
                                : "this policy's preemption is Never");
}

// Which policy claims the object, and what became of every other that speaks about its kind.
Json Explain(const State& state, const Matcher& matcher, const v1::StoredObject& object,
             const v1::Binding* binding) {
  const Json manifest = Json::parse(object.manifest(), nullptr, false);
  const ObjectView view{object.ref(), manifest};
  const std::vector<const PropagationPolicy*> candidates =
      state.policies.PropagationFor(object.ref());
  const bool claimed = binding != nullptr && binding->has_policy();
  const PropagationPolicy* first = claimed
                                       ? state.policies.FindPropagation(RowKey(binding->policy()))
                                       : SelectPolicy(view, candidates);
  const bool never = matcher.NeverPropagated(object.ref());
  Json policies = Json::array();
  for (const PropagationPolicy* policy : candidates) {
    const bool claims = claimed && policy == first;
    policies.push_back({{"policy", Describe(KeyOf(policy->ref))},
                        {"priority", policy->priority},
                        {"matches", StrengthName(Matches(policy->selectors, view))},
                        {"claims", claims},
                        {"why", claims  ? "claims the object"
                                : never ? "objects of this namespace or kind are never propagated"
                                        : WhyNot(state, *policy, first, claimed, view)}});
  }
  Json overrides = Json::array();
  for (const OverridePolicy* policy :
       RelevantOverrides(view, state.policies.OverridesFor(object.ref()))) {
    overrides.push_back(Describe(KeyOf(policy->ref)));
  }
  return {{"object", Describe(KeyOf(object.ref()))},
          {"claimed", claimed},
          {"policies", std::move(policies)},
          {"overridesInOrder", std::move(overrides)}};
}

void AnswerExplain(const State& state, const Matcher& matcher, const Renderer& renderer,
                   const v1::QueryRequest& request, QueryAnswer& answer) {
  Json list = Json::array();
  for (const auto& [key, row] : state.objects.rows()) {
    const v1::StoredObject object = row.Parse();
    if (!Wanted(request, object.ref())) continue;
    const std::optional<v1::Binding> binding = state.bindings.Read(key);
    Json explained = Explain(state, matcher, object, binding.has_value() ? &*binding : nullptr);
    Json errors = Json::object();
    for (const auto& [cluster, message] : renderer.ErrorsOf(key)) errors[cluster] = message;
    if (!errors.empty()) explained["renderErrors"] = std::move(errors);
    list.push_back(std::move(explained));
  }
  v1::QueryReply reply;
  reply.set_body(list.dump());
  answer.Send(reply);
  answer.End();
}

}  // namespace

void AnswerQuery(const State& state, const Matcher& matcher, const Renderer& renderer,
                 const v1::QueryRequest& request, QueryAnswer& answer) {
  const std::string& what = request.what();
  if (what == "objects") {
    SendRows(state.objects, request, answer,
             [](v1::QueryReply& part, v1::StoredObject object, uint64_t revision) {
               *part.add_objects() = std::move(object);
               part.add_revisions(revision);
             });
  } else if (what == "bindings") {
    SendRows(state.bindings, request, answer,
             [](v1::QueryReply& part, v1::Binding binding, uint64_t) {
               *part.add_bindings() = std::move(binding);
             });
  } else if (what == "works" || what == "render") {
    int explained = 0;
    SendRows(state.works, request, answer, [&](v1::QueryReply& part, v1::Work row, uint64_t) {
      v1::Work& work = *part.add_works();
      work = std::move(row);
      if (++explained > kExplainedWorks) return;
      renderer.AddAppliedOverrides(StrCat(EncodeToken(work.cluster()), ".", RowKey(work.ref())),
                                   work);
    });
  } else if (what == "explain") {
    AnswerExplain(state, matcher, renderer, request, answer);
  } else {
    answer.Fail(
        StrCat("query.policy does not answer '", what,
               "'; it answers objects, history, bindings, works, render, explain, preview"));
  }
}

void AnswerResult(Bus& bus, const v1::QueryRequest& request,
                  const std::shared_ptr<QueryAnswer>& answer) {
  if (request.name().empty()) {
    answer->Fail("results: name (the event's id) is required");
    return;
  }
  const std::string platform = hub::PlatformOf(answer->subject());
  bus.GetLast(kDeployedTable, hub::Deployed(platform, request.name()),
              [answer](const absl::StatusOr<std::optional<BusMessage>>& found) {
                if (!found.ok()) {
                  answer->Fail(ToStd(found.status().message()));
                  return;
                }
                v1::QueryReply reply;
                if (found->has_value()) reply.set_body((*found)->payload);
                answer->Send(reply);
                answer->End();
              });
}

}  // namespace sealane::policy

#include "services/policy/preview.h"

#include <map>
#include <set>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/kube/admission.h"
#include "lib/kube/manifest.h"
#include "lib/kube/policy_admission.h"
#include "lib/model/identity.h"
#include "services/policy/binding.h"

namespace sealane::policy {
namespace {

constexpr int kBindingsPerPart = 256;

using Overlay = std::map<std::string, v1::StoredObject>;

// The rows that the given objects would become.
absl::StatusOr<Overlay> Imagine(const State& state, const v1::QueryReply& given) {
  Overlay overlay;
  for (const v1::StoredObject& object : given.objects()) {
    Json manifest;
    const kube::Admission admission = kube::AdmitText(object.manifest(), &manifest);
    if (!admission.errors.empty()) {
      const v1::FieldError& error = admission.errors.front();
      return InvalidArgument(StrCat(Describe(KeyOf(object.ref())), ": ", error.field(),
                                    error.field().empty() ? "" : ": ", error.message()));
    }
    const v1::ObjectRef ref = kube::RefOf(manifest);
    const std::string key = RowKey(ref);
    v1::StoredObject stored;
    const Row<v1::StoredObject>* row = state.objects.Find(key);
    if (row != nullptr && !row->value.deleting()) stored = row->value;
    if (stored.uid().empty()) stored.set_uid(StrCat("preview-", key));
    std::vector<v1::FieldError> ignored;
    std::string text = kube::CanonicalManifest(manifest, &ignored);
    if (text != stored.manifest()) stored.set_generation(stored.generation() + 1);
    stored.set_manifest(std::move(text));
    *stored.mutable_ref() = ref;
    overlay[key] = std::move(stored);
  }
  return overlay;
}

// Adds the policies that are in force to an empty index.
void AddPolicies(const State& state, PolicyIndex* index) {
  const std::string prefix = StrCat(EncodeToken(kube::kPolicyGroup), ".");
  const auto rows = state.objects.rows();
  for (auto it = rows.lower_bound(prefix); it != rows.end(); ++it) {
    const auto [key, row] = *it;
    if (!key.starts_with(prefix)) break;
    const v1::StoredObject object = row.Parse();
    if (PolicyIndex::IsPolicy(object.ref())) index->Set(std::string(key), object.ref(), &object);
  }
}

// Whether the given objects hold something that the policy needs.
bool Brings(const Overlay& overlay, const PropagationPolicy& policy) {
  for (const std::string& key : policy.DependentOverrideKeys()) {
    if (overlay.contains(key)) return true;
  }
  return overlay.contains(PriorityClassKey(policy.priority_class));
}

}  // namespace

absl::StatusOr<Preview> PreviewObjects(const State& state, const Matcher& matcher,
                                       const v1::QueryReply& given) {
  SEALANE_ASSIGN_OR_RETURN(const Overlay overlay, Imagine(state, given));
  PolicyIndex imagined;
  const PolicyIndex* policies = &state.policies;
  std::set<std::string> keys;
  for (const auto& [key, object] : overlay) {
    keys.insert(key);
    if (!PolicyIndex::IsPolicy(object.ref())) continue;
    if (policies == &state.policies) {
      AddPolicies(state, &imagined);
      policies = &imagined;
    }
    const PolicyIndex::Change change = imagined.Set(key, object.ref(), &object);
    if (!change.propagation) continue;  // overrides change no binding
    for (std::string& concerned : state.Concerned(change)) keys.insert(std::move(concerned));
  }
  Preview preview;
  for (const std::string& key : keys) {
    const auto given_object = overlay.find(key);
    const bool is_given = given_object != overlay.end();
    const Row<v1::StoredObject>* row = state.objects.Find(key);
    const v1::StoredObject& object = is_given ? given_object->second : row->value;
    if (object.deleting() || matcher.NeverPropagated(object.ref())) continue;
    const Json manifest = Json::parse(object.manifest(), nullptr, /*allow_exceptions=*/false);
    if (manifest.is_discarded()) continue;
    const Row<v1::Binding>* bound = state.bindings.Find(key);
    const v1::Binding* current =
        bound != nullptr && bound->value.uid() == object.uid() ? &bound->value : nullptr;
    const PropagationPolicy* claimer =
        matcher.Claimer(*policies, {object.ref(), manifest}, current);
    PolicyNeeds needs;
    if (claimer != nullptr) needs = NeedsOf(state, *claimer);
    // A policy that lacks what it needs keeps what it has claimed, as it was; it claims nothing
    // new.
    const bool held = !needs.missing.empty() && !Brings(overlay, *claimer);
    if (held && (current == nullptr || current->policy_uid() != claimer->uid)) claimer = nullptr;
    // Unclaimed and bound: what runs keeps its rules and follows its object.
    if (claimer == nullptr && current == nullptr) {
      if (is_given) preview.unclaimed.push_back(Describe(KeyOf(object.ref())));
      continue;
    }
    // A lazy policy waits until the object itself changes.
    if (claimer != nullptr && claimer->lazy && !is_given) continue;
    v1::Binding binding;
    if (current != nullptr) binding = *current;
    binding.set_deleting(false);
    FillFromObject(object, manifest, binding);
    if (claimer != nullptr && !held) {
      FillFromPolicy(*claimer, binding);
      binding.set_schedule_priority(needs.schedule_priority);
    }
    if (current != nullptr && SameButRevision(binding, *current)) continue;
    binding.set_revision(binding.revision() + 1);
    preview.bindings.push_back(std::move(binding));
  }
  return preview;
}

void AnswerPreview(const State& state, const Matcher& matcher, const v1::QueryRequest& request,
                   QueryAnswer& answer) {
  v1::QueryReply given;
  if (!given.ParseFromString(request.body())) {
    answer.Fail("the body of preview is not a QueryReply");
    return;
  }
  const absl::StatusOr<Preview> preview = PreviewObjects(state, matcher, given);
  if (!preview.ok()) {
    answer.Fail(ToStd(preview.status().message()));
    return;
  }
  v1::QueryReply part;
  part.set_body(Json{{"unclaimed", preview->unclaimed}}.dump());
  for (const v1::Binding& binding : preview->bindings) {
    *part.add_bindings() = binding;
    if (part.bindings_size() < kBindingsPerPart) continue;
    answer.Send(part);
    part.Clear();
  }
  answer.Send(part);
  answer.End();
}

}  // namespace sealane::policy

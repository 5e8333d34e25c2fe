// Rules of where pods may run.

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_kinds.h"
#include "lib/kubeapi/validate_meta.h"

namespace sealane::kubeapi {
namespace {

constexpr char kRequired[] = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr char kPreferred[] = "preferredDuringSchedulingIgnoredDuringExecution";

void CheckTolerations(const Json& spec, const FieldPath& path, FieldErrors& errors) {
  const Json& tolerations = ListAt(spec, "tolerations");
  for (size_t i = 0; i < tolerations.size(); ++i) {
    const Json& toleration = tolerations[i];
    const FieldPath at = path.Child("tolerations", i);
    const std::string_view op = TextView(toleration, "operator");
    const std::string_view effect = TextView(toleration, "effect");
    const std::string_view value = TextView(toleration, "value");
    if (!TextView(toleration, "key").empty()) {
      CheckLabelKey(toleration, "key", at, errors);
    } else if (op != "Exists") {
      errors.push_back(InvalidField(at.Text("operator"), op,
                                    "operator must be Exists when `key` is empty, which means "
                                    "\"match all values and all keys\""));
    }
    if (Has(toleration, "tolerationSeconds") && effect != "NoExecute") {
      errors.push_back(InvalidField(at.Text("effect"), effect,
                                    "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (op.empty() || op == "Equal") {
      if (const std::string why = WhyNotLabelValue(value); !why.empty()) {
        errors.push_back(InvalidField(at.Text("operator"), value, why));
      }
    } else if (op == "Exists") {
      if (!value.empty()) {
        errors.push_back(InvalidField(at.Text("operator"), value,
                                      "value must be empty when `operator` is 'Exists'"));
      }
    } else if (op != "Lt" && op != "Gt") {
      errors.push_back(UnsupportedField(at.Text("operator"), op, {"Equal", "Exists"}));
    }
    if (!effect.empty()) {
      CheckOneOf(toleration, "effect", {"NoSchedule", "PreferNoSchedule", "NoExecute"}, at, errors);
    }
  }
}

// A term of a node selector. Values of preferred terms are not looked at.
void CheckNodeTerm(const Json& term, bool required, const FieldPath& path, FieldErrors& errors) {
  const Json& expressions = ListAt(term, "matchExpressions");
  for (size_t i = 0; i < expressions.size(); ++i) {
    const FieldPath at = path.Child("matchExpressions", i);
    const std::string_view op = TextView(expressions[i], "operator");
    const Json& values = ListAt(expressions[i], "values");
    if (CheckSetOperator(op, values, at, errors)) {
      // As for labels.
    } else if (op == "Gt" || op == "Lt") {
      if (values.size() != 1) {
        errors.push_back(RequiredField(
            at.Text("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      }
    } else {
      errors.push_back(InvalidField(at.Text("operator"), op, "not a valid selector operator"));
    }
    CheckLabelKey(expressions[i], "key", at, errors);
    for (size_t j = 0; required && j < values.size(); ++j) {
      if (!values[j].is_string()) continue;
      const std::string why = WhyNotLabelValue(values[j].get_ref<const std::string&>());
      if (!why.empty()) {
        errors.push_back(InvalidField(at.Child("values", j).Text(), values[j], why));
      }
    }
  }
}

void CheckWeight(const Json& term, const FieldPath& path, FieldErrors& errors) {
  const int64_t weight = IntAt(term, "weight").value_or(0);
  if (weight < 1 || weight > 100) {
    errors.push_back(InvalidField(path.Text("weight"), weight, "must be in the range 1-100"));
  }
}

void CheckNodeAffinity(const Json& affinity, const FieldPath& path, FieldErrors& errors) {
  if (const Json& required = At(affinity, kRequired); !required.is_null()) {
    const FieldPath at = path.Child(kRequired);
    const Json& terms = ListAt(required, "nodeSelectorTerms");
    if (terms.empty()) {
      errors.push_back(
          RequiredField(at.Text("nodeSelectorTerms"), "must have at least one node selector term"));
    }
    for (size_t i = 0; i < terms.size(); ++i) {
      CheckNodeTerm(terms[i], /*required=*/true, at.Child("nodeSelectorTerms", i), errors);
    }
  }
  const Json& preferred = ListAt(affinity, kPreferred);
  for (size_t i = 0; i < preferred.size(); ++i) {
    const FieldPath at = path.Child(kPreferred, i);
    CheckWeight(preferred[i], at, errors);
    CheckNodeTerm(At(preferred[i], "preference"), /*required=*/false, at.Child("preference"),
                  errors);
  }
}

void CheckTopologyKey(const Json& term, const char* empty, const FieldPath& path,
                      FieldErrors& errors) {
  if (TextView(term, "topologyKey").empty()) {
    errors.push_back(RequiredField(path.Text("topologyKey"), empty));
  } else {
    CheckLabelKey(term, "topologyKey", path, errors);
  }
}

void CheckPodTerm(const Json& term, const FieldPath& path, FieldErrors& errors) {
  CheckLabelSelector(At(term, "labelSelector"), path.Child("labelSelector"), errors);
  CheckLabelSelector(At(term, "namespaceSelector"), path.Child("namespaceSelector"), errors);
  CheckTopologyKey(term, "can not be empty", path, errors);
}

void CheckPodAffinity(const Json& affinity, const FieldPath& path, FieldErrors& errors) {
  const Json& required = ListAt(affinity, kRequired);
  for (size_t i = 0; i < required.size(); ++i) {
    CheckPodTerm(required[i], path.Child(kRequired, i), errors);
  }
  const Json& preferred = ListAt(affinity, kPreferred);
  for (size_t i = 0; i < preferred.size(); ++i) {
    const FieldPath at = path.Child(kPreferred, i);
    CheckWeight(preferred[i], at, errors);
    CheckPodTerm(At(preferred[i], "podAffinityTerm"), at.Child("podAffinityTerm"), errors);
  }
}

void CheckSpreading(const Json& spec, const FieldPath& path, FieldErrors& errors) {
  const Json& constraints = ListAt(spec, "topologySpreadConstraints");
  for (size_t i = 0; i < constraints.size(); ++i) {
    const FieldPath at = path.Child("topologySpreadConstraints", i);
    const int64_t skew = IntAt(constraints[i], "maxSkew").value_or(0);
    if (skew <= 0) {
      errors.push_back(InvalidField(at.Text("maxSkew"), skew, "must be greater than zero"));
    }
    CheckTopologyKey(constraints[i], "can not be empty", at, errors);
    if (!Has(constraints[i], "whenUnsatisfiable")) {
      errors.push_back(
          UnsupportedField(at.Text("whenUnsatisfiable"), "", {"DoNotSchedule", "ScheduleAnyway"}));
    } else {
      CheckOneOf(constraints[i], "whenUnsatisfiable", {"DoNotSchedule", "ScheduleAnyway"}, at,
                 errors);
    }
    CheckLabelSelector(At(constraints[i], "labelSelector"), at.Child("labelSelector"), errors);
  }
}

}  // namespace

void CheckScheduling(const Json& spec, const FieldPath& path, FieldErrors& errors) {
  CheckLabels(At(spec, "nodeSelector"), path.Child("nodeSelector"), errors);
  CheckTolerations(spec, path, errors);
  CheckSpreading(spec, path, errors);
  const Json& affinity = At(spec, "affinity");
  if (!affinity.is_object()) return;
  const FieldPath at = path.Child("affinity");
  CheckNodeAffinity(At(affinity, "nodeAffinity"), at.Child("nodeAffinity"), errors);
  CheckPodAffinity(At(affinity, "podAffinity"), at.Child("podAffinity"), errors);
  CheckPodAffinity(At(affinity, "podAntiAffinity"), at.Child("podAntiAffinity"), errors);
}

}  // namespace sealane::kubeapi

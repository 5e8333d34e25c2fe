#include "lib/model/selector.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "lib/core/status.h"
#include "lib/model/field_errors.h"
#include "lib/model/label_syntax.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/placement.pb.h"

namespace sealane {
namespace {

using Op = SelectorRequirement::Op;

bool ParseInteger(std::string_view text, int64_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

// Checks in NewRequirement's order; returns what is wrong, or "".
std::string CheckRequirement(SelectorRequirement& requirement) {
  if (std::string why = CheckLabelKey(requirement.key); !why.empty()) {
    return StrCat("key \"", requirement.key, "\": ", why);
  }
  switch (requirement.op) {
    case Op::kIn:
    case Op::kNotIn:
      if (requirement.values.empty()) {
        return "for 'in', 'notin' operators, values must be specified";
      }
      break;
    case Op::kExists:
    case Op::kDoesNotExist:
      if (!requirement.values.empty()) return "values must be empty for exists and does not exist";
      break;
    case Op::kGt:
    case Op::kLt:
      if (requirement.values.size() != 1)
        return "for 'Gt', 'Lt' operators, exactly one value is required";
      if (!ParseInteger(requirement.values[0], &requirement.number)) {
        return "for 'Gt', 'Lt' operators, the value must be an integer";
      }
      break;
  }
  for (const std::string& value : requirement.values) {
    if (std::string why = CheckLabelValue(value); !why.empty()) {
      return StrCat("value \"", value, "\": ", why);
    }
  }
  return "";
}

absl::StatusOr<SelectorRequirement> Build(std::string_view key, Op op,
                                          std::vector<std::string> values) {
  SelectorRequirement requirement;
  requirement.key = std::string(key);
  requirement.op = op;
  requirement.values = std::move(values);
  std::sort(requirement.values.begin(), requirement.values.end());
  requirement.values.erase(std::unique(requirement.values.begin(), requirement.values.end()),
                           requirement.values.end());
  if (std::string why = CheckRequirement(requirement); !why.empty()) return InvalidArgument(why);
  return requirement;
}

}  // namespace

bool SelectorRequirement::Matches(const std::string* value) const {
  switch (op) {
    case Op::kIn:
      if (values.size() == 1) return value != nullptr && *value == values[0];
      return value != nullptr && std::binary_search(values.begin(), values.end(), *value);
    case Op::kNotIn:
      return value == nullptr || !std::binary_search(values.begin(), values.end(), *value);
    case Op::kExists:
      return value != nullptr;
    case Op::kDoesNotExist:
      return value == nullptr;
    case Op::kGt:
    case Op::kLt: {
      int64_t actual = 0;
      if (value == nullptr || !ParseInteger(*value, &actual)) return false;
      return op == Op::kGt ? actual > number : actual < number;
    }
  }
  return false;
}

absl::StatusOr<SelectorRequirement::Op> ParseSelectorOperator(std::string_view text) {
  if (text == "In") return Op::kIn;
  if (text == "NotIn") return Op::kNotIn;
  if (text == "Exists") return Op::kExists;
  if (text == "DoesNotExist") return Op::kDoesNotExist;
  if (text == "Gt") return Op::kGt;
  if (text == "Lt") return Op::kLt;
  return InvalidArgument(StrCat("\"", text, "\" is not a valid selector operator"));
}

absl::StatusOr<SelectorRequirement> MakeRequirement(std::string_view key, std::string_view op,
                                                    std::vector<std::string> values) {
  SEALANE_ASSIGN_OR_RETURN(const Op parsed, ParseSelectorOperator(op));
  return Build(key, parsed, std::move(values));
}

Selector::Selector(std::vector<SelectorRequirement> requirements)
    : requirements_(std::move(requirements)) {
  std::stable_sort(requirements_.begin(), requirements_.end(),
                   [](const auto& a, const auto& b) { return a.key < b.key; });
}

absl::StatusOr<Selector> Selector::Compile(const v1::LabelSelector& selector) {
  std::vector<SelectorRequirement> requirements;
  for (const auto& entry : selector.match_labels()) {
    auto requirement = Build(entry.first, Op::kIn, {entry.second});
    if (!requirement.ok()) return Annotate(requirement.status(), "matchLabels");
    requirements.push_back(*std::move(requirement));
  }
  for (int i = 0; i < selector.match_expressions_size(); ++i) {
    const auto& expression = selector.match_expressions(i);
    const std::string field = StrCat("matchExpressions[", i, "]");
    auto op = ParseSelectorOperator(expression.operator_());
    if (!op.ok()) return Annotate(op.status(), field);
    if (*op == Op::kGt || *op == Op::kLt) {
      return InvalidArgument(StrCat(field, ": \"", expression.operator_(),
                                    "\" is not a valid label selector operator"));
    }
    auto requirement =
        Build(expression.key(), *op, {expression.values().begin(), expression.values().end()});
    if (!requirement.ok()) return Annotate(requirement.status(), field);
    requirements.push_back(*std::move(requirement));
  }
  return Selector(std::move(requirements));
}

bool Selector::Matches(LabelsView labels) const {
  for (const SelectorRequirement& requirement : requirements_) {
    if (!requirement.Matches(labels.Find(requirement.key))) return false;
  }
  return true;
}

std::string Selector::WhyNot(LabelsView labels) const {
  std::vector<std::string> parts;
  for (const SelectorRequirement& requirement : requirements_) {
    if (!requirement.Matches(labels.Find(requirement.key))) {
      parts.push_back(sealane::ToString(requirement));
    }
  }
  return StrJoin(parts, ",");
}

std::string Selector::ToString() const {
  std::vector<std::string> parts;
  for (const SelectorRequirement& requirement : requirements_) {
    parts.push_back(sealane::ToString(requirement));
  }
  return StrJoin(parts, ",");
}

std::string ToString(const SelectorRequirement& requirement) {
  const auto list = [&] { return StrCat("(", StrJoin(requirement.values, ","), ")"); };
  switch (requirement.op) {
    case Op::kIn:
      return requirement.values.size() == 1 ? StrCat(requirement.key, "=", requirement.values[0])
                                            : StrCat(requirement.key, " in ", list());
    case Op::kNotIn:
      return requirement.values.size() == 1 ? StrCat(requirement.key, "!=", requirement.values[0])
                                            : StrCat(requirement.key, " notin ", list());
    case Op::kExists:
      return requirement.key;
    case Op::kDoesNotExist:
      return StrCat("!", requirement.key);
    case Op::kGt:
      return StrCat(requirement.key, ">", requirement.number);
    case Op::kLt:
      return StrCat(requirement.key, "<", requirement.number);
  }
  return "";
}

bool MatchesLabels(const v1::LabelSelector& selector, LabelsView labels) {
  const auto compiled = Selector::Compile(selector);
  return compiled.ok() && compiled->Matches(labels);
}

void ValidateLabelSelector(const v1::LabelSelector& selector, std::string_view field,
                           std::vector<v1::FieldError>* errors) {
  for (const auto& entry : selector.match_labels()) {
    const std::string path = StrCat(field, ".matchLabels");
    if (std::string why = CheckLabelKey(entry.first); !why.empty()) {
      AddFieldError(errors, path, "Invalid", StrCat("\"", entry.first, "\": ", why));
    }
    if (std::string why = CheckLabelValue(entry.second); !why.empty()) {
      AddFieldError(errors, path, "Invalid", StrCat("\"", entry.second, "\": ", why));
    }
  }
  for (int i = 0; i < selector.match_expressions_size(); ++i) {
    const auto& expression = selector.match_expressions(i);
    const std::string path = StrCat(field, ".matchExpressions[", i, "]");
    const std::string& op = expression.operator_();
    if (op == "In" || op == "NotIn") {
      if (expression.values().empty()) {
        AddFieldError(errors, path + ".values", "Required",
                      "must be specified when `operator` is 'In' or 'NotIn'");
      }
    } else if (op == "Exists" || op == "DoesNotExist") {
      if (!expression.values().empty()) {
        AddFieldError(errors, path + ".values", "Forbidden",
                      "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      }
    } else {
      AddFieldError(errors, path + ".operator", "Invalid",
                    StrCat("\"", op, "\" is not a valid label selector operator"));
    }
    if (std::string why = CheckLabelKey(expression.key()); !why.empty()) {
      AddFieldError(errors, path + ".key", "Invalid", StrCat("\"", expression.key(), "\": ", why));
    }
    for (int j = 0; j < expression.values_size(); ++j) {
      if (std::string why = CheckLabelValue(expression.values(j)); !why.empty()) {
        AddFieldError(errors, StrCat(path, ".values[", j, "]"), "Invalid",
                      StrCat("\"", expression.values(j), "\": ", why));
      }
    }
  }
}

}  // namespace sealane

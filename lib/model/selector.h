#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/model/labels_view.h"

namespace sealane {

namespace v1 {
class FieldError;
class LabelSelector;
}  // namespace v1

// One demand of a selector on one label, as in Kubernetes' labels.Requirement.
struct SelectorRequirement {
  enum class Op { kIn, kNotIn, kExists, kDoesNotExist, kGt, kLt };
  std::string key;
  Op op = Op::kExists;
  std::vector<std::string> values;  // sorted, without duplicates
  int64_t number = 0;               // kGt, kLt

  // `value` is null when the label is absent: then NotIn and DoesNotExist hold.
  [[nodiscard]] bool Matches(const std::string* value) const;
};

// "In" -> kIn and so on; INVALID_ARGUMENT for another word.
[[nodiscard]] absl::StatusOr<SelectorRequirement::Op> ParseSelectorOperator(std::string_view text);

// Makes a requirement and checks it as Kubernetes does: key and values are valid labels, In and
// NotIn have values, Exists and DoesNotExist have none, Gt and Lt have one integer.
[[nodiscard]] absl::StatusOr<SelectorRequirement> MakeRequirement(std::string_view key,
                                                                  std::string_view op,
                                                                  std::vector<std::string> values);

// A compiled label selector: the conjunction of its requirements. Immutable, cheap to match.
class Selector {
 public:
  // Matches everything.
  Selector() = default;
  explicit Selector(std::vector<SelectorRequirement> requirements);

  // INVALID_ARGUMENT names the first field that is wrong. An empty selector matches everything.
  [[nodiscard]] static absl::StatusOr<Selector> Compile(const v1::LabelSelector& selector);
  // The text form of kubectl: "a=b,c!=d,e in (x,y),f notin (z),g,!h,i>1,j<2". "" matches
  // everything.
  [[nodiscard]] static absl::StatusOr<Selector> Parse(std::string_view text);

  [[nodiscard]] bool Matches(LabelsView labels) const;
  // Every requirement that the labels do not meet, for people ("env=prod,tier=gold"); "" when all
  // are met.
  [[nodiscard]] std::string WhyNot(LabelsView labels) const;
  [[nodiscard]] bool empty() const { return requirements_.empty(); }
  [[nodiscard]] const std::vector<SelectorRequirement>& requirements() const {
    return requirements_;
  }
  // The text form, requirements in key order.
  [[nodiscard]] std::string ToString() const;

 private:
  std::vector<SelectorRequirement> requirements_;  // sorted by key
};

// Text form of one requirement.
[[nodiscard]] std::string ToString(const SelectorRequirement& requirement);

// Compiles and matches; an invalid selector matches nothing (as in Karmada).
[[nodiscard]] bool MatchesLabels(const v1::LabelSelector& selector, LabelsView labels);

// Appends every error of the selector, with the field's path below `field`.
// Source: apimachinery's ValidateLabelSelector.
void ValidateLabelSelector(const v1::LabelSelector& selector, std::string_view field,
                           std::vector<v1::FieldError>* errors);

}  // namespace sealane

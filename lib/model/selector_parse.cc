// The text form of label selectors, as kubectl's -l takes it (apimachinery's labels.Parse).

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/selector.h"

namespace sealane {
namespace {

class SelectorParser {
 public:
  explicit SelectorParser(std::string_view text) : text_(text) {}

  absl::StatusOr<Selector> Parse() {
    std::vector<SelectorRequirement> requirements;
    SkipSpace();
    while (!AtEnd()) {
      SEALANE_ASSIGN_OR_RETURN(SelectorRequirement requirement, ParseRequirement());
      requirements.push_back(std::move(requirement));
      SkipSpace();
      if (AtEnd()) break;
      if (!Take(",")) return Error("expected ',' between requirements");
      SkipSpace();
      if (AtEnd()) return Error("a requirement is missing after ','");
    }
    return Selector(std::move(requirements));
  }

 private:
  absl::StatusOr<SelectorRequirement> ParseRequirement() {
    const bool absent = Take("!");
    SkipSpace();
    const std::string key(Word());
    if (key.empty()) return Error("a label key is missing");
    SkipSpace();
    if (absent) return Make(key, "DoesNotExist", {});
    if (AtEnd() || Peek() == ',') return Make(key, "Exists", {});
    if (Take("==") || Take("=")) return Make(key, "In", {Value()});
    if (Take("!=")) return Make(key, "NotIn", {Value()});
    if (Take(">")) return Make(key, "Gt", {Value()});
    if (Take("<")) return Make(key, "Lt", {Value()});
    const std::string_view op = Word();
    if (op != "in" && op != "notin") {
      return Error("expected one of: in, notin, =, ==, !=, >, < after the key");
    }
    SkipSpace();
    if (!Take("(")) return Error("expected '(' after 'in' or 'notin'");
    std::vector<std::string> values;
    while (true) {
      values.push_back(Value());
      SkipSpace();
      if (Take(")")) break;
      if (!Take(",")) return Error("expected ',' or ')' in the list of values");
    }
    return Make(key, op == "in" ? "In" : "NotIn", std::move(values));
  }

  absl::StatusOr<SelectorRequirement> Make(std::string_view key, std::string_view op,
                                           std::vector<std::string> values) {
    auto requirement = MakeRequirement(key, op, std::move(values));
    if (!requirement.ok()) {
      return Annotate(requirement.status(), StrCat("selector \"", text_, "\""));
    }
    return requirement;
  }
  absl::Status Error(std::string_view what) const {
    return InvalidArgument(StrCat("selector \"", text_, "\", position ", position_, ": ", what));
  }

  [[nodiscard]] bool AtEnd() const { return position_ >= text_.size(); }
  [[nodiscard]] char Peek() const { return text_[position_]; }
  void SkipSpace() {
    while (!AtEnd() && (Peek() == ' ' || Peek() == '\t')) ++position_;
  }
  bool Take(std::string_view token) {
    if (text_.substr(position_, token.size()) != token) return false;
    position_ += token.size();
    return true;
  }
  std::string_view Word() {
    const size_t begin = position_;
    while (!AtEnd() && std::string_view(" \t,=!<>()").find(Peek()) == std::string_view::npos) {
      ++position_;
    }
    return text_.substr(begin, position_ - begin);
  }
  std::string Value() {
    SkipSpace();
    return std::string(Word());
  }

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace

absl::StatusOr<Selector> Selector::Parse(std::string_view text) {
  return SelectorParser(text).Parse();
}

}  // namespace sealane

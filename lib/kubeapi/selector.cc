#include "lib/kubeapi/selector.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_meta.h"

namespace sealane::kubeapi {
namespace {

std::optional<long long> AsNumber(const std::string& text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  const size_t start = text[0] == '-' ? 1 : 0;
  if (start == text.size() || text.find_first_not_of("0123456789", start) != std::string::npos) {
    return std::nullopt;
  }
  return std::stoll(text);
}

}  // namespace

// A small recursive descent over the published grammar (labels.Parse).
class LabelParser {
 public:
  explicit LabelParser(std::string_view text) : text_(text) {}

  absl::StatusOr<LabelQuery> Parse() {
    LabelQuery query;
    Skip();
    if (AtEnd()) return query;
    while (true) {
      SEALANE_RETURN_IF_ERROR(Requirement(query));
      Skip();
      if (AtEnd()) break;
      if (text_[at_] != ',') return Unexpected(Next(), "',' or 'end of string'");
      ++at_;
      Skip();
      if (AtEnd()) return Unexpected("", "identifier after ','");
    }
    return query;
  }

 private:
  using Op = LabelQuery::Op;

  [[nodiscard]] bool AtEnd() const { return at_ >= text_.size(); }
  void Skip() {
    while (!AtEnd() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  static bool IsSymbol(char c) {
    return std::string_view("=!(),<>").find(c) != std::string_view::npos;
  }
  // The next token: a symbol or a word.
  std::string Next() {
    Skip();
    if (AtEnd()) return "";
    const size_t start = at_;
    if (IsSymbol(text_[at_])) {
      ++at_;
      const std::string_view two = text_.substr(start, 2);
      if (two == "==" || two == "!=") ++at_;
      return std::string(text_.substr(start, at_ - start));
    }
    while (!AtEnd() && !IsSymbol(text_[at_]) &&
           std::isspace(static_cast<unsigned char>(text_[at_])) == 0) {
      ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }
  static bool IsWord(const std::string& token) { return !token.empty() && !IsSymbol(token[0]); }
  static absl::Status Unexpected(std::string_view found, std::string_view expected) {
    return BadRequest(
        StrCat("unable to parse requirement: found '", found, "', expected: ", expected));
  }

  absl::Status Requirement(LabelQuery& query) {
    std::string key = Next();
    if (key == "!") {
      key = Next();
      if (!IsWord(key)) return Unexpected(key, "identifier");
      SEALANE_RETURN_IF_ERROR(CheckKey(key));
      query.terms_.push_back({key, Op::kNotExists, {}, false});
      return absl::OkStatus();
    }
    if (!IsWord(key)) return Unexpected(key, "!, identifier, or 'end of string'");
    SEALANE_RETURN_IF_ERROR(CheckKey(key));
    Skip();
    if (AtEnd() || text_[at_] == ',') {
      query.terms_.push_back({key, Op::kExists, {}, false});
      return absl::OkStatus();
    }
    const std::string op = Next();
    if (op == "=" || op == "==" || op == "!=" || op == ">" || op == "<") {
      return Equality(std::move(key), op, query);
    }
    if (op != "in" && op != "notin") return Unexpected(op, "in, notin, =, ==, !=, gt, lt");
    if (Next() != "(") return Unexpected(op, "'('");
    std::vector<std::string> values;
    std::string token = Next();
    while (token != ")") {
      if (token == ",") {
        values.emplace_back();
      } else if (IsWord(token)) {
        values.push_back(token);
        token = Next();
        if (token == ")") break;
        if (token != ",") return Unexpected(token, "',', or ')'");
      } else {
        return Unexpected(token, "',', ')' or identifier");
      }
      token = Next();
      if (token == ")") values.emplace_back();
    }
    std::sort(values.begin(), values.end());
    for (const std::string& value : values) SEALANE_RETURN_IF_ERROR(CheckValue(key, value));
    query.terms_.push_back({key, op == "in" ? Op::kIn : Op::kNotIn, std::move(values), false});
    return absl::OkStatus();
  }

  absl::Status Equality(std::string key, const std::string& op, LabelQuery& query) {
    Skip();
    std::string value;
    if (!AtEnd() && text_[at_] != ',') {
      value = Next();
      if (!IsWord(value)) return Unexpected(value, "identifier");
    }
    SEALANE_RETURN_IF_ERROR(CheckValue(key, value));
    Op kind = op == "!=" ? Op::kNotIn : Op::kIn;
    if (op == ">") kind = Op::kGreater;
    if (op == "<") kind = Op::kLess;
    if ((kind == Op::kGreater || kind == Op::kLess) && !AsNumber(value)) {
      return BadRequest("for 'Gt', 'Lt' operators, the value must be an integer");
    }
    query.terms_.push_back({std::move(key), kind, {std::move(value)}, true});
    return absl::OkStatus();
  }

  static absl::Status CheckKey(const std::string& key) {
    if (const std::string why = WhyNotLabelKey(key); !why.empty()) {
      return BadRequest(
          StrCat("unable to parse requirement: <nil>: Invalid value: \"", key, "\": ", why));
    }
    return absl::OkStatus();
  }
  static absl::Status CheckValue(const std::string& key, const std::string& value) {
    if (const std::string why = WhyNotLabelValue(value); !why.empty()) {
      return BadRequest(StrCat("unable to parse requirement: values[0][", key,
                               "]: Invalid value: \"", value, "\": ", why));
    }
    return absl::OkStatus();
  }

  std::string_view text_;
  size_t at_ = 0;
};

absl::StatusOr<LabelQuery> LabelQuery::Parse(std::string_view text) {
  return LabelParser(text).Parse();
}

absl::StatusOr<LabelQuery> LabelQuery::FromObject(const Json& selector) {
  LabelQuery query;
  if (!selector.is_object()) {
    query.nothing_ = true;
    return query;
  }
  static const Json kNone;
  const auto part = [&selector](const char* name) -> const Json& {
    const auto it = selector.find(name);
    return it == selector.end() ? kNone : *it;
  };
  const Json& labels = part("matchLabels");
  if (!labels.is_object() && !labels.is_null()) return BadRequest("matchLabels must be an object");
  for (const auto& [key, value] : labels.items()) {
    if (!value.is_string()) return BadRequest(StrCat("matchLabels.", key, " must be a string"));
    query.terms_.push_back({key, Op::kIn, {value.get<std::string>()}, true});
  }
  const Json& expressions = part("matchExpressions");
  if (!expressions.is_array() && !expressions.is_null()) {
    return BadRequest("matchExpressions must be a list");
  }
  for (const Json& expression : expressions) {
    if (!expression.is_object()) return BadRequest("matchExpressions must hold objects");
    Term term;
    term.key = Text(expression, "key");
    const std::string op = Text(expression, "operator");
    if (op == "In") {
      term.op = Op::kIn;
    } else if (op == "NotIn") {
      term.op = Op::kNotIn;
    } else if (op == "Exists") {
      term.op = Op::kExists;
    } else if (op == "DoesNotExist") {
      term.op = Op::kNotExists;
    } else {
      return BadRequest(StrCat("\"", op, "\" is not a valid label selector operator"));
    }
    if (const auto values = expression.find("values"); values != expression.end()) {
      if (!values->is_array() && !values->is_null()) {
        return BadRequest("matchExpressions: values must be a list");
      }
      for (const Json& value : *values) {
        if (!value.is_string()) return BadRequest("matchExpressions: values must be strings");
        term.values.push_back(value.get<std::string>());
      }
    }
    std::sort(term.values.begin(), term.values.end());
    query.terms_.push_back(std::move(term));
  }
  return query;
}

bool LabelQuery::Matches(const Json& labels) const {
  if (nothing_) return false;
  for (const Term& term : terms_) {
    const Json* value = nullptr;
    if (labels.is_object()) {
      const auto it = labels.find(term.key);
      if (it != labels.end() && it->is_string()) value = &*it;
    }
    const auto listed = [&] {
      return std::find(term.values.begin(), term.values.end(), value->get<std::string>()) !=
             term.values.end();
    };
    bool matches = false;
    switch (term.op) {
      case Op::kIn:
        matches = value != nullptr && listed();
        break;
      case Op::kNotIn:
        matches = value == nullptr || !listed();
        break;
      case Op::kExists:
        matches = value != nullptr;
        break;
      case Op::kNotExists:
        matches = value == nullptr;
        break;
      case Op::kGreater:
      case Op::kLess: {
        const auto have = value == nullptr ? std::nullopt : AsNumber(value->get<std::string>());
        const auto want = AsNumber(term.values.front());
        matches = have && want && (term.op == Op::kGreater ? *have > *want : *have < *want);
        break;
      }
    }
    if (!matches) return false;
  }
  return true;
}

std::string LabelQuery::ToString() const {
  std::vector<std::string> parts;
  for (const Term& term : terms_) {
    switch (term.op) {
      case Op::kIn:
      case Op::kNotIn:
        if (term.equality) {
          parts.push_back(StrCat(term.key, term.op == Op::kIn ? "=" : "!=", term.values.front()));
        } else {
          parts.push_back(StrCat(term.key, term.op == Op::kIn ? " in (" : " notin (",
                                 StrJoin(term.values, ","), ")"));
        }
        break;
      case Op::kExists:
        parts.push_back(term.key);
        break;
      case Op::kNotExists:
        parts.push_back(StrCat("!", term.key));
        break;
      case Op::kGreater:
        parts.push_back(StrCat(term.key, ">", term.values.front()));
        break;
      case Op::kLess:
        parts.push_back(StrCat(term.key, "<", term.values.front()));
        break;
    }
  }
  std::sort(parts.begin(), parts.end());
  return StrJoin(parts, ",");
}

absl::StatusOr<FieldQuery> FieldQuery::Parse(std::string_view text,
                                             const std::vector<std::string>& supported) {
  FieldQuery query;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (item.empty()) continue;
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return BadRequest(StrCat("invalid selector: '", item, "'; can't understand '", item, "'"));
    }
    Term term;
    term.equal = item[equals - 1] != '!';
    term.field = std::string(item.substr(0, term.equal ? equals : equals - 1));
    std::string_view value = item.substr(equals + 1);
    if (!value.empty() && value.front() == '=') value.remove_prefix(1);
    term.value = std::string(value);
    const bool known = term.field == "metadata.name" || term.field == "metadata.namespace" ||
                       std::find(supported.begin(), supported.end(), term.field) != supported.end();
    if (!known) {
      std::string names = "\"metadata.name\", \"metadata.namespace\"";
      for (const std::string& name : supported) names += StrCat(", \"", name, "\"");
      return BadRequest(StrCat("\"", term.field, "\" is not a known field selector: only ", names));
    }
    query.terms_.push_back(std::move(term));
  }
  return query;
}

bool FieldQuery::Matches(const Json& object) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    return (FieldText(object, term.field) == term.value) == term.equal;
  });
}

std::string FieldQuery::Name() const {
  for (const Term& term : terms_) {
    if (term.equal && term.field == "metadata.name") return term.value;
  }
  return "";
}

std::string FieldText(const Json& object, std::string_view path) {
  const Json* at = &object;
  while (true) {
    const size_t dot = path.find('.');
    const std::string key(path.substr(0, dot));
    if (!at->is_object()) return "";
    const auto it = at->find(key);
    if (it == at->end()) return "";
    at = &*it;
    if (dot == std::string_view::npos) break;
    path = path.substr(dot + 1);
  }
  if (at->is_string()) return at->get<std::string>();
  return at->is_null() ? "" : at->dump();
}

}  // namespace sealane::kubeapi

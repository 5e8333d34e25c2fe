#include "lib/kube/yaml_reader.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/json_text.h"

namespace sealane::kube {
namespace {

constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

bool IsDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool LooksLikeFloat(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  const size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos) {
    std::string_view digits = text.substr(exponent + 1);
    if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
    if (!IsDigits(digits)) return false;
    text = text.substr(0, exponent);
  }
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return IsDigits(text);
  const std::string_view whole = text.substr(0, dot);
  const std::string_view part = text.substr(dot + 1);
  if (whole.empty()) return IsDigits(part);
  return IsDigits(whole) && (part.empty() || IsDigits(part));
}

// As Go's strconv with base 0: 0x, 0b, 0o and a leading 0 for octal.
bool ParseInteger(std::string_view text, Json* value) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  uint64_t magnitude = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, magnitude, base);
  if (error != std::errc() || at != end || text.empty()) return false;
  if (!negative) {
    if (magnitude <= static_cast<uint64_t>(INT64_MAX)) {
      *value = static_cast<int64_t>(magnitude);
    } else {
      *value = magnitude;
    }
    return true;
  }
  if (magnitude > static_cast<uint64_t>(INT64_MAX) + 1) return false;
  *value = static_cast<int64_t>(~magnitude + 1);
  return true;
}

absl::Status ParseFloat(std::string_view text, Json* value) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at != end || !std::isfinite(number)) {
    return InvalidArgument(StrCat("number out of range: ", text));
  }
  // As a Go program prints it: a whole number has no fraction, and is an integer to whoever reads.
  if (std::abs(number) < 1e15 && number == std::trunc(number)) {
    *value = static_cast<int64_t>(number);
  } else {
    *value = number;
  }
  return absl::OkStatus();
}

template <size_t N>
bool IsOneOf(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 11> kTrue = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                                    "True", "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 11> kFalse = {"n",     "N",     "no",  "No",  "NO", "false",
                                                     "False", "FALSE", "off", "Off", "OFF"};
constexpr std::array<std::string_view, 12> kNotFinite = {".nan",  ".NaN",  ".NAN",  ".inf",
                                                         ".Inf",  ".INF",  "+.inf", "+.Inf",
                                                         "+.INF", "-.inf", "-.Inf", "-.INF"};

// How many values a subtree has, and how deep it is.
std::pair<size_t, int> Measure(const Json& json) {
  size_t nodes = 1;
  int depth = 0;
  if (json.is_structured()) {
    for (const Json& child : json) {
      const auto [child_nodes, child_depth] = Measure(child);
      nodes += child_nodes;
      depth = std::max(depth, child_depth);
    }
    ++depth;
  }
  return {nodes, depth};
}

struct Anchored {
  Json value;
  size_t nodes = 1;
  int depth = 0;
};

// One level of nesting while a document is read. YAML allows any node as a key, and an anchor on
// any node, so each container is built on its own and then given to its parent.
struct Level {
  bool map = false;
  Json value;
  YAML::anchor_t anchor = YAML::NullAnchor;
  bool has_key = false;
  bool merge = false;  // the key is `<<`
  std::string key;
  Json merged = Json::object();  // from `<<`; explicit keys win
};

class Reader : public YAML::EventHandler {
 public:
  Reader(std::vector<Json>* values, std::vector<int>* lines) : values_(values), lines_(lines) {}

  [[nodiscard]] const absl::Status& status() const { return status_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    // The parser gives empty documents without end when it stands before a token that begins none,
    // such as a comma.
    if (mark.pos <= document_at_) return Fail(mark, "unexpected text after the document");
    document_at_ = mark.pos;
    levels_.clear();
    anchors_.clear();
    nodes_ = 0;
    line_ = 0;
    root_ = nullptr;
  }
  void OnDocumentEnd() override {
    if (!status_.ok() || root_.is_null()) return;
    values_->push_back(std::move(root_));
    if (lines_ != nullptr) lines_->push_back(line_);
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node(mark, nullptr, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (!status_.ok()) return;
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) return Fail(mark, "an alias inside the node that it names");
    const Anchored& target = it->second;
    nodes_ += target.nodes;
    if (nodes_ > kMaxNodes) return Fail(mark, StrCat("more than ", kMaxNodes, " values"));
    if (static_cast<int>(levels_.size()) + target.depth > kMaxDepth) {
      return Fail(mark, StrCat("nested deeper than ", kMaxDepth, " levels"));
    }
    Add(mark, target.value);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    if (!status_.ok()) return;
    if (ExpectsKey() && tag == "?" && text == "<<") {
      levels_.back().has_key = true;
      levels_.back().merge = true;
      return;
    }
    Json value;
    if (const absl::Status resolved = Resolve(tag, text, &value); !resolved.ok()) {
      return Fail(mark, ToStd(resolved.message()));
    }
    Node(mark, std::move(value), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, false);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, true);
  }
  void OnMapEnd() override { Close(); }

 private:
  void Fail(const YAML::Mark& mark, std::string_view message) {
    if (!status_.ok()) return;
    status_ = InvalidArgument(
        StrCat("line ", mark.line + 1, ", column ", mark.column + 1, ": ", message));
  }

  [[nodiscard]] bool ExpectsKey() const {
    return !levels_.empty() && levels_.back().map && !levels_.back().has_key;
  }

  static absl::Status Resolve(const std::string& tag, const std::string& text, Json* value) {
    if (tag == "!") {  // quoted
      *value = text;
      return absl::OkStatus();
    }
    if (tag == "?" || tag.empty()) return ResolvePlainScalar(text, value);
    if (tag == StrCat(kTagPrefix, "str")) {
      *value = text;
      return absl::OkStatus();
    }
    if (tag.starts_with(kTagPrefix)) {
      const std::string_view type = std::string_view(tag).substr(kTagPrefix.size());
      SEALANE_RETURN_IF_ERROR(ResolvePlainScalar(text, value));
      const bool fits =
          (type == "null" && value->is_null()) || (type == "bool" && value->is_boolean()) ||
          (type == "int" && value->is_number_integer()) || (type == "float" && value->is_number());
      if (fits) return absl::OkStatus();
    }
    return InvalidArgument(StrCat("cannot read \"", text.substr(0, 40), "\" as ", tag));
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, bool map) {
    if (!status_.ok()) return;
    if (!tag.empty() && tag != "?" && tag != "!" &&
        tag != StrCat(kTagPrefix, map ? "map" : "seq")) {
      return Fail(mark, StrCat("unknown tag ", tag));
    }
    if (ExpectsKey()) return Fail(mark, "a key must be a scalar");
    if (static_cast<int>(levels_.size()) >= kMaxDepth) {
      return Fail(mark, StrCat("nested deeper than ", kMaxDepth, " levels"));
    }
    if (levels_.empty()) line_ = mark.line + 1;
    Level& level = levels_.emplace_back();
    level.map = map;
    level.value = map ? Json::object() : Json::array();
    level.anchor = anchor;
    mark_ = mark;
  }

  void Close() {
    if (!status_.ok()) return;
    Level level = std::move(levels_.back());
    levels_.pop_back();
    for (auto& [key, value] : level.merged.items()) {
      if (!level.value.contains(key)) level.value[key] = std::move(value);
    }
    Node(mark_, std::move(level.value), level.anchor);
  }

  void Node(const YAML::Mark& mark, Json value, YAML::anchor_t anchor) {
    if (!status_.ok()) return;
    if (++nodes_ > kMaxNodes) return Fail(mark, StrCat("more than ", kMaxNodes, " values"));
    if (anchor != YAML::NullAnchor) {
      const auto [nodes, depth] = Measure(value);
      nodes_ += nodes;  // the copy that is kept
      anchors_[anchor] = Anchored{value, nodes, depth};
    }
    Add(mark, std::move(value));
  }

  void Add(const YAML::Mark& mark, Json value) {
    if (levels_.empty()) {
      if (line_ == 0) line_ = mark.line + 1;
      root_ = std::move(value);
      return;
    }
    Level& level = levels_.back();
    if (!level.map) {
      level.value.push_back(std::move(value));
      return;
    }
    if (!level.has_key) return AddKey(mark, level, value);
    level.has_key = false;
    if (!level.merge) {
      level.value[level.key] = std::move(value);
      return;
    }
    level.merge = false;
    if (value.is_object()) return Merge(level, value);
    if (!value.is_array()) return Fail(mark, "`<<` needs a mapping or a list of mappings");
    for (const Json& item : value) {
      if (!item.is_object()) return Fail(mark, "`<<` needs a mapping or a list of mappings");
      Merge(level, item);
    }
  }

  void AddKey(const YAML::Mark& mark, Level& level, const Json& value) {
    std::string key;
    if (value.is_string()) {
      key = value.get<std::string>();
    } else if (value.is_primitive() && !value.is_null()) {
      key = value.dump();
    } else {
      return Fail(mark, "a key must be a string, a number or a boolean");
    }
    if (level.value.contains(key)) return Fail(mark, StrCat("key \"", key, "\" appears twice"));
    level.key = std::move(key);
    // Reserves the key, so that a second one is seen even before the value.
    level.value[level.key] = nullptr;
    level.has_key = true;
  }

  static void Merge(Level& level, const Json& source) {
    for (const auto& [key, value] : source.items()) {
      if (!level.merged.contains(key)) level.merged[key] = value;
    }
  }

  std::vector<Json>* values_;
  std::vector<int>* lines_;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  int document_at_ = -1;  // where the newest document began
  size_t nodes_ = 0;
  int line_ = 0;
  Json root_;
  YAML::Mark mark_;  // where the newest container began
  absl::Status status_;
};

}  // namespace

absl::Status ResolvePlainScalar(std::string_view text, Json* value) {
  if (IsOneOf(text, kNull)) {
    *value = nullptr;
    return absl::OkStatus();
  }
  const char first = text[0];
  const bool numeric =
      (first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.';
  if (!numeric) {
    if (IsOneOf(text, kTrue)) {
      *value = true;
    } else if (IsOneOf(text, kFalse)) {
      *value = false;
    } else {
      *value = text;
    }
    return absl::OkStatus();
  }
  if (IsOneOf(text, kNotFinite)) {
    return InvalidArgument(StrCat("JSON has no number ", text));
  }
  std::string plain(text);
  if (first != '.') plain.erase(std::remove(plain.begin(), plain.end(), '_'), plain.end());
  if (first != '.' && ParseInteger(plain, value)) return absl::OkStatus();
  if (LooksLikeFloat(plain)) return ParseFloat(plain, value);
  *value = text;
  return absl::OkStatus();
}

absl::Status ReadYaml(std::string_view text, std::vector<Json>* values, std::vector<int>* lines) {
  std::istringstream stream{std::string(text)};
  Reader reader(values, lines);
  try {
    YAML::Parser parser(stream);
    while (reader.status().ok() && parser.HandleNextDocument(reader)) {
    }
  } catch (const YAML::Exception& e) {
    if (!reader.status().ok()) return reader.status();
    return InvalidArgument(
        StrCat("line ", e.mark.line + 1, ", column ", e.mark.column + 1, ": ", e.msg));
  }
  return reader.status();
}

}  // namespace sealane::kube

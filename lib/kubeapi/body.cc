#include "lib/kubeapi/body.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/json_depth.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/base64.h"
#include "lib/kubeapi/json_reader.h"

namespace sealane::kubeapi {
namespace {

// Deeper documents are refused rather than followed.
constexpr int kMaxDepth = 200;

Json PlainScalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return nullptr;
  }
  static const std::set<std::string> yes = {"true", "True", "TRUE", "yes", "Yes",
                                            "YES",  "on",   "On",   "ON"};
  static const std::set<std::string> no = {"false", "False", "FALSE", "no", "No",
                                           "NO",    "off",   "Off",   "OFF"};
  if (yes.count(text) != 0) return true;
  if (no.count(text) != 0) return false;
  const char first = text[0];
  const bool numeric =
      (first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.';
  if (!numeric) return text;
  char* end = nullptr;
  const size_t sign = first == '-' || first == '+' ? 1 : 0;
  errno = 0;
  if (text.compare(sign, 2, "0x") == 0 || text.compare(sign, 2, "0o") == 0 ||
      (text.size() > sign + 1 && text[sign] == '0' &&
       text.find_first_not_of("01234567", sign) == std::string::npos)) {
    const bool hex = text.compare(sign, 2, "0x") == 0;
    const size_t skip = hex || text[sign + 1] == 'o' ? 2 : 0;
    const long long value = std::strtoll(text.c_str() + sign + skip, &end, hex ? 16 : 8);
    if (errno == 0 && *end == '\0' && text.size() > sign + skip) {
      return first == '-' ? -value : value;
    }
    return text;
  }
  const long long integer = std::strtoll(text.c_str(), &end, 10);
  if (errno == 0 && *end == '\0' && text.size() > sign) return integer;
  if (text.find_first_not_of("0123456789+-.eE") != std::string::npos) return text;
  if (text.find_first_of("0123456789") == std::string::npos) return text;
  errno = 0;
  const double real = std::strtod(text.c_str(), &end);
  if (errno == 0 && *end == '\0' && std::isfinite(real)) return real;
  return text;
}

// As many doubled keys are told, and none that is longer than a line.
constexpr size_t kMostDoubled = 100;
constexpr size_t kLongestKey = 200;

absl::StatusOr<Json> FromYaml(const YAML::Node& node, int depth,
                              std::vector<std::string>* doubled) {
  if (depth > kMaxDepth) return InvalidArgument("the document is nested too deeply");
  switch (node.Type()) {
    case YAML::NodeType::Map: {
      Json out = Json::object();
      for (const auto& entry : node) {
        if (!entry.first.IsScalar()) return InvalidArgument("keys must be scalars");
        SEALANE_ASSIGN_OR_RETURN(Json value, FromYaml(entry.second, depth + 1, doubled));
        const std::string& key = entry.first.Scalar();
        const bool added = out.emplace(key, Json()).second;
        if (!added && doubled != nullptr && doubled->size() < kMostDoubled &&
            key.size() <= kLongestKey) {
          doubled->push_back(StrCat("line ", entry.first.Mark().line + 1, ": key \"", key,
                                    "\" already set in map"));
        }
        out[key] = std::move(value);
      }
      return out;
    }
    case YAML::NodeType::Sequence: {
      Json out = Json::array();
      for (const auto& item : node) {
        SEALANE_ASSIGN_OR_RETURN(Json value, FromYaml(item, depth + 1, doubled));
        out.push_back(std::move(value));
      }
      return out;
    }
    case YAML::NodeType::Scalar:
      return node.Tag() == "!" ? Json(node.Scalar()) : PlainScalar(node.Scalar());
    default:
      return Json();
  }
}

// Fields of type bool or integer that Go holds by value and leaves out when zero.
bool OmitsZero(std::string_view field) {
  static const std::set<std::string, std::less<>> names = {"hostNetwork",
                                                           "hostPID",
                                                           "hostIPC",
                                                           "readOnly",
                                                           "stdin",
                                                           "stdinOnce",
                                                           "tty",
                                                           "paused",
                                                           "publishNotReadyAddresses",
                                                           "initialDelaySeconds",
                                                           "minReadySeconds",
                                                           "nodePort",
                                                           "hostPort",
                                                           "observedGeneration",
                                                           "replicas",
                                                           "readyReplicas",
                                                           "availableReplicas",
                                                           "updatedReplicas",
                                                           "unavailableReplicas",
                                                           "fullyLabeledReplicas",
                                                           "unschedulable",
                                                           "generation",
                                                           "active",
                                                           "succeeded",
                                                           "failed",
                                                           "numberUnavailable",
                                                           "numberAvailable",
                                                           "updatedNumberScheduled"};
  return names.count(field) != 0;
}

// Bytes in base64, which the real server decodes and encodes anew.
absl::StatusOr<Json> FitBytes(Json value) {
  auto& text = value.get_ref<std::string&>();
  if (const auto fault = Base64Fault(text)) {
    return InvalidArgument(StrCat("illegal base64 data at input byte ", *fault));
  }
  text.erase(
      std::remove_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }),
      text.end());
  return value;
}

// The published types of these maps do not say that their values are bytes.
absl::Status FitByteMap(Json& object, const char* field) {
  const auto map = object.find(field);
  if (map == object.end() || !map->is_object()) return absl::OkStatus();
  for (auto& [key, value] : map->items()) {
    if (!value.is_string()) continue;
    SEALANE_ASSIGN_OR_RETURN(value, FitBytes(std::move(value)));
  }
  return absl::OkStatus();
}

bool IsEmptyContainer(const Json& value) { return value.is_structured() && value.empty(); }

class Fitter {
 public:
  std::vector<std::string> unknown;
  std::string root;

  // `where` is the Go-like path for type errors, `path` the field path for unknown fields.
  absl::StatusOr<Json> Fit(const Type& type, const Json& value, const std::string& path,
                           int depth) {
    if (depth > kMaxDepth) return InvalidArgument("json: nested too deeply");
    switch (type.kind) {
      case Type::Kind::kAny:
        return value;
      case Type::Kind::kStruct:
        return FitStruct(type, value, path, depth);
      case Type::Kind::kMap:
        return FitMap(type, value, path, depth);
      case Type::Kind::kList:
        return FitList(type, value, path, depth);
      case Type::Kind::kString:
        if (!value.is_string()) return Mismatch(value, path, "string");
        if (type.format == "byte") return FitBytes(value);
        return value;
      case Type::Kind::kInteger:
        return FitInteger(type, value, path);
      case Type::Kind::kNumber:
        if (!value.is_number()) return Mismatch(value, path, "float64");
        return value;
      case Type::Kind::kBoolean:
        if (!value.is_boolean()) return Mismatch(value, path, "bool");
        return value;
      case Type::Kind::kIntOrString:
        if (!value.is_string() && !value.is_number_integer()) {
          return Mismatch(value, path, "int32");
        }
        return value;
      case Type::Kind::kQuantity: {
        if (!value.is_string() && !value.is_number()) {
          return InvalidArgument(
              "quantities must match the regular expression "
              "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
        }
        SEALANE_ASSIGN_OR_RETURN(
            std::string text,
            CanonicalQuantity(value.is_string() ? value.get<std::string>() : value.dump()));
        return Json(std::move(text));
      }
    }
    return value;
  }

 private:
  absl::Status Mismatch(const Json& value, const std::string& path, std::string_view want) const {
    std::string_view got = value.type_name();
    if (got == "boolean") got = "bool";
    return InvalidArgument(StrCat("json: cannot unmarshal ", got, " into Go struct field ", root,
                                  ".", path, " of type ", want));
  }

  absl::StatusOr<Json> FitInteger(const Type& type, const Json& value, const std::string& path) {
    const std::string_view want = type.format.empty() ? "int64" : std::string_view(type.format);
    if (value.is_number_float() && std::floor(value.get<double>()) == value.get<double>() &&
        std::fabs(value.get<double>()) < 9e15) {
      return Json(static_cast<int64_t>(value.get<double>()));
    }
    if (!value.is_number_integer()) return Mismatch(value, path, want);
    if (type.format == "int32" && (value > INT32_MAX || value < INT32_MIN)) {
      return InvalidArgument(StrCat("json: cannot unmarshal number ", value.dump(),
                                    " into Go struct field ", root, ".", path, " of type int32"));
    }
    return value;
  }

  absl::StatusOr<Json> FitStruct(const Type& type, const Json& value, const std::string& path,
                                 int depth) {
    if (!value.is_object()) return Mismatch(value, path, type.name);
    Json out = Json::object();
    for (const auto& [key, child] : value.items()) {
      const std::string child_path = path.empty() ? key : StrCat(path, ".", key);
      const Field* field = type.Find(key);
      if (field == nullptr) {
        unknown.push_back(child_path);
        continue;
      }
      if (child.is_null()) continue;
      SEALANE_ASSIGN_OR_RETURN(Json fitted, Fit(*field->type, child, child_path, depth + 1));
      if (!Omitted(*field, key, fitted)) out[key] = std::move(fitted);
    }
    for (const std::string& name : type.always) {
      if (out.contains(name)) continue;
      SEALANE_ASSIGN_OR_RETURN(Json blank,
                               Fit(*type.Find(name)->type, Json::object(), path, depth + 1));
      out[name] = std::move(blank);
    }
    return out;
  }

  static bool Omitted(const Field& field, const std::string& key, const Json& value) {
    switch (field.type->kind) {
      case Type::Kind::kMap:
      case Type::Kind::kList:
        return IsEmptyContainer(value);
      case Type::Kind::kString:
        return !field.required && value == "" && key != "storageClassName" && key != "subresource";
      case Type::Kind::kInteger:
        return !field.required && value == 0 && key != "replicas" && OmitsZero(key);
      case Type::Kind::kBoolean:
        return !field.required && value == false && OmitsZero(key);
      default:
        return false;
    }
  }

  absl::StatusOr<Json> FitMap(const Type& type, const Json& value, const std::string& path,
                              int depth) {
    if (!value.is_object()) {
      const bool strings = type.element != nullptr && type.element->kind == Type::Kind::kString;
      return Mismatch(value, path, strings ? "map[string]string" : "map");
    }
    Json out = Json::object();
    for (const auto& [key, child] : value.items()) {
      if (child.is_null()) {
        if (type.element->kind == Type::Kind::kString) out[key] = "";
        continue;
      }
      // The real server names the map, not the key.
      SEALANE_ASSIGN_OR_RETURN(Json fitted, Fit(*type.element, child, path, depth + 1));
      out[key] = std::move(fitted);
    }
    return out;
  }

  absl::StatusOr<Json> FitList(const Type& type, const Json& value, const std::string& path,
                               int depth) {
    if (!value.is_array()) return Mismatch(value, path, StrCat("[]", type.element->name));
    Json out = Json::array();
    for (size_t i = 0; i < value.size(); ++i) {
      const std::string item_path = StrCat(path, "[", i, "]");
      if (value[i].is_null() && type.element->kind == Type::Kind::kStruct) {
        out.push_back(Json::object());
        continue;
      }
      SEALANE_ASSIGN_OR_RETURN(Json fitted, Fit(*type.element, value[i], item_path, depth + 1));
      out.push_back(std::move(fitted));
    }
    return out;
  }
};

}  // namespace

absl::StatusOr<Json> ParseText(std::string_view text, bool yaml,
                               std::vector<std::string>* doubled) {
  Json value;
  std::vector<std::string> paths;
  if (ReadJson(text, value, doubled == nullptr ? nullptr : &paths)) {
    // Of a text that is JSON the brackets tell; YAML has bounds of its own.
    if (NestedDeeperThan(text, kMaxDepth)) return InvalidArgument("json: nested too deeply");
    for (const std::string& path : paths) {
      doubled->push_back(StrCat("duplicate field \"", path, "\""));
    }
    return value;
  }
  if (!yaml) {
    const std::string shown = text.empty() ? "<empty>" : std::string(text.substr(0, 200));
    const std::string why = text.find_first_not_of(" \t\r\n") == std::string_view::npos
                                ? "unexpected end of JSON input"
                                : "invalid JSON";
    return InvalidArgument(StrCat("json parse error: ", why, " (", shown, ")"));
  }
  try {
    return FromYaml(YAML::Load(std::string(text)), 0, doubled);
  } catch (const YAML::Exception& error) {
    return InvalidArgument(StrCat("error parsing YAML: ", std::string(error.what())));
  }
}

absl::StatusOr<Json> FitBuiltin(const Type& type, const Json& value,
                                std::vector<std::string>& unknown) {
  Fitter fitter;
  fitter.root = type.name;
  SEALANE_ASSIGN_OR_RETURN(Json fitted, fitter.Fit(type, value, "", 0));
  if (type.name == "Secret") SEALANE_RETURN_IF_ERROR(FitByteMap(fitted, "data"));
  if (type.name == "ConfigMap") SEALANE_RETURN_IF_ERROR(FitByteMap(fitted, "binaryData"));
  unknown.insert(unknown.end(), fitter.unknown.begin(), fitter.unknown.end());
  return fitted;
}

absl::StatusOr<std::string> CanonicalQuantity(std::string_view text) {
  const auto bad = [] {
    return InvalidArgument(
        "quantities must match the regular expression "
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  };
  size_t at = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) ++at;
  // The value in nano units; digits beyond are rounded up, as the real server does.
  __int128 nano = 0;
  constexpr __int128 kLimit = static_cast<__int128>(1) << 100;
  int digits = 0;
  int scale = -1;  // digits after the point so far; -1 before it
  bool rest = false;
  for (; at < text.size() &&
         (std::isdigit(static_cast<unsigned char>(text[at])) != 0 || text[at] == '.');
       ++at) {
    if (text[at] == '.') {
      if (scale >= 0) return bad();
      scale = 0;
      continue;
    }
    ++digits;
    const int digit = text[at] - '0';
    if (scale < 9) {
      nano = nano * 10 + digit;
      if (nano > kLimit) return std::string(text);
      if (scale >= 0) ++scale;
    } else {
      rest = rest || digit != 0;
    }
  }
  if (digits == 0) return bad();
  for (int i = std::max(scale, 0); i < 9; ++i) nano *= 10;
  if (rest) ++nano;
  const std::string_view suffix = text.substr(at);
  static constexpr std::string_view kDecimal[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
  static constexpr std::string_view kBinary[] = {"Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  bool binary = false;
  if (suffix.size() == 2 && suffix[1] == 'i') {
    size_t power = 0;
    while (power < 6 && kBinary[power] != suffix) ++power;
    if (power == 6) return bad();
    for (size_t i = 0; i <= power && nano < kLimit; ++i) nano *= 1024;
    binary = true;
  } else if (!suffix.empty() && (suffix[0] == 'e' || suffix[0] == 'E') && suffix.size() > 1) {
    return std::string(text);  // exponent form stays as it is
  } else {
    int power = 0;
    while (power < 10 && kDecimal[power] != suffix) ++power;
    if (power == 10) return bad();
    for (int i = 3; i < power && nano < kLimit; ++i) nano *= 1000;
    for (int i = power; i < 3; ++i) nano = (nano + 999) / 1000;
  }
  if (nano >= kLimit) return std::string(text);
  if (nano == 0) return std::string("0");
  const auto number = [&](__int128 value) {
    std::string out;
    for (; value > 0; value /= 10) out.insert(out.begin(), static_cast<char>('0' + value % 10));
    return negative ? StrCat("-", out) : out;
  };
  constexpr __int128 kOne = 1'000'000'000;
  if (binary && nano >= 1024 * kOne) {
    __int128 value = (nano + kOne - 1) / kOne;
    size_t power = 0;
    while (power < 6 && value % 1024 == 0) {
      value /= 1024;
      ++power;
    }
    return power == 0 ? number(value) : StrCat(number(value), kBinary[power - 1]);
  }
  size_t power = 0;
  while (power + 1 < 10 && nano % 1000 == 0) {
    nano /= 1000;
    ++power;
  }
  return StrCat(number(nano), kDecimal[power]);
}

}  // namespace sealane::kubeapi

#include "lib/kube/json_patch.h"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/kube/json_text.h"
#include "lib/kube/manifest.h"
#include "lib/kube/yaml_reader.h"

namespace sealane::kube {
namespace {

// Keeps the order of keys.
using OrderedJson = nlohmann::ordered_json;

std::string UnescapeToken(std::string_view token) {
  std::string key;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      key += token[++i] == '0' ? '~' : '/';
    } else {
      key += token[i];
    }
  }
  return key;
}

// The tokens after the first '/'.
std::vector<std::string> SplitPointer(std::string_view pointer) {
  std::vector<std::string> tokens;
  size_t slash = pointer.find('/');
  while (slash != std::string_view::npos) {
    const size_t next = pointer.find('/', slash + 1);
    tokens.push_back(UnescapeToken(pointer.substr(slash + 1, next - slash - 1)));
    slash = next;
  }
  return tokens;
}

// An index into an array of `size` elements; negative ones count from the end.
std::optional<size_t> ParseIndex(std::string_view token, size_t size) {
  if (token.starts_with('+')) token.remove_prefix(1);
  int64_t index = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  if (error != std::errc() || end != token.data() + token.size()) return std::nullopt;
  if (index < 0) index += static_cast<int64_t>(size);
  if (index < 0 || index >= static_cast<int64_t>(size)) return std::nullopt;
  return static_cast<size_t>(index);
}

// Walks to the container of the last token.
template <typename J>
J* FindParent(J& document, const std::vector<std::string>& tokens) {
  J* at = &document;
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (at->is_object()) {
      const auto it = at->find(tokens[i]);
      if (it == at->end()) return nullptr;
      at = &*it;
    } else if (at->is_array()) {
      const auto index = ParseIndex(tokens[i], at->size());
      if (!index) return nullptr;
      at = &(*at)[*index];
    } else {
      return nullptr;
    }
  }
  return at->is_structured() ? at : nullptr;
}

template <typename J>
absl::Status Apply(J& document, std::string_view op, std::string_view path, J value) {
  if (op != "add" && op != "remove" && op != "replace") {
    return InvalidArgument(StrCat("unknown operation \"", op, "\""));
  }
  const auto fail = [&](std::string_view why) {
    return InvalidArgument(StrCat(op, " ", path, ": ", why));
  };
  if (path.empty() && op != "remove") {
    if (!value.is_structured()) return fail("the whole document can only become an object or list");
    document = std::move(value);
    return absl::OkStatus();
  }
  const std::vector<std::string> tokens = SplitPointer(path);
  if (tokens.empty()) return fail("the path must begin with '/'");
  J* parent = FindParent(document, tokens);
  if (parent == nullptr) return fail("there is no such place in the object");
  const std::string& key = tokens.back();
  if (parent->is_object()) {
    if (op != "add" && !parent->contains(key)) return fail("there is no such field");
    if (op == "remove") {
      parent->erase(key);
    } else {
      (*parent)[key] = std::move(value);
    }
    return absl::OkStatus();
  }
  if (op == "add") {
    const auto index =
        key == "-" ? std::optional(parent->size()) : ParseIndex(key, parent->size() + 1);
    if (!index) return fail("the index is outside of the list");
    parent->insert(parent->begin() + static_cast<int64_t>(*index), std::move(value));
    return absl::OkStatus();
  }
  const auto index = ParseIndex(key, parent->size());
  if (!index) return fail("the index is outside of the list");
  if (op == "remove") {
    parent->erase(*index);
  } else {
    (*parent)[*index] = std::move(value);
  }
  return absl::OkStatus();
}

absl::Status ApplyAll(OrderedJson& document, const Json& operations) {
  if (!document.is_structured()) return InvalidArgument("the text is not an object or a list");
  for (const Json& operation : operations) {
    const auto value = operation.find("value");
    SEALANE_RETURN_IF_ERROR(Apply<OrderedJson>(
        document, GetString(operation, {"operator"}), GetString(operation, {"subPath"}),
        value == operation.end() ? OrderedJson() : OrderedJson(*value)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyPatch(Json& document, std::string_view op, std::string_view path,
                        const Json& value) {
  return Apply<Json>(document, op, path, value);
}

absl::StatusOr<std::string> PatchJsonText(std::string_view text, const Json& operations) {
  if (text.empty()) return std::string();
  Json checked;  // within bounds, without double keys
  SEALANE_RETURN_IF_ERROR(ReadJson(text, &checked));
  OrderedJson document = OrderedJson::parse(text.begin(), text.end(), nullptr, false);
  SEALANE_RETURN_IF_ERROR(ApplyAll(document, operations));
  const std::string plain = document.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  std::string escaped;
  for (const char c : plain) {
    if (c == '<') {
      escaped += "\\u003c";
    } else if (c == '>') {
      escaped += "\\u003e";
    } else if (c == '&') {
      escaped += "\\u0026";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

absl::StatusOr<std::string> PatchYamlText(std::string_view text, const Json& operations) {
  if (!IsUtf8(text)) return InvalidArgument("the text is not valid UTF-8");
  std::vector<Json> documents;
  SEALANE_RETURN_IF_ERROR(ReadYaml(text, &documents, nullptr));
  if (documents.empty()) return InvalidArgument("the text is empty");
  OrderedJson document = documents.front();
  SEALANE_RETURN_IF_ERROR(ApplyAll(document, operations));
  return ToYaml(Json(document));
}

Json* FindPointer(Json& document, std::string_view pointer) {
  if (pointer.empty()) return &document;
  const std::vector<std::string> tokens = SplitPointer(pointer);
  Json* parent = FindParent(document, tokens);
  if (parent == nullptr) return nullptr;
  if (parent->is_array()) {
    const auto index = ParseIndex(tokens.back(), parent->size());
    return index ? &(*parent)[*index] : nullptr;
  }
  const auto it = parent->find(tokens.back());
  return it == parent->end() ? nullptr : &*it;
}

std::string CheckPointer(std::string_view pointer) {
  if (pointer.empty() || pointer[0] == '/') return "";
  return "a JSON pointer is empty or begins with '/'";
}

std::string EscapePointerToken(std::string_view key) {
  std::string token;
  for (const char c : key) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

}  // namespace sealane::kube

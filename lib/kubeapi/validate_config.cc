// Rules of ConfigMaps and Secrets.

#include <algorithm>

#include "absl/strings/escaping.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_kinds.h"

namespace sealane::kubeapi {
namespace {

constexpr size_t kMaxBytes = 1 << 20;

size_t DecodedSize(std::string_view base64) {
  const auto padding = static_cast<size_t>(std::count(base64.begin(), base64.end(), '='));
  const size_t size = base64.size() / 4 * 3;
  return size - std::min(size, padding);
}

// Checks the keys of a map and gives the bytes that its values hold.
size_t CheckKeys(const Json& object, const char* field, bool base64, FieldErrors& errors) {
  size_t bytes = 0;
  const FieldPath path(field);
  for (const auto& [key, value] : MapAt(object, field).items()) {
    if (const std::string why = WhyNotConfigKey(key); !why.empty()) {
      errors.push_back(InvalidField(path.Key(key).Text(), key, why));
    }
    if (!value.is_string()) continue;
    const auto& text = value.get_ref<const std::string&>();
    bytes += base64 ? DecodedSize(text) : text.size();
  }
  return bytes;
}

// What is marked so stays as it is.
void CheckUnchanged(const Json& object, const Json& before, FieldErrors& errors) {
  if (!BoolAt(before, "immutable")) return;
  if (!BoolAt(object, "immutable")) {
    errors.push_back(ForbiddenField("immutable", "field is immutable when `immutable` is set"));
  }
  for (const char* field : {"data", "binaryData"}) {
    if (MapAt(object, field) != MapAt(before, field)) {
      errors.push_back(ForbiddenField(field, "field is immutable when `immutable` is set"));
    }
  }
}

std::string WhyNotJsonObject(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return "unexpected end of JSON input";
  if (std::string_view("{[\"-0123456789tfn").find(text[start]) == std::string_view::npos) {
    return StrCat("invalid character '", text[start], "' looking for beginning of value");
  }
  if (!Json::accept(text)) return "invalid JSON";
  if (text[start] == '{' || text[start] == 'n') return "";
  return "json: cannot unmarshal into Go value of type map[string]interface {}";
}

// The logins of a registry must be JSON.
void CheckLogins(const Json& data, const char* key, FieldErrors& errors) {
  const FieldPath path("data");
  const FieldPath at = path.Key(key);
  const Json& value = At(data, key);
  if (!value.is_string()) {
    errors.push_back(RequiredField(at.Text()));
    return;
  }
  std::string decoded;
  if (!absl::Base64Unescape(ToAbsl(value.get_ref<const std::string&>()), &decoded)) return;
  if (const std::string why = WhyNotJsonObject(decoded); !why.empty()) {
    errors.push_back(InvalidField(at.Text(), "<secret contents redacted>", why));
  }
}

void CheckType(const Json& secret, FieldErrors& errors) {
  const std::string_view type = TextView(secret, "type");
  constexpr std::string_view kPrefix = "kubernetes.io/";
  if (type.substr(0, kPrefix.size()) != kPrefix) return;
  const std::string_view name = type.substr(kPrefix.size());
  const Json& data = MapAt(secret, "data");
  const FieldPath path("data");
  const auto require = [&](const char* key) {
    errors.push_back(RequiredField(path.Key(key).Text()));
  };
  if (name == "tls") {
    for (const char* key : {"tls.crt", "tls.key"}) {
      if (!Has(data, key)) require(key);
    }
  } else if (name == "dockerconfigjson") {
    CheckLogins(data, ".dockerconfigjson", errors);
  } else if (name == "dockercfg") {
    CheckLogins(data, ".dockercfg", errors);
  } else if (name == "basic-auth") {
    // One of them may be missing.
    if (Has(data, "username") || Has(data, "password")) return;
    require("username");
    require("password");
  } else if (name == "ssh-auth") {
    if (TextView(data, "ssh-privatekey").empty()) require("ssh-privatekey");
  } else if (name == "service-account-token") {
    constexpr char kAccount[] = "kubernetes.io/service-account.name";
    if (TextView(At(At(secret, "metadata"), "annotations"), kAccount).empty()) {
      errors.push_back(RequiredField(StrCat("metadata.annotations[", kAccount, "]")));
    }
  }
}

}  // namespace

void CheckConfigMap(const Json& object, const Json& before, FieldErrors& errors) {
  const size_t bytes = CheckKeys(object, "data", /*base64=*/false, errors) +
                       CheckKeys(object, "binaryData", /*base64=*/true, errors);
  const Json& binary = MapAt(object, "binaryData");
  const FieldPath path("data");
  if (!binary.empty()) {
    for (const auto& [key, value] : MapAt(object, "data").items()) {
      if (!binary.contains(key)) continue;
      errors.push_back(
          InvalidField(path.Key(key).Text(), key, "duplicate of key present in binaryData"));
    }
  }
  if (bytes > kMaxBytes) errors.push_back(TooLongField("[]", kMaxBytes));
  CheckUnchanged(object, before, errors);
}

void CheckSecret(const Json& object, const Json& before, FieldErrors& errors) {
  if (CheckKeys(object, "data", /*base64=*/true, errors) > kMaxBytes) {
    errors.push_back(TooLongField("data", kMaxBytes));
  }
  CheckType(object, errors);
  if (!before.is_null() && TextView(object, "type") != TextView(before, "type")) {
    errors.push_back(InvalidField("type", At(object, "type"), "field is immutable"));
  }
  CheckUnchanged(object, before, errors);
}

}  // namespace sealane::kubeapi

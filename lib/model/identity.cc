#include "lib/model/identity.h"

#include "lib/core/hash.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "sealane/v1/common.pb.h"

namespace sealane {
namespace {

constexpr size_t kMaxToken = 120;
constexpr size_t kShortenedPrefix = 100;

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view GroupOf(std::string_view api_version) {
  const size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

ObjectKey KeyOf(const v1::ObjectRef& ref) {
  return {std::string(GroupOf(ref.api_version())), ref.kind(), ref.namespace_(), ref.name()};
}

std::string Describe(const ObjectKey& key) {
  if (key.ns.empty()) return StrCat(key.kind, " ", key.name);
  return StrCat(key.kind, " ", key.ns, "/", key.name);
}

std::string EncodeToken(std::string_view text) {
  if (text.empty()) return "=";
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsPlain(c)) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('=');
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 0xf]);
    }
  }
  if (out.size() > kMaxToken) {
    out.resize(kShortenedPrefix);
    // Do not cut an escape in two.
    const size_t escape = out.find_last_of('=');
    if (escape != std::string::npos && escape + 3 > kShortenedPrefix) out.resize(escape);
    out += "==";
    out += Hex64(Fnv1a64(text));
  }
  return out;
}

absl::StatusOr<std::string> DecodeToken(std::string_view token) {
  if (token == "=") return std::string();
  std::string out;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '=') {
      const int high = i + 2 < token.size() ? HexDigit(token[i + 1]) : -1;
      const int low = i + 2 < token.size() ? HexDigit(token[i + 2]) : -1;
      if (high < 0 || low < 0) return InvalidArgument(StrCat("malformed token: ", token));
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else if (IsPlain(token[i])) {
      out.push_back(token[i]);
    } else {
      return InvalidArgument(StrCat("malformed token: ", token));
    }
  }
  if (out.empty()) return InvalidArgument("empty token");
  return out;
}

std::string RowKey(const ObjectKey& key) {
  return StrCat(EncodeToken(key.group), ".", EncodeToken(key.kind), ".", EncodeToken(key.ns), ".",
                EncodeToken(key.name));
}

std::string RowKey(const v1::ObjectRef& ref) {
  return StrCat(EncodeToken(GroupOf(ref.api_version())), ".", EncodeToken(ref.kind()), ".",
                EncodeToken(ref.namespace_()), ".", EncodeToken(ref.name()));
}

std::string ClusterRowKey(std::string_view cluster, const ObjectKey& key) {
  return StrCat(EncodeToken(cluster), ".", RowKey(key));
}

std::string ClusterOfRowKey(std::string_view row_key) {
  const size_t dot = row_key.find('.');
  if (dot == std::string_view::npos) return "";
  return DecodeToken(row_key.substr(0, dot)).value_or("");
}

}  // namespace sealane

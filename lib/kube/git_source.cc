#include "lib/kube/git_source.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/model/field_errors.h"
#include "sealane/v1/common.pb.h"

namespace sealane::kube {
namespace {

constexpr size_t kMaxUrl = 2048;
constexpr size_t kMaxName = 255;  // of a branch, a path
constexpr absl::Duration kShortestInterval = absl::Seconds(1);
constexpr absl::Duration kLongestInterval = absl::Hours(24);

bool HasControlOrSpace(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= ' ' || byte == 0x7f;
  });
}

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

bool IsName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsNameChar);
}

// Reads the fields of `spec` one by one and knows afterwards which there were besides.
class SpecReader {
 public:
  SpecReader(const Json& spec, std::vector<v1::FieldError>* errors)
      : spec_(spec), errors_(errors) {}

  void Add(std::string_view field, std::string_view reason, std::string_view message) {
    AddFieldError(errors_, StrCat("spec.", field), reason, message);
  }
  // Whether the field is there with a usable type.
  bool Text(std::string_view field, std::string* value) {
    const Json* found = Take(field);
    if (found == nullptr) return false;
    if (!found->is_string()) {
      Add(field, "TypeMismatch", "must be text");
      return false;
    }
    *value = found->get<std::string>();
    return true;
  }
  void Bool(std::string_view field, bool* value) {
    const Json* found = Take(field);
    if (found == nullptr) return;
    if (found->is_boolean()) {
      *value = found->get<bool>();
    } else {
      Add(field, "TypeMismatch", "must be true or false");
    }
  }
  void RefuseOthers() {
    for (const auto& [key, value] : spec_.items()) {
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      Add(key, "UnknownField", StrCat("unknown field; a GitSource knows ", StrJoin(known_, ", ")));
    }
  }

 private:
  const Json* Take(std::string_view field) {
    known_.emplace_back(field);
    const Json* found = Find(spec_, {field});
    return found == nullptr || found->is_null() ? nullptr : found;
  }

  const Json& spec_;
  std::vector<v1::FieldError>* errors_;
  std::vector<std::string> known_;
};

void ReadUrl(SpecReader& reader, GitSourceSpec* spec) {
  if (!reader.Text("url", &spec->url)) {
    if (spec->url.empty()) reader.Add("url", "Required", "the repository's address is missing");
    return;
  }
  if (const std::string fault = UrlFault(spec->url); !fault.empty()) {
    reader.Add("url", "Invalid", fault);
  }
}

void ReadInterval(SpecReader& reader, GitSourceSpec* spec) {
  std::string text;
  if (!reader.Text("interval", &text)) return;
  absl::Duration interval;
  if (!absl::ParseDuration(ToAbsl(text), &interval)) {
    reader.Add("interval", "Invalid", "must be a duration such as 30s, 1m or 1h");
  } else if (interval < kShortestInterval || interval > kLongestInterval) {
    reader.Add("interval", "Invalid", "must be between 1s and 24h");
  } else {
    spec->interval = interval;
  }
}

// Whether a part of the address is "..", or a server may read it so: then its beginning does not
// say where it leads, and credentials are chosen by the beginning.
bool HasDotDot(std::string_view url) {
  const std::string plain = absl::StrReplaceAll(
      ToAbsl(url),
      {{"%2e", "."}, {"%2E", "."}, {"%2f", "/"}, {"%2F", "/"}, {"%5c", "/"}, {"%5C", "/"}});
  const std::vector<absl::string_view> parts = absl::StrSplit(plain, absl::ByAnyChar("/\\:"));
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

std::string Normal(std::string_view path) {
  std::vector<std::string> parts;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(path), '/', absl::SkipEmpty())) {
    if (part != ".") parts.emplace_back(part);
  }
  return StrJoin(parts, "/");
}

}  // namespace

bool IsLocalUrl(std::string_view url) { return url.starts_with("/") || url.starts_with("file:"); }

std::string UrlFault(std::string_view url) {
  if (url.empty()) return "must not be empty";
  if (url.size() > kMaxUrl) return StrCat("is longer than ", kMaxUrl, " characters");
  if (HasControlOrSpace(url)) return "must not contain blanks or control characters";
  if (url.starts_with("/")) return "";
  if (HasDotDot(url)) return "must not contain ..";
  const size_t scheme_end = url.find("://");
  if (scheme_end != std::string_view::npos) {
    static constexpr std::array kSchemes =
        std::to_array<std::string_view>({"https", "http", "ssh", "git", "file"});
    const std::string_view scheme = url.substr(0, scheme_end);
    if (std::find(kSchemes.begin(), kSchemes.end(), scheme) == kSchemes.end()) {
      return "must begin with https://, http://, ssh://, git:// or file://, or be user@host:path "
             "or an absolute path";
    }
    const std::string_view rest = url.substr(scheme_end + 3);
    if (scheme == "file") return rest.starts_with("/") ? "" : "must be file:///PATH";
    const std::string_view authority = rest.substr(0, rest.find('/'));
    const size_t at = authority.rfind('@');
    const std::string_view user =
        at == std::string_view::npos ? std::string_view() : authority.substr(0, at);
    const std::string_view host =
        at == std::string_view::npos ? authority : authority.substr(at + 1);
    if (host.empty() || host.starts_with("-")) return "names no host";
    if (user.find(':') != std::string_view::npos || (!user.empty() && scheme != "ssh")) {
      return "must not contain a login: name credentials that the source service knows instead";
    }
    if (!user.empty() && (!IsName(user) || user.starts_with("-"))) return "has a malformed user";
    return "";
  }
  // user@host:path, as ssh has it.
  const size_t at = url.find('@');
  const size_t colon = url.find(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || at > colon ||
      !IsName(url.substr(0, at)) || !IsName(url.substr(at + 1, colon - at - 1)) ||
      url.starts_with("-") || url[at + 1] == '-' || colon + 1 == url.size() ||
      url.substr(colon + 1).starts_with(":")) {
    return "must begin with https://, http://, ssh://, git:// or file://, or be user@host:path or "
           "an absolute path";
  }
  return "";
}

// The rules of `git check-ref-format`, and no name that could be read as an option.
std::string BranchFault(std::string_view branch) {
  if (branch.empty()) return "must not be empty";
  if (branch.size() > kMaxName) return StrCat("is longer than ", kMaxName, " characters");
  const bool bad =
      HasControlOrSpace(branch) || branch.find_first_of("~^:?*[\\") != std::string_view::npos ||
      branch.find("..") != std::string_view::npos || branch.find("@{") != std::string_view::npos ||
      branch.find("//") != std::string_view::npos || branch.starts_with("-") ||
      branch.starts_with("/") || branch.ends_with("/") || branch.ends_with(".") || branch == "@";
  if (bad) return "is no name of a branch";
  for (const absl::string_view part : absl::StrSplit(ToAbsl(branch), '/')) {
    const std::string_view word = ToStd(part);
    if (word.starts_with(".") || word.ends_with(".lock")) return "is no name of a branch";
  }
  return "";
}

std::string PathFault(std::string_view path) {
  if (path.size() > kMaxName) return StrCat("is longer than ", kMaxName, " characters");
  if (path.starts_with("/")) return "must be relative to the root of the repository";
  const bool bad = std::any_of(path.begin(), path.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f' || c == '\\';
  });
  if (bad) return "must not contain control characters or backslashes";
  for (const absl::string_view part : absl::StrSplit(ToAbsl(path), '/')) {
    if (part == "..") return "must not contain ..";
    if (part == ".git") return "must not lead into .git";
  }
  return "";
}

GitSourceSpec ReadGitSource(const Json& object, std::vector<v1::FieldError>* errors) {
  GitSourceSpec spec;
  if (GetString(object, {"apiVersion"}) != kGitSourceApiVersion) {
    AddFieldError(errors, "apiVersion", "NotSupported", StrCat("must be ", kGitSourceApiVersion));
    return spec;
  }
  const Json* fields = Find(object, {"spec"});
  if (fields == nullptr || !fields->is_object()) {
    AddFieldError(errors, "spec", "Required", "spec is missing");
    return spec;
  }
  SpecReader reader(*fields, errors);
  ReadUrl(reader, &spec);
  if (reader.Text("branch", &spec.branch)) {
    const std::string fault = BranchFault(spec.branch);
    if (!fault.empty()) reader.Add("branch", "Invalid", fault);
  }
  if (reader.Text("path", &spec.path)) {
    const std::string fault = PathFault(spec.path);
    if (!fault.empty()) reader.Add("path", "Invalid", fault);
    spec.path = Normal(spec.path);
  }
  ReadInterval(reader, &spec);
  reader.Bool("prune", &spec.prune);
  reader.Bool("suspend", &spec.suspend);
  reader.Bool("takeOver", &spec.take_over);
  if (reader.Text("credentials", &spec.credentials) &&
      (!IsName(spec.credentials) || spec.credentials.starts_with(".") ||
       spec.credentials.size() > kMaxName)) {
    reader.Add("credentials", "Invalid",
               "must be a name of letters, digits, '-', '_' and '.', not a path");
  }
  reader.RefuseOthers();
  for (const auto& [key, value] : object.items()) {
    if (key != "apiVersion" && key != "kind" && key != "metadata" && key != "spec") {
      AddFieldError(errors, key, "UnknownField",
                    "unknown field; a GitSource has apiVersion, kind, metadata and spec");
    }
  }
  return spec;
}

}  // namespace sealane::kube

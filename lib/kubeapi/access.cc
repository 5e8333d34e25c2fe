#include "lib/kubeapi/access.h"

#include <strings.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/request.h"

namespace sealane::kubeapi {
namespace {

std::string VerbOf(std::string_view method, bool named, const http::Target& target) {
  if (method == "GET" || method == "HEAD") {
    if (named) return "get";
    return FlagIsSet(target, "watch") ? "watch" : "list";
  }
  if (method == "POST") return "create";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return named ? "delete" : "deletecollection";
  return "";
}

// As the JSON string; what is no UTF-8 is replaced.
std::string Quote(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// What a review asks about; the two parts exclude each other.
absl::StatusOr<Attributes> AskedFor(const Json& spec) {
  const auto resource = spec.find("resourceAttributes");
  const auto path = spec.find("nonResourceAttributes");
  const bool has_resource = resource != spec.end() && resource->is_object();
  const bool has_path = path != spec.end() && path->is_object();
  if (has_resource == has_path) {
    return BadRequest(
        "exactly one of nonResourceAttributes or resourceAttributes must be specified");
  }
  Attributes out;
  if (has_path) {
    out.verb = Text(*path, "verb");
    out.path = Text(*path, "path");
    return out;
  }
  out.resource_request = true;
  out.verb = Text(*resource, "verb");
  out.group = Text(*resource, "group");
  out.resource = Text(*resource, "resource");
  out.subresource = Text(*resource, "subresource");
  out.ns = Text(*resource, "namespace");
  out.name = Text(*resource, "name");
  return out;
}

class ObservedWriter final : public http::ForwardingWriter {
 public:
  ObservedWriter(std::shared_ptr<http::ResponseWriter> writer, std::function<void(int)> done)
      : ForwardingWriter(std::move(writer)), done_(std::move(done)) {}
  ~ObservedWriter() override { Tell(0); }

  void Send(http::HttpResponse response) override {
    const int code = response.status;
    ForwardingWriter::Send(std::move(response));
    Tell(code);
  }
  void StartStream(int status, http::Headers headers) override {
    ForwardingWriter::StartStream(status, std::move(headers));
    Tell(status);
  }

 private:
  void Tell(int code) {
    if (auto done = std::exchange(done_, nullptr)) done(code);
  }

  std::function<void(int)> done_;
};

}  // namespace

Attributes AttributesOf(std::string_view method, const http::Target& target) {
  Attributes out;
  auto path = ParseResourcePath(target.path);
  if (!path) {
    out.verb = Lower(method);
    out.path = target.path;
    return out;
  }
  out.resource_request = true;
  out.verb = VerbOf(method, !path->name.empty(), target);
  out.ns = std::move(path->ns);
  // A namespace is an object inside itself: a Role there may give the right to read it.
  if (path->group.empty() && path->plural == "namespaces") out.ns = path->name;
  out.group = std::move(path->group);
  out.resource = std::move(path->plural);
  out.subresource = std::move(path->subresource);
  out.name = std::move(path->name);
  return out;
}

absl::Status Forbidden(const UserInfo& user, const Attributes& attributes,
                       std::string_view reason) {
  const std::string tail = reason.empty() ? "" : StrCat(": ", reason);
  if (!attributes.resource_request) {
    return ApiError(403, "Forbidden",
                    StrCat("forbidden: User ", Quote(user.name), " cannot ", attributes.verb,
                           " path ", Quote(attributes.path), tail),
                    Json::object());
  }
  const std::string full = attributes.subresource.empty()
                               ? attributes.resource
                               : StrCat(attributes.resource, "/", attributes.subresource);
  std::string what = attributes.resource;
  if (!attributes.group.empty()) what += StrCat(".", attributes.group);
  if (!attributes.name.empty()) what += StrCat(" ", Quote(attributes.name));
  const std::string where = attributes.ns.empty()
                                ? " at the cluster scope"
                                : StrCat(" in the namespace ", Quote(attributes.ns));
  Json details = {{"kind", attributes.resource}};
  if (!attributes.group.empty()) details["group"] = attributes.group;
  if (!attributes.name.empty()) details["name"] = attributes.name;
  return ApiError(
      403, "Forbidden",
      StrCat(what, " is forbidden: User ", Quote(user.name), " cannot ", attributes.verb,
             " resource ", Quote(full), " in API group ", Quote(attributes.group), where, tail),
      details);
}

absl::Status RefuseImpersonation(const http::Headers& headers, const UserInfo& user,
                                 const Attributes& attributes) {
  constexpr std::string_view kPrefix = "Impersonate-";
  for (const auto& [name, value] : headers.fields()) {
    if (strncasecmp(name.c_str(), kPrefix.data(), kPrefix.size()) == 0) {
      return Forbidden(user, attributes, "impersonation is not supported");
    }
  }
  return absl::OkStatus();
}

bool AmbiguousPath(std::string_view target) {
  const std::string_view raw = target.substr(0, target.find('?'));
  for (size_t start = 0; start <= raw.size();) {
    const size_t end = std::min(raw.find('/', start), raw.size());
    if (http::IsAmbiguousSegment(http::PercentDecode(raw.substr(start, end - start), false))) {
      return true;
    }
    start = end + 1;
  }
  return false;
}

absl::StatusOr<Json> AnswerReview(const AccessHooks& hooks, const Resource& resource,
                                  std::string_view ns, const UserInfo& user, const Json& body) {
  Json out = body;
  out["kind"] = resource.kind;
  out["apiVersion"] = resource.ApiVersion();
  if (resource.kind == "SelfSubjectReview") {
    Json info = {{"username", user.name}, {"groups", user.groups}};
    if (!user.uid.empty()) info["uid"] = user.uid;
    out["status"] = {{"userInfo", std::move(info)}};
    return out;
  }
  const auto spec = body.find("spec");
  if (spec == body.end() || !spec->is_object()) return BadRequest("spec is required");
  if (resource.kind == "SelfSubjectRulesReview") {
    const std::string asked = Text(*spec, "namespace");
    if (asked.empty()) return BadRequest("no namespace on request");
    out["status"] = hooks.rules ? hooks.rules(user, asked)
                                : Json({{"resourceRules", Json::array()},
                                        {"nonResourceRules", Json::array()},
                                        {"incomplete", true}});
    return out;
  }
  auto asked = AskedFor(*spec);
  if (!asked.ok()) return asked.status();
  UserInfo subject = user;
  if (resource.kind != "SelfSubjectAccessReview") {
    subject = {Text(*spec, "user"), Text(*spec, "uid"), {}};
    if (const auto groups = spec->find("groups"); groups != spec->end() && groups->is_array()) {
      for (const Json& group : *groups) {
        if (group.is_string()) subject.groups.push_back(group.get<std::string>());
      }
    }
    if (subject.name.empty() && subject.groups.empty()) {
      return BadRequest("at least one of user or group must be specified");
    }
  }
  if (resource.kind == "LocalSubjectAccessReview" &&
      (!asked->resource_request || asked->ns != ns)) {
    return BadRequest("spec.resourceAttributes.namespace must match the namespace of the request");
  }
  const bool allowed = !hooks.authorize || hooks.authorize(subject, *asked);
  out["status"] = {{"allowed", allowed}};
  return out;
}

std::shared_ptr<http::ResponseWriter> ObserveAnswer(std::shared_ptr<http::ResponseWriter> writer,
                                                    std::function<void(int code)> done) {
  return std::make_shared<ObservedWriter>(std::move(writer), std::move(done));
}

}  // namespace sealane::kubeapi

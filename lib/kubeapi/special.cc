// Requests that are no reads and writes of objects: reviews, logs, evictions, tokens.

#include <utility>

#include "lib/core/json.h"
#include "lib/kubeapi/api_server.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/request.h"

namespace sealane::kubeapi {
namespace {

// Kinds that are questions rather than objects: the answer is the request with its status. With no
// authorization in this server everything is allowed.
Json AccessReview(const Resource& resource, const Json& body) {
  Json out = body;
  out["kind"] = resource.kind;
  out["apiVersion"] = resource.ApiVersion();
  if (resource.kind == "SelfSubjectRulesReview") {
    out["status"] = {
        {"resourceRules", {{{"verbs", {"*"}}, {"apiGroups", {"*"}}, {"resources", {"*"}}}}},
        {"nonResourceRules", {{{"verbs", {"*"}}, {"nonResourceURLs", {"*"}}}}},
        {"incomplete", false}};
  } else {
    out["status"] = {{"allowed", true}};
  }
  return out;
}

}  // namespace

bool ApiServer::Special(Request& request) {
  const Resource& resource = *request.resource;
  const ResourcePath& path = request.path;
  const std::string& method = request.http.method;
  if (request.user && !resource.HasVerb("get") &&
      (resource.group == "authorization.k8s.io" || resource.kind == "SelfSubjectReview")) {
    const auto body = ParseRequestBody(request.http);
    if (method != "POST" || !body.ok() || !body->is_object()) {
      Fail(request,
           method != "POST" ? MethodNotAllowed() : BadRequest("the body must be an object"));
      return true;
    }
    const auto answer = AnswerReview(options_.access, resource, path.ns, *request.user, *body);
    answer.ok() ? Answer(request, 201, *answer) : Fail(request, answer.status());
    return true;
  }
  if (!resource.HasVerb("get") && resource.group == "authorization.k8s.io") {
    const auto body = ParseRequestBody(request.http);
    if (method != "POST" || !body.ok() || !body->is_object()) {
      Fail(request,
           method != "POST" ? MethodNotAllowed() : BadRequest("the body must be an object"));
    } else {
      Answer(request, 201, AccessReview(resource, *body));
    }
    return true;
  }
  if (request.user && resource.kind == "TokenReview" && options_.access.review_token) {
    ReviewToken(request);
    return true;
  }
  if (!resource.HasVerb("watch")) {  // bindings, componentstatuses, token reviews
    Fail(request, MethodNotAllowed());
    return true;
  }
  if (path.subresource.empty() || path.subresource == "status" || path.subresource == "scale") {
    if (!path.subresource.empty() && resource.Subresource(path.subresource) == nullptr) {
      Fail(request, NoSuchResource());
      return true;
    }
    return false;
  }
  const ObjectKey key{resource.StorageName(), resource.namespaced ? path.ns : "", path.name};
  const ObjectPtr object = store_.Get(key);
  if (object == nullptr) {
    Fail(request, resource.Subresource(path.subresource) == nullptr
                      ? NoSuchResource()
                      : NotFoundError(resource.Target(path.name)));
    return true;
  }
  if (resource.plural == "pods" && path.subresource == "log" && method == "GET") {
    // Simulated containers print nothing.
    request.writer->Send({200, {{"Content-Type", "text/plain"}}, ""});
    return true;
  }
  if (resource.plural == "pods" && path.subresource == "eviction" && method == "POST") {
    Delete({&resource, key.ns, key.name, ""}, Json(), {}, [](auto) {});
    Answer(request, 201,
           {{"kind", "Status"},
            {"apiVersion", "v1"},
            {"metadata", Json::object()},
            {"status", "Success"},
            {"code", 201}});
    return true;
  }
  if (resource.plural == "serviceaccounts" && path.subresource == "token" && method == "POST" &&
      options_.access.issue_token) {
    const auto body = ParseRequestBody(request.http);
    const auto answer = body.ok() ? options_.access.issue_token(*object, *body) : body;
    answer.ok() ? Answer(request, 201, *answer) : Fail(request, answer.status());
    return true;
  }
  Fail(request,
       resource.Subresource(path.subresource) == nullptr ? NoSuchResource() : MethodNotAllowed());
  return true;
}

void ApiServer::ReviewToken(Request& request) {
  if (request.http.method != "POST") return Fail(request, MethodNotAllowed());
  const auto body = ParseRequestBody(request.http);
  if (!body.ok()) return Fail(request, body.status());
  const Json::json_pointer at("/spec/token");
  if (!body->is_object() || !body->contains(at) || !body->at(at).is_string()) {
    return Fail(request, BadRequest("spec.token must be the token to review"));
  }
  Json out = *body;
  out["kind"] = "TokenReview";
  out["apiVersion"] = "authentication.k8s.io/v1";
  out["status"] = options_.access.review_token(body->at(at).get_ref<const std::string&>());
  Answer(request, 201, out);
}

}  // namespace sealane::kubeapi

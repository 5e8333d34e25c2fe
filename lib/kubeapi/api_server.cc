#include "lib/kubeapi/api_server.h"

#include <optional>
#include <utility>
#include <vector>

#include "lib/core/ids.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/body.h"
#include "lib/kubeapi/custom.h"
#include "lib/kubeapi/discovery.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/openapi.h"
#include "lib/kubeapi/protobuf.h"
#include "lib/kubeapi/request.h"
#include "lib/kubeapi/table.h"
#include "lib/kubeapi/watch_set.h"

namespace sealane::kubeapi {
namespace {

// Before a definition's status is written again that could not be written.
constexpr absl::Duration kEstablishPause = absl::Milliseconds(100);

// The field manager a request means: its parameter, or the client's name from the user agent.
std::string ManagerOf(std::string_view parameter, std::string_view user_agent) {
  if (!parameter.empty()) return std::string(parameter.substr(0, 128));
  const std::string_view name = user_agent.substr(0, user_agent.find('/'));
  return name.empty() ? "unknown" : std::string(name.substr(0, 128));
}

http::Headers JsonHeaders(const std::vector<std::string>& warnings = {}) {
  http::Headers headers = {{"Content-Type", "application/json"}};
  for (const std::string& warning : warnings) {
    headers.Add("Warning", StrCat("299 - ", WriteJson(Json(warning))));
  }
  return headers;
}

}  // namespace

ApiServer::ApiServer(Env env, Store& store, ApiServerOptions options)
    : executor_(env.executor),
      env_{env.clock, executor_, env.random},
      store_(store),
      options_(std::move(options)),
      registry_(Schema::Builtin()),
      writer_(env_, store, registry_, options_.admit, options_.node_ports),
      watches_(std::make_unique<WatchSet>()) {
  if (options_.definitions != nullptr) {
    for (const Json& crd : *options_.definitions) registry_.ReserveCustomResource(crd);
  }
  store_.ForEach(kCrds, "", {}, [&](const ObjectPtr& crd) {
    registry_.SetCustomResource(crd->value());
    return true;
  });
  subscription_ = store_.Subscribe([this](const Change& change) { OnChange(change); });
}

ApiServer::~ApiServer() {
  store_.Unsubscribe(subscription_);
  watches_->EndAll();
}

void ApiServer::OnChange(const Change& change) {
  if (change.object->key().resource == kCrds) {
    const Json& crd = change.object->value();
    if (change.type == ChangeType::kDeleted) {
      registry_.RemoveCustomResource(crd);
    } else if (change.previous == nullptr ||
               change.previous->value().at("spec") != crd.at("spec")) {
      registry_.SetCustomResource(crd);
      // The status follows, as the real server's controller writes it.
      env_.executor.Post([this, key = change.object->key()] { Establish(key); });
    }
  }
  watches_->Deliver(change);
}

void ApiServer::Establish(const ObjectKey& key) {
  const ObjectPtr now = store_.Get(key);
  if (now == nullptr) return;
  Json object = now->value();
  EstablishCrd(object, env_.clock.Now());
  if (object == now->value()) return;
  store_.Put(key, std::move(object), now->revision(),
             [this, key, alive = executor_.alive()](const absl::StatusOr<ObjectPtr>& written) {
               // Somebody else wrote at the same time, or the store could not be reached.
               if (alive.expired() || written.ok() || StatusCodeOf(written.status()) < 500) return;
               executor_.After(kEstablishPause, [this, key] { Establish(key); });
             });
}

void ApiServer::Fail(Request& request, const absl::Status& status) {
  const int code = StatusCodeOf(status);
  http::Headers headers = JsonHeaders();
  if (code == 429 || code == 503) headers.Add("Retry-After", "1");
  request.writer->Send({code, std::move(headers), WriteJson(StatusObject(status)) + "\n"});
}

void ApiServer::Answer(Request& request, int code, const Json& object) {
  request.writer->Send({code, JsonHeaders(request.warnings), WriteJson(object) + "\n"});
}

void ApiServer::AnswerObject(Request& request, int code, const ObjectPtr& object) {
  const Resource& resource = *request.resource;
  switch (request.output) {
    case Output::kObject: {
      request.writer->Send(
          {code, JsonHeaders(request.warnings), ObjectText(resource, *object) + "\n"});
      return;
    }
    case Output::kMetadata:
      return Answer(request, code, PartialMetadata(object->value()));
    case Output::kTable:
      return Answer(request, code,
                    {{"kind", "Table"},
                     {"apiVersion", "meta.k8s.io/v1"},
                     {"metadata", {{"resourceVersion", std::to_string(object->revision())}}},
                     {"columnDefinitions", TableColumns(resource)},
                     {"rows", Json::array({TableRow(resource, object->value(), env_.clock.Now(),
                                                    request.Query("includeObject"))})}});
  }
}

void ApiServer::Handle(const http::HttpRequest& http, std::shared_ptr<http::ResponseWriter> writer,
                       std::optional<UserInfo> user) {
  Request request{http, std::move(writer), http::ParseTarget(http.path),
                  {},   nullptr,           Output::kObject,
                  {},   std::move(user)};
  if (!options_.token.empty() &&
      http.headers.Get("Authorization") != StrCat("Bearer ", options_.token)) {
    return Fail(request, ApiError(401, "Unauthorized", "Unauthorized"));
  }
  Guard(request, &ApiServer::Enter);
}

// Bodies are checked against their types before they are used. Should a strange one slip through,
// reading it throws, and the request fails here rather than the server.
void ApiServer::Guard(Request& request, void (ApiServer::*step)(Request&)) {
  try {
    (this->*step)(request);
  } catch (const Json::exception& error) {
    Fail(request, BadRequest(StrCat("the request has an unexpected shape: ",
                                    std::string_view(error.what()))));
  }
}

void ApiServer::Later(const Request& request, absl::Duration pause,
                      void (ApiServer::*step)(Request&)) {
  const auto kept = request.kept != nullptr
                        ? request.kept
                        : std::make_shared<const http::HttpRequest>(request.http);
  auto later = std::make_shared<Request>(Request{*kept, request.writer, request.target,
                                                 request.path, request.resource, request.output});
  later->user = request.user;
  later->record = request.record;
  later->kept = kept;
  later->attempt = request.attempt + 1;
  executor_.After(pause, [this, later, step] { Guard(*later, step); });
}

void ApiServer::Enter(Request& request) {
  if (!options_.access.authenticate || Admit(request)) Dispatch(request);
}

void ApiServer::Dispatch(Request& request) {
  const std::string& path = request.target.path;
  const auto parsed = ParseResourcePath(path);
  if (!parsed) return Discovery(request);
  request.path = *parsed;
  if (!registry_.HasGroupVersion(parsed->group, parsed->version)) return Discovery(request);
  request.resource = registry_.Find(parsed->group, parsed->version, parsed->plural);
  if (request.resource == nullptr || (parsed->namespaced && !request.resource->namespaced)) {
    return Fail(request, NoSuchResource());
  }
  const auto output = ParseAccept(request.http.headers.Get("Accept"));
  if (!output.ok()) return Fail(request, output.status());
  request.output = *output;
  if (Special(request)) return;
  const std::string& method = request.http.method;
  if (method == "GET" || method == "HEAD") return Read(request);
  if (request.user && (method == "PUT" || method == "PATCH") &&
      store_.Get({request.resource->StorageName(), request.resource->namespaced ? parsed->ns : "",
                  parsed->name}) == nullptr) {
    // May make the object, which is another right than changing it.
    Attributes create = AttributesOf(method, request.target);
    create.verb = "create";
    if (!Allow(request, create)) return;
  }
  Write(request);
}

void ApiServer::Discovery(Request& request) {
  std::string path = request.target.path;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const bool aggregated = WantsAggregatedDiscovery(request.http.headers.Get("Accept"));
  Json document;
  if (path == "/healthz" || path == "/livez" || path == "/readyz") {
    return request.writer->Send({200, {{"Content-Type", "text/plain; charset=utf-8"}}, "ok"});
  }
  if (path == "/") {
    document = RootPaths(registry_);
  } else if (path == "/version") {
    document = VersionDocument();
  } else if (path == "/api") {
    document =
        aggregated ? AggregatedDiscovery(registry_, true) : CoreVersions(options_.server_address);
  } else if (path == "/apis") {
    document = aggregated ? AggregatedDiscovery(registry_, false) : GroupList(registry_);
  } else if (path == "/openapi/v2") {
    // Older clients write the type with an @.
    const std::string_view accept = request.http.headers.Get("Accept");
    if (accept.find("application/com.github.proto-openapi.spec.v2") != std::string_view::npos) {
      return request.writer->Send(
          {200, {{"Content-Type", std::string(kOpenApiV2Protobuf)}}, OpenApiV2Protobuf(registry_)});
    }
    document = OpenApiV2(registry_);
  } else if (path == "/openapi/v3") {
    document = OpenApiIndex(registry_);
  } else if (path.substr(0, 12) == "/openapi/v3/") {
    document = OpenApiDocument(registry_, path.substr(12));
  } else if (path.substr(0, 5) == "/api/") {
    document = ResourceList(registry_, "", path.substr(5));
  } else if (path.substr(0, 6) == "/apis/") {
    const std::string rest = path.substr(6);
    const size_t slash = rest.find('/');
    document = slash == std::string::npos
                   ? GroupDocument(registry_, rest)
                   : ResourceList(registry_, rest.substr(0, slash), rest.substr(slash + 1));
  }
  if (document.is_null()) {
    return request.writer->Send(
        {404, {{"Content-Type", "text/plain; charset=utf-8"}}, "404 page not found\n"});
  }
  if (aggregated && (path == "/api" || path == "/apis")) {
    return request.writer->Send(
        {200,
         {{"Content-Type", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}},
         WriteJson(document) + "\n"});
  }
  Answer(request, 200, document);
}

void ApiServer::Commit(WritePlan plan, Store::Done done) {
  if (!done) done = [](auto) {};
  switch (plan.action) {
    case WritePlan::Action::kNothing:
      return done(std::make_shared<const StoredObject>(plan.key, *plan.object, plan.expected));
    case WritePlan::Action::kPut:
      return store_.Put(plan.key, *plan.object, plan.expected, std::move(done));
    case WritePlan::Action::kRemove:
      return store_.Remove(
          plan.key, plan.expected, [plan, done](const absl::StatusOr<ObjectPtr>& removed) {
            if (!removed.ok()) return done(removed.status());
            done(std::make_shared<const StoredObject>(plan.key, *plan.object, plan.expected));
          });
  }
}

void ApiServer::Create(const WriteTarget& target, const Json& object, const WriteOptions& options,
                       Store::Done done) {
  auto plan = writer_.Create(target, object, options);
  if (!plan.ok()) return done ? done(plan.status()) : void();
  Commit(*std::move(plan), std::move(done));
}

void ApiServer::Update(const WriteTarget& target, const Json& object, const WriteOptions& options,
                       Store::Done done) {
  auto plan = writer_.Update(target, object, options);
  if (!plan.ok()) return done ? done(plan.status()) : void();
  Commit(*std::move(plan), std::move(done));
}

const Resource* ApiServer::Stored(std::string_view storage_name) const {
  for (const Resource* resource : registry_.Stored()) {
    if (resource->StorageName() == storage_name) return resource;
  }
  return nullptr;
}

// Somebody else wrote between the plan and the store. What does not name the version that it was
// made for is planned anew from the newest, as the real server does, a few times; the plan of what
// does name it fails then.
bool ApiServer::Again(const Request& request, const absl::Status& failure) {
  constexpr int kAttempts = 5;
  constexpr absl::Duration kPause = absl::Milliseconds(20);
  if (request.kept == nullptr || request.attempt >= kAttempts) return false;
  if (!IsLostRace(failure)) return false;
  Later(request, kPause * (request.attempt + 1), &ApiServer::Write);
  return true;
}

void ApiServer::Write(Request& request) {
  if (request.http.method != "POST" && request.kept == nullptr) {
    request.kept = std::make_shared<const http::HttpRequest>(request.http);
  }
  const Resource& resource = *request.resource;
  const ResourcePath& path = request.path;
  const std::string& method = request.http.method;
  if (resource.namespaced && !path.namespaced) return Fail(request, MethodNotAllowed());
  WriteTarget target{&resource, resource.namespaced ? path.ns : "", path.name, path.subresource};
  WriteOptions options;
  options.manager =
      ManagerOf(request.Query("fieldManager"), request.http.headers.Get("User-Agent"));
  options.force = request.Flag("force");
  if (const std::string v = request.Query("fieldValidation"); !v.empty()) {
    if (v != "Strict" && v != "Warn" && v != "Ignore") {
      return Fail(request, InvalidObject({"meta.k8s.io", "CreateOptions", ""},
                                         {UnsupportedField("fieldValidation", v,
                                                           {"", "Ignore", "Strict", "Warn"})}));
    }
    options.field_validation = v;
  }
  if (const std::string dry = request.Query("dryRun"); !dry.empty()) {
    if (dry != "All") {
      return Fail(request, InvalidObject({"meta.k8s.io", "CreateOptions", ""},
                                         {UnsupportedField("dryRun", dry, {"All"})}));
    }
    options.dry_run = true;
  }
  const std::string content_type(request.http.headers.Get("Content-Type"));
  absl::StatusOr<WritePlan> plan = MethodNotAllowed();
  const auto body = [&]() -> absl::StatusOr<Json> {
    auto parsed = ParseRequestBody(request.http, &options.doubled);
    if (!parsed.ok()) {
      return BadRequest(StrCat("the object provided is unrecognized (must be of type ",
                               path.subresource == "scale" ? "Scale" : resource.kind,
                               "): couldn't get version/kind; ", ToStd(parsed.status().message())));
    }
    return parsed;
  };
  if (method == "POST" && path.name.empty()) {
    auto object = body();
    plan = object.ok() ? writer_.Create(target, *object, options) : object.status();
  } else if (method == "PUT" && !path.name.empty()) {
    auto object = body();
    plan = object.ok() ? writer_.Update(target, *object, options) : object.status();
  } else if (method == "PATCH" && !path.name.empty()) {
    const bool apply = content_type.substr(0, 28) == "application/apply-patch+yaml";
    if (apply && request.Query("fieldManager").empty()) {
      return Fail(request,
                  InvalidObject({"meta.k8s.io", "PatchOptions", ""},
                                {RequiredField("fieldManager", "is required for apply patch")}));
    }
    if (!apply && options.force) {
      return Fail(
          request,
          InvalidObject({"meta.k8s.io", "PatchOptions", ""},
                        {ForbiddenField("force", "may not be specified for non-apply patch")}));
    }
    plan = writer_.Patch(target, content_type, request.http.body, options);
  } else if (method == "DELETE") {
    if (path.name.empty()) return DeleteCollection(request);
    if (!path.subresource.empty()) return Fail(request, MethodNotAllowed());
    const auto delete_options = DeleteOptionsOf(request, options);
    if (!delete_options.ok()) return Fail(request, delete_options.status());
    plan = writer_.Delete(target, *delete_options, options);
  }
  if (!plan.ok()) return Fail(request, plan.status());
  if (request.user && options_.access.may_write && method != "DELETE") {
    const absl::Status may =
        options_.access.may_write(*request.user, resource, target.ns, *plan->object);
    if (!may.ok()) {
      return Fail(request, ForbiddenError(resource.Target(plan->key.name), ToStd(may.message())));
    }
  }
  request.warnings = plan->warnings;
  const bool gone = plan->gone;
  const int code = plan->created ? 201 : 200;
  const std::string name = plan->key.name;
  // The path of a creation does not name it.
  if (request.record != nullptr) request.record->attributes.name = name;
  const std::string uid = gone ? plan->object->at("metadata").value("uid", "") : "";
  // The answer may come after this request object is gone.
  auto later = std::make_shared<Request>(request);
  const bool named = request.user.has_value() && options_.access.writing;
  if (named) options_.access.writing(&*request.user);
  Commit(*std::move(plan), [this, later, gone, code, name, uid](absl::StatusOr<ObjectPtr> written) {
    if (!written.ok() && Again(*later, written.status())) return;
    if (!written.ok()) return Fail(*later, Translate(written.status(), *later->resource, name));
    if (later->path.subresource == "scale") {
      return Answer(*later, code, Writer::ScaleOf(*later->resource, (*written)->value()));
    }
    if (!gone) return AnswerObject(*later, code, *written);
    Json details = {{"name", name}, {"kind", later->resource->plural}, {"uid", uid}};
    if (!later->resource->group.empty()) details["group"] = later->resource->group;
    Answer(*later, 200,
           {{"kind", "Status"},
            {"apiVersion", "v1"},
            {"metadata", Json::object()},
            {"status", "Success"},
            {"details", details}});
  });
  if (named) options_.access.writing(nullptr);
}

}  // namespace sealane::kubeapi

// The deleting half of ApiServer: one object, and a listed collection.

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/api_server.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/request.h"

namespace sealane::kubeapi {
namespace {

// Of one collection at a time: the store may answer each only after a while.
constexpr size_t kDeletionsUnderWay = 32;
constexpr int kDeletionAttempts = 5;
constexpr absl::Duration kDeletionPause = absl::Milliseconds(20);

}  // namespace

absl::StatusOr<Json> ApiServer::DeleteOptionsOf(const Request& request, WriteOptions& options) {
  Json given = Json::object();
  if (!request.http.body.empty()) {
    auto body = ParseRequestBody(request.http);
    if (!body.ok() || !body->is_object()) {
      return BadRequest(StrCat(
          "the object provided is unrecognized (must be of type DeleteOptions): couldn't get "
          "version/kind; ",
          body.ok() ? std::string("the body is no object") : ToStd(body.status().message())));
    }
    given = *std::move(body);
  } else {
    if (const std::string v = request.Query("propagationPolicy"); !v.empty()) {
      given["propagationPolicy"] = v;
    }
    if (request.target.HasQuery("orphanDependents")) {
      given["orphanDependents"] = request.Flag("orphanDependents");
    }
    if (const std::string v = request.Query("gracePeriodSeconds"); !v.empty()) {
      given["gracePeriodSeconds"] = std::atoi(v.c_str());
    }
  }
  const Json dry_run = given.value("dryRun", Json());
  if (dry_run.is_null() || dry_run == Json::array()) return given;
  if (dry_run != Json::array({"All"})) {
    return InvalidObject({"meta.k8s.io", "DeleteOptions", ""},
                         {UnsupportedField("dryRun", dry_run, {"All"})});
  }
  options.dry_run = true;
  return given;
}

// The deletion of one object by a controller or as part of a collection.
struct ApiServer::Deletion {
  WriteTarget target;
  Json delete_options;
  WriteOptions options;
  std::optional<UserInfo> user;  // in whose name; nobody's: the server's own
  Store::Done done;
  int attempt = 1;
};

void ApiServer::Delete(const WriteTarget& target, const Json& delete_options,
                       const WriteOptions& options, Store::Done done) {
  Delete(std::make_shared<Deletion>(
      Deletion{target, delete_options, options, std::nullopt, std::move(done)}));
}

void ApiServer::Delete(std::shared_ptr<Deletion> deletion) {
  auto plan = writer_.Delete(deletion->target, deletion->delete_options, deletion->options);
  if (!plan.ok()) return deletion->done ? deletion->done(plan.status()) : void();
  const bool named = deletion->user.has_value() && options_.access.writing;
  if (named) options_.access.writing(&*deletion->user);
  Commit(*std::move(plan), [this, deletion](absl::StatusOr<ObjectPtr> deleted) {
    // Somebody else wrote meanwhile: what to do is decided again. Conditions are part of that.
    if (IsLostRace(deleted.status()) && deletion->attempt < kDeletionAttempts) {
      executor_.After(kDeletionPause * deletion->attempt++, [this, deletion] { Delete(deletion); });
      return;
    }
    if (deletion->done) deletion->done(std::move(deleted));
  });
  if (named) options_.access.writing(nullptr);
}

// The deletion of a collection that is under way.
struct ApiServer::Clearing {
  std::shared_ptr<Request> request;
  Json delete_options;
  WriteOptions options;
  std::vector<ObjectPtr> objects;
  size_t begun = 0;
  size_t ended = 0;
  bool beginning = false;
  absl::Status failure = absl::OkStatus();  // the first one
  std::string failed_name;
};

void ApiServer::DeleteCollection(Request& request) {
  const Resource& resource = *request.resource;
  if (!resource.HasVerb("deletecollection")) return Fail(request, MethodNotAllowed());
  const auto selection =
      ParseSelection(resource, request.Query("labelSelector"), request.Query("fieldSelector"));
  if (!selection.ok()) return Fail(request, selection.status());
  auto clearing = std::make_shared<Clearing>();
  clearing->options.dry_run = !request.Query("dryRun").empty();
  auto delete_options = DeleteOptionsOf(request, clearing->options);
  if (!delete_options.ok()) return Fail(request, delete_options.status());
  clearing->delete_options = *std::move(delete_options);
  store_.ForEach(resource.StorageName(), request.path.ns, {}, [&](const ObjectPtr& object) {
    if (selection->Matches(object->value())) clearing->objects.push_back(object);
    return true;
  });
  clearing->request = std::make_shared<Request>(request);
  Clear(std::move(clearing));
}

void ApiServer::Clear(const std::shared_ptr<Clearing>& clearing) {
  if (clearing->beginning) return;  // the store has answered at once: the loop below goes on
  clearing->beginning = true;
  while (clearing->begun < clearing->objects.size() && clearing->failure.ok() &&
         clearing->begun - clearing->ended < kDeletionsUnderWay) {
    const ObjectKey key = clearing->objects[clearing->begun++]->key();
    const Resource* resource = clearing->request->resource;
    Delete(std::make_shared<Deletion>(Deletion{
        {resource, key.ns, key.name, ""},
        clearing->delete_options,
        clearing->options,
        clearing->request->user,
        [this, clearing, key](const absl::StatusOr<ObjectPtr>& deleted) {
          ++clearing->ended;
          // One that somebody else has removed is gone, as it should be.
          if (!deleted.ok() && StatusCodeOf(deleted.status()) != 404 && clearing->failure.ok()) {
            clearing->failure = deleted.status();
            clearing->failed_name = key.name;
          }
          Clear(clearing);
        }}));
  }
  clearing->beginning = false;
  if (clearing->ended < clearing->begun) return;
  Request& request = *clearing->request;
  const Resource& resource = *request.resource;
  if (!clearing->failure.ok()) {
    return Fail(request, Translate(clearing->failure, resource, clearing->failed_name));
  }
  std::string items;
  for (const ObjectPtr& object : clearing->objects) {
    if (!items.empty()) items += ",";
    items += ListedText(resource, *object);
  }
  request.writer->Send({200,
                        {{"Content-Type", "application/json"}},
                        StrCat("{\"kind\":\"", resource.list_kind, "\",\"apiVersion\":\"",
                               resource.ApiVersion(), "\",\"metadata\":{\"resourceVersion\":\"",
                               store_.revision(), "\"},\"items\":[", items, "]}\n")});
}

}  // namespace sealane::kubeapi

// The reading half of ApiServer: get, list, watch, and the deletion of a listed collection.

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/api_server.h"
#include "lib/kubeapi/body.h"
#include "lib/kubeapi/continue_token.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/protobuf.h"
#include "lib/kubeapi/request.h"
#include "lib/kubeapi/table.h"
#include "lib/kubeapi/watch.h"

namespace sealane::kubeapi {
namespace {

const Json& LabelsOf(const Json& object) {
  static const Json* const null = new Json();
  const auto metadata = object.find("metadata");
  if (metadata == object.end()) return *null;
  const auto labels = metadata->find("labels");
  return labels == metadata->end() ? *null : *labels;
}

absl::StatusOr<uint64_t> ParseRevision(const std::string& text) {
  if (text.empty()) return 0;
  if (text.find_first_not_of("0123456789") != std::string::npos || text.size() > 19) {
    return ApiError(500, "",
                    StrCat("resourceVersion: Invalid value: \"", text,
                           "\": strconv.ParseUint: parsing \"", text, "\": invalid syntax"));
  }
  return std::stoull(text);
}

struct Selection {
  LabelQuery labels;
  FieldQuery fields;
};

absl::StatusOr<Selection> ParseSelection(const Resource& resource, const std::string& labels,
                                         const std::string& fields) {
  Selection out;
  SEALANE_ASSIGN_OR_RETURN(out.labels, LabelQuery::Parse(labels));
  SEALANE_ASSIGN_OR_RETURN(out.fields, FieldQuery::Parse(fields, resource.field_selectors));
  return out;
}

}  // namespace

void ApiServer::Read(Request& request) {
  const Resource& resource = *request.resource;
  const ResourcePath& path = request.path;
  if (path.name.empty()) {
    return request.Flag("watch") ? StartWatch(request) : List(request);
  }
  if (resource.namespaced && !path.namespaced) return Fail(request, NoSuchResource());
  const ObjectPtr object =
      store_.Get({resource.StorageName(), resource.namespaced ? path.ns : "", path.name});
  if (object == nullptr) return Fail(request, NotFoundError(resource.Target(path.name)));
  if (path.subresource == "scale") {
    return Answer(request, 200, Writer::ScaleOf(resource, object->value()));
  }
  AnswerObject(request, 200, object);
}

void ApiServer::List(Request& request) {
  const Resource& resource = *request.resource;
  const auto selection =
      ParseSelection(resource, request.Query("labelSelector"), request.Query("fieldSelector"));
  if (!selection.ok()) return Fail(request, selection.status());
  if (const auto version = ParseRevision(request.Query("resourceVersion")); !version.ok()) {
    return Fail(request,
                InvalidObject({"meta.k8s.io", "ListOptions", ""},
                              {InvalidField("resourceVersion", request.Query("resourceVersion"),
                                            "must be a number")}));
  }
  uint64_t revision = store_.revision();
  ContinueToken start;
  if (const std::string token = request.Query("continue"); !token.empty()) {
    const auto parsed = ContinueToken::Decode(token);
    if (!parsed.ok()) return Fail(request, BadRequest("continue key is not valid"));
    start = *parsed;
    revision = start.revision;
    if (!store_.History(resource.StorageName(), revision).ok()) {
      return Fail(request, Expired("The provided continue parameter is too old to display a "
                                   "consistent list result. You can start a new list without the "
                                   "continue parameter."));
    }
  }
  const std::string limit_text = request.Query("limit");
  const size_t limit = static_cast<size_t>(std::max(0, std::atoi(limit_text.c_str())));
  const std::string ns = request.path.ns;
  const bool table = request.output == Output::kTable;
  const std::string include_object = request.Query("includeObject");
  std::string items;
  size_t count = 0;
  size_t remaining = 0;
  std::pair<std::string, std::string> last;
  bool more = false;
  const bool filtered = !selection->labels.empty() || !selection->fields.empty();
  store_.ForEach(resource.StorageName(), ns, {start.ns, start.name}, [&](const ObjectPtr& object) {
    const Json& value = object->value();
    if (filtered &&
        (!selection->labels.Matches(LabelsOf(value)) || !selection->fields.Matches(value))) {
      return true;
    }
    if (limit != 0 && count == limit) {
      more = true;
      ++remaining;
      return !filtered;  // the rest is counted only where the count is exact
    }
    if (count++ != 0) items += ",";
    last = {object->key().ns, object->key().name};
    if (table) {
      items += WriteJson(TableRow(resource, value, env_.clock.Now(), include_object));
    } else if (request.output == Output::kMetadata) {
      items += WriteJson(PartialMetadata(value));
    } else {
      items += resource.builtin ? object->Body() : ObjectText(resource, *object);
    }
    return true;
  });
  Json metadata = {{"resourceVersion", std::to_string(revision)}};
  if (more) {
    metadata["continue"] = ContinueToken{revision, last.first, last.second}.Encode();
    if (!filtered) metadata["remainingItemCount"] = remaining;
  }
  std::string kind = resource.list_kind;
  std::string version = resource.ApiVersion();
  std::string extra;
  std::string field = "items";
  if (table) {
    kind = "Table";
    version = "meta.k8s.io/v1";
    extra = StrCat("\"columnDefinitions\":", TableColumns(resource).dump(), ",");
    field = "rows";
  } else if (request.output == Output::kMetadata) {
    kind = "PartialObjectMetadataList";
    version = "meta.k8s.io/v1";
  }
  request.writer->Send({200,
                        {{"Content-Type", "application/json"}},
                        StrCat("{\"kind\":\"", kind, "\",\"apiVersion\":\"", version,
                               "\",\"metadata\":", metadata.dump(), ",", extra, "\"", field, "\":[",
                               items, "]}\n")});
}

void ApiServer::StartWatch(Request& request) {
  const Resource& resource = *request.resource;
  auto selection =
      ParseSelection(resource, request.Query("labelSelector"), request.Query("fieldSelector"));
  if (!selection.ok()) return Fail(request, selection.status());
  const auto revision = ParseRevision(request.Query("resourceVersion"));
  if (!revision.ok()) return Fail(request, revision.status());
  const bool initial_events = request.Flag("sendInitialEvents");
  if (initial_events && request.Query("resourceVersionMatch") != "NotOlderThan") {
    return Fail(request, InvalidObject({"meta.k8s.io", "ListOptions", ""},
                                       {ForbiddenField("resourceVersionMatch",
                                                       "sendInitialEvents requires setting "
                                                       "resourceVersionMatch to NotOlderThan")}));
  }
  Watch::Options options;
  options.resource = &resource;
  options.ns = request.path.ns;
  options.labels = std::move(selection->labels);
  options.fields = std::move(selection->fields);
  options.output = request.output;
  options.include_object = request.Query("includeObject");
  options.bookmarks = request.Flag("allowWatchBookmarks");
  // Also one that is yet to come (of before a restore): the watch is silent until then.
  if (!initial_events) options.after = *revision;
  const bool bookmarks = options.bookmarks;
  request.writer->StartStream(200, {{"Content-Type", "application/json"}});
  auto watch = std::make_shared<Watch>(env_, std::move(options), request.writer);
  if (initial_events || *revision == 0) {
    store_.ForEach(resource.StorageName(), request.path.ns, {}, [&](const ObjectPtr& object) {
      watch->SendInitial(*object);
      return true;
    });
    if (initial_events && bookmarks) watch->SendBookmark(store_.revision(), true);
  } else {
    const auto history = store_.History(resource.StorageName(), *revision);
    if (!history.ok()) {
      watch->SendError(StatusObject(Expired(ToStd(history.status().message()))));
      return watch->End();
    }
    for (const Change& change : *history) watch->Deliver(change);
  }
  const uint64_t id = next_watch_++;
  watches_[id] = watch;
  const auto finish = [this, id] {
    const auto it = watches_.find(id);
    if (it == watches_.end()) return;
    const std::shared_ptr<Watch> ending = it->second;
    watches_.erase(it);
    env_.executor.Cancel(ending->bookmark_timer);
    env_.executor.Cancel(ending->end_timer);
    ending->End();
  };
  absl::Duration timeout = options_.watch_timeout;
  if (const int seconds = std::atoi(request.Query("timeoutSeconds").c_str()); seconds > 0) {
    timeout = absl::Seconds(seconds);
  }
  watch->end_timer = env_.executor.After(timeout, finish);
  // The connection may outlive this server: its notice goes through the server's own executor.
  request.writer->OnClose([finish, alive = std::weak_ptr<Watch>(watch)] {
    if (alive.lock() != nullptr) finish();
  });
  if (!bookmarks) return;
  const auto tick = std::make_shared<std::function<void()>>();
  *tick = [this, id, weak = std::weak_ptr<std::function<void()>>(tick)] {
    const auto it = watches_.find(id);
    const auto self = weak.lock();
    if (it == watches_.end() || self == nullptr) return;
    it->second->SendBookmark(store_.revision(), false);
    it->second->bookmark_timer =
        env_.executor.After(options_.bookmark_period, [self] { (*self)(); });
  };
  watch->bookmark_timer = env_.executor.After(options_.bookmark_period, [tick] { (*tick)(); });
}

void ApiServer::DeleteCollection(Request& request) {
  const Resource& resource = *request.resource;
  if (!resource.HasVerb("deletecollection")) return Fail(request, MethodNotAllowed());
  const auto selection =
      ParseSelection(resource, request.Query("labelSelector"), request.Query("fieldSelector"));
  if (!selection.ok()) return Fail(request, selection.status());
  Json delete_options;
  if (!request.http.body.empty()) {
    auto body = IsProtobuf(request.http.body) ? DecodeProtobuf(request.http.body)
                                              : ParseText(request.http.body, true);
    if (!body.ok()) return Fail(request, BadRequest(ToStd(body.status().message())));
    delete_options = *std::move(body);
  }
  WriteOptions options;
  options.dry_run = request.Query("dryRun") == "All";
  std::vector<ObjectPtr> chosen;
  store_.ForEach(resource.StorageName(), request.path.ns, {}, [&](const ObjectPtr& object) {
    if (selection->labels.Matches(LabelsOf(object->value())) &&
        selection->fields.Matches(object->value())) {
      chosen.push_back(object);
    }
    return true;
  });
  std::string items;
  for (const ObjectPtr& object : chosen) {
    Delete({&resource, object->key().ns, object->key().name, ""}, delete_options, options,
           [](auto) {});
    if (!items.empty()) items += ",";
    items += resource.builtin ? object->Body() : ObjectText(resource, *object);
  }
  request.writer->Send({200,
                        {{"Content-Type", "application/json"}},
                        StrCat("{\"kind\":\"", resource.list_kind, "\",\"apiVersion\":\"",
                               resource.ApiVersion(), "\",\"metadata\":{\"resourceVersion\":\"",
                               store_.revision(), "\"},\"items\":[", items, "]}\n")});
}

}  // namespace sealane::kubeapi

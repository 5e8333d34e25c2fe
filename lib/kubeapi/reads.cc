// The reading half of ApiServer: get, list, watch.

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/api_server.h"
#include "lib/kubeapi/continue_token.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/request.h"
#include "lib/kubeapi/table.h"
#include "lib/kubeapi/watch_set.h"

namespace sealane::kubeapi {
namespace {

// How often a watch looks whether its user still may.
constexpr absl::Duration kRightPeriod = absl::Seconds(30);

absl::StatusOr<uint64_t> ParseRevision(const std::string& text) {
  if (text.empty()) return 0;
  if (text.find_first_not_of("0123456789") != std::string::npos || text.size() > 19) {
    return ApiError(500, "",
                    StrCat("resourceVersion: Invalid value: \"", text,
                           "\": strconv.ParseUint: parsing \"", text, "\": invalid syntax"));
  }
  return std::stoull(text);
}

// Of which time a list is to be.
struct Moment {
  uint64_t revision = 0;  // 0: any
  bool exact = false;     // of just that revision; else of that one or a later one
};

absl::StatusOr<Moment> ParseMoment(const http::Target& target) {
  const std::string text(target.Query("resourceVersion"));
  const std::string_view match = target.Query("resourceVersionMatch");
  const auto refuse = [](const FieldError& error) {
    return InvalidObject({"meta.k8s.io", "ListOptions", ""}, {error});
  };
  const auto revision = ParseRevision(text);
  if (!revision.ok()) return refuse(InvalidField("resourceVersion", text, "must be a number"));
  if (!match.empty()) {
    if (match != "Exact" && match != "NotOlderThan") {
      return refuse(
          UnsupportedField("resourceVersionMatch", std::string(match), {"Exact", "NotOlderThan"}));
    }
    if (text.empty()) {
      return refuse(
          ForbiddenField("resourceVersionMatch",
                         "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    }
    if (match == "Exact" && *revision == 0) {
      return refuse(
          ForbiddenField("resourceVersionMatch",
                         "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\""));
    }
  }
  return Moment{*revision, match == "Exact"};
}

}  // namespace

void ApiServer::Read(Request& request) {
  const Resource& resource = *request.resource;
  const ResourcePath& path = request.path;
  if (path.name.empty()) {
    return request.Flag("watch") ? StartWatch(request) : List(request);
  }
  if (resource.namespaced && !path.namespaced) return Fail(request, NoSuchResource());
  const auto revision = ParseRevision(request.Query("resourceVersion"));
  if (!revision.ok()) return Fail(request, revision.status());
  if (Await(request, *revision, &ApiServer::Read)) return;
  const ObjectPtr object =
      store_.Get({resource.StorageName(), resource.namespaced ? path.ns : "", path.name});
  if (object == nullptr) return Fail(request, NotFoundError(resource.Target(path.name)));
  if (path.subresource == "scale") {
    return Answer(request, 200, Writer::ScaleOf(resource, object->value()));
  }
  AnswerObject(request, 200, object);
}

// What another server has shown may not have arrived here yet.
bool ApiServer::Await(Request& request, uint64_t revision, void (ApiServer::*read)(Request&)) {
  constexpr absl::Duration kPause = absl::Milliseconds(20);
  constexpr absl::Duration kLongest = absl::Seconds(3);
  if (revision <= store_.revision()) return false;
  if (request.attempt * kPause >= kLongest) {
    const Json causes = Json::array(
        {{{"reason", "ResourceVersionTooLarge"}, {"message", "Too large resource version"}}});
    Fail(request, ApiError(504, "Timeout",
                           StrCat("Timeout: Too large resource version: ", revision,
                                  ", current: ", store_.revision()),
                           {{"causes", causes}, {"retryAfterSeconds", 1}}));
  } else {
    Later(request, kPause, read);
  }
  return true;
}

void ApiServer::List(Request& request) {
  const Resource& resource = *request.resource;
  const auto selection =
      ParseSelection(resource, request.Query("labelSelector"), request.Query("fieldSelector"));
  if (!selection.ok()) return Fail(request, selection.status());
  auto moment = ParseMoment(request.target);
  if (!moment.ok()) return Fail(request, moment.status());
  ContinueToken start;
  if (const std::string token = request.Query("continue"); !token.empty()) {
    const auto parsed = ContinueToken::Decode(token);
    if (!parsed.ok()) return Fail(request, BadRequest("continue key is not valid"));
    if (moment->revision != 0) {
      return Fail(request, BadRequest("specifying resource version is not allowed when using "
                                      "continue"));
    }
    start = *parsed;
    moment->revision = start.revision;
  }
  if (Await(request, moment->revision, &ApiServer::List)) return;
  uint64_t revision = store_.revision();
  if (moment->exact || !start.name.empty()) {
    // Only what is there now can be listed. It is exact as long as nothing has changed since; the
    // later pages of a list show newer objects, whose changes a watch from its revision tells
    // again.
    revision = moment->revision;
    const auto since = store_.History(resource.StorageName(), revision);
    if (!since.ok() || (moment->exact && !since->empty())) {
      return Fail(request, Expired(moment->exact
                                       ? StrCat("the objects of resource version ", revision,
                                                " are not kept any more")
                                       : "The provided continue parameter is too old to display a "
                                         "consistent list result. You can start a new list without "
                                         "the continue parameter."));
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
    if (filtered && !selection->Matches(value)) return true;
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
      items += ListedText(resource, *object);
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
  if (request.user) options.user = request.user->name;
  options.max_pending = options_.max_watch_pending;
  const size_t most = options_.max_watches_per_user;
  if (most != 0 && watches_->CountOf(options.user) >= most) {
    if (options_.on_watch_refused) options_.on_watch_refused();
    return Fail(request, ApiError(429, "TooManyRequests",
                                  StrCat("this user has ", most, " watches open: end some first")));
  }
  // Also one that is yet to come (of before a restore): the watch is silent until then.
  if (!initial_events) options.after = *revision;
  const bool bookmarks = options.bookmarks;
  request.writer->StartStream(200, {{"Content-Type", "application/json"}});
  const auto id = std::make_shared<uint64_t>(0);
  const auto finish = [this, id] { watches_->End(*id); };
  auto watch =
      std::make_shared<Watch>(env_, store_, std::move(options), request.writer, [this, finish] {
        if (options_.on_watch_expired) options_.on_watch_expired();
        finish();
      });
  *id = watches_->Add(watch);
  absl::Duration timeout = options_.watch_timeout;
  if (const int seconds = std::atoi(request.Query("timeoutSeconds").c_str()); seconds > 0) {
    timeout = absl::Seconds(seconds);
  }
  watch->end_timer = env_.executor.After(timeout, finish);
  // The connection may outlive this server: its notice goes through the server's own executor.
  request.writer->OnClose([finish, alive = std::weak_ptr<Watch>(watch)] {
    if (alive.lock() != nullptr) finish();
  });
  if (bookmarks) TickBookmarks(*id);
  if (request.user) WatchRight(*id, request);
  if (initial_events || *revision == 0) {
    std::vector<ObjectPtr> initial;
    store_.ForEach(resource.StorageName(), request.path.ns, {}, [&](const ObjectPtr& object) {
      initial.push_back(object);
      return true;
    });
    watch->Start(std::move(initial), store_.revision(), initial_events && bookmarks);
  } else {
    watch->Start({}, *revision, false);
  }
}

void ApiServer::TickBookmarks(uint64_t id) {
  const std::shared_ptr<Watch> watch = watches_->Find(id);
  if (watch == nullptr) return;
  watch->bookmark_timer = env_.executor.After(options_.bookmark_period, [this, id] {
    if (const std::shared_ptr<Watch> open = watches_->Find(id)) open->SendBookmark();
    TickBookmarks(id);
  });
}

void ApiServer::WatchRight(uint64_t id, const Request& request) {
  // What says who it is; there is no body.
  auto proof = std::make_shared<http::HttpRequest>(request.http);
  auto asked = std::make_shared<Attributes>(AttributesOf(request.http.method, request.target));
  LookAgain(id, [this, proof, asked, name = request.user->name] {
    const std::optional<UserInfo> now = options_.access.authenticate(*proof);
    return now.has_value() && now->name == name &&
           (!options_.access.authorize || options_.access.authorize(*now, *asked));
  });
}

void ApiServer::LookAgain(uint64_t id, std::function<bool()> still) {
  const std::shared_ptr<Watch> watch = watches_->Find(id);
  if (watch == nullptr) return;
  // Not all at the same time.
  const absl::Duration wait = kRightPeriod * (0.75 + env_.random.Fraction() / 2);
  watch->right_timer = env_.executor.After(wait, [this, id, still = std::move(still)] {
    still() ? LookAgain(id, still) : watches_->End(id);
  });
}

void ApiServer::EndWatches() { watches_->EndAll(); }

size_t ApiServer::watches() const { return watches_->size(); }

}  // namespace sealane::kubeapi

#include "services/status/page/fleet_api.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/query.pb.h"
#include "services/status/app_keeper.h"
#include "services/status/cluster_keeper.h"
#include "services/status/page/answers.h"
#include "services/status/page/explain_json.h"
#include "services/status/page/fleet_json.h"
#include "services/status/page/fleet_summary.h"

namespace sealane::status {
namespace {

constexpr absl::Duration kSummaryKept = absl::Seconds(1);
constexpr absl::Duration kWorksKept = absl::Seconds(2);
constexpr absl::Duration kExplainTimeout = absl::Seconds(5);
constexpr int64_t kDefaultItems = 50;
constexpr size_t kPartsInLists = 8;  // clusters of one application in a list
constexpr size_t kPartsOfOne = 500;  // and when it is asked for alone

// INVALID_ARGUMENT names a parameter that is not known.
absl::Status CheckParameters(const http::Target& target,
                             std::initializer_list<std::string_view> known) {
  for (const auto& parameter : target.query) {
    if (std::find(known.begin(), known.end(), parameter.first) != known.end()) continue;
    return InvalidArgument(StrCat("unknown parameter \"", Shortened(parameter.first, 100),
                                  "\"; known here: ", StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Number(const http::Target& target, std::string_view name, int64_t fallback,
                               int64_t min, int64_t max) {
  if (!target.HasQuery(name)) return fallback;
  const std::string_view text = target.Query(name);
  int64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size() || value < min || value > max) {
    return InvalidArgument(StrCat(name, ": must be a number from ", min, " to ", max));
  }
  return value;
}

http::HttpResponse Refusal(const absl::Status& status) {
  return ErrorAnswer(400, "invalid", ToStd(status.message()));
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool PassesFilter(std::string_view filter, std::string_view value) {
  return filter.empty() || filter == value;
}

// Whether a list "a,b" has the word; an empty list has all.
bool InList(std::string_view list, std::string_view word) {
  if (list.empty()) return true;
  while (true) {
    const size_t comma = list.find(',');
    if (list.substr(0, comma) == word) return true;
    if (comma == std::string_view::npos) return false;
    list = list.substr(comma + 1);
  }
}

bool IsWorkload(const AppKeeper::Outline& outline) {
  static constexpr std::string_view kKinds[] = {"CronJob", "DaemonSet",  "Deployment", "Job",
                                                "Pod",     "ReplicaSet", "StatefulSet"};
  return outline.wanted > 0 ||
         std::find(std::begin(kKinds), std::end(kKinds), outline.key.kind) != std::end(kKinds);
}

}  // namespace

FleetApi::FleetApi(Env env, Bus& bus, std::function<FleetView()> view)
    : env_(env), view_(std::move(view)), scheduler_(bus, env) {}

void FleetApi::Handle(const http::Target& target, const Writer& writer) {
  const FleetView view = view_();
  if (!view.has_data()) return writer->Send(ErrorAnswer(503, "no-data", view.why_not));
  if (target.path == "/api/explain") return Explain(target, view, writer);
  writer->Send(Answer(target, view));
}

http::HttpResponse FleetApi::Answer(const http::Target& target, const FleetView& view) {
  if (target.path == "/api/summary") return Summary(target, view);
  if (target.path == "/api/clusters") return Clusters(target, view);
  if (target.path == "/api/apps") return Apps(target, view);
  if (target.path == "/api/app") return App(target, view);
  return ErrorAnswer(404, "not-found",
                     "There are /api/summary, clusters, apps, app, explain and events.");
}

http::HttpResponse FleetApi::Summary(const http::Target& target, const FleetView& view) {
  if (const absl::Status status = CheckParameters(target, {}); !status.ok()) return Refusal(status);
  const absl::Duration now = env_.clock.Monotonic();
  if (now < summary_until_ && summary_leader_ == view.leader) return summary_;
  std::vector<const v1::ClusterStatus*> clusters;
  for (const auto& entry : view.clusters->rows().rows()) clusters.push_back(&entry.second.value);
  Json summary = SummarizeClusters(clusters);
  std::map<std::string, int64_t> phases;
  std::map<std::string, int64_t> workload_phases;
  int64_t total = 0;
  int64_t workloads = 0;
  view.apps->ForEachOutline([&](const AppKeeper::Outline& outline) {
    ++total;
    ++phases[std::string(outline.phase)];
    if (!IsWorkload(outline)) return;
    ++workloads;
    ++workload_phases[std::string(outline.phase)];
  });
  summary["apps"] = {{"total", total},
                     {"phases", phases},
                     {"workloads", workloads},
                     {"workloadPhases", workload_phases}};
  int64_t wanted = 0;
  int64_t ready = 0;
  for (const v1::ClusterStatus* cluster : clusters) {
    const auto counted = Works(view).find(cluster->name());
    if (counted == works_.end()) continue;
    wanted += counted->second.replicas_wanted;
    // Nobody says what a cluster that is not ready runs now.
    if (ClusterStateOf(*cluster) == "Ready") ready += counted->second.replicas_ready;
  }
  summary["replicas"] = {{"wanted", wanted}, {"ready", ready}};
  summary["leader"] = view.leader;
  summary["time"] = ToMicros(env_.clock.Now()) / 1000;
  summary_ = JsonAnswer(200, summary);
  summary_until_ = now + kSummaryKept;
  summary_leader_ = view.leader;
  return summary_;
}

const std::map<std::string, ClusterGauges::Works>& FleetApi::Works(const FleetView& view) {
  const absl::Duration now = env_.clock.Monotonic();
  if (now >= works_until_) {
    works_ = view.apps->CountWorks();
    works_until_ = now + kWorksKept;
  }
  return works_;
}

http::HttpResponse FleetApi::Clusters(const http::Target& target, const FleetView& view) {
  absl::Status status =
      CheckParameters(target, {"name", "provider", "region", "state", "q", "after", "limit"});
  if (!status.ok()) return Refusal(status);
  const auto limit = Number(target, "limit", kDefaultItems, 1, kMostItems);
  if (!limit.ok()) return Refusal(limit.status());
  const std::string_view after = target.Query("after");
  const std::string text = Lower(target.Query("q"));
  // By name: the table's own order is that of encoded names.
  std::map<std::string_view, const v1::ClusterStatus*> found;
  for (const auto& entry : view.clusters->rows().rows()) {
    const v1::ClusterStatus& row = entry.second.value;
    // An empty provider or region can be asked for: "region=".
    if (target.HasQuery("provider") && target.Query("provider") != row.provider()) continue;
    if (target.HasQuery("region") && target.Query("region") != row.region()) continue;
    if (!PassesFilter(target.Query("name"), row.name())) continue;
    if (!InList(target.Query("state"), ClusterStateOf(row))) continue;
    if (!text.empty() && Lower(row.name()).find(text) == std::string::npos) continue;
    found[row.name()] = &row;
  }
  Json body = {{"items", Json::array()}, {"total", found.size()}};
  const auto& works = Works(view);
  std::string last;
  for (auto it = found.upper_bound(after); it != found.end(); ++it) {
    if (body["items"].size() == static_cast<size_t>(*limit)) {
      body["next"] = last;
      break;
    }
    last = std::string(it->first);
    const auto counted = works.find(last);
    body["items"].push_back(
        ClusterJson(*it->second, counted != works.end() ? counted->second : ClusterGauges::Works{},
                    view.clusters->HeartbeatAge(last)));
  }
  return JsonAnswer(200, body);
}

http::HttpResponse FleetApi::Apps(const http::Target& target, const FleetView& view) const {
  absl::Status status = CheckParameters(
      target, {"phase", "kind", "namespace", "cluster", "q", "only", "after", "limit"});
  if (!status.ok()) return Refusal(status);
  const auto limit = Number(target, "limit", kDefaultItems, 1, kMostItems);
  if (!limit.ok()) return Refusal(limit.status());
  const std::string_view only = target.Query("only");
  if (!only.empty() && only != "workloads") {
    return Refusal(InvalidArgument("only: must be \"workloads\" or absent"));
  }
  const std::string_view phase = target.Query("phase");
  const std::string_view cluster = target.Query("cluster");
  const std::string_view after = target.Query("after");
  const std::string text = Lower(target.Query("q"));
  std::map<std::string, int64_t> phases;
  std::vector<std::string> keys;  // of the page, and one more when there is a next one
  int64_t total = 0;
  view.apps->ForEachOutline([&](const AppKeeper::Outline& outline) {
    if (!only.empty() && !IsWorkload(outline)) return;
    if (!PassesFilter(target.Query("kind"), outline.key.kind)) return;
    if (!PassesFilter(target.Query("namespace"), outline.key.ns)) return;
    if (!text.empty() &&
        Lower(StrCat(outline.key.ns, "/", outline.key.name)).find(text) == std::string::npos) {
      return;
    }
    if (!cluster.empty() && !outline.PlacedIn(cluster)) return;
    ++phases[std::string(outline.phase)];
    if (!InList(phase, outline.phase)) return;
    ++total;
    if (outline.row_key > after && keys.size() <= static_cast<size_t>(*limit)) {
      keys.push_back(outline.row_key);
    }
  });
  Json body = {{"items", Json::array()}, {"total", total}, {"phases", phases}};
  if (keys.size() > static_cast<size_t>(*limit)) {
    keys.pop_back();
    body["next"] = keys.back();
  }
  for (const std::string& key : keys) {
    if (const auto row = view.apps->Describe(key); row.has_value()) {
      body["items"].push_back(AppJson(*row, kPartsInLists));
    }
  }
  return JsonAnswer(200, body);
}

http::HttpResponse FleetApi::App(const http::Target& target, const FleetView& view) const {
  const absl::Status status = CheckParameters(target, {"group", "kind", "namespace", "name"});
  if (!status.ok()) return Refusal(status);
  const ObjectKey key{std::string(target.Query("group")), std::string(target.Query("kind")),
                      std::string(target.Query("namespace")), std::string(target.Query("name"))};
  if (key.kind.empty() || key.name.empty()) {
    return Refusal(InvalidArgument("kind and name: must be given"));
  }
  const auto row = view.apps->Describe(RowKey(key));
  if (!row.has_value()) {
    return ErrorAnswer(404, "not-found", StrCat("There is no ", Describe(key), "."));
  }
  return JsonAnswer(200, AppJson(*row, kPartsOfOne));
}

void FleetApi::Explain(const http::Target& target, const FleetView& view, const Writer& writer) {
  const absl::Status status =
      CheckParameters(target, {"group", "kind", "namespace", "name", "from", "limit"});
  if (!status.ok()) return writer->Send(Refusal(status));
  const auto limit = Number(target, "limit", 100, 1, kMostItems);
  if (!limit.ok()) return writer->Send(Refusal(limit.status()));
  const auto from = Number(target, "from", 0, 0, 1'000'000);
  if (!from.ok()) return writer->Send(Refusal(from.status()));
  const ObjectKey key{std::string(target.Query("group")), std::string(target.Query("kind")),
                      std::string(target.Query("namespace")), std::string(target.Query("name"))};
  if (key.kind.empty() || key.name.empty()) {
    return writer->Send(Refusal(InvalidArgument("kind and name: must be given")));
  }
  // The scheduler takes empty fields for "all": ask only for what is there, and exactly one thing.
  if (!view.apps->Describe(RowKey(key)).has_value()) {
    return writer->Send(ErrorAnswer(404, "not-found", StrCat("There is no ", Describe(key), ".")));
  }
  if (explains_ >= kMostExplains) {
    http::HttpResponse response =
        ErrorAnswer(429, "busy", "The scheduler is being asked enough at the moment.");
    response.headers.Set("Retry-After", "1");
    return writer->Send(std::move(response));
  }
  ++explains_;
  v1::QueryRequest request;
  request.set_what("explain");
  request.set_group(key.group);
  request.set_kind(key.kind);
  request.set_namespace_(key.ns);
  request.set_name(key.name);
  const ExplainSlice slice{static_cast<size_t>(*from), static_cast<size_t>(*limit)};
  scheduler_.Query(
      hub::Query("scheduler"), request, kExplainTimeout,
      [this, writer, slice](const absl::StatusOr<v1::QueryReply>& reply) {
        --explains_;
        if (reply.ok()) {
          writer->Send(JsonAnswer(200, ExplainJson(*reply, slice)));
        } else if (absl::IsFailedPrecondition(reply.status())) {
          writer->Send(ErrorAnswer(404, "not-placed", ToStd(reply.status().message())));
        } else {
          writer->Send(ErrorAnswer(
              503, "scheduler",
              StrCat("The scheduler does not answer: ", ToStd(reply.status().message()))));
        }
      });
}

}  // namespace sealane::status

#include "services/status/queries.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <optional>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/same_word.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "lib/model/selector.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/query.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::status {
namespace {

// How many rows go into one part before it is sent.
constexpr int kPartRows = 200;

bool Passes(const std::string& filter, std::string_view value) {
  return filter.empty() || filter == value;
}

bool MatchesIdentity(const v1::QueryRequest& request, const ObjectKey& key) {
  return Passes(request.group(), key.group) && Passes(request.kind(), key.kind) &&
         Passes(request.namespace_(), key.ns) && Passes(request.name(), key.name);
}

bool InCluster(const v1::AppStatus& row, const std::string& cluster) {
  if (cluster.empty()) return true;
  for (const v1::ClusterAppStatus& part : row.clusters()) {
    if (part.cluster() == cluster) return true;
  }
  return false;
}

bool IsAbout(const v1::Event& event, const std::string& cluster) {
  return Passes(cluster, event.cluster()) ||
         std::find(event.clusters().begin(), event.clusters().end(), cluster) !=
             event.clusters().end();
}

std::string Option(const v1::QueryRequest& request, const std::string& name) {
  const auto it = request.options().find(name);
  return it == request.options().end() ? std::string() : it->second;
}

int64_t IntOption(const v1::QueryRequest& request, const std::string& name) {
  const std::string text = Option(request, name);
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string Token(const std::string& text) { return text.empty() ? "*" : EncodeToken(text); }

// Leaves of an application what a list shows.
void Shorten(v1::AppStatus& row) {
  row.clear_status_json();
  for (v1::ClusterAppStatus& part : *row.mutable_clusters()) {
    v1::ClusterAppStatus left;
    left.set_cluster(std::move(*part.mutable_cluster()));
    left.set_health(std::move(*part.mutable_health()));
    left.set_state(std::move(*part.mutable_state()));
    part = std::move(left);
  }
}

// Sends rows in parts of a bearable size.
class Parts {
 public:
  Parts(std::shared_ptr<QueryAnswer> answer, uint32_t limit)
      : answer_(std::move(answer)), limit_(limit) {}
  [[nodiscard]] bool full() const { return limit_ != 0 && count_ >= limit_; }
  v1::QueryReply& Next() {
    if (++in_part_ > kPartRows) {
      Flush();
      in_part_ = 1;
    }
    ++count_;
    return part_;
  }
  void Flush() {
    if (in_part_ > 0) answer_->Send(part_);
    part_.Clear();
    in_part_ = 0;
  }

 private:
  std::shared_ptr<QueryAnswer> answer_;
  uint32_t limit_;
  uint32_t count_ = 0;
  int in_part_ = 0;
  v1::QueryReply part_;
};

}  // namespace

Queries::Queries(Env env, Bus& bus, const AppKeeper& apps, const ClusterKeeper& clusters)
    : bus_(bus), apps_(apps), clusters_(clusters), reader_(env, bus), executor_(env.executor) {
  server_ = std::make_unique<QueryServer>(
      bus, hub::Query("status"),
      [this](const v1::QueryRequest& request, std::shared_ptr<QueryAnswer> answer) {
        Handle(request, answer);
      });
}

void Queries::Handle(const v1::QueryRequest& request, const Answer& answer) {
  const std::string& what = request.what();
  if (what == "clusters") return Clusters(request, answer);
  if (what == "apps") return Apps(request, answer);
  if (what == "status") return Status(request, answer);
  if (what == "cluster_progress") return Progress(request, answer);
  if (what == "placements") return Rows(kPlacementsTable, request, answer);
  if (what == "works") return Rows(kWorksTable, request, answer);
  if (what == "work_status") return Rows(kWorkStatusTable, request, answer);
  if (what == "events") return Events(request, answer);
  answer->Fail(StrCat("status cannot answer \"", what,
                      "\": it knows clusters, apps, status, cluster_progress, placements, works, "
                      "work_status and events"));
}

void Queries::Clusters(const v1::QueryRequest& request, const Answer& answer) {
  const auto selector = Selector::Parse(request.label_selector());
  if (!selector.ok()) return answer->Fail(ToStd(selector.status().message()));
  Parts parts(answer, request.limit());
  for (const auto& entry : clusters_.rows().rows()) {
    const v1::ClusterStatus& row = entry.second.value;
    if (parts.full()) break;
    if (!Passes(request.name(), row.name()) || !Passes(request.cluster(), row.name())) continue;
    if (!selector->Matches(row.labels())) continue;
    *parts.Next().add_clusters() = row;
  }
  parts.Flush();
  answer->End();
}

void Queries::Apps(const v1::QueryRequest& request, const Answer& answer) {
  const auto selector = Selector::Parse(request.label_selector());
  if (!selector.ok()) return answer->Fail(ToStd(selector.status().message()));
  const std::string trace = Option(request, "trace");
  const bool summary = Option(request, "detail") == "summary";
  const bool brief = Option(request, "detail") == "brief";
  Parts parts(answer, request.limit());
  apps_.ForEach([&](const std::string& row_key, const ObjectKey& key, const ObjectFacts& object) {
    if (parts.full() || !MatchesIdentity(request, key)) return;
    if (!selector->Matches(object.labels) || !Passes(trace, object.trace_id)) return;
    std::optional<v1::AppStatus> row = apps_.Describe(row_key);
    if (!row.has_value() || !InCluster(*row, request.cluster())) return;
    if (summary) {
      row->clear_clusters();
      row->clear_status_json();
    }
    if (brief) Shorten(*row);
    *parts.Next().add_apps() = *std::move(row);
  });
  parts.Flush();
  answer->End();
}

void Queries::Status(const v1::QueryRequest& request, const Answer& answer) {
  if (request.name().empty()) return answer->Fail("name: must be given");
  // The group may be left out when only one object fits.
  std::vector<std::string> found;
  apps_.ForEach([&](const std::string& row_key, const ObjectKey& key, const ObjectFacts&) {
    if (MatchesIdentity(request, key)) found.push_back(row_key);
  });
  if (found.empty()) return answer->Fail("no such application");
  if (found.size() > 1) {
    return answer->Fail(StrCat(found.size(), " applications fit: give kind, namespace and group"));
  }
  v1::QueryReply part;
  if (auto row = apps_.Describe(found[0]); row.has_value()) *part.add_apps() = *std::move(row);
  bus_.GetLast(kPlacementsTable, StrCat(kPlacementsTable, ".", found[0]),
               [answer, part, alive = executor_.alive()](
                   const absl::StatusOr<std::optional<BusMessage>>& message) mutable {
                 if (alive.expired()) return;
                 // Without a placement the status is still an answer.
                 if (message.ok() && message->has_value()) {
                   part.add_placements()->ParseFromString((*message)->payload);
                 }
                 answer->Send(part);
                 answer->End();
               });
}

void Queries::Progress(const v1::QueryRequest& request, const Answer& answer) {
  const std::string& name = request.cluster().empty() ? request.name() : request.cluster();
  if (!clusters_.Registered(name)) return answer->Fail(StrCat("no cluster \"", name, "\""));
  const AppKeeper::Progress progress = apps_.ProgressOf(name);
  v1::QueryReply part;
  part.set_body(Json{{"cluster", name},
                     {"placed", progress.placed},
                     {"applied", progress.applied},
                     {"healthy", progress.healthy}}
                    .dump());
  answer->Send(part);
  answer->End();
}

void Queries::Rows(std::string_view table, const v1::QueryRequest& request, const Answer& answer) {
  std::string filter = StrCat(table, ".");
  if (table != kPlacementsTable) filter = StrCat(filter, Token(request.cluster()), ".");
  filter = StrCat(filter, Token(request.group()), ".", Token(request.kind()), ".",
                  Token(request.namespace_()), ".", Token(request.name()));
  auto parts = std::make_shared<Parts>(answer, request.limit());
  reader_.Read(
      {.stream = std::string(table), .filter = filter},
      [parts, table](const BusMessage& message) {
        if (parts->full()) return;
        v1::QueryReply& part = parts->Next();
        if (table == kPlacementsTable) part.add_placements()->ParseFromString(message.payload);
        if (table == kWorksTable) part.add_works()->ParseFromString(message.payload);
        if (table == kWorkStatusTable) part.add_work_statuses()->ParseFromString(message.payload);
      },
      [parts, answer](const absl::Status& status) {
        if (!status.ok()) return answer->Fail(ToStd(status.message()));
        parts->Flush();
        answer->End();
      });
}

void Queries::Events(const v1::QueryRequest& request, const Answer& answer) {
  // A cluster's events are also those of decisions about several: told apart by what they say.
  const std::string filter =
      StrCat(kEventsLog, ".", Token(Option(request, "service")), ".",
             Token(Option(request, "reason")), ".*.", Token(request.group()), ".",
             Token(request.kind()), ".", Token(request.namespace_()), ".", Token(request.name()));
  const int64_t since = IntOption(request, "since_micros");
  const std::string trace = Option(request, "trace");
  const std::string type = Option(request, "type");
  const std::string kind = Option(request, "kind");
  const size_t limit = request.limit() == 0 ? 1000 : request.limit();
  struct Found {
    std::deque<v1::Event> events;
    bool truncated = false;
  };
  auto found = std::make_shared<Found>();
  reader_.Read(
      {.stream = std::string(kEventsLog), .filter = filter, .all = true},
      [found, request, since, limit, trace, type, kind](const BusMessage& message) {
        v1::Event event;
        if (!event.ParseFromString(message.payload) || event.time_micros() < since) return;
        if (!IsAbout(event, request.cluster()) || !Passes(trace, event.trace_id())) return;
        if (!Passes(type, event.type())) return;
        if (!kind.empty() && !SameWord(kind, event.ref().kind())) return;
        found->events.push_back(std::move(event));
        if (found->events.size() <= limit) return;
        found->events.pop_front();
        found->truncated = true;
      },
      [found, answer](const absl::Status& status) {
        if (!status.ok()) return answer->Fail(ToStd(status.message()));
        Parts parts(answer, 0);
        for (v1::Event& event : found->events) *parts.Next().add_events() = std::move(event);
        parts.Flush();
        if (found->truncated) {
          v1::QueryReply last;
          last.set_truncated(true);
          answer->Send(last);
        }
        answer->End();
      });
}

}  // namespace sealane::status

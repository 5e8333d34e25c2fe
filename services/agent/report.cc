#include "services/agent/report.h"

#include <algorithm>
#include <vector>

#include "lib/bus/subjects.h"
#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/time.h"
#include "lib/kube/json_access.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::agent {
namespace {

constexpr absl::Duration kCoalesce = absl::Milliseconds(50);
constexpr size_t kMaxInFlight = 256;
constexpr size_t kMaxDetail = 2048;

v1::WorkStatus::State StateOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kApplied:
      return v1::WorkStatus::APPLIED;
    case Outcome::kFailed:
      return v1::WorkStatus::FAILED;
    case Outcome::kRemoving:
      return v1::WorkStatus::REMOVING;
    case Outcome::kRemoved:
      return v1::WorkStatus::REMOVED;
    case Outcome::kNone:
      break;
  }
  return v1::WorkStatus::STATE_UNSPECIFIED;
}

// The reflected status names the generation of the template that is applied; a newer word on the
// same manifest changes it without a change of the object.
std::string WithGeneration(const std::string& status_json, int64_t generation) {
  static constexpr char kField[] = "resourceTemplateGeneration";
  if (status_json.find(kField) == std::string::npos) return status_json;
  Json status = Json::parse(status_json, nullptr, /*allow_exceptions=*/false);
  if (!status.is_object() || !status.contains(kField) || status[kField] == generation) {
    return status_json;
  }
  status[kField] = generation;
  return WriteJson(status);
}

uint64_t HashOf(const v1::WorkStatus& status) {
  const uint64_t hash = Fnv1a64(status.SerializeAsString());
  return hash == 0 ? 1 : hash;
}

}  // namespace

std::optional<v1::WorkStatus> BuildStatus(std::string_view cluster, const Item& item) {
  if (item.work == nullptr || item.outcome == Outcome::kNone) return std::nullopt;
  v1::WorkStatus out;
  out.set_cluster(std::string(cluster));
  *out.mutable_ref() = item.work->ref();
  *out.mutable_fence() = item.work->fence();
  // Until a newer work is applied or refused, "applied" is a word about the one before.
  if (item.outcome == Outcome::kApplied && item.inventory && item.inventory->fence_version != 0) {
    out.mutable_fence()->set_uid(item.inventory->fence_uid);
    out.mutable_fence()->set_version(item.inventory->fence_version);
  }
  out.set_trace_id(item.work->trace_id());
  out.set_state(StateOf(item.outcome));
  out.set_reason(item.reason);
  out.set_message(item.message);
  out.set_health("Unknown");
  out.set_drift_repairs(item.drift_repairs);
  if (item.outcome == Outcome::kRemoved) return out;
  if (item.inventory && item.inventory->manifest_hash != 0) {
    out.set_object_generation(item.inventory->object_generation);
    out.set_applied_micros(item.inventory->applied_micros);
    out.set_member_uid(item.inventory->uid);
  }
  if (item.observed && item.inventory) {
    const Observed& seen = *item.observed;
    out.set_health(seen.health);
    out.set_member_generation(seen.generation);
    out.set_observed_generation(seen.observed_generation);
    out.set_status_json(WithGeneration(seen.status_json, out.object_generation()));
    std::string detail = seen.health_reason;
    if (!item.detail.empty()) {
      detail += StrCat(detail.empty() ? "" : "; ", item.detail);
    }
    out.set_detail(detail.substr(0, kMaxDetail));
  }
  return out;
}

Reporter::Reporter(Env env, Bus& bus, StateStore& store, const Items& items, AgentMetrics& metrics,
                   std::string_view cluster)
    : env_(env),
      bus_(bus),
      store_(store),
      items_(items),
      metrics_(metrics),
      cluster_(cluster),
      executor_(env.executor) {}

void Reporter::Restore(const std::string& key, std::string_view value) {
  uint64_t hash = 0;
  for (const char c : value)
    hash = hash * 16 + static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  rows_[key].durable = hash;
}

void Reporter::Start() {
  started_ = true;
  Arm();
}

void Reporter::Changed(const std::string& key) {
  Row& row = rows_[key];
  row.remove = false;
  Enqueue(key, row);
}

void Reporter::Remove(const std::string& key) {
  const auto it = rows_.find(key);
  if (it == rows_.end()) return;
  it->second.remove = true;
  Enqueue(key, it->second);
}

void Reporter::RemoveOrphans() {
  std::vector<std::string> orphans;
  for (const auto& entry : rows_) {
    if (!items_.contains(entry.first)) orphans.push_back(entry.first);
  }
  for (const std::string& key : orphans) Remove(key);
}

void Reporter::ResendAll() {
  for (auto& entry : rows_) {
    entry.second.durable = 0;
    Enqueue(entry.first, entry.second);
  }
}

void Reporter::Retry() {
  paused_until_ = absl::ZeroDuration();
  backoff_.Reset();
  Arm();
}

void Reporter::Enqueue(const std::string& key, Row& row) {
  if (row.queued) return;
  if (row.in_flight) {
    row.again = true;
    return;
  }
  row.queued = true;
  // At once, unless this row was sent a moment ago.
  row.due = {std::max(env_.clock.Monotonic(), row.last_sent + kCoalesce), next_++};
  queue_.emplace(row.due, key);
  Arm();
}

void Reporter::Arm() {
  if (!started_ || queue_.empty() || in_flight_ >= kMaxInFlight) return;
  const absl::Duration now = env_.clock.Monotonic();
  const absl::Duration at = std::max({now, queue_.begin()->first.first, paused_until_});
  if (timer_ != 0) {
    if (armed_for_ <= at) return;
    executor_.Cancel(timer_);
  }
  armed_for_ = at;
  timer_ = executor_.After(at - now, [this] {
    timer_ = 0;
    Pump();
  });
}

void Reporter::Pump() {
  const absl::Duration now = env_.clock.Monotonic();
  if (now >= paused_until_) {
    while (!queue_.empty() && in_flight_ < kMaxInFlight && queue_.begin()->first.first <= now) {
      const std::string key = std::move(queue_.extract(queue_.begin()).mapped());
      Row& row = rows_.at(key);
      row.queued = false;
      Send(key, row);
    }
  }
  Arm();
}

void Reporter::Send(const std::string& key, Row& row) {
  AppendRequest request;
  request.subject = sealane::agent::WorkStatus(key);
  uint64_t hash = 0;
  if (row.remove) {
    request.remove = true;
  } else {
    const auto item = items_.find(key);
    auto status = item == items_.end() ? std::nullopt : BuildStatus(cluster_, item->second);
    if (!status) {
      if (row.durable == 0 && item == items_.end()) rows_.erase(key);
      return;
    }
    hash = HashOf(*status);
    if (hash == row.durable) return;
    status->set_incarnation(incarnation_);
    status->set_counter(++counter_);
    request.payload = status->SerializeAsString();
    if (request.payload.size() > bus_.MaxPayload()) {
      status->set_status_json("");
      status->set_message(status->message().substr(0, kMaxDetail));
      request.payload = status->SerializeAsString();
    }
  }
  row.in_flight = true;
  row.last_sent = env_.clock.Monotonic();
  ++in_flight_;
  bus_.Append(std::move(request),
              [this, key, hash, removed = row.remove,
               alive = executor_.alive()](const absl::StatusOr<Appended>& result) {
                if (!alive.expired()) OnDone(key, hash, removed, result.status());
              });
}

void Reporter::OnDone(const std::string& key, uint64_t hash, bool removed,
                      const absl::Status& status) {
  --in_flight_;
  Row& row = rows_.at(key);
  row.in_flight = false;
  const bool again = std::exchange(row.again, false);
  if (status.ok()) {
    backoff_.Reset();
    metrics_.reports_sent.Increment();
    if (removed && row.remove) {
      store_.Erase(StrCat("s/", key)).IgnoreError();
      rows_.erase(key);
      Arm();
      return;
    }
    row.durable = removed ? 0 : hash;
    store_.Put(StrCat("s/", key), Hex64(row.durable)).IgnoreError();
    if (again) Enqueue(key, row);
  } else {
    metrics_.report_failures.Increment();
    if (status.code() == absl::StatusCode::kInvalidArgument && !again) {
      // It will never be taken as it is; the next change is another try.
      log_.Warn("a work status was refused",
                {{"key", key}, {"error", std::string(ToStd(status.message()))}});
    } else {
      paused_until_ = std::max(paused_until_, env_.clock.Monotonic() + backoff_.Next(env_.random));
      Enqueue(key, row);
    }
  }
  Arm();
}

}  // namespace sealane::agent

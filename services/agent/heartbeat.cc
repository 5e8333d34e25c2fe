#include "services/agent/heartbeat.h"

#include <algorithm>
#include <map>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "sealane/v1/cluster.pb.h"

namespace sealane::agent {
namespace {

constexpr absl::Duration kProbeInterval = absl::Seconds(10);
constexpr absl::Duration kProbeWhenBad = absl::Seconds(1);
constexpr absl::Duration kProbeTimeout = absl::Seconds(5);
constexpr absl::Duration kMinGap = absl::Seconds(1);
// Changes of one moment go out together.
constexpr absl::Duration kSettle = absl::Milliseconds(100);
// How long the first heartbeat waits for something to say.
constexpr absl::Duration kDiscoveryPatience = absl::Seconds(6);

}  // namespace

ApiHealth::ApiHealth(kube::KubeClient& client, AgentMetrics& metrics,
                     std::function<void(bool)> on_change)
    : client_(client),
      metrics_(metrics),
      on_change_(std::move(on_change)),
      executor_(client.env().executor) {}

void ApiHealth::Suspect() {
  if (!probing_ && healthy_) Probe();
}

void ApiHealth::Probe() {
  if (timer_ != 0) executor_.Cancel(std::exchange(timer_, 0));
  probing_ = true;
  client_.Probe("/readyz", kProbeTimeout,
                [this, alive = executor_.alive()](const absl::Status& status, const Json*) {
                  if (!alive.expired()) OnAnswer(status);
                });
}

void ApiHealth::OnAnswer(const absl::Status& status) {
  probing_ = false;
  // Some clusters do not let everyone ask /readyz; the refusal is an answer too.
  const bool healthy = status.ok() || status.code() == absl::StatusCode::kPermissionDenied ||
                       status.code() == absl::StatusCode::kNotFound;
  const bool changed = !known_ || healthy != healthy_;
  known_ = true;
  healthy_ = healthy;
  message_ = healthy ? std::string() : std::string(ToStd(status.message())).substr(0, 500);
  metrics_.api_healthy.Set(healthy ? 1 : 0);
  timer_ = executor_.After(healthy ? kProbeInterval : kProbeWhenBad, [this] {
    timer_ = 0;
    Probe();
  });
  if (changed) on_change_(healthy);
}

void FillEnablements(const kube::ApiCatalog& catalog, v1::Heartbeat& heartbeat) {
  heartbeat.set_api_enablements_complete(catalog.complete);
  v1::ApiEnablement* group = nullptr;
  for (const auto& entry : catalog.types()) {  // in order of group version, then kind
    if (group == nullptr || group->group_version() != entry.first.first) {
      group = heartbeat.add_api_enablements();
      group->set_group_version(entry.first.first);
    }
    v1::ApiResource* resource = group->add_resources();
    resource->set_kind(entry.second.kind);
    resource->set_name(entry.second.plural);
  }
}

HeartbeatSender::HeartbeatSender(Env env, Bus& bus, HeartbeatOptions options,
                                 const ApiHealth& health, const ClusterFacts& facts,
                                 AgentMetrics& metrics, std::function<void(v1::Heartbeat&)> fill)
    : env_(env),
      bus_(bus),
      options_(std::move(options)),
      health_(health),
      facts_(facts),
      metrics_(metrics),
      fill_(std::move(fill)),
      executor_(env.executor) {}

void HeartbeatSender::Start(int64_t incarnation) {
  incarnation_ = incarnation;
  started_ = env_.clock.Monotonic();
  Arm(absl::ZeroDuration());
}

void HeartbeatSender::SetCatalog(std::shared_ptr<const kube::ApiCatalog> catalog) {
  catalog_ = std::move(catalog);
  Changed();
}

void HeartbeatSender::Changed() {
  if (incarnation_ == 0) return;
  const absl::Duration since = env_.clock.Monotonic() - last_sent_;
  Arm(std::max(kSettle, kMinGap - since));
}

void HeartbeatSender::Arm(absl::Duration delay) {
  const absl::Duration at = env_.clock.Monotonic() + delay;
  if (timer_ != 0) {
    if (armed_for_ <= at) return;
    executor_.Cancel(timer_);
  }
  armed_for_ = at;
  timer_ = executor_.After(delay, [this] {
    timer_ = 0;
    Send();
  });
}

void HeartbeatSender::Send() {
  // The first word should be a true one: a cluster whose agent restarts is not unhealthy or empty.
  const bool informed = health_.known() && (!health_.healthy() || (facts_.known() && catalog_));
  if (counter_ == 0 && !informed && env_.clock.Monotonic() - started_ < kDiscoveryPatience) {
    return Arm(kSettle);
  }
  v1::Heartbeat heartbeat;
  heartbeat.set_cluster(options_.cluster);
  heartbeat.set_incarnation(incarnation_);
  heartbeat.set_counter(++counter_);
  heartbeat.set_sent_micros(ToMicros(env_.clock.Now()));
  heartbeat.set_api_healthy(health_.healthy());
  heartbeat.set_api_message(health_.message());
  heartbeat.set_agent_version(options_.agent_version);
  heartbeat.set_bus_user(bus_.User());
  fill_(heartbeat);
  facts_.Fill(heartbeat);
  if (catalog_ != nullptr) FillEnablements(*catalog_, heartbeat);
  // Lost while the bus is away; the next one says the same.
  if (bus_.Publish(kHeartbeat, heartbeat.SerializeAsString()).ok()) metrics_.heartbeats.Increment();
  last_sent_ = env_.clock.Monotonic();
  Arm(options_.interval);
}

}  // namespace sealane::agent

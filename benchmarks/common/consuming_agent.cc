#include "benchmarks/common/consuming_agent.h"

#include <utility>

#include "lib/bus/subjects.h"
#include "lib/bus/work_feed.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::bench {

ConsumingAgent::ConsumingAgent(Bus& bus, Env env, ConsumingAgentOptions options, OnWork on_work)
    : bus_(bus),
      env_(env),
      options_(std::move(options)),
      on_work_(std::move(on_work)),
      incarnation_(absl::ToUnixMicros(env.clock.Now())),
      executor_(env.executor) {}

ConsumingAgent::~ConsumingAgent() = default;

void ConsumingAgent::Start() {
  WorkFeedOptions options;
  options.cluster = options_.cluster;
  options.incarnation = incarnation_;
  WorkFeed::Handlers handlers;
  handlers.on_put = [this](const std::string& key, const v1::Work& work) {
    on_work_(work);
    if (options_.report) Report(key, work);
  };
  handlers.on_delete = [](const std::string&) {};
  handlers.on_synced = [](bool) {};
  feed_ = std::make_unique<WorkFeed>(bus_, env_, options, std::move(handlers));
  feed_->Start();
  Heartbeat();
}

bool ConsumingAgent::ready() const { return feed_ != nullptr && feed_->synced(); }

void ConsumingAgent::Heartbeat() {
  v1::Heartbeat word;
  word.set_cluster(options_.cluster);
  word.set_incarnation(incarnation_);
  word.set_counter(++heartbeats_);
  word.set_sent_micros(absl::ToUnixMicros(env_.clock.Now()));
  word.set_kubernetes_version("v1.30.0");
  word.set_api_healthy(true);
  word.set_api_enablements_complete(true);
  const auto add = [&word](const char* group_version, const char* kind, const char* name) {
    auto* enablement = word.add_api_enablements();
    enablement->set_group_version(group_version);
    auto* resource = enablement->add_resources();
    resource->set_kind(kind);
    resource->set_name(name);
  };
  add("v1", "Namespace", "namespaces");
  add("apps/v1", "Deployment", "deployments");
  word.mutable_node_summary()->set_total_num(100);
  word.mutable_node_summary()->set_ready_num(100);
  auto& allocatable = *word.mutable_resource_summary()->mutable_allocatable();
  allocatable["cpu"] = "6400";
  allocatable["memory"] = "25600Gi";
  allocatable["pods"] = "110000";
  // The next heartbeat repeats what a lost one said.
  (void)bus_.Publish(agent::kHeartbeat, word.SerializeAsString());
  executor_.After(options_.heartbeat_every, [this] { Heartbeat(); });
}

void ConsumingAgent::Report(const std::string& key, const v1::Work& work) {
  v1::WorkStatus status;
  status.set_cluster(options_.cluster);
  *status.mutable_ref() = work.ref();
  *status.mutable_fence() = work.fence();
  status.set_incarnation(incarnation_);
  status.set_counter(++counter_);
  status.set_state(work.deleting() ? v1::WorkStatus::REMOVED : v1::WorkStatus::APPLIED);
  status.set_health("Unknown");
  status.set_trace_id(work.trace_id());
  status.set_object_generation(work.object_generation());
  status.set_applied_micros(absl::ToUnixMicros(env_.clock.Now()));
  AppendRequest request;
  request.subject = agent::WorkStatus(key);
  request.payload = status.SerializeAsString();
  ++reports_in_flight_;
  bus_.Append(std::move(request), [this, alive = executor_.alive()](const auto&) {
    if (!alive.expired()) --reports_in_flight_;
  });
}

}  // namespace sealane::bench

#include "benchmarks/scheduler/scheduler_benchmark.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <utility>

#include "lib/core/strings.h"
#include "lib/model/divide.h"
#include "lib/model/identity.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/scheduler/binding_index.h"
#include "services/scheduler/plan.h"
#include "services/scheduler/schedule.h"

namespace sealane::bench {
namespace {

using scheduler::BindingIndex;
using scheduler::ClusterInfo;
using scheduler::Snapshot;

// The processor time of this process: what one core needs, whatever else the machine does.
double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

constexpr int kRegions = 8;
constexpr int kBindings = 10'000;
constexpr int kPolicies = 100;

double HeapBytes() { return static_cast<double>(mallinfo2().uordblks); }

v1::ClusterStatus MakeCluster(int i, int64_t pods) {
  v1::ClusterStatus cluster;
  cluster.set_name(StrCat("cluster-", i));
  cluster.set_provider(i % 3 == 0 ? "aliyun" : "aws");
  cluster.set_region(StrCat("region-", i % kRegions));
  cluster.add_zones(StrCat("zone-", i % (2 * kRegions)));
  (*cluster.mutable_labels())["tier"] = i % 4 == 0 ? "gold" : "silver";
  (*cluster.mutable_labels())["env"] = "prod";
  for (const char* kinds : {"v1", "apps/v1", "batch/v1", "networking.k8s.io/v1"}) {
    v1::ApiEnablement* enablement = cluster.add_api_enablements();
    enablement->set_group_version(kinds);
    for (int k = 0; k < 20; ++k) enablement->add_resources()->set_kind(StrCat("Kind", k));
    enablement->add_resources()->set_kind("Deployment");
  }
  auto* summary = cluster.mutable_resource_summary();
  (*summary->mutable_allocatable())["cpu"] = StrCat(pods / 2);
  (*summary->mutable_allocatable())["memory"] = StrCat(pods, "Gi");
  (*summary->mutable_allocatable())["pods"] = StrCat(pods);
  (*summary->mutable_allocated())["cpu"] = StrCat(i % 7, "500m");
  return cluster;
}

v1::Binding MakeBinding(const std::string& strategy) {
  v1::Binding binding;
  binding.mutable_ref()->set_api_version("apps/v1");
  binding.mutable_ref()->set_kind("Deployment");
  binding.mutable_ref()->set_namespace_("ns");
  binding.mutable_ref()->set_name("web");
  binding.set_uid("8a1f7a34-63c8-4d6e-8f4c-0a4d0ad1c001");
  binding.mutable_policy()->set_kind("PropagationPolicy");
  binding.set_replicas(30);
  auto& requests = *binding.mutable_replica_requirements()->mutable_resource_request();
  requests["cpu"] = "250m";
  requests["memory"] = "512Mi";
  v1::Placement& placement = *binding.mutable_placement();
  (*placement.mutable_cluster_affinity()->mutable_label_selector()->mutable_match_labels())["env"] =
      "prod";
  v1::ReplicaSchedulingStrategy& rules = *placement.mutable_replica_scheduling();
  rules.set_replica_scheduling_type(strategy == "Duplicated" ? "Duplicated" : "Divided");
  if (strategy == "StaticWeight") {
    rules.set_replica_division_preference("Weighted");
    for (const char* tier : {"gold", "silver"}) {
      v1::StaticClusterWeight* weight = rules.mutable_weight_preference()->add_static_weight_list();
      (*weight->mutable_target_cluster()
            ->mutable_label_selector()
            ->mutable_match_labels())["tier"] = tier;
      weight->set_weight(std::string_view(tier) == "gold" ? 2 : 1);
    }
  } else if (strategy == "Aggregated") {
    rules.set_replica_division_preference("Aggregated");
  } else if (strategy != "Duplicated") {
    rules.set_replica_division_preference("Weighted");
    rules.mutable_weight_preference()->set_dynamic_weight("AvailableReplicas");
  }
  if (strategy == "DynamicWeight+Regions") {
    v1::SpreadConstraint* region = placement.add_spread_constraints();
    region->set_spread_by_field("region");
    region->set_min_groups(2);
    region->set_max_groups(3);
    v1::SpreadConstraint* cluster = placement.add_spread_constraints();
    cluster->set_spread_by_field("cluster");
    cluster->set_min_groups(3);
    cluster->set_max_groups(6);
  }
  return binding;
}

// Rate and P99 of `once`, over `seconds`, in processor time.
DecisionRate Measure(double seconds, const std::function<void()>& once) {
  DecisionRate rate;
  once();
  std::vector<double> micros;
  const double begin = CpuSeconds();
  double last = begin;
  do {
    once();
    const double now = CpuSeconds();
    micros.push_back((now - last) * 1e6);
    last = now;
  } while (last - begin < seconds);
  rate.per_second = static_cast<double>(micros.size()) / (last - begin);
  const size_t at = micros.size() * 99 / 100;
  std::nth_element(micros.begin(), micros.begin() + static_cast<std::ptrdiff_t>(at), micros.end());
  rate.p99_micros = micros[at];
  return rate;
}

// A first decision: from the binding as it stands in the table to the clusters and a verdict on
// each.
void Decide(const v1::Binding& binding, const Snapshot& snapshot) {
  static const scheduler::Previous nowhere{};
  const scheduler::Request request(binding);
  const scheduler::ScheduleInput input{request, snapshot, nowhere};
  if (scheduler::Schedule(input).targets.empty()) std::abort();
}

DecisionRate MeasureDecision(const std::string& strategy, const Snapshot& snapshot,
                             double seconds) {
  const v1::Binding binding = MakeBinding(strategy);
  DecisionRate rate = Measure(seconds, [&] { Decide(binding, snapshot); });
  rate.strategy = strategy;
  rate.clusters = static_cast<int>(snapshot.clusters().size());
  return rate;
}

// The same and the whole row to be written, with the reasons in words.
DecisionRate MeasureRow(const Snapshot& snapshot, double seconds) {
  const v1::Binding binding = MakeBinding("StaticWeight");
  DecisionRate rate = Measure(seconds, [&] {
    scheduler::PlanInput input{binding, nullptr, snapshot};
    input.now_micros = 1;
    if (!scheduler::PlanPlacement(input).write) std::abort();
  });
  rate.strategy = "StaticWeight with row";
  rate.clusters = static_cast<int>(snapshot.clusters().size());
  return rate;
}

double MeasureReference(const Snapshot& snapshot, double seconds) {
  const v1::Binding binding = MakeBinding("StaticWeight");
  const AffinityMatcher affinity(binding.placement().cluster_affinity());
  int64_t sum = 0;
  const DecisionRate rate = Measure(seconds, [&] {
    std::vector<Party> parties;
    for (const auto& cluster : snapshot.clusters()) {
      if (affinity.Matches(cluster->Facts())) parties.push_back({1, -1});
    }
    for (int64_t seats : DivideWebster(30, parties, false)) sum += seats;
  });
  if (sum == 0) std::abort();
  return rate.per_second;
}

void MeasureMemory(SchedulerBenchmark* result) {
  const double before = HeapBytes();
  Snapshot snapshot;
  for (int i = 0; i < kBindings; ++i) snapshot.Set(MakeCluster(i, 200));
  result->bytes_per_cluster = (HeapBytes() - before) / kBindings;
}

void MeasureHeartbeat(SchedulerBenchmark* result) {
  Snapshot snapshot;
  for (int i = 0; i < 100; ++i) snapshot.Set(MakeCluster(i, 1'000'000));
  const double before = HeapBytes();
  BindingIndex index;
  std::vector<std::pair<v1::Binding, v1::Placed>> rows;
  rows.reserve(kBindings);
  double outside = 0;  // what the tables hold, not the index
  for (int i = 0; i < kBindings; ++i) {
    const double row_before = HeapBytes();
    v1::Binding binding = MakeBinding("DynamicWeight");
    binding.mutable_ref()->set_name(StrCat("web-", i));
    // One policy per hundred bindings.
    binding.mutable_placement()->mutable_cluster_affinity()->add_exclude(
        StrCat("none-", i % kPolicies));
    scheduler::PlanInput input{binding, nullptr, snapshot};
    rows.emplace_back(std::move(binding), scheduler::PlanPlacement(input).row);
    outside += HeapBytes() - row_before;
    const std::string key = RowKey(rows.back().first.ref());
    index.SetBinding(key, rows.back().first);
    index.SetPlaced(key, &rows.back().second);
  }
  result->bytes_per_binding = (HeapBytes() - before - outside) / kBindings;

  int64_t touched = 0;
  int turn = 0;
  const DecisionRate heartbeat = Measure(0.2, [&] {
    const auto old = snapshot.Share("cluster-5");
    snapshot.Set(MakeCluster(5, 1'000'000 + ++turn % 10));
    const ClusterInfo* cluster = snapshot.Find("cluster-5");
    if (!SameForFilters(*old, *cluster)) std::abort();
    index.WaitingFor(*cluster, [&](const std::string&) { ++touched; });
  });
  if (touched != 0) std::abort();
  result->heartbeat_micros = 1e6 / heartbeat.per_second;
  const double begin = CpuSeconds();
  for (const auto& row : rows) {
    scheduler::PlanInput input{row.first, &row.second, snapshot};
    if (scheduler::PlanPlacement(input).moved) std::abort();
  }
  result->full_pass_micros = (CpuSeconds() - begin) * 1e6;
}

}  // namespace

const std::vector<std::string>& BenchmarkStrategies() {
  static const auto& strategies = *new std::vector<std::string>{
      "Duplicated", "StaticWeight", "DynamicWeight", "Aggregated", "DynamicWeight+Regions"};
  return strategies;
}

void RepeatDecision(const std::string& strategy, int clusters, int count) {
  Snapshot snapshot;
  for (int i = 0; i < clusters; ++i) snapshot.Set(MakeCluster(i, 200));
  const v1::Binding binding = MakeBinding(strategy);
  for (int i = 0; i < count; ++i) Decide(binding, snapshot);
}

SchedulerBenchmark RunSchedulerBenchmark(double seconds) {
  SchedulerBenchmark result;
  for (const int clusters : {10, 100, 1000, 10'000}) {
    Snapshot snapshot;
    for (int i = 0; i < clusters; ++i) snapshot.Set(MakeCluster(i, 200));
    for (const std::string& strategy : BenchmarkStrategies()) {
      result.rates.push_back(MeasureDecision(strategy, snapshot, seconds));
    }
    if (clusters == 100) {
      result.reference_per_second = MeasureReference(snapshot, seconds);
      const DecisionRate& weighted = result.rates[result.rates.size() - 4];  // StaticWeight
      result.ratio = weighted.per_second / result.reference_per_second;
    }
    result.rates.push_back(MeasureRow(snapshot, seconds));
  }
  MeasureMemory(&result);
  MeasureHeartbeat(&result);
  return result;
}

}  // namespace sealane::bench

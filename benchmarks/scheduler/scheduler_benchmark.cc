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
#include "services/scheduler/request.h"
#include "services/scheduler/schedule.h"

// Of jemalloc, with which the services are linked; absent under a sanitizer's allocator.
extern "C" int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value,
                       size_t new_size) __attribute__((weak));

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

// What this thread holds at the moment.
double HeapBytes() {
  if (mallctl == nullptr) return static_cast<double>(mallinfo2().uordblks);
  const auto read = [](const char* name) {
    uint64_t bytes = 0;
    size_t size = sizeof(bytes);
    if (mallctl(name, &bytes, &size, nullptr, 0) != 0) std::abort();
    return static_cast<double>(bytes);
  };
  return read("thread.allocated") - read("thread.deallocated");
}

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
  if (strategy == "StaticWeight" || strategy == "StaticWeight+Capacity") {
    rules.set_replica_division_preference("Weighted");
    if (strategy == "StaticWeight+Capacity") {
      (*binding.mutable_options())[std::string(scheduler::kRespectCapacityOption)] = "true";
    }
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
  const auto spread = [&](const char* by, int64_t min, int64_t max) {
    v1::SpreadConstraint* constraint = placement.add_spread_constraints();
    constraint->set_spread_by_field(by);
    constraint->set_min_groups(min);
    constraint->set_max_groups(max);
  };
  if (strategy == "DynamicWeight+Regions") {
    spread("region", 2, 3);
    spread("cluster", 3, 6);
  } else if (strategy == "DynamicWeight+Combined") {
    spread("region", 2, 3);
    spread("provider", 2, 2);
    spread("zone", 2, 4);
    spread("cluster", 3, 6);
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

// One replica more than the placement in force has: only that one is divided.
DecisionRate MeasureGrowing(const std::string& strategy, const Snapshot& snapshot, double seconds) {
  v1::Binding binding = MakeBinding(strategy);
  v1::Placed placed;
  const scheduler::Request first(binding);
  const scheduler::Previous nowhere{};
  for (const auto& target : scheduler::Schedule({first, snapshot, nowhere}).targets) {
    v1::TargetCluster* cluster = placed.add_clusters();
    cluster->set_name(target.cluster);
    cluster->set_replicas(static_cast<int32_t>(target.replicas));
  }
  binding.set_replicas(binding.replicas() + 1);
  DecisionRate rate = Measure(seconds, [&] {
    const scheduler::Request request(binding);
    const scheduler::Previous previous(placed.clusters());
    if (scheduler::Schedule({request, snapshot, previous}).targets.empty()) std::abort();
  });
  rate.strategy = StrCat(strategy, ", one more");
  rate.clusters = static_cast<int>(snapshot.clusters().size());
  return rate;
}

// Looking again at what is well placed: nothing changes.
DecisionRate MeasureSteady(const std::string& strategy, const Snapshot& snapshot, double seconds) {
  const v1::Binding binding = MakeBinding(strategy);
  scheduler::PlanInput input{binding, nullptr, snapshot};
  input.now_micros = 1;
  const v1::Placed placed = scheduler::PlanPlacement(input).row;
  input.placed = &placed;
  DecisionRate rate = Measure(seconds, [&] {
    if (scheduler::PlanPlacement(input).write) std::abort();
  });
  rate.strategy = StrCat(strategy, ", in force");
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
  const double begin_bytes = HeapBytes();
  std::vector<std::pair<v1::Binding, v1::Placed>> rows;
  rows.reserve(kBindings);
  for (int i = 0; i < kBindings; ++i) {
    v1::Binding& binding = rows.emplace_back(MakeBinding("DynamicWeight"), v1::Placed()).first;
    binding.mutable_ref()->set_name(StrCat("web-", i));
    // One policy per hundred bindings.
    binding.mutable_placement()->mutable_cluster_affinity()->add_exclude(
        StrCat("none-", i % kPolicies));
  }
  const double bindings_bytes = HeapBytes();
  for (auto& [binding, placed] : rows) {
    placed = scheduler::PlanPlacement({binding, nullptr, snapshot}).row;
  }
  const double rows_bytes = HeapBytes();
  BindingIndex index;
  for (const auto& [binding, placed] : rows) {
    const std::string key = RowKey(binding.ref());
    index.SetBinding(key, binding);
    index.SetPlaced(key, &placed);
  }
  constexpr double kPlacedSize = sizeof(v1::Placed);
  result->bytes_per_binding_row = (bindings_bytes - begin_bytes) / kBindings - kPlacedSize;
  result->bytes_per_placement_row = (rows_bytes - bindings_bytes) / kBindings + kPlacedSize;
  result->bytes_per_binding = (HeapBytes() - rows_bytes) / kBindings;

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
      "Duplicated", "StaticWeight",          "StaticWeight+Capacity", "DynamicWeight",
      "Aggregated", "DynamicWeight+Regions", "DynamicWeight+Combined"};
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
      for (const DecisionRate& rate : result.rates) {
        if (rate.clusters != clusters || rate.strategy != "StaticWeight") continue;
        result.ratio = rate.per_second / result.reference_per_second;
      }
    }
    result.rates.push_back(MeasureRow(snapshot, seconds));
    for (const char* strategy : {"DynamicWeight", "Aggregated"}) {
      result.rates.push_back(MeasureGrowing(strategy, snapshot, seconds));
    }
    for (const char* strategy : {"Duplicated", "StaticWeight", "DynamicWeight"}) {
      result.rates.push_back(MeasureSteady(strategy, snapshot, seconds));
    }
  }
  MeasureMemory(&result);
  MeasureHeartbeat(&result);
  return result;
}

}  // namespace sealane::bench

#include "services/scheduler/estimator.h"

#include <algorithm>
#include <utility>

#include "services/scheduler/candidate.h"

namespace sealane::scheduler {
namespace {

constexpr std::string_view kCpu = "cpu";
constexpr std::string_view kPods = "pods";
// What Kubernetes sets on nodes unless told otherwise; resource models do not say.
constexpr int64_t kPodsPerNode = 110;

int64_t Saturating(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<int64_t>::max() : product;
}

int64_t Difference(int64_t a, int64_t b) {
  int64_t difference = 0;
  return __builtin_sub_overflow(a, b, &difference) ? std::numeric_limits<int64_t>::min()
                                                   : difference;
}

// How often `request` fits into `free` (less `assumed`); at most `bound`. CPU counts in
// thousandths.
int64_t Fit(const ResourceList& request, const ResourceList& free, const AssumedLoad* assumed,
            int64_t bound) {
  for (const ResourceAmount& wanted : request) {
    if (wanted.value <= 0) continue;
    const ResourceAmount* have = FindAmount(free, wanted.name);
    if (have == nullptr) return 0;
    const ResourceAmount* taken =
        assumed == nullptr ? nullptr : FindAmount(assumed->amounts, wanted.name);
    const bool milli = wanted.name == kCpu;
    int64_t left = milli ? have->milli : have->value;
    if (taken != nullptr) left = Difference(left, milli ? taken->milli : taken->value);
    if (left <= 0) return 0;
    bound = std::min(bound, left / (milli ? wanted.milli : wanted.value));
  }
  return bound;
}

// Node by node: `request` fits whole into nodes of a grade or not at all.
int64_t FitNodes(const ResourceList& request, const std::vector<NodeGrade>& grades) {
  int64_t sum = 0;
  for (const NodeGrade& grade : grades) {
    if (grade.count == 0) continue;
    sum += Saturating(Fit(request, grade.capacity, nullptr, kPodsPerNode), grade.count);
    if (sum >= kUnlimited) return kUnlimited;
  }
  return sum;
}

// Grades that do not know a resource say nothing about what asks for it.
bool Graded(const ResourceList& request, const std::vector<NodeGrade>& grades) {
  return !grades.empty() &&
         std::all_of(request.begin(), request.end(), [&](const ResourceAmount& wanted) {
           return wanted.value <= 0 || FindAmount(grades.front().capacity, wanted.name) != nullptr;
         });
}

int64_t SetsOf(const Request& request, const ClusterInfo& cluster, const AssumedLoad* assumed,
               int64_t pods) {
  AssumedLoad set;
  for (const ComponentRequest& component : request.component_requests) {
    AddLoad(set, component.request, component.replicas);
  }
  if (set.pods <= 0) return pods;
  return Fit(set.amounts, cluster.free, assumed, pods / set.pods);
}

}  // namespace

const AssumedLoad* AssumedFor(const AssumedLoads* loads, std::string_view cluster) {
  if (loads == nullptr || loads->empty()) return nullptr;
  const auto it = loads->find(cluster);
  return it == loads->end() ? nullptr : &it->second;
}

void AddLoad(AssumedLoad& load, const ResourceList& request, int64_t replicas) {
  load.pods += replicas;
  for (const ResourceAmount& amount : request) {
    auto it = std::lower_bound(
        load.amounts.begin(), load.amounts.end(), amount,
        [](const ResourceAmount& a, const ResourceAmount& b) { return a.name < b.name; });
    if (it == load.amounts.end() || it->name != amount.name) {
      it = load.amounts.insert(it, {amount.name, 0, 0});
    }
    it->value += Saturating(amount.value, replicas);
    it->milli += Saturating(amount.milli, replicas);
  }
}

int64_t LeftOf(int64_t replicas, const Request& request, const AssumedLoad* assumed) {
  if (assumed == nullptr) return replicas;
  int64_t taken = 0;
  bool measured = false;
  for (const ResourceAmount& wanted : request.request) {
    if (wanted.value <= 0) continue;
    measured = true;
    const ResourceAmount* amount = FindAmount(assumed->amounts, wanted.name);
    if (amount == nullptr) continue;
    const bool milli = wanted.name == kCpu;
    const int64_t unit = milli ? wanted.milli : wanted.value;
    const int64_t load = milli ? amount->milli : amount->value;
    taken = std::max(taken, load <= 0 ? 0 : (load - 1) / unit + 1);
  }
  if (!measured) taken = std::max<int64_t>(0, assumed->pods);
  return std::max<int64_t>(0, replicas - taken);
}

int64_t EstimateReplicas(const Request& request, const ClusterInfo& cluster,
                         const AssumedLoad* assumed) {
  if (request.replicas == 0 && !request.components) return kUnlimited;
  if (!cluster.has_summary || cluster.out_of_touch) return 0;
  const int64_t pods =
      std::min(kUnlimited, cluster.free_pods - (assumed == nullptr ? 0 : assumed->pods));
  if (pods <= 0) return 0;
  if (request.component_sets) return SetsOf(request, cluster, assumed, pods);
  if (!request.has_requirements) return pods;
  const int64_t whole = Fit(request.request, cluster.free, assumed, pods);
  if (!Graded(request.request, cluster.grades)) return whole;
  // Nodes do not see the pods that have no node yet, nor what is assumed; the sums do.
  return std::min(whole, FitNodes(request.request, cluster.grades));
}

std::string LimitOf(const Request& request, const ClusterInfo& cluster,
                    const AssumedLoad* assumed) {
  if (!cluster.has_summary) return "no summary of its resources yet";
  if (cluster.out_of_touch) return "the cluster is not ready";
  const int64_t room = EstimateReplicas(request, cluster, assumed);
  ResourceList asked = request.request;
  if (request.component_sets) {
    AssumedLoad set;
    for (const ComponentRequest& component : request.component_requests) {
      AddLoad(set, component.request, component.replicas);
    }
    asked = std::move(set.amounts);
  }
  for (const ResourceAmount& wanted : asked) {
    if (wanted.value > 0 && Fit({wanted}, cluster.free, assumed, kUnlimited) == room) {
      return wanted.name;
    }
  }
  const int64_t pods = cluster.free_pods - (assumed == nullptr ? 0 : assumed->pods);
  const bool whole_pods = request.component_sets || std::max<int64_t>(0, pods) == room;
  return whole_pods || !Graded(request.request, cluster.grades) ? std::string(kPods)
                                                                : "resource models";
}

}  // namespace sealane::scheduler

#include "services/scheduler/pace.h"

#include <algorithm>

namespace sealane::scheduler {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);

}  // namespace

Pace::Pace(Env env, const PaceOptions& options, Wake wake)
    : env_(env), options_(options), wake_(std::move(wake)), executor_(env.executor) {}

Pace::Bucket& Pace::Filled(std::map<std::string, Bucket>& buckets, const std::string& cluster,
                           double rate) {
  const absl::Duration now = env_.clock.Monotonic();
  const auto [it, added] = buckets.try_emplace(cluster);
  Bucket& bucket = it->second;
  const double most = std::max(rate, 1.0);
  bucket.rate = rate;
  bucket.tokens =
      added ? most
            : std::min(most, bucket.tokens + rate * absl::ToDoubleSeconds(now - bucket.filled_at));
  bucket.filled_at = now;
  return bucket;
}

bool Pace::MayLeave(const std::string& key, int64_t priority, const std::string& source,
                    const std::vector<Target>& targets) {
  if (options_.leave_per_second <= 0) return true;
  std::vector<Bucket*> buckets = {&Filled(sources_, source, options_.leave_per_second)};
  for (const auto& [cluster, free_pods] : targets) {
    const double rate =
        std::max(options_.take_per_second,
                 static_cast<double>(free_pods) / absl::ToDoubleSeconds(options_.fill));
    buckets.push_back(&Filled(targets_, cluster, rate));
  }
  const bool may = std::all_of(buckets.begin(), buckets.end(),
                               [](const Bucket* bucket) { return bucket->tokens >= 1; });
  if (may) {
    for (Bucket* bucket : buckets) bucket->tokens -= 1;
    return true;
  }
  if (queues_[source].emplace(-priority, key).second) ++waiting_;
  Arm();
  return false;
}

void Pace::Arm() {
  if (timer_ != 0 || waiting_ == 0) return;
  timer_ = executor_.After(kTick, [this] {
    timer_ = 0;
    WakeThose();
    Arm();
  });
}

void Pace::WakeThose() {
  std::vector<std::string> woken;
  for (auto& [source, queue] : queues_) {
    const double tokens = Filled(sources_, source, options_.leave_per_second).tokens;
    for (double left = tokens; left >= 1 && !queue.empty(); left -= 1) {
      woken.push_back(queue.begin()->second);
      queue.erase(queue.begin());
      --waiting_;
    }
  }
  for (const std::string& key : woken) wake_(key);
}

}  // namespace sealane::scheduler

#include "services/scheduler/timers.h"

#include <algorithm>
#include <utility>

namespace sealane::scheduler {

void Gathering::Add(const std::string& name) {
  names_.insert(name);
  if (timer_ != 0) return;
  timer_ = executor_.After(delay_, [this] {
    timer_ = 0;
    for (const std::string& gathered : std::exchange(names_, {})) tell_(gathered);
  });
}

void Wakes::At(const std::string& key, int64_t at_micros, int64_t now_micros) {
  auto [it, added] = wakes_.try_emplace(key);
  Wake& wake = it->second;
  if (!added && wake.at_micros <= at_micros) return;
  if (!added) executor_.Cancel(wake.timer);
  wake.at_micros = at_micros;
  const absl::Duration wait = absl::Microseconds(std::max<int64_t>(0, at_micros - now_micros));
  wake.timer = executor_.After(wait + absl::Milliseconds(1), [this, key] {
    wakes_.erase(key);
    wake_(key);
  });
}

}  // namespace sealane::scheduler

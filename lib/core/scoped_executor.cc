#include "lib/core/scoped_executor.h"

#include <utility>

namespace sealane {

ScopedExecutor::ScopedExecutor(Executor& parent)
    : parent_(parent), alive_(std::make_shared<const bool>(true)) {}

ScopedExecutor::~ScopedExecutor() = default;

std::function<void()> ScopedExecutor::Guard(std::function<void()> fn) const {
  return [alive = std::weak_ptr<const bool>(alive_), fn = std::move(fn)] {
    if (!alive.expired()) fn();
  };
}

void ScopedExecutor::Post(std::function<void()> fn) { parent_.Post(Guard(std::move(fn))); }

TimerId ScopedExecutor::After(absl::Duration delay, std::function<void()> fn) {
  return parent_.After(delay, Guard(std::move(fn)));
}

void ScopedExecutor::Cancel(TimerId id) { parent_.Cancel(id); }

}  // namespace sealane

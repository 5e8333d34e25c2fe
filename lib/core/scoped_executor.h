#pragma once

#include <memory>

#include "lib/core/env.h"

namespace sealane {

// An Executor whose callbacks die with it: once a ScopedExecutor is destroyed, nothing that was
// posted through it runs any more. Give each component (or each service of a simulation) its own,
// and a callback may capture `this` safely.
//
// Thread rule: destroy it on the parent's own thread (or after the parent stopped). The parent must
// outlive it.
class ScopedExecutor final : public Executor {
 public:
  explicit ScopedExecutor(Executor& parent);
  ~ScopedExecutor() override;
  ScopedExecutor(const ScopedExecutor&) = delete;
  ScopedExecutor& operator=(const ScopedExecutor&) = delete;

  void Post(std::function<void()> fn) override;
  TimerId After(absl::Duration delay, std::function<void()> fn) override;
  void Cancel(TimerId id) override;
  // Expires with this executor: for callbacks that others keep.
  [[nodiscard]] std::weak_ptr<const bool> alive() const { return alive_; }

 private:
  std::function<void()> Guard(std::function<void()> fn) const;

  Executor& parent_;
  std::shared_ptr<const bool> alive_;
};

}  // namespace sealane

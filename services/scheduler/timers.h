#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane::scheduler {

// Gathers names for a while, then tells each of them once. Thread rule: executor thread.
class Gathering {
 public:
  using Tell = std::function<void(const std::string& name)>;
  Gathering(Env env, absl::Duration delay, Tell tell)
      : delay_(delay), tell_(std::move(tell)), executor_(env.executor) {}

  void Add(const std::string& name);
  [[nodiscard]] bool pending() const { return timer_ != 0; }

 private:
  const absl::Duration delay_;
  const Tell tell_;
  std::set<std::string> names_;
  TimerId timer_ = 0;
  ScopedExecutor executor_;
};

// Looks at a key again at a certain time; of several times the earliest holds.
// Thread rule: executor thread.
class Wakes {
 public:
  Wakes(Env env, std::function<void(const std::string& key)> wake)
      : wake_(std::move(wake)), executor_(env.executor) {}

  void At(const std::string& key, int64_t at_micros, int64_t now_micros);

 private:
  struct Wake {
    int64_t at_micros = 0;
    TimerId timer = 0;
  };
  const std::function<void(const std::string&)> wake_;
  std::map<std::string, Wake> wakes_;
  ScopedExecutor executor_;
};

}  // namespace sealane::scheduler

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "lib/core/strings.h"

namespace sealane::v1 {
class AppStatus;
class Binding;
class ClusterAppStatus;
}  // namespace sealane::v1

namespace sealane::scheduler {

// What the status service says about the copies of one object, read so that a copy which may be the
// last running one is never taken for a dead one. Keeps pointers to both; nothing is copied.
class Copies {
 public:
  // `status`: nullptr, or of another object: nothing is known. Of each cluster, health,
  // applied_generation and ready replicas are looked at.
  Copies(const v1::Binding& binding, const v1::AppStatus* status);

  [[nodiscard]] bool known() const { return known_; }
  // Runs the newest generation, healthy, with all these replicas ready.
  [[nodiscard]] bool Healthy(std::string_view cluster, int64_t replicas) const;
  // Some of it certainly runs: its cluster is heard, and it is healthy or has a ready replica.
  [[nodiscard]] bool Runs(std::string_view cluster) const;
  // Nobody has said that nothing of it runs: also true in a lost cluster that had it.
  [[nodiscard]] bool MayRun(std::string_view cluster) const;

 private:
  [[nodiscard]] const v1::ClusterAppStatus* Find(std::string_view cluster) const;

  const v1::Binding& binding_;
  bool known_ = false;
  StringMap<const v1::ClusterAppStatus*> parts_;
};

}  // namespace sealane::scheduler

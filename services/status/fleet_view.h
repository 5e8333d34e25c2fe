#pragma once

#include <string>

namespace sealane::status {

class AppKeeper;
class ClusterKeeper;

// What a process of the status service knows of the fleet, for reading. Thread rule: the executor
// thread, and only until the present callback returns: a leader that loses its lease forgets all.
struct FleetView {
  const AppKeeper* apps = nullptr;  // both or none
  const ClusterKeeper* clusters = nullptr;
  std::string why_not;  // without data: the reason, one sentence for people
  std::string leader;   // the process that leads; empty: unknown, or there is no election

  [[nodiscard]] bool has_data() const { return apps != nullptr && clusters != nullptr; }
};

}  // namespace sealane::status

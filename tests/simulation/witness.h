#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "lib/bus/table.h"
#include "lib/kubeapi/store.h"
#include "sealane/v1/tables.pb.h"
#include "tests/simulation/fleet.h"
#include "tests/simulation/world.h"

namespace sealane::simulation {

// Sees what really runs in each cluster, also where no agent can say so, and each placement as it
// is written, and holds both against the promises of docs/failover.md. It shares no code with the
// services: it counts copies and CPUs. Thread rule: one thread; the world outlives it.
class Witness {
 public:
  // `say` is told what happens, for the story of a run.
  Witness(World& world, const Fleet& fleet, std::function<void(const std::string&)> say);
  ~Witness();

  // The first promise that was broken, in words; "" while there is none.
  [[nodiscard]] const std::string& broken() const { return broken_; }
  // What is wrong at rest: where applications run, and what was left behind; "": nothing.
  [[nodiscard]] std::string WrongAtRest() const;

 private:
  // One Deployment in one cluster.
  struct Copy {
    absl::Duration created;
    std::string image;
    int64_t replicas = 0;
    int64_t ready = 0;
    absl::Duration since = absl::ZeroDuration();          // that some of it runs
    absl::Duration last_ran = -absl::InfiniteDuration();  // until when some of it did
  };
  // A placement, and since when each of its clusters has been in it.
  struct Placement {
    v1::Placed row;
    std::map<std::string, int64_t> replicas;
    std::map<std::string, absl::Duration> since;
  };

  void OnMember(const std::string& cluster, const kubeapi::Change& change);
  void OnPlacement(const std::string& key);
  void JudgeRemoval(const std::string& cluster, const std::string& app, const Copy& copy);
  void JudgeRemovalNow(const std::string& cluster, const std::string& app, const Copy& copy);
  void JudgeLeft(const std::string& cluster, const std::string& app,
                 const std::map<std::string, int64_t>& left_to);
  void JudgeRoom(const Placement& before, const Placement& after);
  [[nodiscard]] std::string WrongIn(const std::string& app, const Placement& placement) const;
  [[nodiscard]] const Copy* Find(const std::string& cluster, const std::string& app) const;
  [[nodiscard]] bool RanLately(const Copy& copy) const;
  void Break(const std::string& promise);

  World& world_;
  const Fleet& fleet_;
  std::function<void(const std::string&)> say_;
  std::string broken_;
  std::map<std::string, std::map<std::string, Copy>> copies_;  // by cluster and application
  std::map<std::string, Placement> placements_;                // by application
  std::map<std::string, std::string> apps_;                    // by the row's key
  std::vector<std::pair<std::string, uint64_t>> subscriptions_;
  std::unique_ptr<Bus> bus_;
  std::unique_ptr<Table<v1::Placed>> table_;
};

}  // namespace sealane::simulation

#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/env.h"
#include "tests/simulation/scenario.h"

namespace sealane::simulation {

// What the user of a fleet in trouble has asked for, and the random events by which he asks. It
// knows the words of the policies, not how they are carried out. Thread rule: one thread.
class Fleet {
 public:
  struct App {
    std::string name;
    std::string policy;
    std::string image;
    int replicas = 1;
  };
  struct Policy {
    std::string name;
    enum class Mode { kDuplicated, kStatic, kDynamic, kAggregated };
    Mode mode = Mode::kDuplicated;
    std::set<std::string> clusters;  // by name; empty: every cluster
    std::map<std::string, int> weights;
    std::vector<std::string> annotations;  // "key: value"
    std::string failover;                  // YAML of failover.application; empty: none
  };
  struct Event {
    bool remove = false;
    std::vector<std::string> manifests;
    std::string what;  // for the story of a run
  };

  explicit Fleet(std::vector<ClusterSpec> clusters);

  // What comes first: these clusters and the policies.
  Event First(Random& random, size_t clusters);
  // A new cluster joins; nothing when all are there.
  Event Join();
  // An application comes, changes or goes, or a policy changes, at `now`.
  Event Next(Random& random, absl::Duration now);
  // A taint by hand comes ("drain", "cordon") or goes ("").
  Event Taint(const std::string& cluster, const std::string& how);

  [[nodiscard]] const App* Find(const std::string& app) const;
  [[nodiscard]] const Policy& PolicyOf(const App& app) const { return policies_.at(app.policy); }
  [[nodiscard]] const std::map<std::string, App>& apps() const { return apps_; }
  [[nodiscard]] const std::set<std::string>& joined() const { return joined_; }
  // When the user last asked for less of the application: fewer replicas, or none of it.
  [[nodiscard]] absl::Duration AskedForLess(const std::string& app) const;
  [[nodiscard]] absl::Duration Deleted(const std::string& app) const;
  // The name of every application there ever was.
  [[nodiscard]] static std::vector<std::string> Names();

 private:
  Policy RandomPolicy(Random& random, const std::string& name) const;
  Event Apply(const App& app, std::string what);

  std::vector<ClusterSpec> clusters_;
  std::set<std::string> joined_;
  std::map<std::string, App> apps_;
  std::map<std::string, Policy> policies_;
  std::map<std::string, absl::Duration> less_;
  std::map<std::string, absl::Duration> deleted_;
};

// Everything is deployed to this namespace.
inline constexpr const char* kFleetNamespace = "shop";
// The image of this tag never starts.
inline constexpr const char* kBadImage = "shop/app:bad";

}  // namespace sealane::simulation

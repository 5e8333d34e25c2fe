#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/kube/kube_client.h"
#include "lib/kube/rest_mapping.h"

namespace sealane::agent {

// Which of many objects are not there: one list of the names of a kind in a namespace instead of a
// request for each. Used when a cluster is new to the agent and all its works arrive at once.
// The answer is up to kKept old; what is absent is told so once, then it must be asked for.
//
// Thread rule: the executor thread. What is given must outlive it.
class RollCall {
 public:
  static constexpr size_t kWorthwhile = 16;  // objects in question
  static constexpr absl::Duration kKept = absl::Seconds(5);

  RollCall(Env env, kube::KubeClient& client)
      : env_(env), client_(client), executor_(env.executor) {}

  // Calls `then`, at once or later: with true when the object was not there within the last kKept;
  // with false when it must be asked for by itself. `names` gives the objects of the same kind and
  // namespace that are in question.
  void Check(const kube::ResourceType& type, const std::string& ns, const std::string& name,
             const std::function<std::vector<std::string>()>& names,
             std::function<void(bool absent)> then);

 private:
  // The objects of one kind in one namespace.
  struct Group {
    kube::ResourceType type;
    std::string ns;
    bool listing = false;
    int pages_left = 0;    // of the list, which may not cost more than it saves
    absl::Duration until;  // monotonic; what is known holds so long
    std::set<std::string> absent;
    std::vector<std::pair<std::string, std::function<void(bool)>>> waiting;
  };

  void List(const std::string& path, std::string_view continue_token);
  void Finish(const std::string& path, bool complete);

  Env env_;
  kube::KubeClient& client_;
  std::map<std::string, Group> groups_;  // by the path of the collection
  ScopedExecutor executor_;
};

}  // namespace sealane::agent

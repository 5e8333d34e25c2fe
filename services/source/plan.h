#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/source.pb.h"
#include "services/source/tree.h"

namespace sealane::source {

// What is known of an object of the fleet.
struct StoredFact {
  uint64_t revision = 0;
  uint64_t hash = 0;      // of its manifest
  bool deleting = false;  // asked to go
  bool keep = false;      // sealane.io/prune: "false"
  bool ours = false;      // this source wrote it last
  std::string owner;      // another source that wrote it last; empty: no source did
  std::string publisher;  // for people
};
// nullptr: there is no such object. The pointer holds until the next call.
using LookUp = std::function<const StoredFact*(const std::string& key)>;

// Object key -> object.
using Owned = std::map<std::string, v1::GitObject>;

struct PlanOptions {
  std::string uid;     // of the source
  std::string commit;  // empty: the source is being removed
  bool prune = true;
  bool take_over = false;
  size_t max_event_bytes = size_t{900} * 1024;
};

// The way from what is to what a commit asks for.
struct Plan {
  // In order; each all or nothing. Ids follow from source, commit and content: the same plan twice
  // is the same events.
  std::vector<v1::DeployEvent> events;
  Owned owned;                           // what the source owns when all events are accepted
  std::vector<v1::GitProblem> problems;  // not empty: nothing may be published
  int applied = 0;                       // operations
  int removed = 0;
  int kept = 0;          // objects that left the path and stay in the fleet
  bool removal = false;  // of the source
  // Clusters of a source that goes which stay because of what it leaves in the fleet; by name.
  std::vector<std::string> held_clusters;
};

// `owned`: what the source owns now. Objects that are as the commit says need no operation. An
// object that somebody else published is a problem, unless options.take_over says otherwise; one of
// another source always is. Operations carry preconditions: what changed since it was looked at is
// refused instead of overwritten. When the source itself goes and leaves an object in the fleet,
// its clusters stay, too: from a cluster that goes, what is left would be withdrawn.
[[nodiscard]] Plan MakePlan(const std::vector<DesiredObject>& desired, const Owned& owned,
                            const LookUp& stored, const PlanOptions& options);

// Whether something in the fleet is not as the source's last applied commit says.
[[nodiscard]] bool Drifted(const v1::GitSourceState& state, const LookUp& stored);

// The beginning of the ids of all events of a source.
[[nodiscard]] std::string EventPrefix(std::string_view uid);
// The uid of the source that made the event; empty: no source did.
[[nodiscard]] std::string_view SourceOfEvent(std::string_view event_id);

}  // namespace sealane::source

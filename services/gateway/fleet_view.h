#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"
#include "lib/http/message.h"

namespace sealane::gateway {

// Reads of several member clusters seen as one. All pure.

// The label that says where an object is, in what MergeAnswers and MarkEvent give.
inline constexpr char kClusterLabel[] = "sealane.io/cluster";

// What one cluster answered to the same request.
struct MemberAnswer {
  std::string cluster;
  int status = 0;     // 0: nothing; `error` says why
  std::string error;  // for people
  std::shared_ptr<Json> body;
};

struct FleetAnswer {
  int status = 200;
  std::shared_ptr<Json> body;
  std::vector<std::string> warnings;  // clusters that are left out, and why
};

// One answer of all: lists and tables are joined, in the order of `answers`; every object has
// kClusterLabel, every table a column Cluster behind the name. A single object that several
// clusters have is a 409, unless a table is asked for. What only some could not answer is a
// warning; what all could not is the error of the first.
[[nodiscard]] FleetAnswer MergeAnswers(std::vector<MemberAnswer> answers);

// Marks an event of a watch as MergeAnswers does. False: it is to be left out (bookmarks).
[[nodiscard]] bool MarkEvent(std::string_view cluster, Json& event);

// resourceVersion and continue of a joined list: one value for each cluster, as one text. Parsing
// gives nullopt for what is no such text.
using PerCluster = std::map<std::string, std::string>;
[[nodiscard]] std::string JoinPerCluster(const PerCluster& values);
[[nodiscard]] std::optional<PerCluster> SplitPerCluster(std::string_view text);

// The request target for one cluster: with its own resourceVersion and continue. nullopt: the list
// has no more of that cluster, or was without it.
[[nodiscard]] std::optional<std::string> TargetFor(std::string_view cluster, std::string_view path,
                                                   const http::Target& target);

}  // namespace sealane::gateway

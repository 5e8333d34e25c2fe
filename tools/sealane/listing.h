#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/json_fwd.h"
#include "sealane/v1/query.pb.h"
#include "tools/sealane/fleet.h"
#include "tools/sealane/views.h"

namespace sealane::cli {

// What `sealane get` lists.

struct Noun {
  std::string_view name;
  std::string_view singular;
  std::string_view service;  // that is asked
  std::string_view what;     // of the query
  bool namespaced;
};

// All of them, in the order in which help names them.
[[nodiscard]] const std::vector<Noun>& Nouns();
// nullptr: there is no such noun. Takes the singular, too.
[[nodiscard]] const Noun* FindNoun(std::string_view word);

struct Listing {
  v1::QueryReply reply;
  v1::QueryReply statuses;  // of works: what the clusters said
  [[nodiscard]] int size() const {
    return reply.apps_size() + reply.clusters_size() + reply.works_size() + reply.objects_size();
  }
};

// `filter` has what narrows the answer. `brief`: only what the tables show is asked for.
[[nodiscard]] absl::StatusOr<Listing> List(Fleet& fleet, const Noun& noun, v1::QueryRequest filter,
                                           bool brief, absl::Duration timeout);
// One listing per row of this one.
[[nodiscard]] std::vector<Listing> Rows(const Listing& listing);
// What tells rows of one noun apart.
[[nodiscard]] std::string RowName(const Listing& row);

[[nodiscard]] std::string ListingText(const Noun& noun, const Listing& listing,
                                      const ViewOptions& options);
[[nodiscard]] Json ListingItems(const Noun& noun, const Listing& listing);
// KIND/NAME, a line each; works have their cluster in front.
[[nodiscard]] std::string ListingNames(const Listing& listing);

}  // namespace sealane::cli

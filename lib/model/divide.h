#pragma once

#include <cstdint>
#include <vector>

namespace sealane {

// One party of a division. Parties are given in name order.
struct Party {
  int64_t votes = 0;
  int64_t cap = -1;  // at most this many seats; negative: no bound
  int64_t held = 0;  // seats to begin with; without votes or above the cap they are given up
};

// Divides `seats` by Webster's method (Sainte-Laguë): each seat goes to the party with the largest
// votes / (2 * its seats + 1); equal ones to the party with fewer seats, then to the first by name,
// or to the last when `names_descending`. A party at its cap gets no more. Without votes nobody
// gets any. Fewer seats are given only when every party with votes is at its cap. Source: Karmada's
// pkg/util/helper/webstermethod.go (quotients compared as doubles).
//
// Parties may hold seats already: then only the missing seats are given in this way, and when too
// many are held, those go that would have been given last. So nobody loses a seat while another
// gets one.
[[nodiscard]] std::vector<int64_t> DivideWebster(int64_t seats, const std::vector<Party>& parties,
                                                 bool names_descending);

}  // namespace sealane

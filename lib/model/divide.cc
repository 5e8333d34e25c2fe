#include "lib/model/divide.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace sealane {
namespace {

double Quotient(int64_t votes, int64_t seats) {
  return static_cast<double>(votes) / static_cast<double>(2 * seats + 1);
}

int64_t CapOf(const Party& party) {
  return party.cap < 0 ? std::numeric_limits<int64_t>::max() : party.cap;
}

// How many seats of the party have a quotient above the threshold: they all come before any seat
// with a smaller one, so the seat-by-seat method passes through exactly this state.
int64_t SeatsAbove(int64_t votes, double threshold) {
  auto seats =
      static_cast<int64_t>(std::max(0.0, (static_cast<double>(votes) / threshold - 1) / 2));
  while (seats > 0 && !(Quotient(votes, seats - 1) > threshold)) --seats;
  while (Quotient(votes, seats) > threshold) ++seats;
  return seats;
}

int64_t HeldBy(const Party& party) {
  return party.votes <= 0 ? 0 : std::clamp<int64_t>(party.held, 0, CapOf(party));
}

int64_t Sum(const std::vector<int64_t>& seats) {
  return std::accumulate(seats.begin(), seats.end(), int64_t{0});
}

// Many seats at once: moves `given`, which begins with what is held, along the way of the
// seat-by-seat method up (or down) to `seats`, as far as whole rounds go and not beyond.
void Leap(int64_t seats, const std::vector<Party>& parties, std::vector<int64_t>& given) {
  const bool up = Sum(given) < seats;
  // Parties that hold more than their share of what is given (less, of what is taken away) stay as
  // they are; without them the share of the others is another. Each turn finds one more of them.
  std::vector<bool> stays(parties.size(), false);
  for (;;) {
    double total = 0;
    int64_t voters = 0;
    int64_t left = seats;
    for (size_t i = 0; i < parties.size(); ++i) {
      if (parties[i].votes <= 0) continue;
      if (stays[i]) {
        left -= given[i];
      } else {
        total += static_cast<double>(parties[i].votes);
        ++voters;
      }
    }
    // With this threshold each party gets at most half a seat more (or less) than
    // votes / (2 * threshold).
    const int64_t rounds = up ? 2 * left - voters : 2 * left + voters;
    if (voters == 0 || rounds <= 0) return;
    const double threshold = total / static_cast<double>(rounds);
    std::vector<int64_t> next = given;
    bool more = false;
    for (size_t i = 0; i < parties.size(); ++i) {
      if (parties[i].votes <= 0 || stays[i]) continue;
      const int64_t share = SeatsAbove(parties[i].votes, threshold);
      if (up ? share <= given[i] : share >= given[i]) {
        stays[i] = more = true;
      } else {
        next[i] = std::min(share, CapOf(parties[i]));
      }
    }
    const int64_t sum = Sum(next);
    if (up ? sum <= seats : sum >= seats) {
      given = std::move(next);
      return;
    }
    if (!more) return;  // rounding of the doubles
  }
}

struct Entry {
  double quotient;
  int64_t seats;
  size_t index;
};

}  // namespace

std::vector<int64_t> DivideWebster(int64_t seats, const std::vector<Party>& parties,
                                   bool names_descending) {
  std::vector<int64_t> given(parties.size(), 0);
  size_t voters = 0;
  for (size_t i = 0; i < parties.size(); ++i) {
    given[i] = HeldBy(parties[i]);
    if (parties[i].votes > 0) ++voters;
  }
  if (voters == 0) return given;
  seats = std::max<int64_t>(0, seats);
  if (Sum(given) != seats) Leap(seats, parties, given);

  // The rest seat by seat: given from the largest quotient down, taken from the smallest up.
  const int64_t sum = Sum(given);
  const bool up = sum < seats;
  int64_t left = up ? seats - sum : sum - seats;
  const auto later = [names_descending](const Entry& a, const Entry& b) {
    if (a.quotient != b.quotient) return a.quotient < b.quotient;
    if (a.seats != b.seats) return a.seats > b.seats;
    return names_descending ? a.index < b.index : a.index > b.index;
  };
  const auto below = [&](const Entry& a, const Entry& b) { return up ? later(a, b) : later(b, a); };
  const auto spent = [&](size_t i) { return up ? given[i] >= CapOf(parties[i]) : given[i] == 0; };
  // The seat that is given, or taken, next.
  const auto entry_of = [&](size_t i) {
    const int64_t place = up ? given[i] : given[i] - 1;
    return Entry{Quotient(parties[i].votes, place), place, i};
  };
  std::vector<Entry> heap;
  heap.reserve(voters);
  for (size_t i = 0; i < parties.size() && left > 0; ++i) {
    if (parties[i].votes > 0 && !spent(i)) heap.push_back(entry_of(i));
  }
  // Each seat goes to a party whose first quotient is among the largest: the others get none.
  if (left < static_cast<int64_t>(heap.size())) {
    const auto end = heap.begin() + left;
    std::nth_element(heap.begin(), end, heap.end(),
                     [&](const Entry& a, const Entry& b) { return below(b, a); });
    heap.erase(end, heap.end());
  }
  std::make_heap(heap.begin(), heap.end(), below);
  for (; left > 0 && !heap.empty(); --left) {
    std::pop_heap(heap.begin(), heap.end(), below);
    const size_t index = heap.back().index;
    given[index] += up ? 1 : -1;
    if (spent(index)) {
      heap.pop_back();
      continue;
    }
    heap.back() = entry_of(index);
    std::push_heap(heap.begin(), heap.end(), below);
  }
  return given;
}

}  // namespace sealane

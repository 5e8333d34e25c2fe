#include "lib/model/divide.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

struct Entry {
  double quotient;
  int64_t seats;
  size_t index;
};

}  // namespace

std::vector<int64_t> DivideWebster(int64_t seats, const std::vector<Party>& parties,
                                   bool names_descending) {
  std::vector<int64_t> given(parties.size(), 0);
  double total = 0;
  int64_t voters = 0;
  for (const Party& party : parties) {
    if (party.votes <= 0) continue;
    total += static_cast<double>(party.votes);
    ++voters;
  }
  if (voters == 0 || seats <= 0) return given;

  // Many seats at once, as long as they cannot be more than there are: with this threshold each
  // party gets at most half a seat more than votes / (2 * threshold).
  int64_t left = seats;
  if (2 * seats > voters) {
    const double threshold = total / (2 * static_cast<double>(seats) - static_cast<double>(voters));
    int64_t sum = 0;
    for (size_t i = 0; i < parties.size(); ++i) {
      if (parties[i].votes <= 0) continue;
      given[i] = std::min(SeatsAbove(parties[i].votes, threshold), CapOf(parties[i]));
      sum += given[i];
    }
    if (sum > seats) {  // rounding of the doubles: start from nothing
      std::fill(given.begin(), given.end(), 0);
    } else {
      left -= sum;
    }
  }

  // The rest seat by seat.
  const auto later = [names_descending](const Entry& a, const Entry& b) {
    if (a.quotient != b.quotient) return a.quotient < b.quotient;
    if (a.seats != b.seats) return a.seats > b.seats;
    return names_descending ? a.index < b.index : a.index > b.index;
  };
  std::vector<Entry> heap;
  heap.reserve(static_cast<size_t>(voters));
  for (size_t i = 0; i < parties.size(); ++i) {
    if (parties[i].votes <= 0 || given[i] >= CapOf(parties[i])) continue;
    heap.push_back({Quotient(parties[i].votes, given[i]), given[i], i});
  }
  // Each seat goes to a party whose first quotient is among the largest: the others get none.
  if (left < static_cast<int64_t>(heap.size())) {
    const auto end = heap.begin() + left;
    std::nth_element(heap.begin(), end, heap.end(),
                     [&](const Entry& a, const Entry& b) { return later(b, a); });
    heap.erase(end, heap.end());
  }
  std::make_heap(heap.begin(), heap.end(), later);
  while (left > 0 && !heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    Entry& entry = heap.back();
    const Party& party = parties[entry.index];
    ++given[entry.index];
    --left;
    if (given[entry.index] >= CapOf(party)) {
      heap.pop_back();
      continue;
    }
    entry.seats = given[entry.index];
    entry.quotient = Quotient(party.votes, entry.seats);
    std::push_heap(heap.begin(), heap.end(), later);
  }
  return given;
}

}  // namespace sealane

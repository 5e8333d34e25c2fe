#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>

namespace sealane {

// Places that many share, counted by who has them: so many for each at most, and so many for all
// together. Whoever has none is not remembered. Thread rule: one thread, or a lock outside.
class Places {
 public:
  static constexpr size_t kAny = std::numeric_limits<size_t>::max();

  explicit Places(size_t most_of_one = kAny, size_t most = kAny)
      : most_of_one_(most_of_one), most_(most) {}

  // Whether there is none left for `who`.
  [[nodiscard]] bool Full(std::string_view who) const {
    return taken_ >= most_ || TakenBy(who) >= most_of_one_;
  }
  // Takes one; false: there is none left.
  [[nodiscard]] bool Take(std::string_view who) {
    if (Full(who)) return false;
    ++taken_;
    const auto it = by_name_.find(who);
    if (it == by_name_.end()) {
      by_name_.emplace(who, 1);
    } else {
      ++it->second;
    }
    return true;
  }
  // Gives one back that was taken; for others it does nothing.
  void GiveBack(std::string_view who) {
    const auto it = by_name_.find(who);
    if (it == by_name_.end()) return;
    --taken_;
    if (--it->second == 0) by_name_.erase(it);
  }
  [[nodiscard]] size_t TakenBy(std::string_view who) const {
    const auto it = by_name_.find(who);
    return it == by_name_.end() ? 0 : it->second;
  }
  [[nodiscard]] size_t taken() const { return taken_; }

 private:
  size_t most_of_one_;
  size_t most_;
  size_t taken_ = 0;
  std::map<std::string, size_t, std::less<>> by_name_;
};

}  // namespace sealane

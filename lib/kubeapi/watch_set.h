#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "lib/core/places.h"
#include "lib/kubeapi/watch.h"

namespace sealane::kubeapi {

// The open watches of a server, found by what they look at: a change costs what those cost that
// look at its resource and namespace, and its text is made once for all of them. Thread rule: the
// server's executor.
class WatchSet {
 public:
  ~WatchSet() { EndAll(); }

  // Takes a watch in; names it.
  uint64_t Add(std::shared_ptr<Watch> watch);
  // nullptr: it is not open any more.
  [[nodiscard]] std::shared_ptr<Watch> Find(uint64_t id) const;
  // Ends one, if it is open.
  void End(uint64_t id);
  void EndAll();
  void Deliver(const Change& change);

  [[nodiscard]] size_t size() const { return watches_.size(); }
  // Number of those of a user.
  [[nodiscard]] size_t CountOf(std::string_view user) const { return by_user_.TakenBy(user); }

 private:
  using Watches = std::map<uint64_t, std::shared_ptr<Watch>>;

  Watches watches_;
  // Storage name -> namespace, "" of those that look at all -> watches.
  std::map<std::string, std::map<std::string, Watches>> places_;
  Places by_user_;  // counted here, bounded by the server
  uint64_t next_ = 1;
};

}  // namespace sealane::kubeapi

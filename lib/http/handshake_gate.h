#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/time/time.h"

namespace sealane::http {

struct HandshakeLimits {
  // Handshakes under way at once; one source has half of them at most. Each that is on its way may
  // make one established connection wait for about a millisecond.
  size_t max_under_way = 32;
  // Handshakes of one source per second; as many may come at once after a while without any. 0: not
  // bounded.
  int per_second = 200;
  // A handshake under way gives up its place after this time, though it goes on: most of its cost
  // is in its beginning, and a client that says nothing more must not hold a place.
  absl::Duration place_time = absl::Milliseconds(100);
};

// Says whose TLS handshake begins now. A handshake costs the server much more than its client, and
// the thread that makes it serves all other connections too. So strangers wait for their turn: each
// source has its own line, sources take turns, and a source whose allowance of this second is used
// up waits for the next. Nobody is refused here: the server closes whom it lets wait too long.
//
// Time is given with each call and never goes back. Thread rule: one thread.
class HandshakeGate {
 public:
  explicit HandshakeGate(HandshakeLimits limits) : limits_(limits) {}

  // A connection whose client has begun to speak. `source`: what is counted as one, an address.
  void Knock(uint64_t connection, const std::string& source, absl::Duration now);
  // The next one whose handshake begins now; nullopt: nobody, or not yet.
  [[nodiscard]] std::optional<uint64_t> Next(absl::Duration now);
  // The one that Next has just said has no client any more: it costs its source nothing.
  void Withdraw(uint64_t connection);
  // The handshake is done, or the connection was closed. Connections that never knocked are
  // ignored.
  void Leave(uint64_t connection);
  // When Next may say somebody though nobody leaves; nullopt: never.
  [[nodiscard]] std::optional<absl::Duration> WakeAt() const;

  [[nodiscard]] size_t waiting() const { return waiting_.size(); }
  // Connections that had to wait for their turn, and those that ended before it came, since the
  // start.
  [[nodiscard]] uint64_t delayed() const { return delayed_; }
  [[nodiscard]] uint64_t refused() const { return refused_; }
  // Sources that are remembered: those that wait, or had a handshake within about a second.
  [[nodiscard]] size_t sources() const { return sources_.size(); }

 private:
  // By when one of a source may begin; those of one time in the order in which they came to it.
  using Turn = std::pair<absl::Duration, uint64_t>;
  struct Source {
    std::map<uint64_t, uint64_t> line;  // ticket -> connection
    std::optional<Turn> turn;           // none: nobody waits, or it has all places of a source
    size_t under_way = 0;
    // When its allowance will be whole again: a token bucket that needs no refilling.
    absl::Duration whole_at = -absl::InfiniteDuration();
  };
  using Sources = std::map<std::string, Source>;

  [[nodiscard]] size_t MostOfOne() const;
  void SetWholeAt(Sources::iterator source, absl::Duration when);
  // Gives a source its turn, or takes it away.
  void Place(Sources::iterator source);
  // A handshake of that source is over, or has gone on for long.
  void GiveBack(const std::string& name);
  // Takes over places whose time is over and forgets sources that are like new.
  void Advance(absl::Duration now);
  void ForgetIfNew(Sources::iterator source);

  HandshakeLimits limits_;
  absl::Duration now_ = -absl::InfiniteDuration();
  Sources sources_;
  std::map<Turn, std::string> turns_;
  std::set<std::pair<absl::Duration, std::string>> whole_;        // by Source::whole_at
  std::map<uint64_t, std::pair<std::string, uint64_t>> waiting_;  // connection -> source, ticket
  std::map<uint64_t, std::string> under_way_;                     // connection -> source
  std::deque<std::pair<absl::Duration, uint64_t>> places_;        // until when; some are given back
  uint64_t last_ticket_ = 0;
  uint64_t delayed_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace sealane::http

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/bus/bus.h"
#include "lib/core/strings.h"

namespace sealane {

// The streams of a MemoryServer: storage only, no delivery. Thread rule: one thread.
class MemoryStreams {
 public:
  struct Stream {
    StreamConfig config;
    int64_t created_micros = 0;
    uint64_t last_sequence = 0;
    std::map<uint64_t, BusMessage> messages;  // by sequence, delete markers included
    StringMap<std::set<uint64_t>> by_subject;
    StringMap<uint64_t> message_ids;
    std::deque<std::pair<absl::Time, std::string>> message_id_ages;
    int64_t bytes = 0;
    struct Consumer {
      uint64_t floor = 0;  // everything up to here is acknowledged
      uint64_t owner = 0;  // the subscription that binds it now
    };
    std::map<std::string, Consumer, std::less<>> consumers;

    // The last message of a subject, markers included; nullptr when there is none.
    [[nodiscard]] const BusMessage* Last(std::string_view subject) const;
    // The message that goes when another one of the subject comes; nullptr: none.
    [[nodiscard]] const BusMessage* Replaced(std::string_view subject) const;
    // What a new watch is told: the last message per subject (or `all` messages) after sequence
    // `after`, in order.
    [[nodiscard]] std::vector<const BusMessage*> Replay(std::string_view filter, bool all,
                                                        uint64_t after) const;
  };

  // Creates the stream or changes its settings. True when it was created.
  absl::StatusOr<bool> Ensure(const StreamConfig& config, absl::Time now);
  // Stores a message; `*stored` is what went in. UNAVAILABLE when no stream has the subject. Errors
  // as of Bus::Append.
  absl::StatusOr<Appended> Store(const AppendRequest& request, absl::Time now,
                                 const BusMessage** stored);
  [[nodiscard]] Stream* Find(std::string_view name);
  // The stream that keeps messages of this subject, or nullptr.
  [[nodiscard]] Stream* Of(std::string_view subject);
  void Delete(std::string_view name);
  void Recreate(std::string_view name, absl::Time now);
  void RollBack(std::string_view name, uint64_t last_sequence);

 private:
  void Erase(Stream& stream, uint64_t sequence);
  void Expire(Stream& stream, absl::Time now);

  std::map<std::string, Stream, std::less<>> streams_;
  int64_t last_created_micros_ = 0;
};

}  // namespace sealane

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

class MemoryStreams;
class MemoryBus;

// Whose credentials a connection has: which subjects it sees, and under which names
// (lib/bus/subjects.h).
struct BusIdentity {
  enum class Kind { kHub, kCluster, kPlatform };
  Kind kind = Kind::kHub;
  std::string name;  // of the cluster or platform

  static BusIdentity Hub() { return {}; }
  static BusIdentity Cluster(std::string_view name) { return {Kind::kCluster, std::string(name)}; }
  static BusIdentity Platform(std::string_view name) {
    return {Kind::kPlatform, std::string(name)};
  }
};

// What goes wrong with one connection. Messages of a connection never overtake each other.
struct BusFaults {
  // How long each message takes, in each direction. Empty: no time at all.
  std::function<absl::Duration()> delay;
  // How often a core message or a consumer's delivery arrives twice, and an append is stored again
  // although it was answered (as a client's repeat after a lost answer): 0..1.
  double duplicate_probability = 0;
  // The link is cut: what is under way is lost.
  bool disconnected = false;
};

// A message server in this process: core subjects, streams, accounts. It behaves as a NATS server
// with JetStream does, as far as Sealane uses it, and passes the same contract tests.
//
// Thread rule: server, connections and the executor all on one thread. The env must outlive the
// server, the server its connections.
class MemoryServer {
 public:
  explicit MemoryServer(Env env);
  ~MemoryServer();
  MemoryServer(const MemoryServer&) = delete;
  MemoryServer& operator=(const MemoryServer&) = delete;

  // Opens a connection. `name` is for SetFaults; several connections may share one.
  [[nodiscard]] std::unique_ptr<Bus> Connect(BusIdentity identity, std::string_view name = {});

  // From now on, for present and later connections of that name.
  void SetFaults(std::string_view connection_name, BusFaults faults);
  // The process is killed and comes back `downtime` later: connections drop, what is under way is
  // lost, streams and consumers stay (file storage).
  void Restart(absl::Duration downtime = absl::Milliseconds(200));
  // The stream is deleted and made again with the same settings, empty; consumers are gone.
  void RecreateStream(std::string_view stream);
  // The stream and its consumers are gone until someone ensures it again.
  void DeleteStream(std::string_view stream);
  // The stream loses everything after `last_sequence`, as when an older backup is restored.
  void RollBackStream(std::string_view stream, uint64_t last_sequence);

  [[nodiscard]] size_t MaxPayload() const { return 1 << 20; }
  // Messages a stream holds, delete markers included; 0 when it does not exist.
  [[nodiscard]] size_t StreamSize(std::string_view stream) const;
  [[nodiscard]] uint64_t StreamLastSequence(std::string_view stream) const;
  // Messages accepted from all connections so far: what tests compare costs with.
  [[nodiscard]] uint64_t messages_in() const { return messages_in_; }

 private:
  friend class MemoryBus;

  [[nodiscard]] bool Up() const { return env_.clock.Monotonic() >= up_at_; }
  uint64_t Attach(MemoryBus* bus);
  void Detach(uint64_t id);
  // Delivers a core message, named as in HUB, to its subscribers; true when there was one.
  bool Route(const BusMessage& message);
  // Stores a message, tells watches and consumers, republishes it.
  absl::StatusOr<Appended> Store(const AppendRequest& request);
  [[nodiscard]] const BusFaults& FaultsOf(const std::string& name) const;
  // Watches and consumers of the stream begin again, as after losing their server-side half.
  void RestartReaders(std::string_view stream);
  void ConnectionsChanged();

  Env env_;
  std::unique_ptr<MemoryStreams> streams_;
  std::map<uint64_t, MemoryBus*> connections_;
  std::map<std::string, BusFaults, std::less<>> faults_;
  std::map<std::string, uint64_t> queue_turns_;  // whose turn it is in a queue group
  uint64_t next_id_ = 1;                         // of connections, subscriptions, inboxes
  uint64_t messages_in_ = 0;
  absl::Duration up_at_ = -absl::InfiniteDuration();
  std::unique_ptr<ScopedExecutor> executor_;
};

}  // namespace sealane

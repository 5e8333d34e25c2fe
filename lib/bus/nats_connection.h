#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "lib/bus/bus.h"
#include "lib/bus/nats_bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

struct __natsConnection;
struct __natsMsg;
struct __natsSubscription;

namespace sealane {

class NatsInbound;

// One connection of the C client library, as an object of the executor thread. What the library
// (3.4.1) does not survive, or does in ways we cannot use, is handled here:
//
//  - Callbacks run on the library's threads. They find us through a number (never a pointer that
//  may be
//    dangling), copy the message into a queue and return.
//  - A subscription is never destroyed while messages may arrive: it is unsubscribed, and destroyed
//  by
//    a reaper a while later, or after its connection was closed.
//  - Connecting blocks; it runs on a thread of its own until it succeeds. When the library gives a
//    connection up (it does after repeated authorization errors), a new one is made.
//  - Subjects are checked before they reach it: the server cuts clients that send bad ones.
class NatsConnection {
 public:
  struct Handlers {
    std::function<void(bool connected)> on_state;
    // Core messages were dropped: whoever relies on having seen all reads again.
    std::function<void()> on_lost;
    std::function<void(std::string_view what)> on_error;
  };
  using MessageHandler = std::function<void(BusMessage&)>;

  // Whether what is published leaves at once, or is gathered for about a millisecond.
  enum class Sending { kAtOnce, kGathered };

  // `role` is appended to the connection's name.
  NatsConnection(Env env, NatsOptions options, std::string_view role, Handlers handlers,
                 Sending sending = Sending::kAtOnce);
  ~NatsConnection();
  NatsConnection(const NatsConnection&) = delete;
  NatsConnection& operator=(const NatsConnection&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] size_t max_payload() const { return max_payload_; }
  [[nodiscard]] uint64_t dropped() const;

  // Makes the connection again, with the login as its files have it now.
  void Renew();

  // UNAVAILABLE when disconnected. The caller has checked the subject, headers and size.
  absl::Status Publish(const std::string& subject, const std::string& reply,
                       std::string_view payload, const Headers& headers);
  // Lasts over reconnects, until Unsubscribe. `bounded`: its messages may be dropped when too many
  // wait (core messages); otherwise its sender bounds them (flow control).
  uint64_t Subscribe(const std::string& filter, const std::string& queue_group, bool bounded,
                     MessageHandler handler);
  void Unsubscribe(uint64_t id);
  // A subject under which nobody else receives: "_INBOX.<random>".
  [[nodiscard]] const std::string& inbox() const { return inbox_; }

 private:
  struct Sub {
    std::string filter;
    std::string queue_group;
    bool bounded = true;
    std::shared_ptr<MessageHandler> handler;
    __natsSubscription* handle = nullptr;
    uint64_t key = 0;  // in the callbacks' registry
  };
  void Drain();
  void OnOpened(__natsConnection* connection);
  void OnClosed(std::string_view why);
  void SetConnected(bool connected);
  void Attach(uint64_t id, Sub& sub);
  void Detach(Sub& sub);
  void Reap();
  void Dispose(__natsConnection* connection);
  // Published; destroyed in batches, the last of a turn at its end.
  void Spend(__natsMsg* message);

  Env env_;
  const NatsOptions options_;
  const Handlers handlers_;
  const std::string inbox_;
  std::shared_ptr<NatsInbound> inbound_;
  __natsConnection* connection_ = nullptr;
  bool connected_ = false;
  size_t max_payload_ = 1 << 20;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Sub> subs_;
  // Unsubscribed, to be destroyed at the time.
  std::vector<std::pair<absl::Duration, __natsSubscription*>> dying_;
  TimerId reap_timer_ = 0;
  std::vector<__natsMsg*> spent_;
  ScopedExecutor executor_;
};

}  // namespace sealane

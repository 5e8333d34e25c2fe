#pragma once

#include <nats/nats.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "lib/bus/nats_bus.h"
#include "lib/core/env.h"
#include "lib/core/mutex.h"

namespace sealane {

// What the library's threads tell a NatsConnection: a queue with a lock, and the thread that
// connects. Thread rule: every method is safe from any thread.
class NatsInbound : public std::enable_shared_from_this<NatsInbound> {
 public:
  struct Item {
    enum class Kind { kMessage, kOpened, kDisconnected, kReconnected, kClosed, kLost, kError };
    Kind kind = Kind::kMessage;
    uint64_t subscription = 0;
    natsConnection* connection = nullptr;  // kOpened: the new one; else: the one it is about
    BusMessage message;                    // kError: the text is its payload
    size_t bytes = 0;
  };

  // `drain` is posted to the executor when something waits. `send_asap`: what is published leaves
  // at once, else the library gathers it for about a millisecond.
  NatsInbound(Executor& executor, NatsOptions options, std::string name, bool send_asap,
              std::function<void()> drain);

  // Starts a thread that connects until it succeeds, then queues kOpened.
  void Connect();
  // Nothing is posted or queued any more. Waits for the connecting thread.
  void Stop();

  // The number under which the library's callbacks find (this, subscription).
  uint64_t Register(uint64_t subscription, bool bounded);
  static void Unregister(uint64_t key);

  void Push(Item item);
  // A message of a subscription, unless the bound is exceeded. Takes the message.
  void PushMessage(uint64_t subscription, bool bounded, natsMsg* message);
  // What waits, at most `max` items; sets `*more`.
  std::deque<Item> Take(size_t max, bool* more);
  // Destroys messages. Each one goes through a thread of the library, which is woken for it unless
  // it is busy: so they are destroyed in batches.
  static void Destroy(std::vector<natsMsg*>& messages);
  [[nodiscard]] uint64_t dropped() const;

  // Callbacks for the library; the closure is a key.
  static void OnMessage(natsConnection* connection, natsSubscription* sub, natsMsg* message,
                        void* closure);
  static void OnDisconnected(natsConnection* connection, void* closure);
  static void OnReconnected(natsConnection* connection, void* closure);
  static void OnClosed(natsConnection* connection, void* closure);
  static void OnError(natsConnection* connection, natsSubscription* sub, natsStatus error,
                      void* closure);

 private:
  void ConnectLoop(uint64_t key);
  natsStatus MakeOptions(natsOptions** out, uint64_t key) const;
  void Notify() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PushLocked(Item item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const NatsOptions options_;
  const std::string name_;
  const bool send_asap_;
  const std::function<void()> drain_;
  mutable Mutex mutex_;
  CondVar stopped_;
  Executor* executor_ ABSL_GUARDED_BY(mutex_);
  bool posted_ ABSL_GUARDED_BY(mutex_) = false;
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;  // kLost waits in the queue
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<natsMsg*> spent_ ABSL_GUARDED_BY(mutex_);  // copied, to be destroyed
  uint64_t connection_key_ = 0;
  std::thread connector_;  // of the executor thread alone
};

}  // namespace sealane

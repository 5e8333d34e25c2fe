#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/http/handler.h"
#include "lib/telemetry/metrics.h"

namespace sealane::status {

struct EventFeedOptions {
  size_t kept = 500;   // newest events, for who comes or comes back
  size_t first = 100;  // of them, told to who comes for the first time
  size_t max_listeners = 64;
  // Of what one listener has not taken yet; more, and it is dropped.
  size_t max_pending_bytes = 256 << 10;
  absl::Duration keep_alive = absl::Seconds(10);
};

// Passes the stream `events` on to HTTP clients as server-sent events. An event's id is
// "<life of the stream>.<sequence>": after a break a client says the last one it saw
// (Last-Event-ID), also to another process, and gets what came since, as far as it is kept; where
// something is missing it is told so by an event of the type `gap`. Thread rule: the executor
// thread only.
class EventFeed {
 public:
  // `may_tell`: false ends every listener at the next keep-alive. The bus and env must outlive it.
  EventFeed(Env env, Bus& bus, Registry& metrics, std::function<bool()> may_tell,
            EventFeedOptions options = {});
  ~EventFeed();

  // Begins to follow the stream.
  void Start();
  // Answers with a stream that ends when the client leaves, is too slow, or this object is
  // destroyed; 503 when there are enough listeners. `last_id`: see above; empty: none.
  void Listen(std::string_view last_id, std::shared_ptr<http::ResponseWriter> writer);
  [[nodiscard]] size_t listeners() const { return listeners_.size(); }

 private:
  struct Entry {
    uint64_t sequence;
    std::string text;  // as it is sent
  };
  struct Listener {
    std::shared_ptr<http::ResponseWriter> writer;
    std::string last_id;
    bool begun = false;
  };

  void OnStream(const WatchEvent& event);
  // What it has not seen of what is kept.
  void Begin(Listener& listener);
  // False: it is too slow, and was cut off.
  bool Tell(Listener& listener, const std::string& text);
  void TellAll(const std::string& text);
  void EndAll();
  void KeepAlive();

  Bus& bus_;
  std::function<bool()> may_tell_;
  EventFeedOptions options_;
  Gauge& listening_;
  Counter& dropped_;
  bool synced_ = false;
  int64_t stream_created_micros_ = 0;
  uint64_t last_sequence_ = 0;
  std::deque<Entry> kept_;
  std::map<uint64_t, Listener> listeners_;
  uint64_t next_listener_ = 1;
  ScopedExecutor executor_;
  std::unique_ptr<Subscription> watch_;
};

}  // namespace sealane::status

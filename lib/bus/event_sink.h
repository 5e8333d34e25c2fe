#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "lib/bus/bus.h"
#include "lib/core/backoff.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

namespace v1 {
class Event;
}  // namespace v1

// Publishes what a service decided or did to the log `events` (subject: hub::Event).
// Fire and forget: an event is repeated until it is stored (de-duplicated by its id); when more
// than `max_waiting` wait, the oldest are dropped and counted. Thread rule: the executor thread
// only.
class EventSink {
 public:
  // `service`: policy, scheduler, status. The bus and env must outlive the sink.
  EventSink(Bus& bus, Env env, std::string_view service, size_t max_waiting = 10'000);

  // Fills id, time_micros, service and type ("Normal") when unset. `event.reason` is required.
  void Emit(v1::Event event);
  // Shorthand. `type`: Normal or Warning.
  void Emit(std::string_view type, std::string_view reason, std::string_view message,
            std::string_view cluster = {});

  [[nodiscard]] uint64_t emitted() const { return emitted_; }
  [[nodiscard]] uint64_t dropped() const { return dropped_; }
  [[nodiscard]] size_t waiting() const { return waiting_.size() + in_flight_; }

 private:
  void Pump();
  void Send(AppendRequest request);

  Bus& bus_;
  Env env_;
  const std::string service_;
  const size_t max_waiting_;
  std::deque<AppendRequest> waiting_;
  size_t in_flight_ = 0;
  uint64_t emitted_ = 0;
  uint64_t dropped_ = 0;
  bool paused_ = false;  // after a failure, for the back-off
  Backoff backoff_;
  ScopedExecutor executor_;
};

}  // namespace sealane

#include "lib/bus/event_sink.h"

#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/ids.h"
#include "lib/core/time.h"
#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/common.pb.h"

namespace sealane {
namespace {

constexpr size_t kMaxInFlight = 64;

}  // namespace

EventSink::EventSink(Bus& bus, Env env, std::string_view service, size_t max_waiting)
    : bus_(bus),
      env_(env),
      service_(service),
      max_waiting_(max_waiting),
      backoff_({absl::Milliseconds(200), absl::Seconds(30)}),
      executor_(env.executor) {}

void EventSink::Emit(v1::Event event) {
  if (event.id().empty()) event.set_id(NewUuid(env_.random));
  if (event.time_micros() == 0) event.set_time_micros(ToMicros(env_.clock.Now()));
  if (event.service().empty()) event.set_service(service_);
  if (event.type().empty()) event.set_type("Normal");
  ++emitted_;
  if (waiting_.size() >= max_waiting_) {
    waiting_.pop_front();
    ++dropped_;
  }
  AppendRequest request;
  request.subject =
      hub::Event(event.service(), event.reason(), event.cluster(), KeyOf(event.ref()));
  request.payload = event.SerializeAsString();
  request.message_id = event.id();
  request.unordered = true;
  waiting_.push_back(std::move(request));
  Pump();
}

void EventSink::Emit(std::string_view type, std::string_view reason, std::string_view message,
                     std::string_view cluster) {
  v1::Event event;
  event.set_type(std::string(type));
  event.set_reason(std::string(reason));
  event.set_message(std::string(message));
  event.set_cluster(std::string(cluster));
  Emit(std::move(event));
}

void EventSink::Pump() {
  while (!paused_ && in_flight_ < kMaxInFlight && !waiting_.empty()) {
    AppendRequest request = std::move(waiting_.front());
    waiting_.pop_front();
    Send(std::move(request));
  }
}

void EventSink::Send(AppendRequest request) {
  ++in_flight_;
  AppendRequest copy = request;
  bus_.Append(std::move(copy), [this, alive = executor_.alive(), request = std::move(request)](
                                   const absl::StatusOr<Appended>& result) mutable {
    if (alive.expired()) return;
    --in_flight_;
    if (result.ok()) {
      backoff_.Reset();
    } else if (absl::IsInvalidArgument(result.status())) {
      ++dropped_;  // too large: it never will be stored
    } else {
      waiting_.push_front(std::move(request));
      if (!paused_) {
        paused_ = true;
        executor_.After(backoff_.Next(env_.random), [this] {
          paused_ = false;
          Pump();
        });
      }
    }
    Pump();
  });
}

}  // namespace sealane

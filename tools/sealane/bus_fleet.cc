#include "tools/sealane/bus_fleet.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/ids.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "tools/sealane/mailbox.h"

namespace sealane::cli {
namespace {

// Until when something may take.
class Deadline {
 public:
  Deadline(Clock& clock, absl::Duration timeout)
      : clock_(clock), end_(clock.Monotonic() + timeout) {}
  [[nodiscard]] absl::Duration Left() const {
    return std::max(absl::ZeroDuration(), end_ - clock_.Monotonic());
  }

 private:
  Clock& clock_;
  absl::Duration end_;
};

// Waits for mail and tells meanwhile how long it takes; its end is told when it is destroyed.
class Waiting {
 public:
  Waiting(Clock& clock, std::string_view who, absl::Duration every,
          const Fleet::WaitingHandler& handler)
      : clock_(clock), who_(who), every_(every), handler_(handler), start_(clock.Monotonic()) {}
  ~Waiting() {
    if (told_) handler_(who_, absl::ZeroDuration());
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  // As Mailbox::Take.
  template <typename T>
  std::optional<T> Take(Mailbox<T>& mailbox, absl::Duration timeout) {
    const Deadline deadline(clock_, timeout);
    while (true) {
      const absl::Duration left = deadline.Left();
      std::optional<T> value = mailbox.Take(handler_ ? std::min(left, every_) : left);
      if (value.has_value() || left == absl::ZeroDuration() || !handler_) return value;
      if (const absl::Duration waited = clock_.Monotonic() - start_; waited >= every_) {
        handler_(who_, waited);
        told_ = true;
      }
    }
  }

 private:
  Clock& clock_;
  const std::string who_;
  const absl::Duration every_;
  const Fleet::WaitingHandler& handler_;
  const absl::Duration start_;
  bool told_ = false;
};

absl::Status NoAnswer(std::string_view who, absl::Duration timeout) {
  return absl::DeadlineExceededError(
      ToAbsl(StrCat(who, " did not answer within ", absl::FormatDuration(timeout),
                    "; is it running? Its /readyz says what it waits for")));
}

template <typename T>
absl::StatusOr<T> Parse(std::string_view payload, std::string_view what) {
  T message;
  if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return Internal(StrCat("a malformed ", what, " was received"));
  }
  return message;
}

}  // namespace

void BusFleet::OnLoop(const std::function<void()>& fn) {
  Mailbox<bool> done;
  loop_.Post([&] {
    fn();
    done.Put(true);
  });
  done.Take(absl::InfiniteDuration());
}

absl::StatusOr<std::unique_ptr<Fleet>> BusFleet::Connect(
    const BusMaker& make_bus, absl::Duration timeout, Options options,
    const std::function<std::string()>& why_not) {
  std::unique_ptr<BusFleet> fleet(new BusFleet(std::move(options)));
  fleet->loop_.Start();
  absl::Status made;
  Mailbox<bool> connected;
  std::unique_ptr<Subscription> state;
  fleet->OnLoop([&] {
    absl::StatusOr<std::unique_ptr<Bus>> bus = make_bus(fleet->loop_.env());
    made = bus.status();
    if (!bus.ok()) return;
    fleet->bus_ = *std::move(bus);
    state = fleet->bus_->OnState([&connected](BusState now) {
      if (now == BusState::kConnected) connected.Put(true);
    });
  });
  SEALANE_RETURN_IF_ERROR(made);
  std::string why;
  const bool reached = connected.Take(timeout).has_value();
  fleet->OnLoop([&] {
    state.reset();
    fleet->max_payload_ = fleet->bus_->MaxPayload();
    if (!reached) why = why_not();
  });
  if (!reached) {
    return Unavailable(
        StrCat("the bus cannot be reached within ", absl::FormatDuration(timeout), ": ", why));
  }
  return fleet;
}

BusFleet::~BusFleet() {
  OnLoop([this] { bus_.reset(); });
  loop_.Stop();
}

int64_t BusFleet::NowMicros() const { return ToMicros(loop_.clock().Now()); }

std::string BusFleet::NewId() { return NewUuid(random_); }

absl::StatusOr<v1::DeployResult> BusFleet::Deploy(const v1::DeployEvent& event,
                                                  absl::Duration timeout) {
  const std::string payload = event.SerializeAsString();
  if (payload.size() > max_payload_) {
    return InvalidArgument(
        StrCat("the event has ", payload.size(), " bytes; the bus takes ", max_payload_));
  }
  const Deadline deadline(loop_.clock(), timeout);
  // Shared with callbacks that may come when this call has ended.
  struct Shared {
    Mailbox<absl::StatusOr<std::string>> answers;
    bool stored = false;  // on the loop's thread
  };
  const auto shared = std::make_shared<Shared>();
  // Always with the event's id, so that the bus stores it once.
  const auto publish = [&] {
    AppendRequest request;
    request.subject = std::string(platform::kDeploy);
    request.payload = payload;
    request.message_id = event.id();
    bus_->Append(std::move(request), [shared](const absl::StatusOr<Appended>& appended) {
      if (appended.ok()) {
        shared->stored = true;
      } else if (appended.status().code() == absl::StatusCode::kInvalidArgument ||
                 appended.status().code() == absl::StatusCode::kResourceExhausted) {
        shared->answers.Put(appended.status());
      }
    });
  };
  std::unique_ptr<Subscription> subscription;
  OnLoop([&] {
    subscription = bus_->Subscribe(
        platform::Deployed(event.id()),
        [shared](const BusMessage& message) { shared->answers.Put(message.payload); });
    publish();
  });
  absl::StatusOr<v1::DeployResult> answer = absl::DeadlineExceededError("");
  bool was_stored = false;
  Waiting waiting(loop_.clock(), "sealane-policy", options_.tell_every, waiting_);
  for (;;) {
    auto got = waiting.Take(shared->answers, std::min(deadline.Left(), options_.ask_again));
    if (got.has_value()) {
      if (got->ok()) {
        answer = Parse<v1::DeployResult>(**got, "DeployResult");
      } else {
        answer = got->status();
      }
      break;
    }
    OnLoop([&] { was_stored = shared->stored; });
    if (deadline.Left() == absl::ZeroDuration()) break;
    // The answer is a plain message and can get lost; it is kept, so ask for it. Publishing a
    // stored event again could undo what came after it.
    const auto kept = Result(event.id(), std::min(deadline.Left(), options_.ask_again));
    if (kept.ok() && kept->has_value()) {
      answer = **kept;
      break;
    }
    if (!was_stored) OnLoop(publish);
  }
  OnLoop([&] { subscription.reset(); });
  if (answer.status().code() != absl::StatusCode::kDeadlineExceeded) return answer;
  if (was_stored) {
    return absl::DeadlineExceededError(ToAbsl(StrCat(
        "the event ", event.id(), " is stored, but sealane-policy has not answered within ",
        absl::FormatDuration(timeout), "; it will be handled when the service is back: `sealane ",
        "result ", event.id(), "` asks for the answer. Do not publish it again")));
  }
  return Unavailable(StrCat("nobody confirmed within ", absl::FormatDuration(timeout),
                            " that the event ", event.id(), " is stored; `sealane result ",
                            event.id(), "` tells later whether it was. Has sealane-policy run on ",
                            "this bus? It makes the deploy stream"));
}

absl::StatusOr<std::optional<v1::DeployResult>> BusFleet::Result(std::string_view event_id,
                                                                 absl::Duration timeout) {
  v1::QueryRequest request;
  request.set_name(std::string(event_id));
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply,
                           Ask(platform::kResults, "sealane-policy", request, timeout));
  if (reply.body().empty()) return std::optional<v1::DeployResult>();
  SEALANE_ASSIGN_OR_RETURN(v1::DeployResult result,
                           Parse<v1::DeployResult>(reply.body(), "DeployResult"));
  return std::optional<v1::DeployResult>(std::move(result));
}

absl::StatusOr<v1::QueryReply> BusFleet::Query(std::string_view service,
                                               const v1::QueryRequest& request,
                                               absl::Duration timeout) {
  return Ask(platform::Query(service), StrCat("sealane-", service), request, timeout);
}

absl::StatusOr<v1::QueryReply> BusFleet::Ask(std::string_view subject, std::string_view who,
                                             const v1::QueryRequest& request,
                                             absl::Duration timeout) {
  const Deadline deadline(loop_.clock(), timeout);
  Mailbox<absl::StatusOr<std::string>> parts;
  std::unique_ptr<Subscription> subscription;
  const std::string payload = request.SerializeAsString();
  OnLoop([&] {
    subscription =
        bus_->RequestMany(subject, payload, [&](const absl::StatusOr<BusMessage>& message) {
          if (message.ok()) {
            parts.Put(message->payload);
          } else {
            parts.Put(message.status());
          }
        });
  });
  const auto collect = [&]() -> absl::StatusOr<v1::QueryReply> {
    v1::QueryReply merged;
    Waiting waiting(loop_.clock(), who, options_.tell_every, waiting_);
    for (;;) {
      std::optional<absl::StatusOr<std::string>> part = waiting.Take(parts, deadline.Left());
      if (!part.has_value()) return NoAnswer(who, timeout);
      if (!part->ok()) {
        if (part->status().code() != absl::StatusCode::kUnavailable) return part->status();
        return Unavailable(
            StrCat(who, " is not there (nobody answers ", subject, "); is it running?"));
      }
      SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply,
                               Parse<v1::QueryReply>(**part, "QueryReply"));
      if (!reply.error().empty()) {
        return absl::AbortedError(ToAbsl(StrCat(who, ": ", reply.error())));
      }
      merged.MergeFrom(reply);
      if (reply.end()) return merged;
    }
  };
  absl::StatusOr<v1::QueryReply> result = collect();
  OnLoop([&] { subscription.reset(); });
  return result;
}

absl::Status BusFleet::Follow(std::string_view filter, absl::Duration timeout,
                              const BeginHandler& begin, const MessageHandler& handler) {
  const Deadline deadline(loop_.clock(), timeout);
  Mailbox<std::pair<std::string, std::string>> messages;
  std::unique_ptr<Subscription> subscription;
  OnLoop([&] {
    subscription = bus_->Subscribe(filter, [&messages](const BusMessage& message) {
      messages.Put({message.subject, message.payload});
    });
  });
  absl::Status status;
  bool go_on = begin();
  while (go_on) {
    const auto message = messages.Take(deadline.Left());
    if (!message.has_value()) {
      status = absl::DeadlineExceededError("the time is up");
      break;
    }
    go_on = handler(message->first, message->second);
  }
  OnLoop([&] { subscription.reset(); });
  return status;
}

absl::StatusOr<std::string> BusFleet::Call(std::string_view subject, std::string_view payload,
                                           absl::Duration timeout) {
  const auto answer = std::make_shared<Mailbox<absl::StatusOr<std::string>>>();
  OnLoop([&] {
    bus_->Request(subject, payload, timeout, [answer](const absl::StatusOr<BusMessage>& message) {
      if (message.ok()) {
        answer->Put(message->payload);
      } else {
        answer->Put(message.status());
      }
    });
  });
  Waiting waiting(loop_.clock(), subject, options_.tell_every, waiting_);
  std::optional<absl::StatusOr<std::string>> got =
      waiting.Take(*answer, timeout + absl::Seconds(1));
  return got.has_value() ? *std::move(got) : NoAnswer(subject, timeout);
}

}  // namespace sealane::cli

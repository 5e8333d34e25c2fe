#include "lib/runtime/leader_lease.h"

#include <algorithm>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/ids.h"
#include "lib/core/strings.h"
#include "sealane/v1/lease.pb.h"

namespace sealane {
namespace {

// A leader stops this part of the duration before its lease can be taken.
constexpr double kSafetyMargin = 0.2;

std::string Subject(const std::string& service) { return StrCat(kLeasesTable, ".", service); }

}  // namespace

LeaderLease::LeaderLease(Bus& bus, Env env, LeaderLeaseOptions options,
                         std::function<void()> on_lead, std::function<void()> on_lose)
    : bus_(bus),
      env_(env),
      options_(std::move(options)),
      on_lead_(std::move(on_lead)),
      on_lose_(std::move(on_lose)),
      self_(StrCat(options_.instance, "/", NewUuid(env.random))),
      executor_(env.executor) {}

LeaderLease::~LeaderLease() = default;

void LeaderLease::Start() {
  StreamConfig config;
  config.name = std::string(kLeasesTable);
  config.subjects = {StrCat(kLeasesTable, ".>")};
  config.replicas = options_.replicas;
  bus_.EnsureStream(config, [](const absl::Status&) {});
  WatchOptions options;
  options.stream = std::string(kLeasesTable);
  options.filter = Subject(options_.service);
  watch_ = bus_.Watch(options, [this](const WatchEvent& event) { Observe(event); });
}

void LeaderLease::Observe(const WatchEvent& event) {
  switch (event.type) {
    case WatchEvent::Type::kReset:
      row_since_reset_ = false;
      return;
    case WatchEvent::Type::kSynced:
      if (!std::exchange(row_since_reset_, true)) {
        // The stream is new, or lost the row.
        seen_sequence_ = 0;
        seen_holder_.clear();
      }
      synced_ = true;
      break;
    case WatchEvent::Type::kPut:
    case WatchEvent::Type::kDelete: {
      row_since_reset_ = true;
      v1::Lease row;
      if (!row.ParseFromString(event.message.payload)) row.Clear();
      // Replays tell the same row again; that is no sign of life.
      if (event.message.sequence == seen_sequence_ && row.holder() == seen_holder_) break;
      seen_sequence_ = event.message.sequence;
      seen_holder_ = row.holder();
      seen_term_ = std::max(seen_term_, row.term());
      seen_duration_ = absl::Microseconds(row.duration_micros());
      seen_at_ = env_.clock.Monotonic();
      break;
    }
  }
  Decide();
}

// Level-triggered: looks at what is known now and does or schedules the next step.
void LeaderLease::Decide() {
  if (released_) return;
  const absl::Duration now = env_.clock.Monotonic();
  if (leading_) {
    const absl::Duration until = began_ + options_.duration * (1 - kSafetyMargin);
    // Someone else's row: the compare-and-set of the next renewal would only tell the same later.
    if (now >= until || (!writing_ && seen_holder_ != self_)) return SetLeading(false);
    const absl::Duration next = std::max(began_ + options_.renew_every, not_before_);
    if (!writing_ && now >= next) {
      Write(false, {});
      return WakeAt(until);
    }
    return WakeAt(writing_ ? until : std::min(until, next));
  }
  if (!synced_ || writing_) return;
  absl::Duration when = not_before_;
  if (!seen_holder_.empty() && seen_holder_ != self_) {
    when = std::max(when, seen_at_ + seen_duration_);
  }
  if (now < when) return WakeAt(when);
  Write(false, {});
}

void LeaderLease::Write(bool release, std::function<void()> done) {
  writing_ = true;
  v1::Lease row;
  const bool same_term = seen_holder_ == self_;
  row.set_term(same_term ? seen_term_ : seen_term_ + 1);
  if (!same_term) renewals_ = 0;
  row.set_renewals(++renewals_);
  if (!release) row.set_holder(self_);
  row.set_duration_micros(absl::ToInt64Microseconds(options_.duration));
  row.set_acquired_micros(absl::ToUnixMicros(env_.clock.Now()));
  AppendRequest request;
  request.subject = Subject(options_.service);
  request.payload = row.SerializeAsString();
  request.expected_last_sequence = seen_sequence_;
  const absl::Duration began = env_.clock.Monotonic();
  bus_.Append(std::move(request),
              [this, alive = executor_.alive(), began, term = row.term(), release,
               done = std::move(done)](const absl::StatusOr<Appended>& result) {
                if (alive.expired()) return;
                Wrote(result, began, term, release);
                if (done) done();
              });
}

void LeaderLease::Wrote(const absl::StatusOr<Appended>& result, absl::Duration began, int64_t term,
                        bool release) {
  writing_ = false;
  const absl::Duration now = env_.clock.Monotonic();
  if (result.ok()) {
    // Unless the watch told of something newer already.
    if (result->sequence >= seen_sequence_) {
      seen_sequence_ = result->sequence;
      seen_holder_ = release ? "" : self_;
      seen_term_ = term;
      seen_duration_ = options_.duration;
      seen_at_ = now;
    }
    if (release) return;
    began_ = began;
    not_before_ = absl::ZeroDuration();
    const bool still_ours = seen_holder_ == self_ && !released_;
    if (still_ours && now < began_ + options_.duration * (1 - kSafetyMargin)) SetLeading(true);
  } else {
    // ABORTED: the watch will tell who was first. Anything else: unknown; the lease runs on, and
    // spreads the next attempts of several candidates.
    not_before_ = now + options_.renew_every * (0.25 + 0.25 * env_.random.Fraction());
    if (absl::IsAborted(result.status()) && leading_) SetLeading(false);
  }
  Decide();
}

void LeaderLease::Release(std::function<void()> done) {
  const bool held = leading_;
  released_ = true;
  executor_.Cancel(std::exchange(timer_, 0));
  SetLeading(false);
  if (held && !writing_) {
    Write(true, std::move(done));
  } else {
    executor_.Post(std::move(done));
  }
}

void LeaderLease::WakeAt(absl::Duration when) {
  executor_.Cancel(std::exchange(timer_, 0));
  timer_ = executor_.After(when - env_.clock.Monotonic(), [this] {
    timer_ = 0;
    Decide();
  });
}

void LeaderLease::SetLeading(bool leading) {
  if (leading_ == leading) return;
  leading_ = leading;
  executor_.Post(leading ? on_lead_ : on_lose_);
  if (!leading) executor_.Post([this] { Decide(); });
}

}  // namespace sealane

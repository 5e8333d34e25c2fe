#include "lib/bus/sole_writer.h"

#include <utility>

namespace sealane {
namespace {

// While following: soon, so that a burst of writes finds the writer ready. Its predecessor's last
// writes are stored or given up by then.
constexpr absl::Duration kSettle = absl::Seconds(2);
constexpr absl::Duration kCheckEvery = absl::Seconds(30);

}  // namespace

SoleWriter::SoleWriter(Bus& bus, Env env, std::string stream, Hooks hooks)
    : bus_(bus), stream_(std::move(stream)), hooks_(std::move(hooks)), executor_(env.executor) {}

void SoleWriter::Set(bool sole) {
  if (sole == sole_) return;
  sole_ = sole;
  executor_.Cancel(std::exchange(timer_, 0));
  state_.reset();
  if (!sole) {
    if (!std::exchange(following_, true)) hooks_.follow(true);
    return;
  }
  state_ = bus_.OnState([this](BusState state) {
    if (state == BusState::kDisconnected) Doubt();
  });
  CheckAfter(kSettle);
}

void SoleWriter::Doubt() {
  if (std::exchange(following_, true)) return;
  hooks_.follow(true);
  CheckAfter(kSettle);
}

void SoleWriter::CheckAfter(absl::Duration wait) {
  executor_.Cancel(timer_);
  timer_ = executor_.After(wait, [this] { Check(); });
}

void SoleWriter::Check() {
  CheckAfter(following_ ? kSettle : kCheckEvery);
  const std::optional<StreamState> believed = hooks_.believed();
  if (!believed.has_value()) return;
  bus_.GetStreamState(stream_, [this, alive = executor_.alive(),
                                before = *believed](const absl::StatusOr<StreamState>& is) {
    if (!alive.expired() && sole_) Compare(before, is);
  });
}

void SoleWriter::Compare(const StreamState& before, const absl::StatusOr<StreamState>& is) {
  const std::optional<StreamState> now = hooks_.believed();
  // A write in between makes the comparison worthless.
  if (!now.has_value() || !(*now == before)) return;
  if (!is.ok()) {
    if (absl::IsNotFound(is.status())) Doubt();
    return;
  }
  if (!(*is == before)) {
    Doubt();
  } else if (std::exchange(following_, false)) {
    hooks_.follow(false);
    CheckAfter(kCheckEvery);
  }
}

}  // namespace sealane

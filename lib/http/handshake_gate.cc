#include "lib/http/handshake_gate.h"

#include <algorithm>

namespace sealane::http {

size_t HandshakeGate::MostOfOne() const { return std::max<size_t>(1, limits_.max_under_way / 2); }

void HandshakeGate::Knock(uint64_t connection, const std::string& source, absl::Duration now) {
  Advance(now);
  const auto it = sources_.try_emplace(source).first;
  const uint64_t ticket = ++last_ticket_;
  it->second.line[ticket] = connection;
  waiting_[connection] = {source, ticket};
  if (!it->second.turn.has_value()) Place(it);
  const bool at_once = under_way_.size() < limits_.max_under_way && it->second.line.size() == 1 &&
                       !turns_.empty() && it->second.turn == turns_.begin()->first &&
                       it->second.turn->first <= now_;
  if (!at_once) ++delayed_;
}

std::optional<uint64_t> HandshakeGate::Next(absl::Duration now) {
  Advance(now);
  if (turns_.empty() || turns_.begin()->first.first > now) return std::nullopt;
  if (under_way_.size() >= limits_.max_under_way) return std::nullopt;
  const auto it = sources_.find(turns_.begin()->second);
  Source& source = it->second;
  const uint64_t connection = source.line.begin()->second;
  source.line.erase(source.line.begin());
  waiting_.erase(connection);
  under_way_[connection] = it->first;
  ++source.under_way;
  places_.emplace_back(now + limits_.place_time, connection);
  if (limits_.per_second > 0) {
    SetWholeAt(it, std::max(source.whole_at, now) + absl::Seconds(1) / limits_.per_second);
  }
  Place(it);
  return connection;
}

void HandshakeGate::Withdraw(uint64_t connection) {
  const auto goes = under_way_.find(connection);
  if (goes == under_way_.end()) return;
  ++refused_;
  const auto it = sources_.find(goes->second);
  if (limits_.per_second > 0) {
    SetWholeAt(it, it->second.whole_at - absl::Seconds(1) / limits_.per_second);
    Place(it);
  }
  Leave(connection);
}

void HandshakeGate::SetWholeAt(Sources::iterator source, absl::Duration when) {
  whole_.erase({source->second.whole_at, source->first});
  source->second.whole_at = when;
  if (when > now_) whole_.emplace(when, source->first);
}

void HandshakeGate::Leave(uint64_t connection) {
  if (const auto waits = waiting_.find(connection); waits != waiting_.end()) {
    ++refused_;
    const auto it = sources_.find(waits->second.first);
    it->second.line.erase(waits->second.second);
    waiting_.erase(waits);
    if (it->second.line.empty()) Place(it);
    ForgetIfNew(it);
  } else if (const auto goes = under_way_.find(connection); goes != under_way_.end()) {
    const std::string source = std::move(goes->second);
    under_way_.erase(goes);
    while (!places_.empty() && !under_way_.contains(places_.front().second)) places_.pop_front();
    GiveBack(source);
  }
}

std::optional<absl::Duration> HandshakeGate::WakeAt() const {
  if (waiting_.empty()) return std::nullopt;
  absl::Duration at = places_.empty() ? absl::InfiniteDuration() : places_.front().first;
  if (under_way_.size() < limits_.max_under_way && !turns_.empty()) {
    at = std::min(at, turns_.begin()->first.first);
  }
  return at;
}

void HandshakeGate::Place(Sources::iterator source) {
  Source& s = source->second;
  if (s.turn.has_value()) turns_.erase(*s.turn);
  s.turn.reset();
  if (s.line.empty() || s.under_way >= MostOfOne()) return;
  // The last of a whole allowance may begin when the others have begun.
  const absl::Duration allowed =
      limits_.per_second == 0
          ? now_
          : s.whole_at - absl::Seconds(1) + absl::Seconds(1) / limits_.per_second;
  s.turn = Turn{std::max(allowed, now_), ++last_ticket_};
  turns_[*s.turn] = source->first;
}

void HandshakeGate::GiveBack(const std::string& name) {
  const auto it = sources_.find(name);
  --it->second.under_way;
  if (!it->second.turn.has_value()) Place(it);
  ForgetIfNew(it);
}

void HandshakeGate::Advance(absl::Duration now) {
  now_ = std::max(now_, now);
  while (!whole_.empty() && whole_.begin()->first <= now_) {
    const auto it = sources_.find(whole_.begin()->second);
    whole_.erase(whole_.begin());
    ForgetIfNew(it);
  }
  while (!places_.empty() && places_.front().first <= now_) {
    const auto it = under_way_.find(places_.front().second);
    places_.pop_front();
    if (it == under_way_.end()) continue;
    const std::string source = std::move(it->second);
    under_way_.erase(it);
    GiveBack(source);
  }
}

void HandshakeGate::ForgetIfNew(Sources::iterator source) {
  const Source& s = source->second;
  if (s.line.empty() && s.under_way == 0 && s.whole_at <= now_) sources_.erase(source);
}

}  // namespace sealane::http

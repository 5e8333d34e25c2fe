#include "lib/bus/memory_bus.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/bus/memory_connection.h"
#include "lib/bus/memory_streams.h"
#include "lib/bus/subjects.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

// How long a client takes to see that its consumer is gone: two missed heartbeats.
constexpr absl::Duration kNoticeAfter = absl::Seconds(2);
// Of subjects that are private to an account (see MemoryBus).
constexpr std::string_view kAccountPrefix = "$ACC.";

}  // namespace

MemoryServer::MemoryServer(Env env)
    : env_(env),
      streams_(std::make_unique<MemoryStreams>()),
      executor_(std::make_unique<ScopedExecutor>(env.executor)) {}

MemoryServer::~MemoryServer() = default;

std::unique_ptr<Bus> MemoryServer::Connect(BusIdentity identity, std::string_view name) {
  return std::make_unique<MemoryBus>(*this, std::move(identity), name);
}

uint64_t MemoryServer::Attach(MemoryBus* bus) {
  const uint64_t id = next_id_++;
  connections_[id] = bus;
  return id;
}

void MemoryServer::Detach(uint64_t id) { connections_.erase(id); }

const BusFaults& MemoryServer::FaultsOf(const std::string& name) const {
  static const BusFaults& none = *new BusFaults();
  const auto it = faults_.find(name);
  return it == faults_.end() ? none : it->second;
}

void MemoryServer::SetFaults(std::string_view connection_name, BusFaults faults) {
  faults_[std::string(connection_name)] = std::move(faults);
  ConnectionsChanged();
}

void MemoryServer::ConnectionsChanged() {
  for (const auto& item : connections_) item.second->UpdateConnected();
}

void MemoryServer::Restart(absl::Duration downtime) {
  up_at_ = env_.clock.Monotonic() + std::max(downtime, absl::Microseconds(1));
  ConnectionsChanged();
  executor_->After(up_at_ - env_.clock.Monotonic(), [this] { ConnectionsChanged(); });
}

bool MemoryServer::Route(const BusMessage& message) {
  bool found = false;
  // What stays in an account is not seen by HUB, whatever it subscribes to.
  const bool private_subject = message.subject.starts_with(kAccountPrefix);
  // Members of a queue group, over all connections of an account.
  std::map<std::string, std::vector<std::pair<MemoryBus*, uint64_t>>> groups;
  for (const auto& connection : connections_) {
    MemoryBus* bus = connection.second;
    if (!bus->connected_) continue;
    for (const auto& item : bus->core_) {
      const MemoryBus::Core& core = item.second;
      if (!SubjectMatches(core.hub_filter, message.subject)) continue;
      if (private_subject && !core.hub_filter.starts_with(kAccountPrefix)) continue;
      found = true;
      if (core.queue_group.empty()) {
        bus->Deliver(item.first, message);
      } else {
        groups[StrCat(core.queue_group, " ", core.hub_filter)].emplace_back(bus, item.first);
      }
    }
  }
  for (const auto& group : groups) {
    const uint64_t turn = queue_turns_[group.first]++;
    const auto& member = group.second[turn % group.second.size()];
    member.first->Deliver(member.second, message);
  }
  return found;
}

absl::StatusOr<Appended> MemoryServer::Store(const AppendRequest& request) {
  ++messages_in_;
  const BusMessage* stored = nullptr;
  absl::StatusOr<Appended> result = streams_->Store(request, env_.clock.Now(), &stored);
  if (stored == nullptr) return result;
  const MemoryStreams::Stream& stream = *streams_->Of(request.subject);
  for (const auto& item : connections_) item.second->OnStored(stream, *stored);
  BusMessage live = *stored;
  live.sequence = 0;
  Route(live);  // the message itself is a core message too
  live.sequence = stored->sequence;
  if (!stream.config.republish_prefix.empty()) {
    live.headers.emplace_back("Nats-Stream", stream.config.name);
    live.headers.emplace_back("Nats-Subject", live.subject);
    live.headers.emplace_back("Nats-Sequence", std::to_string(live.sequence));
    live.subject = StrCat(stream.config.republish_prefix, live.subject);
    Route(live);
  }
  return result;
}

void MemoryServer::RestartReaders(std::string_view stream) {
  for (const auto& item : connections_) item.second->OnRestartReaders(stream);
}

void MemoryServer::RecreateStream(std::string_view stream) {
  streams_->Recreate(stream, env_.clock.Now());
  executor_->After(kNoticeAfter, [this, name = std::string(stream)] { RestartReaders(name); });
}

void MemoryServer::DeleteStream(std::string_view stream) { streams_->Delete(stream); }

void MemoryServer::RollBackStream(std::string_view stream, uint64_t last_sequence) {
  streams_->RollBack(stream, last_sequence);
  executor_->After(kNoticeAfter, [this, name = std::string(stream)] { RestartReaders(name); });
}

size_t MemoryServer::StreamSize(std::string_view stream) const {
  const MemoryStreams::Stream* found = streams_->Find(stream);
  return found == nullptr ? 0 : found->messages.size();
}

uint64_t MemoryServer::StreamLastSequence(std::string_view stream) const {
  const MemoryStreams::Stream* found = streams_->Find(stream);
  return found == nullptr ? 0 : found->last_sequence;
}

}  // namespace sealane

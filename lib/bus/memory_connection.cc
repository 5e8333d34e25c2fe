#include "lib/bus/memory_connection.h"

#include <algorithm>

#include "lib/bus/subjects.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"

namespace sealane {
namespace {

constexpr std::string_view kInbox = "_INBOX.";

absl::Status Lost() { return Unavailable("the connection to the bus was lost"); }
absl::Status Cut() { return Unavailable("not connected to the bus"); }

}  // namespace

// Runs `drop` when it goes, unless the bus went first.
class MemoryBus::Handle final : public Subscription {
 public:
  Handle(const MemoryBus& bus, std::function<void()> drop)
      : alive_(bus.executor_.alive()), drop_(std::move(drop)) {}
  ~Handle() override {
    if (!alive_.expired()) drop_();
  }

 private:
  std::weak_ptr<const bool> alive_;
  std::function<void()> drop_;
};

MemoryBus::MemoryBus(MemoryServer& server, BusIdentity identity, std::string_view name)
    : server_(server),
      identity_(std::move(identity)),
      name_(name),
      executor_(server.env_.executor) {
  const std::string token = EncodeToken(identity_.name);
  if (identity_.kind == BusIdentity::Kind::kCluster) {
    mappings_ = {{"works.", StrCat("live.works.", token, "."), false},
                 {"ctl.", StrCat("ctl.", token, "."), false},
                 {"snap.works", StrCat("snap.works.", token), true},
                 {"work_status.", StrCat("work_status.", token, "."), true},
                 {"hb", StrCat("heartbeats.", token), true}};
  } else if (identity_.kind == BusIdentity::Kind::kPlatform) {
    mappings_ = {{"deployed.", StrCat("deployed.", token, "."), false},
                 {"app-status.", "live.app_status.", false},
                 {"events.", "live.events.", false},
                 {"deploy", StrCat("deploy.", token), true},
                 {"results", StrCat("results.", token), true},
                 {"query.", "query.", true}};
  }
  // What is not mapped stays in the account.
  const std::string own =
      StrCat("$ACC.", identity_.kind == BusIdentity::Kind::kCluster ? "C" : "P", ".", token, ".");
  if (!IsHub()) {
    mappings_.push_back({"", own, false});
    mappings_.push_back({"", own, true});
  }
  id_ = server_.Attach(this);
  connected_ = server_.Up() && !server_.FaultsOf(name_).disconnected;
}

MemoryBus::~MemoryBus() { server_.Detach(id_); }

std::string MemoryBus::ToHub(std::string_view subject, bool outgoing) const {
  if (subject.starts_with(kInbox)) return std::string(subject);
  for (const Mapping& mapping : mappings_) {
    if (mapping.outgoing != outgoing) continue;
    const bool prefix = mapping.local.empty() || mapping.local.back() == '.';
    if (prefix ? subject.starts_with(mapping.local) : subject == mapping.local) {
      return StrCat(mapping.hub, subject.substr(mapping.local.size()));
    }
  }
  return std::string(subject);
}

std::string MemoryBus::ToLocal(std::string_view hub_subject) const {
  for (const Mapping& mapping : mappings_) {
    if (!mapping.outgoing && hub_subject.starts_with(mapping.hub)) {
      return StrCat(mapping.local, hub_subject.substr(mapping.hub.size()));
    }
  }
  return std::string(hub_subject);
}

// --- The link
// ----------------------------------------------------------------------------------------

void MemoryBus::Transfer(absl::Duration& last_due, size_t& waiting, bool now_if_free,
                         std::function<void()> fn) {
  if (!connected_) return;
  const BusFaults& faults = server_.FaultsOf(name_);
  const absl::Duration now = server_.env_.clock.Monotonic();
  const absl::Duration due =
      std::max(last_due, now + (faults.delay ? faults.delay() : absl::ZeroDuration()));
  last_due = due;
  if (due <= now && waiting == 0) {
    if (now_if_free) {
      fn();
    } else {
      executor_.Post([this, session = session_, fn = std::move(fn)] {
        if (session == session_) fn();
      });
    }
    return;
  }
  ++waiting;
  executor_.After(due - now, [this, &waiting, session = session_, fn = std::move(fn)] {
    --waiting;
    if (session == session_) fn();
  });
}

void MemoryBus::ToServer(std::function<void()> fn) {
  Transfer(due_to_server_, waiting_to_server_, true, std::move(fn));
}

void MemoryBus::FromServer(std::function<void()> fn) {
  Transfer(due_from_server_, waiting_from_server_, false, std::move(fn));
}

bool MemoryBus::Duplicated() {
  const double probability = server_.FaultsOf(name_).duplicate_probability;
  return probability > 0 && server_.env_.random.Fraction() < probability;
}

uint64_t MemoryBus::Await(Operation fail) {
  const uint64_t id = next_operation_++;
  operations_[id] = std::move(fail);
  return id;
}

void MemoryBus::UpdateConnected() {
  const bool want = server_.Up() && !server_.FaultsOf(name_).disconnected;
  if (!want && connected_) {
    OnDisconnected();
  } else if (want && !connected_ && !connecting_) {
    connecting_ = true;
    const auto jitter = static_cast<int64_t>(server_.env_.random.Below(100));
    executor_.After(absl::Milliseconds(20 + jitter), [this] {
      connecting_ = false;
      if (!connected_ && server_.Up() && !server_.FaultsOf(name_).disconnected) OnConnected();
    });
  }
}

void MemoryBus::OnDisconnected() {
  connected_ = false;
  ++session_;
  for (auto& item : readers_) item.second.started = false;
  for (auto& item : consumers_) item.second.started = false;
  for (auto& item : std::exchange(operations_, {})) {
    executor_.Post([fail = std::move(item.second)] { fail(Lost()); });
  }
  TellState();
}

void MemoryBus::OnConnected() {
  connected_ = true;
  ++session_;
  TellState();
  std::vector<uint64_t> ids;
  for (const auto& item : ensures_) ids.push_back(item.first);
  for (const uint64_t id : ids) SendEnsure(id);
  for (const auto& item : readers_) StartReader(item.first);
  for (const auto& item : consumers_) StartConsumer(item.first);
}

void MemoryBus::TellState() {
  const BusState state = connected_ ? BusState::kConnected : BusState::kDisconnected;
  for (const auto& item : states_) {
    executor_.Post([this, id = item.first, state] {
      const auto it = states_.find(id);
      if (it == states_.end()) return;
      const StateHandler handler = it->second;
      handler(state);
    });
  }
}

std::unique_ptr<Subscription> MemoryBus::OnState(StateHandler handler) {
  const uint64_t id = server_.next_id_++;
  states_[id] = std::move(handler);
  executor_.Post([this, id, state = connected_ ? BusState::kConnected : BusState::kDisconnected] {
    const auto it = states_.find(id);
    if (it == states_.end()) return;
    const StateHandler copy = it->second;
    copy(state);
  });
  return std::make_unique<Handle>(*this, [this, id] { states_.erase(id); });
}

// --- Core
// ----------------------------------------------------------------------------------------------

absl::Status MemoryBus::CheckMessage(std::string_view subject, size_t size,
                                     const Headers& headers) const {
  SEALANE_RETURN_IF_ERROR(CheckSubject(subject));
  for (const auto& header : headers) {
    SEALANE_RETURN_IF_ERROR(CheckHeader(header.first, header.second));
    size += header.first.size() + header.second.size() + 4;
  }
  if (size > MaxPayload()) {
    return InvalidArgument(
        StrCat("message of ", size, " bytes; the bus carries at most ", MaxPayload()));
  }
  return absl::OkStatus();
}

absl::Status MemoryBus::Publish(std::string_view subject, std::string_view payload,
                                std::string_view reply, const Headers& headers) {
  SEALANE_RETURN_IF_ERROR(CheckMessage(subject, payload.size(), headers));
  if (!reply.empty()) SEALANE_RETURN_IF_ERROR(CheckSubject(reply));
  if (!connected_) return Cut();
  BusMessage message;
  message.subject = ToHub(subject, true);
  message.reply = std::string(reply);
  message.payload = std::string(payload);
  message.headers = headers;
  ToServer([this, message = std::move(message)] {
    if (server_.streams_->Of(message.subject) != nullptr) {
      AppendRequest request;
      request.subject = message.subject;
      request.payload = message.payload;
      request.headers = message.headers;
      (void)server_.Store(request);
      return;
    }
    ++server_.messages_in_;
    (void)server_.Route(message);
  });
  return absl::OkStatus();
}

uint64_t MemoryBus::AddCore(std::string hub_filter, std::string_view queue_group,
                            MessageHandler handler) {
  const uint64_t id = server_.next_id_++;
  core_[id] = Core{std::move(hub_filter), std::string(queue_group),
                   std::make_shared<MessageHandler>(std::move(handler))};
  return id;
}

void MemoryBus::Deliver(uint64_t id, const BusMessage& message) {
  BusMessage local = message;
  local.subject = ToLocal(message.subject);
  const int copies = Duplicated() && !message.subject.starts_with(kInbox) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    FromServer([this, id, local] {
      const auto it = core_.find(id);
      if (it == core_.end()) return;
      const std::shared_ptr<MessageHandler> handler = it->second.handler;
      (*handler)(local);
    });
  }
}

std::unique_ptr<Subscription> MemoryBus::Subscribe(std::string_view filter, MessageHandler handler,
                                                   std::string_view queue_group) {
  if (!CheckFilter(filter).ok()) return std::make_unique<Handle>(*this, [] {});
  const uint64_t id = AddCore(ToHub(filter, false), queue_group, std::move(handler));
  return std::make_unique<Handle>(*this, [this, id] { core_.erase(id); });
}

void MemoryBus::SendRequest(std::string_view subject, std::string_view payload,
                            const std::string& inbox, std::function<void()> no_responders) {
  BusMessage message;
  message.subject = ToHub(subject, true);
  message.reply = inbox;
  message.payload = std::string(payload);
  ToServer([this, message = std::move(message), none = std::move(no_responders)] {
    ++server_.messages_in_;
    if (!server_.Route(message)) FromServer(none);
  });
}

void MemoryBus::Request(std::string_view subject, std::string_view payload, absl::Duration timeout,
                        ReplyHandler handler) {
  absl::Status status = CheckMessage(subject, payload.size(), {});
  if (status.ok() && !connected_) status = Cut();
  if (!status.ok()) {
    executor_.Post([handler = std::move(handler), status] { handler(status); });
    return;
  }
  const std::string inbox = StrCat(kInbox, server_.next_id_++);
  struct State {
    uint64_t core = 0;
    uint64_t operation = 0;
    TimerId timer = 0;
  };
  const auto state = std::make_shared<State>();
  const auto finish = [this, state,
                       handler = std::move(handler)](const absl::StatusOr<BusMessage>& result) {
    if (core_.erase(state->core) == 0) return;
    (void)Answered(state->operation);
    executor_.Cancel(state->timer);
    handler(result);
  };
  state->core = AddCore(inbox, "", [finish](const BusMessage& message) { finish(message); });
  state->operation = Await([finish](const absl::Status& lost) { finish(lost); });
  state->timer = executor_.After(timeout, [finish, subject = std::string(subject)] {
    finish(absl::DeadlineExceededError(ToAbsl(StrCat("no answer on ", subject))));
  });
  SendRequest(subject, payload, inbox, [finish, subject = std::string(subject)] {
    finish(Unavailable(StrCat("nobody listens on ", subject)));
  });
}

std::unique_ptr<Subscription> MemoryBus::RequestMany(std::string_view subject,
                                                     std::string_view payload,
                                                     ReplyHandler handler) {
  const std::string inbox = StrCat(kInbox, server_.next_id_++);
  const auto shared = std::make_shared<ReplyHandler>(std::move(handler));
  const uint64_t core =
      AddCore(inbox, "", [shared](const BusMessage& message) { (*shared)(message); });
  const auto fail = [this, core, shared](const absl::Status& status) {
    if (core_.contains(core)) (*shared)(status);
  };
  auto handle = std::make_unique<Handle>(*this, [this, core] { core_.erase(core); });
  absl::Status status = CheckMessage(subject, payload.size(), {});
  if (status.ok() && !connected_) status = Cut();
  if (!status.ok()) {
    executor_.Post([fail, status] { fail(status); });
    return handle;
  }
  SendRequest(subject, payload, inbox, [fail, subject = std::string(subject)] {
    fail(Unavailable(StrCat("nobody listens on ", subject)));
  });
  return handle;
}

}  // namespace sealane

#include "lib/bus/nats_connection.h"

#include <nats/nats.h>

#include "lib/bus/nats_inbound.h"
#include "lib/core/hash.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

constexpr size_t kItemsPerTurn = 512;
// Destroying an unsubscribed subscription is safe once no callback can be running or about to.
constexpr absl::Duration kReapAfter = absl::Seconds(1);

absl::Status ToStatus(natsStatus s) {
  const std::string text = natsStatus_GetText(s);
  switch (s) {
    case NATS_OK:
      return absl::OkStatus();
    case NATS_MAX_PAYLOAD:
    case NATS_INVALID_SUBJECT:
    case NATS_INVALID_ARG:
      return InvalidArgument(text);
    case NATS_TIMEOUT:
      return absl::DeadlineExceededError(ToAbsl(text));
    default:
      return Unavailable(text);
  }
}

}  // namespace

NatsConnection::NatsConnection(Env env, NatsOptions options, std::string_view role,
                               Handlers handlers, Sending sending)
    : env_(env),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      inbox_(StrCat("_INBOX.", Hex64(env.random.Next()), Hex64(env.random.Next()))),
      executor_(env.executor) {
  inbound_ =
      std::make_shared<NatsInbound>(env.executor, options_, StrCat(options_.name, role),
                                    sending == Sending::kAtOnce, [this, alive = executor_.alive()] {
                                      if (!alive.expired()) Drain();
                                    });
  inbound_->Connect();
}

NatsConnection::~NatsConnection() {
  for (auto& item : subs_) NatsInbound::Unregister(item.second.key);
  inbound_->Stop();
  NatsInbound::Destroy(spent_);
  if (connection_ != nullptr) Dispose(connection_);
}

uint64_t NatsConnection::dropped() const { return inbound_->dropped(); }

// Closing ends deliveries; only then may subscriptions be destroyed at once.
void NatsConnection::Dispose(natsConnection* connection) {
  natsConnection_Close(connection);
  for (auto& item : subs_) {
    if (item.second.handle != nullptr) natsSubscription_Destroy(item.second.handle);
    item.second.handle = nullptr;
  }
  for (const auto& item : dying_) natsSubscription_Destroy(item.second);
  dying_.clear();
  natsConnection_Destroy(connection);
}

void NatsConnection::Drain() {
  bool more = false;
  const std::weak_ptr<const bool> alive = executor_.alive();
  std::deque<NatsInbound::Item> items = inbound_->Take(kItemsPerTurn, &more);
  for (NatsInbound::Item& item : items) {
    using Kind = NatsInbound::Item::Kind;
    switch (item.kind) {
      case Kind::kMessage: {
        const auto it = subs_.find(item.subscription);
        if (it == subs_.end()) break;
        const std::shared_ptr<MessageHandler> handler = it->second.handler;
        (*handler)(item.message);
        break;
      }
      case Kind::kOpened:
        OnOpened(item.connection);
        break;
      case Kind::kDisconnected:
        if (item.connection == connection_) SetConnected(false);
        break;
      case Kind::kReconnected:
        if (item.connection == connection_) SetConnected(true);
        break;
      case Kind::kClosed:
        if (item.connection == connection_) {
          OnClosed("the client library gave the connection up; making a new one");
        }
        break;
      case Kind::kLost:
        handlers_.on_lost();
        break;
      case Kind::kError:
        handlers_.on_error(item.message.payload);
        break;
    }
    if (alive.expired()) return;  // a handler destroyed us
  }
}

void NatsConnection::OnOpened(natsConnection* connection) {
  connection_ = connection;
  for (auto& item : subs_) Attach(item.first, item.second);
  // It may have dropped again meanwhile; its event follows in the queue.
  SetConnected(true);
}

void NatsConnection::Renew() {
  // While one is being made it reads the files anyway.
  if (connection_ != nullptr) OnClosed("the login has changed; connecting with the new one");
}

void NatsConnection::OnClosed(std::string_view why) {
  natsConnection* closed = std::exchange(connection_, nullptr);
  Dispose(closed);
  SetConnected(false);
  handlers_.on_error(why);
  inbound_->Connect();
}

void NatsConnection::SetConnected(bool connected) {
  if (connected) {
    max_payload_ = static_cast<size_t>(natsConnection_GetMaxPayload(connection_));
  }
  if (connected_ == connected && !connected) return;
  // Two reconnects in a row without a word of the loss between them still are a loss.
  if (connected_ && connected) handlers_.on_state(false);
  connected_ = connected;
  handlers_.on_state(connected);
}

absl::Status NatsConnection::Publish(const std::string& subject, const std::string& reply,
                                     std::string_view payload, const Headers& headers) {
  if (!connected_) return Unavailable("not connected to the bus");
  const char* reply_text = reply.empty() ? nullptr : reply.c_str();
  if (headers.empty()) {
    const int size = static_cast<int>(payload.size());
    return ToStatus(reply.empty()
                        ? natsConnection_Publish(connection_, subject.c_str(), payload.data(), size)
                        : natsConnection_PublishRequest(connection_, subject.c_str(), reply_text,
                                                        payload.data(), size));
  }
  natsMsg* message = nullptr;
  natsStatus s = natsMsg_Create(&message, subject.c_str(), reply_text, payload.data(),
                                static_cast<int>(payload.size()));
  for (size_t i = 0; s == NATS_OK && i < headers.size(); ++i) {
    s = natsMsgHeader_Set(message, headers[i].first.c_str(), headers[i].second.c_str());
  }
  if (s == NATS_OK) s = natsConnection_PublishMsg(connection_, message);
  if (message != nullptr) Spend(message);
  return ToStatus(s);
}

void NatsConnection::Spend(natsMsg* message) {
  spent_.push_back(message);
  if (spent_.size() == 1) executor_.Post([this] { NatsInbound::Destroy(spent_); });
  if (spent_.size() >= kItemsPerTurn) NatsInbound::Destroy(spent_);
}

uint64_t NatsConnection::Subscribe(const std::string& filter, const std::string& queue_group,
                                   bool bounded, MessageHandler handler) {
  const uint64_t id = next_id_++;
  Sub& sub = subs_[id];
  sub.filter = filter;
  sub.queue_group = queue_group;
  sub.bounded = bounded;
  sub.handler = std::make_shared<MessageHandler>(std::move(handler));
  if (connection_ != nullptr) Attach(id, sub);
  return id;
}

void NatsConnection::Attach(uint64_t id, Sub& sub) {
  if (sub.key == 0) sub.key = inbound_->Register(id, sub.bounded);
  void* closure = reinterpret_cast<void*>(static_cast<uintptr_t>(sub.key));
  natsStatus s = NATS_OK;
  if (sub.queue_group.empty()) {
    s = natsConnection_Subscribe(&sub.handle, connection_, sub.filter.c_str(),
                                 NatsInbound::OnMessage, closure);
  } else {
    s = natsConnection_QueueSubscribe(&sub.handle, connection_, sub.filter.c_str(),
                                      sub.queue_group.c_str(), NatsInbound::OnMessage, closure);
  }
  if (s == NATS_OK) {
    // The callback only moves messages to our queue, which is bounded in bytes.
    (void)natsSubscription_SetPendingLimits(sub.handle, -1, -1);
  } else {
    sub.handle = nullptr;
    handlers_.on_error(StrCat("cannot subscribe to ", sub.filter, ": ", natsStatus_GetText(s)));
  }
}

void NatsConnection::Unsubscribe(uint64_t id) {
  const auto it = subs_.find(id);
  if (it == subs_.end()) return;
  Detach(it->second);
  subs_.erase(it);
}

void NatsConnection::Detach(Sub& sub) {
  if (sub.key != 0) NatsInbound::Unregister(sub.key);
  if (sub.handle == nullptr) return;
  (void)natsSubscription_Unsubscribe(sub.handle);
  dying_.emplace_back(env_.clock.Monotonic() + kReapAfter, sub.handle);
  if (reap_timer_ == 0) reap_timer_ = executor_.After(kReapAfter, [this] { Reap(); });
}

void NatsConnection::Reap() {
  reap_timer_ = 0;
  const absl::Duration now = env_.clock.Monotonic();
  size_t done = 0;
  for (; done < dying_.size() && dying_[done].first <= now; ++done) {
    natsSubscription_Destroy(dying_[done].second);
  }
  dying_.erase(dying_.begin(), dying_.begin() + static_cast<std::ptrdiff_t>(done));
  if (!dying_.empty()) {
    reap_timer_ = executor_.After(dying_.front().first - now, [this] { Reap(); });
  }
}

}  // namespace sealane

#include "lib/bus/nats_inbound.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_map.h"
#include "lib/bus/nats_login.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

struct Target {
  std::shared_ptr<NatsInbound> inbound;
  uint64_t subscription = 0;
  bool bounded = false;
};

// The library's callbacks may come late, after everything they belong to is gone. So they carry a
// number, and this is the only place that knows what it means.
struct Registry {
  Mutex mutex;
  uint64_t next ABSL_GUARDED_BY(mutex) = 1;
  absl::flat_hash_map<uint64_t, Target> targets ABSL_GUARDED_BY(mutex);
};

Registry& TheRegistry() {
  static Registry& registry = *new Registry();
  return registry;
}

Target Find(void* closure) {
  Registry& registry = TheRegistry();
  MutexLock lock(&registry.mutex);
  const auto it = registry.targets.find(reinterpret_cast<uintptr_t>(closure));
  return it == registry.targets.end() ? Target() : it->second;
}

void* Closure(uint64_t key) { return reinterpret_cast<void*>(static_cast<uintptr_t>(key)); }

// Before the first connection: few threads deliver for all subscriptions.
void InitLibrary() {
  static const bool done = [] {
    if (nats_Open(-1) != NATS_OK) return false;
    (void)nats_SetMessageDeliveryPoolSize(2);
    return true;
  }();
  (void)done;
}

void CopyMessage(natsMsg* from, BusMessage& to) {
  to.subject = natsMsg_GetSubject(from);
  if (const char* reply = natsMsg_GetReply(from); reply != nullptr) to.reply = reply;
  to.payload.assign(natsMsg_GetData(from), static_cast<size_t>(natsMsg_GetDataLength(from)));
  const char** keys = nullptr;
  int count = 0;
  if (natsMsgHeader_Keys(from, &keys, &count) == NATS_OK) {
    std::vector<std::string_view> names(keys, keys + count);
    std::sort(names.begin(), names.end());
    for (const std::string_view name : names) {
      const char* value = nullptr;
      if (natsMsgHeader_Get(from, name.data(), &value) == NATS_OK && value != nullptr) {
        to.headers.emplace_back(name, value);
      }
    }
    free(static_cast<void*>(keys));
  }
}

}  // namespace

void NatsBus::EndLibrary(absl::Duration wait) {
  // Not opened, or closed before: an error that means nothing to us.
  (void)nats_CloseAndWait(absl::ToInt64Milliseconds(wait));
}

NatsInbound::NatsInbound(Executor& executor, NatsOptions options, std::string name, bool send_asap,
                         std::function<void()> drain)
    : options_(std::move(options)),
      name_(std::move(name)),
      send_asap_(send_asap),
      drain_(std::move(drain)),
      executor_(&executor) {
  InitLibrary();
}

uint64_t NatsInbound::Register(uint64_t subscription, bool bounded) {
  Registry& registry = TheRegistry();
  MutexLock lock(&registry.mutex);
  const uint64_t key = registry.next++;
  registry.targets[key] = Target{shared_from_this(), subscription, bounded};
  return key;
}

void NatsInbound::Unregister(uint64_t key) {
  Target released;  // destroyed outside the lock
  Registry& registry = TheRegistry();
  MutexLock lock(&registry.mutex);
  const auto it = registry.targets.find(key);
  if (it == registry.targets.end()) return;
  released = std::move(it->second);
  registry.targets.erase(it);
}

// --- The queue
// -------------------------------------------------------------------------------------------

void NatsInbound::Notify() {
  if (posted_ || executor_ == nullptr) return;
  posted_ = true;
  executor_->Post(drain_);
}

void NatsInbound::PushLocked(Item item) {
  if (executor_ == nullptr) return;
  bytes_ += item.bytes;
  queue_.push_back(std::move(item));
  Notify();
}

void NatsInbound::Push(Item item) {
  MutexLock lock(&mutex_);
  PushLocked(std::move(item));
}

void NatsInbound::PushMessage(uint64_t subscription, bool bounded, natsMsg* message) {
  Item item;
  item.subscription = subscription;
  item.bytes = static_cast<size_t>(natsMsg_GetDataLength(message)) + 256;
  CopyMessage(message, item.message);
  MutexLock lock(&mutex_);
  if (executor_ == nullptr) {
    natsMsg_Destroy(message);
    return;
  }
  spent_.push_back(message);
  if (bounded && bytes_ + item.bytes > options_.max_inbound_bytes) {
    ++dropped_;
    if (!std::exchange(lost_, true)) {
      Item lost;
      lost.kind = Item::Kind::kLost;
      PushLocked(std::move(lost));
    }
    return;
  }
  PushLocked(std::move(item));
}

std::deque<NatsInbound::Item> NatsInbound::Take(size_t max, bool* more) {
  std::deque<Item> taken;
  std::vector<natsMsg*> spent;
  absl::Cleanup destroy = [&spent] { Destroy(spent); };  // after the lock is released
  MutexLock lock(&mutex_);
  spent.swap(spent_);
  posted_ = false;
  if (queue_.size() <= max) {
    taken.swap(queue_);
  } else {
    std::move(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(max),
              std::back_inserter(taken));
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(max));
  }
  for (const Item& item : taken) {
    bytes_ -= item.bytes;
    if (item.kind == Item::Kind::kLost) lost_ = false;
  }
  *more = !queue_.empty();
  if (*more) Notify();
  return taken;
}

void NatsInbound::Destroy(std::vector<natsMsg*>& messages) {
  for (natsMsg* message : messages) natsMsg_Destroy(message);
  messages.clear();
}

uint64_t NatsInbound::dropped() const {
  MutexLock lock(&mutex_);
  return dropped_;
}

// --- The library's callbacks
// -------------------------------------------------------------------------------

void NatsInbound::OnMessage(natsConnection* /*connection*/, natsSubscription* /*sub*/,
                            natsMsg* message, void* closure) {
  const Target target = Find(closure);
  if (target.inbound != nullptr) {
    target.inbound->PushMessage(target.subscription, target.bounded, message);
  } else {
    natsMsg_Destroy(message);
  }
}

void NatsInbound::OnDisconnected(natsConnection* connection, void* closure) {
  if (const Target target = Find(closure); target.inbound != nullptr) {
    target.inbound->Push({Item::Kind::kDisconnected, 0, connection, {}, 0});
  }
}

void NatsInbound::OnReconnected(natsConnection* connection, void* closure) {
  if (const Target target = Find(closure); target.inbound != nullptr) {
    target.inbound->Push({Item::Kind::kReconnected, 0, connection, {}, 0});
  }
}

void NatsInbound::OnClosed(natsConnection* connection, void* closure) {
  if (const Target target = Find(closure); target.inbound != nullptr) {
    target.inbound->Push({Item::Kind::kClosed, 0, connection, {}, 0});
  }
}

// The subscription may be gone already: it is not touched.
void NatsInbound::OnError(natsConnection* connection, natsSubscription* /*sub*/, natsStatus error,
                          void* closure) {
  const Target target = Find(closure);
  if (target.inbound == nullptr) return;
  Item item;
  item.kind = Item::Kind::kError;
  const char* text = nullptr;
  if (natsConnection_GetLastError(connection, &text) != NATS_OK && text != nullptr) {
    item.message.payload = text;
  }
  if (item.message.payload.empty()) item.message.payload = natsStatus_GetText(error);
  target.inbound->Push(std::move(item));
  if (error == NATS_SLOW_CONSUMER) {
    target.inbound->Push({Item::Kind::kLost, 0, nullptr, {}, 0});
  }
}

// --- Connecting
// ------------------------------------------------------------------------------------------------

natsStatus NatsInbound::MakeOptions(natsOptions** out, uint64_t key) const {
  const NatsOptions login = WithLoginOfFiles(options_);
  natsOptions* o = nullptr;
  natsStatus s = natsOptions_Create(&o);
  if (s != NATS_OK) return s;
  std::vector<const char*> urls;
  for (const std::string& url : options_.urls) urls.push_back(url.c_str());
  const auto then = [&s](natsStatus next) {
    if (s == NATS_OK) s = next;
  };
  then(natsOptions_SetServers(o, urls.data(), static_cast<int>(urls.size())));
  then(natsOptions_SetName(o, name_.c_str()));
  then(natsOptions_SetTimeout(o, 3000));
  then(natsOptions_SetPingInterval(o, 5000));
  then(natsOptions_SetMaxPingsOut(o, 2));
  then(natsOptions_SetMaxReconnect(o, -1));
  then(natsOptions_SetReconnectWait(o, 250));
  then(natsOptions_SetReconnectJitter(o, 250, 500));
  then(natsOptions_SetSendAsap(o, send_asap_));
  then(natsOptions_SetFailRequestsOnDisconnect(o, true));
  then(natsOptions_UseGlobalMessageDelivery(o, true));
  // A server that does not read must not hold the executor: the connection is given up instead.
  then(natsOptions_SetWriteDeadline(o, 2000));
  then(natsOptions_SetDisconnectedCB(o, OnDisconnected, Closure(key)));
  then(natsOptions_SetReconnectedCB(o, OnReconnected, Closure(key)));
  then(natsOptions_SetClosedCB(o, OnClosed, Closure(key)));
  then(natsOptions_SetErrorHandler(o, OnError, Closure(key)));
  if (!login.user.empty()) {
    then(natsOptions_SetUserInfo(o, login.user.c_str(), login.password.c_str()));
  }
  if (!options_.creds_file.empty()) {
    then(natsOptions_SetUserCredentialsFromFiles(o, options_.creds_file.c_str(), nullptr));
  }
  if (!options_.nkey_public.empty()) {
    then(natsOptions_SetNKeyFromSeed(o, options_.nkey_public.c_str(),
                                     options_.nkey_seed_file.c_str()));
  }
  if (!options_.tls_ca_file.empty() || !options_.tls_cert_file.empty()) {
    then(natsOptions_SetSecure(o, true));
  }
  if (!options_.tls_ca_file.empty()) {
    then(natsOptions_LoadCATrustedCertificates(o, options_.tls_ca_file.c_str()));
  }
  if (!options_.tls_cert_file.empty()) {
    then(natsOptions_LoadCertificatesChain(o, options_.tls_cert_file.c_str(),
                                           options_.tls_key_file.c_str()));
  }
  if (s != NATS_OK) {
    natsOptions_Destroy(o);
    return s;
  }
  *out = o;
  return NATS_OK;
}

void NatsInbound::Connect() {
  if (connector_.joinable()) connector_.join();  // it ended with kOpened
  if (connection_key_ == 0) connection_key_ = Register(0, false);
  connector_ =
      std::thread([self = shared_from_this(), key = connection_key_] { self->ConnectLoop(key); });
}

void NatsInbound::ConnectLoop(uint64_t key) {
  absl::Duration wait = absl::Milliseconds(100);
  for (;;) {
    {
      MutexLock lock(&mutex_);
      if (executor_ == nullptr) return;
    }
    natsOptions* options = nullptr;
    natsConnection* connection = nullptr;
    natsStatus s = MakeOptions(&options, key);
    if (s == NATS_OK) s = natsConnection_Connect(&connection, options);
    const std::string why = s == NATS_OK ? "" : natsStatus_GetText(s);
    natsOptions_Destroy(options);
    MutexLock lock(&mutex_);
    if (executor_ == nullptr) {
      if (s == NATS_OK) natsConnection_Destroy(connection);
      return;
    }
    if (s == NATS_OK) {
      PushLocked({Item::Kind::kOpened, 0, connection, {}, 0});
      return;
    }
    Item error;
    error.kind = Item::Kind::kError;
    error.message.payload = StrCat("cannot connect: ", why);
    PushLocked(std::move(error));
    stopped_.WaitWithTimeout(&mutex_, wait);
    wait = std::min(wait * 2, absl::Seconds(5));
  }
}

void NatsInbound::Stop() {
  {
    MutexLock lock(&mutex_);
    executor_ = nullptr;
    stopped_.SignalAll();
  }
  if (connection_key_ != 0) Unregister(connection_key_);
  if (connector_.joinable()) connector_.join();
  // A connection that was opened but never seen.
  bool more = false;
  for (const Item& item : Take(SIZE_MAX, &more)) {
    if (item.kind == Item::Kind::kOpened) natsConnection_Destroy(item.connection);
  }
}

}  // namespace sealane

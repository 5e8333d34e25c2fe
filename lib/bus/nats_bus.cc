#include "lib/bus/nats_bus.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "lib/bus/nats_connection.h"
#include "lib/bus/nats_login.h"
#include "lib/bus/nats_readers.h"
#include "lib/bus/nats_requests.h"
#include "lib/bus/nats_streams.h"
#include "lib/bus/subjects.h"
#include "lib/core/backoff.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"

namespace sealane {
namespace {

// Fewer appends on their way are sent at once: nothing would be gained by gathering them.
constexpr int kGatherFrom = 24;

absl::Status Disconnected() { return Unavailable("not connected to the bus"); }

class Handle final : public Subscription {
 public:
  Handle(std::weak_ptr<const bool> alive, std::function<void()> drop)
      : alive_(std::move(alive)), drop_(std::move(drop)) {}
  ~Handle() override {
    if (!alive_.expired()) drop_();
  }

 private:
  std::weak_ptr<const bool> alive_;
  std::function<void()> drop_;
};

// "NATS/1.0\r\nName: value\r\n...\r\n\r\n"
Headers ParseHeaderBlock(std::string_view block) {
  Headers headers;
  size_t at = block.find("\r\n");
  while (at != std::string_view::npos && at + 2 < block.size()) {
    const size_t end = block.find("\r\n", at + 2);
    const std::string_view line = block.substr(at + 2, end - at - 2);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      std::string_view value = line.substr(colon + 1);
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      headers.emplace_back(line.substr(0, colon), value);
    }
    at = end;
  }
  return headers;
}

// {"stream":"works", "seq":12} and nothing else: what nearly every acknowledgement is.
bool ParsePlainAck(std::string_view text, uint64_t* sequence) {
  constexpr std::string_view kBegin = R"({"stream":")";
  if (!text.starts_with(kBegin)) return false;
  const size_t quote = text.find('"', kBegin.size());
  if (quote == std::string_view::npos) return false;
  text.remove_prefix(quote + 1);
  if (text.starts_with(", ")) text.remove_prefix(2);
  if (text.starts_with(",")) text.remove_prefix(1);
  constexpr std::string_view kSequence = R"("seq":)";
  if (!text.starts_with(kSequence)) return false;
  text.remove_prefix(kSequence.size());
  uint64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || value == 0 || end.ptr + 1 != text.data() + text.size() ||
      *end.ptr != '}') {
    return false;
  }
  *sequence = value;
  return true;
}

bool ParseStored(const Json& body, BusMessage* message) {
  const auto it = body.find("message");
  if (it == body.end()) return false;
  message->subject = it->value("subject", "");
  message->sequence = it->value("seq", uint64_t{0});
  if (const auto time = ParseKubeTime(it->value("time", "")); time.ok()) {
    message->stored_micros = ToMicros(*time);
  }
  std::string headers;
  if (!absl::Base64Unescape(ToAbsl(it->value("data", "")), &message->payload) ||
      !absl::Base64Unescape(ToAbsl(it->value("hdrs", "")), &headers)) {
    return false;
  }
  message->headers = ParseHeaderBlock(headers);
  StripProtocolHeaders(message->headers);
  return true;
}

class NatsBusImpl final : public NatsBus {
 public:
  NatsBusImpl(Env env, NatsOptions options)
      : env_(env), options_(std::move(options)), executor_(env.executor) {
    NatsConnection::Handlers handlers;
    handlers.on_state = [this](bool connected) { OnMainState(connected); };
    handlers.on_lost = [this] { OnLost(); };
    handlers.on_error = [this](std::string_view what) { OnError(what); };
    main_ = std::make_unique<NatsConnection>(env_, options_, "", std::move(handlers));
    requests_ = std::make_unique<NatsRequests>(env_, *main_);
    streams_ = std::make_unique<NatsStreams>(env_, *requests_,
                                             [this](std::string_view what) { OnError(what); });
    login_watch_ = std::make_unique<LoginWatch>(env_, options_, [this] { OnLoginChanged(); });
    if (!options_.gather_appends) return;
    NatsConnection::Handlers bulk;
    bulk.on_state = [this](bool connected) {
      // What was on its way over it is of unknown fate; its answers may never come.
      if (!connected) requests_->FailAll(Unavailable("a connection to the bus was lost"));
    };
    bulk.on_lost = [] {};  // it receives nothing
    bulk.on_error = [this](std::string_view what) { OnError(what); };
    bulk_ = std::make_unique<NatsConnection>(env_, options_, "/bulk", std::move(bulk),
                                             NatsConnection::Sending::kGathered);
  }

  // --- Core --------------------------------------------------------------------------------------
  absl::Status Publish(std::string_view subject, std::string_view payload, std::string_view reply,
                       const Headers& headers) override {
    SEALANE_RETURN_IF_ERROR(CheckMessage(subject, payload.size(), headers));
    if (!reply.empty()) SEALANE_RETURN_IF_ERROR(CheckSubject(reply));
    return main_->Publish(std::string(subject), std::string(reply), payload, headers);
  }

  std::unique_ptr<Subscription> Subscribe(std::string_view filter, MessageHandler handler,
                                          std::string_view queue_group) override {
    absl::Status status = CheckFilter(filter);
    if (status.ok() && !queue_group.empty()) status = CheckName(queue_group);
    if (!status.ok()) {
      OnError(StrCat("subscription refused: ", ToStd(status.message())));
      return std::make_unique<Handle>(executor_.alive(), [] {});
    }
    const uint64_t id = main_->Subscribe(
        std::string(filter), std::string(queue_group), /*bounded=*/true,
        [handler = std::move(handler)](BusMessage& message) {
          const std::string_view sequence = message.Header("Nats-Sequence");
          if (!sequence.empty()) {
            message.sequence = std::strtoull(std::string(sequence).c_str(), nullptr, 10);
          }
          handler(message);
        });
    return std::make_unique<Handle>(executor_.alive(), [this, id] { main_->Unsubscribe(id); });
  }

  void Request(std::string_view subject, std::string_view payload, absl::Duration timeout,
               ReplyHandler handler) override {
    const absl::Status status = CheckMessage(subject, payload.size(), {});
    if (!status.ok()) {
      executor_.Post([handler = std::move(handler), status] { handler(status); });
      return;
    }
    requests_->Request(std::string(subject), payload, {}, timeout, std::move(handler));
  }

  std::unique_ptr<Subscription> RequestMany(std::string_view subject, std::string_view payload,
                                            ReplyHandler handler) override {
    const absl::Status status = CheckMessage(subject, payload.size(), {});
    if (!status.ok()) {
      const auto wanted = std::make_shared<bool>(true);
      executor_.Post([handler = std::move(handler), status, wanted] {
        if (*wanted) handler(status);
      });
      return std::make_unique<Handle>(executor_.alive(), [wanted] { *wanted = false; });
    }
    const uint64_t id = requests_->RequestMany(std::string(subject), payload, std::move(handler));
    return std::make_unique<Handle>(executor_.alive(), [this, id] { requests_->Forget(id); });
  }

  // --- Streams
  // -------------------------------------------------------------------------------------
  void EnsureStream(const StreamConfig& config, DoneHandler done) override {
    streams_->Ensure(config, std::move(done));
  }

  void Append(AppendRequest request, AppendHandler handler) override {
    absl::Status status = CheckMessage(request.subject, request.payload.size(), request.headers);
    if (status.ok()) status = CheckHeader("Nats-Msg-Id", request.message_id);
    if (status.ok() && !main_->connected()) status = Disconnected();
    if (!status.ok()) {
      executor_.Post([handler = std::move(handler), status] {
        if (handler) handler(status);
      });
      return;
    }
    if (appending_ >= options_.max_appends_in_flight) {
      waiting_.emplace_back(std::move(request), std::move(handler));
    } else {
      SendAppend(std::move(request), std::move(handler));
    }
  }

  std::unique_ptr<Subscription> Watch(const WatchOptions& options, WatchHandler handler) override {
    absl::Status status = CheckName(options.stream);
    if (status.ok() && !options.filter.empty()) status = CheckFilter(options.filter);
    if (!status.ok()) {
      OnError(StrCat("watch refused: ", ToStd(status.message())));
      return std::make_unique<Handle>(executor_.alive(), [] {});
    }
    return AddReader(std::make_unique<NatsWatch>(ReaderContext(), options, std::move(handler)));
  }

  std::unique_ptr<DurableConsumer> Consume(const ConsumerOptions& options,
                                           DeliveryHandler handler) override {
    auto consumer = std::make_unique<NatsConsumer>(ReaderContext(), options, std::move(handler));
    NatsConsumer* raw = consumer.get();
    return std::make_unique<ConsumerHandle>(executor_.alive(), raw, AddReader(std::move(consumer)));
  }

  void GetLast(std::string_view stream, std::string_view subject, GetHandler handler) override {
    Get(stream, subject, /*markers=*/false, std::move(handler));
  }
  void GetStreamState(std::string_view stream, StreamStateHandler handler) override {
    if (const absl::Status status = CheckName(stream); !status.ok()) {
      executor_.Post([handler = std::move(handler), status] { handler(status); });
      return;
    }
    requests_->JetStream(StrCat("STREAM.INFO.", stream), Json(),
                         [handler = std::move(handler)](const JetStreamReply& reply) {
                           handler(ReadStreamState(reply));
                         });
  }
  void GetLastOrMarker(std::string_view stream, std::string_view subject,
                       GetHandler handler) override {
    Get(stream, subject, /*markers=*/true, std::move(handler));
  }

  // --- State
  // -----------------------------------------------------------------------------------------
  std::unique_ptr<Subscription> OnState(StateHandler handler) override {
    const uint64_t id = next_id_++;
    states_[id] = std::make_shared<StateHandler>(std::move(handler));
    executor_.Post([this, id] { TellState(id); });
    return std::make_unique<Handle>(executor_.alive(), [this, id] { states_.erase(id); });
  }
  [[nodiscard]] std::string User() const override { return user_; }
  [[nodiscard]] size_t MaxPayload() const override { return main_->max_payload(); }
  [[nodiscard]] std::string Trouble() const override {
    for (const auto& item : readers_) {
      if (std::string trouble = item.second->trouble(); !trouble.empty()) return trouble;
    }
    return "";
  }
  [[nodiscard]] NatsStats stats() const override {
    NatsStats stats = stats_;
    stats.dropped = main_->dropped();
    for (const auto& item : readers_) {
      uint64_t& pending = stats.pending[item.second->stream()];
      pending = std::max(pending, item.second->pending());
    }
    return stats;
  }

 private:
  class ConsumerHandle final : public DurableConsumer {
   public:
    ConsumerHandle(std::weak_ptr<const bool> alive, NatsConsumer* consumer,
                   std::unique_ptr<Subscription> handle)
        : alive_(std::move(alive)), consumer_(consumer), handle_(std::move(handle)) {}
    void AckThrough(uint64_t stream_sequence) override {
      if (!alive_.expired()) consumer_->AckThrough(stream_sequence);
    }

   private:
    std::weak_ptr<const bool> alive_;
    NatsConsumer* consumer_;
    std::unique_ptr<Subscription> handle_;
  };

  absl::Status CheckMessage(std::string_view subject, size_t size, const Headers& headers) const {
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

  void OnError(std::string_view what) {
    ++stats_.errors;
    if (options_.on_error) options_.on_error(what);
  }

  void OnMainState(bool connected) {
    ++(connected ? stats_.connects : stats_.disconnects);
    if (connected) user_ = LoginName(options_);
    // Answers to what was asked over the old connection do not come any more.
    if (!connected) requests_->FailAll(Unavailable("the connection to the bus was lost"));
    std::vector<uint64_t> ids;
    for (const auto& item : states_) ids.push_back(item.first);
    for (const uint64_t id : ids) TellState(id, connected);
  }

  // Messages were dropped: told as a short disconnection.
  void OnLost() {
    if (!main_->connected()) return;
    std::vector<uint64_t> ids;
    for (const auto& item : states_) ids.push_back(item.first);
    for (const uint64_t id : ids) TellState(id, false);
    for (const uint64_t id : ids) TellState(id, true);
  }

  void TellState(uint64_t id) { TellState(id, main_->connected()); }
  void TellState(uint64_t id, bool connected) {
    const auto it = states_.find(id);
    if (it == states_.end()) return;
    const std::shared_ptr<StateHandler> handler = it->second;
    (*handler)(connected ? BusState::kConnected : BusState::kDisconnected);
  }

  void SendAppend(AppendRequest request, AppendHandler handler) {
    Headers headers = std::move(request.headers);
    if (!request.message_id.empty()) headers.emplace_back("Nats-Msg-Id", request.message_id);
    if (request.expected_last_sequence) {
      headers.emplace_back("Nats-Expected-Last-Subject-Sequence",
                           std::to_string(*request.expected_last_sequence));
    }
    if (request.remove) headers.emplace_back("KV-Operation", "DEL");
    const bool gather = ++appending_ > kGatherFrom && request.unordered && bulk_ != nullptr;
    NatsConnection& way = gather && bulk_->connected() ? *bulk_ : *main_;
    requests_->RequestOver(
        way, request.subject, request.remove ? std::string_view() : request.payload, headers,
        options_.append_timeout,
        [this, alive = executor_.alive(), begin = env_.clock.Monotonic(),
         handler = std::move(handler)](const absl::StatusOr<BusMessage>& answer) {
          if (alive.expired()) return;
          --appending_;
          const absl::StatusOr<Appended> result = ParseAck(answer);
          if (result.ok()) {
            ++stats_.appends;
            if (options_.on_append) options_.on_append(env_.clock.Monotonic() - begin);
          }
          if (absl::IsDeadlineExceeded(result.status())) {
            ++stats_.append_timeouts;
          }
          if (handler) handler(result);
          if (!alive.expired()) SendWaiting();
        });
  }

  void SendWaiting() {
    while (!waiting_.empty() && appending_ < options_.max_appends_in_flight) {
      auto next = std::move(waiting_.front());
      waiting_.pop_front();
      SendAppend(std::move(next.first), std::move(next.second));
    }
  }

  static absl::StatusOr<Appended> ParseAck(const absl::StatusOr<BusMessage>& answer) {
    if (!answer.ok()) return answer.status();
    Appended appended;
    if (ParsePlainAck(answer->payload, &appended.sequence)) return appended;
    const Json body = Json::parse(answer->payload, nullptr, /*allow_exceptions=*/false);
    if (!body.is_object()) return Unavailable("not an acknowledgement of a stream");
    if (const auto error = body.find("error"); error != body.end()) {
      return JetStreamError(error->value("code", 0), error->value("err_code", 0),
                            error->value("description", ""));
    }
    appended.sequence = body.value("seq", uint64_t{0});
    appended.duplicate = body.value("duplicate", false);
    if (appended.sequence == 0) return Unavailable("not an acknowledgement of a stream");
    return appended;
  }

  void Get(std::string_view stream, std::string_view subject, bool markers, GetHandler handler) {
    absl::Status status = CheckName(stream);
    if (status.ok()) status = CheckSubject(subject);
    if (!status.ok()) {
      executor_.Post([handler = std::move(handler), status] { handler(status); });
      return;
    }
    // Answered by the stream's leader, so it is as new as an acknowledgement.
    requests_->JetStream(StrCat("STREAM.MSG.GET.", stream), {{"last_by_subj", subject}},
                         [handler = std::move(handler), markers](const JetStreamReply& reply) {
                           if (reply.err_code == kErrMessageNotFound) {
                             handler(std::optional<BusMessage>());
                             return;
                           }
                           if (!reply.status.ok()) {
                             handler(reply.err_code == kErrStreamNotFound
                                         ? Unavailable("there is no such stream")
                                         : reply.status);
                             return;
                           }
                           BusMessage message;
                           if (!ParseStored(*reply.body, &message)) {
                             handler(Unavailable("malformed message of the JetStream interface"));
                           } else if (!markers && message.IsDeleteMarker()) {
                             handler(std::optional<BusMessage>());
                           } else {
                             handler(std::optional<BusMessage>(std::move(message)));
                           }
                         });
  }

  void OnLoginChanged() {
    for (NatsConnection* connection : {main_.get(), bulk_.get(), feed_.get()}) {
      if (connection != nullptr) connection->Renew();
    }
  }

  // --- Readers: on a connection of their own, so that replays do not delay answers
  // ------------------
  NatsReaderContext ReaderContext() {
    if (feed_ == nullptr) {
      NatsConnection::Handlers handlers;
      handlers.on_state = [this](bool connected) {
        if (!connected) feed_requests_->FailAll(Unavailable("the connection to the bus was lost"));
        OnReaders([connected](NatsReader& reader) { reader.OnConnection(connected); });
      };
      handlers.on_lost = [this] { OnReaders([](NatsReader& reader) { reader.Begin(); }); };
      handlers.on_error = [this](std::string_view what) { OnError(what); };
      feed_ = std::make_unique<NatsConnection>(env_, options_, "/feed", std::move(handlers));
      feed_requests_ = std::make_unique<NatsRequests>(env_, *feed_);
    }
    return {env_,
            *feed_,
            *feed_requests_,
            options_.check_every,
            stats_.resyncs,
            [this](std::string_view what) { OnError(what); }};
  }

  void OnReaders(const std::function<void(NatsReader&)>& fn) {
    std::vector<uint64_t> ids;
    for (const auto& item : readers_) ids.push_back(item.first);
    for (const uint64_t id : ids) {
      const auto it = readers_.find(id);
      if (it != readers_.end()) fn(*it->second);
    }
  }

  std::unique_ptr<Subscription> AddReader(std::unique_ptr<NatsReader> reader) {
    const uint64_t id = next_id_++;
    reader->Begin();
    readers_[id] = std::move(reader);
    return std::make_unique<Handle>(executor_.alive(), [this, id] { readers_.erase(id); });
  }

  Env env_;
  const NatsOptions options_;
  NatsStats stats_;
  std::string user_;  // of the last connection made
  uint64_t next_id_ = 1;
  int appending_ = 0;
  std::deque<std::pair<AppendRequest, AppendHandler>> waiting_;
  std::map<uint64_t, std::shared_ptr<StateHandler>> states_;
  std::unique_ptr<NatsConnection> main_;
  std::unique_ptr<NatsConnection> bulk_;  // options_.gather_appends
  std::unique_ptr<NatsRequests> requests_;
  std::unique_ptr<NatsStreams> streams_;
  std::unique_ptr<NatsConnection> feed_;
  std::unique_ptr<NatsRequests> feed_requests_;
  std::unique_ptr<LoginWatch> login_watch_;
  std::map<uint64_t, std::unique_ptr<NatsReader>> readers_;
  ScopedExecutor executor_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<NatsBus>> NatsBus::Create(Env env, NatsOptions options) {
  SEALANE_RETURN_IF_ERROR(CheckNatsOptions(options));
  return std::unique_ptr<NatsBus>(std::make_unique<NatsBusImpl>(env, std::move(options)));
}

}  // namespace sealane

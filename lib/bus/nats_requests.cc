#include "lib/bus/nats_requests.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"

namespace sealane {
namespace {

// Long: on a busy old server, creating a consumer over a million rows takes seconds.
constexpr absl::Duration kJetStreamTimeout = absl::Seconds(15);

bool ParseNumber(std::string_view text, uint64_t* value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

}  // namespace

NatsRequests::NatsRequests(Env env, NatsConnection& connection)
    : env_(env), connection_(connection), executor_(env.executor) {
  subscription_ = connection_.Subscribe(StrCat(connection_.inbox(), ".*"), "", /*bounded=*/false,
                                        [this](BusMessage& message) { OnReply(message); });
}

NatsRequests::~NatsRequests() { connection_.Unsubscribe(subscription_); }

std::string NatsRequests::ReplySubject(uint64_t id) const {
  return StrCat(connection_.inbox(), ".", id);
}

uint64_t NatsRequests::Add(Handler handler, absl::Duration timeout, bool many) {
  const uint64_t id = next_id_++;
  const absl::Duration deadline = env_.clock.Monotonic() + timeout;
  waiting_[id] = Waiting{std::make_shared<Handler>(std::move(handler)), deadline, many};
  if (!many) {
    deadlines_.emplace(deadline, id);
    ArmTimer();
  }
  return id;
}

void NatsRequests::RequestOver(NatsConnection& way, const std::string& subject,
                               std::string_view payload, const Headers& headers,
                               absl::Duration timeout, Handler handler) {
  const uint64_t id = Add(std::move(handler), timeout, false);
  const absl::Status status = way.Publish(subject, ReplySubject(id), payload, headers);
  if (!status.ok()) FinishLater(id, status);
}

uint64_t NatsRequests::RequestMany(const std::string& subject, std::string_view payload,
                                   Handler handler) {
  const uint64_t id = Add(std::move(handler), absl::InfiniteDuration(), true);
  const absl::Status status = connection_.Publish(subject, ReplySubject(id), payload, {});
  if (!status.ok()) FinishLater(id, status);
  return id;
}

void NatsRequests::FinishLater(uint64_t id, absl::Status status) {
  executor_.Post([this, id, status = std::move(status)] { Finish(id, status); });
}

void NatsRequests::Forget(uint64_t id) {
  const auto it = waiting_.find(id);
  if (it == waiting_.end()) return;
  deadlines_.erase({it->second.deadline, id});
  waiting_.erase(it);
}

void NatsRequests::Finish(uint64_t id, absl::StatusOr<BusMessage> result) {
  const auto it = waiting_.find(id);
  if (it == waiting_.end()) return;
  const std::shared_ptr<Handler> handler = it->second.handler;
  if (!it->second.many) Forget(id);
  (*handler)(std::move(result));
}

void NatsRequests::FailAll(const absl::Status& status) {
  std::vector<uint64_t> ids;
  ids.reserve(waiting_.size());
  for (const auto& item : waiting_) ids.push_back(item.first);
  std::sort(ids.begin(), ids.end());
  for (const uint64_t id : ids) FinishLater(id, status);
}

void NatsRequests::OnReply(BusMessage& message) {
  const size_t dot = message.subject.rfind('.');
  uint64_t id = 0;
  if (!ParseNumber(std::string_view(message.subject).substr(dot + 1), &id)) return;
  if (message.payload.empty() && message.Header("Status") == "503") {
    Finish(id, Unavailable("nobody listens on the subject"));
    return;
  }
  Finish(id, std::move(message));
}

void NatsRequests::ArmTimer() {
  if (deadlines_.empty()) return;
  const absl::Duration first = deadlines_.begin()->first;
  if (timer_ != 0 && timer_at_ <= first) return;
  executor_.Cancel(timer_);
  timer_at_ = first;
  timer_ = executor_.After(first - env_.clock.Monotonic(), [this] { OnTimer(); });
}

void NatsRequests::OnTimer() {
  timer_ = 0;
  const absl::Duration now = env_.clock.Monotonic();
  const std::weak_ptr<const bool> alive = executor_.alive();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Finish(deadlines_.begin()->second, absl::DeadlineExceededError("no answer in time"));
    if (alive.expired()) return;
  }
  ArmTimer();
}

void NatsRequests::JetStream(const std::string& call, const Json& request,
                             std::function<void(const JetStreamReply&)> handler) {
  const std::string payload = request.is_null() ? "" : request.dump();
  Request(StrCat("$JS.API.", call), payload, {}, kJetStreamTimeout,
          [handler = std::move(handler)](const absl::StatusOr<BusMessage>& answer) {
            JetStreamReply reply;
            if (!answer.ok()) {
              reply.status = Unavailable(ToStd(answer.status().message()));
              handler(reply);
              return;
            }
            const Json body = Json::parse(answer->payload, nullptr, /*allow_exceptions=*/false);
            if (!body.is_object()) {
              reply.status = Internal("malformed answer of the JetStream interface");
            } else if (const auto error = body.find("error"); error != body.end()) {
              reply.err_code = error->value("err_code", 0);
              reply.status = JetStreamError(error->value("code", 0), reply.err_code,
                                            error->value("description", ""));
            } else {
              reply.body = std::make_shared<const Json>(body);
            }
            handler(reply);
          });
}

absl::Status JetStreamError(int code, int err_code, std::string_view description) {
  const std::string text = StrCat("JetStream: ", description, " (", err_code, ")");
  switch (err_code) {
    case 10071:  // wrong last sequence of the subject
    case 10164:
      return absl::AbortedError(ToAbsl(text));
    case kErrStreamInvalidConfig:
    case 10054:  // larger than the stream's messages may be
      return InvalidArgument(text);
    case kErrConsumerNotFound:
    case kErrStreamNotFound:
    case kErrMessageNotFound:
      return NotFound(text);
    case 10023:  // insufficient resources
    case 10047:
      return absl::ResourceExhaustedError(ToAbsl(text));
    case 10077:  // not stored; the description says why
      return description.find("maximum") != std::string_view::npos
                 ? absl::ResourceExhaustedError(ToAbsl(text))
                 : Unavailable(text);
    case 10005:  // no suitable peers (yet)
    case 10008:  // cluster not available (yet)
    case 10009:
      return Unavailable(text);
    default:
      break;
  }
  return code >= 500 || code == 0 ? Unavailable(text) : InvalidArgument(text);
}

absl::StatusOr<StreamState> ReadStreamState(const JetStreamReply& reply) {
  if (!reply.status.ok()) return reply.status;
  const auto created = ParseKubeTime(reply.body->value("created", ""));
  const auto state = reply.body->find("state");
  if (!created.ok() || state == reply.body->end()) {
    return Unavailable("malformed description of a stream");
  }
  return StreamState{ToMicros(*created), state->value("last_seq", uint64_t{0})};
}

bool ParseDeliveryInfo(std::string_view reply, DeliveryInfo* info) {
  if (!reply.starts_with("$JS.ACK.")) return false;
  std::vector<std::string_view> tokens;
  for (size_t begin = 0; begin <= reply.size();) {
    size_t end = reply.find('.', begin);
    if (end == std::string_view::npos) end = reply.size();
    tokens.push_back(reply.substr(begin, end - begin));
    begin = end + 1;
  }
  // $JS.ACK.[<domain>.<account hash>.]<stream>.<consumer>.<deliveries>.<stream sequence>.
  // <consumer sequence>.<nanoseconds>.<pending>[.<random>]
  const size_t base = tokens.size() == 9 ? 2 : 4;
  if (tokens.size() != 9 && tokens.size() < 11) return false;
  uint64_t nanos = 0;
  if (!ParseNumber(tokens[base + 3], &info->stream_sequence) ||
      !ParseNumber(tokens[base + 4], &info->consumer_sequence) ||
      !ParseNumber(tokens[base + 5], &nanos) || !ParseNumber(tokens[base + 6], &info->pending)) {
    return false;
  }
  info->stored_micros = static_cast<int64_t>(nanos / 1000);
  return true;
}

void StripProtocolHeaders(Headers& headers) {
  std::erase_if(headers, [](const auto& header) {
    return header.first.starts_with("Nats-Expected-") || header.first == "Nats-Rollup";
  });
}

}  // namespace sealane

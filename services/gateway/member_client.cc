#include "services/gateway/member_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/bus/subjects.h"
#include "lib/core/ids.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/errors.h"
#include "sealane/v1/member_api.pb.h"

namespace sealane::gateway {
namespace {

constexpr std::string_view kRequest = "api";
constexpr std::string_view kMore = "api-more";
// An agent says at once that it is there, and then at least as often as it is asked for more.
constexpr absl::Duration kFirstWord = absl::Seconds(3);
// The same for a cluster that did not answer a moment ago.
constexpr absl::Duration kShortWord = absl::Seconds(1);
constexpr absl::Duration kMoment = absl::Seconds(15);
constexpr absl::Duration kAskAgain = absl::Seconds(15);
constexpr absl::Duration kSilence = absl::Seconds(40);

absl::Status Failed(std::string_view cluster, int code, std::string_view why) {
  const std::string text = StrCat("cluster ", cluster, ": ", why);
  switch (code) {
    case 400:
      return kubeapi::BadRequest(text);
    case 403:
      return kubeapi::ApiError(403, "Forbidden", text);
    case 429:
      return kubeapi::ApiError(429, "TooManyRequests", text);
    case 501:
      return kubeapi::ApiError(501, "NotImplemented", text);
    case 504:
      return kubeapi::ApiError(504, "Timeout", text);
    default:
      return kubeapi::ApiError(502, "BadGateway", text);
  }
}

// Of an agent's headers those that say something about the answer.
http::Headers Cleaned(const v1::MemberPart& part) {
  http::Headers out;
  for (const v1::MemberHeader& header : part.headers()) {
    for (std::string_view name : {"Content-Type", "Warning", "Retry-After"}) {
      http::Headers one;
      one.Add(header.name(), "1");
      if (one.Has(name) && CheckHeader(name, header.value()).ok()) out.Add(name, header.value());
    }
  }
  return out;
}

}  // namespace

class MemberClient::Call final : public MemberCall {
 public:
  Call(MemberClient& client, std::string_view cluster, Callbacks callbacks)
      : client_(client),
        bus_(client.bus_),
        cluster_(cluster),
        session_(NewUuid(client.env_.random)),
        callbacks_(std::move(callbacks)),
        executor_(client.env_.executor) {}
  ~Call() override {
    if (ended_) return;
    v1::MemberMore more;
    more.set_session(session_);
    more.set_cancel(true);
    // Nobody waits for an answer, but the agent takes no message without a reply subject.
    const auto ignored = bus_.RequestMany(hub::Control(cluster_, kMore), more.SerializeAsString(),
                                          [](const absl::StatusOr<BusMessage>&) {});
  }

  void Begin(v1::MemberRequest request) {
    request.set_session(session_);
    request.set_allowed(allowed_ = kWindow);
    Send(kRequest, request.SerializeAsString());
    const absl::Duration now = client_.env_.clock.Monotonic();
    const auto silent = client_.silent_.find(cluster_);
    const bool again = silent != client_.silent_.end() && now < silent->second + kMoment;
    patience_ = executor_.After(again ? kShortWord : kFirstWord, [this] {
      client_.silent_[cluster_] = client_.env_.clock.Monotonic();
      Finish(Failed(cluster_, 502, "its agent does not answer"));
    });
    executor_.After(kAskAgain, [this] { AskAgain(); });
  }

  void Taken(size_t bytes) override {
    taken_ += bytes;
    // In halves of the window, so that not every piece costs a message.
    if (!done_ && taken_ + kWindow >= allowed_ + kWindow / 2) More();
  }

 private:
  void Send(std::string_view verb, const std::string& payload) {
    const uint64_t generation = ++generation_;
    inboxes_.emplace_back(generation,
                          bus_.RequestMany(hub::Control(cluster_, verb), payload,
                                           [this, generation](absl::StatusOr<BusMessage> answer) {
                                             OnAnswer(generation, std::move(answer));
                                           }));
  }
  void More() {
    v1::MemberMore more;
    more.set_session(session_);
    more.set_allowed(allowed_ = taken_ + kWindow);
    Send(kMore, more.SerializeAsString());
  }
  void AskAgain() {
    if (done_) return;
    More();
    executor_.After(kAskAgain, [this] { AskAgain(); });
  }
  void OnAnswer(uint64_t generation, absl::StatusOr<BusMessage> answer);
  void Finish(absl::Status status) {
    if (std::exchange(done_, true)) return;
    executor_.Cancel(patience_);
    // May destroy this call.
    const auto on_done = std::move(callbacks_.on_done);
    on_done(std::move(status));
  }

  MemberClient& client_;
  Bus& bus_;
  const std::string cluster_;
  const std::string session_;
  Callbacks callbacks_;
  std::vector<std::pair<uint64_t, std::unique_ptr<Subscription>>> inboxes_;
  uint64_t generation_ = 0;
  uint64_t allowed_ = 0;
  uint64_t received_ = 0;
  uint64_t taken_ = 0;
  uint64_t last_index_ = 0;
  bool has_head_ = false;
  bool done_ = false;
  bool ended_ = false;  // there, too
  TimerId patience_ = 0;
  ScopedExecutor executor_;
};

void MemberClient::Call::OnAnswer(uint64_t generation, absl::StatusOr<BusMessage> answer) {
  if (done_) return;
  if (!answer.ok()) {
    return Finish(Failed(cluster_, 502,
                         StrCat("its agent is not connected: ",
                                std::string_view(ToStd(answer.status().message())))));
  }
  v1::MemberPart part;
  if (!part.ParseFromString(answer->payload)) {
    return Finish(Failed(cluster_, 502, "its agent answers something strange"));
  }
  ended_ = part.end();
  if (part.error_code() != 0 && !has_head_) {
    return Finish(Failed(cluster_, part.error_code(), part.error()));
  }
  if (part.index() != ++last_index_) {
    return Finish(Failed(cluster_, 502, "a part of the answer was lost"));
  }
  client_.silent_.erase(cluster_);
  // Later parts go to the newest reply subject: what was sent to the older ones has arrived.
  std::erase_if(inboxes_, [generation](const auto& inbox) { return inbox.first < generation; });
  executor_.Cancel(patience_);
  patience_ = executor_.After(
      kSilence, [this] { Finish(Failed(cluster_, 502, "its agent has fallen silent")); });
  const std::weak_ptr<const bool> alive = executor_.alive();
  if (part.status() != 0 && !std::exchange(has_head_, true)) {
    if (part.status() < 200 || part.status() > 599) {
      return Finish(Failed(cluster_, 502, "its agent answers something strange"));
    }
    // A 401 is the agent's trouble, not the user's.
    if (part.status() == 401) {
      return Finish(Failed(cluster_, 502, "its API server does not know the agent (401)"));
    }
    callbacks_.on_head(part.status(), Cleaned(part));
    if (alive.expired()) return;
  }
  received_ += part.data().size();
  if (received_ > allowed_ || (!part.data().empty() && !has_head_)) {
    return Finish(Failed(cluster_, 502, "its agent sends more than was asked for"));
  }
  if (!part.data().empty()) {
    callbacks_.on_data(std::move(*part.mutable_data()));
    if (alive.expired()) return;
  }
  if (!part.end()) return;
  if (!part.error().empty()) return Finish(Failed(cluster_, part.error_code(), part.error()));
  Finish(has_head_ ? absl::OkStatus() : Failed(cluster_, 502, "an empty answer"));
}

MemberClient::MemberClient(Bus& bus, Env env) : bus_(bus), env_(env) {}

std::unique_ptr<MemberCall> MemberClient::Ask(std::string_view cluster,
                                              const http::HttpRequest& request,
                                              std::string_view user, Callbacks callbacks) {
  v1::MemberRequest wire;
  wire.set_method(request.method);
  wire.set_path(request.path);
  wire.set_body(request.body);
  wire.set_user(std::string(user));
  for (std::string_view name : {"Accept", "Content-Type"}) {
    if (!request.headers.Has(name)) continue;
    v1::MemberHeader& header = *wire.add_headers();
    header.set_name(std::string(name));
    header.set_value(std::string(request.headers.Get(name)));
  }
  auto call = std::make_unique<Call>(*this, cluster, std::move(callbacks));
  call->Begin(std::move(wire));
  return call;
}

}  // namespace sealane::gateway

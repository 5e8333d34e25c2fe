#include "services/agent/member_api.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "sealane/v1/member_api.pb.h"

namespace sealane::agent {
namespace {

constexpr std::string_view kRequests = "ctl.api";
constexpr std::string_view kMore = "ctl.api-more";
constexpr absl::Duration kSweep = absl::Seconds(5);
constexpr absl::Duration kAnswerTimeout = absl::Seconds(30);  // until the API server's headers
constexpr size_t kPartBytes = 128 << 10;
constexpr size_t kMaxSession = 64;  // bytes of a session's name

int CodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 502;
  }
}

// For the API server's own log: who is behind the agent. Only what a header may hold.
std::string UserAgentFor(std::string_view user) {
  std::string out = "sealane-agent for ";
  for (const char c : user.substr(0, 128)) out += c > ' ' && c < 0x7f ? c : '_';
  return out;
}

}  // namespace

struct MemberApi::Session {
  std::string reply;
  uint64_t allowed = 0;
  uint64_t sent = 0;
  uint64_t index = 0;
  absl::Duration heard;  // monotonic: when the asker last was
  int status = 0;
  http::Headers headers;
  bool head_sent = false;
  std::deque<std::string> waiting;
  size_t waiting_bytes = 0;
  bool done = false;
  absl::Status error;
  bool flush_posted = false;
  std::unique_ptr<http::Call> call;
};

MemberApi::MemberApi(Env env, Bus& bus, kube::KubeClient& client, MemberAccess access,
                     AgentMetrics& metrics, MemberApiLimits limits)
    : env_(env),
      bus_(bus),
      client_(client),
      access_(access),
      metrics_(metrics),
      limits_(limits),
      executor_(env.executor) {}

MemberApi::~MemberApi() = default;

void MemberApi::Start() {
  requests_ = bus_.Subscribe(kRequests, [this](const BusMessage& message) { OnRequest(message); });
  more_ = bus_.Subscribe(kMore, [this](const BusMessage& message) { OnMore(message); });
  executor_.After(kSweep, [this] { DropSilent(); });
}

void MemberApi::Refuse(const BusMessage& message, int code, std::string_view why) {
  metrics_.member_refused.Increment();
  v1::MemberPart part;
  part.set_error(std::string(why));
  part.set_error_code(code);
  part.set_end(true);
  // One that gets lost is a silence to the asker.
  bus_.Publish(message.reply, part.SerializeAsString()).IgnoreError();
}

void MemberApi::OnRequest(const BusMessage& message) {
  if (message.reply.empty()) return;
  v1::MemberRequest request;
  if (!request.ParseFromString(message.payload) || request.session().empty() ||
      request.session().size() > kMaxSession || sessions_.contains(request.session())) {
    return Refuse(message, 400, "malformed request");
  }
  const absl::Status may = MayAskMember(access_, request.method(), request.path());
  if (!may.ok()) return Refuse(message, CodeOf(may), ToStd(may.message()));
  if (sessions_.size() >= limits_.sessions) {
    return Refuse(message, 429, "too many requests to this cluster are under way");
  }
  metrics_.member_requests.Increment();
  auto session = std::make_unique<Session>();
  session->reply = message.reply;
  session->allowed = request.allowed();
  session->heard = env_.clock.Monotonic();
  Session& kept = *session;
  sessions_[request.session()] = std::move(session);
  // The asker learns that somebody is there before the API server has answered.
  Flush(request.session(), /*always=*/true);
  Ask(request.session(), kept, request);
}

void MemberApi::Ask(const std::string& id, Session& session, const v1::MemberRequest& request) {
  http::HttpRequest http;
  http.method = request.method();
  http.path = request.path();
  http.body = request.body();
  for (const v1::MemberHeader& header : request.headers()) {
    if (header.name() == "Accept" || header.name() == "Content-Type") {
      http.headers.Set(header.name(), header.value());
    }
  }
  http.headers.Set("User-Agent", UserAgentFor(request.user()));
  http::StreamCallbacks callbacks;
  callbacks.on_headers = [this, id](int status, const http::Headers& headers) {
    const auto it = sessions_.find(id);
    if (it == sessions_.end()) return;
    it->second->status = status;
    it->second->headers = headers;
    if (status == 401) client_.InvalidateCredentials();
    FlushSoon(id);
  };
  callbacks.on_chunk = [this, id](std::string_view chunk) {
    const auto it = sessions_.find(id);
    if (it == sessions_.end() || it->second->done || chunk.empty()) return;
    it->second->waiting.emplace_back(chunk);
    it->second->waiting_bytes += chunk.size();
    buffered_ += chunk.size();
    if (buffered_ > limits_.buffered_bytes) {
      return Break(id, "more was answered than the readers take: ask for less (limit)");
    }
    FlushSoon(id);
  };
  callbacks.on_done = [this, id](absl::Status status) {
    const auto it = sessions_.find(id);
    if (it == sessions_.end() || it->second->done) return;
    it->second->done = true;
    it->second->error = std::move(status);
    FlushSoon(id);
  };
  http::RequestOptions options;
  options.timeout = kAnswerTimeout;
  session.call = client_.Stream(std::move(http), std::move(callbacks), options);
}

void MemberApi::OnMore(const BusMessage& message) {
  v1::MemberMore more;
  if (message.reply.empty() || !more.ParseFromString(message.payload)) return;
  const auto it = sessions_.find(more.session());
  // It may be one of another life of this agent.
  if (it == sessions_.end()) {
    if (!more.cancel()) Refuse(message, 502, "the agent does not know of the request any more");
    return;
  }
  if (more.cancel()) return End(more.session());
  it->second->reply = message.reply;
  it->second->allowed = std::max(it->second->allowed, more.allowed());
  it->second->heard = env_.clock.Monotonic();
  Flush(more.session(), /*always=*/true);
}

void MemberApi::FlushSoon(const std::string& id) {
  // What arrives together travels together.
  if (std::exchange(sessions_.at(id)->flush_posted, true)) return;
  executor_.Post([this, id] {
    const auto it = sessions_.find(id);
    if (it == sessions_.end()) return;
    it->second->flush_posted = false;
    Flush(id, /*always=*/false);
  });
}

void MemberApi::Flush(const std::string& id, bool always) {
  Session& session = *sessions_.at(id);
  for (bool first = true;; first = false) {
    v1::MemberPart part;
    if (session.status != 0 && !session.head_sent) {
      session.head_sent = true;
      part.set_status(session.status);
      for (const auto& [name, value] : session.headers.fields()) {
        v1::MemberHeader& header = *part.add_headers();
        header.set_name(name);
        header.set_value(value);
      }
    }
    std::string& data = *part.mutable_data();
    while (!session.waiting.empty()) {
      const uint64_t room = std::min<uint64_t>(
          kPartBytes - data.size(), session.allowed - std::min(session.allowed, session.sent));
      if (room == 0) break;
      std::string& next = session.waiting.front();
      const size_t taken = std::min<size_t>(room, next.size());
      data.append(next, 0, taken);
      session.sent += taken;
      session.waiting_bytes -= taken;
      buffered_ -= taken;
      if (taken == next.size()) {
        session.waiting.pop_front();
      } else {
        next.erase(0, taken);
      }
    }
    const bool last = session.done && session.waiting.empty();
    if (last) {
      part.set_end(true);
      if (!session.error.ok()) {
        part.set_error(std::string(ToStd(session.error.message())));
        part.set_error_code(CodeOf(session.error));
      }
    }
    const bool empty = data.empty() && !last && part.status() == 0;
    if (empty && !(always && first)) return;
    part.set_index(++session.index);  // never 0: see member_api.proto
    if (!bus_.Publish(session.reply, part.SerializeAsString()).ok()) return End(id);
    if (last) return End(id);
    if (empty) return;
  }
}

void MemberApi::Break(const std::string& id, std::string_view why) {
  Session& session = *sessions_.at(id);
  // Not here: this may be inside one of its callbacks.
  executor_.Post([call = std::shared_ptr<http::Call>(std::move(session.call))] {});
  buffered_ -= session.waiting_bytes;
  session.waiting_bytes = 0;
  session.waiting.clear();
  session.done = true;
  session.error = absl::ResourceExhaustedError(ToAbsl(why));
  FlushSoon(id);
}

void MemberApi::End(const std::string& id) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  buffered_ -= it->second->waiting_bytes;
  sessions_.erase(it);
}

void MemberApi::DropSilent() {
  const absl::Duration now = env_.clock.Monotonic();
  std::vector<std::string> silent;
  for (const auto& [id, session] : sessions_) {
    if (now - session->heard >= limits_.silence) silent.push_back(id);
  }
  for (const std::string& id : silent) End(id);
  metrics_.member_sessions.Set(static_cast<double>(sessions_.size()));
  executor_.After(kSweep, [this] { DropSilent(); });
}

}  // namespace sealane::agent

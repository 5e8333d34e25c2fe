#include "lib/bus/query.h"

#include <algorithm>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "sealane/v1/query.pb.h"

namespace sealane {
namespace {

// Divides a reply into messages of at most `limit` bytes (a single larger row stays whole).
class Divider {
 public:
  Divider(size_t limit, std::function<void(const v1::QueryReply&)> send)
      : limit_(limit), send_(std::move(send)) {}

  template <typename Rows, typename Add>
  void Take(const Rows& rows, Add add) {
    for (int i = 0; i < rows.size(); ++i) {
      const size_t size = rows.Get(i).ByteSizeLong() + 24;
      if (size_ > 0 && size_ + size > limit_) Flush();
      size_ += size;
      add(part_, i);
    }
  }
  void Body(const std::string& body) {
    if (body.empty()) return;
    if (size_ > 0 && size_ + body.size() > limit_) Flush();
    size_ += body.size();
    part_.set_body(body);
  }
  void Flush() {
    if (size_ == 0) return;
    send_(part_);
    part_.Clear();
    size_ = 0;
  }

 private:
  const size_t limit_;
  const std::function<void(const v1::QueryReply&)> send_;
  v1::QueryReply part_;
  size_t size_ = 0;
};

}  // namespace

class QueryServer::Answer final : public QueryAnswer {
 public:
  Answer(QueryServer& server, const BusMessage& question)
      : server_(server),
        alive_(server.alive_),
        subject_(question.subject),
        reply_(question.reply) {}
  ~Answer() override {
    if (!ended_) Fail("the query was given up");
  }

  const std::string& subject() const override { return subject_; }
  void Send(const v1::QueryReply& reply) override {
    Divider divider(server_.bus_.MaxPayload() / 2,
                    [this](const v1::QueryReply& part) { Publish(part); });
    divider.Take(reply.objects(), [&](v1::QueryReply& part, int i) {
      *part.add_objects() = reply.objects(i);
      if (i < reply.revisions_size()) part.add_revisions(reply.revisions(i));
    });
    divider.Take(reply.bindings(), [&](auto& p, int i) { *p.add_bindings() = reply.bindings(i); });
    divider.Take(reply.placements(),
                 [&](auto& p, int i) { *p.add_placements() = reply.placements(i); });
    divider.Take(reply.works(), [&](auto& p, int i) { *p.add_works() = reply.works(i); });
    divider.Take(reply.work_statuses(),
                 [&](auto& p, int i) { *p.add_work_statuses() = reply.work_statuses(i); });
    divider.Take(reply.clusters(), [&](auto& p, int i) { *p.add_clusters() = reply.clusters(i); });
    divider.Take(reply.apps(), [&](auto& p, int i) { *p.add_apps() = reply.apps(i); });
    divider.Take(reply.events(), [&](auto& p, int i) { *p.add_events() = reply.events(i); });
    divider.Body(reply.body());
    divider.Flush();
  }
  void End() override {
    v1::QueryReply reply;
    reply.set_end(true);
    Finish(reply);
  }
  void Fail(std::string_view error) override {
    v1::QueryReply reply;
    reply.set_end(true);
    reply.set_error(error.empty() ? "unknown error" : std::string(error));
    Finish(reply);
  }

 private:
  void Publish(const v1::QueryReply& reply) {
    if (alive_.expired() || failed_) return;
    const absl::Status status = server_.bus_.Publish(reply_, reply.SerializeAsString());
    if (status.ok()) return;
    // A part is missing (a body that is too large, the link down): the answer as a whole is void.
    failed_ = true;
    v1::QueryReply error;
    error.set_end(true);
    error.set_error(std::string(status.message()));
    (void)server_.bus_.Publish(reply_, error.SerializeAsString());
  }
  void Finish(const v1::QueryReply& reply) {
    if (std::exchange(ended_, true)) return;
    Publish(reply);
    if (!alive_.expired()) ++server_.served_;
  }

  QueryServer& server_;
  const std::weak_ptr<bool> alive_;
  const std::string subject_;
  const std::string reply_;
  bool ended_ = false;
  bool failed_ = false;
};

QueryServer::QueryServer(Bus& bus, std::string_view filter, Handler handler)
    : bus_(bus), handler_(std::move(handler)), alive_(std::make_shared<bool>(true)) {
  subscription_ = bus_.Subscribe(
      filter,
      [this](const BusMessage& message) {
        if (message.reply.empty()) return;
        auto answer = std::make_shared<Answer>(*this, message);
        v1::QueryRequest request;
        if (!request.ParseFromString(message.payload)) {
          answer->Fail("malformed request");
          return;
        }
        handler_(request, std::move(answer));
      },
      "query");
}

QueryServer::~QueryServer() = default;

struct QueryClient::Call {
  v1::QueryReply merged;
  Handler handler;
  absl::Duration timeout;
  TimerId timer = 0;
  bool done = false;
  std::unique_ptr<Subscription> subscription;
};

QueryClient::QueryClient(Bus& bus, Env env) : bus_(bus), executor_(env.executor) {}
QueryClient::~QueryClient() = default;

void QueryClient::Query(std::string_view subject, const v1::QueryRequest& request,
                        absl::Duration timeout, Handler handler) {
  const auto call = std::make_shared<Call>();
  call->handler = std::move(handler);
  call->timeout = timeout;
  const auto on_reply = [this, alive = executor_.alive(), weak = std::weak_ptr<Call>(call)](
                            const absl::StatusOr<BusMessage>& reply) {
    const std::shared_ptr<Call> c = weak.lock();
    if (c == nullptr || alive.expired() || c->done) return;
    v1::QueryReply part;
    if (!reply.ok()) {
      Finish(c, reply.status());
    } else if (!part.ParseFromString(reply->payload)) {
      Finish(c, Internal("malformed answer"));
    } else if (!part.error().empty()) {
      Finish(c, FailedPrecondition(part.error()));
    } else {
      c->merged.MergeFrom(part);
      if (part.end()) {
        Finish(c, std::move(c->merged));
      } else {
        Arm(c);
      }
    }
  };
  // The timer holds the call; the call holds the subscription.
  Arm(call);
  call->subscription = bus_.RequestMany(subject, request.SerializeAsString(), on_reply);
}

void QueryClient::Arm(const std::shared_ptr<Call>& call) {
  executor_.Cancel(call->timer);
  call->timer = executor_.After(call->timeout, [this, call] {
    Finish(call, absl::DeadlineExceededError("the query was not answered in time"));
  });
}

void QueryClient::Finish(const std::shared_ptr<Call>& call, absl::StatusOr<v1::QueryReply> result) {
  if (std::exchange(call->done, true)) return;
  executor_.Cancel(call->timer);
  // Not inside the subscription's own callback, which would then destroy itself.
  executor_.Post([call] { call->subscription.reset(); });
  call->handler(std::move(result));
}

}  // namespace sealane

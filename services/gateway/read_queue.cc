#include "services/gateway/read_queue.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "lib/core/mutex.h"

namespace sealane::gateway {

// What tickets hold instead of the queue, which may be gone.
struct ReadQueue::Link {
  Mutex mutex;
  Executor* executor ABSL_GUARDED_BY(mutex) = nullptr;  // nullptr: the queue is gone
  ReadQueue* queue = nullptr;                           // the same, for the executor's thread

  // Thread rule: any.
  static void Over(const std::shared_ptr<Link>& link, const std::string& user, size_t bytes) {
    const MutexLock lock(&link->mutex);
    if (link->executor == nullptr) return;
    link->executor->Post([link, user, bytes] {
      if (link->queue != nullptr) link->queue->Over(user, bytes);
    });
  }
};

// Passes an answer on and tells the queue when it is over: a whole answer when the client has taken
// it, a stream when it begins.
class ReadQueue::Writer final : public http::ForwardingWriter {
 public:
  Writer(std::shared_ptr<http::ResponseWriter> next, std::shared_ptr<Link> link, std::string user)
      : ForwardingWriter(std::move(next)), link_(std::move(link)), user_(std::move(user)) {}
  ~Writer() override { Over(); }
  void Send(http::HttpResponse response) override {
    if (over_) return ForwardingWriter::Send(std::move(response));
    over_ = true;
    const size_t bytes = response.body.size();
    if (link_->queue != nullptr) link_->queue->users_[user_].untaken_bytes += bytes;
    Hold({link_.get(),
          [link = link_, user = user_, bytes](void*) { Link::Over(link, user, bytes); }});
    ForwardingWriter::Send(std::move(response));
  }
  void StartStream(int status, http::Headers headers) override {
    Over();
    ForwardingWriter::StartStream(status, std::move(headers));
  }

 private:
  void Over() {
    if (!std::exchange(over_, true)) Link::Over(link_, user_, 0);
  }

  std::shared_ptr<Link> link_;
  std::string user_;
  bool over_ = false;
};

ReadQueue::ReadQueue(Executor& executor, Options options)
    : options_(options),
      executor_(executor),
      reads_(options.max_reads),
      link_(std::make_shared<Link>()) {
  link_->queue = this;
  const MutexLock lock(&link_->mutex);
  link_->executor = &executor_;
}

ReadQueue::~ReadQueue() {
  link_->queue = nullptr;
  const MutexLock lock(&link_->mutex);
  link_->executor = nullptr;
}

bool ReadQueue::Add(const std::string& user, std::shared_ptr<http::ResponseWriter> writer,
                    Serve serve) {
  if (!reads_.Take(user)) return false;
  users_[user].waiting.push_back(
      {std::make_shared<Writer>(std::move(writer), link_, user), std::move(serve)});
  Wake();
  return true;
}

void ReadQueue::Wake() {
  if (std::exchange(woken_, true)) return;
  executor_.Post([this, link = link_] {
    if (link->queue == nullptr) return;
    woken_ = false;
    ServeNext();
  });
}

void ReadQueue::ServeNext() {
  auto it = users_.upper_bound(last_);
  for (size_t looked = 0; looked < users_.size(); ++looked, ++it) {
    if (it == users_.end()) it = users_.begin();
    User& user = it->second;
    if (user.waiting.empty() || user.untaken_bytes >= options_.max_untaken_bytes) continue;
    last_ = it->first;
    Read read = std::move(user.waiting.front());
    user.waiting.pop_front();
    Wake();
    return read.serve(std::move(read.writer));
  }
}

void ReadQueue::Over(const std::string& user, size_t bytes) {
  const auto it = users_.find(user);
  if (it == users_.end()) return;
  it->second.untaken_bytes -= bytes;
  reads_.GiveBack(user);
  if (reads_.TakenBy(user) == 0) users_.erase(it);
  Wake();
}

}  // namespace sealane::gateway

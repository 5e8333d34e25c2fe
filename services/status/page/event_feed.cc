#include "services/status/page/event_feed.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "sealane/v1/app.pb.h"
#include "services/status/page/answers.h"
#include "services/status/page/fleet_json.h"

namespace sealane::status {
namespace {

// How long a browser waits before it comes back, in milliseconds.
constexpr std::string_view kRetry = "retry: 2000\n\n";
constexpr std::string_view kKeepAlive = ": still here\n\n";
constexpr std::string_view kGap =
    "event: gap\ndata: {\"message\":\"Older events are not told here.\"}\n\n";

struct EventId {
  int64_t life = 0;
  uint64_t sequence = 0;
};

// {0, 0} for what is no id.
EventId ParseId(std::string_view text) {
  EventId id;
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return {};
  const char* const end = text.data() + text.size();
  const char* const middle = text.data() + dot;
  const auto life = std::from_chars(text.data(), middle, id.life);
  const auto sequence = std::from_chars(middle + 1, end, id.sequence);
  if (life.ec != std::errc() || life.ptr != middle) return {};
  if (sequence.ec != std::errc() || sequence.ptr != end) return {};
  return id;
}

}  // namespace

EventFeed::EventFeed(Env env, Bus& bus, Registry& metrics, std::function<bool()> may_tell,
                     EventFeedOptions options)
    : bus_(bus),
      may_tell_(std::move(may_tell)),
      options_(options),
      listening_(metrics.AddGauge("sealane_status_page_listeners",
                                  "Browsers that follow the events of the web page.")),
      dropped_(metrics.AddCounter("sealane_status_page_listeners_dropped_total",
                                  "Of them, those cut off because they read too slowly.")),
      executor_(env.executor) {}

EventFeed::~EventFeed() { EndAll(); }

void EventFeed::Start() {
  WatchOptions watch;
  watch.stream = std::string(kEventsLog);
  watch.all = true;
  watch.newest = options_.kept;
  watch_ = bus_.Watch(watch, [this](const WatchEvent& event) { OnStream(event); });
  executor_.After(options_.keep_alive, [this] { KeepAlive(); });
}

void EventFeed::OnStream(const WatchEvent& event) {
  switch (event.type) {
    case WatchEvent::Type::kReset:
      // Another life of the stream, or one that cannot be told from it: everybody comes again.
      EndAll();
      kept_.clear();
      synced_ = false;
      stream_created_micros_ = event.stream_created_micros;
      last_sequence_ = 0;
      return;
    case WatchEvent::Type::kSynced:
      synced_ = true;
      last_sequence_ = std::max(last_sequence_, event.last_sequence);
      for (auto& entry : listeners_) Begin(entry.second);
      return;
    case WatchEvent::Type::kDelete:
      return;
    case WatchEvent::Type::kPut:
      break;
  }
  last_sequence_ = event.message.sequence;
  v1::Event message;
  if (!message.ParseFromString(event.message.payload)) return;
  kept_.push_back({last_sequence_, StrCat("id: ", stream_created_micros_, ".", last_sequence_,
                                          "\ndata: ", WriteJson(EventJson(message)), "\n\n")});
  if (kept_.size() > options_.kept) kept_.pop_front();
  if (synced_) TellAll(kept_.back().text);
}

void EventFeed::Listen(std::string_view last_id, std::shared_ptr<http::ResponseWriter> writer) {
  if (listeners_.size() >= options_.max_listeners) {
    http::HttpResponse response = ErrorAnswer(
        503, "too-many-listeners",
        StrCat("There are ", options_.max_listeners, " listeners already; try again later."));
    response.headers.Set("Retry-After", "10");
    return writer->Send(std::move(response));
  }
  http::Headers headers = {{"Content-Type", "text/event-stream"},
                           {"Cache-Control", "no-store"},
                           {"X-Accel-Buffering", "no"}};
  AddSafetyHeaders(headers);
  writer->StartStream(200, std::move(headers));
  const uint64_t id = next_listener_++;
  writer->OnClose([this, id, alive = executor_.alive()] {
    if (alive.expired()) return;
    listeners_.erase(id);
    listening_.Set(static_cast<double>(listeners_.size()));
  });
  Listener& listener = listeners_[id];
  listener.writer = std::move(writer);
  listener.last_id = Shortened(last_id, 64);
  listening_.Set(static_cast<double>(listeners_.size()));
  listener.writer->Write(std::string(kRetry));
  if (synced_) Begin(listener);
}

void EventFeed::Begin(Listener& listener) {
  listener.begun = true;
  const EventId seen = ParseId(listener.last_id);
  std::string text;
  size_t from = kept_.size() > options_.first ? kept_.size() - options_.first : 0;
  if (!listener.last_id.empty()) {
    if (seen.life == stream_created_micros_ && seen.sequence <= last_sequence_) {
      from = 0;
      while (from < kept_.size() && kept_[from].sequence <= seen.sequence) ++from;
      const uint64_t oldest = kept_.empty() ? last_sequence_ + 1 : kept_.front().sequence;
      if (seen.sequence + 1 < oldest) text += kGap;
    } else {
      text += kGap;  // of another life
    }
  }
  for (; from < kept_.size(); ++from) text += kept_[from].text;
  if (!text.empty()) listener.writer->Write(std::move(text));
}

bool EventFeed::Tell(Listener& listener, const std::string& text) {
  if (!listener.begun) return true;
  if (listener.writer->pending_bytes() + text.size() > options_.max_pending_bytes) {
    dropped_.Increment();
    listener.writer->Abort();
    return false;
  }
  listener.writer->Write(text);
  return true;
}

void EventFeed::TellAll(const std::string& text) {
  for (auto it = listeners_.begin(); it != listeners_.end();) {
    it = Tell(it->second, text) ? std::next(it) : listeners_.erase(it);
  }
  listening_.Set(static_cast<double>(listeners_.size()));
}

void EventFeed::EndAll() {
  for (auto& entry : listeners_) entry.second.writer->End();
  listeners_.clear();
  listening_.Set(0);
}

void EventFeed::KeepAlive() {
  executor_.After(options_.keep_alive, [this] { KeepAlive(); });
  if (!may_tell_()) return EndAll();
  TellAll(std::string(kKeepAlive));
}

}  // namespace sealane::status

#include "services/source/publisher.h"

#include <algorithm>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/strings.h"

namespace sealane::source {
namespace {

constexpr absl::Duration kRepeatAfter = absl::Seconds(1);
constexpr absl::Duration kShortestPause = absl::Milliseconds(20);
constexpr absl::Duration kLongestPause = absl::Seconds(1);

}  // namespace

Publisher::Publisher(Bus& bus, Env env, std::vector<v1::DeployEvent> events, Done done)
    : bus_(bus), done_(std::move(done)), executor_(env.executor) {
  if (events.size() > 1) {
    for (const v1::DeployEvent& event : events) {
      v1::DeployEvent trial = event;
      trial.set_id(StrCat(event.id(), "t"));
      trial.set_dry_run(true);
      events_.push_back(std::move(trial));
    }
    trials_ = events_.size();
  }
  for (v1::DeployEvent& event : events) events_.push_back(std::move(event));
  executor_.Post([this] { PublishNext(); });
}

void Publisher::PublishNext() {
  const bool refused = !results_.empty() && !results_.back().accepted();
  if (refused || next_ == events_.size()) {
    // The receiver may destroy this object.
    const Done done = std::move(done_);
    done(std::move(results_));
    return;
  }
  if (next_ == trials_) results_.clear();  // what trials say is said again
  Publish(events_[next_++]);
}

void Publisher::Publish(const v1::DeployEvent& event) {
  AppendRequest request;
  request.subject = hub::Deploy(kPlatform);
  request.payload = event.SerializeAsString();
  request.message_id = event.id();
  bus_.Append(std::move(request),
              [this, &event, alive = executor_.alive()](const absl::StatusOr<Appended>& appended) {
                if (alive.expired()) return;
                if (appended.ok()) return Await(event.id(), kShortestPause);
                if (absl::IsInvalidArgument(appended.status())) {
                  v1::DeployResult& result = results_.emplace_back();
                  v1::FieldError& error = *result.add_errors();
                  error.set_reason("Invalid");
                  error.set_message(std::string(ToStd(appended.status().message())));
                  executor_.Post([this] { PublishNext(); });
                  return;
                }
                executor_.After(kRepeatAfter, [this, &event] { Publish(event); });
              });
}

void Publisher::Await(const std::string& id, absl::Duration pause) {
  bus_.GetLast(
      kDeployedTable, hub::Deployed(kPlatform, id),
      [this, &id, pause,
       alive = executor_.alive()](const absl::StatusOr<std::optional<BusMessage>>& answer) {
        if (alive.expired()) return;
        v1::DeployResult result;
        if (answer.ok() && answer->has_value() && result.ParseFromString((*answer)->payload)) {
          results_.push_back(std::move(result));
          executor_.Post([this] { PublishNext(); });
          return;
        }
        executor_.After(pause,
                        [this, &id, pause] { Await(id, std::min(pause * 2, kLongestPause)); });
      });
}

}  // namespace sealane::source

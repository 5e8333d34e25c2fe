#include "services/status/work_news.h"

#include <string_view>
#include <utility>

#include "lib/core/strings.h"

namespace sealane::status {
namespace {

constexpr int64_t kDriftPause = 60'000'000;  // between two events about one work's drift
// The agent's words for these.
constexpr std::string_view kConflict = "Conflict";
constexpr std::string_view kDrifted = "Drifted";

std::string_view ReasonOf(const WorkFacts& facts) {
  return facts.words == nullptr ? std::string_view() : std::string_view(facts.words->reason);
}

std::string_view MessageOf(const WorkFacts& facts) {
  return facts.words == nullptr ? std::string_view() : std::string_view(facts.words->message);
}

v1::Event MakeEvent(std::string_view type, std::string_view reason, std::string message) {
  v1::Event event;
  event.set_type(std::string(type));
  event.set_reason(std::string(reason));
  event.set_message(std::move(message));
  return event;
}

bool SameWords(const WorkFacts& a, const WorkFacts& b) {
  return a.state == b.state && ReasonOf(a) == ReasonOf(b) && MessageOf(a) == MessageOf(b) &&
         a.object_generation == b.object_generation && a.fence_version == b.fence_version;
}

}  // namespace

std::vector<v1::Event> NewsOf(const WorkFacts* before, WorkFacts& now, int64_t now_micros) {
  std::vector<v1::Event> news;
  const bool same = before != nullptr && SameWords(*before, now);
  if (now.state == WorkFacts::State::kFailed && !same) {
    if (ReasonOf(now) == kConflict) {
      news.push_back(MakeEvent("Warning", kConflict, std::string(MessageOf(now))));
    } else {
      news.push_back(MakeEvent("Warning", "ApplyFailed",
                               ReasonOf(now).empty()
                                   ? std::string(MessageOf(now))
                                   : StrCat(ReasonOf(now), ": ", MessageOf(now))));
    }
  }
  if (now.state == WorkFacts::State::kApplied && ReasonOf(now) == kDrifted && !same) {
    news.push_back(MakeEvent("Warning", "DriftFound", std::string(MessageOf(now))));
  }
  // The first word on a work brings what was repaired in all the time before: that is no news.
  now.drift_told = before == nullptr ? now.drift_repairs : before->drift_told;
  now.drift_told_micros = before == nullptr ? 0 : before->drift_told_micros;
  const int64_t repairs = now.drift_repairs - now.drift_told;
  if (repairs > 0 && now_micros - now.drift_told_micros >= kDriftPause) {
    news.push_back(MakeEvent(
        "Normal", "DriftRepaired",
        repairs == 1
            ? std::string("somebody changed the object; it is as declared again")
            : StrCat("somebody changed the object ", repairs, " times; it is as declared again")));
    now.drift_told = now.drift_repairs;
    now.drift_told_micros = now_micros;
  }
  return news;
}

}  // namespace sealane::status

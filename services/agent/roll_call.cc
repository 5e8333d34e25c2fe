#include "services/agent/roll_call.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/kube/json_access.h"

namespace sealane::agent {
namespace {

constexpr int kRollPage = 500;
// How long too few objects are too few.
constexpr absl::Duration kTooFew = absl::Milliseconds(200);
constexpr size_t kMaxGroups = 1000;

}  // namespace

void RollCall::Check(const kube::ResourceType& type, const std::string& ns, const std::string& name,
                     const std::function<std::vector<std::string>()>& names,
                     std::function<void(bool absent)> then) {
  const std::string path = kube::CollectionPath(type, ns);
  const absl::Duration now = env_.clock.Monotonic();
  if (groups_.size() > kMaxGroups) {
    std::erase_if(groups_, [now](const auto& entry) {
      return !entry.second.listing && entry.second.until <= now;
    });
  }
  Group& group = groups_[path];
  if (group.listing) {
    group.waiting.emplace_back(name, std::move(then));
    return;
  }
  if (now < group.until) return then(group.absent.erase(name) > 0);
  group.absent.clear();
  std::vector<std::string> asked = names();
  if (asked.size() < kWorthwhile) {
    group.until = now + kTooFew;
    return then(false);
  }
  group.type = type;
  group.ns = ns;
  group.listing = true;
  group.pages_left = 1 + static_cast<int>(asked.size() / 50);
  group.absent.insert(asked.begin(), asked.end());
  group.waiting.emplace_back(name, std::move(then));
  List(path, "");
}

void RollCall::List(const std::string& path, std::string_view continue_token) {
  Group& group = groups_.at(path);
  --group.pages_left;
  client_.ListMetadata(
      group.type, group.ns, kRollPage, continue_token,
      [this, path, alive = executor_.alive()](const absl::Status& status, const Json* list) {
        if (alive.expired()) return;
        if (!status.ok()) return Finish(path, /*complete=*/false);
        Group& group = groups_.at(path);
        if (const Json* items = kube::Find(*list, {"items"}); items != nullptr) {
          for (const Json& item : *items) {
            group.absent.erase(std::string(kube::GetString(item, {"metadata", "name"})));
          }
        }
        const std::string next(kube::GetString(*list, {"metadata", "continue"}));
        if (next.empty()) return Finish(path, /*complete=*/true);
        if (group.pages_left == 0) return Finish(path, /*complete=*/false);
        List(path, next);
      });
}

void RollCall::Finish(const std::string& path, bool complete) {
  Group& group = groups_.at(path);
  group.listing = false;
  group.until = env_.clock.Monotonic() + kKept;
  if (!complete) group.absent.clear();
  std::vector<std::pair<bool, std::function<void(bool)>>> answers;
  for (auto& [name, then] : std::exchange(group.waiting, {})) {
    answers.emplace_back(group.absent.erase(name) > 0, std::move(then));
  }
  const auto alive = executor_.alive();
  for (const auto& [absent, then] : answers) {
    if (alive.expired()) return;
    then(absent);
  }
}

}  // namespace sealane::agent

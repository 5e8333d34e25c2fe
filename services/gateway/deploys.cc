#include "services/gateway/deploys.h"

#include <optional>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/ids.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/errors.h"
#include "lib/model/identity.h"

namespace sealane::gateway {

Deploys::Deploys(Bus& bus, Env env, absl::Duration timeout)
    : bus_(bus), env_(env), timeout_(timeout), executor_(env.executor) {}

void Deploys::Start() {
  WatchOptions options;
  options.stream = std::string(kDeployedTable);
  options.filter = StrCat(kDeployedTable, ".", EncodeToken(kGatewayPlatform), ".>");
  options.new_only = true;
  watch_ = bus_.Watch(options, [this](const WatchEvent& event) { OnResult(event); });
}

void Deploys::OnResult(const WatchEvent& event) {
  if (event.type == WatchEvent::Type::kReset) ready_ = true;
  if (event.type != WatchEvent::Type::kPut) return;
  OnMessage(event.message);
}

void Deploys::OnMessage(const BusMessage& message) {
  v1::DeployResult result;
  if (!result.ParseFromString(message.payload) || !waiting_.contains(result.event_id())) return;
  if (result.results_size() == 1) return Finish(result.event_id(), result.results(0));
  // The event itself was unusable.
  const std::string why = result.errors().empty() ? "no result" : result.errors(0).message();
  Finish(result.event_id(),
         kubeapi::ApiError(500, "InternalError", StrCat("the deploy event was refused: ", why)));
}

// The answer may have come while the bus could not be reached.
void Deploys::LookUp(const std::string& id) {
  bus_.GetLast(kDeployedTable, hub::Deployed(kGatewayPlatform, id),
               [this, id,
                alive = executor_.alive()](const absl::StatusOr<std::optional<BusMessage>>& found) {
                 if (alive.expired()) return;
                 if (found.ok() && found->has_value()) OnMessage(**found);
                 Finish(id, kubeapi::ApiError(
                                504, "Timeout",
                                "the policy service has not answered yet; the change may still be "
                                "made: read the object before you repeat it"));
               });
}

void Deploys::Publish(v1::Operation operation, const std::string& publisher, Done done) {
  v1::DeployEvent event;
  event.set_id(NewUuid(env_.random));
  event.set_publisher(publisher);
  event.set_created_micros(ToMicros(env_.clock.Now()));
  *event.add_operations() = std::move(operation);
  const std::string id = event.id();
  Waiting& waiting = waiting_[id];
  waiting.done = std::move(done);
  waiting.timer = executor_.After(timeout_, [this, id] { LookUp(id); });
  AppendRequest request;
  request.subject = hub::Deploy(kGatewayPlatform);
  request.message_id = id;
  request.payload = event.SerializeAsString();
  bus_.Append(std::move(request),
              [this, id, alive = executor_.alive()](const absl::StatusOr<Appended>& appended) {
                if (alive.expired() || appended.ok()) return;
                if (absl::IsInvalidArgument(appended.status())) {
                  return Finish(id, kubeapi::ApiError(413, "RequestEntityTooLarge",
                                                      ToStd(appended.status().message())));
                }
                Finish(id, kubeapi::ApiError(503, "ServiceUnavailable",
                                             StrCat("the bus did not take the change: ",
                                                    ToStd(appended.status().message()))));
              });
}

void Deploys::Finish(const std::string& id, absl::StatusOr<v1::OperationResult> result) {
  const auto it = waiting_.find(id);
  if (it == waiting_.end()) return;
  const Waiting waiting = std::move(it->second);
  waiting_.erase(it);
  executor_.Cancel(waiting.timer);
  waiting.done(std::move(result));
}

}  // namespace sealane::gateway

#include "lib/bus/nats_streams.h"

#include <string>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"

namespace sealane {
namespace {

// What a cluster of servers keeps unless told otherwise: one may be lost.
constexpr int kClusteredReplicas = 3;

Json ToJson(const StreamConfig& config, int replicas) {
  Json json = {{"name", config.name},
               {"subjects", config.subjects},
               {"retention", "limits"},
               {"storage", "file"},
               {"max_consumers", -1},
               {"max_msgs", -1},
               {"max_bytes", config.max_bytes},
               {"max_age", absl::ToInt64Nanoseconds(config.max_age)},
               {"max_msgs_per_subject", config.last_per_subject ? config.history : -1},
               {"max_msg_size", -1},
               {"discard", config.discard_old ? "old" : "new"},
               {"num_replicas", replicas},
               // Who may append a row could otherwise purge everybody's with a header.
               {"allow_rollup_hdrs", false},
               {"allow_direct", true},
               {"duplicate_window", absl::ToInt64Nanoseconds(config.duplicate_window)}};
  if (config.max_age > absl::ZeroDuration() && config.duplicate_window > config.max_age) {
    json["duplicate_window"] = json["max_age"];
  }
  if (!config.republish_prefix.empty()) {
    const std::string& subject = config.subjects.front();
    json["republish"] = {{"src", subject}, {"dest", StrCat(config.republish_prefix, subject)}};
  }
  return json;
}

}  // namespace

void NatsStreams::Ensure(const StreamConfig& config, Bus::DoneHandler done) {
  absl::Status status = CheckName(config.name);
  if (status.ok() && config.subjects.empty()) status = InvalidArgument("a stream needs subjects");
  for (const std::string& subject : config.subjects) {
    if (status.ok()) status = CheckFilter(subject);
  }
  if (!status.ok()) {
    executor_.Post([done = std::move(done), status] {
      if (done) done(status);
    });
    return;
  }
  const auto making = std::make_shared<Making>(Making{
      config, config.replicas == 0 ? kClusteredReplicas : config.replicas,
      Backoff(BackoffOptions{absl::Milliseconds(100), absl::Seconds(2)}), std::move(done), false});
  Try(making, "CREATE");
}

void NatsStreams::Try(const std::shared_ptr<Making>& making, std::string_view verb) {
  requests_.JetStream(StrCat("STREAM.", verb, ".", making->config.name),
                      ToJson(making->config, making->replicas),
                      [this, making, alive = executor_.alive()](const JetStreamReply& reply) {
                        if (!alive.expired()) OnReply(making, reply);
                      });
}

void NatsStreams::OnReply(const std::shared_ptr<Making>& making, const JetStreamReply& reply) {
  if (reply.status.ok()) {
    if (making->done) making->done(absl::OkStatus());
    return;
  }
  if (reply.err_code == kErrStreamNameInUse) return Try(making, "UPDATE");
  if (reply.err_code == kErrReplicasNotSupported && making->config.replicas == 0 &&
      making->replicas > 1) {
    making->replicas = 1;
    return Try(making, "CREATE");
  }
  const bool few = reply.err_code == kErrNoPeers;
  if (absl::IsInvalidArgument(reply.status) && !few) {
    if (making->done) {
      making->done(Annotate(reply.status, StrCat("stream ", making->config.name)));
    }
    return;
  }
  if (few && !std::exchange(making->told, true)) {
    on_error_(StrCat("stream ", making->config.name, ": waits for ", making->replicas,
                     " servers of the bus to hold it: ", ToStd(reply.status.message())));
  }
  // Not connected, JetStream not ready, too few servers, or deleted between the two steps.
  executor_.After(making->backoff.Next(env_.random), [this, making] { Try(making, "CREATE"); });
}

}  // namespace sealane

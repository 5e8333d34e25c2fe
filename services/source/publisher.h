#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/bus/bus.h"
#include "lib/core/scoped_executor.h"
#include "sealane/v1/deploy.pb.h"

namespace sealane::source {

// The name under which the source service publishes, as platforms do.
inline constexpr char kPlatform[] = "sealane-source";

// Publishes the events of a plan one after the other and waits for each answer; an event is
// repeated under its id until it is stored, its answer is asked for until it is there. When there
// are several, all are tried first without effect, so that a refusal is found before the first has
// one. Thread rule: the executor thread only; destroying it forgets what is under way.
class Publisher {
 public:
  // The answers so far, the last one refused or all accepted.
  using Done = std::function<void(std::vector<v1::DeployResult>)>;
  // The bus and env must outlive the publisher.
  Publisher(Bus& bus, Env env, std::vector<v1::DeployEvent> events, Done done);

 private:
  void PublishNext();
  void Publish(const v1::DeployEvent& event);
  void Await(const std::string& id, absl::Duration pause);

  Bus& bus_;
  std::vector<v1::DeployEvent> events_;  // trials first
  size_t trials_ = 0;
  size_t next_ = 0;
  Done done_;
  std::vector<v1::DeployResult> results_;
  ScopedExecutor executor_;
};

}  // namespace sealane::source

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lib/bus/bus.h"
#include "lib/core/event_loop.h"
#include "tools/sealane/fleet.h"

namespace sealane::cli {

// The fleet over a bus connection with a platform's rights. The connection lives on a thread of its
// own; the commands block on it. Thread rule: one thread uses it.
class BusFleet final : public Fleet {
 public:
  // Makes the connection; called once, on the loop's thread.
  using BusMaker = std::function<absl::StatusOr<std::unique_ptr<Bus>>(Env)>;
  struct Options {
    // How long an answer may take before it is asked for, or the event is published again.
    absl::Duration ask_again = absl::Seconds(5);
    absl::Duration tell_every = absl::Seconds(1);  // OnWaiting
  };
  // `why_not` tells what is known when the bus cannot be reached; called on the loop's thread.
  static absl::StatusOr<std::unique_ptr<Fleet>> Connect(
      const BusMaker& make_bus, absl::Duration timeout, Options options,
      const std::function<std::string()>& why_not);
  ~BusFleet() override;

  [[nodiscard]] int64_t NowMicros() const override;
  [[nodiscard]] std::string NewId() override;
  absl::StatusOr<v1::DeployResult> Deploy(const v1::DeployEvent& event,
                                          absl::Duration timeout) override;
  absl::StatusOr<std::optional<v1::DeployResult>> Result(std::string_view event_id,
                                                         absl::Duration timeout) override;
  absl::StatusOr<v1::QueryReply> Query(std::string_view service, const v1::QueryRequest& request,
                                       absl::Duration timeout) override;
  absl::Status Follow(std::string_view filter, absl::Duration timeout, const BeginHandler& begin,
                      const MessageHandler& handler) override;
  absl::StatusOr<std::string> Call(std::string_view subject, std::string_view payload,
                                   absl::Duration timeout) override;
  void OnWaiting(WaitingHandler handler) override { waiting_ = std::move(handler); }
  [[nodiscard]] size_t MaxPayload() const override { return max_payload_; }

 private:
  explicit BusFleet(Options options) : options_(std::move(options)) {}
  // Asks a subject and collects the parts. `who`: the service, for the errors.
  absl::StatusOr<v1::QueryReply> Ask(std::string_view subject, std::string_view who,
                                     const v1::QueryRequest& request, absl::Duration timeout);
  // Runs on the loop's thread, and waits for the end.
  void OnLoop(const std::function<void()>& fn);

  const Options options_;
  mutable EventLoop loop_;
  std::unique_ptr<Bus> bus_;  // touched on the loop's thread only
  SystemRandom random_;
  size_t max_payload_ = 1 << 20;
  WaitingHandler waiting_;
};

}  // namespace sealane::cli

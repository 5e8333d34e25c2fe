#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

// Decides when the only writer of a stream need not follow it. What it wrote is acknowledged to it
// anyway; being sent every row back as well costs the server and the writer about half of their
// work. So once the writer's view is seen to equal the stream at rest, following ends, until there
// is a doubt: the connection was lost, a write was answered unexpectedly, or (looked at every half
// minute) the stream at rest is not where the writer believes it to be. Thread rule: the executor
// thread only.
class SoleWriter {
 public:
  struct Hooks {
    // Where the writer believes the stream to be; nullopt while it is not at rest (writes are on
    // their way, or a snapshot is being read).
    std::function<std::optional<StreamState>()> believed;
    // Begin or end to follow the stream. Beginning tells a whole snapshot.
    std::function<void(bool follow)> follow;
  };
  SoleWriter(Bus& bus, Env env, std::string stream, Hooks hooks);

  // True: this process alone writes from now on. False: follow always, as every reader.
  void Set(bool sole);
  // Something is not as believed: follow again.
  void Doubt();

 private:
  void CheckAfter(absl::Duration wait);
  void Check();
  void Compare(const StreamState& before, const absl::StatusOr<StreamState>& is);

  Bus& bus_;
  const std::string stream_;
  const Hooks hooks_;
  bool sole_ = false;
  bool following_ = true;
  TimerId timer_ = 0;
  std::unique_ptr<Subscription> state_;
  ScopedExecutor executor_;
};

}  // namespace sealane

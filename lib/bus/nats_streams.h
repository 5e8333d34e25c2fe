#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "lib/bus/bus.h"
#include "lib/bus/nats_requests.h"
#include "lib/core/backoff.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

// Makes streams, and changes those that are there to their settings. Thread rule: the executor
// thread only. What is given must outlive it.
class NatsStreams {
 public:
  // `on_error` is told why a stream cannot be made yet.
  NatsStreams(Env env, NatsRequests& requests, std::function<void(std::string_view)> on_error)
      : env_(env), requests_(requests), on_error_(std::move(on_error)), executor_(env.executor) {}

  // As Bus::EnsureStream.
  void Ensure(const StreamConfig& config, Bus::DoneHandler done);

 private:
  struct Making {
    StreamConfig config;
    int replicas = 1;  // what is tried
    Backoff backoff;
    Bus::DoneHandler done;
    bool told = false;  // what it waits for
  };
  void Try(const std::shared_ptr<Making>& making, std::string_view verb);
  void OnReply(const std::shared_ptr<Making>& making, const JetStreamReply& reply);

  Env env_;
  NatsRequests& requests_;
  std::function<void(std::string_view)> on_error_;
  ScopedExecutor executor_;
};

}  // namespace sealane

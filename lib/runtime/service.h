#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/runtime/flags.h"
#include "lib/telemetry/metrics.h"

namespace sealane {

// What every service is built from. All of it outlives the service.
struct ServiceContext {
  Env env;
  Bus& bus;
  Registry& metrics;
  std::string instance;  // unique name of this process, for leases and logs
  int bus_replicas = 0;  // --bus-replicas (as in StreamConfig): for the streams the service creates
};

// One running service: policy, scheduler, status, agent. The constructor must not do I/O; Start
// begins it. Destroying the object stops it at once (as a kill would), on the executor's thread;
// all its callbacks die with it. Everything runs on the context's executor.
class Service {
 public:
  virtual ~Service() = default;
  virtual void Start() = 0;
  // Views are synced and work is being done: what /readyz says. `why_not` is for people: the
  // reason, or what is wrong although work is being done.
  [[nodiscard]] virtual bool Ready(std::string* why_not) const = 0;
  // The process is about to end: a leader releases its lease, so that a standby need not wait for
  // its end. `done` exactly once, then or later; the process waits a second at most.
  virtual void Retire(std::function<void()> done) { done(); }
  // No work is waiting or in flight: simulations and benchmarks use it to see rest.
  [[nodiscard]] virtual bool Idle() const = 0;
};

// How a process makes its service from flags.
struct ServiceDefinition {
  std::string name;            // "sealane-policy"
  std::string summary;         // one line for --help
  std::vector<Flag> flags;     // besides the common ones (bus, metrics, logging, instance)
  bool writes_bursts = false;  // NatsOptions::gather_appends
  std::function<absl::StatusOr<std::unique_ptr<Service>>(const Flags&, ServiceContext)> make;
};

// The body of every service's main: parses flags, sets up logging, the event loop, the bus and the
// endpoints /metrics, /healthz, /readyz, runs the service until SIGTERM or SIGINT, stops everything
// in reverse order. Returns the exit code: 0 after a signal, 2 for bad flags, 1 when it cannot run.
int RunService(int argc, char** argv, const ServiceDefinition& definition);

}  // namespace sealane

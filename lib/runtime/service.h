#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/telemetry/metrics.h"

namespace sealane {

// What every service is built from. All of it outlives the service.
struct ServiceContext {
  Env env;
  Bus& bus;
  Registry& metrics;
  std::string instance;  // unique name of this process, for leases and logs
  int bus_replicas = 1;  // --bus-replicas: for the streams the service creates
};

// One running service: policy, scheduler, status, agent. The constructor must not do I/O; Start
// begins it. Destroying the object stops it at once (as a kill would), on the executor's thread; all
// its callbacks die with it. Everything runs on the context's executor.
class Service {
 public:
  virtual ~Service() = default;
  virtual void Start() = 0;
  // Views are synced and work is being done: what /readyz says. `why_not` is for people.
  [[nodiscard]] virtual bool Ready(std::string* why_not) const = 0;
  // No work is waiting or in flight: simulations and benchmarks use it to see rest.
  [[nodiscard]] virtual bool Idle() const = 0;
};

// One command-line flag of a service: --name=VALUE or --name VALUE (bool: --name).
struct Flag {
  std::string name;
  std::string help;
  std::string default_value;
  bool is_bool = false;
};

// Parsed flags. Every flag may also come from the environment: SEALANE_<NAME IN UPPER CASE, - as _>.
class Flags {
 public:
  [[nodiscard]] const std::string& Get(std::string_view name) const;
  [[nodiscard]] bool GetBool(std::string_view name) const;
  // Exits the parse with an error naming the flag when the text is not a number in range.
  [[nodiscard]] absl::StatusOr<int64_t> GetInt(std::string_view name, int64_t min,
                                               int64_t max) const;
  [[nodiscard]] absl::StatusOr<absl::Duration> GetDuration(std::string_view name) const;

 private:
  friend absl::StatusOr<Flags> ParseFlags(const std::vector<Flag>& known,
                                          const std::vector<std::string>& args);
  std::vector<std::pair<std::string, std::string>> values_;
};

// INVALID_ARGUMENT names the unknown or malformed flag.
[[nodiscard]] absl::StatusOr<Flags> ParseFlags(const std::vector<Flag>& known,
                                               const std::vector<std::string>& args);

// How a process makes its service from flags.
struct ServiceDefinition {
  std::string name;     // "sealane-policy"
  std::string summary;  // one line for --help
  std::vector<Flag> flags;  // besides the common ones (bus, metrics, logging, instance)
  std::function<absl::StatusOr<std::unique_ptr<Service>>(const Flags&, ServiceContext)> make;
};

// The body of every service's main: parses flags, sets up logging, the event loop, the bus and the
// endpoints /metrics, /healthz, /readyz, runs the service until SIGTERM or SIGINT, stops everything
// in reverse order. Returns the exit code: 0 after a signal, 2 for bad flags, 1 when it cannot run.
int RunService(int argc, char** argv, const ServiceDefinition& definition);

}  // namespace sealane

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/bus/bus.h"
#include "lib/core/event_loop.h"
#include "tests/support/subprocess.h"

namespace sealane::bench {

struct FleetOptions {
  std::string bin_dir;  // of the service binaries
  std::string nats_server = "nats-server";
  std::vector<std::string> clusters;  // each gets an account
  std::vector<std::string> services = {"sealane-policy", "sealane-scheduler", "sealane-status"};
  std::map<std::string, std::vector<std::string>> flags;  // service -> more of them
  std::string log_level = "warn";
  bool keep = false;  // leave the directory with logs and store behind
};

// A private control plane: a nats-server with accounts on a free port and a temporary store, and
// the real policy, scheduler and status services as processes. Everything ends with this object.
//
// Thread rule: one thread uses it; the buses live on the loop's thread, see OnLoop.
class Fleet {
 public:
  static absl::StatusOr<std::unique_ptr<Fleet>> Start(FleetOptions options);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  [[nodiscard]] EventLoop& loop() { return loop_; }
  // Connections of the services' account and of the platform "bench".
  [[nodiscard]] Bus& hub() { return *hub_; }
  [[nodiscard]] Bus& platform() { return *platform_; }
  // A connection of a cluster's account; lives as long as the fleet. On the loop's thread.
  absl::StatusOr<Bus*> ConnectCluster(const std::string& cluster);

  // Runs on the loop's thread, and waits for the end.
  void OnLoop(const std::function<void()>& fn);
  // Checks on the loop's thread every millisecond until it holds. DEADLINE_EXCEEDED names `what`.
  absl::Status WaitUntil(const std::string& what, absl::Duration timeout,
                         const std::function<bool()>& holds);

  // Publishes one deploy event with these manifests and waits for its result; an error when an
  // operation is refused.
  absl::Status Deploy(const std::vector<std::string>& manifests, absl::Duration timeout);

  // Starts one more service of the bin directory ("sealane-gateway"); it ends with the fleet.
  absl::Status StartService(const std::string& name, const std::vector<std::string>& flags);
  // Starts another program of the bin directory with the bus flags of a cluster's agent.
  absl::StatusOr<Subprocess> StartAgent(const std::string& cluster,
                                        const std::vector<std::string>& flags);
  // Starts any program; its log is in the fleet's directory.
  absl::StatusOr<Subprocess> StartProgram(const std::string& name, std::vector<std::string> argv);

  // nats://user:password@host:port of the services' account.
  [[nodiscard]] std::string hub_url() const;
  // "sealane-policy", ... and "nats-server", in the order of their start.
  [[nodiscard]] const std::vector<std::pair<std::string, Subprocess>>& processes() const {
    return processes_;
  }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  // The programs that have ended by themselves: an error naming the first and its log's last lines.
  absl::Status CheckAlive();

 private:
  explicit Fleet(FleetOptions options);
  absl::Status StartServer();
  absl::Status StartServices();
  absl::StatusOr<std::unique_ptr<Bus>> Connect(const std::string& user,
                                               const std::string& password);
  [[nodiscard]] std::string Log(const std::string& program) const;

  FleetOptions options_;
  std::unique_ptr<TempDir> temporary_;
  std::string directory_;
  int port_ = 0;
  std::vector<std::pair<std::string, Subprocess>> processes_;
  EventLoop loop_;
  std::unique_ptr<Bus> hub_;
  std::unique_ptr<Bus> platform_;
  std::map<std::string, std::unique_ptr<Bus>> clusters_;
};

}  // namespace sealane::bench

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane::kubesim {

// What a simulated cluster is made of.
struct ClusterOptions {
  std::string name = "kubesim";
  int nodes = 3;
  std::string cpu = "8";  // of each node, as quantities
  std::string memory = "32Gi";
  int pods_per_node = 110;
  absl::Duration startup_delay = absl::Seconds(1);      // from scheduled to ready
  absl::Duration stop_delay = absl::Milliseconds(500);  // from deleted to gone
  absl::Duration job_duration = absl::Seconds(2);       // how long a pod that ends runs
  bool controllers = true;      // false: only the API server, nodes and namespaces; nothing reacts
  bool metrics = false;         // serve metrics.k8s.io: half of what is requested is used
  size_t history_limit = 4096;  // changes that watches can resume from
};

// The command line of the kubesim program.
struct ProgramOptions {
  ClusterOptions cluster;
  std::string listen = "127.0.0.1:0";
  std::string token;
  std::string kubeconfig_out;
  uint64_t seed = 0;  // 0: random
};

// Reads "--flag value" and "--flag=value". Error: names the flag and what is wrong with it.
[[nodiscard]] absl::StatusOr<ProgramOptions> ParseOptions(int argc, char** argv);
[[nodiscard]] std::string UsageText();

}  // namespace sealane::kubesim

#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "benchmarks/common/fleet.h"

namespace sealane::bench {

// A kubesim process and where it listens.
struct Member {
  std::optional<Subprocess> process;
  std::string kubeconfig;  // a file
  std::string server;      // "http://127.0.0.1:43121"
  std::string token;
};

// Starts one whose files are in the fleet's directory, and waits until it listens.
[[nodiscard]] absl::StatusOr<Member> StartMember(Fleet& fleet, const std::string& bin_dir,
                                                 const std::string& name);

}  // namespace sealane::bench

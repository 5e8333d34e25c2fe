#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sealane::cli {

// What a bus' directory was asked for so far: its file fleet.json.
struct ServerFleet {
  std::string listen_host = "127.0.0.1";
  int listen_port = 4222;
  int monitor_port = 0;
  std::string leaf_listen;
  std::string store_dir;
  std::string server_name;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_client_ca;
  // Accounts as signed claims, by this operator; empty: as a list in the server's configuration.
  std::string operator_name;
  // Of each cluster the generations of its login that work: one, or two while it is replaced.
  std::map<std::string, std::set<int>> clusters;
  std::set<std::string> platforms;
  // With an operator: of an account (by name) the users that are revoked, and since when (Unix
  // seconds).
  std::map<std::string, std::map<std::string, int64_t>> revoked;
};

// An absent file is an empty fleet; INVALID_ARGUMENT says what a broken one lacks.
[[nodiscard]] absl::StatusOr<ServerFleet> LoadServerFleet(const std::string& path);
[[nodiscard]] std::string ServerFleetText(const ServerFleet& fleet);

}  // namespace sealane::cli

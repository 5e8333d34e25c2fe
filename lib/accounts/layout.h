#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace sealane {

// Who sees what on the bus, as data: one NATS account for the services, one per member cluster, one
// per publishing platform. Written as a configuration file (server_config.h) or as signed claims
// (claims.h); lib/bus/subjects.h names the subjects.

// What an account offers to those that import it. The importers are ours to write, so that an
// export needs no list of them.
struct AccountExport {
  bool service = false;   // requests go in; else: messages come out
  std::string subject;    // in the exporting account
  bool streamed = false;  // a service that answers with several messages
};

struct AccountImport {
  bool service = false;
  std::string account;  // the exporting account's name
  std::string subject;  // there
  std::string local;    // the name here
};

// What the users of an account may do; all empty: everything.
struct AccountPermissions {
  std::vector<std::string> publish;
  std::vector<std::string> subscribe;
  int max_responses = 0;  // answers to one request received; 0: none beyond `publish`
  absl::Duration respond_within;
};

struct AccountLayout {
  std::string name;
  bool jetstream = false;
  std::vector<AccountExport> exports;
  std::vector<AccountImport> imports;
  AccountPermissions permissions;
};

inline constexpr char kHubAccount[] = "HUB";
inline constexpr char kSystemAccount[] = "SYS";

// Account names: "CL_<EncodeToken(name)>", "PL_<EncodeToken(name)>".
[[nodiscard]] std::string ClusterAccount(std::string_view cluster);
[[nodiscard]] std::string PlatformAccount(std::string_view platform);
// User names of the logins: "cluster-<EncodeToken(name)>", "platform-<EncodeToken(name)>". While a
// cluster's login is replaced it has two: from the second generation on, ".<generation>" follows.
[[nodiscard]] std::string ClusterUser(std::string_view cluster, int generation = 1);
[[nodiscard]] std::string PlatformUser(std::string_view platform);

// The users of the services' account: one with every right, and gateways', which the world can
// reach.
inline constexpr char kServicesUser[] = "sealane";
inline constexpr char kGatewayUser[] = "sealane-gateway";
// What gateways may do there: publish deploy events as the platform `gateway`, write their own
// table and log, hold their lease, read what they show, and ask agents for reads in their clusters.
// They write nothing that decides. (Who may create a consumer chooses where its messages go: this
// bounds mistakes and most of what a taken gateway could do, it is no border as between accounts.)
[[nodiscard]] AccountPermissions GatewayPermissions();

// The services' account: JetStream, everything exported once for all, a control channel into each
// cluster's account.
[[nodiscard]] AccountLayout HubLayout(const std::vector<std::string>& clusters);
// Sees its own works, says its own status and heartbeat, answers control requests.
[[nodiscard]] AccountLayout ClusterLayout(std::string_view cluster);
// Publishes its own deploy events, asks the services, sees the applications' status and events.
[[nodiscard]] AccountLayout PlatformLayout(std::string_view platform);

}  // namespace sealane

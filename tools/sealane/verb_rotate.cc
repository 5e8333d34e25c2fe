// sealane rotate: a member cluster's agent gets another login, and keeps working meanwhile.
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/agent_manifest.h"
#include "tools/sealane/command.h"
#include "tools/sealane/server_directory.h"
#include "tools/sealane/server_update.h"

namespace sealane::cli {
namespace {

// What its agent last said that it logs in as; "" when it said nothing yet.
absl::StatusOr<std::string> UserInUse(Fleet& fleet, const std::string& cluster,
                                      absl::Duration timeout) {
  v1::QueryRequest request;
  request.set_what("clusters");
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet.Query("status", request, timeout));
  for (const v1::ClusterStatus& row : reply.clusters()) {
    if (row.name() == cluster) return row.agent_bus_user();
  }
  return NotFound(StrCat("there is no cluster ", cluster));
}

absl::Status CheckInUse(Fleet& fleet, const std::string& cluster, const std::string& user,
                        absl::Duration timeout) {
  SEALANE_ASSIGN_OR_RETURN(const std::string used, UserInUse(fleet, cluster, timeout));
  if (used == user) return absl::OkStatus();
  return FailedPrecondition(
      StrCat("the agent of ", cluster, " still logs in as ", used.empty() ? "nobody known" : used,
             ", not as ", user,
             ": retiring its login would lock it out. Apply what `sealane rotate` printed there "
             "and wait a minute, or give --force"));
}

absl::Status RotateLogin(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  const std::string cluster = args.Get("name");
  ServerConfigRequest request;
  request.directory = args.Get("directory");
  if (request.directory.empty() || cluster.empty() || !args.positional().empty()) {
    return InvalidArgument(
        "give the cluster with --name NAME and the bus' directory (of server-config) with "
        "--directory DIR");
  }
  const bool retire = args.Has("retire");
  (retire ? request.retire_clusters : request.renew_clusters) = {cluster};
  SEALANE_ASSIGN_OR_RETURN(const absl::Duration timeout, Timeout(args));
  SEALANE_ASSIGN_OR_RETURN(const DirectoryLock lock, LockDirectory(request.directory, terminal));
  SEALANE_ASSIGN_OR_RETURN(ClusterLogin login, LoginOf(request.directory, cluster));
  Context context;
  SEALANE_ASSIGN_OR_RETURN(const auto fleet, Connect(invocation, &context));
  if (retire && !args.Has("force")) {
    SEALANE_RETURN_IF_ERROR(CheckInUse(*fleet, cluster, login.user, timeout));
  }
  ServerConfigOutcome outcome;
  SEALANE_RETURN_IF_ERROR(WriteServerDirectory(request, SystemDirectoryEnv(), &outcome));
  SEALANE_RETURN_IF_ERROR(
      UpdateServer(request.directory, outcome, context, timeout, *fleet, terminal));
  if (retire) {
    for (const std::string& user : outcome.removed_logins) {
      terminal.out << "login " << user << " works no more\n";
    }
    return absl::OkStatus();
  }
  SEALANE_ASSIGN_OR_RETURN(login, LoginOf(request.directory, cluster));
  SEALANE_ASSIGN_OR_RETURN(const std::string secret, AgentSecret(login));
  terminal.out << secret;
  terminal.err << "login " << login.user << " works beside the old one. The cluster's owner runs: "
               << "kubectl apply --server-side -f FILE\nThen: sealane rotate --name " << cluster
               << " --directory " << request.directory << " --retire\n";
  return absl::OkStatus();
}

int Rotate(const Invocation& invocation) {
  const absl::Status status = RotateLogin(invocation);
  return status.ok() ? kOk : Fail(invocation.terminal, status);
}

}  // namespace

Command RotateCommand() {
  return {"rotate",
          "--name CLUSTER --directory DIR [--retire]",
          "Give a cluster's agent another login, without downtime",
          "Makes a second login beside the one in use and prints the Secret that carries it; the\n"
          "agent takes it within a minute of `kubectl apply`, without a restart. Then --retire "
          "ends\n"
          "the old one; it refuses while the agent still uses that.\n\n"
          "  sealane rotate --name aws-virginia --directory bus > login.yaml\n"
          "  kubectl apply --server-side -f login.yaml   # in the member cluster\n"
          "  sealane rotate --name aws-virginia --directory bus --retire\n",
          {{"name", 0, "CLUSTER", "the cluster's name"},
           {"directory", 'd', "DIR", "the bus' directory, as server-config wrote it"},
           {"retire", 0, "", "end the login before the newest one"},
           {"force", 0, "", "even when the agent still uses it"}},
          true,
          Rotate};
}

}  // namespace sealane::cli

// sealane leaf-config: a tenant's own nats-server, behind which its agent works.
#include "lib/accounts/server_config.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/address.h"
#include "tools/sealane/command.h"
#include "tools/sealane/server_directory.h"

namespace sealane::cli {
namespace {

absl::StatusOr<std::string> LeafConfigText(const Args& args) {
  if (args.Get("directory").empty() || args.Get("name").empty() || args.Get("url").empty() ||
      !args.positional().empty()) {
    return InvalidArgument(
        "give the cluster with --name NAME, the bus' directory with --directory DIR and the hub's "
        "port for leaf nodes with --url nats-leaf://HOST:PORT");
  }
  SEALANE_ASSIGN_OR_RETURN(const ClusterLogin login,
                           LoginOf(args.Get("directory"), args.Get("name")));
  LeafConfigOptions options;
  options.hub_url = args.Get("url");
  options.hub_ca_file = args.Get("ca");
  if (args.Has("listen")) {
    SEALANE_RETURN_IF_ERROR(
        ParseAddress("listen", args.Get("listen"), &options.listen_host, &options.listen_port));
  }
  if (login.creds.empty()) {
    options.user = login.user;
    options.password = login.password;
  } else {
    options.creds_file = args.Has("creds") ? args.Get("creds") : StrCat(login.user, ".creds");
  }
  return MakeLeafConfig(options);
}

int LeafConfig(const Invocation& invocation) {
  const auto text = LeafConfigText(invocation.args);
  if (!text.ok()) return Fail(invocation.terminal, text.status());
  invocation.terminal.out << *text;
  return kOk;
}

}  // namespace

Command LeafConfigCommand() {
  return {
      "leaf-config",
      "--name CLUSTER --directory DIR --url URL",
      "Print the configuration of a tenant's leaf node",
      "A nats-server of the cluster's owner that holds one outgoing connection to the bus with\n"
      "the cluster's login; the agent connects to it (`sealane join --url "
      "nats://LEAF:4222`).\n\n"
      "  sealane server-config --directory bus --leaf-listen 0.0.0.0:7422\n"
      "  sealane leaf-config --name aws-virginia --directory bus \\\n"
      "    --url tls://bus.example.com:7422 --listen 0.0.0.0:4222 > leaf.conf\n",
      {{"name", 0, "CLUSTER", "the cluster's name"},
       {"directory", 'd', "DIR", "the bus' directory, as server-config wrote it"},
       {"url", 0, "URL", "the bus' port for leaf nodes: nats-leaf://HOST:PORT or tls://..."},
       {"ca", 0, "FILE", "where the leaf node has the PEM of the bus' authority"},
       {"creds", 0, "FILE", "with an operator: where it has the credentials (default USER.creds)"},
       {"listen", 0, "HOST:PORT", "where it listens for the agent (default 127.0.0.1:4222)"}},
      false,
      LeafConfig};
}

}  // namespace sealane::cli

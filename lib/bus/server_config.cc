#include "lib/bus/server_config.h"

#include <set>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"

namespace sealane {
namespace {

// A string in the configuration's syntax.
std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
  return out;
}

absl::Status CheckText(std::string_view field, std::string_view text, bool required) {
  if (required && text.empty()) return InvalidArgument(StrCat(field, ": required"));
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ') {
      return InvalidArgument(StrCat(field, ": has a control character"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckLogins(std::string_view field, const std::vector<AccountLogin>& logins) {
  std::set<std::string> seen;
  for (size_t i = 0; i < logins.size(); ++i) {
    const std::string at = StrCat(field, "[", i, "]");
    SEALANE_RETURN_IF_ERROR(CheckText(StrCat(at, ".name"), logins[i].name, true));
    SEALANE_RETURN_IF_ERROR(CheckText(StrCat(at, ".password"), logins[i].password, true));
    if (!seen.insert(EncodeToken(logins[i].name)).second) {
      return InvalidArgument(StrCat(at, ".name: ", logins[i].name, " appears twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status Check(const ServerConfigOptions& o) {
  SEALANE_RETURN_IF_ERROR(CheckText("listen_host", o.listen_host, true));
  if (o.listen_port < -1 || o.listen_port > 65535) {
    return InvalidArgument("listen_port: not a port");
  }
  if (o.monitor_port < 0 || o.monitor_port > 65535) {
    return InvalidArgument("monitor_port: not a port");
  }
  SEALANE_RETURN_IF_ERROR(CheckText("store_dir", o.store_dir, true));
  SEALANE_RETURN_IF_ERROR(CheckText("hub_user", o.hub_user, true));
  SEALANE_RETURN_IF_ERROR(CheckText("hub_password", o.hub_password, true));
  SEALANE_RETURN_IF_ERROR(CheckText("system_password", o.system_password, false));
  if (o.max_payload < 64 << 10 || o.max_payload > 64 << 20) {
    return InvalidArgument("max_payload: must be between 64 KiB and 64 MiB");
  }
  if (o.tls.cert_file.empty() != o.tls.key_file.empty()) {
    return InvalidArgument("tls: cert_file and key_file go together");
  }
  if (!o.cluster_name.empty() && (o.server_name.empty() || o.cluster_listen.empty())) {
    return InvalidArgument("cluster_name: needs server_name and cluster_listen");
  }
  SEALANE_RETURN_IF_ERROR(CheckLogins("clusters", o.clusters));
  return CheckLogins("platforms", o.platforms);
}

void AppendHead(std::string& out, const ServerConfigOptions& o) {
  out +=
      "# Made by sealane. Add clusters and platforms by making it again and sending the\n"
      "# server SIGHUP, twice half a second apart; running connections stay.\n";
  out += StrCat("listen: ", Quote(StrCat(o.listen_host, ":", o.listen_port)), "\n");
  if (!o.server_name.empty()) out += StrCat("server_name: ", Quote(o.server_name), "\n");
  if (o.monitor_port != 0) {
    out += StrCat("http: ", Quote(StrCat(o.listen_host, ":", o.monitor_port)), "\n");
  }
  if (!o.log_file.empty()) out += StrCat("log_file: ", Quote(o.log_file), "\n");
  if (!o.pid_file.empty()) out += StrCat("pid_file: ", Quote(o.pid_file), "\n");
  out += StrCat("max_payload: ", o.max_payload, "\n");
  // A snapshot or a replay may fill a slow reader's buffer for a while.
  out += StrCat("max_pending: ", 256 << 20, "\nwrite_deadline: \"10s\"\n");
  out += StrCat("jetstream {\n  store_dir: ", Quote(o.store_dir), "\n");
  if (o.max_file_store > 0) out += StrCat("  max_file_store: ", o.max_file_store, "\n");
  out += "}\n";
  if (!o.tls.cert_file.empty()) {
    out += StrCat("tls {\n  cert_file: ", Quote(o.tls.cert_file),
                  "\n  key_file: ", Quote(o.tls.key_file), "\n  timeout: 5\n");
    if (!o.tls.ca_file.empty()) {
      out += StrCat("  ca_file: ", Quote(o.tls.ca_file), "\n  verify: true\n");
    }
    out += "}\n";
  }
  if (!o.cluster_name.empty()) {
    out += StrCat("cluster {\n  name: ", Quote(o.cluster_name),
                  "\n  listen: ", Quote(o.cluster_listen), "\n  routes: [\n");
    for (const std::string& route : o.cluster_routes) out += StrCat("    ", Quote(route), "\n");
    out += "  ]\n}\n";
  }
}

std::string Service(std::string_view subject, std::string_view account, bool stream) {
  return StrCat("      {service: ", Quote(subject), stream ? ", response_type: \"Stream\"" : "",
                ", accounts: [", account, "]}\n");
}

std::string ImportService(std::string_view account, std::string_view subject, std::string_view to) {
  return StrCat("      {service: {account: ", Quote(account), ", subject: ", Quote(subject),
                "}, to: ", Quote(to), "}\n");
}

std::string ImportStream(std::string_view subject, std::string_view to) {
  return StrCat("      {stream: {account: \"HUB\", subject: ", Quote(subject), "}, to: ", Quote(to),
                "}\n");
}

void AppendHub(std::string& out, const ServerConfigOptions& o) {
  out += StrCat("  HUB: {\n    jetstream: enabled\n    users: [{user: ", Quote(o.hub_user),
                ", password: ", Quote(o.hub_password), "}]\n    exports: [\n");
  for (const AccountLogin& cluster : o.clusters) {
    const std::string token = EncodeToken(cluster.name);
    const std::string account = Quote(ClusterAccount(cluster.name));
    out += StrCat("      {stream: ", Quote(StrCat("live.works.", token, ".>")), ", accounts: [",
                  account, "]}\n");
    out += Service(StrCat("snap.works.", token), account, true);
    out += Service(StrCat("work_status.", token, ".>"), account, false);
    out += Service(StrCat("heartbeats.", token), account, false);
  }
  std::vector<std::string> platforms;
  for (const AccountLogin& platform : o.platforms) {
    const std::string token = EncodeToken(platform.name);
    const std::string account = Quote(PlatformAccount(platform.name));
    platforms.push_back(account);
    out += Service(StrCat("deploy.", token), account, false);
    out += Service(StrCat("results.", token), account, true);
    out += StrCat("      {stream: ", Quote(StrCat("deployed.", token, ".>")), ", accounts: [",
                  account, "]}\n");
  }
  if (!platforms.empty()) {
    const std::string all = StrJoin(platforms, ", ");
    out += StrCat("      {stream: \"live.app_status.>\", accounts: [", all, "]}\n");
    out += StrCat("      {stream: \"live.events.>\", accounts: [", all, "]}\n");
    out += Service("query.>", all, true);
  }
  out += "    ]\n    imports: [\n";
  for (const AccountLogin& cluster : o.clusters) {
    out += ImportService(ClusterAccount(cluster.name), "ctl.>",
                         StrCat("ctl.", EncodeToken(cluster.name), ".>"));
  }
  out += "    ]\n  }\n";
}

void AppendCluster(std::string& out, const AccountLogin& cluster) {
  const std::string token = EncodeToken(cluster.name);
  out += StrCat("  ", Quote(ClusterAccount(cluster.name)),
                ": {\n    users: [{user: ", Quote(ClusterUser(cluster.name)),
                ", password: ", Quote(cluster.password),
                ", permissions: {\n"
                "      publish: [\"snap.works\", \"work_status.>\", \"hb\"]\n"
                "      subscribe: [\"works.>\", \"ctl.>\", \"_INBOX.>\"]\n"
                "      allow_responses: {max: 10000, expires: \"2m\"}\n    }}]\n");
  out += "    exports: [{service: \"ctl.>\", response_type: \"Stream\", accounts: [\"HUB\"]}]\n";
  out += "    imports: [\n";
  out += ImportStream(StrCat("live.works.", token, ".>"), "works.>");
  out += ImportService("HUB", StrCat("snap.works.", token), "snap.works");
  out += ImportService("HUB", StrCat("work_status.", token, ".>"), "work_status.>");
  out += ImportService("HUB", StrCat("heartbeats.", token), "hb");
  out += "    ]\n  }\n";
}

void AppendPlatform(std::string& out, const AccountLogin& platform) {
  const std::string token = EncodeToken(platform.name);
  out += StrCat("  ", Quote(PlatformAccount(platform.name)),
                ": {\n    users: [{user: ", Quote(PlatformUser(platform.name)),
                ", password: ", Quote(platform.password),
                ", permissions: {\n"
                "      publish: [\"deploy\", \"results\", \"query.>\"]\n"
                "      subscribe: [\"deployed.>\", \"app-status.>\", \"events.>\", \"_INBOX.>\"]\n"
                "    }}]\n    imports: [\n");
  out += ImportService("HUB", StrCat("deploy.", token), "deploy");
  out += ImportService("HUB", StrCat("results.", token), "results");
  out += ImportStream(StrCat("deployed.", token, ".>"), "deployed.>");
  out += ImportStream("live.app_status.>", "app-status.>");
  out += ImportStream("live.events.>", "events.>");
  out += ImportService("HUB", "query.>", "query.>");
  out += "    ]\n  }\n";
}

}  // namespace

std::string ClusterUser(std::string_view cluster) {
  return StrCat("cluster-", EncodeToken(cluster));
}
std::string PlatformUser(std::string_view platform) {
  return StrCat("platform-", EncodeToken(platform));
}
std::string ClusterAccount(std::string_view cluster) { return StrCat("CL_", EncodeToken(cluster)); }
std::string PlatformAccount(std::string_view platform) {
  return StrCat("PL_", EncodeToken(platform));
}

absl::StatusOr<std::string> MakeServerConfig(const ServerConfigOptions& options) {
  SEALANE_RETURN_IF_ERROR(Check(options));
  std::string out;
  AppendHead(out, options);
  out += "accounts {\n";
  AppendHub(out, options);
  for (const AccountLogin& cluster : options.clusters) AppendCluster(out, cluster);
  for (const AccountLogin& platform : options.platforms) AppendPlatform(out, platform);
  if (!options.system_password.empty()) {
    out += StrCat("  SYS: {users: [{user: \"system\", password: ", Quote(options.system_password),
                  "}]}\n");
  }
  out += "}\n";
  if (!options.system_password.empty()) out += "system_account: SYS\n";
  return out;
}

}  // namespace sealane

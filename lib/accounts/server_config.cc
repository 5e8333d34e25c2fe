#include "lib/accounts/server_config.h"

#include <set>

#include "absl/strings/ascii.h"
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

// As text before the '@' of a URL.
std::string UrlEscape(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.') {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
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
    SEALANE_RETURN_IF_ERROR(
        CheckText(StrCat(at, ".password"), logins[i].password, logins[i].more.empty()));
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
  SEALANE_RETURN_IF_ERROR(CheckText("hub_password", o.hub_password, o.oper.jwt.empty()));
  SEALANE_RETURN_IF_ERROR(CheckText("gateway_password", o.gateway_password, false));
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
  SEALANE_RETURN_IF_ERROR(CheckText("leaf_listen", o.leaf_listen, false));
  SEALANE_RETURN_IF_ERROR(CheckLogins("platforms", o.platforms));
  for (const AccountLogin& platform : o.platforms) {
    if (platform.name == "gateway") {
      return InvalidArgument("platforms: gateway is the name of Sealane's own gateways");
    }
  }
  return absl::OkStatus();
}

// The block that makes a listener speak TLS; nothing without a certificate.
std::string TlsBlock(const ServerTls& tls) {
  if (tls.cert_file.empty()) return "";
  std::string out = StrCat("tls {\n  cert_file: ", Quote(tls.cert_file),
                           "\n  key_file: ", Quote(tls.key_file), "\n  timeout: 5\n");
  if (!tls.client_ca_file.empty()) {
    out += StrCat("  ca_file: ", Quote(tls.client_ca_file), "\n  verify: true\n");
  }
  return out + "}\n";
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
  out += TlsBlock(o.tls);
  if (!o.leaf_listen.empty()) {
    out += StrCat("leafnodes {\nlisten: ", Quote(o.leaf_listen), "\n", TlsBlock(o.tls), "}\n");
  }
  if (!o.cluster_name.empty()) {
    out += StrCat("cluster {\n  name: ", Quote(o.cluster_name),
                  "\n  listen: ", Quote(o.cluster_listen), "\n  routes: [\n");
    for (const std::string& route : o.cluster_routes) out += StrCat("    ", Quote(route), "\n");
    out += "  ]\n}\n";
  }
}

std::string List(const std::vector<std::string>& subjects) {
  std::string out = "[";
  for (const std::string& subject : subjects) {
    out += StrCat(out.size() > 1 ? ", " : "", Quote(subject));
  }
  return out + "]";
}

void AppendUser(std::string& out, const UserLogin& login, const AccountPermissions& permissions) {
  out += StrCat("      {user: ", Quote(login.user), ", password: ", Quote(login.password));
  if (!permissions.publish.empty()) {
    out += StrCat(", permissions: {\n        publish: ", List(permissions.publish),
                  "\n        subscribe: ", List(permissions.subscribe), "\n");
    if (permissions.max_responses > 0) {
      out += StrCat("        allow_responses: {max: ", permissions.max_responses, ", expires: \"",
                    absl::ToInt64Seconds(permissions.respond_within), "s\"}\n");
    }
    out += "      }";
  }
  out += "}\n";
}

void AppendAccount(std::string& out, const AccountLayout& layout,
                   const std::vector<UserLogin>& users, const std::string& gateway_password = "") {
  out += StrCat("  ", Quote(layout.name), ": {\n");
  if (layout.jetstream) out += "    jetstream: enabled\n";
  out += "    users: [\n";
  for (const UserLogin& user : users) AppendUser(out, user, layout.permissions);
  if (!gateway_password.empty()) {
    AppendUser(out, {kGatewayUser, gateway_password}, GatewayPermissions());
  }
  out += "    ]\n    exports: [\n";
  for (const AccountExport& one : layout.exports) {
    out += StrCat("      {", one.service ? "service: " : "stream: ", Quote(one.subject),
                  one.streamed ? ", response_type: \"Stream\"" : "", "}\n");
  }
  out += "    ]\n    imports: [\n";
  for (const AccountImport& one : layout.imports) {
    out +=
        StrCat("      {", one.service ? "service: " : "stream: ", "{account: ", Quote(one.account),
               ", subject: ", Quote(one.subject), "}, to: ", Quote(one.local), "}\n");
  }
  out += "    ]\n  }\n";
}

std::vector<UserLogin> UsersOf(const AccountLogin& login, std::string user) {
  std::vector<UserLogin> users;
  if (!login.password.empty()) users.push_back({std::move(user), login.password});
  users.insert(users.end(), login.more.begin(), login.more.end());
  return users;
}

void AppendAccounts(std::string& out, const ServerConfigOptions& o) {
  out += "accounts {\n";
  std::vector<std::string> clusters;
  for (const AccountLogin& cluster : o.clusters) clusters.push_back(cluster.name);
  AppendAccount(out, HubLayout(clusters), {{o.hub_user, o.hub_password}}, o.gateway_password);
  for (const AccountLogin& cluster : o.clusters) {
    AppendAccount(out, ClusterLayout(cluster.name), UsersOf(cluster, ClusterUser(cluster.name)));
  }
  for (const AccountLogin& platform : o.platforms) {
    AppendAccount(out, PlatformLayout(platform.name),
                  UsersOf(platform, PlatformUser(platform.name)));
  }
  if (!o.system_password.empty()) {
    out += StrCat("  ", kSystemAccount,
                  ": {users: [{user: \"system\", password: ", Quote(o.system_password), "}]}\n");
  }
  out += "}\n";
  if (!o.system_password.empty()) out += StrCat("system_account: ", kSystemAccount, "\n");
}

void AppendOperator(std::string& out, const ServerOperator& oper) {
  out += StrCat("operator: ", oper.jwt, "\nsystem_account: ", oper.system_account,
                "\nresolver {\n  type: full\n  dir: ", Quote(oper.resolver_dir),
                "\n  allow_delete: true\n  interval: \"2m\"\n}\nresolver_preload {\n  ",
                oper.system_account, ": ", oper.system_jwt, "\n}\n");
}

}  // namespace

absl::StatusOr<std::string> MakeServerConfig(const ServerConfigOptions& options) {
  SEALANE_RETURN_IF_ERROR(Check(options));
  std::string out;
  AppendHead(out, options);
  if (options.oper.jwt.empty()) {
    AppendAccounts(out, options);
  } else {
    AppendOperator(out, options.oper);
  }
  return out;
}

absl::StatusOr<std::string> MakeLeafConfig(const LeafConfigOptions& o) {
  for (const auto& [field, text] :
       {std::pair("listen_host", o.listen_host), std::pair("hub_url", o.hub_url)}) {
    SEALANE_RETURN_IF_ERROR(CheckText(field, text, true));
  }
  for (const auto& [field, text] :
       {std::pair("user", o.user), std::pair("password", o.password),
        std::pair("creds_file", o.creds_file), std::pair("hub_ca_file", o.hub_ca_file)}) {
    SEALANE_RETURN_IF_ERROR(CheckText(field, text, false));
  }
  const size_t scheme = o.hub_url.find("://");
  if (scheme == std::string::npos || o.hub_url.find('@') != std::string::npos) {
    return InvalidArgument("hub_url: expected nats-leaf://HOST:PORT or tls://HOST:PORT");
  }
  if (o.creds_file.empty() == o.user.empty()) {
    return InvalidArgument("user: give user and password, or creds_file");
  }
  std::string url = o.hub_url;
  if (!o.user.empty()) {
    url.insert(scheme + 3, StrCat(UrlEscape(o.user), ":", UrlEscape(o.password), "@"));
  }
  std::string out = "# Made by sealane: a leaf node with the rights of one cluster's login.\n";
  out += StrCat("listen: ", Quote(StrCat(o.listen_host, ":", o.listen_port)),
                "\nleafnodes {\n  remotes: [{\n    url: ", Quote(url), "\n");
  if (!o.creds_file.empty()) out += StrCat("    credentials: ", Quote(o.creds_file), "\n");
  if (!o.hub_ca_file.empty()) {
    out += StrCat("    tls {ca_file: ", Quote(o.hub_ca_file), "}\n");
  }
  out += "  }]\n}\n";
  return out;
}

}  // namespace sealane

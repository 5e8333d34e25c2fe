#include "tools/sealane/server_fleet.h"

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/files.h"

namespace sealane::cli {
namespace {

void FromJson(const Json& json, ServerFleet& fleet) {
  fleet.listen_host = json.at("listenHost").get<std::string>();
  fleet.listen_port = json.at("listenPort").get<int>();
  fleet.monitor_port = json.at("monitorPort").get<int>();
  fleet.store_dir = json.at("storeDirectory").get<std::string>();
  fleet.server_name = json.at("serverName").get<std::string>();
  fleet.platforms = json.at("platforms").get<std::set<std::string>>();
  fleet.leaf_listen = json.value("leafListen", "");
  fleet.operator_name = json.value("operator", "");
  const Json tls = json.value("tls", Json::object());
  fleet.tls_cert = tls.value("cert", "");
  fleet.tls_key = tls.value("key", "");
  fleet.tls_client_ca = tls.value("clientCA", "");
  const Json& clusters = json.at("clusters");
  if (clusters.is_array()) {  // written before logins had generations
    for (const Json& name : clusters) fleet.clusters[name.get<std::string>()] = {1};
  } else {
    fleet.clusters = clusters.get<std::map<std::string, std::set<int>>>();
  }
  if (json.contains("revoked")) {
    fleet.revoked = json.at("revoked").get<std::map<std::string, std::map<std::string, int64_t>>>();
  }
}

}  // namespace

absl::StatusOr<ServerFleet> LoadServerFleet(const std::string& path) {
  ServerFleet fleet;
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return fleet;
  SEALANE_RETURN_IF_ERROR(text.status());
  try {
    FromJson(Json::parse(*text), fleet);
  } catch (const Json::exception& e) {
    return InvalidArgument(StrCat(path, ": ", e.what()));
  }
  return fleet;
}

std::string ServerFleetText(const ServerFleet& fleet) {
  const Json json = {
      {"listenHost", fleet.listen_host},
      {"listenPort", fleet.listen_port},
      {"monitorPort", fleet.monitor_port},
      {"leafListen", fleet.leaf_listen},
      {"storeDirectory", fleet.store_dir},
      {"serverName", fleet.server_name},
      {"tls",
       {{"cert", fleet.tls_cert}, {"key", fleet.tls_key}, {"clientCA", fleet.tls_client_ca}}},
      {"operator", fleet.operator_name},
      {"clusters", fleet.clusters},
      {"platforms", fleet.platforms},
      {"revoked", fleet.revoked}};
  return json.dump(2) + "\n";
}

}  // namespace sealane::cli

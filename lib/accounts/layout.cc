#include "lib/accounts/layout.h"

#include "lib/core/strings.h"
#include "lib/model/identity.h"

namespace sealane {
namespace {

AccountExport Stream(std::string subject) { return {false, std::move(subject), false}; }
AccountExport Service(std::string subject) { return {true, std::move(subject), false}; }
AccountExport StreamedService(std::string subject) { return {true, std::move(subject), true}; }

AccountImport FromHub(bool service, std::string subject, std::string local) {
  return {service, kHubAccount, std::move(subject), std::move(local)};
}

}  // namespace

std::string ClusterAccount(std::string_view cluster) { return StrCat("CL_", EncodeToken(cluster)); }
std::string PlatformAccount(std::string_view platform) {
  return StrCat("PL_", EncodeToken(platform));
}
std::string ClusterUser(std::string_view cluster, int generation) {
  // An encoded token has no dot.
  return StrCat("cluster-", EncodeToken(cluster),
                generation > 1 ? StrCat(".", generation) : std::string());
}
std::string PlatformUser(std::string_view platform) {
  return StrCat("platform-", EncodeToken(platform));
}

AccountLayout HubLayout(const std::vector<std::string>& clusters) {
  AccountLayout hub;
  hub.name = kHubAccount;
  hub.jetstream = true;
  hub.exports = {Stream("live.works.*.>"),   StreamedService("snap.works.*"),
                 Service("work_status.*.>"), Service("heartbeats.*"),
                 Service("deploy.*"),        StreamedService("results.*"),
                 Stream("deployed.*.>"),     Stream("live.app_status.>"),
                 Stream("live.events.>"),    StreamedService("query.>")};
  for (const std::string& cluster : clusters) {
    hub.imports.push_back(
        {true, ClusterAccount(cluster), "ctl.>", StrCat("ctl.", EncodeToken(cluster), ".>")});
  }
  return hub;
}

AccountPermissions GatewayPermissions() {
  AccountPermissions out;
  out.publish = {"deploy.gateway", "api.>",          "leases.gateway", "events.gateway.>",
                 "ctl.*.api",      "ctl.*.api-more", "$JS.API.INFO",   "$JS.FC.>"};
  for (const char* stream : {"api", "leases"}) {
    for (const char* verb : {"CREATE", "UPDATE"}) {
      out.publish.push_back(StrCat("$JS.API.STREAM.", verb, ".", stream));
    }
  }
  for (const char* stream :
       {"api", "app_status", "cluster_status", "deployed", "leases", "objects"}) {
    for (const char* call : {"STREAM.INFO.", "STREAM.MSG.GET.", "CONSUMER.CREATE."}) {
      out.publish.push_back(StrCat("$JS.API.", call, stream));
    }
    out.publish.push_back(StrCat("$JS.API.CONSUMER.DELETE.", stream, ".>"));
  }
  out.subscribe = {"_INBOX.>"};
  return out;
}

AccountLayout ClusterLayout(std::string_view cluster) {
  const std::string token = EncodeToken(cluster);
  AccountLayout layout;
  layout.name = ClusterAccount(cluster);
  layout.exports = {StreamedService("ctl.>")};
  layout.imports = {FromHub(false, StrCat("live.works.", token, ".>"), "works.>"),
                    FromHub(true, StrCat("snap.works.", token), "snap.works"),
                    FromHub(true, StrCat("work_status.", token, ".>"), "work_status.>"),
                    FromHub(true, StrCat("heartbeats.", token), "hb")};
  // The last of each is for logins used by a leaf node, where nats-server asks for the right to the
  // subjects of answers that HUB waits for, and to the name that an import has at its origin. In
  // this account nobody else's messages have such names.
  layout.permissions = {{"snap.works", "work_status.>", "hb", "_R_.>"},
                        {"works.>", "ctl.>", "_INBOX.>", StrCat("live.works.", token, ".>")},
                        10000,
                        absl::Minutes(2)};
  return layout;
}

AccountLayout PlatformLayout(std::string_view platform) {
  const std::string token = EncodeToken(platform);
  AccountLayout layout;
  layout.name = PlatformAccount(platform);
  layout.imports = {FromHub(true, StrCat("deploy.", token), "deploy"),
                    FromHub(true, StrCat("results.", token), "results"),
                    FromHub(false, StrCat("deployed.", token, ".>"), "deployed.>"),
                    FromHub(false, "live.app_status.>", "app-status.>"),
                    FromHub(false, "live.events.>", "events.>"),
                    FromHub(true, "query.>", "query.>")};
  layout.permissions = {{"deploy", "results", "query.>"},
                        {"deployed.>", "app-status.>", "events.>", "_INBOX.>"},
                        0,
                        absl::ZeroDuration()};
  return layout;
}

}  // namespace sealane

#include "services/gateway/options.h"

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::gateway {

std::vector<Flag> OptionFlags() {
  return {
      {"api-listen", "Address of the Kubernetes API; port 0 takes a free one.", "127.0.0.1:0"},
      {"api-listen-file", "File to write that address to, for scripts.", ""},
      {"tls-cert", "Certificate of the API, and those that sign it: a PEM file.", ""},
      {"tls-key", "Its key: a PEM file.", ""},
      {"client-ca",
       "Authority of users' certificates, a PEM file: the common name is the user, organisations "
       "are "
       "the groups; empty: none are asked for.",
       ""},
      {"token-file",
       "Who may use the API: lines of token,user,uid,\"group1,group2\". Members of system:masters "
       "may do everything, others what roles allow.",
       ""},
      {"oidc-issuer-url", "Whose ID tokens are taken, exactly as \"iss\" has it; empty: none.", ""},
      {"oidc-client-id", "For whom they must be made out (\"aud\").", ""},
      {"oidc-jwks", "The issuer's JSON Web Key Set: a file, or an https URL.", ""},
      {"oidc-ca", "Authority of that URL's certificate, a PEM file; empty: the system's.", ""},
      {"oidc-username-claim", "The claim that is the user's name.", "sub"},
      {"oidc-username-prefix",
       "Put before it; \"-\": nothing. By default \"ISSUER#\", and nothing for the claim email.",
       ""},
      {"oidc-groups-claim", "The claim that has the user's groups; empty: none.", ""},
      {"oidc-groups-prefix", "Put before each of them.", ""},
      {"service-account-key",
       "Private key (RSA or EC, PEM) with which tokens of ServiceAccounts are signed; empty: none "
       "are given out.",
       ""},
      {"write-timeout", "How long a write waits until it is durable.", "30s"},
      {"max-writes",
       "Writes under way at a time; one user may have half of them. More are answered 429.", "400"},
      {"max-reads-per-user",
       "Reads of one user that wait or whose answers are not taken yet. More are answered 429.",
       "500"},
      {"max-connections",
       "Connections of clients at a time. For one more, the one that is idle longest gives way.",
       "4096"},
      {"max-handshakes",
       "TLS handshakes under way at a time, half of them from one address; the next ones wait.",
       "32"},
      {"max-handshakes-per-address",
       "TLS handshakes per second from one address, or one /64 of IPv6; the next ones wait. 0: not "
       "bounded, where a load balancer stands in front.",
       "200"},
      {"max-watches-per-user", "Watches that one user may have open. More are answered 429.",
       "2000"},
      {"watch-history", "Changes that watches may resume from.", "8192"},
  };
}

absl::StatusOr<Options> ParseOptions(const Flags& flags) {
  Options options;
  options.listen = flags.Get("api-listen");
  options.listen_file = flags.Get("api-listen-file");
  options.tls_certificate = flags.Get("tls-cert");
  options.tls_key = flags.Get("tls-key");
  options.client_ca = flags.Get("client-ca");
  options.token_file = flags.Get("token-file");
  for (const char* name : {"tls-cert", "tls-key", "token-file"}) {
    if (flags.Get(name).empty()) {
      return InvalidArgument(StrCat("--", name,
                                    " is required: the API is served over TLS, and to "
                                    "known users only"));
    }
  }
  options.oidc.issuer = flags.Get("oidc-issuer-url");
  options.oidc.client_id = flags.Get("oidc-client-id");
  options.oidc.username_claim = flags.Get("oidc-username-claim");
  options.oidc.username_prefix = flags.Get("oidc-username-prefix");
  options.oidc.groups_claim = flags.Get("oidc-groups-claim");
  options.oidc.groups_prefix = flags.Get("oidc-groups-prefix");
  options.oidc_keys = flags.Get("oidc-jwks");
  options.oidc_ca = flags.Get("oidc-ca");
  options.service_account_key = flags.Get("service-account-key");
  for (const char* name : {"oidc-client-id", "oidc-jwks"}) {
    if (options.oidc.issuer.empty() != flags.Get(name).empty()) {
      return InvalidArgument(StrCat("--oidc-issuer-url and --", name, " need each other"));
    }
  }
  if (options.oidc_keys.starts_with("http://")) {
    return InvalidArgument("--oidc-jwks must be a file or an https URL");
  }
  if (options.oidc.username_claim.empty()) {
    return InvalidArgument("--oidc-username-claim must not be empty");
  }
  SEALANE_ASSIGN_OR_RETURN(options.write_timeout, flags.GetDuration("write-timeout"));
  SEALANE_ASSIGN_OR_RETURN(const int64_t history, flags.GetInt("watch-history", 1, 10'000'000));
  SEALANE_ASSIGN_OR_RETURN(const int64_t writes, flags.GetInt("max-writes", 1, 100'000));
  SEALANE_ASSIGN_OR_RETURN(const int64_t watches,
                           flags.GetInt("max-watches-per-user", 1, 1'000'000));
  SEALANE_ASSIGN_OR_RETURN(const int64_t connections,
                           flags.GetInt("max-connections", 1, 1'000'000));
  options.max_connections = static_cast<int>(connections);
  SEALANE_ASSIGN_OR_RETURN(const int64_t handshakes, flags.GetInt("max-handshakes", 1, 100'000));
  options.max_handshakes = static_cast<int>(handshakes);
  SEALANE_ASSIGN_OR_RETURN(const int64_t per_address,
                           flags.GetInt("max-handshakes-per-address", 0, 1'000'000));
  options.max_handshakes_per_address = static_cast<int>(per_address);
  SEALANE_ASSIGN_OR_RETURN(const int64_t reads, flags.GetInt("max-reads-per-user", 1, 1'000'000));
  options.max_reads_per_user = static_cast<int>(reads);
  options.max_watches_per_user = static_cast<int>(watches);
  options.max_writes = static_cast<int>(writes);
  options.history = static_cast<int>(history);
  return options;
}

}  // namespace sealane::gateway

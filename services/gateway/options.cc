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
      {"write-timeout", "How long a write waits until it is durable.", "30s"},
      {"max-writes",
       "Writes under way at a time; one user may have half of them. More are answered 429.", "400"},
      {"max-reads-per-user",
       "Reads of one user that wait or whose answers are not taken yet. More are answered 429.",
       "500"},
      {"max-connections",
       "Connections of clients at a time. For one more, the one that is idle longest gives way.",
       "4096"},
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
  SEALANE_ASSIGN_OR_RETURN(options.write_timeout, flags.GetDuration("write-timeout"));
  SEALANE_ASSIGN_OR_RETURN(const int64_t history, flags.GetInt("watch-history", 1, 10'000'000));
  SEALANE_ASSIGN_OR_RETURN(const int64_t writes, flags.GetInt("max-writes", 1, 100'000));
  SEALANE_ASSIGN_OR_RETURN(const int64_t watches,
                           flags.GetInt("max-watches-per-user", 1, 1'000'000));
  SEALANE_ASSIGN_OR_RETURN(const int64_t connections,
                           flags.GetInt("max-connections", 1, 1'000'000));
  options.max_connections = static_cast<int>(connections);
  SEALANE_ASSIGN_OR_RETURN(const int64_t reads, flags.GetInt("max-reads-per-user", 1, 1'000'000));
  options.max_reads_per_user = static_cast<int>(reads);
  options.max_watches_per_user = static_cast<int>(watches);
  options.max_writes = static_cast<int>(writes);
  options.history = static_cast<int>(history);
  return options;
}

}  // namespace sealane::gateway

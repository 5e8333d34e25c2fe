#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/kubeauth/oidc.h"
#include "lib/runtime/flags.h"

namespace sealane::gateway {

struct Options {
  // "host:port" of the API; port 0 takes a free one.
  std::string listen = "127.0.0.1:0";
  // Files: where the address is written to ("" nowhere); certificate and key in PEM; users' tokens.
  std::string listen_file;
  std::string tls_certificate;
  std::string tls_key;
  std::string client_ca;  // "": no client certificates
  std::string token_file;
  // ID tokens of people: whose, and the key set, a file or an https URL; "" none.
  kubeauth::OidcOptions oidc;
  std::string oidc_keys;
  std::string oidc_ca;  // of that URL; "": the system's
  // Private key of service accounts' tokens, a PEM file; "": none are given out.
  std::string service_account_key;
  // How long a write waits for the policy service.
  absl::Duration write_timeout = absl::Seconds(30);
  // Writes under way at a time.
  int max_writes = 400;
  // Reads of one user that wait or whose answer the client has not taken yet.
  int max_reads_per_user = 500;
  // Connections of clients at a time.
  int max_connections = 4096;
  // TLS handshakes under way at a time, and those of one address per second (0: not bounded).
  int max_handshakes = 32;
  int max_handshakes_per_address = 200;
  // Watches that one user may have open.
  int max_watches_per_user = 2000;
  // Changes that watches may resume from.
  int history = 8192;
};

// The flags of sealane-gateway, with the defaults above.
[[nodiscard]] std::vector<Flag> OptionFlags();
// INVALID_ARGUMENT names the flag.
[[nodiscard]] absl::StatusOr<Options> ParseOptions(const Flags& flags);

}  // namespace sealane::gateway

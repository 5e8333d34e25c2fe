#include "lib/runtime/bus_flags.h"

#include <fstream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

// The first line of a file, without its end.
absl::StatusOr<std::string> FirstLine(std::string_view flag, const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) {
    return InvalidArgument(StrCat("--", flag, ": cannot read ", path));
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

absl::Status CheckReadable(std::string_view flag, const std::string& path) {
  if (path.empty() || std::ifstream(path)) return absl::OkStatus();
  return InvalidArgument(StrCat("--", flag, ": cannot read ", path));
}

}  // namespace

std::vector<Flag> BusFlags() {
  return {
      {"bus-url", "Message bus: nats://host:port or tls://host:port, several with commas.",
       "nats://127.0.0.1:4222"},
      {"bus-user", "User name on the bus.", ""},
      {"bus-user-file", "File whose first line is the user name; read again when it changes.", ""},
      {"bus-password", "Password on the bus; better give it by file or environment.", ""},
      {"bus-password-file", "File whose first line is the password; read again when it changes.",
       ""},
      {"bus-creds", "Credentials file of an operator-managed bus (JWT and seed).", ""},
      {"bus-nkey", "Public NKey of this process, with --bus-nkey-seed-file.", ""},
      {"bus-nkey-seed-file", "File with its seed.", ""},
      {"bus-ca", "PEM file of the CA that signed the bus' certificate.", ""},
      {"bus-cert", "PEM file of this process' own certificate for the bus.", ""},
      {"bus-key", "PEM file of its private key.", ""},
      {"bus-replicas",
       "Copies that the bus keeps of each stream; 0: 3 on a cluster of servers, else 1.", "0"},
  };
}

absl::StatusOr<NatsOptions> BusOptionsOf(const Flags& flags) {
  NatsOptions options;
  options.urls.clear();
  for (const absl::string_view url :
       absl::StrSplit(flags.Get("bus-url"), ',', absl::SkipWhitespace())) {
    options.urls.emplace_back(absl::StripAsciiWhitespace(url));
    const std::string& added = options.urls.back();
    if (!added.starts_with("nats://") && !added.starts_with("tls://")) {
      return InvalidArgument(
          StrCat("--bus-url: must be nats://host:port or tls://host:port, not \"", added, "\""));
    }
  }
  if (options.urls.empty()) return InvalidArgument("--bus-url: must not be empty");
  options.user = flags.Get("bus-user");
  options.password = flags.Get("bus-password");
  options.user_file = flags.Get("bus-user-file");
  options.password_file = flags.Get("bus-password-file");
  if (!options.user_file.empty()) {
    SEALANE_ASSIGN_OR_RETURN(options.user, FirstLine("bus-user-file", options.user_file));
  }
  if (!options.password_file.empty()) {
    SEALANE_ASSIGN_OR_RETURN(options.password,
                             FirstLine("bus-password-file", options.password_file));
  }
  for (const char* flag : {"bus-creds", "bus-nkey-seed-file", "bus-ca", "bus-cert", "bus-key"}) {
    SEALANE_RETURN_IF_ERROR(CheckReadable(flag, flags.Get(flag)));
  }
  options.creds_file = flags.Get("bus-creds");
  options.nkey_public = flags.Get("bus-nkey");
  options.nkey_seed_file = flags.Get("bus-nkey-seed-file");
  if (options.nkey_public.empty() != options.nkey_seed_file.empty()) {
    return InvalidArgument("--bus-nkey and --bus-nkey-seed-file: both or none must be given");
  }
  options.tls_ca_file = flags.Get("bus-ca");
  options.tls_cert_file = flags.Get("bus-cert");
  options.tls_key_file = flags.Get("bus-key");
  if (options.tls_cert_file.empty() != options.tls_key_file.empty()) {
    return InvalidArgument("--bus-cert and --bus-key: both or none must be given");
  }
  return options;
}

}  // namespace sealane

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/sealane/args.h"

namespace sealane::cli {

// Which fleet the CLI talks to, and as whom. Each value comes from the first of: flag, environment
// (SEALANE_BUS_URL, _USER, _PASSWORD, _PASSWORD_FILE, _CREDS, _CA), the chosen context of the
// config file.
struct Context {
  std::string url;
  std::string user;
  std::string password;
  std::string creds_file;  // of an operator's bus, instead of user and password
  std::string ca_file;     // PEM of the authority of the bus' certificate; empty: the system's
  std::string default_namespace;  // empty: all namespaces
};

using Environment = std::map<std::string, std::string, std::less<>>;

// The flags that choose a context; every command that talks to the fleet takes them.
[[nodiscard]] std::vector<FlagSpec> ContextFlags();

// The text of a config file:
//   current-context: NAME
//   contexts:
//     - name: NAME
//       url: nats://HOST:PORT
//       user: USER
//       password-file: FILE      (files: relative to the config file's folder), or password: TEXT
//       creds-file: FILE         (instead of user and password)
//       ca-file: FILE            (optional)
//       namespace: NAMESPACE     (optional)
// `name` empty: the current context. NOT_FOUND names the contexts there are; INVALID_ARGUMENT says
// which field is wrong. `directory` is where the file is.
[[nodiscard]] absl::StatusOr<Context> ParseConfig(std::string_view text, std::string_view name,
                                                  std::string_view directory);

// The contexts of the config file that args and environment choose; empty when it cannot be read.
[[nodiscard]] std::vector<std::string> ContextNames(const Args& args,
                                                    const Environment& environment);

// FAILED_PRECONDITION tells what is missing and the ways to give it.
[[nodiscard]] absl::StatusOr<Context> LoadContext(const Args& args, const Environment& environment);

}  // namespace sealane::cli

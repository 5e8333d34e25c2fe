#include "tools/sealane/server_update.h"

#include <filesystem>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/operator_accounts.h"
#include "tools/sealane/server_reload.h"

namespace sealane::cli {
namespace {

// Sends claims to the server's resolver.
absl::Status Push(Fleet& system, const char* subject, const std::string& claims,
                  absl::Duration timeout) {
  SEALANE_ASSIGN_OR_RETURN(const std::string answer, system.Call(subject, claims, timeout));
  const Json json = Json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Internal(StrCat("the server's answer is not JSON: ", answer));
  if (const auto error = json.find("error"); error != json.end()) {
    return FailedPrecondition(StrCat("the server refuses the account: ", error->dump()));
  }
  return absl::OkStatus();
}

absl::Status PushAll(const std::string& directory, const AccountClaims& claims, Context context,
                     absl::Duration timeout, Terminal& terminal) {
  context.creds_file = CredentialsPath(directory, kSystemUser);
  context.user.clear();
  context.password.clear();
  SEALANE_ASSIGN_OR_RETURN(const auto system, terminal.connect(context, timeout));
  for (const std::string& jwt : claims.accounts) {
    SEALANE_RETURN_IF_ERROR(Push(*system, "$SYS.REQ.CLAIMS.UPDATE", jwt, timeout));
  }
  if (claims.deletion.empty()) return absl::OkStatus();
  SEALANE_RETURN_IF_ERROR(Push(*system, "$SYS.REQ.CLAIMS.DELETE", claims.deletion, timeout));
  std::error_code absent;  // a server of this machine took them itself
  for (const std::string& file : claims.spent) std::filesystem::remove(file, absent);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DirectoryLock> LockDirectory(const std::string& directory, Terminal& terminal) {
  return DirectoryLock::Take(directory, [&] {
    terminal.err << "waiting for another sealane that changes " << directory << "\n";
    terminal.err.flush();
  });
}

void Wait(Fleet& fleet, absl::Duration duration) {
  (void)fleet.Follow(
      "events.>", duration, [] { return true; },
      [](std::string_view, std::string_view) { return true; });
}

absl::Status UpdateServer(const std::string& directory, const ServerConfigOutcome& outcome,
                          const Context& context, absl::Duration timeout, Fleet& fleet,
                          Terminal& terminal) {
  if (outcome.with_operator) {
    return PushAll(directory, outcome.claims, context, timeout, terminal);
  }
  SEALANE_ASSIGN_OR_RETURN(const bool reloaded,
                           ReloadServer(directory, [&](absl::Duration d) { Wait(fleet, d); }));
  if (!reloaded) {
    terminal.err << "note: no nats-server with " << directory
                 << "/nats-server.conf runs on this machine; send SIGHUP, twice, to the one that "
                    "reads it\n";
  }
  return absl::OkStatus();
}

}  // namespace sealane::cli

#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/sealane/command.h"
#include "tools/sealane/files.h"
#include "tools/sealane/server_directory.h"

namespace sealane::cli {

// Tells the running server what WriteServerDirectory changed. Accounts of its configuration: the
// server of this machine gets SIGHUP; when none of this machine has the directory, how to do it by
// hand is said on the terminal. Accounts of an operator: pushed to the server that `context` names,
// as its system user; an error says what the server answered.
[[nodiscard]] absl::Status UpdateServer(const std::string& directory,
                                        const ServerConfigOutcome& outcome, const Context& context,
                                        absl::Duration timeout, Fleet& fleet, Terminal& terminal);

// One command at a time changes a directory and tells the server: two that did so at once could
// tell it the older of two changes last. Waits for the other, and says so on the terminal.
[[nodiscard]] absl::StatusOr<DirectoryLock> LockDirectory(const std::string& directory,
                                                          Terminal& terminal);

// Lets the time pass.
void Wait(Fleet& fleet, absl::Duration duration);

}  // namespace sealane::cli

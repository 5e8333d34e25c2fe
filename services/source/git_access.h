#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "lib/kube/git_source.h"
#include "services/source/git.h"

namespace sealane::source {

// How git reaches a repository: variables for it and for what it starts. Secrets stay in their
// files; only the files' names are here.
struct GitAccess {
  std::map<std::string, std::string> environment;
  std::string protocols;          // GIT_ALLOW_PROTOCOL
  std::string credential_helper;  // value of credential.helper; empty: none
};

// Checks that the spec's address may be read by this service and finds its credentials.
// PERMISSION_DENIED says what is not allowed, or which file is missing.
//
// Credentials are a directory below options.credentials_dir: `urls` (the beginnings of the
// addresses they are for, one per line), and `ssh-key` with `known_hosts`, or `token` (and
// `username`), and `ca.pem` where an authority of one's own signed the server's certificate.
[[nodiscard]] absl::StatusOr<GitAccess> FindAccess(const GitOptions& options,
                                                   const kube::GitSourceSpec& spec);

}  // namespace sealane::source

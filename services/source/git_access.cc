#include "services/source/git_access.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/core/strings.h"

namespace sealane::source {
namespace {

namespace fs = std::filesystem;

absl::Status Denied(std::string_view message) {
  return absl::PermissionDeniedError(ToAbsl(message));
}

std::string LocalPath(std::string_view url) {
  return std::string(url.starts_with("file://") ? url.substr(std::string_view("file://").size())
                                                : url);
}

absl::Status CheckLocal(const GitOptions& options, std::string_view url) {
  if (options.local_dir.empty()) {
    return Denied("the source service reads no repositories of its own machine (--local-dir)");
  }
  std::error_code error;
  const fs::path root = fs::canonical(options.local_dir, error);
  if (error) return Denied("--local-dir of the source service does not exist");
  const fs::path path = fs::weakly_canonical(LocalPath(url), error);
  const fs::path inside = path.lexically_relative(root);
  if (error || inside.empty() || *inside.begin() == "..") {
    return Denied("the repository is not below --local-dir of the source service");
  }
  return absl::OkStatus();
}

std::string ReadText(const fs::path& path) {
  std::ifstream file(path);
  return {(std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>()};
}

// Whether `urls` of the credentials has a beginning of this address. A beginning ends at a slash, a
// colon or the end, so that host.example does not stand for host.example.org.
bool MeantFor(std::string_view urls, std::string_view url) {
  for (const absl::string_view line : absl::StrSplit(ToAbsl(urls), '\n')) {
    std::string_view prefix = ToStd(absl::StripAsciiWhitespace(line));
    if (prefix.empty() || prefix.starts_with("#") || !url.starts_with(prefix)) continue;
    if (prefix.ends_with("/") || prefix.ends_with(":") || url.size() == prefix.size() ||
        url[prefix.size()] == '/') {
      return true;
    }
  }
  return false;
}

// A path as one word of a shell's line.
std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' ? "'\\''" : std::string(1, c));
  return out.append("'");
}

}  // namespace

absl::StatusOr<GitAccess> FindAccess(const GitOptions& options, const kube::GitSourceSpec& spec) {
  GitAccess access;
  const bool local = kube::IsLocalUrl(spec.url);
  const size_t scheme = spec.url.find("://");
  access.protocols = local                         ? "file"
                     : scheme == std::string::npos ? "ssh"
                                                   : spec.url.substr(0, scheme);
  if (local) {
    if (const absl::Status status = CheckLocal(options, spec.url); !status.ok()) return status;
  }
  std::string ssh =
      "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes "
      "-o ForwardAgent=no -o ConnectTimeout=15";
  if (!spec.credentials.empty()) {
    if (options.credentials_dir.empty()) {
      return Denied("the source service has no credentials (--credentials-dir)");
    }
    const fs::path directory = fs::path(options.credentials_dir) / spec.credentials;
    std::error_code error;
    if (!fs::is_directory(directory, error)) {
      return Denied(StrCat("the source service has no credentials named ", spec.credentials));
    }
    if (!MeantFor(ReadText(directory / "urls"), spec.url)) {
      return Denied(StrCat("the credentials ", spec.credentials,
                           " are not for this address (their file `urls` says for which)"));
    }
    const fs::path key = directory / "ssh-key";
    const fs::path token = directory / "token";
    const fs::path authority = directory / "ca.pem";
    if (access.protocols == "https" && fs::exists(authority, error)) {
      access.environment["GIT_SSL_CAINFO"] = authority.string();
    }
    if (fs::exists(directory / "known_hosts", error)) {
      ssh.append(" -o UserKnownHostsFile=").append(Quoted((directory / "known_hosts").string()));
    }
    if (access.protocols == "ssh") {
      if (::access(key.c_str(), R_OK) != 0) {
        return Denied(StrCat("the credentials ", spec.credentials, " have no readable ssh-key"));
      }
      ssh.append(" -o IdentitiesOnly=yes -i ").append(Quoted(key.string()));
    } else if (access.protocols == "https") {
      if (::access(token.c_str(), R_OK) != 0) {
        return Denied(StrCat("the credentials ", spec.credentials, " have no readable token"));
      }
      access.environment["SEALANE_GIT_TOKEN"] = token.string();
      access.environment["SEALANE_GIT_USER"] = (directory / "username").string();
      access.credential_helper =
          "!f() { test \"$1\" = get || return 0; u=git; "
          "test -r \"$SEALANE_GIT_USER\" && u=$(cat \"$SEALANE_GIT_USER\"); "
          "printf 'username=%s\\npassword=%s\\n' \"$u\" \"$(cat \"$SEALANE_GIT_TOKEN\")\"; }; f";
    } else {
      return Denied("credentials are used with https and ssh only");
    }
  }
  access.environment["GIT_SSH_COMMAND"] = ssh;
  return access;
}

}  // namespace sealane::source

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/http/message.h"

namespace sealane::gateway {

// Who asks.
struct User {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;

  [[nodiscard]] bool Is(std::string_view group) const;
};

// Bearer tokens from a file, as kube-apiserver's --token-auth-file: one line
// `token,user,uid,"group1,group2"` per token; uid and groups may be missing, empty lines and lines
// that begin with # count for nothing.
class Tokens {
 public:
  // INVALID_ARGUMENT names the line.
  [[nodiscard]] static absl::StatusOr<Tokens> Parse(std::string_view text);
  // The user of the request's `Authorization: Bearer`; nullopt: none, or not known. Takes as long
  // whatever the token has in common with known ones.
  [[nodiscard]] std::optional<User> Authenticate(const http::Headers& headers) const;
  [[nodiscard]] size_t size() const { return users_.size(); }

 private:
  std::map<std::string, User> users_;  // by the SHA-256 of the token
};

}  // namespace sealane::gateway

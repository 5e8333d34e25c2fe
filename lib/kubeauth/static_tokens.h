#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/kubeapi/access.h"

namespace sealane::kubeauth {

// The users of a token file in Kubernetes' form: a line token,user,uid,"group1,group2" per user,
// the groups optional. Tokens are kept as hashes. An immutable value.
class StaticTokens {
 public:
  // Errors: InvalidArgument with the number of the line, never with its text.
  [[nodiscard]] static absl::StatusOr<StaticTokens> Parse(std::string_view csv);

  // The user of a token. Takes as long for a wrong token as for a right one.
  [[nodiscard]] std::optional<kubeapi::UserInfo> Find(std::string_view token) const;
  [[nodiscard]] size_t size() const { return entries_.size(); }

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Entry {
    Digest digest;
    kubeapi::UserInfo user;
  };
  static Digest DigestOf(std::string_view token);

  std::vector<Entry> entries_;
};

}  // namespace sealane::kubeauth

#include "services/gateway/tokens.h"

#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::gateway {
namespace {

constexpr std::string_view kScheme = "Bearer ";
constexpr size_t kShortest = 16;

// Known tokens are found by their digest, so that no comparison stops at the first wrong byte.
std::string Digest(std::string_view token) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

// The next field of a CSV line; a quoted one may hold commas, and "" for a quote.
std::string NextField(std::string_view& line) {
  std::string field;
  if (!line.empty() && line.front() == '"') {
    line.remove_prefix(1);
    while (!line.empty()) {
      const char c = line.front();
      line.remove_prefix(1);
      if (c != '"') {
        field.push_back(c);
      } else if (!line.empty() && line.front() == '"') {
        field.push_back('"');
        line.remove_prefix(1);
      } else {
        break;
      }
    }
  }
  const size_t comma = std::min(line.find(','), line.size());
  field.append(line.substr(0, comma));
  line.remove_prefix(std::min(line.size(), comma + 1));
  return field;
}

}  // namespace

bool User::Is(std::string_view group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

absl::StatusOr<Tokens> Tokens::Parse(std::string_view text) {
  Tokens tokens;
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + 1));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const std::string token = NextField(line);
    User user;
    user.name = NextField(line);
    user.uid = NextField(line);
    std::string groups = NextField(line);
    if (token.size() < kShortest) {
      return InvalidArgument(
          StrCat("line ", number, ": a token has at least ", kShortest, " characters"));
    }
    if (user.name.empty()) return InvalidArgument(StrCat("line ", number, ": the user is missing"));
    std::string_view rest = groups;
    while (!rest.empty()) user.groups.push_back(NextField(rest));
    user.groups.emplace_back("system:authenticated");
    if (!tokens.users_.emplace(Digest(token), std::move(user)).second) {
      return InvalidArgument(StrCat("line ", number, ": the token is there twice"));
    }
  }
  return tokens;
}

std::optional<User> Tokens::Authenticate(const http::Headers& headers) const {
  const std::string_view value = headers.Get("Authorization");
  if (value.substr(0, kScheme.size()) != kScheme) return std::nullopt;
  const auto it = users_.find(Digest(value.substr(kScheme.size())));
  return it == users_.end() ? std::nullopt : std::optional<User>(it->second);
}

}  // namespace sealane::gateway

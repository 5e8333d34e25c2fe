#include "lib/kubeauth/static_tokens.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <string>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::kubeauth {
namespace {

// The fields of one line; nullopt when a quote is wrong.
std::optional<std::vector<std::string>> Fields(std::string_view line) {
  std::vector<std::string> out(1);
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ',') {
      out.emplace_back();
    } else if (line[i] != '"') {
      out.back() += line[i];
    } else {
      if (!out.back().empty()) return std::nullopt;
      bool closed = false;
      for (++i; i < line.size() && !closed; ++i) {
        if (line[i] != '"') {
          out.back() += line[i];
        } else if (i + 1 < line.size() && line[i + 1] == '"') {
          out.back() += line[i++];
        } else {
          closed = true;
        }
      }
      if (!closed || (i < line.size() && line[i] != ',')) return std::nullopt;
      --i;
    }
  }
  return out;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

template <typename Fn>
void ForEachPiece(std::string_view text, char separator, Fn fn) {
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(separator, start), text.size());
    fn(Trim(text.substr(start, end - start)));
    start = end + 1;
  }
}

}  // namespace

StaticTokens::Digest StaticTokens::DigestOf(std::string_view token) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return digest;
}

absl::StatusOr<StaticTokens> StaticTokens::Parse(std::string_view csv) {
  StaticTokens out;
  absl::Status error;
  size_t number = 0;
  ForEachPiece(csv, '\n', [&](std::string_view line) {
    ++number;
    if (line.empty() || !error.ok()) return;
    const auto fail = [&](std::string_view why) {
      error = InvalidArgument(StrCat("token file, line ", number, ": ", why));
    };
    const auto fields = Fields(line);
    if (!fields) return fail("a quote is not closed, or stands inside a field");
    if (fields->size() < 3 || fields->size() > 4) {
      return fail("want token,user,uid and perhaps \"group1,group2\"");
    }
    const std::string_view token = Trim((*fields)[0]);
    if (token.empty()) return fail("the token is empty");
    Entry entry{DigestOf(token), {std::string(Trim((*fields)[1])), (*fields)[2], {}}};
    if (entry.user.name.empty()) return fail("the user is empty");
    if (fields->size() == 4) {
      ForEachPiece((*fields)[3], ',', [&](std::string_view group) {
        if (!group.empty()) entry.user.groups.emplace_back(group);
      });
    }
    for (const Entry& other : out.entries_) {
      if (other.digest == entry.digest) return fail("the token is there twice");
    }
    out.entries_.push_back(std::move(entry));
  });
  if (!error.ok()) return error;
  return out;
}

std::optional<kubeapi::UserInfo> StaticTokens::Find(std::string_view token) const {
  const Digest digest = DigestOf(token);
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (CRYPTO_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0) found = &entry;
  }
  if (found == nullptr) return std::nullopt;
  return found->user;
}

}  // namespace sealane::kubeauth

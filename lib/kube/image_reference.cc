#include "lib/kube/image_reference.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/ascii.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::kube {
namespace {

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsHex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

template <typename Predicate>
bool All(std::string_view text, Predicate predicate) {
  return !text.empty() && std::all_of(text.begin(), text.end(), predicate);
}

// [\w][\w.-]{0,127}
bool IsTag(std::string_view text) {
  return !text.empty() && text.size() <= 128 && (absl::ascii_isalnum(text[0]) || text[0] == '_') &&
         All(text,
             [](char c) { return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-'; });
}

// algorithm[+._-algorithm]*:hex{32,}
bool IsDigest(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view hex = text.substr(colon + 1);
  if (hex.size() < 32 || !All(hex, IsHex)) return false;
  bool start = true;  // of a component, which begins with a letter
  for (const char c : text.substr(0, colon)) {
    if (start ? !absl::ascii_isalpha(c)
              : !absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '+' && c != '.') {
      return false;
    }
    start = !absl::ascii_isalnum(c);
  }
  return !start;
}

// A digest of a known algorithm with the right length.
bool IsKnownDigest(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view algorithm = text.substr(0, colon);
  const std::string_view hex = text.substr(colon + 1);
  const size_t length = algorithm == "sha256"   ? 64
                        : algorithm == "sha384" ? 96
                        : algorithm == "sha512" ? 128
                                                : 0;
  return length != 0 && hex.size() == length &&
         All(hex, [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

// [a-z0-9]+ joined by '.', '_', '__' or any number of '-'.
bool IsPathComponent(std::string_view text) {
  size_t i = 0;
  while (true) {
    const size_t start = i;
    while (i < text.size() && (IsLower(text[i]) || absl::ascii_isdigit(text[i]))) ++i;
    if (i == start) return false;
    if (i == text.size()) return true;
    if (text[i] == '-') {
      while (i < text.size() && text[i] == '-') ++i;
    } else if (text[i] == '_') {
      i += text.substr(i).starts_with("__") ? 2 : 1;
    } else if (text[i] == '.') {
      ++i;
    } else {
      return false;
    }
  }
}

bool IsDomain(std::string_view text) {
  if (text.starts_with('[')) {  // [IPv6], [IPv6]:port
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    if (!All(text.substr(1, close - 1), [](char c) { return IsHex(c) || c == ':'; })) return false;
    text = text.substr(close + 1);
    return text.empty() || (text[0] == ':' && All(text.substr(1), absl::ascii_isdigit));
  }
  if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    if (!All(text.substr(colon + 1), absl::ascii_isdigit)) return false;
    text = text.substr(0, colon);
  }
  while (true) {
    const size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (!All(label, [](char c) { return absl::ascii_isalnum(c) || c == '-'; }) ||
        label.front() == '-' || label.back() == '-') {
      return false;
    }
    if (dot == std::string_view::npos) return true;
    text = text.substr(dot + 1);
  }
}

bool IsPath(std::string_view path) {
  while (true) {
    const size_t slash = path.find('/');
    if (!IsPathComponent(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path = path.substr(slash + 1);
  }
}

}  // namespace

std::string ImageReference::ToString() const {
  std::string text = registry.empty() ? repository : StrCat(registry, "/", repository);
  if (!tag.empty()) return StrCat(text, ":", tag);
  if (!digest.empty()) return StrCat(text, "@", digest);
  return text;
}

void ImageReference::SetTagOrDigest(std::string_view text) {
  if (IsTag(text)) {
    tag = text;
    digest.clear();
  } else if (IsDigest(text)) {
    digest = text;
    tag.clear();
  }
}

absl::StatusOr<ImageReference> ParseImage(std::string_view text) {
  const auto fail = [&](std::string_view why) {
    return InvalidArgument(StrCat("\"", text.substr(0, 200), "\" is not an image: ", why));
  };
  if (text.empty()) return InvalidArgument("the image is empty");
  ImageReference image;
  std::string_view name = text;
  if (const size_t at = name.find('@'); at != std::string_view::npos) {
    const std::string_view digest = name.substr(at + 1);
    if (!IsDigest(digest) || !IsKnownDigest(digest)) return fail("malformed digest");
    image.digest = digest;
    name = name.substr(0, at);
  }
  const size_t slash = name.rfind('/');
  const size_t colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
  if (colon != std::string_view::npos) {
    if (!IsTag(name.substr(colon + 1))) return fail("malformed tag");
    image.tag = name.substr(colon + 1);
    image.digest.clear();
    name = name.substr(0, colon);
  }
  const size_t first = name.find('/');
  const std::string_view head = name.substr(0, first);
  const bool with_domain =
      first != std::string_view::npos && IsDomain(head) && IsPath(name.substr(first + 1));
  if (!with_domain && !IsPath(name)) return fail("malformed name");
  if ((with_domain ? name.size() - first - 1 : name.size()) > 255) return fail("name too long");
  if (first != std::string_view::npos &&
      (head.find_first_of(".:") != std::string_view::npos || head == "localhost")) {
    image.registry = head;
    image.repository = name.substr(first + 1);
  } else {
    image.repository = name;
  }
  return image;
}

}  // namespace sealane::kube

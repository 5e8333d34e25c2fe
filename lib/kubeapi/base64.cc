#include "lib/kubeapi/base64.h"

#include <array>
#include <cstdint>

namespace sealane::kubeapi {
namespace {

constexpr std::array<bool, 256> Alphabet() {
  std::array<bool, 256> out{};
  for (const char c :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")) {
    out[static_cast<uint8_t>(c)] = true;
  }
  return out;
}

constexpr std::array<bool, 256> kAlphabet = Alphabet();

}  // namespace

std::optional<size_t> Base64Fault(std::string_view text) {
  const auto line_end = [&](size_t i) { return text[i] == '\n' || text[i] == '\r'; };
  size_t at = 0;
  int digits = 0;  // of the group of four so far
  for (; at < text.size(); ++at) {
    if (kAlphabet[static_cast<uint8_t>(text[at])]) {
      digits = (digits + 1) % 4;
      continue;
    }
    if (line_end(at)) continue;
    if (text[at] != '=' || digits < 2) return at;
    // The padding ends it: "=" after three digits, "==" after two.
    ++at;
    if (digits == 2) {
      while (at < text.size() && line_end(at)) ++at;
      if (at == text.size()) return at;
      if (text[at] != '=') return at - 1;
      ++at;
    }
    while (at < text.size() && line_end(at)) ++at;
    if (at < text.size()) return at;
    return std::nullopt;
  }
  // Go counts from the end of the text, line ends within the last group or not.
  if (digits != 0) return at - static_cast<size_t>(digits);
  return std::nullopt;
}

}  // namespace sealane::kubeapi

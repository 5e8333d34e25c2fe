#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "lib/core/json.h"
#include "lib/kube/manifest.h"
#include "lib/kube/yaml_reader.h"

namespace sealane::kube {
namespace {

// The style of go-yaml v2, which kubectl and Karmada write: two columns per level, lists not
// indented below their key, lines broken after column 80, scalars plain where they may be.
constexpr int kBestWidth = 80;
constexpr int kIndent = 2;

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

// go-yaml's order of keys: numbers inside keys compare as numbers, letters after other characters.
bool KeyLess(std::string_view a, std::string_view b) {
  bool digits = false;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] == b[i]) {
      digits = absl::ascii_isdigit(a[i]);
      continue;
    }
    const bool a_letter = IsLetter(a[i]);
    const bool b_letter = IsLetter(b[i]);
    if (a_letter && b_letter) {
      return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
    }
    if (a_letter || b_letter) return digits ? a_letter : b_letter;
    uint64_t a_number = 0;
    uint64_t b_number = 0;
    if (a[i] == '0' || b[i] == '0') {
      for (size_t j = i; j > 0 && absl::ascii_isdigit(a[j - 1]); --j) {
        if (a[j - 1] != '0') {
          a_number = b_number = 1;
          break;
        }
      }
    }
    size_t a_end = i;
    for (; a_end < a.size() && absl::ascii_isdigit(a[a_end]); ++a_end) {
      a_number = a_number * 10 + static_cast<uint64_t>(a[a_end] - '0');
    }
    size_t b_end = i;
    for (; b_end < b.size() && absl::ascii_isdigit(b[b_end]); ++b_end) {
      b_number = b_number * 10 + static_cast<uint64_t>(b[b_end] - '0');
    }
    if (a_number != b_number) return a_number < b_number;
    if (a_end != b_end) return a_end < b_end;
    return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
  }
  return a.size() < b.size();
}

size_t Width(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

bool IsPrintable(std::string_view s, size_t i) {
  const auto at = [&](size_t k) {
    return i + k < s.size() ? static_cast<unsigned char>(s[i + k]) : 0U;
  };
  const unsigned b = at(0);
  return b == 0x0A || (b >= 0x20 && b <= 0x7E) || (b == 0xC2 && at(1) >= 0xA0) ||
         (b > 0xC2 && b < 0xED) || (b == 0xED && at(1) < 0xA0) || b == 0xEE ||
         (b == 0xEF && !(at(1) == 0xBB && at(2) == 0xBF) &&
          !(at(1) == 0xBF && (at(2) == 0xBE || at(2) == 0xBF)));
}

// Bytes of a line break (LF, CR, NEL, LS, PS) at i; 0 when there is none.
size_t BreakAt(std::string_view s, size_t i) {
  if (i >= s.size()) return 0;
  if (s[i] == '\n' || s[i] == '\r') return 1;
  if (s.substr(i).starts_with("\xC2\x85")) return 2;
  if (s.substr(i).starts_with("\xE2\x80\xA8") || s.substr(i).starts_with("\xE2\x80\xA9")) return 3;
  return 0;
}

bool BlankOrEnd(std::string_view s, size_t i) {
  return i >= s.size() || s[i] == ' ' || s[i] == '\t' || BreakAt(s, i) > 0 || s[i] == '\0';
}

// What styles a text may take outside of flow collections. Source: libyaml's analysis of scalars.
struct Analysis {
  bool multiline = false;
  bool plain = true;
  bool single_quoted = true;
  bool block = true;
};

Analysis Analyze(std::string_view s) {
  Analysis result;
  if (s.empty()) {
    result.block = false;
    return result;
  }
  bool indicators = s.starts_with("---") || s.starts_with("...");
  bool special = false;
  bool leading_space = false;
  bool trailing_space = false;
  bool leading_break = false;
  bool trailing_break = false;
  bool break_space = false;
  bool space_break = false;
  bool previous_space = false;
  bool previous_break = false;
  bool preceded_by_blank = true;
  for (size_t i = 0; i < s.size();) {
    const size_t width = std::min(Width(static_cast<unsigned char>(s[i])), s.size() - i);
    const bool followed_by_blank = BlankOrEnd(s, i + width);
    const char c = s[i];
    if (i == 0) {
      if (std::string_view("#,[]{}&*!|>'\"%@`").find(c) != std::string_view::npos) {
        indicators = true;
      } else if ((c == '?' || c == ':' || c == '-') && followed_by_blank) {
        indicators = true;
      }
    } else if ((c == ':' && followed_by_blank) || (c == '#' && preceded_by_blank)) {
      indicators = true;
    }
    if (!IsPrintable(s, i)) special = true;
    const bool last = i + width == s.size();
    if (c == ' ') {
      leading_space |= i == 0;
      trailing_space |= last;
      break_space |= previous_break;
      previous_space = true;
      previous_break = false;
    } else if (BreakAt(s, i) > 0) {
      result.multiline = true;
      leading_break |= i == 0;
      trailing_break |= last;
      space_break |= previous_space;
      previous_space = false;
      previous_break = true;
    } else {
      previous_space = previous_break = false;
    }
    preceded_by_blank = BlankOrEnd(s, i);
    i += width;
  }
  if (leading_space || leading_break || trailing_space || trailing_break) result.plain = false;
  if (trailing_space) result.block = false;
  if (break_space) result.plain = result.single_quoted = false;
  if (space_break || special) result.plain = result.single_quoted = result.block = false;
  if (result.multiline || indicators) result.plain = false;
  return result;
}

bool IsBase60Float(std::string_view s) {  // [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?
  if (!s.empty() && (s[0] == '-' || s[0] == '+')) s.remove_prefix(1);
  if (s.empty() || !absl::ascii_isdigit(s[0])) return false;
  size_t i = 0;
  while (i < s.size() && (absl::ascii_isdigit(s[i]) || s[i] == '_')) ++i;
  int groups = 0;
  while (i < s.size() && s[i] == ':') {
    size_t digits = 0;
    while (i + 1 + digits < s.size() && absl::ascii_isdigit(s[i + 1 + digits])) ++digits;
    if (digits == 0 || digits > 2 || (digits == 2 && s[i + 1] > '5')) return false;
    i += 1 + digits;
    ++groups;
  }
  if (groups == 0) return false;
  if (i < s.size() && s[i] == '.') {
    ++i;
    while (i < s.size() && (absl::ascii_isdigit(s[i]) || s[i] == '_')) ++i;
  }
  return i == s.size();
}

// yyyy-m-d, alone or followed by a time: readers of YAML 1.1 take it for a timestamp.
bool LooksLikeTimestamp(std::string_view s) {
  size_t i = 0;
  const auto number = [&](size_t least, size_t most) {
    size_t n = 0;
    while (n < most && i < s.size() && absl::ascii_isdigit(s[i])) ++n, ++i;
    return n >= least;
  };
  const auto character = [&](char c) { return i < s.size() && s[i] == c ? (++i, true) : false; };
  if (!number(4, 4) || !character('-') || !number(1, 2) || !character('-') || !number(1, 2)) {
    return false;
  }
  if (i == s.size()) return true;
  const bool zone = s[i] == 'T' || s[i] == 't';
  if (!zone && s[i] != ' ') return false;
  ++i;
  if (!number(1, 2) || !character(':') || !number(1, 2) || !character(':') || !number(1, 2)) {
    return false;
  }
  if (character('.') && !number(1, 9)) return false;
  if (!zone) return i == s.size();
  if (character('Z')) return i == s.size();
  if (!character('+') && !character('-')) return false;
  return number(2, 2) && character(':') && number(2, 2) && i == s.size();
}

bool ReadsAsString(std::string_view s) {
  if (s == "<<" || IsBase60Float(s) || LooksLikeTimestamp(s)) return false;
  Json value;
  return ResolvePlainScalar(s, &value).ok() && value.is_string();
}

// As C's %g with the fewest digits that read back as the same number, exponents from 6 digits on.
std::string FloatText(double value) {
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  std::array<char, 64> buffer;
  const auto shortest = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                      std::chars_format::scientific);
  const std::string text(buffer.data(), shortest.ptr);
  const int exponent = std::atoi(text.c_str() + text.find('e') + 1);
  const auto digits = std::count_if(text.begin(), text.begin() + static_cast<long>(text.find('e')),
                                    [](char c) { return absl::ascii_isdigit(c); });
  const long limit = digits > 6 && digits >= exponent + 1 ? digits : 6;
  const bool scientific = exponent < -4 || exponent >= std::max(limit, 21L);
  if (scientific) return text;
  const auto fixed =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  return {buffer.data(), fixed.ptr};
}

class Emitter {
 public:
  std::string Emit(const Json& value) {
    Node(value, -kIndent, false, false);
    if (out_.empty() || out_.back() != '\n') out_ += '\n';
    return std::move(out_);
  }

 private:
  // `indent` is that of the collection the value stands in; -2 at the top.
  void Node(const Json& value, int indent, bool in_mapping, bool in_sequence) {
    if (value.is_object() && !value.empty()) return Mapping(value, indent, in_mapping, in_sequence);
    if (value.is_array() && !value.empty()) return Sequence(value, indent, in_mapping, in_sequence);
    if (in_mapping || in_sequence) Put(" ");
    if (value.is_object()) return Put("{}");
    if (value.is_array()) return Put("[]");
    Scalar(value, indent + kIndent);
  }

  void Mapping(const Json& value, int indent, bool in_mapping, bool in_sequence) {
    const int own = indent + kIndent;
    std::vector<Json::const_iterator> entries;
    for (auto it = value.begin(); it != value.end(); ++it) entries.push_back(it);
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return KeyLess(a.key(), b.key()); });
    bool first = true;
    for (const auto& entry : entries) {
      if (first && in_sequence) {
        Put(" ");
      } else if (!first || in_mapping) {
        NewLine(own);
      }
      first = false;
      Key(entry.key());
      Put(":");
      Node(entry.value(), own, true, false);
    }
  }

  void Sequence(const Json& value, int indent, bool in_mapping, bool in_sequence) {
    const int own = in_mapping ? indent : indent + kIndent;
    bool first = true;
    for (const Json& item : value) {
      if (first && in_sequence) {
        Put(" ");
      } else if (!first || in_mapping) {
        NewLine(own);
      }
      first = false;
      Put("-");
      Node(item, own, false, true);
    }
  }

  void Key(const std::string& key) {
    const Analysis analysis = Analyze(key);
    if (ReadsAsString(key) && analysis.plain && !key.empty()) return Put(key);
    if (ReadsAsString(key) && analysis.single_quoted && !analysis.multiline) {
      return SingleQuoted(key, 0, false);
    }
    DoubleQuoted(key, 0, false);
  }

  void Scalar(const Json& value, int indent) {
    if (value.is_number_float()) return Put(FloatText(value.get<double>()));
    if (!value.is_string()) return Put(value.dump());
    const auto& text = value.get_ref<const std::string&>();
    const Analysis analysis = Analyze(text);
    if (text.find('\n') != std::string::npos) {
      return analysis.block ? Literal(text, indent) : DoubleQuoted(text, indent, true);
    }
    if (!ReadsAsString(text)) return DoubleQuoted(text, indent, true);
    if (analysis.plain) return Plain(text, indent);
    if (analysis.single_quoted) return SingleQuoted(text, indent, true);
    DoubleQuoted(text, indent, true);
  }

  void Plain(std::string_view text, int indent) {
    bool spaces = false;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != ' ') {
        PutChar(text[i]);
        spaces = false;
        continue;
      }
      const bool more = i + 1 < text.size() && text[i + 1] == ' ';
      if (!spaces && column_ > kBestWidth && !more) {
        NewLine(indent);
      } else {
        PutChar(' ');
      }
      spaces = true;
    }
  }

  void SingleQuoted(std::string_view text, int indent, bool may_break) {
    PutChar('\'');
    bool spaces = false;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != ' ') {
        if (text[i] == '\'') PutChar('\'');
        PutChar(text[i]);
        spaces = false;
        continue;
      }
      const bool inside = i > 0 && i + 1 < text.size() && text[i + 1] != ' ';
      if (may_break && !spaces && column_ > kBestWidth && inside) {
        NewLine(indent);
      } else {
        PutChar(' ');
      }
      spaces = true;
    }
    PutChar('\'');
  }

  void DoubleQuoted(std::string_view text, int indent, bool may_break) {
    PutChar('"');
    bool spaces = false;
    for (size_t i = 0; i < text.size();) {
      const size_t width = std::min(Width(static_cast<unsigned char>(text[i])), text.size() - i);
      const std::string_view character = text.substr(i, width);
      if (!IsPrintable(text, i) || BreakAt(text, i) > 0 || text[i] == '"' || text[i] == '\\') {
        Escape(character);
        spaces = false;
      } else if (text[i] == ' ') {
        if (may_break && !spaces && column_ > kBestWidth && i > 0 && i + 1 < text.size()) {
          NewLine(indent);
          if (text[i + 1] == ' ') PutChar('\\');
        } else {
          PutChar(' ');
        }
        spaces = true;
      } else {
        Put(character);
        spaces = false;
      }
      i += width;
    }
    PutChar('"');
  }

  void Escape(std::string_view character) {
    unsigned code = static_cast<unsigned char>(character[0]);
    if (character.size() > 1) {
      code &= 0xFFU >> (character.size() + 1);
      for (size_t k = 1; k < character.size(); ++k) {
        code = code << 6 | (static_cast<unsigned char>(character[k]) & 0x3FU);
      }
    }
    static constexpr std::array<std::pair<unsigned, char>, 15> kShort = {{{0x00, '0'},
                                                                          {0x07, 'a'},
                                                                          {0x08, 'b'},
                                                                          {0x09, 't'},
                                                                          {0x0A, 'n'},
                                                                          {0x0B, 'v'},
                                                                          {0x0C, 'f'},
                                                                          {0x0D, 'r'},
                                                                          {0x1B, 'e'},
                                                                          {0x22, '"'},
                                                                          {0x5C, '\\'},
                                                                          {0x85, 'N'},
                                                                          {0xA0, '_'},
                                                                          {0x2028, 'L'},
                                                                          {0x2029, 'P'}}};
    PutChar('\\');
    for (const auto& [known, letter] : kShort) {
      if (known == code) return PutChar(letter);
    }
    std::array<char, 12> buffer;
    const char* format = code <= 0xFF ? "x%02X" : code <= 0xFFFF ? "u%04X" : "U%08X";
    std::snprintf(buffer.data(), buffer.size(), format, code);
    Put(buffer.data());
  }

  void Literal(std::string_view text, int indent) {
    Put("|");
    if (text[0] == ' ' || BreakAt(text, 0) > 0) PutChar('0' + kIndent);
    if (text.back() != '\n') {
      PutChar('-');
    } else if (text.size() == 1 || text[text.size() - 2] == '\n') {
      PutChar('+');
    }
    PutChar('\n');
    bool line_start = true;
    for (const char c : text) {
      if (c == '\n') {
        PutChar('\n');
        line_start = true;
        continue;
      }
      if (line_start) {
        Put(std::string(static_cast<size_t>(std::max(indent, 0)), ' '));
        line_start = false;
      }
      PutChar(c);
    }
  }

  void NewLine(int indent) {
    if (!out_.empty() && out_.back() != '\n') PutChar('\n');
    Put(std::string(static_cast<size_t>(std::max(indent, 0)), ' '));
  }
  void Put(std::string_view text) {
    for (const char c : text) PutChar(c);
  }
  void PutChar(char c) {
    out_ += c;
    if (c == '\n') {
      column_ = 0;
    } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
      ++column_;
    }
  }

  std::string out_;
  int column_ = 0;
};

}  // namespace

std::string ToYaml(const Json& value) { return Emitter().Emit(value); }

}  // namespace sealane::kube

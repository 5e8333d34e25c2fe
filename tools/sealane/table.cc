#include "tools/sealane/table.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "lib/core/strings.h"

namespace sealane::cli {
namespace {

constexpr std::string_view kGap = "  ";

std::vector<std::string_view> LinesOf(std::string_view cell) {
  std::vector<std::string_view> lines;
  for (;;) {
    const size_t end = cell.find('\n');
    lines.push_back(cell.substr(0, end));
    if (end == std::string_view::npos) return lines;
    cell.remove_prefix(end + 1);
  }
}

template <size_t N>
bool IsOneOf(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string Dress(bool colour, std::string_view code, std::string_view text) {
  return colour ? StrCat("\x1b[", code, "m", text, "\x1b[0m") : std::string(text);
}

}  // namespace

std::string Style::Word(std::string_view text) const {
  static constexpr std::array<std::string_view, 10> kGood = {
      "Healthy",    "Ready",   "Applied", "Scheduled", "created",
      "configured", "deleted", "True",    "ok",        "yes"};
  static constexpr std::array<std::string_view, 10> kBad = {
      "Failed",   "Unhealthy", "Degraded", "Lost",         "refused",
      "NotReady", "False",     "Warning",  "NoClusterFit", "Unschedulable"};
  static constexpr std::array<std::string_view, 6> kWaiting = {
      "Pending", "Applying", "Progressing", "Deleting", "Removing", "Unknown"};
  if (IsOneOf(text, kGood)) return Dress(colour, "32", text);
  if (IsOneOf(text, kBad)) return Dress(colour, "31", text);
  if (IsOneOf(text, kWaiting)) return Dress(colour, "33", text);
  return std::string(text);
}

std::string Style::Bold(std::string_view text) const { return Dress(colour, "1", text); }
std::string Style::Red(std::string_view text) const { return Dress(colour, "31", text); }

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string TextTable::Render(const Style& style, bool with_header,
                              std::vector<size_t>* kept) const {
  std::vector<size_t> widths;
  if (kept != nullptr) widths = *kept;
  const auto measure = [&widths](const std::vector<std::string>& row) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      for (const std::string_view line : LinesOf(row[i])) {
        widths[i] = std::max(widths[i], DisplayWidth(line));
      }
    }
  };
  measure(header_);
  for (const auto& row : rows_) measure(row);

  std::string out;
  const auto render = [&](const std::vector<std::string>& row, bool header) {
    size_t height = 1;
    for (const std::string& cell : row) height = std::max(height, LinesOf(cell).size());
    for (size_t line = 0; line < height; ++line) {
      size_t blanks = 0;
      for (size_t i = 0; i < row.size(); ++i) {
        const std::vector<std::string_view> lines = LinesOf(row[i]);
        const std::string_view text = line < lines.size() ? lines[line] : "";
        if (!text.empty()) {
          out.append(blanks, ' ');
          out.append(header ? style.Bold(text) : style.Word(text));
          blanks = 0;
        }
        blanks += widths[i] - DisplayWidth(text) + kGap.size();
      }
      out.push_back('\n');
    }
  };
  if (with_header) render(header_, true);
  for (const auto& row : rows_) render(row, false);
  if (kept != nullptr) *kept = std::move(widths);
  return out;
}

std::string FormatAge(int64_t now_micros, int64_t then_micros) {
  if (then_micros <= 0) return "-";
  const int64_t seconds = std::max<int64_t>(0, (now_micros - then_micros) / 1'000'000);
  if (seconds < 120) return StrCat(seconds, "s");
  if (seconds < 2 * 3600) return StrCat(seconds / 60, "m");
  if (seconds < 2 * 86400) return StrCat(seconds / 3600, "h");
  return StrCat(seconds / 86400, "d");
}

}  // namespace sealane::cli

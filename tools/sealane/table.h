#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sealane::cli {

// How text may be dressed: colours only on a terminal.
struct Style {
  bool colour = false;
  // The text in the colour that its meaning has: Healthy and Ready green, Failed and Lost red, what
  // is on its way yellow, anything else as it is.
  [[nodiscard]] std::string Word(std::string_view text) const;
  [[nodiscard]] std::string Bold(std::string_view text) const;
  [[nodiscard]] std::string Red(std::string_view text) const;
};

// Text in aligned columns. A cell may have several lines. Trailing blanks are never printed.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : header_(std::move(header)) {}
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // Header and rows. Cells that are a single known word are coloured as Style::Word does.
  // `widths`: of the columns, at least these; and what they became. Who prints rows one after the
  // other keeps them, so that the columns stay. May be nullptr.
  [[nodiscard]] std::string Render(const Style& style, bool with_header = true,
                                   std::vector<size_t>* widths = nullptr) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

// The columns that `text` takes on a terminal: UTF-8 characters, not bytes.
[[nodiscard]] size_t DisplayWidth(std::string_view text);

// "3s", "5m", "2h", "4d"; "-" when `then_micros` is not known (0). A time ahead of now counts as
// now.
[[nodiscard]] std::string FormatAge(int64_t now_micros, int64_t then_micros);

}  // namespace sealane::cli

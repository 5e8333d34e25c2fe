#include "tools/sealane/text_diff.h"

#include <algorithm>
#include <vector>

#include "lib/core/strings.h"

namespace sealane::cli {
namespace {

constexpr int kContext = 3;
constexpr int kMaxEdits = 2000;

using Lines = std::vector<std::string_view>;

// One line of the script: kept (' '), taken away ('-') or added ('+').
struct Edit {
  char kind;
  std::string_view line;
};

Lines Split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1);
    lines.push_back(text.substr(0, text[end] == '\n' ? end : end + 1));
    text.remove_prefix(end + 1);
  }
  return lines;
}

// The shortest script from a to b, backwards (Myers 1986: the greedy way along diagonals). Empty
// when it has more than kMaxEdits changes.
std::vector<Edit> ShortestScript(const Lines& a, const Lines& b) {
  const int n = static_cast<int>(a.size());
  const int m = static_cast<int>(b.size());
  const int limit = std::min(n + m, kMaxEdits);
  std::vector<std::vector<int>> history;
  std::vector<int> furthest(2 * static_cast<size_t>(limit) + 3, 0);
  const auto at = [limit](std::vector<int>& v, int k) -> int& {
    return v[static_cast<size_t>(k + limit + 1)];
  };
  int edits = -1;
  for (int d = 0; d <= limit && edits < 0; ++d) {
    history.push_back(furthest);
    for (int k = -d; k <= d; k += 2) {
      const bool down = k == -d || (k != d && at(furthest, k - 1) < at(furthest, k + 1));
      int x = down ? at(furthest, k + 1) : at(furthest, k - 1) + 1;
      while (x < n && x - k < m && a[static_cast<size_t>(x)] == b[static_cast<size_t>(x - k)]) ++x;
      at(furthest, k) = x;
      if (x >= n && x - k >= m) {
        edits = d;
        break;
      }
    }
  }
  std::vector<Edit> script;
  if (edits < 0) return script;
  int x = n;
  int y = m;
  for (int d = edits; d >= 0; --d) {
    std::vector<int>& v = history[static_cast<size_t>(d)];
    const int k = x - y;
    const bool down = k == -d || (k != d && at(v, k - 1) < at(v, k + 1));
    const int from_k = down ? k + 1 : k - 1;
    const int from_x = d == 0 ? 0 : at(v, from_k);
    const int from_y = d == 0 ? 0 : from_x - from_k;
    while (x > from_x && y > from_y) {
      script.push_back({' ', a[static_cast<size_t>(--x)]});
      --y;
    }
    if (d == 0) break;
    if (down) {
      script.push_back({'+', b[static_cast<size_t>(--y)]});
    } else {
      script.push_back({'-', a[static_cast<size_t>(--x)]});
    }
  }
  return script;
}

std::vector<Edit> Script(const Lines& a, const Lines& b) {
  size_t head = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  size_t tail = 0;
  while (tail < a.size() - head && tail < b.size() - head &&
         a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) {
    ++tail;
  }
  const auto middle = [head, tail](const Lines& lines) {
    return Lines(lines.begin() + static_cast<std::ptrdiff_t>(head),
                 lines.end() - static_cast<std::ptrdiff_t>(tail));
  };
  const Lines old_middle = middle(a);
  const Lines new_middle = middle(b);
  std::vector<Edit> script;
  for (size_t i = 0; i < head; ++i) script.push_back({' ', a[i]});
  const std::vector<Edit> backwards = ShortestScript(old_middle, new_middle);
  if (backwards.empty()) {
    for (const std::string_view line : old_middle) script.push_back({'-', line});
    for (const std::string_view line : new_middle) script.push_back({'+', line});
  } else {
    script.insert(script.end(), backwards.rbegin(), backwards.rend());
  }
  for (size_t i = a.size() - tail; i < a.size(); ++i) script.push_back({' ', a[i]});
  return script;
}

// "3,7": the first line and how many; a range without lines names the line before it.
std::string Range(int first, int count) {
  if (count == 1) return StrCat(first);
  return StrCat(count == 0 ? first - 1 : first, ",", count);
}

}  // namespace

std::string UnifiedDiff(std::string_view old_text, std::string_view new_text,
                        std::string_view old_name, std::string_view new_name) {
  if (old_text == new_text) return "";
  const Lines a = Split(old_text);
  const Lines b = Split(new_text);
  const std::vector<Edit> script = Script(a, b);
  std::string out = StrCat("--- ", old_name, "\n+++ ", new_name, "\n");
  const int size = static_cast<int>(script.size());
  int old_line = 1;
  int new_line = 1;
  for (int i = 0; i < size;) {
    if (script[static_cast<size_t>(i)].kind == ' ') {
      ++i, ++old_line, ++new_line;
      continue;
    }
    // A hunk goes on while the next change is so near that their surroundings touch.
    int end = i;
    for (int j = i, kept = 0; j < size && kept <= 2 * kContext; ++j) {
      kept = script[static_cast<size_t>(j)].kind == ' ' ? kept + 1 : 0;
      if (kept == 0) end = j + 1;
    }
    const int begin = std::max(0, i - kContext);
    end = std::min(size, end + kContext);
    std::string lines;
    int olds = 0;
    int news = 0;
    for (int j = begin; j < end; ++j) {
      const Edit& edit = script[static_cast<size_t>(j)];
      lines.append(StrCat(edit.kind, edit.line, "\n"));
      olds += edit.kind != '+' ? 1 : 0;
      news += edit.kind != '-' ? 1 : 0;
    }
    const int before = i - begin;
    out.append(StrCat("@@ -", Range(old_line - before, olds), " +", Range(new_line - before, news),
                      " @@\n", lines));
    old_line += olds - before;
    new_line += news - before;
    i = end;
  }
  return out;
}

}  // namespace sealane::cli

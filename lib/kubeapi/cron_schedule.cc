#include "lib/kubeapi/cron_schedule.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/core/strings.h"

namespace sealane::kubeapi {
namespace {

struct Bounds {
  int min;
  int max;
  std::vector<std::string_view> names;  // of min, min + 1, ...
};

const std::array<Bounds, 5>& Fields() {
  static const auto* const fields = new std::array<Bounds, 5>{
      {{0, 59, {}},
       {0, 23, {}},
       {1, 31, {}},
       {1,
        12,
        {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
       {0, 6, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}}};
  return *fields;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> out;
  size_t at = 0;
  const auto space = [&](size_t i) {
    return std::isspace(static_cast<unsigned char>(text[i])) != 0;
  };
  while (true) {
    while (at < text.size() && space(at)) ++at;
    if (at == text.size()) return out;
    const size_t start = at;
    while (at < text.size() && !space(at)) ++at;
    out.push_back(text.substr(start, at - start));
  }
}

// A number or a name; what is wrong goes to `why`.
int64_t FieldNumber(std::string_view text, const Bounds& bounds, std::string& why) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (size_t i = 0; i < bounds.names.size(); ++i) {
    if (bounds.names[i] == lower) return bounds.min + static_cast<int64_t>(i);
  }
  std::string_view digits = text;
  if (!digits.empty() && digits.front() == '+') digits.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() ||
      (digits.size() < text.size() && digits.front() == '-')) {
    why = StrCat("failed to parse int from ", text, ": strconv.Atoi: parsing \"", text, "\": ",
                 error == std::errc::result_out_of_range ? "value out of range" : "invalid syntax");
    return 0;
  }
  if (value < 0) why = StrCat("negative number (", value, ") not allowed: ", text);
  return value;
}

// One of the comma-separated parts of a field: "*", "5", "1-5", "*/10", "1-5/2".
std::string WhyNotRange(std::string_view text, const Bounds& bounds) {
  const auto steps = Split(text, '/');
  const auto ends = Split(steps[0], '-');
  std::string why;
  int64_t first = bounds.min;
  int64_t last = bounds.max;
  if (ends[0] != "*" && ends[0] != "?") {
    first = FieldNumber(ends[0], bounds, why);
    if (!why.empty()) return why;
    if (ends.size() > 2) return StrCat("too many hyphens: ", text);
    last = ends.size() == 2 ? FieldNumber(ends[1], bounds, why) : first;
    if (!why.empty()) return why;
  }
  int64_t step = 1;
  if (steps.size() > 2) return StrCat("too many slashes: ", text);
  if (steps.size() == 2) {
    step = FieldNumber(steps[1], {0, 0, {}}, why);
    if (!why.empty()) return why;
    if (ends.size() == 1) last = bounds.max;
  }
  if (first < bounds.min) {
    return StrCat("beginning of range (", first, ") below minimum (", bounds.min, "): ", text);
  }
  if (last > bounds.max) {
    return StrCat("end of range (", last, ") above maximum (", bounds.max, "): ", text);
  }
  if (first > last) {
    return StrCat("beginning of range (", first, ") beyond end of range (", last, "): ", text);
  }
  if (step == 0) return StrCat("step of range should be a positive number: ", text);
  return "";
}

// A duration as Go writes it: "1h30m", "1.5s", "0".
bool IsDuration(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  if (text == "0") return true;
  if (text.empty()) return false;
  while (!text.empty()) {
    const size_t number = std::min(text.find_first_not_of("0123456789."), text.size());
    const std::string_view digits = text.substr(0, number);
    if (std::count(digits.begin(), digits.end(), '.') > 1 ||
        digits.find_first_of("0123456789") == std::string_view::npos) {
      return false;
    }
    text.remove_prefix(number);
    const size_t end = std::min(text.find_first_of("0123456789."), text.size());
    const std::string_view unit = text.substr(0, end);
    if (unit != "ns" && unit != "us" && unit != "\u00b5s" && unit != "\u03bcs" && unit != "ms" &&
        unit != "s" && unit != "m" && unit != "h") {
      return false;
    }
    text.remove_prefix(end);
  }
  return true;
}

std::string WhyNotDescriptor(std::string_view text) {
  for (const std::string_view known :
       {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}) {
    if (text == known) return "";
  }
  constexpr std::string_view kEvery = "@every ";
  if (text.substr(0, kEvery.size()) != kEvery) {
    return StrCat("unrecognized descriptor: ", text);
  }
  const std::string_view duration = text.substr(kEvery.size());
  if (IsDuration(duration)) return "";
  return StrCat("failed to parse duration ", text, ": time: invalid duration \"", duration, "\"");
}

}  // namespace

std::string WhyNotSchedule(std::string_view text) {
  if (text.empty()) return "empty spec string";
  if (text.front() == '@') return WhyNotDescriptor(text);
  const auto words = Words(text);
  if (words.size() != Fields().size()) {
    return StrCat("expected exactly 5 fields, found ", words.size(), ": [", StrJoin(words, " "),
                  "]");
  }
  for (size_t i = 0; i < words.size(); ++i) {
    for (const std::string_view part : Split(words[i], ',')) {
      if (part.empty()) continue;
      if (std::string why = WhyNotRange(part, Fields()[i]); !why.empty()) return why;
    }
  }
  return "";
}

}  // namespace sealane::kubeapi

#include "tools/sealane/args.h"

#include <algorithm>
#include <numeric>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::cli {
namespace {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

absl::Status UnknownFlag(const std::vector<FlagSpec>& flags, std::string_view name) {
  std::vector<std::string> names;
  for (const FlagSpec& flag : flags) names.push_back(StrCat("--", flag.name));
  const std::string near = Nearest(name, names);
  return InvalidArgument(
      StrCat("unknown flag ", name, near.empty() ? "" : StrCat("; did you mean ", near, "?")));
}

}  // namespace

std::string Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

bool Args::Has(std::string_view flag) const { return flags_.find(flag) != flags_.end(); }

std::string Args::Get(std::string_view flag) const {
  const auto it = flags_.find(flag);
  return it == flags_.end() ? "" : it->second.back();
}

std::vector<std::string> Args::All(std::string_view flag) const {
  const auto it = flags_.find(flag);
  return it == flags_.end() ? std::vector<std::string>{} : it->second;
}

absl::StatusOr<absl::Duration> Args::Duration(std::string_view flag,
                                              absl::Duration fallback) const {
  if (!Has(flag)) return fallback;
  absl::Duration parsed;
  const std::string text = Get(flag);
  if (!absl::ParseDuration(ToAbsl(text), &parsed) || parsed < absl::ZeroDuration()) {
    return InvalidArgument(
        StrCat("--", flag, " is \"", text, "\"; expected a duration like 30s or 2m"));
  }
  return parsed;
}

absl::StatusOr<Args> ParseArgs(const std::vector<FlagSpec>& flags,
                               const std::vector<std::string>& args, bool passes_on) {
  Args parsed;
  bool only_positional = false;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (only_positional || arg == "-" || arg.empty() || arg[0] != '-') {
      parsed.positional_.push_back(arg);
      only_positional = only_positional || passes_on;
      continue;
    }
    if (arg == "--") {
      only_positional = true;
      continue;
    }
    const bool is_long = arg.size() > 2 && arg[1] == '-';
    const size_t equals = is_long ? arg.find('=') : std::string::npos;
    const std::string name = is_long ? arg.substr(2, equals - 2) : arg.substr(1, 1);
    const auto spec = std::find_if(flags.begin(), flags.end(), [&](const FlagSpec& flag) {
      return is_long ? flag.name == name : flag.short_name == name[0];
    });
    if (spec == flags.end()) {
      return UnknownFlag(flags, is_long ? StrCat("--", name) : StrCat("-", name));
    }
    std::string value;
    bool has_value = false;
    if (equals != std::string::npos) {
      value = arg.substr(equals + 1);
      has_value = true;
    } else if (!is_long && arg.size() > 2) {
      value = arg.substr(2);  // -ojson
      has_value = true;
    }
    if (spec->value.empty()) {
      if (has_value) return InvalidArgument(StrCat("--", spec->name, " takes no value"));
    } else if (!has_value) {
      if (i + 1 == args.size()) {
        return InvalidArgument(StrCat("--", spec->name, " needs a value: ", spec->value));
      }
      value = args[++i];
    }
    std::vector<std::string>& values = parsed.flags_[spec->name];
    if (!values.empty() && !spec->repeated && !spec->value.empty()) {
      return InvalidArgument(StrCat("--", spec->name, " is given twice"));
    }
    values.push_back(value);
  }
  return parsed;
}

}  // namespace sealane::cli

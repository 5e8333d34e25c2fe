#include "lib/runtime/flags.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

std::string EnvironmentName(std::string_view flag) {
  std::string name = "SEALANE_";
  for (const char c : flag) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

absl::Status CheckValue(const Flag& flag, std::string_view value) {
  if (!flag.is_bool || value == "true" || value == "false") return absl::OkStatus();
  return InvalidArgument(StrCat("--", flag.name, ": must be true or false, not \"", value, "\""));
}

}  // namespace

const std::string& Flags::Get(std::string_view name) const {
  static const std::string none;
  for (const auto& [known, value] : values_) {
    if (known == name) return value;
  }
  return none;
}

bool Flags::GetBool(std::string_view name) const { return Get(name) == "true"; }

absl::StatusOr<int64_t> Flags::GetInt(std::string_view name, int64_t min, int64_t max) const {
  const std::string& text = Get(name);
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < min || value > max) {
    return InvalidArgument(
        StrCat("--", name, ": must be a number from ", min, " to ", max, ", not \"", text, "\""));
  }
  return value;
}

absl::StatusOr<absl::Duration> Flags::GetDuration(std::string_view name) const {
  const std::string& text = Get(name);
  absl::Duration value;
  if (!absl::ParseDuration(text, &value) || value < absl::ZeroDuration()) {
    return InvalidArgument(
        StrCat("--", name, ": must be a duration such as 500ms, 10s or 2m, not \"", text, "\""));
  }
  return value;
}

absl::StatusOr<Flags> ParseFlags(const std::vector<Flag>& known,
                                 const std::vector<std::string>& args) {
  Flags flags;
  for (const Flag& flag : known) {
    std::string value = flag.is_bool && flag.default_value.empty() ? "false" : flag.default_value;
    const std::string variable = EnvironmentName(flag.name);
    if (const char* text = std::getenv(variable.c_str()); text != nullptr) {
      value = text;
      SEALANE_RETURN_IF_ERROR(
          Annotate(CheckValue(flag, value), StrCat("environment variable ", variable)));
    }
    flags.values_.emplace_back(flag.name, std::move(value));
  }
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string_view arg = args[i];
    if (!arg.starts_with("--") || arg.size() == 2) {
      return InvalidArgument(StrCat("unexpected argument \"", arg, "\""));
    }
    const size_t equals = arg.find('=');
    const std::string_view name = arg.substr(2, equals == arg.npos ? arg.npos : equals - 2);
    const auto flag = std::find_if(known.begin(), known.end(),
                                   [&](const Flag& candidate) { return candidate.name == name; });
    if (flag == known.end()) return InvalidArgument(StrCat("unknown flag --", name));
    std::string value;
    if (equals != arg.npos) {
      value = std::string(arg.substr(equals + 1));
    } else if (flag->is_bool) {
      value = "true";
    } else if (i + 1 < args.size()) {
      value = args[++i];
    } else {
      return InvalidArgument(StrCat("--", name, ": needs a value"));
    }
    SEALANE_RETURN_IF_ERROR(CheckValue(*flag, value));
    flags.values_[static_cast<size_t>(flag - known.begin())].second = std::move(value);
  }
  return flags;
}

std::string DescribeFlags(const std::vector<Flag>& known) {
  std::string text;
  for (const Flag& flag : known) {
    text += StrCat("  --", flag.name, flag.is_bool ? "" : " VALUE", "\n      ", flag.help);
    if (!flag.is_bool && !flag.default_value.empty()) {
      text += StrCat(" (default: ", flag.default_value, ")");
    }
    text += "\n";
  }
  return text;
}

}  // namespace sealane

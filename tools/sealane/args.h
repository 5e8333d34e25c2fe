#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane::cli {

// A flag of a command: --name VALUE, --name=VALUE, -s VALUE; a bool takes no value.
struct FlagSpec {
  std::string name;
  char short_name = 0;  // 0: none
  std::string value;    // what the value is, for help: "FILE"; empty: a bool
  std::string help;
  bool repeated = false;
};

// A parsed command line.
class Args {
 public:
  [[nodiscard]] const std::vector<std::string>& positional() const { return positional_; }
  [[nodiscard]] bool Has(std::string_view flag) const;
  // The (last) value, or "".
  [[nodiscard]] std::string Get(std::string_view flag) const;
  [[nodiscard]] std::vector<std::string> All(std::string_view flag) const;
  // "30s", "2m"; INVALID_ARGUMENT names the flag.
  [[nodiscard]] absl::StatusOr<absl::Duration> Duration(std::string_view flag,
                                                        absl::Duration fallback) const;

 private:
  friend absl::StatusOr<Args> ParseArgs(const std::vector<FlagSpec>& flags,
                                        const std::vector<std::string>& args, bool passes_on);
  std::vector<std::string> positional_;
  std::map<std::string, std::vector<std::string>, std::less<>> flags_;
};

// INVALID_ARGUMENT names an unknown flag (and what is near it), a missing value or one too many.
// After "--" everything is positional; so is a lone "-". `passes_on`: so is everything from the
// first positional argument on.
[[nodiscard]] absl::StatusOr<Args> ParseArgs(const std::vector<FlagSpec>& flags,
                                             const std::vector<std::string>& args,
                                             bool passes_on = false);

// The candidate nearest to `word` by edit distance, or "" when none is near: "did you mean".
[[nodiscard]] std::string Nearest(std::string_view word,
                                  const std::vector<std::string>& candidates);

}  // namespace sealane::cli

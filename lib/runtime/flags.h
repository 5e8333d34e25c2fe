#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane {

// One command-line flag of a service: --name=VALUE or --name VALUE (bool: --name, --name=false).
struct Flag {
  std::string name;
  std::string help;
  std::string default_value;
  bool is_bool = false;
};

// Parsed flags. Every flag may also come from the environment: SEALANE_<NAME IN UPPER CASE, - as
// _>; the command line wins.
class Flags {
 public:
  // "" for a name that is not a flag.
  [[nodiscard]] const std::string& Get(std::string_view name) const;
  [[nodiscard]] bool GetBool(std::string_view name) const;
  // INVALID_ARGUMENT naming the flag when the text is not a number in range.
  [[nodiscard]] absl::StatusOr<int64_t> GetInt(std::string_view name, int64_t min,
                                               int64_t max) const;
  // "1.5s", "200ms", "1m"; INVALID_ARGUMENT naming the flag otherwise, or when it is negative.
  [[nodiscard]] absl::StatusOr<absl::Duration> GetDuration(std::string_view name) const;

 private:
  friend absl::StatusOr<Flags> ParseFlags(const std::vector<Flag>& known,
                                          const std::vector<std::string>& args);
  std::vector<std::pair<std::string, std::string>> values_;
};

// `args` without the program's name. INVALID_ARGUMENT names the unknown or malformed flag.
[[nodiscard]] absl::StatusOr<Flags> ParseFlags(const std::vector<Flag>& known,
                                               const std::vector<std::string>& args);

// The text of --help: one paragraph per flag.
[[nodiscard]] std::string DescribeFlags(const std::vector<Flag>& known);

}  // namespace sealane

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// Cuts a watch's body, which arrives in pieces of any size, into its lines.
class LineBuffer {
 public:
  explicit LineBuffer(size_t max_line = 64 << 20) : max_line_(max_line) {}
  // Calls `on_line` for each line that `chunk` completes, empty ones left out. False when a line is
  // longer than allowed; the buffer is then unusable. `on_line` returning false stops at once.
  bool Append(std::string_view chunk, const std::function<bool(std::string_view line)>& on_line);
  [[nodiscard]] std::string_view rest() const { return partial_; }

 private:
  size_t max_line_;
  std::string partial_;
};

enum class WatchVerdict {
  kPut,       // ADDED or MODIFIED: `object`
  kDelete,    // DELETED: `object` as it was last
  kBookmark,  // only `resource_version`
  kExpired,   // 410: the version is too old, list again
  kError,     // `status`
};

// One line of a watch. `object` points into `event`.
struct WatchLine {
  WatchVerdict verdict = WatchVerdict::kError;
  const Json* object = nullptr;
  std::string resource_version;
  absl::Status status;
};
[[nodiscard]] WatchLine InterpretWatchEvent(const Json& event);

}  // namespace sealane::kube

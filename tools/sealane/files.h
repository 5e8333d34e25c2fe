#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sealane::cli {

// The whole file. Errors name the path and the reason the system gave.
[[nodiscard]] absl::StatusOr<std::string> ReadFile(const std::string& path);

// Makes the directory and those above it, and closes it to everyone but the owner.
[[nodiscard]] absl::Status MakeDirectory(const std::string& path);

// Writes the file so that a reader sees the old or the new content, never a part; `mode` as for
// chmod.
[[nodiscard]] absl::Status WriteFile(const std::string& path, std::string_view content,
                                     unsigned mode);

// Keeps a directory to one command at a time, also across processes, from Take until it is
// destroyed or the process ends: what is read there, changed and told to a server is one step.
class DirectoryLock {
 public:
  // Waits for whoever holds it, after telling so by `on_wait`. NOT_FOUND: there is no directory.
  [[nodiscard]] static absl::StatusOr<DirectoryLock> Take(const std::string& directory,
                                                          const std::function<void()>& on_wait);
  DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace sealane::cli

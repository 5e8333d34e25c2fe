#include "tools/sealane/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::cli {
namespace {

absl::Status SystemError(const std::string& path, int error) {
  const std::string message = StrCat(path, ": ", std::strerror(error));
  return error == ENOENT ? NotFound(message) : FailedPrecondition(message);
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError(path, errno);
  std::string content;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count < 0) {
      const int error = errno;
      close(fd);
      return SystemError(path, error);
    }
    if (count == 0) break;
    content.append(buffer, static_cast<size_t>(count));
  }
  close(fd);
  return content;
}

absl::Status MakeDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  if (error) return FailedPrecondition(StrCat(path, ": ", error.message()));
  return absl::OkStatus();
}

absl::StatusOr<DirectoryLock> DirectoryLock::Take(const std::string& directory,
                                                  const std::function<void()>& on_wait) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError(directory, errno);
  DirectoryLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  on_wait();
  while (flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) return SystemError(directory, errno);
  }
  return lock;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) close(fd_);
}

absl::Status WriteFile(const std::string& path, std::string_view content, unsigned mode) {
  const std::string temporary = path + ".new";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) return SystemError(temporary, errno);
  while (!content.empty()) {
    const ssize_t count = write(fd, content.data(), content.size());
    if (count < 0) {
      const int error = errno;
      close(fd);
      return SystemError(temporary, error);
    }
    content.remove_prefix(static_cast<size_t>(count));
  }
  if (fchmod(fd, mode) != 0 || fsync(fd) != 0) {
    const int error = errno;
    close(fd);
    return SystemError(temporary, error);
  }
  close(fd);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return SystemError(path, errno);
  return absl::OkStatus();
}

}  // namespace sealane::cli

#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane {

// What a finished program left.
struct ProcessResult {
  int exit_code = -1;  // 128 + signal when it was killed
  std::string output;  // stdout and stderr, interleaved
};

// Runs a program to its end. Fails only when it cannot be started or exceeds `timeout`.
absl::StatusOr<ProcessResult> RunProcess(const std::vector<std::string>& argv,
                                         absl::Duration timeout = absl::Seconds(60),
                                         const std::string& input = "",
                                         const std::map<std::string, std::string>& env = {});

// A program running beside the test. It is killed (SIGKILL) and reaped when the object goes.
class Subprocess {
 public:
  // Output goes to `log_path` (appended); "" means /dev/null.
  static absl::StatusOr<Subprocess> Start(const std::vector<std::string>& argv,
                                          const std::string& log_path,
                                          const std::map<std::string, std::string>& env = {});
  Subprocess(Subprocess&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }
  Subprocess& operator=(Subprocess&& other) noexcept;
  ~Subprocess() { Kill(9); }

  // Sends a signal and, for SIGTERM, SIGINT and SIGKILL, waits for the end. Returns the exit code.
  int Kill(int signal);
  // Sends a signal (SIGSTOP, SIGCONT, SIGHUP). Waits for SIGSTOP only, until all of it stands.
  void Signal(int signal) const;
  [[nodiscard]] bool Running();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  explicit Subprocess(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
};

// A directory that is removed with everything in it when the object goes.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A TCP port of 127.0.0.1 that was free a moment ago.
int FreePort();

}  // namespace sealane

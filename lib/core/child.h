#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

// What a program left behind.
struct ChildResult {
  // It ran to its end: OK. Else UNAVAILABLE (it could not be started), DEADLINE_EXCEEDED,
  // RESOURCE_EXHAUSTED (it wrote too much).
  absl::Status status;
  int exit_code = -1;  // 128 + signal when it was killed
  std::string output;
  std::string errors;
};

struct ChildOptions {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;
  bool inherits = false;  // this process' environment too, under the one above
  std::string input_file = "/dev/null";
  absl::Duration timeout;
  size_t max_output = 64 << 20;  // bytes
};

// One program in a process group of its own, with none of this process' files open; all of the
// group is killed when the program ends, when its time is up and when this object goes. `done` is
// called once, never inside the constructor, and may destroy this object. Thread rule: the executor
// thread only.
class Child {
 public:
  using Done = std::function<void(ChildResult)>;
  Child(Env env, ChildOptions options, Done done);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  void Start();
  void Poll();
  void Read(int index, size_t limit);
  void Kill();
  void Finish(absl::Status status);

  Env env_;
  ChildOptions options_;
  Done done_;
  pid_t pid_ = -1;
  int fds_[2] = {-1, -1};
  bool too_much_ = false;
  absl::Duration started_;
  ChildResult result_;
  ScopedExecutor executor_;
};

}  // namespace sealane

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/kube/git_source.h"
#include "services/source/tree.h"

namespace sealane::source {

// What a branch's head holds below a path.
struct GitTree {
  std::string commit;  // full hash
  std::vector<TreeFile> files;
  std::vector<v1::GitProblem> problems;  // not empty: `files` is empty, the tree cannot be used
};

// Reads repositories. Thread rule: the executor thread only; `done` exactly once, later, unless the
// reader is destroyed before.
class GitReader {
 public:
  virtual ~GitReader() = default;
  using Done = std::function<void(absl::StatusOr<GitTree>)>;
  // One read per name at a time. Errors: PERMISSION_DENIED (this service may not), NOT_FOUND
  // (branch or path), DEADLINE_EXCEEDED, UNAVAILABLE (everything else that git says).
  virtual void Read(const std::string& name, const kube::GitSourceSpec& spec, Done done) = 0;
  // Forgets what is kept of a source that is gone.
  virtual void Forget(const std::string& name) = 0;
};

struct GitOptions {
  std::string git = "git";
  std::string cache_dir;        // a bare repository per source; made when missing
  std::string credentials_dir;  // empty: there are none
  std::string local_dir;        // repositories on this machine must be below it; empty: none may be
  absl::Duration timeout = absl::Minutes(1);      // of one read
  uint64_t max_file_bytes = uint64_t{512} << 20;  // the largest file that git may write
  TreeLimits limits;
};

// Runs git as a child process that knows nothing of the machine's configuration: no hooks, no
// submodules, no links, no terminal, no redirects, no other transport than the address names.
[[nodiscard]] std::unique_ptr<GitReader> MakeGitReader(Env env, GitOptions options);

}  // namespace sealane::source

#include "services/source/git.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/strip.h"
#include "lib/core/child.h"
#include "lib/core/hash.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "services/source/git_access.h"

namespace sealane::source {
namespace {

namespace fs = std::filesystem;

constexpr char kHead[] = "refs/sealane/head";
// After so many new commits the cache is made anew: old commits are not kept for ever.
constexpr int kCommitsPerCache = 200;
constexpr size_t kToldOfErrors = 400;  // bytes

// What git says, in one line: its last words that are not empty.
std::string LastWords(const std::string& errors) {
  std::string_view text = ToStd(absl::StripAsciiWhitespace(ToAbsl(errors)));
  std::string out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    if (line.starts_with("hint:") || line.empty()) continue;
    if (out.size() > kToldOfErrors) break;
    out.append(out.empty() ? "" : "; ").append(line);
  }
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return out.empty() ? "git said nothing" : out.substr(0, kToldOfErrors);
}

class ProcessReader final : public GitReader {
 public:
  ProcessReader(Env env, GitOptions options)
      : env_(env), options_(std::move(options)), executor_(env.executor) {}

  void Read(const std::string& name, const kube::GitSourceSpec& spec, Done done) override;
  void Forget(const std::string& name) override {
    reads_.erase(name);
    commits_.erase(name);
    heads_.erase(name);
    std::error_code ignored;
    fs::remove_all(Directory(name), ignored);
  }

 private:
  struct Reading {
    std::string name;
    kube::GitSourceSpec spec;
    Done done;
    GitAccess access;
    std::string directory;
    absl::Duration started;
    std::unique_ptr<Child> child;
    GitTree tree;
    std::vector<TreeEntry> files;
  };
  using Next = std::function<void(Reading&, ChildResult)>;

  [[nodiscard]] std::string Directory(const std::string& name) const {
    return StrCat(options_.cache_dir, "/", EncodeToken(name), ".git");
  }
  void Run(Reading& reading, std::vector<std::string> arguments, Next next,
           const std::string& input_file = "/dev/null");
  void Finish(Reading& reading, absl::StatusOr<GitTree> result);
  void Init(Reading& reading);
  void Fetch(Reading& reading);
  void Fetched(Reading& reading, const ChildResult& result);
  void ListTree(Reading& reading);
  void Listed(Reading& reading, const ChildResult& result);
  void ReadFiles(Reading& reading);
  void Took(Reading& reading, const ChildResult& result);

  Env env_;
  GitOptions options_;
  std::map<std::string, std::unique_ptr<Reading>> reads_;
  std::map<std::string, int> commits_;  // fetched into each cache; absent: made anew
  std::map<std::string, std::string> heads_;
  ScopedExecutor executor_;
};

void ProcessReader::Read(const std::string& name, const kube::GitSourceSpec& spec, Done done) {
  auto reading = std::make_unique<Reading>();
  reading->name = name;
  reading->spec = spec;
  reading->done = std::move(done);
  reading->directory = Directory(name);
  reading->started = env_.clock.Monotonic();
  Reading& kept = *reading;
  reads_[name] = std::move(reading);
  executor_.Post([this, name, &kept] {
    const auto it = reads_.find(name);
    if (it == reads_.end() || it->second.get() != &kept) return;
    absl::StatusOr<GitAccess> access = FindAccess(options_, kept.spec);
    if (!access.ok()) return Finish(kept, access.status());
    kept.access = *std::move(access);
    Init(kept);
  });
}

void ProcessReader::Run(Reading& reading, std::vector<std::string> arguments, Next next,
                        const std::string& input_file) {
  ChildOptions child;
  // git's helpers inherit the bound.
  child.argv = {"prlimit", StrCat("--fsize=", options_.max_file_bytes), "--core=0", "--",
                options_.git};
  const std::vector<std::string> settings = {"core.hooksPath=/dev/null",
                                             "core.symlinks=false",
                                             "core.fsmonitor=false",
                                             "credential.helper=",
                                             "fetch.recurseSubmodules=false",
                                             "fetch.fsckObjects=true",
                                             "transfer.fsckObjects=true",
                                             "http.followRedirects=false",
                                             "http.lowSpeedLimit=100",
                                             "http.lowSpeedTime=30",
                                             "gc.auto=0",
                                             "maintenance.auto=false",
                                             "advice.detachedHead=false",
                                             "protocol.version=2"};
  for (const std::string& setting : settings) {
    child.argv.emplace_back("-c");
    child.argv.push_back(setting);
  }
  if (!reading.access.credential_helper.empty()) {
    child.argv.emplace_back("-c");
    child.argv.push_back(StrCat("credential.helper=", reading.access.credential_helper));
  }
  for (std::string& argument : arguments) child.argv.push_back(std::move(argument));
  child.environment = reading.access.environment;
  child.environment["PATH"] = "/usr/local/bin:/usr/bin:/bin";
  child.environment["HOME"] = "/nonexistent";
  child.environment["LC_ALL"] = "C";
  child.environment["GIT_CONFIG_NOSYSTEM"] = "1";
  child.environment["GIT_CONFIG_GLOBAL"] = "/dev/null";
  child.environment["GIT_TERMINAL_PROMPT"] = "0";
  child.environment["GIT_ASKPASS"] = "/bin/false";
  child.environment["SSH_ASKPASS"] = "/bin/false";
  child.environment["GIT_ALLOW_PROTOCOL"] = reading.access.protocols;
  child.environment["GIT_NO_LAZY_FETCH"] = "1";
  child.environment["GIT_CEILING_DIRECTORIES"] = options_.cache_dir;
  child.input_file = input_file;
  child.timeout = options_.timeout - (env_.clock.Monotonic() - reading.started);
  child.max_output = options_.limits.bytes + (8 << 20);
  reading.child = std::make_unique<Child>(
      env_, std::move(child), [this, name = reading.name, next = std::move(next)](ChildResult r) {
        const auto it = reads_.find(name);
        if (it == reads_.end()) return;
        Reading& reading = *it->second;
        // The child is done with; it must outlive its own callback.
        std::shared_ptr<Child> ended = std::move(reading.child);
        executor_.Post([ended] {});
        if (!r.status.ok()) {
          commits_.erase(name);
          return Finish(reading, Annotate(r.status, "git"));
        }
        next(reading, std::move(r));
      });
}

void ProcessReader::Finish(Reading& reading, absl::StatusOr<GitTree> result) {
  const Done done = std::move(reading.done);
  reads_.erase(reading.name);  // `reading` is gone
  done(std::move(result));
}

void ProcessReader::Init(Reading& reading) {
  std::error_code error;
  fs::create_directories(options_.cache_dir, error);
  // A cache that an earlier process or a git that was stopped left may be locked or half written.
  const auto [commits, is_new] = commits_.try_emplace(reading.name, 0);
  if (is_new || commits->second >= kCommitsPerCache) {
    fs::remove_all(reading.directory, error);
    commits->second = 0;
  }
  if (fs::exists(fs::path(reading.directory) / "HEAD", error)) return Fetch(reading);
  Run(reading, {"init", "--quiet", "--bare", "--template=", reading.directory},
      [this](Reading& r, const ChildResult& result) {
        if (result.exit_code != 0) {
          return Finish(r, Unavailable(StrCat("git init: ", LastWords(result.errors))));
        }
        Fetch(r);
      });
}

void ProcessReader::Fetch(Reading& reading) {
  Run(reading,
      {"-C", reading.directory, "fetch", "--quiet", "--depth=1", "--no-tags", "--force",
       "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance", "--",
       reading.spec.url, StrCat("+refs/heads/", reading.spec.branch, ":", kHead)},
      [this](Reading& r, const ChildResult& result) { Fetched(r, result); });
}

void ProcessReader::Fetched(Reading& reading, const ChildResult& result) {
  if (result.exit_code != 0) {
    const std::string words = LastWords(result.errors);
    if (words.find("couldn't find remote ref") != std::string::npos) {
      return Finish(reading, NotFound(StrCat("the repository has no branch ", reading.spec.branch,
                                             "; nothing is removed")));
    }
    return Finish(reading, Unavailable(StrCat("git fetch: ", words)));
  }
  Run(reading,
      {"-C", reading.directory, "rev-parse", "--verify", "--quiet", StrCat(kHead, "^{commit}")},
      [this](Reading& r, const ChildResult& parsed) {
        r.tree.commit = std::string(absl::StripAsciiWhitespace(parsed.output));
        if (parsed.exit_code != 0 || r.tree.commit.size() < 40) {
          return Finish(r, Unavailable("git rev-parse: the branch's head is no commit"));
        }
        if (std::string& head = heads_[r.name]; head != r.tree.commit) {
          head = r.tree.commit;
          ++commits_[r.name];
        }
        ListTree(r);
      });
}

void ProcessReader::ListTree(Reading& reading) {
  Run(reading,
      {"-C", reading.directory, "ls-tree", "-r", "-z", "--long", "--full-tree",
       StrCat(reading.tree.commit, ":", reading.spec.path)},
      [this](Reading& r, const ChildResult& result) { Listed(r, result); });
}

void ProcessReader::Listed(Reading& reading, const ChildResult& result) {
  if (result.exit_code != 0) {
    reading.tree.problems.push_back(MakeProblem("", "NotFound",
                                                StrCat("there is no directory ", reading.spec.path,
                                                       " in this commit; nothing is removed")));
    return Finish(reading, std::move(reading.tree));
  }
  Selection selection =
      SelectFiles(ParseTree(result.output, reading.spec.path), options_.limits, reading.spec.path);
  if (!selection.problems.empty()) {
    reading.tree.problems = std::move(selection.problems);
    return Finish(reading, std::move(reading.tree));
  }
  reading.files = std::move(selection.files);
  ReadFiles(reading);
}

void ProcessReader::ReadFiles(Reading& reading) {
  if (reading.files.empty()) return Finish(reading, std::move(reading.tree));
  const std::string list = StrCat(reading.directory, "/sealane-files");
  {
    std::ofstream out(list, std::ios::trunc);
    for (const TreeEntry& entry : reading.files) out << entry.hash << "\n";
    if (!out.flush()) return Finish(reading, Unavailable("the cache directory cannot be written"));
  }
  Run(
      reading, {"-C", reading.directory, "cat-file", "--batch", "--buffer"},
      [this](Reading& r, const ChildResult& result) { Took(r, result); }, list);
}

// For each file: "<hash> blob <size>\n<contents>\n".
void ProcessReader::Took(Reading& reading, const ChildResult& result) {
  std::string_view rest = result.output;
  for (const TreeEntry& entry : reading.files) {
    const size_t line_end = rest.find('\n');
    const std::string_view line = rest.substr(0, line_end);
    const size_t blank = line.rfind(' ');
    size_t size = 0;
    const bool read =
        line_end != rest.npos && line.starts_with(entry.hash) && blank != line.npos &&
        std::from_chars(line.data() + blank + 1, line.data() + line.size(), size).ec ==
            std::errc() &&
        rest.size() >= line_end + 1 + size + 1;
    if (!read || result.exit_code != 0) {
      return Finish(reading, Unavailable(StrCat("git cat-file: ", entry.path, ": ",
                                                LastWords(result.errors))));
    }
    reading.tree.files.push_back({entry.path, std::string(rest.substr(line_end + 1, size))});
    rest.remove_prefix(line_end + 1 + size + 1);
  }
  Finish(reading, std::move(reading.tree));
}

}  // namespace

std::unique_ptr<GitReader> MakeGitReader(Env env, GitOptions options) {
  return std::make_unique<ProcessReader>(env, std::move(options));
}

}  // namespace sealane::source

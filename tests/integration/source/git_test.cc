// The reader of repositories with the real git.

#include "services/source/git.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/event_loop.h"
#include "lib/core/mutex.h"
#include "lib/core/strings.h"
#include "services/source/git_access.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"

namespace sealane::source {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class GitTest : public ::testing::Test {
 protected:
  GitTest() {
    fs::create_directories(Path("repositories"));
    fs::create_directories(Path("credentials/team"));
    options_.cache_dir = Path("cache");
    options_.local_dir = Path("repositories");
    options_.credentials_dir = Path("credentials");
    options_.timeout = absl::Seconds(30);
    spec_.url = Path("repositories/work");
    fs::create_directories(spec_.url);
    Git({"init", "--quiet", "--initial-branch=main"});
    loop_.Start();
  }
  ~GitTest() override {
    Notification gone;
    loop_.Post([&] {
      reader_.reset();
      gone.Notify();
    });
    gone.Wait();
    loop_.Stop();
  }

  std::string Path(std::string_view name) const { return StrCat(directory_.path(), "/", name); }
  std::string Git(std::vector<std::string> arguments) {
    std::vector<std::string> argv = {"git",         "-C", Path("repositories/work"), "-c",
                                     "user.name=a", "-c", "user.email=a@example.com"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const auto result =
        RunProcess(argv, absl::Seconds(30), "",
                   {{"GIT_CONFIG_GLOBAL", "/dev/null"}, {"GIT_CONFIG_NOSYSTEM", "1"}});
    EXPECT_OK(result);
    EXPECT_EQ(result->exit_code, 0) << result->output;
    return result->output.substr(0, result->output.find('\n'));
  }
  void Write(const std::string& path, std::string_view text) {
    const fs::path file = fs::path(Path("repositories/work")) / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  std::string Commit() {
    Git({"add", "--all"});
    Git({"commit", "--quiet", "--allow-empty", "-m", "x"});
    return Git({"rev-parse", "HEAD"});
  }
  absl::StatusOr<GitTree> Read() {
    absl::StatusOr<GitTree> result = absl::UnknownError("not answered");
    Notification done;
    loop_.Post([&] {
      if (reader_ == nullptr) reader_ = MakeGitReader(loop_.env(), options_);
      reader_->Read("shop", spec_, [&](absl::StatusOr<GitTree> tree) {
        result = std::move(tree);
        done.Notify();
      });
    });
    EXPECT_TRUE(done.WaitWithTimeout(absl::Seconds(60)));
    return result;
  }
  static std::vector<std::string> Files(const absl::StatusOr<GitTree>& tree) {
    std::vector<std::string> out;
    if (!tree.ok()) return {std::string(tree.status().message())};
    for (const v1::GitProblem& problem : tree->problems) out.push_back(Describe(problem));
    for (const TreeFile& file : tree->files) out.push_back(StrCat(file.path, "=", file.text));
    return out;
  }

  TempDir directory_;
  GitOptions options_;
  kube::GitSourceSpec spec_;
  EventLoop loop_;
  std::unique_ptr<GitReader> reader_;  // of the loop's thread
};

TEST_F(GitTest, ReadsTheHeadOfTheBranchAlsoWhenItIsRewritten) {
  Write("deploy/a.yaml", "one\n");
  Write("deploy/deep/b.yml", "");
  Write("other/c.yaml", "no");
  const std::string first = Commit();
  spec_.path = "deploy";
  absl::StatusOr<GitTree> tree = Read();
  ASSERT_OK(tree);
  EXPECT_EQ(tree->commit, first);
  EXPECT_THAT(Files(tree), ElementsAre("deploy/a.yaml=one\n", "deploy/deep/b.yml="));
  Write("deploy/a.yaml", "two");
  const std::string second = Commit();
  EXPECT_EQ(Read()->commit, second);
  Git({"reset", "--quiet", "--hard", first});
  tree = Read();
  EXPECT_EQ(tree->commit, first);
  EXPECT_THAT(Files(tree), SizeIs(2));
  Git({"commit", "--quiet", "--amend", "--allow-empty", "-m", "y"});
  EXPECT_EQ(Read()->commit, Git({"rev-parse", "HEAD"}));
  spec_.path = "";
  EXPECT_THAT(Files(Read()), SizeIs(3));
}

TEST_F(GitTest, BranchesAndPathsThatAreNotThereAreErrors) {
  Write("a.yaml", "one");
  Commit();
  spec_.branch = "release/1";
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no branch release/1")));
  Git({"branch", "release/1"});
  EXPECT_THAT(Files(Read()), ElementsAre("a.yaml=one"));
  spec_.path = "nowhere";
  EXPECT_THAT(Files(Read()), ElementsAre(HasSubstr("there is no directory nowhere")));
  spec_.path = "a.yaml";  // a file
  EXPECT_THAT(Files(Read()), ElementsAre(HasSubstr("there is no directory a.yaml")));
}

TEST_F(GitTest, LinksAreRefusedAndHooksNeverRun) {
  Write("a.yaml", "one");
  fs::create_symlink("/etc/hostname", Path("repositories/work/b.yaml"));
  Commit();
  EXPECT_THAT(Files(Read()), ElementsAre("b.yaml: is a symbolic link; links are not followed"));
  fs::remove(Path("repositories/work/b.yaml"));
  Commit();
  const std::string ran = Path("ran");
  for (const std::string& hooks :
       {Path("cache/shop.git/hooks"), Path("repositories/work/.git/hooks")}) {
    fs::create_directories(hooks);
    for (const char* name : {"reference-transaction", "post-checkout", "pre-auto-gc"}) {
      const std::string hook = StrCat(hooks, "/", name);
      std::ofstream(hook) << "#!/bin/sh\ntouch " << ran << "\n";
      chmod(hook.c_str(), 0755);
    }
  }
  EXPECT_THAT(Files(Read()), ElementsAre("a.yaml=one"));
  EXPECT_FALSE(fs::exists(ran));
}

TEST_F(GitTest, OnlyAllowedRepositoriesOfThisMachineAreRead) {
  Write("a.yaml", "one");
  Commit();
  const auto denied = [](std::string_view words) {
    return StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(std::string(words)));
  };
  spec_.url = Path("elsewhere");
  EXPECT_THAT(Read(), denied("is not below --local-dir"));
  spec_.url = Path("repositories/../credentials");
  EXPECT_THAT(Read(), denied("is not below --local-dir"));
  fs::create_symlink(Path("credentials"), Path("repositories/link"));
  spec_.url = Path("repositories/link");
  EXPECT_THAT(Read(), denied("is not below --local-dir"));
  spec_.url = StrCat("file://", Path("repositories/work"));
  EXPECT_THAT(Files(Read()), ElementsAre("a.yaml=one"));
}

TEST_F(GitTest, WithoutLocalDirNoneIs) {
  options_.local_dir.clear();
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("--local-dir")));
}

TEST_F(GitTest, CredentialsAreForTheirAddressesOnly) {
  const auto denied = [](std::string_view words) {
    return StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(std::string(words)));
  };
  spec_.url = "https://git.example.com.evil.example/a.git";
  spec_.credentials = "nobody";
  EXPECT_THAT(Read(), denied("no credentials named nobody"));
  spec_.credentials = "team";
  EXPECT_THAT(Read(), denied("are not for this address"));
  std::ofstream(Path("credentials/team/urls")) << "# ours\nhttps://git.example.com\n";
  EXPECT_THAT(Read(), denied("are not for this address"));
  spec_.url = "https://git.example.com/a.git";
  EXPECT_THAT(Read(), denied("no readable token"));
}

TEST_F(GitTest, ATokenGoesFromItsFileToGitAndIsNowhereElse) {
  std::ofstream(Path("credentials/team/urls")) << "https://git.example.com/team/\n";
  std::ofstream(Path("credentials/team/token")) << "s3cret\n";
  spec_.url = "https://git.example.com/team/a.git";
  spec_.credentials = "team";
  const absl::StatusOr<GitAccess> access = FindAccess(options_, spec_);
  ASSERT_OK(access);
  EXPECT_THAT(access->credential_helper, Not(HasSubstr("s3cret")));
  for (const auto& [name, value] : access->environment) {
    EXPECT_THAT(value, Not(HasSubstr("s3cret"))) << name;
  }
  const auto ask = [&] {
    const auto answer = RunProcess(
        {"git", "-c", "credential.helper=", "-c",
         StrCat("credential.helper=", access->credential_helper), "credential", "fill"},
        absl::Seconds(30), "protocol=https\nhost=git.example.com\n\n", access->environment);
    EXPECT_OK(answer);
    return answer.ok() ? answer->output : "";
  };
  EXPECT_THAT(ask(), HasSubstr("username=git\npassword=s3cret\n"));
  std::ofstream(Path("credentials/team/username")) << "robot\n";
  EXPECT_THAT(ask(), HasSubstr("username=robot\npassword=s3cret\n"));
}

TEST_F(GitTest, AServerThatSaysNothingIsLeft) {
  options_.timeout = absl::Seconds(1);
  // Something that listens and never answers.
  const int port = FreePort();
  const auto silent =
      Subprocess::Start({"python3", "-c",
                         StrCat("import socket, signal\ns = socket.socket()\ns.bind(('127.0.0.1', ",
                                port, "))\ns.listen()\nsignal.pause()\n")},
                        "");
  ASSERT_OK(silent);
  spec_.url = StrCat("git://127.0.0.1:", port, "/a.git");
  absl::StatusOr<GitTree> tree = absl::UnknownError("");
  const Deadline deadline(absl::Seconds(30));
  do {  // until it listens
    tree = Read();
  } while (absl::IsUnavailable(tree.status()) && deadline.Left() > absl::ZeroDuration());
  EXPECT_THAT(tree, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("it was stopped")));
}

TEST_F(GitTest, SizesAreBounded) {
  options_.limits.file_bytes = 1000;
  options_.max_file_bytes = 200'000;
  Write("a.yaml", std::string(1001, 'x'));
  Commit();
  EXPECT_THAT(Files(Read()), ElementsAre(HasSubstr("a.yaml: has 1001 bytes; at most 1000")));
  // What git itself would write is bounded, too; random bytes cannot be packed smaller.
  std::string noise;
  uint64_t state = 1;
  for (int i = 0; i < 400'000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    noise.push_back(static_cast<char>(state >> 56));
  }
  Write("a.yaml", "one");
  Write("noise.bin", noise);
  Commit();
  EXPECT_FALSE(Read().ok());
}

}  // namespace
}  // namespace sealane::source

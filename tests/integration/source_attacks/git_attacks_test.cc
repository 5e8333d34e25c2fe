// Real repositories, read with the real git: what a branch holds, and what a hostile repository or
// address must not reach.

#include "services/source/git.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/event_loop.h"
#include "lib/core/strings.h"
#include "services/source/git_access.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"

namespace sealane::source {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr absl::StatusCode kDenied = absl::StatusCode::kPermissionDenied;

class GitAttacksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(served_);
    options_.cache_dir = StrCat(dir_.path(), "/cache");
    options_.local_dir = served_;
    options_.timeout = absl::Seconds(60);
    spec_.url = StrCat("file://", repository_);
    Git({"init", "--quiet", "--initial-branch=main", repository_}, dir_.path());
    loop_.Start();
  }
  void TearDown() override {
    // Its children end on the loop's thread.
    OnLoop([this] { reader_.reset(); });
    loop_.Stop();
  }

  template <typename Fn>
  void OnLoop(Fn fn) {
    std::promise<void> done;
    loop_.Post([&] {
      fn();
      done.set_value();
    });
    done.get_future().wait();
  }

  // Runs git as people do, without their settings; its output.
  std::string Git(std::vector<std::string> arguments, const std::string& at = "") {
    std::vector<std::string> argv = {"git", "-C", at.empty() ? repository_ : at};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const auto done = RunProcess(argv, absl::Seconds(30), "",
                                 {{"GIT_CONFIG_GLOBAL", "/dev/null"},
                                  {"GIT_CONFIG_SYSTEM", "/dev/null"},
                                  {"GIT_AUTHOR_NAME", "amy"},
                                  {"GIT_AUTHOR_EMAIL", "amy@example.com"},
                                  {"GIT_COMMITTER_NAME", "amy"},
                                  {"GIT_COMMITTER_EMAIL", "amy@example.com"}});
    EXPECT_OK(done);
    EXPECT_EQ(done->exit_code, 0) << done->output;
    return done->output.substr(0, done->output.find('\n'));
  }
  void Write(const std::string& path, const std::string& text) {
    const fs::path file = fs::path(repository_) / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  // Commits everything; the commit.
  std::string Commit() {
    Git({"add", "--all"});
    Git({"commit", "--quiet", "--allow-empty", "--message=a change"});
    return Git({"rev-parse", "HEAD"});
  }

  absl::StatusOr<GitTree> Read(const std::string& name = "day") {
    std::promise<absl::StatusOr<GitTree>> result;
    loop_.Post([&] {
      if (reader_ == nullptr) reader_ = MakeGitReader(loop_.env(), options_);
      reader_->Read(name, spec_,
                    [&](absl::StatusOr<GitTree> tree) { result.set_value(std::move(tree)); });
    });
    return result.get_future().get();
  }
  // "path=text" of every file.
  static std::vector<std::string> Files(const absl::StatusOr<GitTree>& tree) {
    std::vector<std::string> out;
    if (!tree.ok()) return {std::string(tree.status().message())};
    for (const TreeFile& file : tree->files) out.push_back(StrCat(file.path, "=", file.text));
    return out;
  }
  static std::string Problems(const absl::StatusOr<GitTree>& tree) {
    if (!tree.ok()) return std::string(tree.status().message());
    std::string out;
    for (const v1::GitProblem& problem : tree->problems) out.append(Describe(problem)).append("\n");
    return out;
  }

  TempDir dir_;
  const std::string served_ = StrCat(dir_.path(), "/served");
  const std::string repository_ = StrCat(served_, "/fleet");
  GitOptions options_;
  kube::GitSourceSpec spec_;
  EventLoop loop_;
  std::unique_ptr<GitReader> reader_;
};

TEST_F(GitAttacksTest, ReadsTheManifestsBelowThePathInTheirOrder) {
  Write("fleet/b.yaml", "b");
  Write("fleet/a/z.json", "z");
  Write("fleet/a.yml", "");
  Write("fleet/README.md", "for people");
  Write("fleet/.hidden/x.yaml", "x");
  Write("elsewhere/c.yaml", "c");
  const std::string commit = Commit();
  spec_.path = "fleet";
  const auto tree = Read();
  EXPECT_THAT(Files(tree), ElementsAre("fleet/a.yml=", "fleet/a/z.json=z", "fleet/b.yaml=b"));
  ASSERT_OK(tree);
  EXPECT_EQ(tree->commit, commit);
  EXPECT_THAT(tree->problems, IsEmpty());
}

TEST_F(GitAttacksTest, ThePathItselfMayBeginWithADot) {
  Write(".deploy/a.yaml", "a");
  Commit();
  spec_.path = ".deploy";
  EXPECT_THAT(Files(Read()), ElementsAre(".deploy/a.yaml=a"));
}

TEST_F(GitAttacksTest, FollowsTheHeadWhereverItGoes) {
  Write("a.yaml", "1");
  const std::string first = Commit();
  EXPECT_THAT(Files(Read()), ElementsAre("a.yaml=1"));
  Write("a.yaml", "2");
  Commit();
  EXPECT_THAT(Files(Read()), ElementsAre("a.yaml=2"));
  Git({"reset", "--quiet", "--hard", first});  // back
  EXPECT_THAT(Files(Read()), ElementsAre("a.yaml=1"));
  Git({"checkout", "--quiet", "--orphan", "other"});  // a history that has nothing in common
  Write("a.yaml", "3");
  const std::string orphan = Commit();
  Git({"branch", "--force", "main", "other"});
  const auto tree = Read();
  EXPECT_THAT(Files(tree), ElementsAre("a.yaml=3"));
  ASSERT_OK(tree);
  EXPECT_EQ(tree->commit, orphan);
}

TEST_F(GitAttacksTest, WhatVanishedIsAnErrorAndNotAnEmptyTree) {
  Write("fleet/a.yaml", "a");
  Commit();
  spec_.path = "fleet";
  ASSERT_OK(Read());
  Git({"rm", "--quiet", "-r", "fleet"});
  Commit();
  EXPECT_THAT(Problems(Read()), HasSubstr("fleet"));
  Git({"branch", "--move", "main", "gone"});
  EXPECT_EQ(Read().status().code(), absl::StatusCode::kNotFound);
  fs::rename(repository_, repository_ + ".away");
  EXPECT_EQ(Read().status().code(), absl::StatusCode::kUnavailable);
  fs::rename(repository_ + ".away", repository_);
  Git({"branch", "--move", "gone", "main"});
  Git({"revert", "--no-edit", "HEAD"});
  EXPECT_THAT(Files(Read()), ElementsAre("fleet/a.yaml=a"));
}

TEST_F(GitAttacksTest, LinksLeadNowhere) {
  std::ofstream(StrCat(dir_.path(), "/secret.yaml")) << "secret";
  Write("fleet/a.yaml", "a");
  fs::create_symlink("../../../secret.yaml", StrCat(repository_, "/fleet/link.yaml"));
  fs::create_symlink("/", StrCat(repository_, "/root"));
  Commit();
  spec_.path = "fleet";
  auto tree = Read();
  EXPECT_THAT(Problems(tree), HasSubstr("fleet/link.yaml"));
  ASSERT_OK(tree);
  EXPECT_THAT(tree->files, IsEmpty());
  spec_.path = "root/etc";
  tree = Read();
  EXPECT_THAT(Problems(tree), HasSubstr("root/etc"));
  spec_.path = "fleet/a.yaml";  // a file is no directory
  EXPECT_THAT(Problems(Read()), HasSubstr("fleet/a.yaml"));
}

TEST_F(GitAttacksTest, SubmodulesAreNotFetched) {
  const std::string other = StrCat(served_, "/other");
  Git({"init", "--quiet", "--initial-branch=main", other});
  Git({"commit", "--quiet", "--allow-empty", "--message=other"}, other);
  Git({"-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other, "fleet/other"});
  Write("fleet/a.yaml", "a");
  Commit();
  spec_.path = "fleet";
  EXPECT_THAT(Problems(Read()), HasSubstr("fleet/other"));
}

TEST_F(GitAttacksTest, NothingThatTheRepositoryNamesIsRun) {
  Write("a.yaml", "a");
  Commit();
  const std::string mark = StrCat(dir_.path(), "/ran");
  const std::string script = StrCat(dir_.path(), "/script");
  std::ofstream(script) << "#!/bin/sh\ntouch " << mark << "\nexec \"$@\"\n";
  fs::permissions(script, fs::perms::owner_all);
  for (const char* key : {"uploadpack.packObjectsHook", "core.sshCommand", "core.gitProxy"}) {
    Git({"config", key, script});
  }
  for (const char* hook : {"post-checkout", "post-merge", "pre-auto-gc"}) {
    fs::copy_file(script, StrCat(repository_, "/.git/hooks/", hook),
                  fs::copy_options::overwrite_existing);
  }
  EXPECT_THAT(Files(Read()), ElementsAre("a.yaml=a"));
  EXPECT_FALSE(fs::exists(mark));
  // Nor what lies in the service's own copy.
  const std::string hooks = StrCat(options_.cache_dir, "/day.git/hooks");
  fs::create_directories(hooks);
  fs::copy_file(script, hooks + "/reference-transaction");
  Write("a.yaml", "b");
  Commit();
  EXPECT_THAT(Files(Read()), ElementsAre("a.yaml=b"));
  EXPECT_FALSE(fs::exists(mark));
}

TEST_F(GitAttacksTest, SizesAreBounded) {
  options_.limits.file_bytes = 1000;
  options_.limits.bytes = 1500;
  options_.limits.files = 3;
  Write("a.yaml", std::string(1001, 'a'));
  Commit();
  EXPECT_THAT(Problems(Read()), HasSubstr("a.yaml"));
  Write("a.yaml", std::string(900, 'a'));
  Write("b.yaml", std::string(900, 'b'));
  Commit();
  EXPECT_THAT(Problems(Read()), HasSubstr("1800 bytes"));
  for (const char* name : {"a", "b", "c", "d"}) Write(StrCat(name, ".yaml"), "x");
  Commit();
  EXPECT_THAT(Problems(Read()), HasSubstr("4 files"));
  Git({"rm", "--quiet", "d.yaml"});
  Write("picture.bin", std::string(100'000, 'p'));  // no manifest
  Commit();
  EXPECT_THAT(Files(Read()), ElementsAre("a.yaml=x", "b.yaml=x", "c.yaml=x"));
}

TEST_F(GitAttacksTest, AServerThatNeverAnswersIsGivenUp) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener, 4), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  options_.timeout = absl::Seconds(1);
  spec_.url = StrCat("git://127.0.0.1:", ntohs(address.sin_port), "/fleet");
  EXPECT_EQ(Read().status().code(), absl::StatusCode::kDeadlineExceeded);
  // Whoever was connected is gone: the connection ends without our doing.
  const int peer = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  ASSERT_GE(peer, 0);
  const timeval limit{10, 0};
  setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  char buffer[4096];
  ssize_t n = 0;
  while ((n = read(peer, buffer, sizeof(buffer))) > 0) {
  }
  EXPECT_TRUE(n == 0 || errno == ECONNRESET) << errno;
  close(peer);
  close(listener);
}

TEST_F(GitAttacksTest, OnlyWhatIsBelowTheLocalDirectoryIsRead) {
  Write("a.yaml", "a");
  Commit();
  const std::string outside = StrCat(dir_.path(), "/outside");
  fs::copy(repository_, outside, fs::copy_options::recursive);
  fs::create_directory_symlink(outside, StrCat(served_, "/link"));
  for (const std::string& url :
       {outside, StrCat("file://", outside), StrCat(served_, "/../outside"),
        StrCat("file://", served_, "/link"), StrCat(served_, "-not")}) {
    spec_.url = url;
    EXPECT_EQ(Read().status().code(), kDenied) << url;
  }
  spec_.url = repository_;
  EXPECT_THAT(Files(Read()), ElementsAre("a.yaml=a"));
}

TEST_F(GitAttacksTest, WithoutALocalDirectoryNothingLocalIsRead) {
  options_.local_dir = "";
  Commit();
  EXPECT_EQ(Read().status().code(), kDenied);
}

TEST_F(GitAttacksTest, CredentialsAreForTheirAddressesOnlyAndStayInTheirFiles) {
  options_.credentials_dir = StrCat(dir_.path(), "/credentials");
  const std::string team = StrCat(options_.credentials_dir, "/team");
  fs::create_directories(team);
  std::ofstream(team + "/urls") << "https://git.example/team/\n";
  std::ofstream(team + "/token") << "hunter2\n";
  spec_.credentials = "team";
  for (const char* url :
       {"https://git.example/other/fleet", "https://git.example.evil/team/fleet",
        "http://git.example/team/fleet", "https://git.example/team/../other/fleet",
        "https://git.example/team/%2e%2e/other/fleet", "https://git.example/team/.%2E/other/x"}) {
    spec_.url = url;
    // Whether the intake or the service refuses it.
    EXPECT_TRUE(!kube::UrlFault(url).empty() ||
                FindAccess(options_, spec_).status().code() == kDenied)
        << url;
  }
  spec_.url = "https://git.example/team/fleet.git";
  const auto access = FindAccess(options_, spec_);
  ASSERT_OK(access);
  EXPECT_EQ(access->protocols, "https");
  EXPECT_THAT(access->credential_helper, Not(HasSubstr("hunter2")));
  for (const auto& [key, value] : access->environment)
    EXPECT_THAT(value, Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace sealane::source

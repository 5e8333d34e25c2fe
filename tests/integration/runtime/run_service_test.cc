// The frame of every service, as a process: flags, endpoints, signals, a bus that comes
// and goes.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"

namespace sealane {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kProbe = SEALANE_BIN_DIR "/sealane-probe";

bool Eventually(const std::function<bool()>& holds) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!holds()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return true;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The whole answer, with its status line; "" when nobody answers.
std::string Get(const std::string& address, const std::string& path) {
  const size_t colon = address.find(':');
  if (colon == address.npos) return "";
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0) {
    const std::string request =
        StrCat("GET ", path, " HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n");
    if (write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      char buffer[4096];
      for (ssize_t n = 0; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
        answer.append(buffer, static_cast<size_t>(n));
      }
    }
  }
  close(fd);
  return answer;
}

class RunServiceTest : public ::testing::Test {
 protected:
  // A nats-server with JetStream on the port of this test.
  Subprocess StartServer() {
    auto server = Subprocess::Start({"nats-server", "-a", "127.0.0.1", "-p", StrCat(port_), "-js",
                                     "-sd", StrCat(dir_.path(), "/store")},
                                    StrCat(dir_.path(), "/nats.log"));
    EXPECT_OK(server);
    return *std::move(server);
  }
  Subprocess StartProbe(const std::string& name, std::vector<std::string> flags = {}) {
    std::vector<std::string> argv = {kProbe, StrCat("--bus-url=nats://127.0.0.1:", port_),
                                     StrCat("--listen-file=", AddressFile(name))};
    argv.insert(argv.end(), flags.begin(), flags.end());
    auto probe = Subprocess::Start(argv, Log(name));
    EXPECT_OK(probe);
    EXPECT_TRUE(Eventually([&] { return ReadFile(AddressFile(name)).ends_with("\n"); }))
        << ReadFile(Log(name));
    return *std::move(probe);
  }
  std::string AddressFile(const std::string& name) { return StrCat(dir_.path(), "/", name, ".at"); }
  std::string Log(const std::string& name) { return StrCat(dir_.path(), "/", name, ".log"); }
  std::string Ask(const std::string& name, const std::string& path) {
    return Get(ReadFile(AddressFile(name)), path);
  }
  bool Is(const std::string& name, const std::string& path, const std::string& part) {
    return Ask(name, path).find(part) != std::string::npos;
  }

  TempDir dir_;
  int port_ = FreePort();
};

ProcessResult RunProbe(const std::vector<std::string>& flags) {
  std::vector<std::string> argv = {kProbe};
  argv.insert(argv.end(), flags.begin(), flags.end());
  auto result = RunProcess(argv, absl::Seconds(30));
  EXPECT_OK(result);
  return result.ok() ? *result : ProcessResult{};
}

TEST_F(RunServiceTest, HelpAndVersion) {
  const ProcessResult help = RunProbe({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.output,
              AllOf(HasSubstr("Shows what every service has in common."), HasSubstr("--bus-url"),
                    HasSubstr("--listen"), HasSubstr("--fail"), HasSubstr("SEALANE_BUS_URL")));
  const ProcessResult version = RunProbe({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.output, StartsWith("sealane-probe "));
}

TEST_F(RunServiceTest, BadFlagsEndWithCode2AndNameTheFlag) {
  for (const auto& [flag, named] : std::vector<std::pair<std::string, std::string>>{
           {"--colour=red", "--colour"},
           {"--bus-replicas=many", "--bus-replicas"},
           {"--bus-url=http://x", "--bus-url"},
           {"--bus-password-file=/nonexistent", "--bus-password-file"},
           {"--bus-ca=/nonexistent", "--bus-ca"},
           {"--bus-cert=/dev/null", "--bus-key"},
           {"--listen=nonsense", "nonsense"},
           {"--fail=invalid", "--fail: was asked for"}}) {
    const ProcessResult result = RunProbe({flag});
    EXPECT_EQ(result.exit_code, 2) << flag << ": " << result.output;
    EXPECT_THAT(result.output, HasSubstr(named));
  }
}

TEST_F(RunServiceTest, WhatCannotStartEndsWithCode1AndSaysWhy) {
  const ProcessResult result = RunProbe({"--fail=unavailable"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output, HasSubstr("no luck today"));
}

TEST_F(RunServiceTest, AnUnreachableBusIsRetriedAndReadyzSaysSo) {
  Subprocess probe = StartProbe("probe");
  EXPECT_THAT(Ask("probe", "/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask("probe", "/readyz"),
              AllOf(StartsWith("HTTP/1.1 503"),
                    HasSubstr(StrCat("cannot be reached at nats://127.0.0.1:", port_))));
  EXPECT_THAT(Ask("probe", "/metrics"), HasSubstr("sealane_bus_connected 0\n"));
  const Subprocess server = StartServer();
  EXPECT_TRUE(Eventually([&] { return Is("probe", "/readyz", "HTTP/1.1 200"); }))
      << Ask("probe", "/readyz");
  EXPECT_THAT(Ask("probe", "/metrics"),
              AllOf(HasSubstr("sealane_bus_connected 1\n"), HasSubstr("sealane_build_info{"),
                    HasSubstr("sealane_probe_starts_total 1\n"),
                    HasSubstr("process_resident_memory_bytes ")));
}

TEST_F(RunServiceTest, TheServicesOwnReasonIsTold) {
  const Subprocess server = StartServer();
  Subprocess probe = StartProbe("probe", {"--ready=false"});
  EXPECT_TRUE(Eventually([&] { return Is("probe", "/readyz", "the probe was told not to be"); }))
      << Ask("probe", "/readyz");
}

TEST_F(RunServiceTest, SignalsEndItWithCode0) {
  const Subprocess server = StartServer();
  for (const int signal : {SIGTERM, SIGINT}) {
    const std::string name = StrCat("probe", signal);
    Subprocess probe = StartProbe(name);
    EXPECT_TRUE(Eventually([&] { return Is(name, "/readyz", "HTTP/1.1 200"); }));
    EXPECT_EQ(probe.Kill(signal), 0);
    EXPECT_THAT(ReadFile(Log(name)), HasSubstr("stopped"));
  }
  // Also while the bus cannot be reached.
  port_ = FreePort();
  Subprocess lonely = StartProbe("lonely");
  EXPECT_EQ(lonely.Kill(SIGTERM), 0);
}

TEST_F(RunServiceTest, FlagsComeFromTheEnvironment) {
  const auto result = RunProcess({kProbe}, absl::Seconds(30), "", {{"SEALANE_FAIL", "invalid"}});
  ASSERT_OK(result);
  EXPECT_EQ(result->exit_code, 2);
  EXPECT_THAT(result->output, HasSubstr("--fail: was asked for"));
}

}  // namespace
}  // namespace sealane

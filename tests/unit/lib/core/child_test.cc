#include "lib/core/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <utility>

#include "lib/core/event_loop.h"
#include "lib/core/mutex.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::HasSubstr;

class ChildTest : public ::testing::Test {
 protected:
  ChildTest() { loop_.Start(); }
  ~ChildTest() override { loop_.Stop(); }

  static ChildOptions Shell(std::string script) {
    ChildOptions options;
    options.argv = {"/bin/sh", "-c", std::move(script)};
    options.timeout = absl::Seconds(60);
    return options;
  }
  ChildResult Run(ChildOptions options) {
    ChildResult out;
    Notification done;
    std::unique_ptr<Child> child;
    loop_.Post([&] {
      child = std::make_unique<Child>(loop_.env(), std::move(options), [&](ChildResult result) {
        out = std::move(result);
        child.reset();  // as users do
        done.Notify();
      });
    });
    EXPECT_TRUE(done.WaitWithTimeout(absl::Seconds(90)));
    return out;
  }

  EventLoop loop_;
};

TEST_F(ChildTest, WhatItWritesAndHowItEnds) {
  ChildResult result = Run(Shell("echo out; echo err >&2; exit 3"));
  EXPECT_OK(result.status);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  result = Run(Shell("kill -TERM $$"));
  EXPECT_EQ(result.exit_code, 128 + SIGTERM);
  ChildOptions missing = Shell("");
  missing.argv[0] = "/no/such/program";
  result = Run(missing);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("/no/such/program"));
}

TEST_F(ChildTest, ItsEnvironmentIsWhatItIsGiven) {
  setenv("SEALANE_CHILD_TEST", "of the parent", 1);
  ChildOptions options = Shell("echo \"$SEALANE_CHILD_TEST/$GIVEN\"");
  options.environment["GIVEN"] = "given";
  EXPECT_EQ(Run(options).output, "/given\n");
  options.inherits = true;
  EXPECT_EQ(Run(options).output, "of the parent/given\n");
  // What is given counts more, and is there once.
  options = Shell("env | grep SEALANE_CHILD_TEST");
  options.environment["SEALANE_CHILD_TEST"] = "mine";
  options.inherits = true;
  EXPECT_EQ(Run(options).output, "SEALANE_CHILD_TEST=mine\n");
  unsetenv("SEALANE_CHILD_TEST");
}

TEST_F(ChildTest, WhoTakesTooLongOrWritesTooMuchIsStopped) {
  ChildOptions options = Shell("sleep 600");
  options.timeout = absl::Milliseconds(100);
  EXPECT_EQ(Run(options).status.code(), absl::StatusCode::kDeadlineExceeded);
  options = Shell("while :; do echo more and more; done");
  options.max_output = 100'000;
  const ChildResult result = Run(options);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LE(result.output.size(), 100'000);
}

TEST_F(ChildTest, WhatItLeavesBehindGoesWithIt) {
  const ChildResult result = Run(Shell("sleep 600 & echo $!"));
  EXPECT_OK(result.status);
  const pid_t left = std::atoi(result.output.c_str());
  ASSERT_GT(left, 0);
  // Whoever adopted it may take a moment to notice that it ended.
  const Deadline deadline(absl::Seconds(30));
  std::string state;
  while (deadline.Left() > absl::ZeroDuration()) {
    state = Run(Shell("cut -d' ' -f3 /proc/" + std::to_string(left) + "/stat 2>&1")).output;
    if (state != "S\n" && state != "R\n") break;
  }
  EXPECT_TRUE(state == "Z\n" || state.find("No such") != std::string::npos) << state;
}

}  // namespace
}  // namespace sealane

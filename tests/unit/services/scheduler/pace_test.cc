#include "services/scheduler/pace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"

namespace sealane::scheduler {
namespace {

using ::testing::ElementsAre;

class PaceTest : public ::testing::Test {
 protected:
  // Everything asks until it may; what left is kept in order.
  void Start(const std::string& source, const std::string& target, int64_t free_pods, int count,
             int64_t priority = 0) {
    for (int i = 0; i < count; ++i) {
      const std::string key = StrCat(source, "-", priority, "-", 1000 + i);
      asks_[key] = [=, this] {
        if (pace_.MayLeave(key, priority, source, {{target, free_pods}})) left_.push_back(key);
      };
      asks_[key]();
    }
  }
  int64_t LeftFrom(const std::string& source) const {
    return std::count_if(left_.begin(), left_.end(),
                         [&](const std::string& key) { return key.starts_with(source + "-"); });
  }

  SimExecutor sim_{3};
  std::map<std::string, std::function<void()>> asks_;
  std::vector<std::string> left_;
  PaceOptions options_{.leave_per_second = 20, .fill = absl::Seconds(60), .take_per_second = 5};
  Pace pace_{sim_.env(), options_, [this](const std::string& key) { asks_.at(key)(); }};
};

TEST_F(PaceTest, EachSourceHasItsOwn) {
  Start("a", "c", 1'000'000, 100);
  Start("b", "c", 1'000'000, 30);
  EXPECT_EQ(LeftFrom("a"), 20) << "one second at once";
  EXPECT_EQ(LeftFrom("b"), 20) << "b does not wait for a";
  sim_.RunFor(absl::Milliseconds(1050));
  EXPECT_NEAR(static_cast<double>(LeftFrom("a")), 40, 2);
  EXPECT_EQ(LeftFrom("b"), 30);
  sim_.RunFor(absl::Seconds(4));
  EXPECT_EQ(LeftFrom("a"), 100);
  EXPECT_EQ(pace_.waiting(), 0u);
}

TEST_F(PaceTest, AClusterTakesWhatItsRoomAllows) {
  Start("a", "small", 60, 40);   // one pod per second, so the least: 5
  Start("b", "large", 600, 40);  // ten pods per second
  sim_.RunFor(absl::Milliseconds(2050));
  EXPECT_NEAR(static_cast<double>(LeftFrom("a")), 15, 2);
  EXPECT_NEAR(static_cast<double>(LeftFrom("b")), 30, 2);
  sim_.RunFor(absl::Seconds(10));
  EXPECT_EQ(left_.size(), 80u);
}

TEST_F(PaceTest, HighPrioritiesGoFirst) {
  Start("a", "c", 1'000'000, 20);
  left_.clear();
  Start("a", "c", 1'000'000, 1, 1);
  Start("a", "c", 1'000'000, 1, 7);
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(left_, ElementsAre("a-7-1000", "a-1-1000"));
}

}  // namespace
}  // namespace sealane::scheduler

#include "tools/sealane/kubectl.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/sealane/args.h"

namespace sealane::cli {
namespace {

using ::testing::ElementsAre;

TEST(KubectlTest, TheServerIsTheMemberBehindTheGateway) {
  EXPECT_THAT(KubectlArguments("https://gw:6443/", "a", {"get", "pods", "-o", "wide"}),
              ElementsAre("kubectl", "--server=https://gw:6443/clusters/a/proxy", "get", "pods",
                          "-o", "wide"));
  EXPECT_THAT(KubectlArguments("https://gw/base", "-", {"version"}),
              ElementsAre("kubectl", "--server=https://gw/base/clusters/-/proxy", "version"));
}

TEST(KubectlTest, ItsOwnFlagsSayWhereTheServerIs) {
  KubectlPlace place = PlaceOf({"get", "pods", "--kubeconfig", "file", "--context=there"});
  EXPECT_EQ(place.kubeconfig, "file");
  EXPECT_EQ(place.context, "there");
  // What follows -- is a container's.
  place = PlaceOf({"exec", "web", "--", "x", "--context=there", "--kubeconfig"});
  EXPECT_EQ(place.kubeconfig, "");
  EXPECT_EQ(place.context, "");
}

TEST(KubectlTest, FlagsOfKubectlAreNotTakenForOurs) {
  const auto args = ParseArgs({{"cluster", 'c', "NAME", ""}},
                              {"--cluster", "a", "get", "pods", "-c", "x", "--watch"}, true);
  ASSERT_TRUE(args.ok()) << args.status();
  EXPECT_EQ(args->Get("cluster"), "a");
  EXPECT_THAT(args->positional(), ElementsAre("get", "pods", "-c", "x", "--watch"));
}

}  // namespace
}  // namespace sealane::cli

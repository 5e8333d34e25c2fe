#include "lib/accounts/server_config.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ServerConfigTest, RefusesWhatCannotWork) {
  ServerConfigOptions good;
  good.store_dir = "/var/lib/x";
  good.hub_password = "p";
  good.clusters = {{"a", "p"}};
  EXPECT_OK(MakeServerConfig(good));
  const auto refused = [&](const std::function<void(ServerConfigOptions&)>& change,
                           const std::string& field) {
    ServerConfigOptions options = good;
    change(options);
    EXPECT_THAT(MakeServerConfig(options).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr(field)));
  };
  refused([](auto& o) { o.store_dir = ""; }, "store_dir");
  refused([](auto& o) { o.hub_password = ""; }, "hub_password");
  refused([](auto& o) { o.hub_password = "a\nb"; }, "hub_password");
  refused([](auto& o) { o.clusters.push_back({"a", "q"}); }, "clusters[1].name");
  refused([](auto& o) { o.clusters[0].password = ""; }, "clusters[0].password");
  refused([](auto& o) { o.platforms = {{"", "q"}}; }, "platforms[0].name");
  refused([](auto& o) { o.listen_port = 70000; }, "listen_port");
  refused([](auto& o) { o.max_payload = 10; }, "max_payload");
  refused([](auto& o) { o.tls.cert_file = "x"; }, "tls");
  refused([](auto& o) { o.leaf_listen = "a\nb"; }, "leaf_listen");
  refused([](auto& o) { o.cluster_name = "x"; }, "cluster_name");
}

TEST(ServerConfigTest, AnOperatorsAccountsAreNotInTheFile) {
  ServerConfigOptions options;
  options.store_dir = "/var/lib/x";
  options.clusters = {{"a", "secret"}};
  options.oper = {"operator.jwt.x", "ASYS", "sys.jwt.x", "/var/lib/accounts"};
  const auto text = MakeServerConfig(options);
  ASSERT_OK(text);
  EXPECT_THAT(*text, AllOf(HasSubstr("operator: operator.jwt.x"), HasSubstr("allow_delete: true"),
                           HasSubstr("ASYS: sys.jwt.x"), Not(HasSubstr("secret"))));
}

TEST(ServerConfigTest, ALoginBeingReplacedIsBeside) {
  ServerConfigOptions options;
  options.store_dir = "/var/lib/x";
  options.hub_password = "p";
  options.clusters = {{"a", "", {{ClusterUser("a"), "old"}, {ClusterUser("a", 2), "new"}}}};
  const auto text = MakeServerConfig(options);
  ASSERT_OK(text);
  EXPECT_THAT(*text, AllOf(HasSubstr("user: \"cluster-a\", password: \"old\""),
                           HasSubstr("user: \"cluster-a.2\", password: \"new\"")));
}

TEST(ServerConfigTest, ALeafNodeHasOneRemote) {
  LeafConfigOptions options;
  options.hub_url = "tls://hub:7422";
  options.user = "cluster-a";
  options.password = "p@ss/word";
  options.hub_ca_file = "/etc/ca.pem";
  const auto text = MakeLeafConfig(options);
  ASSERT_OK(text);
  EXPECT_THAT(*text, AllOf(HasSubstr("tls://cluster-a:p%40ss%2Fword@hub:7422"),
                           HasSubstr("ca_file: \"/etc/ca.pem\"")));
  options.user.clear();
  EXPECT_THAT(MakeLeafConfig(options).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("creds_file")));
  options.creds_file = "a.creds";
  EXPECT_THAT(*MakeLeafConfig(options), HasSubstr("credentials: \"a.creds\""));
  options.hub_url = "hub:7422";
  EXPECT_THAT(MakeLeafConfig(options).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("hub_url")));
}

}  // namespace
}  // namespace sealane

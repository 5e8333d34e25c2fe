// Two gateways that write the same objects, and what each shows of the other's writes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "lib/core/json.h"
#include "tests/unit/services/gateway/gateway_fixture.h"

namespace sealane::gateway {
namespace {

using ::testing::HasSubstr;

class GatewayRacesTest : public GatewayServiceTest {
 protected:
  GatewayRacesTest() {
    Begin(1);
    Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  }
  // Waits for the answers and gives their codes.
  std::vector<int> Codes(const std::vector<std::shared_ptr<Answer>>& answers) {
    std::vector<int> out;
    for (const auto& answer : answers) {
      EXPECT_TRUE(sim_.RunUntil([&] { return answer->answer.has_value(); }, absl::Seconds(40)));
      out.push_back(answer->answer.has_value() ? answer->answer->status : 0);
    }
    return out;
  }
};

TEST_F(GatewayRacesTest, WritesWithoutAVersionDoNotLose) {
  Call(201, "POST", kMaps, Map("m", "0"));
  const std::string path = StrCat(kMaps, "/m");
  EXPECT_EQ(Codes({Ask("PUT", path, Map("m", "1"), 0), Ask("PUT", path, Map("m", "2"), 1)}),
            std::vector<int>({200, 200}));
  // Deleted while somebody else changes it, through the other gateway.
  EXPECT_EQ(Codes({Ask("PUT", path, Map("m", "3"), 0), Ask("DELETE", path, Json(), 1)}),
            std::vector<int>({200, 200}));
  Call(404, "GET", path);
}

TEST_F(GatewayRacesTest, ACollectionIsGoneWhenItsDeletionIsAnswered) {
  for (int i = 0; i < 50; ++i) Call(201, "POST", kMaps, Map(StrCat("m", i), "0"));
  const auto deletion = Ask("DELETE", kMaps);
  EXPECT_FALSE(deletion->answer.has_value());
  const std::vector<int> codes =
      Codes({deletion, Ask("PUT", StrCat(kMaps, "/m7"), Map("m7", "1"), 1)});
  EXPECT_EQ(codes[0], 200) << deletion->answer->body;
  const Json list = Call(200, "GET", kMaps);
  EXPECT_EQ(list["items"].size(), 0U) << list["items"].dump();
  // In the name of who asked.
  EXPECT_EQ(Json::parse(deletion->answer->body)["items"].size(), 50U);
}

TEST_F(GatewayRacesTest, AListIsNeverOlderThanAskedFor) {
  const Json made = Call(201, "POST", kMaps, Map("m", "0"), 1);
  const std::string version = made["metadata"]["resourceVersion"];
  // The other one may not have it yet: it waits.
  const auto list =
      Ask("GET", StrCat(kMaps, "?resourceVersionMatch=NotOlderThan&resourceVersion=", version));
  const auto exact =
      Ask("GET", StrCat(kMaps, "?resourceVersionMatch=Exact&resourceVersion=", version));
  const auto get = Ask("GET", StrCat(kMaps, "/m?resourceVersion=", version));
  EXPECT_EQ(Codes({list, exact, get}), std::vector<int>({200, 200, 200}));
  EXPECT_THAT(list->answer->body, HasSubstr("\"name\":\"m\""));
  EXPECT_THAT(exact->answer->body, HasSubstr(StrCat("\"resourceVersion\":\"", version, "\"}")));
  // A version that nobody has made yet.
  const auto far = Ask("GET", StrCat(kMaps, "?resourceVersion=999999"));
  EXPECT_FALSE(far->answer.has_value());
  EXPECT_EQ(Codes({far}), std::vector<int>({504}));
  EXPECT_THAT(far->answer->body, HasSubstr("ResourceVersionTooLarge"));
  Call(200, "PUT", StrCat(kMaps, "/m"), Map("m", "1"));
  Call(410, "GET", StrCat(kMaps, "?resourceVersionMatch=Exact&resourceVersion=", version));
  Call(422, "GET", StrCat(kMaps, "?resourceVersionMatch=Exact"));
  Call(422, "GET", StrCat(kMaps, "?resourceVersionMatch=Exact&resourceVersion=0"));
  Call(422, "GET", StrCat(kMaps, "?resourceVersionMatch=Some&resourceVersion=1"));
}

TEST_F(GatewayRacesTest, NamespacesThatObjectsAreInStay) {
  const std::string system = "/api/v1/namespaces/default";
  Call(403, "DELETE", system);
  Call(200, "PUT", system, {{"metadata", {{"name", "default"}, {"labels", {{"team", "a"}}}}}});
  Call(403, "DELETE", system);
  Call(201, "POST", "/api/v1/namespaces/default/configmaps", Map("m", "1"));
  Call(200, "GET", "/api/v1/namespaces/default/configmaps/m");
}

}  // namespace
}  // namespace sealane::gateway

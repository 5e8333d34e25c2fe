#include "lib/model/identity.h"

#include <set>
#include <string>

#include "gtest/gtest.h"
#include "sealane/v1/common.pb.h"

namespace sealane {
namespace {

TEST(IdentityTest, GroupIsApiVersionWithoutVersion) {
  EXPECT_EQ(GroupOf("apps/v1"), "apps");
  EXPECT_EQ(GroupOf("v1"), "");
  EXPECT_EQ(GroupOf("policy.karmada.io/v1alpha1"), "policy.karmada.io");
  EXPECT_EQ(GroupOf(""), "");
}

TEST(IdentityTest, VersionDoesNotBelongToTheKey) {
  v1::ObjectRef ref;
  ref.set_api_version("apps/v1");
  ref.set_kind("Deployment");
  ref.set_namespace_("shop");
  ref.set_name("web");
  v1::ObjectRef beta = ref;
  beta.set_api_version("apps/v1beta1");
  EXPECT_EQ(KeyOf(ref), KeyOf(beta));
  EXPECT_EQ(RowKey(ref), RowKey(beta));
  EXPECT_EQ(RowKey(ref), RowKey(KeyOf(ref)));
  EXPECT_EQ(RowKey(ref), "apps.Deployment.shop.web");
  EXPECT_EQ(ClusterRowKey("eu 1", KeyOf(ref)), "eu=201.apps.Deployment.shop.web");
  EXPECT_EQ(Describe(KeyOf(ref)), "Deployment shop/web");
  EXPECT_EQ(Describe({"rbac.authorization.k8s.io", "ClusterRole", "", "view"}), "ClusterRole view");
}

TEST(IdentityTest, EncodesWhatASubjectCannotCarry) {
  EXPECT_EQ(EncodeToken(""), "=");
  EXPECT_EQ(EncodeToken("web-1_X"), "web-1_X");
  EXPECT_EQ(EncodeToken("a.b"), "a=2Eb");
  EXPECT_EQ(EncodeToken("="), "=3D");
  EXPECT_EQ(EncodeToken("system:node *>"), "system=3Anode=20=2A=3E");
  EXPECT_EQ(EncodeToken("\xc3\xa9\r\n"), "=C3=A9=0D=0A");
  EXPECT_EQ(RowKey({"", "ClusterRole", "", "system:node"}), "=.ClusterRole.=.system=3Anode");
}

TEST(IdentityTest, DecodesWhatItEncoded) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = std::string("a") + static_cast<char>(byte) + "b";
    const auto decoded = DecodeToken(EncodeToken(text));
    ASSERT_TRUE(decoded.ok()) << byte;
    EXPECT_EQ(*decoded, text);
    const std::string last(1, static_cast<char>(byte));
    EXPECT_EQ(DecodeToken(EncodeToken(last)).value_or("?"), last);
  }
  EXPECT_EQ(DecodeToken("=").value_or("?"), "");
}

TEST(IdentityTest, RefusesMalformedTokens) {
  for (const char* bad : {"", "a.b", "a b", "=2", "=2e", "=GG", "a=", "==", "*", ">", "a/b"}) {
    EXPECT_FALSE(DecodeToken(bad).ok()) << bad;
  }
}

TEST(IdentityTest, LongTokensAreShortenedAndStayApart) {
  std::set<std::string> tokens;
  for (int i = 0; i < 50; ++i) {
    // They differ only at the end, and escapes fall on every position of the cut.
    const std::string text =
        std::string(static_cast<size_t>(60 + i), 'a') + std::string(60, '.') + std::to_string(i);
    const std::string token = EncodeToken(text);
    EXPECT_LE(token.size(), 120u);
    EXPECT_FALSE(DecodeToken(token).ok()) << "a shortened token is not the identity";
    EXPECT_EQ(token, EncodeToken(text));
    tokens.insert(token);
  }
  EXPECT_EQ(tokens.size(), 50u);
  EXPECT_EQ(EncodeToken(std::string(120, 'a')), std::string(120, 'a'));
  EXPECT_EQ(EncodeToken(std::string(121, 'a')).size(), 118u);
}

TEST(IdentityTest, ClusterOfARowKey) {
  EXPECT_EQ(ClusterOfRowKey("eu=2Ewest.apps.Deployment.x.web"), "eu.west");
  EXPECT_EQ(ClusterOfRowKey("no-dot"), "");
  EXPECT_EQ(ClusterOfRowKey("=zz.a"), "");
}

}  // namespace
}  // namespace sealane

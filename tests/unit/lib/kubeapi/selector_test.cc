#include "lib/kubeapi/selector.h"

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "tests/support/status_matchers.h"

namespace sealane::kubeapi {
namespace {

bool Matches(const std::string& selector, const Json& labels) {
  const auto query = LabelQuery::Parse(selector);
  EXPECT_TRUE(query.ok()) << selector << ": " << query.status();
  return query.ok() && query->Matches(labels);
}

TEST(SelectorTest, Labels) {
  const Json labels = {{"app", "x"}, {"n", "5"}, {"a.b/c", "d"}};
  EXPECT_TRUE(Matches("", labels));
  EXPECT_TRUE(Matches("app=x", labels));
  EXPECT_TRUE(Matches(" app == x , n ", labels));
  EXPECT_FALSE(Matches("app=y", labels));
  EXPECT_TRUE(Matches("app!=y,zzz!=1", labels));
  EXPECT_TRUE(Matches("app in (y, x),!zzz", labels));
  EXPECT_FALSE(Matches("app notin (x)", labels));
  EXPECT_TRUE(Matches("zzz notin (x)", labels));
  EXPECT_TRUE(Matches("n>4,n<6,a.b/c=d", labels));
  EXPECT_FALSE(Matches("n>5", labels));
  EXPECT_FALSE(Matches("app", Json()));
  EXPECT_TRUE(Matches("empty=", {{"empty", ""}}));
}

TEST(SelectorTest, MalformedLabelsAreRefused) {
  for (const char* text :
       {"a===b", "a in x", "a in (x", "=b", "a,,b", "!", "a=b c", "a=b,", "-x=1", "a>b", "a=?"}) {
    EXPECT_FALSE(LabelQuery::Parse(text).ok()) << text;
  }
  EXPECT_EQ(LabelQuery::Parse("a===b").status().message(),
            "unable to parse requirement: found '=', expected: identifier");
}

TEST(SelectorTest, Objects) {
  const auto query = LabelQuery::FromObject(
      {{"matchLabels", {{"b", "1"}}},
       {"matchExpressions", {{{"key", "a"}, {"operator", "In"}, {"values", {"y", "x"}}}}}});
  ASSERT_OK(query);
  EXPECT_EQ(query->ToString(), "a in (x,y),b=1");
  EXPECT_TRUE(query->Matches({{"a", "x"}, {"b", "1"}}));
  EXPECT_FALSE(query->Matches({{"a", "z"}, {"b", "1"}}));
  const auto again = LabelQuery::Parse(query->ToString());
  ASSERT_OK(again);
  EXPECT_TRUE(again->Matches({{"a", "y"}, {"b", "1"}}));
  EXPECT_FALSE(LabelQuery::FromObject(Json())->Matches({{"a", "x"}}));
  EXPECT_FALSE(
      LabelQuery::FromObject({{"matchExpressions", {{{"key", "a"}, {"operator", "Near"}}}}}).ok());
}

TEST(SelectorTest, Fields) {
  const Json pod = {{"metadata", {{"name", "p"}}}, {"spec", {{"nodeName", "n1"}, {"n", 3}}}};
  const auto query = FieldQuery::Parse("metadata.name=p,spec.nodeName!=n2", {"spec.nodeName"});
  ASSERT_OK(query);
  EXPECT_TRUE(query->Matches(pod));
  EXPECT_EQ(query->Name(), "p");
  EXPECT_FALSE(FieldQuery::Parse("metadata.name==q", {})->Matches(pod));
  EXPECT_FALSE(FieldQuery::Parse("spec.nodeName=x", {}).ok());
  EXPECT_FALSE(FieldQuery::Parse("metadata.name", {}).ok());
  EXPECT_EQ(FieldText(pod, "spec.n"), "3");
  EXPECT_EQ(FieldText(pod, "spec.absent.x"), "");
}

}  // namespace
}  // namespace sealane::kubeapi

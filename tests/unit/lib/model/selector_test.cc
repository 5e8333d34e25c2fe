#include "lib/model/selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "lib/model/field_errors.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/placement.pb.h"

namespace sealane {
namespace {

using ::testing::HasSubstr;

bool Match(std::string_view selector, const std::map<std::string, std::string>& labels) {
  auto parsed = Selector::Parse(selector);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() && parsed->Matches(labels);
}

TEST(SelectorTest, MatchesLikeKubectl) {
  const std::map<std::string, std::string> labels = {{"app", "web"}, {"tier", "gold"}, {"n", "5"}};
  EXPECT_TRUE(Match("", labels));
  EXPECT_TRUE(Match("app=web", labels));
  EXPECT_TRUE(Match("app==web, tier in (gold, silver)", labels));
  EXPECT_FALSE(Match("app!=web", labels));
  EXPECT_TRUE(Match("absent!=web", labels));
  EXPECT_TRUE(Match("absent notin (a,b)", labels));
  EXPECT_TRUE(Match("app,!absent", labels));
  EXPECT_FALSE(Match("!app", labels));
  EXPECT_TRUE(Match("n>4,n<6", labels));
  EXPECT_FALSE(Match("n>5", labels));
  EXPECT_FALSE(Match("app=", labels));
  EXPECT_TRUE(Match("absent notin ()", labels));
}

TEST(SelectorTest, RefusesMalformedText) {
  for (const char* text : {"a=b,", ",", "a in b", "a in (b", "a b", "=x", "a=b c", "a>x", "!",
                           "-a=b", "a=b=c", "a=-x"}) {
    EXPECT_FALSE(Selector::Parse(text).ok()) << text;
  }
}

TEST(SelectorTest, TextFormReadsBackTheSame) {
  auto selector = Selector::Parse("z notin (b,a),k!=v,a in (y,x),!gone,there,c=d");
  ASSERT_TRUE(selector.ok());
  EXPECT_EQ(selector->ToString(), "a in (x,y),c=d,!gone,k!=v,there,z notin (a,b)");
  EXPECT_EQ(Selector::Parse(selector->ToString())->ToString(), selector->ToString());
}

TEST(SelectorTest, InvalidSelectorMatchesNothing) {
  v1::LabelSelector selector;
  EXPECT_TRUE(MatchesLabels(selector, LabelsView()));
  auto* expression = selector.add_match_expressions();
  expression->set_key("a");
  expression->set_operator_("In");
  EXPECT_FALSE(MatchesLabels(selector, LabelsView()));
  expression->set_operator_("NotIn");
  expression->add_values("not a label!");
  EXPECT_FALSE(MatchesLabels(selector, LabelsView()));
}

TEST(SelectorTest, SaysWhichRequirementFails) {
  const LabelList labels = {{"app", "web"}, {"tier", "gold"}};
  EXPECT_EQ(Selector::Parse("app=web,tier=silver")->WhyNot(labels), "tier=silver");
  EXPECT_EQ(Selector::Parse("tier=silver,app=db")->WhyNot(labels), "app=db,tier=silver");
  EXPECT_EQ(Selector::Parse("app=web")->WhyNot(labels), "");
}

TEST(SelectorTest, ValidationNamesFields) {
  v1::LabelSelector selector;
  (*selector.mutable_match_labels())["bad key"] = "v";
  auto* first = selector.add_match_expressions();
  first->set_key("a");
  first->set_operator_("In");
  auto* second = selector.add_match_expressions();
  second->set_key("a");
  second->set_operator_("Exists");
  second->add_values("x");
  auto* third = selector.add_match_expressions();
  third->set_key("a");
  third->set_operator_("Gt");
  third->add_values("bad value");
  std::vector<v1::FieldError> errors;
  ValidateLabelSelector(selector, "spec.sel", &errors);
  const std::string all = Describe(errors);
  EXPECT_THAT(all, HasSubstr("spec.sel.matchLabels: Invalid"));
  EXPECT_THAT(all, HasSubstr("spec.sel.matchExpressions[0].values: Required"));
  EXPECT_THAT(all, HasSubstr("spec.sel.matchExpressions[1].values: Forbidden"));
  EXPECT_THAT(all, HasSubstr("spec.sel.matchExpressions[2].operator: Invalid"));
  EXPECT_THAT(all, HasSubstr("spec.sel.matchExpressions[2].values[0]: Invalid"));
}

}  // namespace
}  // namespace sealane

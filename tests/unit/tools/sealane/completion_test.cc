#include "tools/sealane/completion.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/tools/sealane/command_fixture.h"

namespace sealane::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ask = Completion::Ask;

Completion Of(const std::vector<std::string>& words) { return Complete(Commands(), words); }

TEST(CompletionTest, VerbsFlagsAndFixedWords) {
  EXPECT_THAT(Of({"unc"}).words, ElementsAre("uncordon"));
  EXPECT_THAT(Of({""}).words, Contains("help"));
  EXPECT_EQ(Of({""}).words.size(), Commands().size() + 1);
  EXPECT_THAT(Of({"rollback", "--t"}).words, ElementsAre("--to", "--timeout"));
  EXPECT_THAT(Of({"version", "--t"}).words, IsEmpty()) << "asks no fleet";
  EXPECT_THAT(Of({"get", ""}).words,
              ElementsAre("apps", "clusters", "works", "policies", "objects"));
  EXPECT_THAT(Of({"get", "apps", "-o", ""}).words,
              ElementsAre("table", "wide", "json", "yaml", "name"));
  EXPECT_THAT(Of({"apply", "-o", "y"}).words, ElementsAre("yaml"));
  EXPECT_THAT(Of({"top", ""}).words, ElementsAre("clusters"));
  EXPECT_THAT(Of({"top", "clusters", "--sort", "m"}).words, ElementsAre("memory"));
  EXPECT_THAT(Of({"completion", ""}).words, ElementsAre("bash", "zsh"));
  EXPECT_THAT(Of({"help", "ver"}).words, ElementsAre("version"));
  EXPECT_THAT(Of({"nonsense", ""}).words, IsEmpty());
  EXPECT_THAT(Of({}).words, IsEmpty());
}

TEST(CompletionTest, WhatOthersKnow) {
  EXPECT_EQ(Of({"status", "we"}).ask, Ask::kApps);
  EXPECT_EQ(Of({"rollback", "-n", "shop", ""}).ask, Ask::kApps) << "the value is not a name";
  EXPECT_EQ(Of({"rollback", "web", ""}).ask, Ask::kNothing);
  EXPECT_EQ(Of({"rebalance", "web", ""}).ask, Ask::kApps);
  EXPECT_EQ(Of({"get", "apps", ""}).ask, Ask::kApps);
  EXPECT_EQ(Of({"get", "clusters", ""}).ask, Ask::kClusters);
  EXPECT_EQ(Of({"drain", ""}).ask, Ask::kClusters);
  EXPECT_EQ(Of({"taint", "aws", ""}).ask, Ask::kNothing);
  EXPECT_EQ(Of({"simulate", "--drain", ""}).ask, Ask::kClusters);
  EXPECT_EQ(Of({"unjoin", "--name", ""}).ask, Ask::kClusters);
  EXPECT_EQ(Of({"join", "--name", ""}).ask, Ask::kNothing) << "it is not there yet";
  EXPECT_EQ(Of({"status", "-n", ""}).ask, Ask::kNamespaces);
  EXPECT_EQ(Of({"get", "--context", ""}).ask, Ask::kContexts);
  EXPECT_EQ(Of({"apply", "-f", "ex"}).ask, Ask::kFiles);
}

class CompletionVerbTest : public CommandTest {};

TEST_F(CompletionVerbTest, OffersNamesOfTheFleet) {
  AddApp("Healthy");
  v1::AppStatus& other = AddApp("Healthy");
  other.mutable_ref()->set_name("api");
  EXPECT_EQ(Run({"completion", "words", "--", "status", "-n", "shop", "w"}), kOk);
  EXPECT_EQ(out_.str(), "web\n");
  EXPECT_EQ(script_.queries.back().second.namespace_(), "shop");
  EXPECT_EQ(Run({"completion", "words", "--", "status", "deployment/"}), kOk);
  EXPECT_EQ(out_.str(), "deployment/api\ndeployment/web\n");
  EXPECT_EQ(Run({"completion", "words", "--", "status", "--namespace", ""}), kOk);
  EXPECT_EQ(out_.str(), "shop\n");
  EXPECT_EQ(Run({"completion", "words", "--", "status", "--bus-url", "nats://y:1", "-n", "x", ""}),
            kOk);
  EXPECT_EQ(script_.context.url, "nats://y:1") << "the fleet that the line is about";
  reachable_ = false;
  EXPECT_EQ(Run({"completion", "words", "--", "status", ""}), kUnreachable);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(err_.str(), "");
  EXPECT_EQ(Run({"completion", "words", "--", "apply", "-f", ""}), kOk);
  EXPECT_EQ(out_.str(), ":files\n");
}

TEST_F(CompletionVerbTest, PrintsAScriptForEachShell) {
  for (const char* shell : {"bash", "zsh"}) {
    EXPECT_EQ(Run({"completion", shell}), kOk);
    EXPECT_THAT(out_.str(), ::testing::HasSubstr("completion words --"));
  }
  EXPECT_EQ(Run({"completion", "fish"}), kUsage);
  EXPECT_EQ(Run({"completion"}), kUsage);
}

}  // namespace
}  // namespace sealane::cli

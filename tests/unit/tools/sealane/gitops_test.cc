#include "gmock/gmock.h"
#include "lib/core/json.h"
#include "tests/unit/tools/sealane/command_fixture.h"

namespace sealane::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class GitopsTest : public CommandTest {
 protected:
  GitopsTest() {
    script_.result->set_accepted(true);
    script_.result->add_results()->set_accepted(true);
    v1::StoredObject& object = *script_.replies["objects"].add_objects();
    object.mutable_ref()->set_kind("GitSource");
    object.mutable_ref()->set_name("shop");
    object.set_manifest(
        R"({"apiVersion": "sealane.io/v1alpha1", "kind": "GitSource",
            "metadata": {"name": "shop"}, "spec": {"url": "/srv/a.git"}})");
    script_.replies["objects"].add_revisions(17);
  }
  void Answer(const Json& sources) { script_.replies["source sources"].set_body(sources.dump()); }
  static Json Source(const std::string& state, const std::string& sync) {
    return {{"name", "shop"},
            {"url", "https://git.example.com/a.git"},
            {"branch", "main"},
            {"path", "deploy"},
            {"prune", true},
            {"state", state},
            {"message", state == "Applied" ? "" : "commit c0ffee: something is wrong"},
            {"handledSync", sync},
            {"fetchedCommit", "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"},
            {"appliedCommit", "0ddba110ddba110ddba110ddba110ddba110ddba"},
            {"appliedAt", "2023-11-14T22:08:20Z"},
            {"objectCount", 1},
            {"problems",
             {{{"reason", "Required"}, {"text", "a.yaml, document 2 (line 7): spec: Required"}}}},
            {"objects",
             {{{"kind", "Deployment"},
               {"namespace", "shop"},
               {"name", "web"},
               {"file", "deploy/web.yaml#1"}}}}};
  }
  Json Published(size_t event) {
    return Json::parse(script_.events.at(event).operations(0).manifest());
  }
};

TEST_F(GitopsTest, AddPublishesTheSourceAndWaitsUntilItIsRead) {
  int looks = 0;
  Answer(Json::array());
  script_.on_follow = [&] {
    ++looks;
    Answer(Json::array({Source("Applied", looks == 1 ? "" : "event-1")}));
  };
  EXPECT_EQ(Run({"gitops", "add", "shop", "--repo", "https://git.example.com/a.git", "--path",
                 "deploy", "--interval", "30s", "--no-prune", "--credentials", "team"}),
            kOk);
  EXPECT_EQ(looks, 2);
  ASSERT_THAT(script_.events, SizeIs(1));
  const Json manifest = Published(0);
  EXPECT_EQ(manifest["kind"], "GitSource");
  EXPECT_EQ(manifest["metadata"]["annotations"]["sealane.io/sync"], "event-1");
  EXPECT_EQ(manifest["spec"], (Json{{"url", "https://git.example.com/a.git"},
                                    {"path", "deploy"},
                                    {"interval", "30s"},
                                    {"prune", false},
                                    {"credentials", "team"}}));
  EXPECT_TRUE(script_.events[0].operations(0).precondition().must_not_exist());
  EXPECT_EQ(script_.events[0].publisher(), "amy");
  EXPECT_EQ(out_.str(), "GitSource shop created\nshop: commit 0ddba110 is applied, 1 objects\n");
}

TEST_F(GitopsTest, ARefusedCommitIsExplainedAndAnExitCode) {
  Answer(Json::array({Source("Refused", "event-1")}));
  EXPECT_EQ(Run({"gitops", "sync", "shop"}), kRefused);
  EXPECT_THAT(out_.str(), HasSubstr("shop: Refused  commit c0ffee: something is wrong"));
  EXPECT_THAT(err_.str(), HasSubstr("a.yaml, document 2 (line 7): spec: Required"));
  EXPECT_EQ(Published(0)["metadata"]["annotations"]["sealane.io/sync"], "event-1");
  EXPECT_EQ(script_.events[0].operations(0).precondition().expected_revision(), 17u);
}

TEST_F(GitopsTest, KeepIsKnownToTheServiceBeforeTheSourceGoes) {
  Answer(Json::array({Source("Applied", "")}));
  script_.on_follow = [&] {
    EXPECT_THAT(script_.events, SizeIs(1)) << "not deleted before it is known";
    Answer(Json::array({Source("Applied", "event-1")}));
  };
  script_.on_deploy = [&] {
    if (script_.events.size() == 2) Answer(Json::array());
  };
  EXPECT_EQ(Run({"gitops", "remove", "shop", "--keep"}), kOk);
  ASSERT_THAT(script_.events, SizeIs(2));
  EXPECT_EQ(Published(0)["spec"]["prune"], false);
  EXPECT_EQ(script_.events[1].operations(0).type(), v1::Operation::DELETE);
  EXPECT_THAT(out_.str(), HasSubstr("its objects stay"));
}

TEST_F(GitopsTest, SuspendAndResume) {
  EXPECT_EQ(Run({"gitops", "resume", "shop"}), kOk);
  EXPECT_THAT(script_.events, IsEmpty());
  EXPECT_EQ(Run({"gitops", "suspend", "shop"}), kOk);
  EXPECT_EQ(Published(0)["spec"]["suspend"], true);
}

TEST_F(GitopsTest, ListAndStatusShowCommitsAndProblems) {
  Answer(Json::array({Source("Refused", "")}));
  EXPECT_EQ(Run({"gitops", "list"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("shop  Refused  c0ffee00  0ddba110  1        5m"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("https://")));
  EXPECT_EQ(Run({"gitops", "list", "-o", "wide"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("https://git.example.com/a.git"));
  EXPECT_EQ(Run({"gitops", "status", "shop"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("Required  a.yaml, document 2 (line 7)"));
  EXPECT_THAT(out_.str(), HasSubstr("Deployment shop/web  deploy/web.yaml#1"));
  EXPECT_EQ(Run({"gitops", "get", "shop", "-o", "json"}), kOk);
  EXPECT_EQ(Json::parse(out_.str())["state"], "Refused");
  Answer(Json::array());
  EXPECT_EQ(Run({"gitops", "status", "shop"}), kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("there is no GitSource shop"));
}

TEST_F(GitopsTest, WrongWordsAreUsage) {
  EXPECT_EQ(Run({"gitops"}), kUsage);
  EXPECT_EQ(Run({"gitops", "shop"}), kUsage);
  EXPECT_EQ(Run({"gitops", "sync"}), kUsage);
  EXPECT_EQ(Run({"gitops", "add", "shop"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--repo is missing"));
}

}  // namespace
}  // namespace sealane::cli

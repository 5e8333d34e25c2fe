#include "lib/bus/subjects.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

TEST(SubjectsTest, ChecksSubjects) {
  EXPECT_OK(CheckSubject("works.a.apps.Deployment.=.web-1_x=2E"));
  EXPECT_OK(CheckSubject("$JS.API.INFO"));
  EXPECT_OK(CheckSubject(std::string(kMaxSubject, 'a')));
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\r\n", "a.*", "*", "a.>",
                          ">", "a*b", "\x7f", "\xc3\xa9"}) {
    EXPECT_FALSE(CheckSubject(bad).ok()) << bad;
  }
  EXPECT_FALSE(CheckSubject(std::string(kMaxSubject + 1, 'a')).ok());
}

TEST(SubjectsTest, ChecksFilters) {
  for (const char* good : {">", "*", "a.*.b", "a.>", "*.>"}) EXPECT_OK(CheckFilter(good));
  for (const char* bad : {"", "a.>.b", "a*", ">a", "a..>", "a b"}) {
    EXPECT_FALSE(CheckFilter(bad).ok()) << bad;
  }
}

TEST(SubjectsTest, Matches) {
  EXPECT_TRUE(SubjectMatches(">", "a.b"));
  EXPECT_TRUE(SubjectMatches("a.*", "a.b"));
  EXPECT_TRUE(SubjectMatches("a.>", "a.b.c"));
  EXPECT_TRUE(SubjectMatches("*.b.*", "a.b.c"));
  EXPECT_TRUE(SubjectMatches("a.b", "a.b"));
  EXPECT_FALSE(SubjectMatches("a.>", "a"));
  EXPECT_FALSE(SubjectMatches("a.*", "a"));
  EXPECT_FALSE(SubjectMatches("a.*", "a.b.c"));
  EXPECT_FALSE(SubjectMatches("a.b", "a.bc"));
  EXPECT_FALSE(SubjectMatches("a", "a.b"));
}

TEST(SubjectsTest, NamesAndTheirParts) {
  EXPECT_EQ(hub::ClusterOf(hub::Heartbeat("eu.west 1")), "eu.west 1");
  EXPECT_EQ(hub::ClusterOf(hub::SnapshotRequest("a")), "a");
  EXPECT_EQ(hub::ClusterOf("live.works.a.apps.Deployment.x.web"), "a");
  EXPECT_EQ(hub::ClusterOf("work_status.a=2Eb.x"), "a.b");
  EXPECT_EQ(hub::ClusterOf("heartbeats.==bad"), "");
  EXPECT_EQ(hub::PlatformOf(hub::Deploy("paas")), "paas");
  EXPECT_EQ(agent::Verb("ctl.capacity"), "capacity");
  EXPECT_EQ(SubjectToken("a.b.c", 2), "c");
  EXPECT_EQ(SubjectToken("a.b.c", 3), "");
}

}  // namespace
}  // namespace sealane

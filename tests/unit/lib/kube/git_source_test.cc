#include "lib/kube/git_source.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/admission.h"
#include "lib/kube/manifest.h"
#include "lib/model/field_errors.h"

namespace sealane::kube {
namespace {

using ::testing::HasSubstr;

std::string WhyRefused(std::string_view spec) {
  Json manifest;
  return Describe(AdmitText(StrCat("apiVersion: sealane.io/v1alpha1\nkind: GitSource\nmetadata: "
                                   "{name: shop}\nspec: ",
                                   spec, "\n"),
                            &manifest)
                      .errors);
}

TEST(GitSourceTest, DefaultsAndFields) {
  Json manifest;
  ASSERT_TRUE(
      ParseManifest("apiVersion: sealane.io/v1alpha1\nkind: GitSource\nmetadata: {name: a}\n"
                    "spec: {url: 'https://git.example.com/a.git'}\n",
                    &manifest)
          .ok());
  std::vector<v1::FieldError> errors;
  GitSourceSpec spec = ReadGitSource(manifest, &errors);
  EXPECT_EQ(Describe(errors), "");
  EXPECT_EQ(spec.branch, "main");
  EXPECT_EQ(spec.path, "");
  EXPECT_EQ(spec.interval, absl::Minutes(1));
  EXPECT_TRUE(spec.prune);
  EXPECT_FALSE(spec.suspend);
  manifest["spec"] = Json{{"url", "/srv/a.git"}, {"branch", "release/1.2"}, {"path", "./a//b/"},
                          {"interval", "30s"},   {"prune", false},          {"suspend", true},
                          {"takeOver", true},    {"credentials", "team-a"}};
  spec = ReadGitSource(manifest, &errors);
  EXPECT_EQ(Describe(errors), "");
  EXPECT_EQ(spec.path, "a/b");
  EXPECT_EQ(spec.interval, absl::Seconds(30));
  EXPECT_FALSE(spec.prune);
  EXPECT_TRUE(spec.suspend);
  EXPECT_TRUE(spec.take_over);
  EXPECT_EQ(spec.credentials, "team-a");
}

TEST(GitSourceTest, WhatIsWrongIsNamed) {
  EXPECT_THAT(WhyRefused("{}"), HasSubstr("spec.url: Required"));
  EXPECT_THAT(WhyRefused("{url: /a, brunch: x}"), HasSubstr("spec.brunch: UnknownField"));
  EXPECT_THAT(WhyRefused("{url: /a, interval: 10ms}"), HasSubstr("spec.interval: Invalid"));
  EXPECT_THAT(WhyRefused("{url: /a, interval: often}"), HasSubstr("spec.interval: Invalid"));
  EXPECT_THAT(WhyRefused("{url: /a, prune: 'yes'}"), HasSubstr("spec.prune: TypeMismatch"));
  EXPECT_THAT(WhyRefused("{url: /a, credentials: ../x}"), HasSubstr("spec.credentials: Invalid"));
  EXPECT_EQ(WhyRefused("{url: /a}"), "");
  Json manifest;
  EXPECT_THAT(Describe(AdmitText("apiVersion: sealane.io/v1alpha1\nkind: GitSauce\nmetadata: "
                                 "{name: a}\n",
                                 &manifest)
                           .errors),
              HasSubstr("does not know the kind GitSauce"));
}

TEST(GitSourceTest, Addresses) {
  for (const char* good :
       {"https://git.example.com/a.git", "http://10.0.0.1:3000/a", "ssh://git@git.example.com/a",
        "git://git.example.com/a", "file:///srv/a.git", "/srv/a.git", "git@git.example.com:a/b.git",
        "https://[::1]:8080/a"}) {
    EXPECT_EQ(UrlFault(good), "") << good;
  }
  for (const char* bad : {"",
                          "a.git",
                          "../a",
                          "-oProxyCommand=x",
                          "ext::sh -c x",
                          "ext::sh",
                          "fd::7",
                          "ftp://a/b",
                          "https://user:secret@git.example.com/a",
                          "https://token@git.example.com/a",
                          "https:///a",
                          "ssh://-oProxyCommand=x/a",
                          "ssh://-x@host/a",
                          "git@-oProxyCommand=x:a",
                          "-x@host:a",
                          "https://a b/c",
                          "https://a/\nb",
                          "host:path",
                          "file://host/a",
                          "a@b::c"}) {
    EXPECT_NE(UrlFault(bad), "") << bad;
  }
}

TEST(GitSourceTest, BranchesAndPaths) {
  for (const char* good : {"main", "release/1.2", "a-b_c"})
    EXPECT_EQ(BranchFault(good), "") << good;
  for (const char* bad : {"", "-x", "a..b", "a b", "a:b", "/a", "a/", "a.lock", "x/.y", "@",
                          "a@{1}", "a~1", "a^", "a*", "a//b", "a\\b", "a."}) {
    EXPECT_NE(BranchFault(bad), "") << bad;
  }
  for (const char* good : {"", ".", "a/b", "a b", "..a"}) EXPECT_EQ(PathFault(good), "") << good;
  for (const char* bad : {"/a", "..", "a/../b", "a\\b", ".git", "a/.git/hooks", "a\nb"}) {
    EXPECT_NE(PathFault(bad), "") << bad;
  }
}

}  // namespace
}  // namespace sealane::kube

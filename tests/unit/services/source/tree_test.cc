#include "services/source/tree.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"

namespace sealane::source {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kHash[] = "0123456789012345678901234567890123456789";

TreeEntry Entry(std::string path, std::string mode = "100644", uint64_t bytes = 10) {
  return {std::move(mode), kHash, bytes, std::move(path)};
}

std::vector<std::string> Paths(const std::vector<TreeEntry>& entries) {
  std::vector<std::string> paths;
  for (const TreeEntry& entry : entries) paths.push_back(entry.path);
  return paths;
}

std::vector<std::string> Texts(const std::vector<v1::GitProblem>& problems) {
  std::vector<std::string> texts;
  for (const v1::GitProblem& problem : problems) texts.push_back(Describe(problem));
  return texts;
}

TEST(TreeTest, TheListingOfGitIsRead) {
  const std::string listing =
      StrCat("100644 blob ", kHash, "     12\ta b.yaml", '\0', "160000 commit ", kHash,
             "      -\tsub", '\0', "nonsense", '\0');
  const std::vector<TreeEntry> entries = ParseTree(listing, "deploy");
  EXPECT_THAT(Paths(entries), ElementsAre("deploy/a b.yaml", "deploy/sub"));
  EXPECT_EQ(entries[0].bytes, 12u);
  EXPECT_EQ(entries[1].mode, "160000");
  EXPECT_THAT(Paths(ParseTree(listing, "")), ElementsAre("a b.yaml", "sub"));
}

TEST(TreeTest, ManifestsAreTakenInOrderAndNothingElse) {
  const Selection selection =
      SelectFiles({Entry("b.yml"), Entry("README.md"), Entry("a/c.json"), Entry("a.yaml"),
                   Entry(".github/workflows/ci.yaml"), Entry("x/.hidden.yaml")},
                  TreeLimits());
  EXPECT_THAT(Paths(selection.files), ElementsAre("a.yaml", "a/c.json", "b.yml"));
  EXPECT_THAT(selection.problems, IsEmpty());
}

TEST(TreeTest, WhatWouldSilentlyBeMissingIsRefused) {
  const Selection selection =
      SelectFiles({Entry("a.yaml", "120000"), Entry("docs", "120000"), Entry("lib", "160000"),
                   Entry("b/kustomization.yaml"), Entry("c/Chart.yaml")},
                  TreeLimits());
  EXPECT_THAT(
      Texts(selection.problems),
      ElementsAre(HasSubstr("a.yaml: is a symbolic link"),
                  HasSubstr("b/kustomization.yaml: Kustomize"), HasSubstr("c/Chart.yaml: Helm"),
                  HasSubstr("docs: is a symbolic link"), HasSubstr("lib: is a submodule")));
}

TEST(TreeTest, SizesAreBounded) {
  TreeLimits limits;
  limits.files = 2;
  limits.file_bytes = 100;
  limits.bytes = 250;
  EXPECT_THAT(Texts(SelectFiles({Entry("a.yaml", "100644", 101)}, limits).problems),
              ElementsAre(HasSubstr("a.yaml: has 101 bytes; at most 100")));
  EXPECT_THAT(SelectFiles({Entry("a.yaml", "100644", 100)}, limits).problems, IsEmpty());
  EXPECT_THAT(Texts(SelectFiles({Entry("a.yaml", "100644", 90), Entry("b.yaml", "100644", 90),
                                 Entry("c.yaml", "100644", 90)},
                                limits)
                        .problems),
              ElementsAre(HasSubstr("3 files"), HasSubstr("270 bytes in all")));
}

Desired Read(std::vector<TreeFile> files) { return ReadDesired(files, "shop", TreeLimits()); }

std::vector<std::string> Names(const Desired& desired) {
  std::vector<std::string> names;
  for (const DesiredObject& one : desired.objects) {
    names.push_back(StrCat(one.object.ref().kind(), "/", one.object.ref().name()));
  }
  return names;
}

constexpr char kConfig[] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

TEST(DesiredTest, DocumentsBecomeObjectsNamespacesFirst) {
  const Desired desired =
      Read({{"a.yaml", StrCat(kConfig,
                              "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, "
                              "annotations: {sealane.io/prune: 'false'}}\n")},
            {"z.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"}});
  EXPECT_THAT(Texts(desired.problems), IsEmpty());
  EXPECT_THAT(Names(desired), ElementsAre("Namespace/shop", "ConfigMap/a", "Secret/s"));
  EXPECT_EQ(desired.objects[1].object.file(), "a.yaml#1");
  EXPECT_EQ(desired.objects[2].object.file(), "a.yaml#2");
  EXPECT_FALSE(desired.objects[1].object.keep());
  EXPECT_TRUE(desired.objects[2].object.keep());
  EXPECT_NE(desired.objects[1].object.manifest_hash(), 0u);
}

TEST(DesiredTest, AnErrorNamesFileDocumentLineAndField) {
  const Desired desired =
      Read({{"deploy/web.yaml",
             StrCat(kConfig,
                    "---\napiVersion: policy.karmada.io/v1alpha1\nkind: "
                    "PropagationPolicy\nmetadata: {name: p, namespace: shop}\nspec: "
                    "{resourceSelectors: [{apiVersion: v1, kind: ConfigMap}], placment: "
                    "{}}\n")}});
  EXPECT_THAT(Texts(desired.problems),
              ElementsAre(HasSubstr("deploy/web.yaml, document 2 (line 5): PropagationPolicy "
                                    "shop/p: spec.placment: ")));
}

TEST(DesiredTest, MalformedTextRepeatsAndNothingAtAllAreProblems) {
  EXPECT_THAT(Texts(Read({{"a.yaml", "a: [\n"}}).problems), ElementsAre(HasSubstr("a.yaml: ")));
  EXPECT_THAT(Texts(Read({{"a.yaml", kConfig}, {"b.yaml", kConfig}}).problems),
              ElementsAre(AllOf(HasSubstr("b.yaml"), HasSubstr("a.yaml#1 has the same object"))));
  EXPECT_THAT(Texts(Read({{"a.yaml", "# only words\n"}}).problems),
              ElementsAre(HasSubstr("nothing is removed")));
  EXPECT_THAT(Texts(Read({}).problems), ElementsAre(HasSubstr("nothing is removed")));
}

TEST(DesiredTest, ASourceDoesNotManageItself) {
  const auto source = [](std::string_view name) {
    return StrCat("apiVersion: sealane.io/v1alpha1\nkind: GitSource\nmetadata: {name: ", name,
                  "}\nspec: {url: 'https://git.example.com/a.git'}\n");
  };
  EXPECT_THAT(Texts(Read({{"a.yaml", source("shop")}}).problems),
              ElementsAre(HasSubstr("does not manage itself")));
  EXPECT_THAT(Texts(Read({{"a.yaml", source("other")}}).problems), IsEmpty());
}

}  // namespace
}  // namespace sealane::source

#include "tools/sealane/input.h"

#include <filesystem>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"
#include "tools/sealane/files.h"

namespace sealane::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Texts(std::string_view text) {
  std::vector<std::string> texts;
  for (const Document& document : SplitDocuments(text, "f")) texts.push_back(document.text);
  return texts;
}

std::vector<std::string> Sources(const std::vector<Document>& documents) {
  std::vector<std::string> sources;
  for (const Document& document : documents) {
    sources.push_back(std::filesystem::path(document.source).filename().string());
  }
  return sources;
}

TEST(SplitDocumentsTest, CutsYamlAtSeparators) {
  EXPECT_THAT(Texts("a: 1\n---\nb: 2\n"), ElementsAre("a: 1\n", "\nb: 2\n"));
  EXPECT_THAT(Texts("---\na: 1\n--- # second\nb: 2"), ElementsAre("\na: 1\n", " # second\nb: 2"));
  EXPECT_THAT(Texts("a: 1\r\n---\r\nb: 2\r\n"), ElementsAre("a: 1\r\n", "\r\nb: 2\r\n"));
}

TEST(SplitDocumentsTest, KeepsWhatOnlyLooksLikeASeparator) {
  // Four dashes, an indented separator inside a block of text.
  EXPECT_THAT(Texts("a: ----\n----x: 1\n"), ElementsAre("a: ----\n----x: 1\n"));
  EXPECT_THAT(Texts("a: |\n  ---\n  text\n"), ElementsAre("a: |\n  ---\n  text\n"));
}

TEST(SplitDocumentsTest, LeavesOutDocumentsWithoutContent) {
  EXPECT_THAT(Texts("# only a comment\n---\n\n---\na: 1\n---\n  # more\n"),
              ElementsAre("\na: 1\n"));
  EXPECT_THAT(Texts("%YAML 1.2\n---\na: 1\n...\n"), ElementsAre("\na: 1\n...\n"));
  EXPECT_THAT(Texts(""), ElementsAre());
}

TEST(SplitDocumentsTest, CutsJsonAfterEachValue) {
  EXPECT_THAT(Texts(R"({"a":"}{"} {"b":{"c":[1,"\"{"]}})"),
              ElementsAre(R"({"a":"}{"})", R"( {"b":{"c":[1,"\"{"]}})"));
  // Malformed: in one piece, for the parser.
  EXPECT_THAT(Texts(R"({"a": )"), ElementsAre(R"({"a": )"));
}

TEST(SplitDocumentsTest, AMappingInFlowStyleIsYaml) {
  EXPECT_THAT(Texts("{a: '}'}\n---\n{b: 2}\n"), ElementsAre("{a: '}'}\n", "\n{b: 2}\n"));
}

TEST(SplitDocumentsTest, NumbersTheDocumentsOfAFile) {
  const auto documents = SplitDocuments("a: 1\n---\n# none\n---\nb: 2\n", "x.yaml");
  EXPECT_THAT(Sources(documents), ElementsAre("x.yaml#1", "x.yaml#2"));
  EXPECT_THAT(Sources(SplitDocuments("a: 1\n", "x.yaml")), ElementsAre("x.yaml"));
}

class ReadDocumentsTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, std::string_view text) {
    const std::filesystem::path path = std::filesystem::path(directory_.path()) / name;
    std::filesystem::create_directories(path.parent_path());
    ASSERT_OK(WriteFile(path.string(), text, 0644));
  }
  TempDir directory_;
  std::istringstream in_{"from: stdin\n"};
};

TEST_F(ReadDocumentsTest, ReadsADirectoryByName) {
  Write("b.yaml", "b: 1\n");
  Write("a.json", "{\"a\":1}");
  Write("c.yml", "c: 1\n");
  Write("notes.txt", "not: read\n");
  Write("below/d.yaml", "d: 1\n");
  const auto documents = ReadDocuments({directory_.path(), "-"}, false, in_);
  ASSERT_OK(documents);
  EXPECT_THAT(Sources(*documents), ElementsAre("a.json", "b.yaml", "c.yml", "standard input"));
  const auto all = ReadDocuments({directory_.path()}, true, in_);
  ASSERT_OK(all);
  EXPECT_THAT(Sources(*all), ElementsAre("a.json", "b.yaml", "d.yaml", "c.yml"));
}

TEST_F(ReadDocumentsTest, NamesWhatCannotBeRead) {
  EXPECT_THAT(ReadDocuments({directory_.path() + "/none.yaml"}, false, in_).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("none.yaml: No such file")));
  EXPECT_THAT(ReadDocuments({directory_.path()}, false, in_).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no *.yaml")));
  Write("empty.yaml", "# nothing\n");
  EXPECT_THAT(ReadDocuments({directory_.path()}, false, in_).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no manifest")));
}

TEST(SplitDocumentsTest, KnowsTheLineOfEachDocument) {
  const auto lines = [](std::string_view text) {
    std::vector<int> found;
    for (const Document& document : SplitDocuments(text, "f")) found.push_back(document.line);
    return found;
  };
  EXPECT_THAT(lines("a: 1\n---\n# none\n---\nb: 2\n"), ElementsAre(1, 4));
  EXPECT_THAT(lines("{\n\"a\": 1}\n{}\n\n[]"), ElementsAre(1, 2, 3));
}

TEST_F(ReadDocumentsTest, AMalformedDocumentKeepsItsLineInTheFile) {
  std::istringstream in("a: 1\n---\nb: 2\n---\nc: [\n");
  const auto documents = ReadDocuments({"-"}, false, in);
  ASSERT_OK(documents);
  ASSERT_EQ(documents->size(), 3U);
  EXPECT_EQ(documents->at(1).text, "\nb: 2\n") << "what can be parsed stays as it is";
  EXPECT_EQ(documents->at(2).text, "\n\n\n\nc: [\n");
}

}  // namespace
}  // namespace sealane::cli

// The page's files, and what holds for every answer.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/status/page/static_files.h"
#include "tests/unit/services/status/page/page_fixture.h"

namespace sealane::status {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const char* const kApi[] = {"/api/summary",
                            "/api/clusters",
                            "/api/apps",
                            "/api/app?kind=Deployment&namespace=n&name=web",
                            "/api/explain?kind=Deployment&namespace=n&name=web",
                            "/api/events"};

void ExpectSafe(const http::Headers& headers) {
  EXPECT_THAT(std::string(headers.Get("Content-Security-Policy")),
              HasSubstr("default-src 'self';"));
  EXPECT_THAT(std::string(headers.Get("Content-Security-Policy")), Not(HasSubstr("unsafe")));
  EXPECT_EQ(headers.Get("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(headers.Get("Access-Control-Allow-Origin"), "");
}

TEST_F(PageTest, TheFilesAreServedAndAskedForAgainByTheirTag) {
  const auto page = Get("/");
  EXPECT_EQ(page->response.status, 200);
  EXPECT_EQ(page->response.headers.Get("Content-Type"), "text/html; charset=utf-8");
  EXPECT_THAT(page->response.body, HasSubstr("<title>Sealane</title>"));
  ExpectSafe(page->response.headers);
  const std::string tag(page->response.headers.Get("ETag"));
  ASSERT_EQ(tag.size(), 18U);
  const auto again = Get("/?x=1", {{"If-None-Match", StrCat("\"other\", ", tag)}});
  EXPECT_EQ(again->response.status, 304);
  EXPECT_EQ(again->response.body, "");
  EXPECT_EQ(again->response.headers.Get("ETag"), tag);
  EXPECT_EQ(Get("/", {{"If-None-Match", "\"0\""}})->response.status, 200);
  EXPECT_NE(Get("/style.css")->response.headers.Get("ETag"), tag);
  EXPECT_EQ(Request("HEAD", "/")->response.status, 200);
  for (const char* path : {"/style", "/index.html", "/../main.cc", "/%2e%2e/main.cc", "//", ""}) {
    EXPECT_EQ(Get(path)->response.status, 404) << path;
  }
}

// Without the internet the page is complete: what its files name is served here, too.
TEST_F(PageTest, TheFilesNeedNothingFromElsewhere) {
  for (const char* path : {"/", "/style.css", "/favicon.svg", "/main.js", "/api.js", "/dom.js",
                           "/format.js", "/overview.js", "/detail.js", "/events.js"}) {
    const StaticFile* file = FindStaticFile(path);
    ASSERT_NE(file, nullptr) << path;
    std::string body(file->body);
    EXPECT_GT(body.size(), 100U) << path;
    const std::string known = "http://www.w3.org/2000/svg";
    if (const size_t at = body.find(known); at != std::string::npos) body.erase(at, known.size());
    for (const char* word : {"http:", "https:", "url(", "@import", "innerHTML", "outerHTML",
                             "insertAdjacentHTML", "document.write", "eval("}) {
      EXPECT_THAT(body, Not(HasSubstr(word))) << path;
    }
    for (size_t at = 0; (at = body.find("from \"./", at)) != std::string::npos; ++at) {
      const size_t begin = at + 7;
      const std::string module = body.substr(begin, body.find('"', begin) - begin);
      EXPECT_NE(FindStaticFile(module), nullptr) << path << " imports " << module;
    }
  }
}

TEST_F(PageTest, OnlyReadingIsAllowed) {
  Register("a");
  Deploy("web", {"a"});
  for (const char* path : kApi) {
    for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}) {
      const auto answer = Request(method, path);
      EXPECT_EQ(answer->response.status, 405) << method << " " << path;
      EXPECT_EQ(answer->response.headers.Get("Allow"), "GET");
    }
  }
  EXPECT_EQ(Request("POST", "/")->response.status, 405);
  EXPECT_EQ(Request("POST", "/nothing")->response.status, 404);
}

TEST_F(PageTest, EveryAnswerIsSafeAndOfTheApiNotKept) {
  Register("a");
  Deploy("web", {"a"});
  for (const char* path : kApi) {
    const auto answer = Get(path);
    sim_.RunFor(absl::Seconds(6));  // explain: nobody answers
    ExpectSafe(answer->response.headers);
    EXPECT_EQ(answer->response.headers.Get("Cache-Control"), "no-store") << path;
  }
  const auto lost = Get("/api/nothing");
  EXPECT_EQ(lost->response.status, 404);
  ExpectSafe(lost->response.headers);
  EXPECT_EQ(lost->response.headers.Get("Content-Type"), "application/json");
}

TEST_F(PageTest, AStandbySaysSo) {
  standby_ = true;
  for (const char* path : kApi) {
    const auto answer = Get(path);
    EXPECT_EQ(answer->response.status, 503) << path;
    EXPECT_EQ(Json::parse(answer->response.body),
              (Json{{"error", "no-data"}, {"message", "This is a standby."}}));
  }
  EXPECT_EQ(Get("/")->response.status, 200) << "the page itself is there to show it";
}

// Another site cannot read the page by a name of its own that points here.
TEST_F(PageTest, ForeignNamesGetNoAnswer) {
  for (const char* host :
       {"evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "status.example.com"}) {
    EXPECT_EQ(Get("/api/summary", {{"Host", host}})->response.status, 421) << host;
    EXPECT_EQ(Get("/", {{"Host", host}})->response.status, 421) << host;
  }
  for (const char* host : {"10.1.2.3", "127.0.0.1:80", "[::1]:80", "localhost:80"}) {
    EXPECT_EQ(Get("/", {{"Host", host}})->response.status, 200) << host;
  }
  PageOptions options;
  options.hosts = {"status.example.com"};
  MakePage(options);
  EXPECT_EQ(Get("/", {{"Host", "status.example.com:80"}})->response.status, 200);
  EXPECT_EQ(Get("/", {{"Host", "evil.example"}})->response.status, 421);
  options.hosts = {"*"};
  MakePage(options);
  EXPECT_EQ(Get("/", {{"Host", "evil.example"}})->response.status, 200);
}

}  // namespace
}  // namespace sealane::status

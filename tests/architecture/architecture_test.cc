// Checks the shape of the source tree itself: which folder may include which, where the outside
// world may be touched, how large files may grow. docs/architecture.md explains the reasons.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLargeFile = 500;     // lines: told
constexpr size_t kTooLargeFile = 600;  // lines: refused
constexpr size_t kLargestMain = 50;

// Every library, and which others it may include directly. Dependencies point one way:
// core <- model <- {accounts, bus, reconcile, telemetry, http, kube} <- {kubeapi <- kubeauth,
// runtime} <- services, tools.
const std::map<std::string, std::set<std::string>>& AllowedIncludes() {
  static const std::map<std::string, std::set<std::string>> allowed = {
      {"lib/core", {}},
      {"lib/model", {"lib/core"}},
      {"lib/reconcile", {"lib/core"}},
      {"lib/http", {"lib/core"}},
      {"lib/bus", {"lib/core", "lib/model"}},
      {"lib/accounts", {"lib/core", "lib/model"}},
      {"lib/telemetry", {"lib/core", "lib/http"}},
      {"lib/kube", {"lib/core", "lib/model", "lib/http"}},
      {"lib/kubeapi", {"lib/core", "lib/model", "lib/http", "lib/kube", "lib/telemetry"}},
      {"lib/kubeauth", {"lib/core", "lib/http", "lib/kubeapi"}},
      {"lib/runtime",
       {"lib/core", "lib/model", "lib/bus", "lib/reconcile", "lib/telemetry", "lib/http"}},
  };
  return allowed;
}
// Services may use every library except the server side of the Kubernetes API.
const std::set<std::string>& AllowedForServices() {
  static const std::set<std::string> allowed = {"lib/core", "lib/model",  "lib/reconcile",
                                                "lib/http", "lib/bus",    "lib/telemetry",
                                                "lib/kube", "lib/runtime"};
  return allowed;
}

struct Source {
  std::string path;  // from the repository's root, with '/'
  std::vector<std::string> lines;
  std::vector<std::string> code;  // lines without comments and string contents
};

// "lib/bus", "services/policy", "tests/unit": the part of the tree that rules speak about.
std::string FolderOf(std::string_view path) {
  const size_t first = path.find('/');
  const size_t second = first == path.npos ? path.npos : path.find('/', first + 1);
  return std::string(second == path.npos ? path.substr(0, first) : path.substr(0, second));
}

// Without comments and the contents of string literals, so that talking about a thing is allowed.
std::string CodeOf(std::string_view line, bool& in_comment) {
  std::string out;
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const char next = i + 1 < line.size() ? line[i + 1] : '\0';
    if (in_comment) {
      if (c == '*' && next == '/') {
        in_comment = false;
        ++i;
      }
    } else if (quote != 0) {
      if (c == '\\') {
        ++i;
      } else if (c == quote) {
        quote = 0;
        out += c;
      }
    } else if (c == '/' && next == '/') {
      break;
    } else if (c == '/' && next == '*') {
      in_comment = true;
      ++i;
    } else {
      // A digit separator (1'000) is not a character literal.
      const bool separator =
          c == '\'' && i > 0 && std::isdigit(static_cast<unsigned char>(line[i - 1]));
      if (c == '"' || (c == '\'' && !separator)) quote = c;
      out += c;
    }
  }
  return out;
}

const std::vector<Source>& Sources() {
  static const std::vector<Source> sources = [] {
    std::vector<Source> found;
    const fs::path root = SEALANE_SOURCE_DIR;
    for (const char* top : {"lib", "services", "tools", "tests", "benchmarks"}) {
      if (!fs::exists(root / top)) continue;
      for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
        const std::string extension = entry.path().extension().string();
        if (!entry.is_regular_file() || (extension != ".h" && extension != ".cc")) continue;
        Source source;
        source.path = entry.path().lexically_relative(root).generic_string();
        std::ifstream file(entry.path());
        bool in_comment = false;
        for (std::string line; std::getline(file, line);) {
          source.code.push_back(CodeOf(line, in_comment));
          source.lines.push_back(std::move(line));
        }
        found.push_back(std::move(source));
      }
    }
    std::sort(found.begin(), found.end(),
              [](const Source& a, const Source& b) { return a.path < b.path; });
    return found;
  }();
  return sources;
}

struct Include {
  std::string path;
  size_t line;
};

std::vector<Include> IncludesOf(const Source& source) {
  static const std::regex pattern(R"(^\s*#\s*include\s*["<]([^">]+)[">])");
  std::vector<Include> includes;
  for (size_t i = 0; i < source.lines.size(); ++i) {
    std::smatch match;
    if (source.lines[i].find("include") != std::string::npos &&
        std::regex_search(source.lines[i], match, pattern)) {
      includes.push_back({match[1].str(), i + 1});
    }
  }
  return includes;
}

bool IsOurs(std::string_view path) {
  return path.starts_with("lib/") || path.starts_with("services/") || path.starts_with("tools/") ||
         path.starts_with("tests/") || path.starts_with("benchmarks/");
}

// "" when `from` may include `to`, otherwise the rule that forbids it.
std::string WhyForbidden(const std::string& from, const std::string& to) {
  if (from == to) return "";
  const bool test_code = from.starts_with("tests/") || from.starts_with("benchmarks/");
  if (to.starts_with("benchmarks/") && !from.starts_with("benchmarks/")) {
    return "only benchmarks include benchmarks";
  }
  if (test_code) return "";
  if (to.starts_with("tests/")) return "only tests and benchmarks include tests";
  if (to.starts_with("tools/")) return "nobody includes a tool";
  if (from.starts_with("lib/")) {
    const auto allowed = AllowedIncludes().find(from);
    if (allowed == AllowedIncludes().end()) {
      return StrCat(from, " is not known to tests/architecture: say there what it may include");
    }
    if (!allowed->second.contains(to)) {
      return StrCat(from, " may include only: ", StrJoin(allowed->second, ", "));
    }
    return "";
  }
  if (from.starts_with("services/")) {
    if (to.starts_with("services/")) return "services talk over the bus, never by include";
    // The gateway is that server side.
    const bool serves = from == "services/gateway" && (to == "lib/kubeapi" || to == "lib/kubeauth");
    return serves || AllowedForServices().contains(to)
               ? ""
               : StrCat("services may include only: ", StrJoin(AllowedForServices(), ", "));
  }
  if (from.starts_with("tools/") && to.starts_with("services/")) {
    return "tools talk to services over the bus, never by include";
  }
  return "";
}

TEST(Architecture, TheSourcesAreFound) { EXPECT_GT(Sources().size(), 50u); }

TEST(Architecture, TheAllowedIncludesHaveNoCycle) {
  std::set<std::string> done;
  for (bool progress = true; progress;) {
    progress = false;
    for (const auto& [folder, allowed] : AllowedIncludes()) {
      if (done.contains(folder)) continue;
      if (std::includes(done.begin(), done.end(), allowed.begin(), allowed.end())) {
        done.insert(folder);
        progress = true;
      }
    }
  }
  for (const auto& [folder, allowed] : AllowedIncludes()) {
    EXPECT_TRUE(done.contains(folder))
        << folder << " is part of a cycle, or includes an unknown folder";
  }
}

TEST(Architecture, FoldersIncludeOnlyWhatLiesBelow) {
  for (const Source& source : Sources()) {
    for (const Include& include : IncludesOf(source)) {
      if (!IsOurs(include.path)) continue;
      const std::string why = WhyForbidden(FolderOf(source.path), FolderOf(include.path));
      EXPECT_EQ(why, "") << source.path << ":" << include.line << " includes " << include.path;
    }
  }
}

TEST(Architecture, TheRulesForbidWhatTheyShould) {
  EXPECT_NE(WhyForbidden("lib/core", "lib/model"), "");
  EXPECT_NE(WhyForbidden("lib/bus", "lib/runtime"), "");
  EXPECT_NE(WhyForbidden("lib/unknown", "lib/core"), "");
  EXPECT_NE(WhyForbidden("services/policy", "services/status"), "");
  EXPECT_NE(WhyForbidden("services/policy", "lib/kubeapi"), "");
  EXPECT_NE(WhyForbidden("services/policy", "tests/support"), "");
  EXPECT_NE(WhyForbidden("tools/sealane", "services/policy"), "");
  EXPECT_NE(WhyForbidden("lib/kube", "tools/kubesim"), "");
  EXPECT_EQ(WhyForbidden("services/policy", "lib/runtime"), "");
  EXPECT_EQ(WhyForbidden("tests/unit", "services/policy"), "");
}

TEST(Architecture, FilesDoNotIncludeEachOtherInACircle) {
  std::map<std::string, std::vector<std::string>> graph;
  for (const Source& source : Sources()) {
    auto& edges = graph[source.path];
    for (const Include& include : IncludesOf(source)) {
      if (IsOurs(include.path)) edges.push_back(include.path);
    }
  }
  std::map<std::string, int> state;  // 1: being visited, 2: done
  std::vector<std::string> path;
  const auto visit = [&](const auto& self, const std::string& file) -> void {
    if (state[file] == 2) return;
    path.push_back(file);
    if (state[file] == 1) {
      ADD_FAILURE() << "a circle of includes: " << StrJoin(path, " -> ");
    } else {
      state[file] = 1;
      for (const std::string& next : graph[file]) self(self, next);
      state[file] = 2;
    }
    path.pop_back();
  };
  for (const Source& source : Sources()) visit(visit, source.path);
}

TEST(Architecture, IncludesNameFilesThatExist) {
  for (const Source& source : Sources()) {
    for (const Include& include : IncludesOf(source)) {
      if (!IsOurs(include.path)) continue;
      EXPECT_TRUE(fs::exists(fs::path(SEALANE_SOURCE_DIR) / include.path))
          << source.path << ":" << include.line << " includes " << include.path;
    }
  }
}

TEST(Architecture, ForeignLibrariesStayBehindOurOwn) {
  struct Rule {
    std::string_view prefix;         // of the included path
    std::vector<std::string> homes;  // folders that may include it in .cc files
  };
  const std::vector<Rule> rules = {
      {"nats/",
       {"lib/bus", "benchmarks/common"}},  // the bare reference         {"nats.h", {"lib/bus"}},
                                           // {"prometheus/", {"lib/telemetry"}},
      {"spdlog/", {"lib/telemetry"}},
      {"boost/", {"lib/http"}},
      {"curl/", {"lib/http"}},
  };
  for (const Source& source : Sources()) {
    const std::string folder = FolderOf(source.path);
    // A test of a library may look behind it.
    std::string tested = source.path.substr(0, source.path.rfind('/'));
    for (const char* prefix : {"tests/unit/", "tests/integration/"}) {
      if (tested.starts_with(prefix)) tested = tested.substr(std::string_view(prefix).size());
    }
    if (!tested.starts_with("lib/")) tested = StrCat("lib/", tested);
    for (const Include& include : IncludesOf(source)) {
      for (const Rule& rule : rules) {
        if (!include.path.starts_with(rule.prefix)) continue;
        const bool home = std::count(rule.homes.begin(), rule.homes.end(), folder) > 0 ||
                          std::count(rule.homes.begin(), rule.homes.end(), tested) > 0;
        EXPECT_TRUE(home) << source.path << ":" << include.line << " includes " << include.path
                          << ", which belongs into " << StrJoin(rule.homes, ", ");
      }
    }
  }
}

TEST(Architecture, HeadersAreLight) {
  const std::vector<std::string> heavy = {"nlohmann/json.hpp", "boost/", "spdlog/",
                                          "prometheus/",       "curl/",  "yaml-cpp/",
                                          "lib/core/json.h"};
  for (const Source& source : Sources()) {
    const bool checked = source.path.starts_with("lib/") || source.path.starts_with("services/");
    if (!checked || !source.path.ends_with(".h") || source.path == "lib/core/json.h" ||
        source.path == "services/policy/override_rules.h") {  // between two .cc files
      continue;
    }
    for (const Include& include : IncludesOf(source)) {
      for (const std::string& prefix : heavy) {
        const bool same =
            prefix.ends_with("/") ? include.path.starts_with(prefix) : include.path == prefix;
        EXPECT_FALSE(same) << source.path << ":" << include.line << " includes " << include.path
                           << ": forward-declare, or use lib/core/json_fwd.h";
      }
    }
  }
}

// Clocks, sleeps, threads and randomness come through lib/core/env.h, so that the simulation rules
// them. Only the libraries that talk to the operating system have their own, the frame of the
// kubesim process (a thread that waits for signals), and benchmarks, which measure real time.
TEST(Architecture, TheOutsideWorldComesThroughTheSeam) {
  static const std::regex forbidden(
      R"((steady_clock|system_clock|high_resolution_clock)::now|absl::Now\(|absl::SleepFor)"
      R"(|std::this_thread|std::j?thread\b|std::async\b|pthread_create|\busleep\(|\bnanosleep\()"
      R"(|\bsleep\(|\bclock_gettime\(|\bgettimeofday\(|std::time\(|std::random_device|\bs?rand\()");
  const auto exempt = [](std::string_view path) {
    for (const std::string_view home : {"lib/core/", "lib/http/", "lib/bus/", "tests/",
                                        "benchmarks/", "tools/kubesim/server.cc"}) {
      if (path.starts_with(home)) return true;
    }
    return false;
  };
  for (const Source& source : Sources()) {
    // Simulations and the unit tests of logic run on virtual time.
    const bool virtual_time = source.path.starts_with("tests/simulation/") ||
                              source.path.starts_with("tests/unit/services/") ||
                              source.path.starts_with("tests/unit/lib/reconcile/") ||
                              source.path.starts_with("tests/unit/lib/runtime/") ||
                              source.path.starts_with("tests/unit/lib/model/");
    if (exempt(source.path) && !virtual_time) continue;
    for (size_t i = 0; i < source.code.size(); ++i) {
      std::smatch match;
      EXPECT_FALSE(std::regex_search(source.code[i], match, forbidden))
          << source.path << ":" << i + 1 << " uses " << match[0]
          << ": take it from Env (lib/core/env.h)";
    }
  }
}

TEST(Architecture, FilesStaySmall) {
  for (const Source& source : Sources()) {
    const size_t lines = source.lines.size();
    EXPECT_LE(lines, kTooLargeFile) << source.path << ": split it by topic";
    if (lines > kLargeFile && lines <= kTooLargeFile) {
      std::cout << "note: " << source.path << " has " << lines << " lines\n";
    }
    if (source.path.ends_with("/main.cc") && !source.path.starts_with("benchmarks/")) {
      EXPECT_LT(lines, kLargestMain) << source.path << ": main only wires things together";
    }
  }
}

// Several files of a library are compiled as one (CMAKE_UNITY_BUILD): there two helpers of one name
// are an error at best, and at worst one quietly takes the calls that are meant for the other.
TEST(Architecture, HelpersHaveNamesOfTheirOwnInTheirLibrary) {
  static const std::regex function(R"(^[A-Za-z\[][\w:<>,&*\[\] ]*[ *&](\w+)\()");
  static const std::regex constant(R"(^(?:static )?const(?:expr)? [^=({]*\b(k[A-Z]\w*))");
  static const std::regex type(R"(^(?:struct|class|enum class) (\w+)(?: final)?(?: \{| :))");
  std::map<std::string, std::map<std::string, std::set<std::string>>>
      names;  // library, name: files
  for (const Source& source : Sources()) {
    const bool header = source.path.ends_with(".h");
    if (source.path.starts_with("tests/") || source.path.starts_with("benchmarks/")) continue;
    bool unnamed = false;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      if (source.lines[i] == "namespace {") unnamed = true;
      if (source.lines[i] == "}  // namespace") unnamed = false;
      const std::string& line = source.code[i];
      if (!(header || unnamed) || line.empty() || line[0] == ' ') continue;
      std::smatch match;
      if (std::regex_search(line, match, function) ||
          (!header &&
           (std::regex_search(line, match, constant) || std::regex_search(line, match, type)))) {
        names[FolderOf(source.path)][match[1]].insert(source.path);
      }
    }
  }
  EXPECT_GT(names["lib/kubeapi"].size(), 100U);
  for (const auto& [library, files_of] : names) {
    for (const auto& [name, files] : files_of) {
      const bool helper = std::any_of(files.begin(), files.end(), [](const std::string& path) {
        return path.ends_with(".cc");
      });
      EXPECT_FALSE(helper && files.size() > 1)
          << name << " is in " << StrJoin(files, ", ")
          << ": give one of them another name, or both one home";
    }
  }
}

TEST(Architecture, HeadersAreGuarded) {
  for (const Source& source : Sources()) {
    if (!source.path.ends_with(".h")) continue;
    const bool guarded =
        std::any_of(source.lines.begin(), source.lines.end(),
                    [](const std::string& line) { return line == "#pragma once"; });
    EXPECT_TRUE(guarded) << source.path << ": #pragma once is missing";
  }
}

}  // namespace
}  // namespace sealane

// karmada_conformance PATH...: checks recorded cases (files or folders of .jsonl or .jsonl.gz),
// prints a line for each failure and ends with "N passed, M failed". Exit code 1 when any failed.

#include "tests/conformance/runner.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "lib/core/json.h"
#include "tests/conformance/ops.h"

namespace {

namespace fs = std::filesystem;

struct Totals {
  int passed = 0;
  int failed = 0;
};

void RunLine(const std::string& where, const std::string& line, Totals* totals) {
  const nlohmann::json test_case = nlohmann::json::parse(line, nullptr, false);
  std::string id = where;
  std::string problem = "the line is not a JSON object";
  if (test_case.is_object()) {
    id = test_case.value("id", where);
    try {
      problem = sealane::conformance::RunCase(test_case);
    } catch (const std::exception& e) {  // a case without the fields of its operation
      problem = e.what();
    }
  }
  if (problem.empty()) {
    ++totals->passed;
  } else {
    ++totals->failed;
    std::cout << id << ": " << problem << "\n";
  }
}

// Reads plain and compressed files alike.
bool RunFile(const std::string& path, Totals* totals) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return false;
  std::string line;
  int number = 0;
  std::array<char, 1 << 16> buffer;
  const auto flush = [&] {
    ++number;
    if (!line.empty()) RunLine(path + ":" + std::to_string(number), line, totals);
    line.clear();
  };
  int got = 0;
  while ((got = gzread(file, buffer.data(), buffer.size())) > 0) {
    for (int i = 0; i < got; ++i) {
      if (buffer[static_cast<size_t>(i)] == '\n') {
        flush();
      } else {
        line += buffer[static_cast<size_t>(i)];
      }
    }
  }
  if (!line.empty()) flush();
  gzclose(file);
  return got == 0;
}

constexpr char kUsage[] =
    "usage: karmada_conformance PATH...\n"
    "PATH: a .jsonl or .jsonl.gz file, or a folder with such files\n";

bool IsCaseFile(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".jsonl") || name.ends_with(".jsonl.gz");
}

}  // namespace

namespace sealane::conformance {

int RunConformance(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (path == "--help" || path == "-h") {
      std::cout << kUsage;
      return 0;
    }
    if (path.starts_with("-")) {
      std::cerr << "no such flag: " << path << "\n" << kUsage;
      return 2;
    }
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.emplace_back(path);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
      if (entry.is_regular_file() && IsCaseFile(entry.path()))
        files.push_back(entry.path().string());
    }
  }
  if (files.empty()) {
    std::cerr << kUsage;
    return 2;
  }
  std::sort(files.begin(), files.end());
  Totals totals;
  for (const std::string& file : files) {
    if (!RunFile(file, &totals)) {
      std::cout << file << ": cannot be read\n";
      ++totals.failed;
    }
  }
  std::cout << totals.passed << " passed, " << totals.failed << " failed\n";
  return totals.failed == 0 ? 0 : 1;
}

}  // namespace sealane::conformance

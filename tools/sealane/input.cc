#include "tools/sealane/input.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "tools/sealane/files.h"

namespace sealane::cli {
namespace {

namespace fs = std::filesystem;

// "---" alone, or before a blank.
bool Separates(std::string_view line) {
  return line.starts_with("---") &&
         (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

bool HasContent(std::string_view document) {
  size_t begin = 0;
  while (begin < document.size()) {
    size_t end = document.find('\n', begin);
    if (end == std::string_view::npos) end = document.size();
    const std::string_view line = document.substr(begin, end - begin);
    const size_t first = line.find_first_not_of(" \t\r");
    const bool directive = line.starts_with('%') || line.starts_with("...");
    if (first != std::string_view::npos && line[first] != '#' && !directive) return true;
    begin = end + 1;
  }
  return false;
}

std::vector<Document> SplitYaml(std::string_view text) {
  std::vector<Document> documents(1);
  int number = 0;
  size_t begin = 0;
  while (begin < text.size()) {
    size_t end = text.find('\n', begin);
    end = end == std::string_view::npos ? text.size() : end + 1;
    std::string_view line = text.substr(begin, end - begin);
    ++number;
    std::string_view bare = line;
    if (bare.ends_with('\n')) bare.remove_suffix(1);
    if (Separates(bare)) {
      documents.push_back({"", "", number});
      line.remove_prefix(3);  // what follows on the line belongs to the document
    }
    documents.back().text.append(line);
    begin = end;
  }
  return documents;
}

// JSON values that follow one another: cuts where a top-level object or list ends. What is
// malformed stays in one piece, for the parser to say so.
std::vector<Document> SplitJson(std::string_view text) {
  std::vector<Document> documents;
  size_t begin = 0;
  int line = 1;
  const auto add = [&](size_t end) {
    const std::string_view part = text.substr(begin, end - begin);
    documents.push_back({"", std::string(part), line});
    line += static_cast<int>(std::count(part.begin(), part.end(), '\n'));
    begin = end;
  };
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) add(i + 1);
  }
  add(text.size());
  return documents;
}

void KeepLinesOfMalformed(Document& document) {
  Json ignored;
  if (document.line == 1 || document.text.size() > kube::kMaxManifestBytes ||
      kube::ParseManifest(document.text, &ignored).ok()) {
    return;
  }
  document.text.insert(0, static_cast<size_t>(document.line - 1), '\n');
}

bool IsManifestFile(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

template <typename Iterator>
absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (Iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (it->is_regular_file() && IsManifestFile(it->path())) files.push_back(it->path().string());
  }
  if (error) return InvalidArgument(StrCat(directory, ": ", error.message()));
  if (files.empty()) {
    return InvalidArgument(
        StrCat(directory, ": no *.yaml, *.yml or *.json file in this directory"));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<Document> SplitDocuments(std::string_view text, std::string_view source) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // byte order mark
  std::vector<Document> documents;
  for (Document& part : kube::LooksLikeJson(text) ? SplitJson(text) : SplitYaml(text)) {
    if (HasContent(part.text)) documents.push_back(std::move(part));
  }
  for (size_t i = 0; i < documents.size(); ++i) {
    documents[i].source = documents.size() == 1 ? std::string(source) : StrCat(source, "#", i + 1);
  }
  return documents;
}

absl::StatusOr<std::vector<Document>> ReadDocuments(const std::vector<std::string>& paths,
                                                    bool recursive, std::istream& in) {
  std::vector<Document> documents;
  const auto add = [&documents](std::string_view text, std::string_view source) {
    for (Document& document : SplitDocuments(text, source)) {
      KeepLinesOfMalformed(document);
      documents.push_back(std::move(document));
    }
  };
  for (const std::string& path : paths) {
    if (path == "-") {
      add(std::string(std::istreambuf_iterator<char>(in), {}), "standard input");
      continue;
    }
    std::vector<std::string> files = {path};
    std::error_code error;
    if (fs::is_directory(path, error)) {
      absl::StatusOr<std::vector<std::string>> listed =
          recursive ? ListFiles<fs::recursive_directory_iterator>(path)
                    : ListFiles<fs::directory_iterator>(path);
      SEALANE_RETURN_IF_ERROR(listed.status());
      files = *std::move(listed);
    }
    for (const std::string& file : files) {
      const absl::StatusOr<std::string> text = ReadFile(file);
      if (!text.ok()) {
        return InvalidArgument(std::string(text.status().message()));
      }
      add(*text, file);
    }
  }
  if (documents.empty()) return InvalidArgument("there is no manifest in the input");
  return documents;
}

}  // namespace sealane::cli

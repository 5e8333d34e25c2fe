#pragma once

#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sealane::cli {

// One manifest as it was written, YAML or JSON.
struct Document {
  std::string source;  // "classroom/config.yaml#2"; "#1" is left out when a file has only one
  std::string text;
  int line = 1;  // of the file, on which `text` begins
};

// The documents of a file's text: YAML documents separated by ---, or JSON values one after
// another. Documents without content (blank, only comments) are left out.
[[nodiscard]] std::vector<Document> SplitDocuments(std::string_view text, std::string_view source);

// Reads files, directories (their *.yaml, *.yml and *.json files by name; with `recursive` also
// those of the directories below) and "-" (`in`), in the order given. INVALID_ARGUMENT names the
// path. A document that cannot be parsed is given as many blank lines in front as its file has:
// whoever parses it, the line in the complaint is the file's.
[[nodiscard]] absl::StatusOr<std::vector<Document>> ReadDocuments(
    const std::vector<std::string>& paths, bool recursive, std::istream& in);

}  // namespace sealane::cli

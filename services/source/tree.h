#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sealane/v1/source.pb.h"

namespace sealane::source {

// Bounds on what a repository may make of this process.
struct TreeLimits {
  size_t files = 2000;
  size_t file_bytes = 1 << 20;
  size_t bytes = 32 << 20;  // of all files together
  size_t objects = 4000;
};

// One line of `git ls-tree -r --long`.
struct TreeEntry {
  std::string mode;  // "100644", "120000" (a link), "160000" (a submodule)
  std::string hash;
  uint64_t bytes = 0;
  std::string path;  // from the root of the repository
};

// What of a tree is to be read. With problems, nothing of it may be used.
struct Selection {
  std::vector<TreeEntry> files;  // in the order of their paths
  std::vector<v1::GitProblem> problems;
};

// The output of `git ls-tree -r -z --long COMMIT:PATH`. INVALID lines are left out; `below` is put
// in front of every path.
[[nodiscard]] std::vector<TreeEntry> ParseTree(std::string_view listing, std::string_view below);

// Takes the manifests of a tree: *.yaml, *.yml and *.json, without what begins with a dot below the
// path `below` (which itself may). Links, submodules, kustomizations and charts are problems: what
// they stand for would silently be missing.
[[nodiscard]] Selection SelectFiles(std::vector<TreeEntry> entries, const TreeLimits& limits,
                                    std::string_view below = {});

// A file as it was read.
struct TreeFile {
  std::string path;
  std::string text;
};

// An object that a commit asks for.
struct DesiredObject {
  v1::GitObject object;
  std::string key;       // RowKey
  std::string manifest;  // canonical JSON, admitted
};

struct Desired {
  std::vector<DesiredObject> objects;  // in the order in which they are applied
  std::vector<v1::GitProblem> problems;
};

// What the files ask for. Every document is admitted as the policy service will; one that is
// refused, and one that another document repeats, is a problem. No object at all is one too.
// Objects come by file and document, namespaces and custom resource definitions before all others.
// `self`: the name of the source, which cannot manage itself.
[[nodiscard]] Desired ReadDesired(const std::vector<TreeFile>& files, std::string_view self,
                                  const TreeLimits& limits);

// "base/web.yaml, document 2 (line 14): Deployment shop/web: spec.replicas: Invalid: ...".
[[nodiscard]] std::string Describe(const v1::GitProblem& problem);

[[nodiscard]] v1::GitProblem MakeProblem(std::string_view file, std::string_view reason,
                                         std::string_view message);

}  // namespace sealane::source

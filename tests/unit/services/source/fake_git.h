#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/status.h"
#include "services/source/git.h"

namespace sealane::source {

// What the repositories hold, by the name of the source that reads them.
struct FakeRepositories {
  // The head's tree is one file with that text.
  void Push(const std::string& name, std::string commit, const std::string& text) {
    GitTree tree;
    commit.resize(40, '0');
    tree.commit = std::move(commit);
    tree.files = {{"all.yaml", text}};
    trees.insert_or_assign(name, std::move(tree));
  }

  std::map<std::string, absl::StatusOr<GitTree>> trees;
  int reads = 0;
  std::set<std::string> forgotten;
};

// Reads them, each time within a tenth of a second.
class FakeGit final : public GitReader {
 public:
  FakeGit(Executor& executor, FakeRepositories& repositories)
      : repositories_(repositories), executor_(executor) {}
  void Read(const std::string& name, const kube::GitSourceSpec&, Done done) override {
    ++repositories_.reads;
    executor_.After(absl::Milliseconds(100), [this, name, done = std::move(done)] {
      const auto it = repositories_.trees.find(name);
      done(it == repositories_.trees.end() ? absl::StatusOr<GitTree>(NotFound("no such repository"))
                                           : it->second);
    });
  }
  void Forget(const std::string& name) override { repositories_.forgotten.insert(name); }

 private:
  FakeRepositories& repositories_;
  ScopedExecutor executor_;
};

}  // namespace sealane::source

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "lib/model/selector.h"

namespace sealane::policy {

// Which stored objects carry which labels: a policy with a label selector finds its objects without
// looking at all of their kind. Thread rule: one thread.
class LabelIndex {
 public:
  // The labels of the row's manifest from now on; "" when the row is gone.
  void Set(const std::string& row_key, std::string_view manifest);
  // Row keys with this prefix whose labels have each required key with one of its values; nullopt
  // when the selector requires none, so that every object of the kind is a candidate. Requirements
  // of other forms (NotIn, Exists, DoesNotExist) are not looked at.
  [[nodiscard]] std::optional<std::vector<std::string>> Find(std::string_view prefix,
                                                             const Selector& selector) const;
  [[nodiscard]] size_t size() const { return labels_.size(); }

 private:
  void Forget(const std::string& row_key);

  // Of objects that have labels. The nodes' keys are what the postings point to.
  std::map<std::string, std::vector<uint64_t>, std::less<>> labels_;
  absl::flat_hash_map<uint64_t, absl::flat_hash_set<const std::string*>> postings_;
};

// metadata.labels of a manifest in JSON, read without building the rest.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> LabelsOf(std::string_view manifest);

}  // namespace sealane::policy

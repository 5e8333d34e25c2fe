#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/inlined_vector.h"
#include "lib/model/selector.h"

namespace sealane::policy {

// Which stored objects carry which labels: a policy with a label selector finds its objects without
// looking at all of their kind. Thread rule: one thread.
class LabelIndex {
 public:
  // The labels of the row's manifest from now on; "" when the row is gone.
  void Set(std::string_view row_key, std::string_view manifest);
  // Row keys with this prefix whose labels have each required key with one of its values; nullopt
  // when the selector requires none, so that every object of the kind is a candidate. Requirements
  // of other forms (NotIn, Exists, DoesNotExist) are not looked at.
  [[nodiscard]] std::optional<std::vector<std::string>> Find(std::string_view prefix,
                                                             const Selector& selector) const;
  [[nodiscard]] size_t size() const { return objects_.size(); }

 private:
  using Labels = absl::InlinedVector<uint64_t, 2>;  // hashes, sorted
  struct Object {
    std::string row_key;
    Labels labels;
  };
  struct ByKey {
    using is_transparent = void;
    static std::string_view KeyOf(std::string_view key) { return key; }
    static std::string_view KeyOf(const std::unique_ptr<Object>& object) { return object->row_key; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyOf(a) < KeyOf(b);
    }
  };
  using Posting = std::pair<uint64_t, const Object*>;

  void Forget(std::string_view row_key);

  // Few bytes for each, as there are as many as objects: only those that have labels.
  absl::btree_set<std::unique_ptr<Object>, ByKey> objects_;
  absl::btree_set<Posting> postings_;
};

// metadata.labels of a manifest in JSON, read without building the rest.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> LabelsOf(std::string_view manifest);

}  // namespace sealane::policy

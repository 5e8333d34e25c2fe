#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::kubeapi {

// labelSelector of a query: "a=b,c!=d,e in (x,y),!f". The empty selector matches everything.
class LabelQuery {
 public:
  // 400 with the real server's words when malformed.
  static absl::StatusOr<LabelQuery> Parse(std::string_view text);
  // A LabelSelector object (matchLabels, matchExpressions). A null one matches nothing.
  static absl::StatusOr<LabelQuery> FromObject(const Json& selector);

  // `labels` is a metadata.labels map, or null.
  [[nodiscard]] bool Matches(const Json& labels) const;
  [[nodiscard]] bool empty() const { return terms_.empty() && !nothing_; }
  // Text form that Parse reads again: "a=b,c in (x,y)".
  [[nodiscard]] std::string ToString() const;

 private:
  enum class Op { kIn, kNotIn, kExists, kNotExists, kGreater, kLess };
  struct Term {
    std::string key;
    Op op;
    std::vector<std::string> values;
    bool equality = false;  // written as = or !=
  };
  friend class LabelParser;
  std::vector<Term> terms_;
  bool nothing_ = false;
};

// fieldSelector of a query: "metadata.name=x,status.phase!=Running".
class FieldQuery {
 public:
  // `supported` are the fields that the resource knows besides metadata.name and
  // metadata.namespace. 400 for others.
  static absl::StatusOr<FieldQuery> Parse(std::string_view text,
                                          const std::vector<std::string>& supported);
  [[nodiscard]] bool Matches(const Json& object) const;
  [[nodiscard]] bool empty() const { return terms_.empty(); }
  // The value that metadata.name must have; empty when it is free.
  [[nodiscard]] std::string Name() const;

 private:
  struct Term {
    std::string field;
    std::string value;
    bool equal;
  };
  std::vector<Term> terms_;
};

// The value at a dotted path, as text; empty when absent.
[[nodiscard]] std::string FieldText(const Json& object, std::string_view path);

}  // namespace sealane::kubeapi

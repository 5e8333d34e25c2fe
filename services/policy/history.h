#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/bus/bus.h"
#include "lib/bus/packed_table.h"
#include "lib/bus/query.h"
#include "lib/bus/stream_reader.h"
#include "lib/core/env.h"
#include "sealane/v1/query.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::policy {

// What objects were before their present generation: the table `revisions`, with a StoredObject for
// each generation that was replaced or deleted. Intake writes it.

// So many generations are kept of one object, beside the one in force.
inline constexpr int kRevisionsKept = 10;

// Where a replaced generation is kept: "revisions.<row key>.<slot>". A generation takes the place
// of the one kRevisionsKept before it, so that nobody has to clean up.
[[nodiscard]] std::string RevisionSubject(std::string_view row_key, int64_t generation);

// The history of one object, oldest first, the generation in force last: what was kept (in any
// order), and the row it has now. An object that was gone and was made anew counts its generations
// from 1 again; those of its earlier life are left out.
[[nodiscard]] std::vector<v1::StoredObject> HistoryOf(std::vector<v1::StoredObject> kept,
                                                      const std::optional<v1::StoredObject>& now);

// Answers what = history. Thread rule: executor thread.
class HistoryAnswers {
 public:
  // The bus and the table must outlive it.
  HistoryAnswers(Env env, Bus& bus, const PackedTable<v1::StoredObject>& objects);
  // `name` is required; group, kind and namespace narrow further. `objects`: by object, oldest
  // first; `revisions`: of the row in force, 0 for what is not. Objects that are gone are found,
  // too.
  void Answer(const v1::QueryRequest& request, const std::shared_ptr<QueryAnswer>& answer);

 private:
  const PackedTable<v1::StoredObject>& objects_;
  StreamReader reader_;
};

}  // namespace sealane::policy

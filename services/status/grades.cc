#include "services/status/grades.h"

#include <algorithm>
#include <string>
#include <vector>

#include "lib/core/strings.h"
#include "lib/model/quantity.h"
#include "lib/model/same_message.h"

namespace sealane::status {
namespace {

// Where Karmada's default grades begin; the last has no end.
constexpr int kDefaultGrades = 9;
constexpr const char* kNoEnd = "9223372036854775807";
constexpr int kCpus[] = {0, 1, 2, 4, 8, 16, 32, 64, 128};
constexpr int kGibibytes[] = {0, 4, 16, 32, 64, 128, 256, 512, 1024};

void AddRange(std::string_view name, std::string min, std::string max, v1::ResourceModel& model) {
  v1::ResourceRange& range = *model.add_ranges();
  range.set_name(std::string(name));
  range.set_min(std::move(min));
  range.set_max(std::move(max));
}

Quantity AmountOf(const v1::NodeShape& shape, const std::string& name) {
  const auto found = shape.free().find(name);
  if (found == shape.free().end()) return {};
  const auto amount = Quantity::Parse(found->second);
  return amount.ok() ? *amount : Quantity();
}

bool Reaches(const v1::NodeShape& shape, const v1::ResourceModel& model) {
  return std::all_of(model.ranges().begin(), model.ranges().end(),
                     [&](const v1::ResourceRange& range) {
                       const auto min = Quantity::Parse(range.min());
                       return min.ok() && AmountOf(shape, range.name()) >= *min;
                     });
}

}  // namespace

void AddDefaultResourceModels(v1::ClusterStatus& row) {
  for (int i = 0; i < kDefaultGrades; ++i) {
    const bool last = i + 1 == kDefaultGrades;
    v1::ResourceModel& model = *row.add_resource_models();
    model.set_grade(static_cast<uint32_t>(i));
    AddRange("cpu", StrCat(kCpus[i]), last ? kNoEnd : StrCat(kCpus[i + 1]), model);
    const std::string from = kGibibytes[i] == 0 ? "0" : StrCat(kGibibytes[i], "Gi");
    AddRange("memory", from, last ? kNoEnd : StrCat(kGibibytes[i + 1], "Gi"), model);
  }
}

void CountGrades(const v1::Heartbeat& heartbeat, v1::ClusterStatus& row) {
  if (row.resource_models().empty() || !heartbeat.has_resource_summary()) return;
  v1::ResourceSummary& summary = *row.mutable_resource_summary();
  summary.clear_allocatable_modelings();
  // An agent of an earlier version says nothing of its nodes one by one.
  if (heartbeat.node_shapes().empty() && !summary.allocatable().empty()) return;
  std::vector<int32_t> counts(static_cast<size_t>(row.resource_models_size()), 0);
  for (const v1::NodeShape& shape : heartbeat.node_shapes()) {
    for (size_t i = counts.size(); i > 0; --i) {
      if (!Reaches(shape, row.resource_models(static_cast<int>(i - 1)))) continue;
      counts[i - 1] += shape.count();
      break;
    }
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    v1::AllocatableModeling& modeling = *summary.add_allocatable_modelings();
    modeling.set_grade(row.resource_models(static_cast<int>(i)).grade());
    modeling.set_count(counts[i]);
  }
}

bool SameResourceModels(const v1::ClusterStatus& a, const v1::ClusterStatus& b) {
  return std::equal(
      a.resource_models().begin(), a.resource_models().end(), b.resource_models().begin(),
      b.resource_models().end(),
      [](const v1::ResourceModel& x, const v1::ResourceModel& y) { return SameMessage(x, y); });
}

}  // namespace sealane::status

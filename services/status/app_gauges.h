#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "lib/model/identity.h"
#include "lib/telemetry/metrics.h"

namespace sealane {

namespace v1 {
class AppStatus;
}  // namespace v1

namespace status {

// Series with a label per application, for those who asked for them (--per-app-metrics): phase,
// replicas by cluster, clusters by how far they are, and how long each step of the newest
// generation took in the slowest cluster. At most so many applications; those beyond are counted.
// Thread rule: the executor thread only.
class AppGauges {
 public:
  // `limit` 0: nothing is told of any application.
  AppGauges(Registry& registry, size_t limit);
  ~AppGauges();
  AppGauges(const AppGauges&) = delete;
  AppGauges& operator=(const AppGauges&) = delete;

  [[nodiscard]] bool enabled() const { return limit_ > 0; }
  void Set(const std::string& row_key, const v1::AppStatus& row);
  void Remove(std::string_view row_key);

 private:
  using Series = std::set<std::pair<std::string, Labels>>;

  void Put(std::string_view name, std::string_view help, Labels labels, double value,
           Series& present);

  Registry& registry_;
  const size_t limit_;
  std::map<std::string, Series, std::less<>> apps_;  // what each row key has
  std::set<std::string, std::less<>> untold_;        // beyond the limit
  Gauge* untold_count_ = nullptr;
};

}  // namespace status
}  // namespace sealane

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/store.h"

namespace sealane {

namespace v1 {
class AppStatus;
class StoredObject;
}  // namespace v1

namespace gateway {

// One object of work.karmada.io, made from what the fleet says of one of its objects.
struct View {
  kubeapi::ObjectKey key;
  std::shared_ptr<Json> object;  // without resourceVersion
};

// What Karmada's users look for beside an object: its ResourceBinding (ClusterResourceBinding for
// one without a namespace) with the chosen clusters and what became of it there, and one Work for
// each of these clusters. Empty when no policy has claimed the object. Pure.
[[nodiscard]] std::vector<View> MakeViews(const v1::StoredObject& row, const v1::AppStatus& app);
// Their keys alone, in the same order.
[[nodiscard]] std::vector<kubeapi::ObjectKey> ViewKeys(const v1::StoredObject& row,
                                                       const v1::AppStatus& app);

// The views of all objects, made when they are read: only what they are made from is kept. While
// nobody reads them their changes are not told either; whoever lists them wakes them, and watches
// on from there. Thread rule: one thread.
class BindingViews {
 public:
  // Changes that watches may resume from.
  static constexpr size_t kHistory = 2048;
  using Tell = std::function<void(const kubeapi::Change&)>;

  BindingViews();
  ~BindingViews();
  // Whether a resource (kubeapi::Resource::StorageName) is made of views.
  [[nodiscard]] static bool Has(std::string_view resource);
  // The definitions of these kinds, as Kinds::FleetDefinitions.
  [[nodiscard]] static std::vector<Json> Definitions();

  // What the fleet says of the object of a row key; `row` nullptr: it is not known yet. `tell` may
  // be empty in all of these.
  void SetApp(const std::string& row_key, const v1::StoredObject* row, v1::AppStatus app,
              uint64_t revision, const Tell& tell);
  void SetRow(const std::string& row_key, const v1::StoredObject& row, uint64_t revision,
              const Tell& tell);
  void Remove(const std::string& row_key, uint64_t revision, const Tell& tell);
  // Call it from time to time: views that were not read since the last call fall asleep.
  void Rest();
  [[nodiscard]] kubeapi::ObjectPtr Get(const kubeapi::ObjectKey& key) const;
  void ForEach(std::string_view resource, std::string_view ns,
               const std::pair<std::string, std::string>& after,
               const std::function<bool(const kubeapi::ObjectPtr&)>& visit) const;
  [[nodiscard]] size_t Count(std::string_view resource, std::string_view ns) const;
  [[nodiscard]] absl::StatusOr<std::vector<kubeapi::Change>> History(std::string_view resource,
                                                                     uint64_t revision) const;

 private:
  // What the views of one object are made from, as on the bus.
  struct Source {
    std::string row;  // without its manifest; empty: not known yet
    std::string app;
    uint64_t revision = 0;
  };
  using Index = std::map<std::pair<std::string, std::string>, const std::string*>;  // -> row key

  [[nodiscard]] static std::vector<View> Make(const Source& source);
  [[nodiscard]] static std::vector<kubeapi::ObjectKey> KeysOf(const Source& source);
  void Wake() const { awake_ = used_ = true; }
  [[nodiscard]] static kubeapi::ObjectPtr Find(std::string_view resource, std::string_view ns,
                                               std::string_view name, const Source& source);
  // `keys`: of its views.
  void Replace(const std::string& row_key, const Source& next,
               const std::vector<kubeapi::ObjectKey>& keys, const Tell& tell);
  void Record(kubeapi::Change change, const Tell& tell);

  std::map<std::string, Source> sources_;                // by row key
  std::map<std::string, Index, std::less<>> resources_;  // by storage name
  std::deque<kubeapi::Change> history_;
  mutable bool awake_ = false;   // somebody may watch
  mutable bool used_ = false;    // since Rest
  uint64_t complete_since_ = 0;  // every change after this revision is in the history
};

}  // namespace gateway
}  // namespace sealane

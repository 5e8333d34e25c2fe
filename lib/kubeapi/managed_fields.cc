#include "lib/kubeapi/managed_fields.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/typed.h"

namespace sealane::kubeapi {
namespace {

// Above this many managers by update, the oldest are merged into one ("ancient-changes").
constexpr size_t kMaxUpdateManagers = 10;

// Identity of an owner. Appliers keep one entry whatever version they write.
struct Owner {
  std::string operation;  // "Apply" or "Update"
  std::string name;
  std::string api_version;  // "" for Apply
  std::string subresource;

  [[nodiscard]] auto Key() const { return std::tie(name, operation, api_version, subresource); }
  bool operator<(const Owner& other) const { return Key() < other.Key(); }
};

struct Owned {
  FieldSet set;
  std::string api_version;
  std::string time;  // "" when unknown
};

using Owners = std::map<Owner, Owned>;

// Fields that nobody owns.
FieldSet Untracked() {
  FieldSet out;
  for (const char* top : {"apiVersion", "kind", "metadata"}) out.Insert({StrCat("f:", top)});
  for (const char* field : {"name", "namespace", "creationTimestamp", "selfLink", "uid",
                            "clusterName", "generation", "managedFields", "resourceVersion"}) {
    out.Insert({"f:metadata", StrCat("f:", field)});
  }
  return out;
}

const Json* ManagedFieldsOf(const Json& object) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return nullptr;
  const auto fields = metadata->find("managedFields");
  return fields == metadata->end() || !fields->is_array() ? nullptr : &*fields;
}

Json WithoutManagedFields(const Json& object) {
  Json out = object;
  if (const auto metadata = out.find("metadata"); metadata != out.end() && metadata->is_object()) {
    metadata->erase("managedFields");
  }
  return out;
}

Owners Decode(const Json* entries) {
  Owners out;
  if (entries == nullptr) return out;
  for (const Json& entry : *entries) {
    if (!entry.is_object()) continue;
    Owner owner{Text(entry, "operation"), Text(entry, "manager"), Text(entry, "apiVersion"),
                Text(entry, "subresource")};
    if (owner.operation != "Apply" && owner.operation != "Update") continue;
    Owned owned{FromFieldsV1(entry.value("fieldsV1", Json::object())), owner.api_version,
                Text(entry, "time")};
    if (owner.operation == "Apply") owner.api_version.clear();
    out[owner] = std::move(owned);
  }
  return out;
}

Json Encode(const Owners& owners) {
  std::vector<const Owners::value_type*> sorted;
  for (const auto& entry : owners) {
    if (!entry.second.set.Empty()) sorted.push_back(&entry);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return std::tie(a->first.operation, a->second.time, a->first.name) <
           std::tie(b->first.operation, b->second.time, b->first.name);
  });
  Json out = Json::array();
  for (const auto* entry : sorted) {
    Json item = {{"manager", entry->first.name},
                 {"operation", entry->first.operation},
                 {"apiVersion", entry->second.api_version},
                 {"fieldsType", "FieldsV1"},
                 {"fieldsV1", ToFieldsV1(entry->second.set)}};
    if (!entry->second.time.empty()) item["time"] = entry->second.time;
    if (!entry->first.subresource.empty()) item["subresource"] = entry->first.subresource;
    out.push_back(std::move(item));
  }
  return out;
}

void MergeOldest(Owners& owners, const Manager& manager) {
  std::vector<Owners::iterator> updates;
  for (auto it = owners.begin(); it != owners.end(); ++it) {
    if (it->first.operation == "Update" && it->first.subresource.empty()) updates.push_back(it);
  }
  if (updates.size() <= kMaxUpdateManagers) return;
  std::stable_sort(updates.begin(), updates.end(),
                   [](const auto& a, const auto& b) { return a->second.time < b->second.time; });
  Owned merged;
  merged.api_version = manager.api_version;
  for (size_t i = 0; i <= updates.size() - kMaxUpdateManagers; ++i) {
    merged.set = Union(merged.set, updates[i]->second.set);
    merged.time = std::max(merged.time, updates[i]->second.time);
    owners.erase(updates[i]);
  }
  owners[Owner{"Update", "ancient-changes", manager.api_version, ""}] = std::move(merged);
}

// An object of the type as it is before anything is set: only the structs held by value.
Json Blank(const Type& type) {
  Json out = Json::object();
  for (const std::string& name : type.always) out[name] = Blank(*type.Find(name)->type);
  // The one required list of the types that has no omitempty: it exists, null.
  if (type.name == "PodSpec") out["containers"] = nullptr;
  return out;
}

absl::Status Conflict(const std::map<Owner, FieldSet>& conflicts) {
  size_t count = 0;
  std::vector<std::string> lines;
  Json causes = Json::array();
  for (const auto& [owner, set] : conflicts) {
    std::string who = StrCat("\"", owner.name, "\"");
    if (!owner.subresource.empty()) who += StrCat(" with subresource \"", owner.subresource, "\"");
    if (owner.operation == "Update") who += StrCat(" using ", owner.api_version);
    const std::vector<std::string> paths = PathTexts(set);
    count += paths.size();
    if (conflicts.size() == 1 && paths.size() == 1) {
      lines.push_back(StrCat("conflict with ", who, ": ", paths.front()));
    } else {
      lines.push_back(StrCat("conflicts with ", who, ":\n- ", StrJoin(paths, "\n- ")));
    }
    for (const std::string& path : paths) {
      causes.push_back({{"reason", "FieldManagerConflict"},
                        {"message", StrCat("conflict with ", who)},
                        {"field", path}});
    }
  }
  return ApiError(409, "Conflict",
                  StrCat("Apply failed with ", count,
                         count == 1 ? " conflict: " : " conflicts: ", StrJoin(lines, "\n")),
                  Json{{"causes", causes}});
}

// Takes what changed away from everyone but `self`. Fails when that hurts an owner, unless `force`.
absl::Status TakeOver(const Comparison& change, const Owner* self, bool force, Owners& owners) {
  const FieldSet touched = Union(change.added, change.modified);
  std::map<Owner, FieldSet> conflicts;
  for (const auto& [owner, owned] : owners) {
    if (self != nullptr && !(owner < *self) && !(*self < owner)) continue;
    FieldSet hurt = Intersection(owned.set, touched);
    if (!hurt.Empty()) conflicts[owner] = std::move(hurt);
  }
  if (!force && !conflicts.empty()) return Conflict(conflicts);
  for (auto it = owners.begin(); it != owners.end();) {
    const bool is_self = self != nullptr && !(it->first < *self) && !(*self < it->first);
    if (!is_self) {
      if (const auto hurt = conflicts.find(it->first); hurt != conflicts.end()) {
        it->second.set = Difference(it->second.set, hurt->second);
      }
      it->second.set = Difference(it->second.set, change.removed);
    }
    it = !is_self && it->second.set.Empty() ? owners.erase(it) : std::next(it);
  }
  return absl::OkStatus();
}

// What the applier owned before and no longer sets goes, unless another owner still wants it.
Json Prune(const Type& type, const Json& merged, const FieldSet& last, const Owners& owners) {
  if (last.Empty()) return merged;
  const FieldSet last_named = WithNamedFields(type, last);
  const Json pruned = RemoveItems(type, merged, last_named);
  const FieldSet merged_set = WithNamedFields(type, PathsOf(type, merged));
  FieldSet owned;
  for (const auto& entry : owners) owned = Union(owned, entry.second.set);
  const auto paths = [&](const Json& value) {
    return value.is_null() ? FieldSet() : WithNamedFields(type, PathsOf(type, value));
  };
  const Json with_owned = RemoveItems(
      type, merged, Difference(merged_set, Union(paths(pruned), WithNamedFields(type, owned))));
  return RemoveItems(type, merged,
                     Intersection(Difference(merged_set, paths(with_owned)), last_named));
}

}  // namespace

Json ManagedFieldsAfterUpdate(const Type& type, const Json& before, const Json& after,
                              const Manager& manager) {
  const Json* given = ManagedFieldsOf(after);
  Owners owners;
  const bool reset = given != nullptr && given->size() == 1 && given->front().is_object() &&
                     given->front().empty();
  if (!reset) {
    if (manager.subresource.empty()) owners = Decode(given);
    if (owners.empty()) owners = Decode(ManagedFieldsOf(before));
  }
  const Json base = before.empty() ? Blank(type) : WithoutManagedFields(before);
  const Comparison change = Compare(type, base, WithoutManagedFields(after));
  const FieldSet untracked = Untracked();
  // Everyone else loses what changed; nothing can conflict in a plain update.
  (void)TakeOver(change, nullptr, /*force=*/true, owners);
  const FieldSet mine = Difference(Union(change.added, change.modified), untracked);
  if (!mine.Empty()) {
    Owned& owned = owners[Owner{"Update", manager.name, manager.api_version, manager.subresource}];
    owned.set = Union(owned.set, mine);
    owned.api_version = manager.api_version;
    owned.time = FormatKubeTime(manager.now);
  }
  MergeOldest(owners, manager);
  return Encode(owners);
}

absl::StatusOr<Json> ApplyConfig(const Type& type, const Json& live, const Json& config,
                                 const FieldSet& reset, const Manager& manager, bool force) {
  if (const Json* fields = ManagedFieldsOf(config); fields != nullptr && !fields->empty()) {
    return BadRequest("metadata.managedFields must be nil");
  }
  if (absl::Status status = CheckTyped(type, config); !status.ok()) {
    const Json metadata = config.value("metadata", Json::object());
    return ApiError(500, "",
                    StrCat("failed to create typed patch object (", Text(metadata, "namespace"),
                           "/", Text(metadata, "name"), "; ",
                           Text(config, "apiVersion").find('/') == std::string::npos ? "/" : "",
                           Text(config, "apiVersion"), ", Kind=", Text(config, "kind"),
                           "): ", ToStd(status.message())));
  }
  const FieldSet ignored = Union(Untracked(), reset);
  Json base = live.empty() ? Blank(type) : WithoutManagedFields(live);
  Owners owners = Decode(ManagedFieldsOf(live));
  if (owners.empty() && !live.empty()) {
    // The object was never tracked: everything in it belongs to whoever came before.
    const FieldSet all = RecursiveDifference(PathsOf(type, base), FieldSet());
    owners[Owner{"Update", "before-first-apply", manager.api_version, ""}] =
        Owned{Difference(all, Untracked()), manager.api_version, FormatKubeTime(manager.now)};
  }
  const Owner self{"Apply", manager.name, "", manager.subresource};
  const auto previous = owners.find(self);
  const FieldSet last = previous == owners.end() ? FieldSet() : previous->second.set;
  const std::string last_time = previous == owners.end() ? "" : previous->second.time;

  Json wanted = RemoveItems(type, config, reset);
  if (wanted.is_null()) wanted = Json::object();
  owners[self] = Owned{RecursiveDifference(Difference(PathsOf(type, wanted), Untracked()), reset),
                       manager.api_version, last_time};
  const Json merged = Merge(type, base, wanted);
  Json result = Prune(type, merged, last, owners);
  if (result.is_null()) result = Json::object();
  Comparison change = Compare(type, base, result);
  change.added = Difference(change.added, ignored);
  change.modified = Difference(change.modified, ignored);
  SEALANE_RETURN_IF_ERROR(TakeOver(change, &self, force, owners));
  if (!change.Same()) owners[self].time = FormatKubeTime(manager.now);
  result["metadata"]["managedFields"] = Encode(owners);
  return result;
}

bool DiffersBeyondTimes(const Json& before, const Json& after) {
  if (before == after) return false;
  const Json* old_fields = ManagedFieldsOf(before);
  const Json* new_fields = ManagedFieldsOf(after);
  if (old_fields == nullptr || new_fields == nullptr) return true;
  const auto without_times = [](const Json& entries) {
    std::vector<std::string> out;
    for (Json entry : entries) {
      if (entry.is_object()) entry.erase("time");
      out.push_back(entry.dump());
    }
    std::sort(out.begin(), out.end());
    return out;
  };
  return without_times(*old_fields) != without_times(*new_fields) ||
         WithoutManagedFields(before) != WithoutManagedFields(after);
}

}  // namespace sealane::kubeapi

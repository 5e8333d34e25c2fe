#include "tools/sealane/changes.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "lib/kube/json_patch.h"
#include "lib/kube/prune.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

constexpr const char* kManagedLabel = "sealane.io/managed";
constexpr size_t kMaxValue = 100;  // bytes of a value that are shown

std::string Shorten(const Json& value) {
  std::string text = WriteJson(value);
  if (text.size() <= kMaxValue) return text;
  size_t end = kMaxValue;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return StrCat(text.substr(0, end), "...");
}

bool HoldsObjects(const Json& list) {
  return std::any_of(list.begin(), list.end(), [](const Json& item) { return item.is_object(); });
}

void Compare(const Json* from, const Json* to, const std::string& path,
             std::vector<FieldChange>* changes) {
  if (from != nullptr && to != nullptr && *from == *to) return;
  const auto both = [&](auto is) {
    return from != nullptr && to != nullptr && is(*from) && is(*to);
  };
  if (both([](const Json& json) { return json.is_object(); })) {
    std::map<std::string, std::pair<const Json*, const Json*>> fields;
    for (const auto& [name, value] : from->items()) fields[name].first = &value;
    for (const auto& [name, value] : to->items()) fields[name].second = &value;
    for (const auto& [name, values] : fields) {
      Compare(values.first, values.second, StrCat(path, "/", kube::EscapePointerToken(name)),
              changes);
    }
    return;
  }
  if (both([](const Json& json) { return json.is_array() && HoldsObjects(json); })) {
    for (size_t i = 0; i < std::max(from->size(), to->size()); ++i) {
      Compare(i < from->size() ? &(*from)[i] : nullptr, i < to->size() ? &(*to)[i] : nullptr,
              StrCat(path, "/", i), changes);
    }
    return;
  }
  changes->push_back(
      {path, from == nullptr ? "" : Shorten(*from), to == nullptr ? "" : Shorten(*to), ""});
}

// Whether one pointer is the other or leads to it.
bool Overlap(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return b.starts_with(a) && (a.size() == b.size() || b[a.size()] == '/');
}

// Adding to a list or removing from it moves what is behind: then the whole list was touched.
std::string_view Touched(const v1::AppliedOverride& applied) {
  const std::string_view path = applied.path();
  const size_t slash = path.rfind('/');
  if (applied.operator_() == "replace" || slash == std::string_view::npos) return path;
  const std::string_view last = path.substr(slash + 1);
  const bool element =
      last == "-" || (!last.empty() && last.find_first_not_of("0123456789") == last.npos);
  return element ? path.substr(0, slash) : path;
}

std::string Origin(const v1::Work& work, bool last_good, const std::string& field) {
  const auto& all = work.applied_overrides();
  const auto exact = std::find_if(all.rbegin(), all.rend(), [&](const auto& applied) {
    return Overlap(applied.path(), field);
  });
  if (exact != all.rend()) return FormatOrigin(*exact);
  const auto near = std::find_if(all.rbegin(), all.rend(), [&](const auto& applied) {
    return Overlap(Touched(applied), field);
  });
  if (near != all.rend()) return FormatOrigin(*near);
  if (last_good) return "an earlier rendering";
  static constexpr std::array<std::string_view, 3> kReplicas = {
      "/spec/replicas", "/spec/parallelism", "/spec/completions"};
  if (std::find(kReplicas.begin(), kReplicas.end(), field) != kReplicas.end()) {
    return "the placement";
  }
  return "Sealane";
}

}  // namespace

Json BaseManifest(const Json& published) {
  Json base = published;
  if (!kube::Prune(base).ok()) base = published;  // the service could not render it either
  if (base.is_object() && base["metadata"].is_object()) {
    Json& labels = base["metadata"]["labels"];
    if (!labels.is_object()) labels = Json::object();
    labels[kManagedLabel] = "true";
  }
  return base;
}

std::vector<FieldChange> ChangesOf(const Json& base, const Json& manifest, const v1::Work& work,
                                   bool last_good) {
  std::vector<FieldChange> changes;
  Compare(&base, &manifest, "", &changes);
  for (FieldChange& change : changes) change.by = Origin(work, last_good, change.field);
  return changes;
}

std::string FormatOrigin(const v1::AppliedOverride& applied) {
  return StrCat(FormatRef(applied.policy()), ", rule ", applied.rule(), ", ", applied.overrider(),
                " (", applied.operator_(), ")");
}

}  // namespace sealane::cli

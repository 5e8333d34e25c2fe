#include "tools/sealane/history.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "lib/model/identity.h"
#include "tools/sealane/text_diff.h"

namespace sealane::cli {
namespace {

// The first revision with the same manifest; the revision itself when there is none before it.
int64_t FirstAlike(const ObjectHistory& history, const v1::StoredObject& revision) {
  const auto same = std::find_if(
      history.revisions.begin(), history.revisions.end(),
      [&](const v1::StoredObject& other) { return other.manifest() == revision.manifest(); });
  return same == history.revisions.end() ? revision.generation() : same->generation();
}

bool IsInForce(const ObjectHistory& history, const v1::StoredObject& revision) {
  return history.in_force() && revision.generation() == history.revisions.back().generation();
}

std::string Numbers(const ObjectHistory& history) {
  std::vector<std::string> numbers;
  for (const v1::StoredObject& revision : history.revisions) {
    numbers.push_back(StrCat(revision.generation()));
  }
  return StrJoin(numbers, ", ");
}

}  // namespace

absl::StatusOr<ObjectHistory> SelectHistory(const v1::QueryReply& reply, const AppName& name) {
  std::map<ObjectKey, ObjectHistory> found;
  std::vector<v1::ObjectRef> refs;
  for (int i = 0; i < reply.objects_size(); ++i) {
    const v1::StoredObject& object = reply.objects(i);
    ObjectHistory& history = found[KeyOf(object.ref())];
    if (history.revisions.empty()) refs.push_back(object.ref());
    history.ref = object.ref();
    history.revisions.push_back(object);
    history.row_revision = i < reply.revisions_size() ? reply.revisions(i) : 0;
  }
  SEALANE_ASSIGN_OR_RETURN(const v1::ObjectRef chosen, SelectRef(refs, name));
  return std::move(found.at(KeyOf(chosen)));
}

absl::StatusOr<const v1::StoredObject*> FindRevision(const ObjectHistory& history,
                                                     int64_t revision) {
  for (const v1::StoredObject& object : history.revisions) {
    if (object.generation() == revision) return &object;
  }
  return NotFound(StrCat(FormatRef(history.ref), " has no revision ", revision,
                         " any more or yet; kept are ", Numbers(history)));
}

absl::StatusOr<const v1::StoredObject*> PreviousRevision(const ObjectHistory& history) {
  const v1::StoredObject& last = history.revisions.back();
  if (!history.in_force()) return &last;
  for (auto it = history.revisions.rbegin(); it != history.revisions.rend(); ++it) {
    if (it->manifest() != last.manifest()) return &*it;
  }
  return NotFound(
      StrCat(FormatRef(history.ref), " has no earlier revision; kept is ", Numbers(history)));
}

std::string RevisionText(const v1::StoredObject& revision) {
  const Json manifest = Json::parse(revision.manifest(), nullptr, /*allow_exceptions=*/false);
  return manifest.is_discarded() ? revision.manifest() : kube::ToYaml(manifest);
}

std::string RevisionDiff(const v1::StoredObject& from, const v1::StoredObject& to) {
  if (from.manifest() == to.manifest()) return "";
  if (from.ref().kind() == "Secret") return "they differ; what a Secret holds is not shown\n";
  return UnifiedDiff(RevisionText(from), RevisionText(to), StrCat("revision ", from.generation()),
                     StrCat("revision ", to.generation()));
}

std::string FormatHistory(const ObjectHistory& history, const ViewOptions& options) {
  std::string out = StrCat(options.style.Bold(FormatRef(history.ref)), "\n");
  std::vector<std::string> header = {"REVISION", "AGE", "PUBLISHER", "NOTE"};
  if (options.wide) header.emplace_back("EVENT");
  TextTable table(std::move(header));
  for (auto it = history.revisions.rbegin(); it != history.revisions.rend(); ++it) {
    std::vector<std::string> notes;
    if (IsInForce(history, *it)) notes.emplace_back("in force");
    if (const int64_t alike = FirstAlike(history, *it); alike != it->generation()) {
      notes.push_back(StrCat("the same as ", alike));
    }
    std::vector<std::string> row = {StrCat(it->generation()),
                                    FormatAge(options.now_micros, it->updated_micros()),
                                    it->publisher().empty() ? "-" : it->publisher(),
                                    notes.empty() ? "-" : StrJoin(notes, ", ")};
    if (options.wide) row.push_back(it->event_id().empty() ? "-" : it->event_id());
    table.Add(std::move(row));
  }
  return out.append(table.Render(options.style));
}

Json HistoryToJson(const ObjectHistory& history) {
  Json revisions = Json::array();
  for (const v1::StoredObject& revision : history.revisions) {
    Json manifest = Json::parse(revision.manifest(), nullptr, /*allow_exceptions=*/false);
    revisions.push_back({{"revision", revision.generation()},
                         {"inForce", IsInForce(history, revision)},
                         {"sameAs", FirstAlike(history, revision)},
                         {"publishedMicros", revision.updated_micros()},
                         {"publisher", revision.publisher()},
                         {"eventId", revision.event_id()},
                         {"uid", revision.uid()},
                         {"manifest", manifest.is_discarded() ? Json() : std::move(manifest)}});
  }
  return {{"object", FormatRef(history.ref)}, {"revisions", std::move(revisions)}};
}

}  // namespace sealane::cli

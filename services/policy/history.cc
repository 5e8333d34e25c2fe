#include "services/policy/history.h"

#include <algorithm>
#include <map>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"

namespace sealane::policy {
namespace {

struct Kept {
  std::optional<v1::StoredObject> now;
  uint64_t revision = 0;                           // of `now`
  std::map<std::string, v1::StoredObject> before;  // by slot
};

bool Fits(const std::string& filter, std::string_view token) {
  return filter.empty() || EncodeToken(filter) == token;
}

// Whether the row "<group>.<kind>.<namespace>.<name>" is asked for.
bool IsAskedFor(const v1::QueryRequest& request, std::string_view key) {
  return EncodeToken(request.name()) == SubjectToken(key, 3) &&
         Fits(request.namespace_(), SubjectToken(key, 2)) &&
         Fits(request.kind(), SubjectToken(key, 1)) && Fits(request.group(), SubjectToken(key, 0));
}

std::string Token(const std::string& filter) { return filter.empty() ? "*" : EncodeToken(filter); }

}  // namespace

std::string RevisionSubject(std::string_view row_key, int64_t generation) {
  return StrCat(kRevisionsTable, ".", row_key, ".", generation % kRevisionsKept);
}

std::vector<v1::StoredObject> HistoryOf(std::vector<v1::StoredObject> kept,
                                        const std::optional<v1::StoredObject>& now) {
  if (now.has_value() && !now->deleting()) kept.push_back(*now);
  // Newest first: deploy events have one order, over all lives of an object.
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
    return std::pair(a.deploy_sequence(), a.generation()) >
           std::pair(b.deploy_sequence(), b.generation());
  });
  std::vector<v1::StoredObject> history;
  for (v1::StoredObject& object : kept) {
    if (!history.empty() && object.generation() == history.back().generation() &&
        object.uid() == history.back().uid()) {
      continue;  // kept already, and not yet replaced
    }
    if (!history.empty() && object.generation() >= history.back().generation()) break;
    history.push_back(std::move(object));
  }
  std::reverse(history.begin(), history.end());
  return history;
}

HistoryAnswers::HistoryAnswers(Env env, Bus& bus, const PackedTable<v1::StoredObject>& objects)
    : objects_(objects), reader_(env, bus) {}

void HistoryAnswers::Answer(const v1::QueryRequest& request,
                            const std::shared_ptr<QueryAnswer>& answer) {
  if (request.name().empty()) {
    answer->Fail("history: name is required");
    return;
  }
  // The rows first: what replaces one of them meanwhile is a later generation, and left out.
  const auto found = std::make_shared<std::map<std::string, Kept>>();
  for (const auto& [key, row] : objects_.rows()) {
    if (!IsAskedFor(request, key)) continue;
    Kept& kept = (*found)[std::string(key)];
    kept.now = row.Parse();
    kept.revision = row.revision;
  }
  WatchOptions options;
  options.stream = std::string(kRevisionsTable);
  options.filter = StrCat(kRevisionsTable, ".", Token(request.group()), ".", Token(request.kind()),
                          ".", Token(request.namespace_()), ".", EncodeToken(request.name()), ".*");
  reader_.Read(
      options,
      [found](const BusMessage& message) {
        v1::StoredObject object;
        if (!object.ParseFromString(message.payload)) return;
        Kept& kept = (*found)[RowKey(object.ref())];
        kept.before[std::string(SubjectToken(message.subject, 5))] = std::move(object);
      },
      [found, answer](const absl::Status& status) {
        if (!status.ok()) {
          answer->Fail(ToStd(status.message()));
          return;
        }
        v1::QueryReply reply;
        for (auto& [key, kept] : *found) {
          std::vector<v1::StoredObject> before;
          for (auto& [slot, object] : kept.before) {
            const bool later =
                kept.now.has_value() && object.deploy_sequence() > kept.now->deploy_sequence();
            if (!later) before.push_back(std::move(object));
          }
          const bool in_force = kept.now.has_value() && !kept.now->deleting();
          for (v1::StoredObject& object : HistoryOf(std::move(before), kept.now)) {
            const bool now = in_force && object.uid() == kept.now->uid() &&
                             object.generation() == kept.now->generation();
            *reply.add_objects() = std::move(object);
            reply.add_revisions(now ? kept.revision : 0);
          }
        }
        answer->Send(reply);
        answer->End();
      });
}

}  // namespace sealane::policy

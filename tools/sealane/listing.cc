#include "tools/sealane/listing.h"

#include <map>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/policy_admission.h"
#include "lib/model/identity.h"
#include "tools/sealane/render_message.h"

namespace sealane::cli {
namespace {

template <typename Rows>
Json RowsToJson(const Rows& rows) {
  Json items = Json::array();
  for (const auto& row : rows) items.push_back(MessageToJson(row));
  return items;
}

std::string KindAndName(const v1::ObjectRef& ref) { return StrCat(ref.kind(), "/", ref.name()); }

}  // namespace

const std::vector<Noun>& Nouns() {
  static const auto& nouns = *new std::vector<Noun>{
      {"apps", "app", "status", "apps", true},
      {"clusters", "cluster", "status", "clusters", false},
      {"works", "work", "policy", "works", true},
      {"policies", "policy", "policy", "objects", true},
      {"objects", "object", "policy", "objects", true},
  };
  return nouns;
}

const Noun* FindNoun(std::string_view word) {
  for (const Noun& noun : Nouns()) {
    if (noun.name == word || noun.singular == word) return &noun;
  }
  return nullptr;
}

absl::StatusOr<Listing> List(Fleet& fleet, const Noun& noun, v1::QueryRequest filter, bool brief,
                             absl::Duration timeout) {
  filter.set_what(std::string(noun.what));
  if (noun.name == "policies") filter.set_group(std::string(kube::kPolicyGroup));
  if (noun.name == "apps" && brief) (*filter.mutable_options())["detail"] = "brief";
  Listing listing;
  SEALANE_ASSIGN_OR_RETURN(listing.reply, fleet.Query(noun.service, filter, timeout));
  if (noun.name == "works") {
    filter.set_what("work_status");
    SEALANE_ASSIGN_OR_RETURN(listing.statuses, fleet.Query("status", filter, timeout));
  }
  return listing;
}

std::vector<Listing> Rows(const Listing& listing) {
  std::vector<Listing> rows;
  for (const v1::AppStatus& app : listing.reply.apps()) {
    *rows.emplace_back().reply.add_apps() = app;
  }
  for (const v1::ClusterStatus& cluster : listing.reply.clusters()) {
    *rows.emplace_back().reply.add_clusters() = cluster;
  }
  for (const v1::StoredObject& object : listing.reply.objects()) {
    *rows.emplace_back().reply.add_objects() = object;
  }
  std::map<std::string, const v1::WorkStatus*> statuses;
  for (const v1::WorkStatus& status : listing.statuses.work_statuses()) {
    statuses[ClusterRowKey(status.cluster(), KeyOf(status.ref()))] = &status;
  }
  for (const v1::Work& work : listing.reply.works()) {
    Listing& row = rows.emplace_back();
    *row.reply.add_works() = work;
    const auto status = statuses.find(ClusterRowKey(work.cluster(), KeyOf(work.ref())));
    if (status != statuses.end()) *row.statuses.add_work_statuses() = *status->second;
  }
  return rows;
}

std::string RowName(const Listing& row) {
  const v1::QueryReply& reply = row.reply;
  if (reply.apps_size() > 0) return RowKey(reply.apps(0).ref());
  if (reply.clusters_size() > 0) return reply.clusters(0).name();
  if (reply.objects_size() > 0) return RowKey(reply.objects(0).ref());
  if (reply.works_size() == 0) return "";
  return ClusterRowKey(reply.works(0).cluster(), KeyOf(reply.works(0).ref()));
}

std::string ListingText(const Noun& noun, const Listing& listing, const ViewOptions& options) {
  if (noun.name == "apps") return FormatApps(listing.reply, options);
  if (noun.name == "clusters") return FormatClusters(listing.reply, options);
  if (noun.name == "works") return FormatWorks(listing.reply, listing.statuses, options);
  if (noun.name == "objects") return FormatObjects(listing.reply, options);
  return FormatPolicies(listing.reply, options);
}

Json ListingItems(const Noun& noun, const Listing& listing) {
  if (noun.name == "apps") return RowsToJson(listing.reply.apps());
  if (noun.name == "clusters") return RowsToJson(listing.reply.clusters());
  if (noun.name != "works") return RowsToJson(listing.reply.objects());
  Json items = Json::array();
  for (const Listing& row : Rows(listing)) {
    Json item = MessageToJson(row.reply.works(0));
    if (row.statuses.work_statuses_size() > 0) {
      item["reported"] = MessageToJson(row.statuses.work_statuses(0));
    }
    items.push_back(std::move(item));
  }
  return items;
}

std::string ListingNames(const Listing& listing) {
  std::string out;
  for (const v1::AppStatus& app : listing.reply.apps()) {
    out.append(KindAndName(app.ref())).append("\n");
  }
  for (const v1::ClusterStatus& cluster : listing.reply.clusters()) {
    out.append(StrCat("cluster/", cluster.name(), "\n"));
  }
  for (const v1::Work& work : listing.reply.works()) {
    out.append(StrCat(work.cluster(), "/", KindAndName(work.ref()), "\n"));
  }
  for (const v1::StoredObject& object : listing.reply.objects()) {
    out.append(KindAndName(object.ref())).append("\n");
  }
  return out;
}

}  // namespace sealane::cli

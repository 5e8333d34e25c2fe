// sealane get: lists apps, clusters, works and policies.
#include <algorithm>
#include <array>
#include <map>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "lib/model/identity.h"
#include "tools/sealane/command.h"
#include "tools/sealane/render_message.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

constexpr std::string_view kPolicyGroup = "policy.karmada.io";

struct GetRequest {
  Fleet& fleet;
  v1::QueryRequest query;
  absl::Duration timeout;
};

struct GetAnswer {
  v1::QueryReply reply;
  v1::QueryReply statuses;  // of works
};

// One thing that can be listed.
struct Noun {
  std::string_view name;
  std::string_view singular;
  std::string_view service;
  std::string_view what;
  bool namespaced;
};
constexpr std::array<Noun, 5> kNouns = {
    Noun{"apps", "app", "status", "apps", true},
    Noun{"clusters", "cluster", "status", "clusters", false},
    Noun{"works", "work", "policy", "works", true},
    Noun{"policies", "policy", "policy", "objects", true},
    Noun{"objects", "object", "policy", "objects", true},
};

const Noun* FindNoun(std::string_view word) {
  for (const Noun& noun : kNouns) {
    if (noun.name == word || noun.singular == word) return &noun;
  }
  return nullptr;
}

template <typename Rows>
Json RowsToJson(const Rows& rows) {
  Json items = Json::array();
  for (const auto& row : rows) items.push_back(MessageToJson(row));
  return items;
}

Json Items(const Noun& noun, const GetAnswer& answer) {
  if (noun.name == "apps") return RowsToJson(answer.reply.apps());
  if (noun.name == "clusters") return RowsToJson(answer.reply.clusters());
  if (noun.name == "works") {
    std::map<std::string, const v1::WorkStatus*> reported;
    for (const v1::WorkStatus& status : answer.statuses.work_statuses()) {
      reported[ClusterRowKey(status.cluster(), KeyOf(status.ref()))] = &status;
    }
    Json items = Json::array();
    for (const v1::Work& work : answer.reply.works()) {
      Json item = MessageToJson(work);
      const auto status = reported.find(ClusterRowKey(work.cluster(), KeyOf(work.ref())));
      if (status != reported.end()) item["reported"] = MessageToJson(*status->second);
      items.push_back(std::move(item));
    }
    return items;
  }
  return RowsToJson(answer.reply.objects());
}

std::string Names(const Json& items) {
  std::string out;
  for (const Json& item : items) {
    if (!item.contains("ref")) {
      out.append("cluster/").append(item.value("name", "")).append("\n");
      continue;
    }
    if (item.contains("cluster")) out.append(item.value("cluster", "")).append("/");
    const Json& ref = item.at("ref");
    out.append(ref.value("kind", "")).append("/").append(ref.value("name", "")).append("\n");
  }
  return out;
}

std::string Text(const Noun& noun, const GetAnswer& answer, const ViewOptions& options) {
  if (noun.name == "apps") return FormatApps(answer.reply, options);
  if (noun.name == "clusters") return FormatClusters(answer.reply, options);
  if (noun.name == "works") return FormatWorks(answer.reply, answer.statuses, options);
  if (noun.name == "objects") return FormatObjects(answer.reply, options);
  return FormatPolicies(answer.reply, options);
}

absl::StatusOr<GetAnswer> Ask(const Noun& noun, GetRequest& request) {
  request.query.set_what(std::string(noun.what));
  if (noun.name == "policies") request.query.set_group(std::string(kPolicyGroup));
  GetAnswer answer;
  SEALANE_ASSIGN_OR_RETURN(answer.reply,
                           request.fleet.Query(noun.service, request.query, request.timeout));
  if (noun.name == "works") {
    request.query.set_what("work_status");
    SEALANE_ASSIGN_OR_RETURN(answer.statuses,
                             request.fleet.Query("status", request.query, request.timeout));
  }
  return answer;
}

int Get(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  const auto& words = args.positional();
  const Noun* noun = words.empty() ? nullptr : FindNoun(words[0]);
  if (noun == nullptr || words.size() > 2) {
    return Fail(terminal,
                InvalidArgument(
                    StrCat(words.empty() ? "get what?" : StrCat("cannot get ", StrJoin(words, " ")),
                           " Allowed: apps, clusters, works, policies or objects, then at most "
                           "one name")));
  }
  const std::string format = args.Has("output") ? args.Get("output") : "table";
  static constexpr std::array<std::string_view, 5> kFormats = {"table", "wide", "json", "yaml",
                                                               "name"};
  if (std::find(kFormats.begin(), kFormats.end(), format) == kFormats.end()) {
    return Fail(terminal, InvalidArgument(StrCat("--output is \"", format,
                                                 "\"; allowed: table, wide, json, yaml, name")));
  }
  const auto timeout = Timeout(args);
  if (!timeout.ok()) return Fail(terminal, timeout.status());
  Context context;
  const auto fleet = Connect(invocation, &context);
  if (!fleet.ok()) return Fail(terminal, fleet.status());

  GetRequest request{**fleet, {}, *timeout};
  std::string ns = args.Has("namespace") ? args.Get("namespace") : context.default_namespace;
  if (args.Has("all-namespaces") || !noun->namespaced) ns.clear();
  request.query.set_namespace_(ns);
  request.query.set_cluster(args.Get("cluster"));
  request.query.set_kind(args.Get("kind"));
  request.query.set_label_selector(args.Get("selector"));
  if (words.size() == 2) request.query.set_name(words[1]);
  const auto answer = Ask(*noun, request);
  if (!answer.ok()) return Fail(terminal, answer.status());

  if (format == "json" || format == "yaml" || format == "name") {
    const Json items = Items(*noun, *answer);
    if (format == "name") {
      terminal.out << Names(items);
    } else {
      const Json list = {{"items", items}};
      terminal.out << (format == "json" ? list.dump(2) + "\n" : kube::ToYaml(list));
    }
    return items.empty() && words.size() == 2 ? kRefused : kOk;
  }
  const int count = answer->reply.apps_size() + answer->reply.clusters_size() +
                    answer->reply.works_size() + answer->reply.objects_size();
  if (count == 0) {
    terminal.err << "no " << noun->name
                 << (words.size() == 2 ? StrCat(" named ", words[1]) : std::string())
                 << (ns.empty() ? std::string() : StrCat(" in namespace ", ns)) << "\n";
    return words.size() == 2 ? kRefused : kOk;
  }
  ViewOptions options;
  options.style = terminal.style;
  options.now_micros = (*fleet)->NowMicros();
  options.wide = format == "wide";
  options.show_namespace = ns.empty();
  terminal.out << Text(*noun, *answer, options);
  return kOk;
}

}  // namespace

Command GetCommand() {
  return {"get",
          "apps|clusters|works|policies|objects [NAME]",
          "List applications, clusters, works (what each cluster should hold), policies or objects",
          "  sealane get apps -A\n"
          "  sealane get clusters -o wide\n"
          "  sealane get works --cluster aws-virginia -n classroom\n"
          "  sealane get policies -o yaml\n"
          "  sealane get objects -A -o wide\n",
          {{"output", 'o', "FORMAT", "table (default), wide, json, yaml or name"},
           {"namespace", 'n', "NAMESPACE", "only this namespace (default: the context's, or all)"},
           {"all-namespaces", 'A', "", "every namespace"},
           {"cluster", 0, "NAME", "only what concerns this cluster"},
           {"kind", 0, "KIND", "only objects of this kind"},
           {"selector", 'l', "SELECTOR", "only what has these labels: app=web,tier!=edge"}},
          true,
          Get};
}

}  // namespace sealane::cli

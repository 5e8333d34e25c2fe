// sealane render: what exactly each cluster gets, and who made it so.
#include <algorithm>
#include <set>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "tools/sealane/changes.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/text_diff.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

// What one cluster gets.
struct Variant {
  std::string cluster;
  const v1::Work* work;  // nullptr: there is none, for it could never be rendered; see `error`
  Json manifest;         // null without a work; discarded when the work holds no JSON
  std::vector<FieldChange> changes;
  std::string error;  // of the last rendering; then `work` is the last good one
};

struct Answer {
  Json published;  // null when the policy service does not know the object
  Json base;       // what of it reaches every cluster
  std::vector<Variant> variants;
};

// `works` outlives the answer. `cluster`: only that one; empty: all.
absl::StatusOr<Answer> AskRender(const Subject& subject, const v1::QueryReply& works,
                                 const std::string& cluster) {
  const v1::ObjectRef& ref = subject.app.ref();
  Answer answer;
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply objects,
                           subject.fleet->Query("policy", About("objects", ref), subject.timeout));
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply explained,
                           subject.fleet->Query("policy", About("explain", ref), subject.timeout));
  if (objects.objects_size() > 0) {
    Json published = Json::parse(objects.objects(0).manifest(), nullptr, false);
    if (published.is_object()) {
      answer.base = BaseManifest(published);
      answer.published = std::move(published);
    }
  }
  std::map<std::string, std::string> errors = RenderErrors(explained.body());
  for (const v1::Work& work : works.works()) {
    if (work.deleting()) continue;
    Variant variant{work.cluster(), &work, Json::parse(work.manifest(), nullptr, false), {}, ""};
    if (auto error = errors.extract(work.cluster()); !error.empty()) {
      variant.error = std::move(error.mapped());
    }
    if (!answer.base.is_null() && variant.manifest.is_object()) {
      variant.changes = ChangesOf(answer.base, variant.manifest, work, !variant.error.empty());
    }
    answer.variants.push_back(std::move(variant));
  }
  for (const auto& [name, why] : errors) {  // where there is no work at all
    if (cluster.empty() || cluster == name) {
      answer.variants.push_back({name, nullptr, nullptr, {}, why});
    }
  }
  std::stable_sort(answer.variants.begin(), answer.variants.end(),
                   [](const Variant& a, const Variant& b) { return a.cluster < b.cluster; });
  return answer;
}

std::string FormatChange(const FieldChange& change) {
  return StrCat(change.field, ": ", change.from.empty() ? "(absent)" : change.from, " -> ",
                change.to.empty() ? "(absent)" : change.to, "  by ", change.by);
}

// The reasons above a manifest, as YAML comments.
std::string Reasons(const Variant& variant, bool base_known) {
  std::string out;
  if (variant.work == nullptr) {
    return StrCat("# it cannot be rendered: ", variant.error,
                  "\n# there is no earlier version: the cluster gets nothing\n");
  }
  if (!variant.error.empty()) {
    out.append(StrCat("# the newest version cannot be rendered: ", variant.error,
                      "\n# what follows is the last good one, which stays in force\n"));
  }
  std::set<std::string> effective;
  for (const FieldChange& change : variant.changes) {
    out.append(StrCat("# ", FormatChange(change), "\n"));
    effective.insert(change.by);
  }
  for (const v1::AppliedOverride& applied : variant.work->applied_overrides()) {
    if (!base_known) {
      out.append(StrCat("# ", FormatRef(applied.policy()), " rule ", applied.rule(), " ",
                        applied.overrider(), ": ", applied.operator_(), " ", applied.path()));
      if (!applied.value_json().empty()) out.append(StrCat(" = ", applied.value_json()));
      out.append("\n");
    } else if (!effective.contains(FormatOrigin(applied))) {
      out.append(StrCat("# no effect: ", FormatOrigin(applied), " on ", applied.path(), "\n"));
    }
  }
  return out;
}

std::string AnswerText(const Answer& answer) {
  std::string out;
  for (const Variant& variant : answer.variants) {
    out.append(StrCat("---\n# cluster ", variant.cluster, "\n"));
    out.append(Reasons(variant, !answer.base.is_null()));
    if (variant.work == nullptr) continue;
    out.append(variant.manifest.is_discarded() ? StrCat(variant.work->manifest(), "\n")
                                               : kube::ToYaml(variant.manifest));
  }
  return out;
}

std::string DiffText(const Answer& answer) {
  std::string out;
  for (const Variant& variant : answer.variants) {
    const std::string name = StrCat("cluster ", variant.cluster);
    if (variant.work == nullptr) {
      out.append(StrCat("# ", name, "\n", Reasons(variant, true)));
      continue;
    }
    const std::string diff =
        UnifiedDiff(kube::ToYaml(answer.base), kube::ToYaml(variant.manifest), "published", name);
    out.append(diff.empty() ? StrCat("# ", name, ": identical to what was published\n")
                            : StrCat("# ", name, "\n"));
    out.append(Reasons(variant, true)).append(diff);
  }
  return out;
}

Json AnswerToJson(const v1::ObjectRef& ref, const Answer& answer) {
  Json clusters = Json::array();
  for (const Variant& variant : answer.variants) {
    Json changes = Json::array();
    for (const FieldChange& change : variant.changes) {
      changes.push_back(
          {{"field", change.field}, {"from", change.from}, {"to", change.to}, {"by", change.by}});
    }
    const bool rendered = variant.work != nullptr;
    Json cluster = {{"cluster", variant.cluster},
                    {"identical", rendered && !answer.base.is_null() && variant.changes.empty()},
                    {"changes", std::move(changes)},
                    {"manifest", variant.manifest.is_discarded() ? Json(variant.work->manifest())
                                                                 : variant.manifest}};
    if (!variant.error.empty()) {
      cluster["error"] = variant.error;
      cluster["lastGood"] = rendered;  // whether `manifest` is the last good one
    }
    clusters.push_back(std::move(cluster));
  }
  return {{"object", FormatRef(ref)},
          {"published", answer.published},
          {"clusters", std::move(clusters)}};
}

int Render(const Invocation& invocation) {
  Terminal& terminal = invocation.terminal;
  const auto format = OutputFormat(invocation.args, {"json", "yaml"});
  if (!format.ok()) return Fail(terminal, format.status());
  const auto subject = FindSubject(invocation);
  if (!subject.ok()) return Fail(terminal, subject.status());
  const v1::ObjectRef& ref = subject->app.ref();
  v1::QueryRequest request = About("works", ref);
  request.set_cluster(invocation.args.Get("cluster"));
  const auto works = subject->fleet->Query("policy", request, subject->timeout);
  if (!works.ok()) return Fail(terminal, works.status());
  const auto answer = AskRender(*subject, *works, invocation.args.Get("cluster"));
  if (!answer.ok()) return Fail(terminal, answer.status());
  if (answer->variants.empty()) {
    return Fail(terminal, NotFound(StrCat(FormatRef(ref), " is in no such cluster; ",
                                          "`sealane status` shows where it is")));
  }
  const bool diff = invocation.args.Has("diff");
  if (diff && answer->base.is_null()) {
    return Fail(terminal, NotFound(StrCat(FormatRef(ref), " was not published by anybody, ",
                                          "so there is nothing to compare with")));
  }
  if (*format == "json") {
    terminal.out << AnswerToJson(ref, *answer).dump(2) << "\n";
  } else if (*format == "yaml") {
    terminal.out << kube::ToYaml(AnswerToJson(ref, *answer));
  } else {
    terminal.out << (diff ? DiffText(*answer) : AnswerText(*answer));
  }
  return kOk;
}

}  // namespace

Command RenderCommand() {
  return {"render",
          "[KIND/]NAME",
          "Print the manifest that each cluster gets, and what made each field differ",
          "Above each manifest stand the fields that differ from what was published, with the "
          "policy and\n"
          "the rule that set them (rules and overriders count from 0), or the placement for "
          "replicas. A cluster for which it cannot be rendered is shown with the reason, and with "
          "the last\n"
          "good manifest if there is one.\n\n"
          "  sealane render deployment/classroom\n"
          "  sealane render deployment/classroom --cluster aws-virginia\n"
          "  sealane render deployment/classroom --diff\n"
          "  sealane render configmap/classroom -n classroom -o json\n",
          {{"namespace", 'n', "NAMESPACE", "only this namespace"},
           {"cluster", 0, "NAME", "only this cluster"},
           {"diff", 0, "", "only what differs, as a unified diff"},
           {"output", 'o', "json|yaml", "object, fields and manifests as data"}},
          true,
          Render};
}

}  // namespace sealane::cli

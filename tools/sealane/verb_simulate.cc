// sealane simulate: what would happen if.
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "tools/sealane/command.h"
#include "tools/sealane/input.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/validation.h"
#include "tools/sealane/views.h"
#include "tools/sealane/what_if.h"

namespace sealane::cli {
namespace {

// What the command line asks, read and checked before anybody is asked.
struct Question {
  std::vector<std::string> drain;
  std::vector<std::string> fail;
  std::vector<Json> clusters;  // Cluster manifests, with their status
  v1::QueryReply objects;      // everything else, for policy's preview
  uint32_t limit = 0;
  [[nodiscard]] bool empty() const {
    return drain.empty() && fail.empty() && clusters.empty() && objects.objects().empty();
  }
};

bool IsCluster(const v1::ObjectRef& ref) {
  return ref.kind() == "Cluster" && ref.api_version().starts_with("cluster.karmada.io/");
}

// Admission takes the status away, which only a server sets. Here it says what the cluster has.
void KeepStatus(const Document& document, Json* manifest) {
  Json as_written;
  if (!kube::ParseManifest(document.text, &as_written).ok()) return;
  const auto status = as_written.find("status");
  if (status != as_written.end()) (*manifest)["status"] = *status;
}

// FAILED_PRECONDITION when something would be refused; then it has been printed.
absl::Status ReadManifests(const Invocation& invocation, const std::string& flag,
                           bool only_clusters, Question* question) {
  const std::vector<std::string> paths = invocation.args.All(flag);
  if (paths.empty()) return absl::OkStatus();
  SEALANE_ASSIGN_OR_RETURN(const std::vector<Document> documents,
                           ReadDocuments(paths, false, invocation.terminal.in));
  std::vector<Json> manifests;
  const v1::DeployResult result = Validate(documents, &manifests);
  if (!result.accepted()) {
    invocation.terminal.out << FormatValidation(result, invocation.terminal.style);
    return absl::AbortedError(ToAbsl(StrCat("--", flag, " would be refused")));
  }
  for (size_t i = 0; i < documents.size(); ++i) {
    const v1::ObjectRef& ref = result.results(static_cast<int>(i)).object();
    if (IsCluster(ref)) {
      KeepStatus(documents[i], &manifests[i]);
      question->clusters.push_back(std::move(manifests[i]));
    } else if (only_clusters) {
      return InvalidArgument(StrCat(documents[i].source, ": --", flag,
                                    " takes Clusters; this is a ", ref.kind(),
                                    " (--apply takes it)"));
    } else {
      v1::StoredObject* object = question->objects.add_objects();
      *object->mutable_ref() = ref;
      object->set_manifest(WriteJson(manifests[i]));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Question> ReadQuestion(const Invocation& invocation) {
  const Args& args = invocation.args;
  Question question;
  if (!args.positional().empty()) {
    return InvalidArgument(StrCat("unexpected word \"", args.positional()[0], "\""));
  }
  question.drain = args.All("drain");
  question.fail = args.All("fail");
  if (args.Has("limit")) {
    const std::string text = args.Get("limit");
    if (text.empty() || text.size() > 6 ||
        text.find_first_not_of("0123456789") != std::string::npos || text == "0") {
      return InvalidArgument(StrCat("--limit is \"", text, "\"; expected a number from 1"));
    }
    question.limit = static_cast<uint32_t>(std::stoul(text));
  }
  SEALANE_RETURN_IF_ERROR(ReadManifests(invocation, "add-cluster", true, &question));
  SEALANE_RETURN_IF_ERROR(ReadManifests(invocation, "apply", false, &question));
  if (question.empty()) {
    return InvalidArgument(
        "what if? Give --drain CLUSTER, --fail CLUSTER, --add-cluster FILE or --apply FILE");
  }
  return question;
}

absl::StatusOr<Json> AskSimulation(Fleet& fleet, const Question& question, absl::Duration timeout,
                                   std::vector<std::string>* notes) {
  v1::QueryReply added;
  if (!question.clusters.empty()) {
    v1::QueryRequest request;
    request.set_what("clusters");
    SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply present, fleet.Query("status", request, timeout));
    for (const Json& manifest : question.clusters) {
      SEALANE_ASSIGN_OR_RETURN(*added.add_clusters(), ImagineCluster(manifest, present, notes));
    }
  }
  if (!question.objects.objects().empty()) {
    v1::QueryRequest request;
    request.set_what("preview");
    request.set_body(question.objects.SerializeAsString());
    SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply preview, fleet.Query("policy", request, timeout));
    *added.mutable_bindings() = preview.bindings();
    const Json body = Json::parse(preview.body(), nullptr, /*allow_exceptions=*/false);
    const Json unclaimed = body.is_object() ? body.value("unclaimed", Json::array()) : Json();
    for (const Json& name : unclaimed) {
      if (name.is_string()) {
        notes->push_back(StrCat(name.get<std::string>(), ": no policy claims it"));
      }
    }
  }
  v1::QueryRequest request;
  request.set_what("simulate");
  request.set_limit(question.limit);
  if (!question.drain.empty()) (*request.mutable_options())["drain"] = StrJoin(question.drain, ",");
  if (!question.fail.empty()) (*request.mutable_options())["fail"] = StrJoin(question.fail, ",");
  request.set_body(added.SerializeAsString());
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet.Query("scheduler", request, timeout));
  Json simulation = Json::parse(reply.body(), nullptr, /*allow_exceptions=*/false);
  if (!simulation.is_object()) return Internal("sealane-scheduler answered no simulation");
  return simulation;
}

int Simulate(const Invocation& invocation) {
  Terminal& terminal = invocation.terminal;
  const auto format = OutputFormat(invocation.args, {"json", "yaml"});
  if (!format.ok()) return Fail(terminal, format.status());
  const auto question = ReadQuestion(invocation);
  if (!question.ok()) return Fail(terminal, question.status());
  const auto timeout = Timeout(invocation.args);
  if (!timeout.ok()) return Fail(terminal, timeout.status());
  const auto fleet = Connect(invocation);
  if (!fleet.ok()) return Fail(terminal, fleet.status());
  std::vector<std::string> notes;
  auto simulation = AskSimulation(**fleet, *question, *timeout, &notes);
  if (!simulation.ok()) return Fail(terminal, simulation.status());
  if (format->empty()) {
    ViewOptions options;
    options.style = terminal.style;
    for (const std::string& note : notes) terminal.out << "note: " << note << "\n";
    terminal.out << (notes.empty() ? "" : "\n") << FormatSimulation(*simulation, options);
  } else {
    (*simulation)["notes"] = notes;
    terminal.out << (*format == "json" ? simulation->dump(2) + "\n" : kube::ToYaml(*simulation));
  }
  return simulation->value("unscheduled", Json(0)) == 0 ? kOk : kNotHealthy;
}

}  // namespace

Command SimulateCommand() {
  return {
      "simulate",
      "[--drain CLUSTER] [--fail CLUSTER] [--add-cluster FILE] [--apply FILE]",
      "Show what would move if something changed, without changing it",
      "The scheduler decides about every object as it would, on a copy of the fleet. Several flags "
      "may be\n"
      "given together: all of it happens at once. A Cluster manifest may say in its status what it "
      "has\n"
      "(resourceSummary, apiEnablements); what it leaves out is assumed, and told.\n"
      "Ends with exit code 4 when something would not fit that fits now.\n\n"
      "  sealane simulate --drain aws-virginia\n"
      "  sealane simulate --fail aliyun-beijing --add-cluster ohio.yaml\n"
      "  sealane simulate --apply new-policy.yaml -o json\n",
      {{"drain", 0, "CLUSTER", "everything must leave this cluster", true},
       {"fail", 0, "CLUSTER", "this cluster is gone", true},
       {"add-cluster", 0, "FILE", "this cluster joins, or changes", true},
       {"apply", 0, "FILE|DIR|-", "these objects, policies and clusters are applied", true},
       {"limit", 0, "N", "how many moves to show at most (default 1000)"},
       {"output", 'o', "json|yaml", "the answer as data"}},
      true,
      Simulate};
}

}  // namespace sealane::cli

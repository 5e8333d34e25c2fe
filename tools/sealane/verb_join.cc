// sealane join, sealane unjoin: a member cluster comes, and goes.
#include <algorithm>

#include "absl/strings/str_split.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/admission.h"
#include "lib/model/cluster_marks.h"
#include "sealane/v1/agent.pb.h"
#include "tools/sealane/agent_manifest.h"
#include "tools/sealane/command.h"
#include "tools/sealane/files.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/object_change.h"
#include "tools/sealane/server_directory.h"
#include "tools/sealane/server_update.h"

namespace sealane::cli {
namespace {

constexpr char kClusterVersion[] = "cluster.karmada.io/v1alpha1";
constexpr absl::Duration kLookAtLeaving = absl::Milliseconds(500);
constexpr int kLooksPerCount =
    4;  // counting what is left costs more than looking whether anything is

v1::ObjectRef ClusterRef(const std::string& cluster) {
  v1::ObjectRef ref;
  ref.set_api_version(kClusterVersion);
  ref.set_kind("Cluster");
  ref.set_name(cluster);
  return ref;
}

// "a=b,c=d"
absl::Status AddLabels(std::string_view text, Json& labels) {
  for (const auto part : absl::StrSplit(ToAbsl(text), ',', absl::SkipWhitespace())) {
    const std::string_view pair = ToStd(part);
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) {
      return InvalidArgument(StrCat("--labels: \"", pair, "\" is not KEY=VALUE"));
    }
    labels[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
  }
  return absl::OkStatus();
}

// The Cluster object with what the flags say, as admission accepts it; what they do not name stays
// as `object`, the registered one, has it: taints, models, labels that came with a manifest.
absl::StatusOr<std::string> ClusterText(const Args& args, Json object = Json::object()) {
  object["apiVersion"] = kClusterVersion;
  object["kind"] = "Cluster";
  object["metadata"]["name"] = args.Get("name");
  Json& spec = object["spec"];
  if (!spec.contains("syncMode")) spec["syncMode"] = "Pull";
  for (const char* field : {"provider", "region"}) {
    if (args.Has(field)) spec[field] = args.Get(field);
  }
  if (!args.All("zone").empty()) spec["zones"] = args.All("zone");
  Json labels = object["metadata"].value("labels", Json::object());
  for (const std::string& text : args.All("labels")) {
    SEALANE_RETURN_IF_ERROR(AddLabels(text, labels));
  }
  if (!labels.empty()) object["metadata"]["labels"] = labels;
  const std::string text = object.dump();
  const kube::Admission admission = kube::AdmitText(text, &object);
  if (!admission.errors.empty()) {
    const v1::FieldError& error = admission.errors.front();
    return InvalidArgument(StrCat(error.field(), ": ", error.message()));
  }
  return text;
}

// Publishes one operation about the Cluster object and waits until it is accepted.
absl::Status Send(const Invocation& invocation, Fleet& fleet, v1::Operation operation,
                  absl::Duration timeout) {
  const auto taken = PublishOne(fleet, std::move(operation), Publisher(invocation), timeout);
  return Annotate(taken.status(), "the Cluster object");
}

v1::Operation Apply(std::string manifest) {
  v1::Operation operation;
  operation.set_type(v1::Operation::APPLY);
  operation.set_manifest(std::move(manifest));
  return operation;
}

absl::StatusOr<std::string> Directory(const Args& args) {
  if (args.Get("directory").empty() || !args.positional().empty() || args.Get("name").empty()) {
    return InvalidArgument(
        "give the cluster with --name NAME and the bus' directory (of server-config) with "
        "--directory DIR");
  }
  return args.Get("directory");
}

// Writes what changes in the bus' directory and tells the server.
absl::Status ChangeServers(ServerConfigRequest request, const Invocation& invocation,
                           const Context& context, Fleet& fleet, ServerConfigOutcome* outcome) {
  SEALANE_ASSIGN_OR_RETURN(const absl::Duration timeout, Timeout(invocation.args));
  SEALANE_ASSIGN_OR_RETURN(const DirectoryLock lock,
                           LockDirectory(request.directory, invocation.terminal));
  SEALANE_RETURN_IF_ERROR(WriteServerDirectory(request, SystemDirectoryEnv(), outcome));
  return UpdateServer(request.directory, *outcome, context, timeout, fleet, invocation.terminal);
}

absl::StatusOr<AgentManifestOptions> ManifestOptions(const Args& args) {
  AgentManifestOptions options;
  options.cluster = args.Get("name");
  options.cluster_scoped = args.Has("cluster-scoped");
  if (args.Has("member-api")) options.member_api = args.Get("member-api");
  constexpr std::string_view kLevels[] = {"none", "read", "read-secrets", "write"};
  if (std::find(std::begin(kLevels), std::end(kLevels), options.member_api) == std::end(kLevels)) {
    return InvalidArgument(StrCat("--member-api must be none, read, read-secrets or write, not \"",
                                  options.member_api, "\""));
  }
  if (args.Has("image")) options.image = args.Get("image");
  if (args.Has("ca")) {
    SEALANE_ASSIGN_OR_RETURN(options.bus_ca_pem, ReadFile(args.Get("ca")));
  }
  return options;
}

// The Cluster object that is registered; an empty one when there is none.
absl::StatusOr<Json> Registered(Fleet& fleet, const std::string& cluster, absl::Duration timeout) {
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply,
                           fleet.Query("policy", About("objects", ClusterRef(cluster)), timeout));
  if (reply.objects().empty() || reply.objects(0).deleting()) return Json::object();
  Json object = Json::parse(reply.objects(0).manifest(), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Internal("the Cluster object is not JSON");
  return object;
}

absl::Status JoinCluster(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  // Everything that can be wrong is found before anything is written.
  SEALANE_ASSIGN_OR_RETURN(const std::string directory, Directory(args));
  SEALANE_RETURN_IF_ERROR(ClusterText(args).status());
  SEALANE_ASSIGN_OR_RETURN(const absl::Duration timeout, Timeout(args));
  SEALANE_ASSIGN_OR_RETURN(AgentManifestOptions options, ManifestOptions(args));
  Context context;
  SEALANE_ASSIGN_OR_RETURN(const auto fleet, Connect(invocation, &context));
  options.bus_url = args.Has("url") ? args.Get("url") : context.url;
  SEALANE_ASSIGN_OR_RETURN(Json registered, Registered(*fleet, options.cluster, timeout));
  SEALANE_ASSIGN_OR_RETURN(std::string cluster, ClusterText(args, std::move(registered)));

  ServerConfigRequest request;
  request.directory = directory;
  request.clusters = {options.cluster};
  ServerConfigOutcome outcome;
  SEALANE_RETURN_IF_ERROR(ChangeServers(std::move(request), invocation, context, *fleet, &outcome));
  SEALANE_ASSIGN_OR_RETURN(options.login, LoginOf(directory, options.cluster));
  SEALANE_RETURN_IF_ERROR(Send(invocation, *fleet, Apply(std::move(cluster)), timeout));
  SEALANE_ASSIGN_OR_RETURN(const std::string text, AgentManifest(options));
  terminal.out << text;
  terminal.err << "cluster " << options.cluster
               << " is registered; its owner runs: kubectl apply --server-side -f FILE\n";
  return absl::OkStatus();
}

int Join(const Invocation& invocation) {
  const absl::Status status = JoinCluster(invocation);
  return status.ok() ? kOk : Fail(invocation.terminal, status);
}

// --- Leaving -----------------------------------------------------------------------------------

absl::StatusOr<std::string> WithKeepMark(Fleet& fleet, const std::string& cluster,
                                         absl::Duration timeout) {
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply,
                           fleet.Query("policy", About("objects", ClusterRef(cluster)), timeout));
  if (reply.objects().empty()) return NotFound(StrCat("there is no cluster ", cluster));
  Json object = Json::parse(reply.objects(0).manifest(), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Internal("the Cluster object is not JSON");
  object["metadata"]["annotations"][std::string(kKeepWorkloadsAnnotation)] = "true";
  return object.dump();
}

// What the fleet delivered to a cluster, a line each.
absl::StatusOr<std::string> WorksIn(Fleet& fleet, const std::string& cluster,
                                    absl::Duration timeout) {
  v1::QueryRequest request;
  request.set_what("works");
  request.set_cluster(cluster);
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet.Query("policy", request, timeout));
  std::string lines;
  for (const v1::Work& work : reply.works()) {
    const v1::ObjectRef& ref = work.ref();
    lines += StrCat("  ", ref.kind(), " ", ref.namespace_(), ref.namespace_().empty() ? "" : "/",
                    ref.name(), "\n");
  }
  return lines;
}

// How many objects of the fleet the cluster's agent has not yet reported removed.
absl::StatusOr<int> LeftIn(Fleet& fleet, const std::string& cluster, absl::Duration timeout) {
  v1::QueryRequest request;
  request.set_what("work_status");
  request.set_cluster(cluster);
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet.Query("status", request, timeout));
  return static_cast<int>(std::count_if(
      reply.work_statuses().begin(), reply.work_statuses().end(),
      [](const v1::WorkStatus& word) { return word.state() != v1::WorkStatus::REMOVED; }));
}

// Waits until the policy service has let the Cluster object go: then nothing is left there of what
// the fleet delivered.
absl::Status WaitUntilEmpty(Terminal& terminal, Fleet& fleet, const std::string& cluster,
                            absl::Duration timeout) {
  const int64_t until = fleet.NowMicros() + absl::ToInt64Microseconds(timeout);
  int told = 0;
  for (int look = 0;; ++look) {
    SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply,
                             fleet.Query("policy", About("objects", ClusterRef(cluster)), timeout));
    if (reply.objects().empty()) return absl::OkStatus();
    if (look % kLooksPerCount == 0) {
      const auto left = LeftIn(fleet, cluster, timeout);
      if (left.ok() && *left > 0 && *left != told) {
        terminal.err << *left << " objects have still to go from " << cluster << "\n";
        terminal.err.flush();
        told = *left;
      }
    }
    if (fleet.NowMicros() >= until) {
      return absl::DeadlineExceededError(ToAbsl(
          StrCat("cluster ", cluster,
                 " still has works of the fleet; its login stays. Its agent must run for "
                 "them to go, and what runs nowhere else stays until another cluster has "
                 "room for it. See `sealane get works --cluster ",
                 cluster, "`, and `sealane explain` about what is left; then run unjoin again")));
    }
    Wait(fleet, kLookAtLeaving);
  }
}

absl::Status UnjoinCluster(const Invocation& invocation) {
  const Args& args = invocation.args;
  SEALANE_ASSIGN_OR_RETURN(const std::string directory, Directory(args));
  SEALANE_ASSIGN_OR_RETURN(const absl::Duration timeout, Timeout(args));
  const std::string cluster = args.Get("name");
  Context context;
  SEALANE_ASSIGN_OR_RETURN(const auto fleet, Connect(invocation, &context));
  if (args.Has("keep-workloads")) {
    SEALANE_ASSIGN_OR_RETURN(std::string manifest, WithKeepMark(*fleet, cluster, timeout));
    SEALANE_RETURN_IF_ERROR(Send(invocation, *fleet, Apply(std::move(manifest)), timeout));
  }
  v1::Operation deletion;
  deletion.set_type(v1::Operation::DELETE);
  Json identity = {
      {"apiVersion", kClusterVersion}, {"kind", "Cluster"}, {"metadata", {{"name", cluster}}}};
  std::string left;
  if (args.Has("force")) {
    identity["metadata"]["annotations"][std::string(kAbandonAnnotation)] = "true";
    SEALANE_ASSIGN_OR_RETURN(left, WorksIn(*fleet, cluster, timeout));
  }
  deletion.set_manifest(identity.dump());
  SEALANE_RETURN_IF_ERROR(Send(invocation, *fleet, std::move(deletion), timeout));
  SEALANE_RETURN_IF_ERROR(WaitUntilEmpty(invocation.terminal, *fleet, cluster, timeout));
  ServerConfigRequest request;
  request.directory = directory;
  // Absent: an earlier run wrote it and could not tell the server.
  if (LoginOf(directory, cluster).ok()) request.remove_clusters = {cluster};
  ServerConfigOutcome outcome;
  SEALANE_RETURN_IF_ERROR(ChangeServers(std::move(request), invocation, context, *fleet, &outcome));
  invocation.terminal.out << "cluster " << cluster << " has left; its login works no more\n";
  if (!left.empty()) invocation.terminal.out << "abandoned there:\n" << left;
  return absl::OkStatus();
}

int Unjoin(const Invocation& invocation) {
  const absl::Status status = UnjoinCluster(invocation);
  return status.ok() ? kOk : Fail(invocation.terminal, status);
}

}  // namespace

Command JoinCommand() {
  return {
      "join",
      "--name CLUSTER --directory DIR [--provider P] [--region R]",
      "Register a cluster and print what its owner applies: agent, rights, login",
      "Makes the cluster's own account on the bus and tells the server (SIGHUP), registers the\n"
      "Cluster object, and prints Kubernetes manifests with everything the agent needs. Run again "
      "it\n"
      "prints the same login. DIR is the directory of `sealane server-config`.\n\n"
      "  sealane join --name aws-virginia --provider aws --region us-east-1 --directory bus \\\n"
      "    --url tls://bus.example.com:4222 --ca ca.pem > agent.yaml\n"
      "  kubectl apply --server-side -f agent.yaml\n",
      {{"name", 0, "CLUSTER", "the cluster's name"},
       {"directory", 'd', "DIR", "the bus' directory, as server-config wrote it"},
       {"provider", 0, "TEXT", "its provider, for policies"},
       {"region", 0, "TEXT", "its region"},
       {"zone", 0, "TEXT", "a zone it spans", true},
       {"labels", 0, "KEY=VALUE,...", "its labels", true},
       {"url", 0, "URL", "the bus as the agent reaches it (default: as this command does)"},
       {"ca", 0, "FILE", "PEM of the authority that signed the bus' certificate"},
       {"image", 0, "IMAGE", "the agent's image (default sealane:latest)"},
       {"member-api", 0, "LEVEL",
        "what users of the gateway may do in the cluster: none, read (default), read-secrets, "
        "write"},
       {"cluster-scoped", 0, "", "also the rights to deliver CRDs, roles, storage classes"}},
      true,
      Join};
}

Command UnjoinCommand() {
  return {"unjoin",
          "--name CLUSTER --directory DIR [--keep-workloads|--force]",
          "Take a cluster out of the fleet and its login away",
          "Applications move away, what was delivered there is removed (or left, without Sealane's "
          "marks),\n"
          "and when nothing is left the cluster's account on the bus goes. The agent must run "
          "meanwhile;\n"
          "a cluster that never returns is given up with --force, which lists what may still be "
          "there.\n\n"
          "  sealane unjoin --name aws-virginia --directory bus --timeout 5m\n",
          {{"name", 0, "CLUSTER", "the cluster's name"},
           {"directory", 'd', "DIR", "the bus' directory, as server-config wrote it"},
           {"keep-workloads", 0, "", "leave running what was delivered there"},
           {"force", 0, "", "the cluster never returns: forget what was delivered there"}},
          true,
          Unjoin};
}

}  // namespace sealane::cli

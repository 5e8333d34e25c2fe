#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/kubeconfig.h"
#include "tools/sealane/command.h"
#include "tools/sealane/kubectl.h"

namespace sealane::cli {
namespace {

// The kubeconfig that kubectl would read. Of several files the first.
std::string DefaultKubeconfig(const Environment& environment) {
  const auto named = environment.find("KUBECONFIG");
  if (named != environment.end() && !named->second.empty()) {
    return named->second.substr(0, named->second.find(':'));
  }
  const auto home = environment.find("HOME");
  return StrCat(home == environment.end() ? std::string() : home->second, "/.kube/config");
}

absl::StatusOr<std::vector<std::string>> Prepare(const Invocation& invocation) {
  const Args& args = invocation.args;
  if (args.positional().empty()) return InvalidArgument("say what kubectl is to do: get pods");
  if (args.Has("cluster") == args.Has("all-clusters")) {
    return InvalidArgument("give either --cluster NAME or --all-clusters");
  }
  const KubectlPlace place = PlaceOf(args.positional());
  const std::string file = place.kubeconfig.empty()
                               ? DefaultKubeconfig(invocation.terminal.environment)
                               : place.kubeconfig;
  SEALANE_ASSIGN_OR_RETURN(const kube::ClusterAccess access,
                           kube::LoadKubeconfig(file, place.context));
  return KubectlArguments(access.server, args.Has("all-clusters") ? "-" : args.Get("cluster"),
                          args.positional());
}

int Kubectl(const Invocation& invocation) {
  const absl::StatusOr<std::vector<std::string>> arguments = Prepare(invocation);
  if (!arguments.ok()) return Fail(invocation.terminal, arguments.status());
  std::vector<char*> argv;
  for (const std::string& argument : *arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));  // execvp changes nothing
  }
  argv.push_back(nullptr);
  invocation.terminal.out.flush();
  execvp(argv[0], argv.data());
  return Fail(invocation.terminal, FailedPrecondition(StrCat("cannot start kubectl: ",
                                                             std::string_view(strerror(errno)))));
}

}  // namespace

Command KubectlCommand() {
  Command command;
  command.name = "kubectl";
  command.arguments = "--cluster NAME|--all-clusters KUBECTL-ARGUMENTS...";
  command.summary = "kubectl in a member cluster, or in all of them together, through the gateway";
  command.details =
      "Runs kubectl against /clusters/NAME/proxy of the gateway that the kubeconfig names: get, "
      "describe,\n"
      "logs and top work over the bus, nothing dials into the cluster. All clusters together can "
      "be read\n"
      "(get, get -w): every object has the label sealane.io/cluster, tables have a column "
      "CLUSTER.\n"
      "Flags of this command stand before what kubectl is to do.\n\n"
      "  sealane kubectl --all-clusters get pods -A\n"
      "  sealane kubectl --cluster aws-virginia logs -n shop deploy/web -f\n";
  command.flags = {{"cluster", 'c', "NAME", "the member cluster"},
                   {"all-clusters", 0, "", "all clusters that you may look into, as one"}};
  command.talks_to_fleet = false;
  command.passes_on = true;
  command.run = Kubectl;
  return command;
}

}  // namespace sealane::cli

#include "tools/kubesim/options.h"

#include <functional>
#include <map>
#include <string_view>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/kubesim/quantity.h"

namespace sealane::kubesim {
namespace {

absl::StatusOr<int> ParseNumber(std::string_view text, int low, int high) {
  if (text.empty() || text.size() > 9 ||
      text.find_first_not_of("0123456789") != std::string_view::npos) {
    return InvalidArgument("must be a whole number");
  }
  const int value = std::stoi(std::string(text));
  if (value < low || value > high) {
    return InvalidArgument(StrCat("must be between ", low, " and ", high));
  }
  return value;
}

absl::Status SetDuration(std::string_view text, absl::Duration& out) {
  if (!absl::ParseDuration(ToAbsl(text), &out) || out < absl::ZeroDuration()) {
    return InvalidArgument("must be a duration such as 500ms or 2s");
  }
  return absl::OkStatus();
}

absl::Status SetQuantity(std::string_view text, std::string& out) {
  if (!QuantityValue(text).ok()) return InvalidArgument("must be a quantity such as 500m or 8Gi");
  out = std::string(text);
  return absl::OkStatus();
}

absl::Status SetNumber(std::string_view text, int low, int high, int& out) {
  SEALANE_ASSIGN_OR_RETURN(out, ParseNumber(text, low, high));
  return absl::OkStatus();
}

absl::Status SetSwitch(std::string_view text, bool& out) {
  if (text != "on" && text != "off") return InvalidArgument("must be on or off");
  out = text == "on";
  return absl::OkStatus();
}

}  // namespace

std::string UsageText() {
  return "kubesim: a Kubernetes API server in memory, with simulated nodes and controllers\n\n"
         "  --name NAME             name of the cluster (kubesim)\n"
         "  --listen IP:PORT        where to serve; port 0 takes a free one (127.0.0.1:0)\n"
         "  --nodes K               number of nodes (3)\n"
         "  --cpu C                 cpu of each node (8)\n"
         "  --memory M              memory of each node (32Gi)\n"
         "  --pods-per-node N       pods a node takes (110)\n"
         "  --startup-delay D       from scheduled to ready (1s)\n"
         "  --stop-delay D          from deleted to gone (500ms)\n"
         "  --controllers on|off    run controllers, scheduler and kubelets (on)\n"
         "  --metrics on|off        serve metrics.k8s.io (off)\n"
         "  --token T               bearer token that clients must send (none)\n"
         "  --kubeconfig-out FILE   write a kubeconfig for this server\n"
         "  --seed N                randomness from a number; 0 from the system (0)\n";
}

absl::StatusOr<ProgramOptions> ParseOptions(int argc, char** argv) {
  ProgramOptions options;
  ClusterOptions& cluster = options.cluster;
  const auto text = [](std::string& out) {
    return [&out](std::string_view value) {
      out = std::string(value);
      return absl::OkStatus();
    };
  };
  const std::map<std::string, std::function<absl::Status(std::string_view)>, std::less<>> flags = {
      {"name", text(cluster.name)},
      {"listen", text(options.listen)},
      {"token", text(options.token)},
      {"kubeconfig-out", text(options.kubeconfig_out)},
      {"nodes", [&](std::string_view v) { return SetNumber(v, 0, 10000, cluster.nodes); }},
      {"pods-per-node",
       [&](std::string_view v) { return SetNumber(v, 0, 100000, cluster.pods_per_node); }},
      {"cpu", [&](std::string_view v) { return SetQuantity(v, cluster.cpu); }},
      {"memory", [&](std::string_view v) { return SetQuantity(v, cluster.memory); }},
      {"startup-delay", [&](std::string_view v) { return SetDuration(v, cluster.startup_delay); }},
      {"stop-delay", [&](std::string_view v) { return SetDuration(v, cluster.stop_delay); }},
      {"controllers", [&](std::string_view v) { return SetSwitch(v, cluster.controllers); }},
      {"metrics", [&](std::string_view v) { return SetSwitch(v, cluster.metrics); }},
      {"seed", [&](std::string_view v) -> absl::Status {
         SEALANE_ASSIGN_OR_RETURN(const int seed, ParseNumber(v, 0, 999999999));
         options.seed = static_cast<uint64_t>(seed);
         return absl::OkStatus();
       }}};
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument.substr(0, 2) != "--") {
      return InvalidArgument(StrCat("unexpected argument \"", argument, "\""));
    }
    argument.remove_prefix(2);
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const auto flag = flags.find(name);
    if (flag == flags.end()) return InvalidArgument(StrCat("unknown flag --", name));
    std::string_view value;
    if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (++i < argc) {
      value = argv[i];
    } else {
      return InvalidArgument(StrCat("--", name, " needs a value"));
    }
    SEALANE_RETURN_IF_ERROR(Annotate(flag->second(value), StrCat("--", name)));
  }
  return options;
}

}  // namespace sealane::kubesim

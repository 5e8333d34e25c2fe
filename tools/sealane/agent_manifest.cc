#include "tools/sealane/agent_manifest.h"

#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "tools/sealane/agent_templates.h"

namespace sealane::cli {
namespace {

constexpr char kNamespace[] = "sealane-system";
constexpr char kAuthority[] = "sealane-bus-ca";

absl::Status Append(const char* text, std::vector<Json>* out) {
  std::vector<Json> objects;
  SEALANE_RETURN_IF_ERROR(kube::ParseManifests(text, &objects));
  out->insert(out->end(), objects.begin(), objects.end());
  return absl::OkStatus();
}

// The flags that the template has in the Deployment's arguments get their values.
absl::Status SetFlags(const AgentManifestOptions& options, Json& arguments) {
  const std::pair<std::string_view, const std::string&> values[] = {
      {"--cluster=", options.cluster},
      {"--bus-url=", options.bus_url},
      {"--member-api=", options.member_api}};
  for (const auto& [flag, value] : values) {
    bool found = false;
    for (Json& argument : arguments) {
      if (!argument.get_ref<const std::string&>().starts_with(flag)) continue;
      argument = StrCat(flag, value);
      found = true;
    }
    if (!found) return Internal(StrCat("deploy/agent/agent.yaml has no ", flag));
  }
  if (options.login.creds.empty()) return absl::OkStatus();
  Json kept = Json::array();
  for (Json& argument : arguments) {
    const auto& text = argument.get_ref<const std::string&>();
    if (!text.starts_with("--bus-user") && !text.starts_with("--bus-password")) {
      kept.push_back(std::move(argument));
    }
  }
  kept.push_back("--bus-creds=/etc/sealane/bus/creds");
  arguments = std::move(kept);
  return absl::OkStatus();
}

void FillSecret(const ClusterLogin& login, Json& secret) {
  secret["stringData"] = login.creds.empty()
                             ? Json{{"user", login.user}, {"password", login.password}}
                             : Json{{"creds", login.creds}};
}

absl::Status Fill(const AgentManifestOptions& options, Json& object) {
  const std::string kind = object.value("kind", "");
  if (kind == "Secret") FillSecret(options.login, object);
  if (kind != "Deployment") return absl::OkStatus();
  Json& pod = object["spec"]["template"]["spec"];
  Json& container = pod["containers"][0];
  container["image"] = options.image;
  SEALANE_RETURN_IF_ERROR(SetFlags(options, container["args"]));
  if (options.bus_ca_pem.empty()) return absl::OkStatus();
  container["args"].push_back("--bus-ca=/etc/sealane/bus-ca/ca.crt");
  container["volumeMounts"].push_back(
      {{"name", "bus-ca"}, {"mountPath", "/etc/sealane/bus-ca"}, {"readOnly", true}});
  pod["volumes"].push_back({{"name", "bus-ca"}, {"configMap", {{"name", kAuthority}}}});
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> AgentManifest(const AgentManifestOptions& options) {
  std::vector<Json> objects;
  std::string out;
  try {
    SEALANE_RETURN_IF_ERROR(Append(kAgentRights, &objects));
    if (options.member_api != "none") SEALANE_RETURN_IF_ERROR(Append(kAgentMemberApi, &objects));
    if (options.cluster_scoped) SEALANE_RETURN_IF_ERROR(Append(kAgentClusterScoped, &objects));
    if (!options.bus_ca_pem.empty()) {
      objects.push_back({{"apiVersion", "v1"},
                         {"kind", "ConfigMap"},
                         {"metadata", {{"name", kAuthority}, {"namespace", kNamespace}}},
                         {"data", {{"ca.crt", options.bus_ca_pem}}}});
    }
    SEALANE_RETURN_IF_ERROR(Append(kAgentDeployment, &objects));
    for (Json& object : objects) {
      SEALANE_RETURN_IF_ERROR(Fill(options, object));
      out += StrCat(out.empty() ? "" : "---\n", kube::ToYaml(object));
    }
  } catch (const Json::exception& e) {
    return Internal(StrCat("deploy/agent: ", e.what()));
  }
  return out;
}

absl::StatusOr<std::string> AgentSecret(const ClusterLogin& login) {
  std::vector<Json> objects;
  try {
    SEALANE_RETURN_IF_ERROR(Append(kAgentDeployment, &objects));
    for (Json& object : objects) {
      if (object.value("kind", "") != "Secret") continue;
      FillSecret(login, object);
      return kube::ToYaml(object);
    }
  } catch (const Json::exception& e) {
    return Internal(StrCat("deploy/agent: ", e.what()));
  }
  return Internal("deploy/agent/agent.yaml has no Secret");
}

}  // namespace sealane::cli

#include "lib/kube/kubeconfig.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::kube {
namespace {

std::string ScalarText(const YAML::Node& node, const char* key) {
  if (!node.IsMap()) return {};
  const YAML::Node value = node[key];
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

absl::StatusOr<YAML::Node> Named(const YAML::Node& root, const char* list, const char* body,
                                 std::string_view name) {
  const YAML::Node entries = root[list];
  if (entries && entries.IsSequence()) {
    for (const YAML::Node& entry : entries) {
      if (ScalarText(entry, "name") == name) return YAML::Node(entry[body]);
    }
  }
  return InvalidArgument(StrCat("kubeconfig: ", list, " has no entry named \"", name, "\""));
}

absl::StatusOr<std::string> ReadFile(const std::string& path, std::string_view field) {
  std::ifstream file(path);
  if (!file) return InvalidArgument(StrCat("kubeconfig: ", field, ": cannot read ", path));
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

std::string Resolve(std::string_view directory, const std::string& path) {
  if (path.empty() || path[0] == '/' || directory.empty()) return path;
  return StrCat(directory, "/", path);
}

// `<name>-data` (base64) beats `<name>` (a file, then told in `file`), as in client-go.
absl::StatusOr<std::string> Pem(const YAML::Node& node, const std::string& name,
                                std::string_view directory, std::string& file) {
  const std::string data = ScalarText(node, StrCat(name, "-data").c_str());
  if (!data.empty()) {
    std::string pem;
    if (!absl::Base64Unescape(data, &pem)) {
      return InvalidArgument(StrCat("kubeconfig: ", name, "-data is not base64"));
    }
    return pem;
  }
  const std::string path = ScalarText(node, name.c_str());
  if (path.empty()) return std::string();
  file = Resolve(directory, path);
  return ReadFile(file, name);
}

absl::StatusOr<ExecPlugin> ParseExec(const YAML::Node& node, std::string_view directory) {
  ExecPlugin plugin;
  plugin.api_version = ScalarText(node, "apiVersion");
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1") {
    return InvalidArgument(
        StrCat("kubeconfig: exec.apiVersion \"", plugin.api_version, "\" is not supported"));
  }
  std::string command = ScalarText(node, "command");
  if (command.empty()) return InvalidArgument("kubeconfig: exec.command is missing");
  // A name without a slash is looked up in PATH; any other relative one belongs to the file.
  if (command.find('/') != std::string::npos) command = Resolve(directory, command);
  plugin.argv.push_back(std::move(command));
  if (const YAML::Node args = node["args"]; args && args.IsSequence()) {
    for (const YAML::Node& arg : args) plugin.argv.push_back(arg.as<std::string>(""));
  }
  if (const YAML::Node env = node["env"]; env && env.IsSequence()) {
    for (const YAML::Node& entry : env)
      plugin.environment[ScalarText(entry, "name")] = ScalarText(entry, "value");
  }
  plugin.install_hint = ScalarText(node, "installHint");
  return plugin;
}

absl::StatusOr<ClusterAccess> Parse(const YAML::Node& root, std::string_view context_name,
                                    std::string_view directory) {
  if (!root.IsMap()) return InvalidArgument("kubeconfig: not a mapping");
  std::string name(context_name);
  if (name.empty()) name = ScalarText(root, "current-context");
  if (name.empty()) return InvalidArgument("kubeconfig: no current-context and no context chosen");
  SEALANE_ASSIGN_OR_RETURN(const YAML::Node context, Named(root, "contexts", "context", name));
  SEALANE_ASSIGN_OR_RETURN(const YAML::Node cluster,
                           Named(root, "clusters", "cluster", ScalarText(context, "cluster")));
  ClusterAccess access;
  access.default_namespace = ScalarText(context, "namespace");
  access.server = ScalarText(cluster, "server");
  if (access.server.rfind("http://", 0) != 0 && access.server.rfind("https://", 0) != 0) {
    return InvalidArgument(StrCat("kubeconfig: cluster \"", ScalarText(context, "cluster"),
                                  "\": server must be an http or https URL"));
  }
  SEALANE_ASSIGN_OR_RETURN(access.ca_pem,
                           Pem(cluster, "certificate-authority", directory, access.ca_file));
  access.insecure_skip_tls_verify = ScalarText(cluster, "insecure-skip-tls-verify") == "true";
  access.tls_server_name = ScalarText(cluster, "tls-server-name");
  access.proxy_url = ScalarText(cluster, "proxy-url");
  const std::string user_name = ScalarText(context, "user");
  if (user_name.empty()) return access;
  SEALANE_ASSIGN_OR_RETURN(const YAML::Node user, Named(root, "users", "user", user_name));
  if (!user.IsMap()) return access;
  SEALANE_ASSIGN_OR_RETURN(access.client_cert_pem,
                           Pem(user, "client-certificate", directory, access.client_cert_file));
  SEALANE_ASSIGN_OR_RETURN(access.client_key_pem,
                           Pem(user, "client-key", directory, access.client_key_file));
  if (access.client_cert_pem.empty() != access.client_key_pem.empty()) {
    return InvalidArgument(StrCat("kubeconfig: user \"", user_name,
                                  "\": client-certificate and client-key must come together"));
  }
  access.token = ScalarText(user, "token");
  access.token_file = Resolve(directory, ScalarText(user, "tokenFile"));
  access.username = ScalarText(user, "username");
  access.password = ScalarText(user, "password");
  if (const YAML::Node exec = user["exec"]; exec && exec.IsMap()) {
    SEALANE_ASSIGN_OR_RETURN(access.exec, ParseExec(exec, directory));
  }
  if (user["auth-provider"]) {
    return InvalidArgument(StrCat("kubeconfig: user \"", user_name,
                                  "\": auth-provider was removed from Kubernetes; use exec"));
  }
  return access;
}

}  // namespace

absl::StatusOr<ClusterAccess> ParseKubeconfig(std::string_view yaml, std::string_view context,
                                              std::string_view directory) {
  try {
    return Parse(YAML::Load(std::string(yaml)), context, directory);
  } catch (const YAML::Exception& e) {
    return InvalidArgument(StrCat("kubeconfig: ", e.what()));
  }
}

absl::StatusOr<ClusterAccess> LoadKubeconfig(const std::string& path, std::string_view context) {
  SEALANE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, "file"));
  const size_t slash = path.rfind('/');
  auto access = ParseKubeconfig(
      text, context, slash == std::string::npos ? "." : std::string_view(path).substr(0, slash));
  if (!access.ok()) return Annotate(access.status(), path);
  return access;
}

absl::StatusOr<ClusterAccess> InClusterAccess(const std::string& directory) {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr) {
    return FailedPrecondition(
        "not inside a Kubernetes pod (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig");
  }
  ClusterAccess access;
  const bool ipv6 = std::string_view(host).find(':') != std::string_view::npos;
  access.server =
      ipv6 ? StrCat("https://[", host, "]:", port) : StrCat("https://", host, ":", port);
  access.ca_file = StrCat(directory, "/ca.crt");
  SEALANE_ASSIGN_OR_RETURN(access.ca_pem, ReadFile(access.ca_file, "ca.crt"));
  access.token_file = StrCat(directory, "/token");
  return access;
}

std::unique_ptr<Credentials> MakeCredentials(Env env, const ClusterAccess& access,
                                             std::shared_ptr<TlsSource> tls) {
  if (access.exec) {
    return ExecCredentials(env, *access.exec, [tls = std::move(tls)](const ExecCredential& got) {
      tls->SetPluginCertificate(got.certificate_pem, got.key_pem);
    });
  }
  if (!access.token_file.empty()) return TokenFileCredentials(env, access.token_file);
  if (!access.token.empty()) return StaticCredentials(BearerHeader(access.token));
  if (!access.username.empty()) {
    return StaticCredentials(BasicHeader(access.username, access.password));
  }
  return StaticCredentials("");
}

}  // namespace sealane::kube

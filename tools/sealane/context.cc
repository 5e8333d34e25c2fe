#include "tools/sealane/context.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/files.h"

namespace sealane::cli {
namespace {

constexpr std::string_view kHowTo =
    "give --bus-url, --user and --password-file, or SEALANE_BUS_URL, SEALANE_BUS_USER and "
    "SEALANE_BUS_PASSWORD_FILE, or a config file (--config FILE, default "
    "~/.config/sealane/config.yaml; docs/cli.md tells more)";

std::string Variable(const Environment& environment, std::string_view name) {
  const auto it = environment.find(name);
  return it == environment.end() ? "" : it->second;
}

absl::StatusOr<std::string> ReadPassword(const std::string& path) {
  SEALANE_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  text.resize(
      std::min(text.find_first_of("\r\n"), text.size()));  // the first line, as the services do
  if (text.empty()) return InvalidArgument(StrCat(path, ": the password file is empty"));
  return text;
}

absl::StatusOr<std::string> TextField(const YAML::Node& map, const char* field) {
  const YAML::Node value = map[field];
  if (!value.IsDefined() || value.IsNull()) return std::string();
  if (!value.IsScalar()) return InvalidArgument(StrCat(field, ": expected text"));
  return value.Scalar();
}

absl::StatusOr<Context> ParseContext(const YAML::Node& node, std::string_view directory) {
  for (const auto& item : node) {
    const std::string field = item.first.Scalar();
    static constexpr std::string_view kAllowed[] = {
        "name", "url", "user", "password", "password-file", "creds-file", "ca-file", "namespace"};
    if (std::find(std::begin(kAllowed), std::end(kAllowed), field) == std::end(kAllowed)) {
      return InvalidArgument(
          StrCat("unknown field \"", field, "\"; allowed: ", StrJoin(kAllowed, ", ")));
    }
  }
  Context context;
  SEALANE_ASSIGN_OR_RETURN(context.url, TextField(node, "url"));
  SEALANE_ASSIGN_OR_RETURN(context.user, TextField(node, "user"));
  SEALANE_ASSIGN_OR_RETURN(context.password, TextField(node, "password"));
  SEALANE_ASSIGN_OR_RETURN(const std::string file, TextField(node, "password-file"));
  SEALANE_ASSIGN_OR_RETURN(const std::string ns, TextField(node, "namespace"));
  if (!ns.empty()) context.default_namespace = ns;
  const std::filesystem::path folder(directory);
  if (!file.empty()) {
    SEALANE_ASSIGN_OR_RETURN(context.password, ReadPassword((folder / file).string()));
  }
  for (const auto& [field, path] :
       {std::pair("creds-file", &context.creds_file), std::pair("ca-file", &context.ca_file)}) {
    SEALANE_ASSIGN_OR_RETURN(*path, TextField(node, field));
    if (!path->empty()) *path = (folder / *path).string();
  }
  return context;
}

absl::StatusOr<Context> FromYaml(const YAML::Node& root, std::string_view name,
                                 std::string_view directory) {
  if (!root.IsMap()) return InvalidArgument("expected a map with current-context and contexts");
  std::string wanted(name);
  if (wanted.empty()) {
    SEALANE_ASSIGN_OR_RETURN(wanted, TextField(root, "current-context"));
  }
  const YAML::Node contexts = root["contexts"];
  if (!contexts.IsDefined() || !contexts.IsSequence()) {
    return InvalidArgument("contexts: expected a list");
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < contexts.size(); ++i) {
    const YAML::Node& node = contexts[i];
    if (!node.IsMap()) return InvalidArgument(StrCat("contexts[", i, "]: expected a map"));
    SEALANE_ASSIGN_OR_RETURN(const std::string own, TextField(node, "name"));
    if (own == wanted) {
      absl::StatusOr<Context> context = ParseContext(node, directory);
      if (!context.ok()) return Annotate(context.status(), StrCat("context ", own));
      return context;
    }
    names.push_back(own);
  }
  return NotFound(StrCat("there is no context \"", wanted, "\"; there is: ", StrJoin(names, ", ")));
}

std::string DefaultConfigPath(const Environment& environment) {
  const std::string xdg = Variable(environment, "XDG_CONFIG_HOME");
  if (!xdg.empty()) return xdg + "/sealane/config.yaml";
  const std::string home = Variable(environment, "HOME");
  return home.empty() ? "" : home + "/.config/sealane/config.yaml";
}

// The file that flag or environment name; empty: the default one.
std::string NamedConfig(const Args& args, const Environment& environment) {
  const std::string path = args.Get("config");
  return path.empty() ? Variable(environment, "SEALANE_CONFIG") : path;
}

// The context of the config file; an absent default file is an empty context.
absl::StatusOr<Context> FromFile(const Args& args, const Environment& environment) {
  std::string path = NamedConfig(args, environment);
  const bool asked_for = !path.empty() || args.Has("context");
  if (path.empty()) path = DefaultConfigPath(environment);
  std::error_code error;
  if (!asked_for && (path.empty() || !std::filesystem::exists(path, error))) return Context{};
  SEALANE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  absl::StatusOr<Context> context =
      ParseConfig(text, args.Get("context"), std::filesystem::path(path).parent_path().string());
  if (!context.ok()) return Annotate(context.status(), path);
  return context;
}

}  // namespace

std::vector<FlagSpec> ContextFlags() {
  return {
      {"config", 0, "FILE", "the config file (default ~/.config/sealane/config.yaml)"},
      {"context", 0, "NAME", "a context of the config file, instead of its current-context"},
      {"bus-url", 0, "URL",
       "the NATS server: nats://HOST:PORT or tls://HOST:PORT; several: with commas"},
      {"user", 0, "USER", "the platform's user on the bus"},
      {"password-file", 0, "FILE", "holds that user's password"},
      {"creds-file", 0, "FILE", "credentials of an operator's bus, instead of user and password"},
      {"bus-ca", 0, "FILE", "PEM of the authority that signed the bus' certificate"},
      {"timeout", 0, "DURATION", "how long to wait for the fleet (default 30s)"},
  };
}

absl::StatusOr<Context> ParseConfig(std::string_view text, std::string_view name,
                                    std::string_view directory) {
  try {
    return FromYaml(YAML::Load(std::string(text)), name, directory);
  } catch (const YAML::Exception& e) {
    return InvalidArgument(StrCat("line ", e.mark.line + 1, ": ", e.msg));
  }
}

std::vector<std::string> ContextNames(const Args& args, const Environment& environment) {
  std::string path = NamedConfig(args, environment);
  if (path.empty()) path = DefaultConfigPath(environment);
  std::vector<std::string> names;
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return names;
  try {
    const YAML::Node contexts = YAML::Load(*text)["contexts"];
    for (const YAML::Node& node : contexts) names.push_back(node["name"].as<std::string>());
  } catch (const YAML::Exception&) {
    return {};
  }
  return names;
}

absl::StatusOr<Context> LoadContext(const Args& args, const Environment& environment) {
  SEALANE_ASSIGN_OR_RETURN(Context context, FromFile(args, environment));
  const auto choose = [&](std::string& value, std::string_view flag, std::string_view variable) {
    if (args.Has(flag)) {
      value = args.Get(flag);
    } else if (const std::string set = Variable(environment, variable); !set.empty()) {
      value = set;
    }
  };
  choose(context.url, "bus-url", "SEALANE_BUS_URL");
  choose(context.user, "user", "SEALANE_BUS_USER");
  choose(context.creds_file, "creds-file", "SEALANE_BUS_CREDS");
  choose(context.ca_file, "bus-ca", "SEALANE_BUS_CA");
  std::string password_file;
  choose(password_file, "password-file", "SEALANE_BUS_PASSWORD_FILE");
  if (const std::string set = Variable(environment, "SEALANE_BUS_PASSWORD"); !set.empty()) {
    context.password = set;
  }
  if (!password_file.empty()) {
    SEALANE_ASSIGN_OR_RETURN(context.password, ReadPassword(password_file));
  }
  if (context.url.empty()) {
    return FailedPrecondition(StrCat("which fleet? There is no bus URL: ", kHowTo));
  }
  return context;
}

}  // namespace sealane::cli

// sealane validate: what the fleet would refuse, without asking it.
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/kube/manifest.h"
#include "tools/sealane/command.h"
#include "tools/sealane/input.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/render_message.h"
#include "tools/sealane/validation.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

int ValidateFiles(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  const std::vector<std::string> paths = args.All("filename");
  if (paths.empty() || !args.positional().empty()) {
    return Fail(terminal, InvalidArgument("give the manifests with -f FILE, -f DIRECTORY or -f - "
                                          "(standard input)"));
  }
  const auto format = OutputFormat(args, {"json", "yaml"});
  if (!format.ok()) return Fail(terminal, format.status());
  const auto documents = ReadDocuments(paths, args.Has("recursive"), terminal.in);
  if (!documents.ok()) return Fail(terminal, documents.status());
  const v1::DeployResult result = Validate(*documents);
  if (*format == "json") {
    terminal.out << MessageToJson(result).dump(2) << "\n";
  } else if (*format == "yaml") {
    terminal.out << kube::ToYaml(MessageToJson(result));
  } else {
    terminal.out << FormatValidation(result, terminal.style);
  }
  return result.accepted() ? kOk : kRefused;
}

}  // namespace

Command ValidateCommand() {
  return {
      "validate",
      "-f FILE|DIR|-",
      "Check manifests and policies without a server",
      "Says what the fleet would refuse, and why: the same checks as `apply`, with file, document, "
      "field\n"
      "and reason. What depends on the fleet's other objects and clusters is told by `apply "
      "--dry-run`.\n"
      "Ends with exit code 0 when everything would be accepted, with 1 when something would "
      "not.\n\n"
      "  sealane validate -f policy.yaml\n"
      "  sealane validate -R -f deploy/\n"
      "  generate | sealane validate -f - -o json\n",
      {{"filename", 'f', "FILE|DIR|-", "YAML or JSON, any number of documents", true},
       {"recursive", 'R', "", "also the directories below"},
       {"output", 'o', "json|yaml", "the findings as data"}},
      false,
      ValidateFiles};
}

}  // namespace sealane::cli

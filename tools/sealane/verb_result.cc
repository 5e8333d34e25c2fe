// sealane result: the answer to an event that was published earlier.
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "tools/sealane/command.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/render_message.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

int Result(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  if (args.positional().size() != 1) return Fail(terminal, InvalidArgument("give one EVENT-ID"));
  const auto format = OutputFormat(args, {"json", "yaml"});
  if (!format.ok()) return Fail(terminal, format.status());
  const auto timeout = Timeout(args);
  if (!timeout.ok()) return Fail(terminal, timeout.status());
  const auto fleet = Connect(invocation);
  if (!fleet.ok()) return Fail(terminal, fleet.status());
  const std::string& id = args.positional()[0];
  const auto result = (*fleet)->Result(id, *timeout);
  if (!result.ok()) return Fail(terminal, result.status());
  if (!result->has_value()) {
    return Fail(terminal, NotFound(StrCat("there is no result of ", id,
                                          ": it is not handled yet, was never stored, or is more "
                                          "than a day old")));
  }
  if (*format == "json") {
    terminal.out << MessageToJson(**result).dump(2) << "\n";
  } else if (*format == "yaml") {
    terminal.out << kube::ToYaml(MessageToJson(**result));
  } else {
    terminal.out << FormatDeployResult(**result, false, false, terminal.style);
  }
  return (*result)->accepted() ? kOk : kRefused;
}

}  // namespace

Command ResultCommand() {
  return {
      "result",
      "EVENT-ID",
      "Show the answer to a deploy event that was published earlier",
      "For when `apply` or `delete` ended before the answer came, or another client published.\n"
      "Answers are kept for a day.\n\n"
      "  sealane result 5f0c2a1e-93c1-4f0e-9c1e-2f6d1a7b8c90\n",
      {{"output", 'o', "json|yaml", "the whole answer"}},
      true,
      Result};
}

}  // namespace sealane::cli

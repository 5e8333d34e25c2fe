#include "tools/sealane/command.h"

namespace sealane::cli {

Command VersionCommand() {
  return {"version",
          "",
          "Print the version of this program",
          "  sealane version\n",
          {},
          false,
          [](const Invocation& invocation) {
            invocation.terminal.out << "sealane " << SEALANE_VERSION << "\n";
            return kOk;
          }};
}

}  // namespace sealane::cli

#pragma once

#include <functional>
#include <istream>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tools/sealane/args.h"
#include "tools/sealane/context.h"
#include "tools/sealane/fleet.h"
#include "tools/sealane/table.h"

namespace sealane::cli {

// Exit codes; documented in `sealane help` and docs/cli.md.
inline constexpr int kOk = 0;
inline constexpr int kRefused = 1;      // the fleet refused something, or there is no such thing
inline constexpr int kUsage = 2;        // the command line or an input file is wrong
inline constexpr int kUnreachable = 3;  // the bus or a service did not answer in time
inline constexpr int kNotHealthy =
    4;  // status: not healthy; simulate: does not fit; drain: not empty

using Connector =
    std::function<absl::StatusOr<std::unique_ptr<Fleet>>(const Context&, absl::Duration timeout)>;

// The world a command runs in.
struct Terminal {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  Style style;
  Environment environment;
  Connector connect;
  bool progress = false;  // tell on `err` what is waited for: it is a terminal
};

// One run of a command.
struct Invocation {
  const Args& args;
  Terminal& terminal;
};

struct Command {
  std::string name;
  std::string arguments;  // "-f FILE|DIR|-"
  std::string summary;    // one line
  std::string details;    // what more there is to say, with examples
  std::vector<FlagSpec> flags;
  bool talks_to_fleet = true;  // takes the context flags, too
  std::function<int(const Invocation&)> run;
  // What follows the first argument that is no flag is another program's.
  bool passes_on = false;
  std::string group = {};  // the heading in `sealane help`; set by Commands()
};

// All commands, in the order in which help lists them.
[[nodiscard]] const std::vector<Command>& Commands();

// The verbs, their flags and examples as docs/cli.md has them: `sealane help --markdown`.
[[nodiscard]] std::string MarkdownHelp();

// Runs the command that `args` (without the program's name) ask for; returns the exit code.
int RunCli(const std::vector<std::string>& args, Terminal& terminal);

// --- For commands ------------------------------------------------------------------------------

// Prints "error: ..." and returns the exit code that the status' kind has.
int Fail(Terminal& terminal, const absl::Status& status);
// A connection as flags, environment and config file say; also gives the context.
[[nodiscard]] absl::StatusOr<std::unique_ptr<Fleet>> Connect(const Invocation& invocation,
                                                             Context* context = nullptr);
// --timeout, 30 s by default.
[[nodiscard]] absl::StatusOr<absl::Duration> Timeout(const Args& args);

// One function per verb makes its row of the table.
Command ApplyCommand();
Command DeleteCommand();
Command ValidateCommand();
Command GetCommand();
Command StatusCommand();
Command ExplainCommand();
Command RenderCommand();
Command SimulateCommand();
Command EventsCommand();
Command ResultCommand();
Command TraceCommand();
Command ServerConfigCommand();
Command JoinCommand();
Command LeafConfigCommand();
Command RotateCommand();
Command UnjoinCommand();
Command CordonCommand();
Command UncordonCommand();
Command DrainCommand();
Command TaintCommand();
Command HistoryCommand();
Command RollbackCommand();
Command SuspendCommand();
Command ResumeCommand();
Command RebalanceCommand();
Command GitopsCommand();
Command KubectlCommand();
Command DescribeCommand();
Command TopCommand();
Command CompletionCommand();
Command VersionCommand();

}  // namespace sealane::cli

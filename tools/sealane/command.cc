#include "tools/sealane/command.h"

#include <algorithm>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::cli {
namespace {

constexpr std::string_view kExitCodes =
    "Exit codes:\n"
    "  0  done\n"
    "  1  the fleet refused something (validate: would refuse it), or there is no such thing\n"
    "  2  the command line or an input file is wrong\n"
    "  3  the bus or a service did not answer in time\n"
    "  4  status: something is not healthy; simulate: something would not fit; drain: something\n"
    "     stays\n";

std::string Overview(const Style& style) {
  std::string out =
      "Sealane delivers one application to many Kubernetes clusters as if they were one.\n\n";
  out.append(style.Bold("Usage:")).append(" sealane COMMAND [ARGUMENTS] [FLAGS]\n\n");
  size_t width = 0;
  for (const Command& command : Commands()) width = std::max(width, command.name.size());
  std::string group;
  for (const Command& command : Commands()) {
    if (command.group != group) {
      out.append(group.empty() ? "" : "\n").append(style.Bold(command.group)).append("\n");
      group = command.group;
    }
    out.append("  ").append(command.name).append(width + 2 - command.name.size(), ' ');
    out.append(command.summary).append("\n");
  }
  out.append("\n`sealane COMMAND --help` tells more.\n\n").append(kExitCodes);
  return out;
}

std::string FlagsHelp(const std::vector<FlagSpec>& flags) {
  std::vector<std::string> lefts;
  size_t width = 0;
  for (const FlagSpec& flag : flags) {
    std::string left = flag.short_name == 0 ? "      " : StrCat("  -", flag.short_name, ", ");
    left.append("--").append(flag.name);
    if (!flag.value.empty()) left.append(" ").append(flag.value);
    width = std::max(width, left.size());
    lefts.push_back(std::move(left));
  }
  std::string out;
  for (size_t i = 0; i < flags.size(); ++i) {
    out.append(lefts[i]).append(width + 2 - lefts[i].size(), ' ').append(flags[i].help);
    out.append(flags[i].repeated ? " (may be repeated)\n" : "\n");
  }
  return out;
}

std::string Help(const Command& command, const Style& style, bool with_context) {
  std::string out = StrCat(command.summary, "\n\n", style.Bold("Usage:"), " sealane ", command.name,
                           " ", command.arguments, "\n");
  if (!command.details.empty()) out.append("\n").append(command.details);
  if (!command.flags.empty()) {
    out.append("\n").append(style.Bold("Flags:")).append("\n").append(FlagsHelp(command.flags));
  }
  if (command.talks_to_fleet && with_context) {
    out.append("\n").append(style.Bold("Which fleet:")).append("\n");
    out.append(FlagsHelp(ContextFlags()));
  }
  return out;
}

const Command* FindCommand(std::string_view name) {
  for (const Command& command : Commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

int UnknownCommand(std::string_view name, Terminal& terminal) {
  std::vector<std::string> names;
  for (const Command& command : Commands()) names.push_back(command.name);
  const std::string near = Nearest(name, names);
  terminal.err << terminal.style.Red("error:") << " unknown command \"" << name << "\""
               << (near.empty() ? "" : StrCat("; did you mean ", near, "?"))
               << "\n`sealane help` lists the commands.\n";
  return kUsage;
}

}  // namespace

const std::vector<Command>& Commands() {
  static const auto* commands = [] {
    auto* all = new std::vector<Command>();
    const auto add = [all](std::string_view group, std::vector<Command> some) {
      for (Command& command : some) {
        command.group = std::string(group);
        all->push_back(std::move(command));
      }
    };
    add("Publish",
        {ApplyCommand(), DeleteCommand(), ValidateCommand(), HistoryCommand(), RollbackCommand(),
         SuspendCommand(), ResumeCommand(), RebalanceCommand(), ResultCommand(), GitopsCommand()});
    add("Look", {GetCommand(), StatusCommand(), DescribeCommand(), TopCommand(), TraceCommand(),
                 EventsCommand(), KubectlCommand()});
    add("Ask why, and what if", {ExplainCommand(), RenderCommand(), SimulateCommand()});
    add("Clusters", {JoinCommand(), UnjoinCommand(), RotateCommand(), CordonCommand(),
                     UncordonCommand(), DrainCommand(), TaintCommand()});
    add("The bus", {ServerConfigCommand(), LeafConfigCommand()});
    add("This program", {CompletionCommand(), VersionCommand()});
    return all;
  }();
  return *commands;
}

std::string MarkdownHelp() {
  std::string out;
  std::string group;
  for (const Command& command : Commands()) {
    if (command.group != group) out.append(StrCat("### ", group = command.group, "\n\n"));
    out.append(
        StrCat("#### ", command.name, "\n\n```\n", Help(command, Style{}, false), "```\n\n"));
  }
  out.append("### Which fleet\n\nAll verbs but those that need none take these:\n\n```\n");
  return out.append(FlagsHelp(ContextFlags())).append("```\n");
}

int RunCli(const std::vector<std::string>& args, Terminal& terminal) {
  const bool asks_help =
      args.empty() || args[0] == "help" || args[0] == "--help" || args[0] == "-h";
  if (args.size() == 2 && args[0] == "help" && args[1] == "--markdown") {
    terminal.out << MarkdownHelp();
    return kOk;
  }
  if (asks_help) {
    const Command* topic = args.size() > 1 ? FindCommand(args[1]) : nullptr;
    if (args.size() > 1 && topic == nullptr) return UnknownCommand(args[1], terminal);
    terminal.out << (topic == nullptr ? Overview(terminal.style)
                                      : Help(*topic, terminal.style, true));
    return args.empty() ? kUsage : kOk;
  }
  const Command* command = FindCommand(args[0]);
  if (command == nullptr) return UnknownCommand(args[0], terminal);

  std::vector<FlagSpec> flags = command->flags;
  if (command->talks_to_fleet) {
    for (FlagSpec& flag : ContextFlags()) flags.push_back(std::move(flag));
  }
  flags.push_back({"help", 'h', "", "this text"});
  const absl::StatusOr<Args> parsed =
      ParseArgs(flags, std::vector<std::string>(args.begin() + 1, args.end()), command->passes_on);
  if (!parsed.ok()) {
    terminal.err << terminal.style.Red("error:") << " " << parsed.status().message()
                 << "\n`sealane " << command->name << " --help` tells more.\n";
    return kUsage;
  }
  if (parsed->Has("help")) {
    terminal.out << Help(*command, terminal.style, true);
    return kOk;
  }
  return command->run(Invocation{*parsed, terminal});
}

int Fail(Terminal& terminal, const absl::Status& status) {
  terminal.err << terminal.style.Red("error:") << " " << status.message() << "\n";
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kUnreachable;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
      return kUsage;
    default:
      return kRefused;
  }
}

absl::StatusOr<absl::Duration> Timeout(const Args& args) {
  return args.Duration("timeout", absl::Seconds(30));
}

absl::StatusOr<std::unique_ptr<Fleet>> Connect(const Invocation& invocation, Context* context) {
  SEALANE_ASSIGN_OR_RETURN(const absl::Duration timeout, Timeout(invocation.args));
  SEALANE_ASSIGN_OR_RETURN(const Context loaded,
                           LoadContext(invocation.args, invocation.terminal.environment));
  if (context != nullptr) *context = loaded;
  SEALANE_ASSIGN_OR_RETURN(
      std::unique_ptr<Fleet> fleet,
      invocation.terminal.connect(loaded, std::min(timeout, absl::Seconds(10))));
  if (invocation.terminal.progress) {
    // One line, written over again, that is gone when there is an answer.
    fleet->OnWaiting(
        [&err = invocation.terminal.err, timeout](std::string_view who, absl::Duration waited) {
          err << "\r\x1b[K";
          if (waited > absl::ZeroDuration()) {
            err << "waiting for " << who << ", "
                << absl::FormatDuration(absl::Trunc(waited, absl::Seconds(1))) << " of "
                << absl::FormatDuration(timeout);
          }
          err.flush();
        });
  }
  return fleet;
}

}  // namespace sealane::cli

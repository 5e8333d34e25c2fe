// sealane completion: scripts for shells, and the words that they ask for.
#include <algorithm>
#include <set>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/command.h"
#include "tools/sealane/completion.h"
#include "tools/sealane/listing.h"

namespace sealane::cli {
namespace {

// Who presses a key does not wait longer.
constexpr absl::Duration kPatience = absl::Seconds(2);

// What of the line says which fleet, and where in it. The line is not complete: what cannot be
// parsed is left out.
Args LineArgs(const std::vector<std::string>& words) {
  std::vector<FlagSpec> flags = ContextFlags();
  for (const Command& command : Commands()) {
    if (command.name != words.front()) continue;
    flags.insert(flags.end(), command.flags.begin(), command.flags.end());
  }
  std::vector<std::string> line(words.begin() + 1, words.end());
  while (true) {
    absl::StatusOr<Args> parsed = ParseArgs(flags, line);
    if (parsed.ok()) return *std::move(parsed);
    if (line.empty()) return {};
    line.pop_back();
  }
}

std::string LowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

absl::StatusOr<std::set<std::string>> FleetNames(const Invocation& invocation,
                                                 const std::vector<std::string>& words,
                                                 Completion::Ask ask) {
  const Args args = LineArgs(words);
  SEALANE_ASSIGN_OR_RETURN(const Context context,
                           LoadContext(args, invocation.terminal.environment));
  SEALANE_ASSIGN_OR_RETURN(const auto fleet, invocation.terminal.connect(context, kPatience));
  v1::QueryRequest filter;
  if (ask == Completion::Ask::kApps) {
    filter.set_namespace_(args.Has("namespace") ? args.Get("namespace")
                                                : context.default_namespace);
  }
  const Noun* noun = FindNoun(ask == Completion::Ask::kClusters ? "clusters" : "apps");
  SEALANE_ASSIGN_OR_RETURN(const Listing listing,
                           List(*fleet, *noun, filter, /*brief=*/true, kPatience));
  std::set<std::string> names;
  for (const v1::ClusterStatus& cluster : listing.reply.clusters()) names.insert(cluster.name());
  const bool with_kind = words.back().find('/') != std::string::npos;
  for (const v1::AppStatus& app : listing.reply.apps()) {
    const v1::ObjectRef& ref = app.ref();
    if (ask == Completion::Ask::kNamespaces) {
      if (!ref.namespace_().empty()) names.insert(ref.namespace_());
    } else {
      names.insert(with_kind ? StrCat(LowerCase(ref.kind()), "/", ref.name()) : ref.name());
    }
  }
  return names;
}

int PrintWords(const Invocation& invocation, const std::vector<std::string>& words) {
  Terminal& terminal = invocation.terminal;
  const Completion completion = Complete(Commands(), words);
  for (const std::string& word : completion.words) terminal.out << word << "\n";
  switch (completion.ask) {
    case Completion::Ask::kNothing:
      return kOk;
    case Completion::Ask::kFiles:
      terminal.out << ":files\n";
      return kOk;
    case Completion::Ask::kContexts: {
      for (const std::string& name : ContextNames(LineArgs(words), terminal.environment)) {
        if (name.starts_with(words.back())) terminal.out << name << "\n";
      }
      return kOk;
    }
    default: {
      // A fleet that does not answer has no names to offer.
      const auto names = FleetNames(invocation, words, completion.ask);
      if (!names.ok()) return kUnreachable;
      for (const std::string& name : *names) {
        if (name.starts_with(words.back())) terminal.out << name << "\n";
      }
      return kOk;
    }
  }
}

int RunCompletion(const Invocation& invocation) {
  std::vector<std::string> words = invocation.args.positional();
  if (words.size() > 1 && words[0] == "words") {
    words.erase(words.begin());
    return PrintWords(invocation, words);
  }
  const std::string_view script =
      words.size() == 1 ? CompletionScript(words[0]) : std::string_view();
  if (script.empty()) {
    return Fail(invocation.terminal,
                InvalidArgument("completion for which shell? Allowed: bash, zsh"));
  }
  invocation.terminal.out << script;
  return kOk;
}

}  // namespace

Command CompletionCommand() {
  return {"completion",
          "bash|zsh",
          "Print a script that completes verbs, flags and names in a shell",
          "Names of applications, clusters and namespaces are asked from the fleet that the line "
          "is about.\n\n"
          "  sealane completion bash > ~/.local/share/bash-completion/completions/sealane\n"
          "  source <(sealane completion zsh)     # after compinit, in ~/.zshrc\n",
          {},
          false,
          RunCompletion};
}

}  // namespace sealane::cli

#include "tools/sealane/completion.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_split.h"
#include "lib/core/strings.h"
#include "tools/sealane/listing.h"

namespace sealane::cli {
namespace {

using Ask = Completion::Ask;
using Words = std::vector<std::string>;

// The program is asked for every word, so that it knows its verbs, flags and names better than a
// script could. ":files" stands for what the shell itself completes.
constexpr std::string_view kBash =
    R"(# bash completion for sealane: source <(sealane completion bash)
_sealane() {
  local current=${COMP_WORDS[COMP_CWORD]} line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    else
      COMPREPLY+=("$line")
    fi
  done < <("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _sealane sealane
)";

constexpr std::string_view kZsh = R"(#compdef sealane
# zsh completion for sealane: source <(sealane completion zsh), or a file _sealane in $fpath
_sealane() {
  local -a found
  found=("${(@f)$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ ${found[1]} == :files ]]; then
    _files
  elif [[ -n ${found[1]} ]]; then
    compadd -- "${found[@]}"
  fi
}
if [[ ${funcstack[1]} == _sealane ]]; then
  _sealane "$@"
elif (( ${+functions[compdef]} )); then
  compdef _sealane sealane
fi
)";

void Offer(std::string_view typed, const Words& candidates, Completion* completion) {
  for (const std::string& candidate : candidates) {
    if (candidate.starts_with(typed)) completion->words.push_back(candidate);
  }
}

const FlagSpec* FlagOf(const std::vector<FlagSpec>& flags, std::string_view word) {
  for (const FlagSpec& flag : flags) {
    const bool is = word.starts_with("--")
                        ? word.substr(2) == flag.name
                        : word.size() == 2 && word[0] == '-' && word[1] == flag.short_name;
    if (is) return &flag;
  }
  return nullptr;
}

bool OneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

void OfferValues(std::string_view command, const FlagSpec& flag, std::string_view typed,
                 Completion* completion) {
  static const auto& fixed = *new std::map<std::string_view, Words>{
      {"sort", {"cpu", "memory", "pods", "name"}},
      {"service", {"policy", "scheduler", "source", "status"}}};
  const bool of_cluster = OneOf(flag.name, {"cluster", "drain", "fail", "remove-cluster"}) ||
                          (flag.name == "name" && OneOf(command, {"unjoin", "rotate"}));
  if (const auto found = fixed.find(flag.name); found != fixed.end()) {
    Offer(typed, found->second, completion);
  } else if (flag.name == "output" && flag.value == "FORMAT") {
    Offer(typed, {"table", "wide", "json", "yaml", "name"}, completion);
  } else if (flag.name == "output") {
    Offer(typed, absl::StrSplit(flag.value, '|'), completion);
  } else if (flag.name == "namespace") {
    completion->ask = Ask::kNamespaces;
  } else if (flag.name == "context") {
    completion->ask = Ask::kContexts;
  } else if (of_cluster) {
    completion->ask = Ask::kClusters;
  } else if (flag.value.find("FILE") != std::string::npos ||
             flag.value.find("DIR") != std::string::npos) {
    completion->ask = Ask::kFiles;
  }
}

// The place-th positional word (from 0) of a command.
void OfferPositional(const std::vector<Command>& commands, std::string_view command,
                     const Words& before, std::string_view typed, Completion* completion) {
  const size_t place = before.size();
  Words nouns;
  for (const Noun& noun : Nouns()) nouns.emplace_back(noun.name);
  if (command == "help") {
    Words names;
    for (const Command& known : commands) names.push_back(known.name);
    if (place == 0) Offer(typed, names, completion);
  } else if (command == "get") {
    if (place == 0) Offer(typed, nouns, completion);
    if (place == 1 && OneOf(before[0], {"apps", "app"})) completion->ask = Ask::kApps;
    if (place == 1 && OneOf(before[0], {"clusters", "cluster"})) completion->ask = Ask::kClusters;
  } else if (command == "top") {
    if (place == 0) Offer(typed, {"clusters"}, completion);
  } else if (command == "gitops") {
    if (place == 0) {
      Offer(typed, {"add", "list", "remove", "resume", "status", "suspend", "sync"}, completion);
    }
  } else if (command == "completion") {
    if (place == 0) Offer(typed, {"bash", "zsh"}, completion);
  } else if (OneOf(command, {"cordon", "uncordon", "drain", "taint"})) {
    if (place == 0) completion->ask = Ask::kClusters;
  } else if (OneOf(command, {"status", "explain", "render", "history", "rollback", "describe",
                             "suspend", "resume", "events", "trace"})) {
    if (place == 0) completion->ask = Ask::kApps;
  } else if (command == "rebalance") {
    completion->ask = Ask::kApps;
  }
}

}  // namespace

Completion Complete(const std::vector<Command>& commands, const std::vector<std::string>& words) {
  Completion completion;
  if (words.empty()) return completion;
  const std::string& typed = words.back();
  if (words.size() == 1) {
    Words names = {"help"};
    for (const Command& command : commands) names.push_back(command.name);
    std::sort(names.begin(), names.end());
    Offer(typed, names, &completion);
    return completion;
  }
  const auto command = std::find_if(commands.begin(), commands.end(),
                                    [&](const Command& c) { return c.name == words[0]; });
  std::vector<FlagSpec> flags;
  if (command != commands.end()) {
    flags = command->flags;
    flags.push_back({"help", 'h', "", "this text"});
    if (command->talks_to_fleet) {
      for (FlagSpec& flag : ContextFlags()) flags.push_back(std::move(flag));
    }
  } else if (words[0] != "help") {
    return completion;
  }
  Words positional;
  for (size_t i = 1; i + 1 < words.size(); ++i) {
    const FlagSpec* flag = words[i].starts_with("-") ? FlagOf(flags, words[i]) : nullptr;
    if (flag != nullptr && !flag->value.empty()) {
      if (i + 2 == words.size()) {
        OfferValues(words[0], *flag, typed, &completion);
        return completion;
      }
      ++i;  // its value
    } else if (!words[i].starts_with("-")) {
      positional.push_back(words[i]);
    }
  }
  if (typed.starts_with("-")) {
    Words names;
    for (const FlagSpec& flag : flags) names.push_back(StrCat("--", flag.name));
    Offer(typed, names, &completion);
  } else {
    OfferPositional(commands, words[0], positional, typed, &completion);
  }
  return completion;
}

std::string_view CompletionScript(std::string_view shell) {
  if (shell == "bash") return kBash;
  return shell == "zsh" ? kZsh : std::string_view();
}

}  // namespace sealane::cli

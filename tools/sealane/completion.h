#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/sealane/command.h"

namespace sealane::cli {

// What may stand where the cursor is.
struct Completion {
  enum class Ask { kNothing, kApps, kClusters, kNamespaces, kContexts, kFiles };
  std::vector<std::string> words;  // begin as the word that is being typed
  Ask ask = Ask::kNothing;  // also these, which the fleet, the config file or the shell knows
};

// `words`: the command line after the program's name; the last one is being typed and may be empty.
[[nodiscard]] Completion Complete(const std::vector<Command>& commands,
                                  const std::vector<std::string>& words);

// The script that makes the shell ask `sealane completion words`; "" for a shell that is not known.
[[nodiscard]] std::string_view CompletionScript(std::string_view shell);

}  // namespace sealane::cli

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/runtime/flags.h"

namespace sealane::bench {

// The flags of a benchmark: --name=VALUE or --name VALUE, into variables that hold the defaults.
class CommandLine {
 public:
  CommandLine(std::string program, std::string summary)
      : program_(std::move(program)), summary_(std::move(summary)) {}
  void Number(std::string_view name, std::string_view help,
              int* value);  // 1 (0, if that is the default) to a billion
  void Switch(std::string_view name, std::string_view help, bool* value);
  void Text(std::string_view name, std::string_view help, std::string* value);
  // -1: go on. Otherwise the exit code, after --help (0) or a message about a bad flag (2).
  int Parse(int argc, char** argv);

  // The directory of this program, where the binaries it measures are too.
  static std::string ProgramDirectory();

 private:
  std::string program_;
  std::string summary_;
  std::vector<Flag> flags_;
  std::vector<std::pair<std::string, int*>> numbers_;
  std::vector<std::pair<std::string, bool*>> switches_;
  std::vector<std::pair<std::string, std::string*>> texts_;
};

}  // namespace sealane::bench

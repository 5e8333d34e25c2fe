#include "benchmarks/common/command_line.h"

#include <filesystem>
#include <iostream>

#include "lib/core/strings.h"

namespace sealane::bench {

void CommandLine::Number(std::string_view name, std::string_view help, int* value) {
  flags_.push_back({std::string(name), std::string(help), std::to_string(*value)});
  numbers_.emplace_back(name, value);
}

void CommandLine::Switch(std::string_view name, std::string_view help, bool* value) {
  flags_.push_back({std::string(name), std::string(help), "", true});
  switches_.emplace_back(name, value);
}

void CommandLine::Text(std::string_view name, std::string_view help, std::string* value) {
  flags_.push_back({std::string(name), std::string(help), *value});
  texts_.emplace_back(name, value);
}

int CommandLine::Parse(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  for (const std::string& arg : args) {
    if (arg != "--help") continue;
    std::cout << program_ << ": " << summary_ << "\n\n" << DescribeFlags(flags_);
    return 0;
  }
  const auto flags = ParseFlags(flags_, args);
  absl::Status status = flags.status();
  if (status.ok()) {
    for (const auto& [name, value] : numbers_) {
      const auto number = flags->GetInt(name, *value == 0 ? 0 : 1, 1'000'000'000);
      if (number.ok()) *value = static_cast<int>(*number);
      status.Update(number.status());
    }
    for (const auto& [name, value] : switches_) *value = flags->GetBool(name);
    for (const auto& [name, value] : texts_) *value = flags->Get(name);
  }
  if (status.ok()) return -1;
  std::cerr << program_ << ": " << ToStd(status.message()) << "\n";
  return 2;
}

std::string CommandLine::ProgramDirectory() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
}

}  // namespace sealane::bench

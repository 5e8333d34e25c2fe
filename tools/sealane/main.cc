#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

#include "lib/bus/nats_bus.h"
#include "lib/core/crash.h"
#include "tools/sealane/command.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX

namespace {

sealane::cli::Environment ReadEnvironment() {
  sealane::cli::Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

}  // namespace

int main(int argc, char** argv) {
  sealane::TellStackOnCrash(argv[0]);
  std::signal(SIGPIPE, SIG_DFL);  // `sealane events | head` ends quietly
  sealane::cli::Environment environment = ReadEnvironment();
  sealane::cli::Style style;
  style.colour = isatty(STDOUT_FILENO) != 0 && environment.find("NO_COLOR") == environment.end();
  sealane::cli::Terminal terminal{std::cin,
                                  std::cout,
                                  std::cerr,
                                  style,
                                  environment,
                                  sealane::cli::ConnectFleet,
                                  isatty(STDERR_FILENO) != 0};
  const int code = sealane::cli::RunCli({argv + 1, argv + argc}, terminal);
  sealane::NatsBus::EndLibrary();
  return code;
}

#include "lib/core/crash.h"

#include <csignal>

#include "absl/debugging/failure_signal_handler.h"
#include "absl/debugging/symbolize.h"

namespace sealane {

void TellStackOnCrash(const char* program) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they have their own
  absl::InitializeSymbolizer(program);
  absl::FailureSignalHandlerOptions options;
  options.symbolize_stacktrace = true;
  options.call_previous_handler = true;  // a core is still written, the status still the signal's
  // A stack that overflowed leaves no room for a handler on it.
  options.use_alternate_stack = true;
  options.alarm_on_failure_secs = 3;
  absl::InstallFailureSignalHandler(options);
  std::signal(SIGTERM, SIG_DFL);  // being asked to end is no crash
#else
  (void)program;
#endif
}

}  // namespace sealane

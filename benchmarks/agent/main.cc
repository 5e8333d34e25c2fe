#include <cstdio>

#include "benchmarks/agent/agent_benchmark.h"
#include "benchmarks/common/command_line.h"

int main(int argc, char** argv) {
  using sealane::bench::CommandLine;
  CommandLine args("agent_benchmark",
                   "A real agent against kubesim, beside a bare client writing the same objects.");
  sealane::bench::AgentBenchOptions options;
  bool json = false;
  args.Number("works", "Objects to apply.", &options.works);
  args.Number("rounds", "Times to apply them all, by the agent and by the client in turn.",
              &options.rounds);
  args.Number("edits", "Single changes on the idle system, for the latency.", &options.edits);
  args.Number("idle-seconds", "How long to watch the idle agent.", &options.idle_seconds);
  args.Switch("keep", "Leave logs and store behind.", &options.keep);
  args.Switch("json", "One JSON object as the last line.", &json);
  args.Text("log-level", "Of the services and the agent.", &options.log_level);
  if (const int code = args.Parse(argc, argv); code >= 0) return code;
  options.bin_dir = CommandLine::ProgramDirectory();
  const auto result = sealane::bench::RunAgentBench(options);
  if (!result.ok()) {
    std::fprintf(stderr, "agent_benchmark: %s\n", result.status().ToString().c_str());
    return 1;
  }
  sealane::bench::PrintAgentBench(options, *result, json);
  return 0;
}

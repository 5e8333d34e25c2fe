#include <cstdio>

#include "benchmarks/common/command_line.h"
#include "benchmarks/status/status_benchmark.h"

int main(int argc, char** argv) {
  using sealane::bench::CommandLine;
  CommandLine args("status_benchmark",
                   "From agents' reports to the status of applications, beside a bare publisher.");
  sealane::bench::StatusOptions options;
  bool json = false;
  args.Number("works", "Reports of agents, one for each work.", &options.works);
  args.Number("clusters", "Clusters that the works are in.", &options.clusters);
  args.Number("spread", "Clusters of one application.", &options.spread);
  args.Number("edits", "Single reports on the idle system, for the latency.", &options.edits);
  args.Switch("keep", "Leave logs and store behind.", &options.keep);
  args.Switch("json", "One JSON object as the last line.", &json);
  args.Text("log-level", "Of the service.", &options.log_level);
  if (const int code = args.Parse(argc, argv); code >= 0) return code;
  options.bin_dir = CommandLine::ProgramDirectory();
  const auto result = sealane::bench::RunStatus(options);
  if (!result.ok()) {
    std::fprintf(stderr, "status_benchmark: %s\n", result.status().ToString().c_str());
    return 1;
  }
  sealane::bench::PrintStatus(options, *result, json);
  return 0;
}

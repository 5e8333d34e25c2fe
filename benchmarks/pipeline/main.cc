#include <cstdio>

#include "benchmarks/common/command_line.h"
#include "benchmarks/pipeline/pipeline.h"

int main(int argc, char** argv) {
  using sealane::bench::CommandLine;
  CommandLine args("pipeline_benchmark",
                   "From deploy event to works, beside a bare NATS publisher.");
  sealane::bench::PipelineOptions options;
  bool json = false;
  args.Number("apps", "Applications to deploy.", &options.apps);
  args.Number("clusters", "Clusters that each of them goes to.", &options.clusters);
  args.Number("edits", "Single edits on the idle system, for the latency.", &options.edits);
  args.Number("runs", "Runs of pipeline and bare client in turn; the fastest of each counts.",
              &options.runs);
  args.Switch("report", "Agents also answer each work with a status.", &options.report);
  args.Switch("no-agent", "Do not measure a real idle agent.", &options.skip_agent);
  args.Switch("keep", "Leave logs and store behind.", &options.keep);
  args.Switch("json", "One JSON object as the last line.", &json);
  args.Text("log-level", "Of the services.", &options.log_level);
  if (const int code = args.Parse(argc, argv); code >= 0) return code;
  options.bin_dir = CommandLine::ProgramDirectory();
  const auto result = sealane::bench::RunPipeline(options);
  if (!result.ok()) {
    std::fprintf(stderr, "pipeline_benchmark: %s\n", result.status().ToString().c_str());
    return 1;
  }
  sealane::bench::PrintPipeline(options, *result, json);
  return 0;
}

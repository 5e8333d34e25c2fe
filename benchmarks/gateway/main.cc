#include <cstdio>

#include "benchmarks/common/command_line.h"
#include "benchmarks/gateway/gateway_benchmark.h"

int main(int argc, char** argv) {
  using sealane::bench::CommandLine;
  CommandLine args("gateway_benchmark",
                   "The Kubernetes API in front of the fleet, and through it to the members.");
  sealane::bench::GatewayBenchOptions options;
  bool json = false;
  args.Number("objects", "ConfigMaps to create, read and list.", &options.objects);
  args.Number("placed", "ConfigMaps that go to every member.", &options.placed);
  args.Number("members", "Member clusters.", &options.members);
  args.Number("concurrency", "Requests at a time.", &options.concurrency);
  args.Number("watchers", "Open watches.", &options.watchers);
  args.Number("edits", "Changes that all watches see, twice.", &options.edits);
  args.Number("rounds", "Through the fleet and directly, in turn; the median counts.",
              &options.rounds);
  args.Switch("keep", "Leave logs and store behind.", &options.keep);
  args.Switch("json", "One JSON object as the last line.", &json);
  args.Text("log-level", "Of the services.", &options.log_level);
  if (const int code = args.Parse(argc, argv); code >= 0) return code;
  options.bin_dir = CommandLine::ProgramDirectory();
  const auto result = sealane::bench::RunGatewayBench(options);
  if (!result.ok()) {
    std::fprintf(stderr, "gateway_benchmark: %s\n", result.status().ToString().c_str());
    return 1;
  }
  sealane::bench::PrintGatewayBench(options, *result, json);
  return 0;
}

#include <cstdio>

#include "benchmarks/common/command_line.h"
#include "benchmarks/failover/lost_cluster.h"
#include "benchmarks/failover/new_cluster.h"
#include "benchmarks/failover/report.h"

int main(int argc, char** argv) {
  using sealane::bench::CommandLine;
  CommandLine args("failover_benchmark", "A cluster is lost, and one joins.");
  sealane::bench::FailoverOptions options;
  bool json = false;
  args.Number("apps", "Applications, spread evenly over the clusters.", &options.apps);
  args.Number("clusters", "Clusters, of which one is lost.", &options.clusters);
  args.Number("base", "Services meant for every cluster, when one joins.", &options.base);
  args.Switch("keep", "Leave logs and store behind.", &options.keep);
  args.Switch("json", "One JSON object as the last line.", &json);
  args.Text("log-level", "Of the services and the agent.", &options.log_level);
  if (const int code = args.Parse(argc, argv); code >= 0) return code;
  options.bin_dir = CommandLine::ProgramDirectory();
  const auto lost = sealane::bench::LoseCluster(options);
  const auto joined = lost.ok() ? sealane::bench::JoinCluster(options) : lost.status();
  if (!joined.ok()) {
    std::fprintf(stderr, "failover_benchmark: %s\n", joined.status().ToString().c_str());
    return 1;
  }
  sealane::bench::PrintFailover(options, *lost, *joined, json);
  return 0;
}

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "benchmarks/render/render_benchmark.h"
#include "lib/core/json.h"

int main(int argc, char** argv) {
  using sealane::Json;
  bool json = false;
  sealane::bench::RenderOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--json") {
      json = true;
    } else if (arg.starts_with("--objects=") && std::atoi(argv[i] + 10) >= 100) {
      options.objects = std::atoi(argv[i] + 10);
    } else if (arg.starts_with("--clusters=") && std::atoi(argv[i] + 11) >= 1) {
      options.clusters = std::atoi(argv[i] + 11);
    } else {
      std::fprintf(stderr,
                   "render_benchmark [--objects=N (100 or more)] [--clusters=N] [--json]: what one "
                   "work costs\n");
      return arg == "--help" ? 0 : 2;
    }
  }
  const auto result = sealane::bench::RunRenderBenchmark(options);
  std::printf("%d objects of %zu bytes x %d clusters x 5 override policies, processor time\n",
              options.objects, result.manifest_bytes, options.clusters);
  std::printf("reference, parsing and writing one manifest: %.1f us\n", result.reference_micros);
  Json rates = Json::array();
  for (const auto& rate : result.rates) {
    std::printf("%-26s %8.0f works/s (%8.0f distinct/s), %6.1f us per work, ratio %.2f\n",
                rate.scenario.c_str(), rate.works_per_second, rate.distinct_per_second,
                rate.micros_per_work, rate.ratio);
    rates.push_back({{"scenario", rate.scenario},
                     {"works_per_second", rate.works_per_second},
                     {"distinct_per_second", rate.distinct_per_second},
                     {"micros_per_work", rate.micros_per_work},
                     {"ratio", rate.ratio}});
  }
  std::printf("whole service, bus in memory: %.2f s for all objects\n", result.deploy_seconds);
  Json edits = Json::array();
  for (const auto& edit : result.edits) {
    std::printf("a policy changes for %-26s %7.1f ms, %llu matched, %llu rendered, %llu works\n",
                (edit.what + ":").c_str(), edit.seconds * 1e3,
                static_cast<unsigned long long>(edit.matched),
                static_cast<unsigned long long>(edit.rendered),
                static_cast<unsigned long long>(edit.works_written));
    edits.push_back({{"what", edit.what},
                     {"objects", edit.objects},
                     {"seconds", edit.seconds},
                     {"matched", edit.matched},
                     {"rendered", edit.rendered},
                     {"works_written", edit.works_written}});
  }
  std::printf("memory beside the manifests' own bytes: %.0f bytes per object, %.0f per work\n",
              result.bytes_per_object, result.bytes_per_work);
  if (json) {
    const Json out = {{"benchmark", "render"},
                      {"objects", options.objects},
                      {"clusters", options.clusters},
                      {"manifest_bytes", result.manifest_bytes},
                      {"reference_micros", result.reference_micros},
                      {"ratio", result.rates.back().ratio},
                      {"rates", rates},
                      {"deploy_seconds", result.deploy_seconds},
                      {"edits", edits},
                      {"bytes_per_object", result.bytes_per_object},
                      {"bytes_per_work", result.bytes_per_work}};
    std::printf("%s\n", out.dump().c_str());
  }
  return 0;
}

#include "benchmarks/render/render_benchmark.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <utility>

#include "benchmarks/render/fleet.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "services/policy/policy_index.h"
#include "services/policy/renderer.h"

namespace sealane::bench {
namespace {

double ProcessorSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double Measure(const std::function<void()>& fn) {
  const double start = ProcessorSeconds();
  fn();
  return ProcessorSeconds() - start;
}

size_t AllocatedBytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

struct Input {
  v1::ObjectRef ref;
  std::string manifest;
};

std::vector<Input> MakeInputs(const RenderOptions& options) {
  std::vector<Input> inputs;
  for (int i = 0; i < options.objects; ++i) {
    Input input;
    input.manifest = DeploymentJson(i, options);
    const Json manifest = Json::parse(input.manifest);
    input.ref.set_api_version("apps/v1");
    input.ref.set_kind("Deployment");
    input.ref.set_namespace_(manifest["metadata"]["namespace"].get<std::string>());
    input.ref.set_name(manifest["metadata"]["name"].get<std::string>());
    inputs.push_back(std::move(input));
  }
  return inputs;
}

policy::PolicyIndex MakeIndex(const RenderOptions& options, bool expand) {
  policy::PolicyIndex index;
  for (const std::string& text : OverridePolicies(options)) {
    Json manifest = Json::parse(text);
    if (expand && manifest["metadata"]["name"] == "patches") {
      // Every cluster gets a result of its own.
      manifest["metadata"]["annotations"] = {{"sealane.io/expand", "true"}};
      manifest["spec"]["overrideRules"][0]["overriders"]["plaintext"][0]["value"] =
          "${cluster.name}";
    }
    v1::StoredObject row;
    row.mutable_ref()->set_api_version("policy.karmada.io/v1alpha1");
    row.mutable_ref()->set_kind(manifest["kind"].get<std::string>());
    row.mutable_ref()->set_name(manifest["metadata"]["name"].get<std::string>());
    row.mutable_ref()->set_namespace_(manifest["metadata"].value("namespace", ""));
    row.set_manifest(manifest.dump());
    index.Set(RowKey(row.ref()), row.ref(), &row);
  }
  return index;
}

RenderBenchmark::Rate MeasureRendering(const std::string& scenario, bool expand,
                                       const std::vector<Input>& inputs,
                                       const RenderOptions& options, double reference_micros) {
  const policy::PolicyIndex index = MakeIndex(options, expand);
  std::vector<v1::ClusterStatus> clusters;
  for (int i = 0; i < options.clusters; ++i) clusters.push_back(BenchCluster(i));
  size_t distinct = 0;
  size_t works = 0;
  size_t operations = 0;
  const double seconds = Measure([&] {
    for (const Input& input : inputs) {
      const Json manifest = Json::parse(input.manifest, nullptr, false);
      const policy::ObjectView view{input.ref, manifest};
      policy::ObjectRenderer renderer(
          manifest, policy::PossibleOverrides(view, index.OverridesFor(input.ref)));
      for (const v1::ClusterStatus& cluster : clusters) {
        const auto rendering = renderer.Render(cluster, {.replicas = 3});
        if (!rendering.ok()) std::abort();
        operations += (*rendering)->applied.size();
        ++works;
      }
      distinct += renderer.distinct();
    }
  });
  // Two images, a label, arguments of one container, variables of two, one patch.
  if (operations != works * 7) std::abort();
  RenderBenchmark::Rate rate;
  rate.scenario = scenario;
  rate.works_per_second = static_cast<double>(works) / seconds;
  rate.distinct_per_second = static_cast<double>(distinct) / seconds;
  rate.micros_per_work = seconds * 1e6 / static_cast<double>(works);
  rate.ratio = rate.micros_per_work / reference_micros;
  return rate;
}

double MeasureReference(const std::vector<Input>& inputs) {
  size_t bytes = 0;
  const double seconds = Measure([&] {
    for (const Input& input : inputs) {
      bytes += Json::parse(input.manifest, nullptr, false).dump().size();
    }
  });
  if (bytes < inputs.size()) std::abort();
  return seconds * 1e6 / static_cast<double>(inputs.size());
}

RenderBenchmark::Edit MeasureEdit(PolicyFleet& fleet, std::string what, uint64_t objects,
                                  const std::string& manifest) {
  RenderBenchmark::Edit edit;
  edit.what = std::move(what);
  edit.objects = objects;
  const auto matched = static_cast<uint64_t>(fleet.metrics().matches.Value());
  const uint64_t rendered = fleet.metrics().render_seconds.Count();
  const auto written = static_cast<uint64_t>(fleet.metrics().works_written.Value());
  edit.seconds = Measure([&] { fleet.Deploy({manifest}); });
  edit.matched = static_cast<uint64_t>(fleet.metrics().matches.Value()) - matched;
  edit.rendered = fleet.metrics().render_seconds.Count() - rendered;
  edit.works_written = static_cast<uint64_t>(fleet.metrics().works_written.Value()) - written;
  return edit;
}

// An override policy of one namespace that selects by `selector` and sets an annotation.
std::string NewOverride(const Json& selector, const std::string& value) {
  Json selected = {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}};
  selected.update(selector);
  return Json{
      {"apiVersion", "policy.karmada.io/v1alpha1"},
      {"kind", "OverridePolicy"},
      {"metadata", {{"name", "edited"}, {"namespace", "team-0"}}},
      {"spec",
       {{"resourceSelectors", Json::array({selected})},
        {"overrideRules",
         Json::array(
             {{{"overriders",
                {{"annotationsOverrider",
                  Json::array({{{"operator", "add"}, {"value", {{"edited", value}}}}})}}}}})}}}}
      .dump();
}

void MeasureService(const std::vector<Input>& inputs, const RenderOptions& options,
                    RenderBenchmark* result) {
  std::vector<std::string> manifests;
  size_t own_bytes = 0;
  for (const Input& input : inputs) {
    manifests.push_back(input.manifest);
    own_bytes += input.manifest.size();
  }
  PolicyFleet fleet(options);
  fleet.Deploy({PropagationPolicyJson()});
  fleet.Deploy(OverridePolicies(options));
  // Of the service at rest: as it came to be, or after it has read its tables, whichever is more.
  const auto memory = [&] {
    fleet.Rest();
    const size_t running = AllocatedBytes();
    fleet.StopService();
    const size_t stopped = AllocatedBytes();
    fleet.StartService();
    fleet.Rest();
    return static_cast<double>(std::max(running, AllocatedBytes()) - stopped);
  };
  const double empty = memory();
  result->deploy_seconds = Measure([&] { fleet.Deploy(manifests); });
  const double bound = memory();
  const auto count = static_cast<double>(options.objects);
  result->bytes_per_object = (bound - empty - static_cast<double>(own_bytes)) / count;
  result->deploy_seconds += Measure([&] { fleet.PlaceEverywhere(); });
  const double placed = memory();
  // What overrides add is a part of the work's own bytes.
  const double work_bytes = static_cast<double>(own_bytes) * options.clusters;
  result->bytes_per_work =
      (placed - bound - work_bytes) / (count * static_cast<double>(options.clusters));

  // The allocator's bill for all that was freed above comes with the next big request; it is none
  // of the first edit's.
  fleet.Deploy({NewOverride({{"name", "service-0"}}, "before")});

  const uint64_t per_namespace = inputs.size() / static_cast<size_t>(options.namespaces);
  result->edits.push_back(
      MeasureEdit(fleet, "one object, by name", 1, NewOverride({{"name", "service-0"}}, "a")));
  result->edits.push_back(MeasureEdit(
      fleet, "one object, by label", 1,
      NewOverride({{"labelSelector", {{"matchLabels", {{"app", "service-0"}}}}}}, "b")));
  result->edits.push_back(
      MeasureEdit(fleet, "one namespace", per_namespace, NewOverride(Json::object(), "c")));
  Json everything = Json::parse(OverridePolicies(options).front());
  everything["spec"]["overrideRules"][0]["overriders"]["labelsOverrider"] =
      Json::array({{{"operator", "add"}, {"value", {{"edited", "d"}}}}});
  result->edits.push_back(
      MeasureEdit(fleet, "one region of everything", inputs.size(), everything.dump()));
}

}  // namespace

RenderBenchmark RunRenderBenchmark(const RenderOptions& options) {
  RenderBenchmark result;
  const std::vector<Input> inputs = MakeInputs(options);
  result.manifest_bytes = inputs.front().manifest.size();
  result.reference_micros = MeasureReference(inputs);
  result.rates.push_back(
      MeasureRendering("four regions", false, inputs, options, result.reference_micros));
  result.rates.push_back(
      MeasureRendering("every cluster of its own", true, inputs, options, result.reference_micros));
  MeasureService(inputs, options, &result);
  return result;
}

}  // namespace sealane::bench

// A line with a form of patch and an object, then the patch: it is refused and nothing changes, or
// the object that it makes is the one that is read, and what a merge patch or an apply has made it
// does not make twice.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "tests/fuzz/api_world.h"

namespace {

using namespace sealane;  // NOLINT: a program of one function

void Check(bool holds) {
  if (!holds) std::abort();
}

http::HttpResponse Ask(fuzz::ApiWorld& world, http::HttpRequest request) {
  http::HttpResponse answer;
  world.transport.Send(std::move(request), [&](absl::StatusOr<http::HttpResponse> response) {
    Check(response.ok());
    answer = *std::move(response);
  });
  world.sim.RunFor(absl::Seconds(2));
  Check(fuzz::Answered(answer.status, answer.body));
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kForms = {
      {{"merge", "application/merge-patch+json"},
       {"json", "application/json-patch+json"},
       {"strategic", "application/strategic-merge-patch+json"},
       {"apply", "application/apply-patch+yaml"}}};
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kObjects = {
      {{"web", "/apis/apps/v1/namespaces/own/deployments/web"},
       {"status", "/apis/apps/v1/namespaces/own/deployments/web/status"},
       {"scale", "/apis/apps/v1/namespaces/own/deployments/web/scale"},
       {"front", "/api/v1/namespaces/own/services/front"},
       {"mine", "/api/v1/namespaces/own/configmaps/mine"},
       {"new", "/apis/apps/v1/namespaces/own/deployments/new"}}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return 0;
  const std::string_view line = text.substr(0, end);
  const std::string_view form = line.substr(0, line.find(' '));
  const std::string_view name = line.substr(std::min(line.size(), form.size() + 1));
  http::HttpRequest patch;
  patch.method = "PATCH";
  patch.body = text.substr(end + 1);
  for (const auto& [word, type] : kForms) {
    if (form == word) patch.headers.Add("Content-Type", type);
  }
  http::HttpRequest get;
  for (const auto& [word, path] : kObjects) {
    if (name == word) get.path = path;
  }
  if (get.path == "/" || patch.headers.fields().empty()) return 0;
  patch.path = get.path + (form == "apply" ? "?fieldManager=me&force=true" : "?fieldManager=me");

  fuzz::ApiWorld world;
  const uint64_t revision = world.store.revision();
  const http::HttpResponse done = Ask(world, patch);
  if (done.status >= 300) {
    Check(Json::parse(done.body, nullptr, false).is_object());
    Check(world.store.revision() == revision);
    return 0;
  }
  const Json made = Json::parse(done.body, nullptr, false);
  Check(made.is_object());
  Check(Json::parse(Ask(world, get).body, nullptr, false) == made);
  if (form != "merge" && form != "apply") return 0;
  const uint64_t before = world.store.revision();
  if (Ask(world, patch).status < 300) Check(world.store.revision() == before);
  return 0;
}

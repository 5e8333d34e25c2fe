// Small languages inside of Kubernetes' objects: schedules, base64, patterns, and JSON with fields
// that are there twice. The first byte chooses.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json.h"
#include "lib/kubeapi/base64.h"
#include "lib/kubeapi/cron_schedule.h"
#include "lib/kubeapi/json_reader.h"
#include "lib/kubeapi/pattern.h"

namespace {

using sealane::Json;
namespace kubeapi = sealane::kubeapi;

void Check(bool holds) {
  if (!holds) std::abort();
}

void ReadDoubled(std::string_view text) {
  Json out;
  std::vector<std::string> doubled;
  if (!kubeapi::ReadJson(text, out, &doubled)) return;
  Json without;
  Check(kubeapi::ReadJson(text, without, nullptr) && without == out);
  // What it reads is what everybody else reads, of two the last.
  const Json plain = Json::parse(text, nullptr, false);
  Check(!plain.is_discarded() && plain == out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      if (kubeapi::WhyNotSchedule(text).empty()) Check(!text.empty());
      break;
    case 1:
      if (const auto fault = kubeapi::Base64Fault(text)) Check(*fault <= text.size());
      break;
    case 2: {
      const std::string pattern(text.substr(0, 64));
      if (!kubeapi::KnowsPattern(pattern))
        Check(kubeapi::PatternFinds(pattern, "aaaa"));
      else
        static_cast<void>(kubeapi::PatternFinds(pattern, "aaaa-0.b/c"));
      break;
    }
    default:
      ReadDoubled(text);
  }
  return 0;
}

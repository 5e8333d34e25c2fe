// A service with nothing in it but the frame that all services share: what run_service_test runs.

#include <memory>
#include <string>

#include "lib/runtime/service.h"

namespace sealane {
namespace {

class ProbeService final : public Service {
 public:
  explicit ProbeService(ServiceContext context, bool ready) : context_(context), ready_(ready) {
    starts_ = &context_.metrics.AddCounter("sealane_probe_starts_total", "Calls of Start.");
  }
  void Start() override { starts_->Increment(); }
  bool Ready(std::string* why_not) const override {
    if (!ready_) *why_not = "the probe was told not to be";
    return ready_;
  }
  bool Idle() const override { return true; }

 private:
  ServiceContext context_;
  bool ready_;
  Counter* starts_;
};

}  // namespace
}  // namespace sealane

int main(int argc, char** argv) {
  sealane::ServiceDefinition definition;
  definition.name = "sealane-probe";
  definition.summary = "Shows what every service has in common.";
  definition.flags = {{"ready", "What /readyz says.", "true", true},
                      {"fail", "Cannot be made: invalid or unavailable.", ""}};
  definition.make =
      [](const sealane::Flags& flags,
         sealane::ServiceContext context) -> absl::StatusOr<std::unique_ptr<sealane::Service>> {
    if (flags.Get("fail") == "invalid") return absl::InvalidArgumentError("--fail: was asked for");
    if (flags.Get("fail") == "unavailable") return absl::UnavailableError("no luck today");
    return std::make_unique<sealane::ProbeService>(context, flags.GetBool("ready"));
  };
  return sealane::RunService(argc, argv, definition);
}

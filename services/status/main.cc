#include <memory>

#include "lib/core/status.h"
#include "lib/runtime/service.h"
#include "services/status/elected_status.h"
#include "services/status/options.h"

int main(int argc, char** argv) {
  using sealane::status::ElectedStatus;
  using sealane::status::Options;
  sealane::ServiceDefinition definition;
  definition.name = "sealane-status";
  definition.writes_bursts = true;
  definition.summary = "Judges clusters, and makes one picture of each application.";
  definition.flags = sealane::status::OptionFlags();
  definition.make =
      [](const sealane::Flags& flags,
         sealane::ServiceContext context) -> absl::StatusOr<std::unique_ptr<sealane::Service>> {
    SEALANE_ASSIGN_OR_RETURN(const Options options, sealane::status::ParseOptions(flags));
    return std::make_unique<ElectedStatus>(context, options);
  };
  return sealane::RunService(argc, argv, definition);
}

// Runs the contract tests of tests/unit/lib/bus on a real server.
#include "tests/integration/bus/nats_world.h"

namespace sealane {

std::unique_ptr<ContractWorld> MakeContractWorld() { return std::make_unique<NatsWorld>(); }

}  // namespace sealane

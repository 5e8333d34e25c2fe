#include "lib/runtime/service.h"
#include "services/gateway/gateway_service.h"

int main(int argc, char** argv) {
  return sealane::RunService(argc, argv, sealane::gateway::GatewayDefinition());
}

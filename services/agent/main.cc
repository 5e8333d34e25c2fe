#include "services/agent/agent_service.h"

int main(int argc, char** argv) {
  return sealane::RunService(argc, argv, sealane::agent::AgentDefinition());
}

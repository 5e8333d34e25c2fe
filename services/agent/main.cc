#include "lib/runtime/memory_keeper.h"
#include "services/agent/agent_service.h"

int main(int argc, char** argv) {
  sealane::UseFewHeaps();
  return sealane::RunService(argc, argv, sealane::agent::AgentDefinition());
}

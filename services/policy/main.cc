#include "services/policy/policy_service.h"

int main(int argc, char** argv) {
  return sealane::RunService(argc, argv, sealane::policy::PolicyDefinition());
}

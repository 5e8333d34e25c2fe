#include "services/scheduler/scheduler_service.h"

int main(int argc, char** argv) {
  return sealane::RunService(argc, argv, sealane::scheduler::SchedulerDefinition());
}

#include "lib/runtime/service.h"
#include "services/status/page/page_service.h"

int main(int argc, char** argv) {
  return sealane::RunService(argc, argv, sealane::status::StatusDefinition());
}

#include "services/source/source_service.h"

int main(int argc, char** argv) {
  return sealane::RunService(argc, argv, sealane::source::SourceDefinition());
}

#include "tests/conformance/runner.h"

int main(int argc, char** argv) {
  return sealane::conformance::RunConformance({argv + 1, argv + argc});
}

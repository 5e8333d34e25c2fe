#include <iostream>
#include <string_view>

#include "tools/kubesim/options.h"
#include "tools/kubesim/server.h"

int main(int argc, char** argv) {
  if (argc > 1 && (std::string_view(argv[1]) == "--help" || std::string_view(argv[1]) == "-h")) {
    std::cout << sealane::kubesim::UsageText();
    return 0;
  }
  const auto options = sealane::kubesim::ParseOptions(argc, argv);
  if (!options.ok()) {
    std::cerr << "kubesim: " << options.status().message() << "\n" << sealane::kubesim::UsageText();
    return 2;
  }
  return sealane::kubesim::RunServer(*options);
}

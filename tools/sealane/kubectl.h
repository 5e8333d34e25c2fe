#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sealane::cli {

// What arguments of kubectl say about where it finds its server; empty: nothing.
struct KubectlPlace {
  std::string kubeconfig;
  std::string context;
};
[[nodiscard]] KubectlPlace PlaceOf(const std::vector<std::string>& arguments);

// The whole command line of kubectl for a member cluster behind a gateway. `cluster` "-": all.
[[nodiscard]] std::vector<std::string> KubectlArguments(std::string_view server,
                                                        std::string_view cluster,
                                                        const std::vector<std::string>& arguments);

}  // namespace sealane::cli

#include "tools/sealane/kubectl.h"

#include "lib/core/strings.h"
#include "lib/http/message.h"

namespace sealane::cli {

KubectlPlace PlaceOf(const std::vector<std::string>& arguments) {
  KubectlPlace place;
  const std::pair<std::string_view, std::string*> flags[] = {{"--kubeconfig", &place.kubeconfig},
                                                             {"--context", &place.context}};
  for (size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    for (const auto& [flag, value] : flags) {
      if (arguments[i] == flag && i + 1 < arguments.size()) *value = arguments[i + 1];
      if (arguments[i].starts_with(StrCat(flag, "=")))
        *value = arguments[i].substr(flag.size() + 1);
    }
  }
  return place;
}

std::vector<std::string> KubectlArguments(std::string_view server, std::string_view cluster,
                                          const std::vector<std::string>& arguments) {
  while (server.ends_with('/')) server.remove_suffix(1);
  std::vector<std::string> out = {
      "kubectl", StrCat("--server=", server, "/clusters/", http::PercentEncode(cluster), "/proxy")};
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

}  // namespace sealane::cli

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/kube/kube_client.h"
#include "lib/kube/rest_mapping.h"

namespace sealane::kube {

// Asks an API server what it serves: in two requests where it offers aggregated discovery, else
// with one request per group version. Thread rule: the executor thread; destroying it stops it.
class Discovery {
 public:
  using Callback = std::function<void(absl::StatusOr<ApiCatalog>)>;

  explicit Discovery(KubeClient& client) : client_(client) {}
  // One refresh at a time: calls during a refresh share its result. A group that fails leaves
  // `complete` false; the refresh fails only when the server tells nothing at all.
  void Refresh(Callback callback);
  [[nodiscard]] bool busy() const { return !callbacks_.empty(); }

 private:
  void OnRoot(const absl::Status& status, const Json* document);
  void AskGroupVersion(const std::string& group_version);
  void FinishIfDone();

  KubeClient& client_;
  std::vector<Callback> callbacks_;
  ApiCatalog catalog_;
  absl::Status failure_;
  int outstanding_ = 0;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace sealane::kube

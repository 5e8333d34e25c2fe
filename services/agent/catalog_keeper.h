#pragma once

#include <functional>
#include <memory>

#include "lib/core/backoff.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/kube/discovery.h"
#include "lib/kube/kube_client.h"
#include "lib/kube/rest_mapping.h"

namespace sealane::agent {

// Keeps what the API server serves up to date: asks when told that something is missing or new (at
// once, then ever slower while nothing changes), and every five minutes.
// Thread rule: the executor thread.
class CatalogKeeper {
 public:
  // `on_catalog` is told the first catalog and each one that differs. `missing` says whether some
  // kind is still looked for.
  CatalogKeeper(kube::KubeClient& client,
                std::function<void(std::shared_ptr<const kube::ApiCatalog>)> on_catalog,
                std::function<bool()> missing);
  // Ask now (the API server came back).
  void Refresh();
  // A kind is missing.
  void Doubt();
  // A definition changed: what is missing may come any moment.
  void DefinitionChanged();
  [[nodiscard]] bool busy() const { return discovery_.busy(); }

 private:
  void Arm(absl::Duration delay);

  Env env_;
  kube::Discovery discovery_;
  std::function<void(std::shared_ptr<const kube::ApiCatalog>)> on_catalog_;
  std::function<bool()> missing_;
  std::shared_ptr<const kube::ApiCatalog> catalog_;
  Backoff backoff_{{.initial = absl::Milliseconds(100), .max = absl::Seconds(30)}};
  TimerId timer_ = 0;
  absl::Duration armed_for_;
  ScopedExecutor executor_;
};

}  // namespace sealane::agent

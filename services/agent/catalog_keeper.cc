#include "services/agent/catalog_keeper.h"

#include <utility>

namespace sealane::agent {
namespace {

constexpr absl::Duration kPeriod = absl::Minutes(5);
constexpr absl::Duration kAfterFailure = absl::Seconds(2);

}  // namespace

CatalogKeeper::CatalogKeeper(
    kube::KubeClient& client,
    std::function<void(std::shared_ptr<const kube::ApiCatalog>)> on_catalog,
    std::function<bool()> missing)
    : env_(client.env()),
      discovery_(client),
      on_catalog_(std::move(on_catalog)),
      missing_(std::move(missing)),
      executor_(env_.executor) {}

void CatalogKeeper::Refresh() {
  if (discovery_.busy()) return;
  if (timer_ != 0) executor_.Cancel(std::exchange(timer_, 0));
  discovery_.Refresh([this](absl::StatusOr<kube::ApiCatalog> catalog) {
    if (!catalog.ok()) return Arm(kAfterFailure);
    // Posted: the discovery has finished when the catalog is told.
    executor_.Post([this, fresh = std::make_shared<const kube::ApiCatalog>(*std::move(catalog))] {
      Arm(kPeriod);
      if (catalog_ == nullptr || *catalog_ != *fresh) {
        backoff_.Reset();
        catalog_ = fresh;
        on_catalog_(catalog_);
      }
      if (missing_()) Doubt();
    });
  });
}

void CatalogKeeper::Doubt() {
  // One question per doubt period, however many works doubt.
  if (timer_ != 0 && armed_for_ - env_.clock.Monotonic() <= absl::Seconds(30)) return;
  Arm(backoff_.Next(env_.random));
}

void CatalogKeeper::DefinitionChanged() {
  backoff_.Reset();
  const absl::Duration soon = backoff_.Next(env_.random);
  if (timer_ != 0 && armed_for_ <= env_.clock.Monotonic() + soon) return;
  Arm(soon);
}

void CatalogKeeper::Arm(absl::Duration delay) {
  if (timer_ != 0) executor_.Cancel(timer_);
  armed_for_ = env_.clock.Monotonic() + delay;
  timer_ = executor_.After(delay, [this] {
    timer_ = 0;
    Refresh();
  });
}

}  // namespace sealane::agent

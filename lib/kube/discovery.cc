#include "lib/kube/discovery.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"

namespace sealane::kube {
namespace {

constexpr char kAggregated[] =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
    "application/json";

}  // namespace

void Discovery::Refresh(Callback callback) {
  callbacks_.push_back(std::move(callback));
  if (callbacks_.size() > 1) return;
  catalog_ = ApiCatalog();
  failure_ = absl::OkStatus();
  outstanding_ = 2;
  for (const char* root : {"/api", "/apis"}) {
    client_.GetPath(root, kAggregated,
                    [this, alive = std::weak_ptr<const bool>(alive_)](const absl::Status& status,
                                                                      const Json* document) {
                      if (!alive.expired()) OnRoot(status, document);
                    });
  }
}

void Discovery::OnRoot(const absl::Status& status, const Json* document) {
  if (!status.ok()) {
    failure_ = status;
  } else if (GetString(*document, {"kind"}) == "APIGroupDiscoveryList") {
    const absl::Status added = AddAggregated(*document, catalog_);
    if (!added.ok()) failure_ = added;
  } else {
    const auto versions = ParseGroupVersions(*document);
    if (!versions.ok()) {
      failure_ = versions.status();
    } else {
      for (const std::string& group_version : *versions) AskGroupVersion(group_version);
    }
  }
  --outstanding_;
  FinishIfDone();
}

void Discovery::AskGroupVersion(const std::string& group_version) {
  ++outstanding_;
  const bool core = group_version.find('/') == std::string::npos;
  client_.GetPath(StrCat(core ? "/api/" : "/apis/", group_version), "",
                  [this, alive = std::weak_ptr<const bool>(alive_)](const absl::Status& status,
                                                                    const Json* document) {
                    if (alive.expired()) return;
                    if (!status.ok() || !AddResourceList(*document, catalog_).ok()) {
                      catalog_.complete = false;
                    }
                    --outstanding_;
                    FinishIfDone();
                  });
}

void Discovery::FinishIfDone() {
  if (outstanding_ > 0) return;
  absl::StatusOr<ApiCatalog> result = std::move(catalog_);
  // One of the two roots missing is a failure: half a catalog would call every kind unknown.
  if (!failure_.ok()) result = failure_;
  for (const Callback& callback : std::exchange(callbacks_, {})) callback(result);
}

}  // namespace sealane::kube

#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "lib/bus/bus.h"
#include "lib/bus/query.h"
#include "lib/core/env.h"
#include "lib/http/handler.h"
#include "services/status/fleet_view.h"
#include "services/status/status_metrics.h"

namespace sealane::status {

// Answers GET below /api/ (docs/web-page.md), except /api/events: summary, clusters, apps, app,
// explain. Lists come in pages of at most kMostItems; what is counted over the whole fleet is kept
// for a second or two. Without data every answer is 503 with the reason. Thread rule: the executor
// thread only.
class FleetApi {
 public:
  // The bus and env must outlive it. `view` is asked at each request.
  FleetApi(Env env, Bus& bus, std::function<FleetView()> view);

  // Answers now or, explain, later.
  void Handle(const http::Target& target, const std::shared_ptr<http::ResponseWriter>& writer);

  static constexpr int64_t kMostItems = 200;
  // Questions to the scheduler at a time; more are answered 429.
  static constexpr size_t kMostExplains = 4;

 private:
  using Writer = std::shared_ptr<http::ResponseWriter>;
  // A question about what is there now.
  [[nodiscard]] http::HttpResponse Answer(const http::Target& target, const FleetView& view);
  [[nodiscard]] http::HttpResponse Summary(const http::Target& target, const FleetView& view);
  [[nodiscard]] http::HttpResponse Clusters(const http::Target& target, const FleetView& view);
  [[nodiscard]] http::HttpResponse Apps(const http::Target& target, const FleetView& view) const;
  [[nodiscard]] http::HttpResponse App(const http::Target& target, const FleetView& view) const;
  void Explain(const http::Target& target, const FleetView& view, const Writer& writer);
  // The works of every cluster, counted a moment ago.
  const std::map<std::string, ClusterGauges::Works>& Works(const FleetView& view);

  Env env_;
  std::function<FleetView()> view_;
  http::HttpResponse summary_;
  absl::Duration summary_until_ = -absl::InfiniteDuration();
  std::string summary_leader_;
  std::map<std::string, ClusterGauges::Works> works_;
  absl::Duration works_until_ = -absl::InfiniteDuration();
  size_t explains_ = 0;
  QueryClient scheduler_;
};

}  // namespace sealane::status

#pragma once

#include <memory>

#include "lib/telemetry/metrics.h"
#include "services/gateway/credentials.h"
#include "services/gateway/request_metrics.h"

namespace sealane::gateway {

// What the gateway counts. All series exist from the start.
struct GatewayMetrics {
  explicit GatewayMetrics(Registry& registry);
  // Files of credentials that were read again, and that were wrong; when the certificate ends.
  [[nodiscard]] static Credentials::Metrics ForCredentials(Registry& registry);

  std::shared_ptr<const RequestMetrics> requests;
  Counter& unauthenticated;
  Counter& forbidden;
  Counter& too_many;
  Counter& too_many_reads;
  Counter& too_many_watches;
  Counter& watches_expired;
  Counter& gave_way;
  Counter& no_room;
  Counter& not_taken;
  Counter& handshakes_delayed;
  Counter& handshakes_refused;
  Histogram& write_seconds;
  Counter& rows_copied;
  Histogram& lag;
  Gauge& leader;
  Gauge& objects;
  Gauge& watches;
  Gauge& waiting;
  Gauge& member_answers;
  Gauge& connections;
};

}  // namespace sealane::gateway

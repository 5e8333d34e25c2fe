#pragma once

#include <map>
#include <string>

#include "lib/telemetry/metrics.h"

namespace sealane::gateway {

struct GatewayMetrics {
  explicit GatewayMetrics(Registry& registry);

  Counter& reads;
  Counter& writes;
  Counter& member_requests;
  Counter& unauthenticated;
  Counter& forbidden;
  Counter& too_many;
  Histogram& write_seconds;
  Counter& rows_copied;
  Gauge& leader;
  Gauge& objects;
  Gauge& watches;
  Gauge& waiting;
  Gauge& member_answers;
};

}  // namespace sealane::gateway

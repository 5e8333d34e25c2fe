#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lib/telemetry/metrics.h"

namespace sealane::agent {

// Everything the agent counts. Labels are fixed words only.
struct AgentMetrics {
  explicit AgentMetrics(Registry& registry);

  // Applies that failed for this reason (an API server's word, or ours); "Other" for unusual ones.
  [[nodiscard]] Counter& ApplyError(std::string_view reason);

  Counter& applied;        // applies that succeeded
  Counter& refused;        // applies refused for good (conflict, invalid, forbidden)
  Counter& apply_retries;  // applies that failed in passing
  Counter& deleted;
  Counter& released;  // objects left in place without our marks
  Counter& recreated;
  Counter& drift_repairs;
  Counter& drift_reported;
  Counter& works_received;
  Counter& works_stale;  // older than what was known: dropped
  Counter& works_malformed;
  Counter& reports_sent;
  Counter& report_failures;
  Counter& heartbeats;
  Counter& capacity_answers;
  Counter& member_requests;  // of the control plane's users, sent on to the API server
  Counter& member_refused;
  Counter& api_requests;
  Counter& api_errors;
  Counter& api_throttled;
  Counter& watch_failures;
  Counter& versions_went_back;
  Gauge& member_sessions;
  Gauge& works;
  Gauge& works_failed;
  Gauge& reports_pending;
  Gauge& queue_waiting;
  Gauge& queue_age;
  Gauge& api_healthy;
  Gauge& failed_writes;
  Gauge& bus_connected;
  Gauge& state_writable;
  Gauge& works_synced;
  Histogram& apply_seconds;  // from the arrival of a work to its successful apply
  std::map<std::string, Counter*, std::less<>> apply_errors;  // by reason
};

}  // namespace sealane::agent

#include "services/gateway/gateway_metrics.h"

namespace sealane::gateway {

GatewayMetrics::GatewayMetrics(Registry& r)
    : requests(std::make_shared<const RequestMetrics>(r)),
      unauthenticated(r.AddCounter("sealane_gateway_refused_total",
                                   "Requests refused before they were looked at, by reason.",
                                   {{"reason", "unauthenticated"}})),
      forbidden(r.AddCounter("sealane_gateway_refused_total",
                             "Requests refused before they were looked at, by reason.",
                             {{"reason", "forbidden"}})),
      too_many(r.AddCounter("sealane_gateway_refused_total",
                            "Requests refused before they were looked at, by reason.",
                            {{"reason", "too_many"}})),
      too_many_reads(r.AddCounter("sealane_gateway_refused_total",
                                  "Requests refused before they were looked at, by reason.",
                                  {{"reason", "too_many_reads"}})),
      too_many_watches(r.AddCounter("sealane_gateway_refused_total",
                                    "Requests refused before they were looked at, by reason.",
                                    {{"reason", "too_many_watches"}})),
      watches_expired(r.AddCounter("sealane_gateway_watches_expired_total",
                                   "Watches ended with 410: their client was too far behind.")),
      gave_way(r.AddCounter("sealane_gateway_connections_closed_total",
                            "Connections closed because there were too many, by which.",
                            {{"which", "waiting"}})),
      no_room(r.AddCounter("sealane_gateway_connections_closed_total",
                           "Connections closed because there were too many, by which.",
                           {{"which", "new"}})),
      not_taken(r.AddCounter("sealane_gateway_answers_not_taken_total",
                             "Connections closed because the client did not take an answer.")),
      handshakes_delayed(r.AddCounter("sealane_gateway_handshakes_held_total",
                                      "TLS handshakes that did not begin at once, by outcome.",
                                      {{"outcome", "delayed"}})),
      handshakes_refused(r.AddCounter("sealane_gateway_handshakes_held_total",
                                      "TLS handshakes that did not begin at once, by outcome.",
                                      {{"outcome", "refused"}})),
      write_seconds(r.AddHistogram("sealane_gateway_write_seconds",
                                   "From a write of a client to its answer.")),
      rows_copied(r.AddCounter("sealane_gateway_rows_copied_total",
                               "Rows copied into the stream that all gateways read.")),
      lag(r.AddHistogram("sealane_gateway_lag_seconds",
                         "From the storing of a row on the bus to its showing here.")),
      leader(r.AddGauge("sealane_gateway_leader", "1 while this process copies rows.")),
      objects(r.AddGauge("sealane_gateway_objects", "Objects that the API shows.")),
      watches(r.AddGauge("sealane_gateway_watches", "Watches of clients that are open.")),
      waiting(r.AddGauge("sealane_gateway_writes_waiting", "Writes that are not answered yet.")),
      member_answers(r.AddGauge("sealane_gateway_member_answers",
                                "Answers of member clusters under way, watches among them.")),
      connections(r.AddGauge("sealane_gateway_connections", "Connections of clients.")) {}

Credentials::Metrics GatewayMetrics::ForCredentials(Registry& r) {
  constexpr char kName[] = "sealane_gateway_credentials_reads_total";
  constexpr char kHelp[] = "Files of certificates, keys and tokens that changed, by outcome.";
  return {r.AddCounter(kName, kHelp, {{"result", "taken"}}),
          r.AddCounter(kName, kHelp, {{"result", "refused"}}),
          r.AddGauge("sealane_gateway_certificate_expiry_timestamp_seconds",
                     "When the certificate that is shown to clients runs out.")};
}

}  // namespace sealane::gateway

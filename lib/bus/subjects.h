#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sealane {

struct ObjectKey;

// --- Subjects in general
// ---------------------------------------------------------------------------

// A subject may be published to: tokens separated by dots, none empty, no wildcards, no blanks or
// control characters (the server cuts the connection of a client that sends such), at most
// kMaxSubject bytes. INVALID_ARGUMENT says what is wrong.
inline constexpr size_t kMaxSubject = 1024;
[[nodiscard]] absl::Status CheckSubject(std::string_view subject);
// As CheckSubject, but `*` may stand for a token and `>` for the rest.
[[nodiscard]] absl::Status CheckFilter(std::string_view filter);
// Names of streams, durable consumers and queue groups: [A-Za-z0-9_=-]+.
[[nodiscard]] absl::Status CheckName(std::string_view name);
// Header names and values carry no line breaks. INVALID_ARGUMENT names the header.
[[nodiscard]] absl::Status CheckHeader(std::string_view name, std::string_view value);
[[nodiscard]] bool SubjectMatches(std::string_view filter, std::string_view subject);
// The i-th token (from 0), or "".
[[nodiscard]] std::string_view SubjectToken(std::string_view subject, int index);
// What follows the first `count` tokens, or "".
[[nodiscard]] std::string_view SubjectAfter(std::string_view subject, int count);

// --- The names of Sealane's subjects
// ---------------------------------------------------------------
//
// Every account sees its own names; imports map them (lib/accounts/layout.h, MemoryServer):
//
//   HUB (services)                      agent's account        platform's account
//   live.works.<cluster>.<row>          works.<row>            -
//   snap.works.<cluster>                snap.works             -
//   work_status.<cluster>.<row>         work_status.<row>      -
//   heartbeats.<cluster>                hb                     -
//   ctl.<cluster>.<verb>                ctl.<verb>             -
//   deploy.<platform>                   -                      deploy
//   deployed.<platform>.<event>         -                      deployed.<event>
//   live.app_status.<row>               -                      app-status.<row>
//   live.events.<service>.<reason>.<cluster>.<row>   -         the same without live.
//   results.<platform>                  -                      results
//   query.<service>                     -                      query.<service>
//
// <cluster>, <platform> and <event> are EncodeToken()ed, <row> is a RowKey (lib/model/identity.h).

// Tables and logs: the stream's name is the first token of its subjects.
inline constexpr std::string_view kObjectsTable = "objects";
// What objects were before, bounded per object: subject <row>.<slot>.
inline constexpr std::string_view kRevisionsTable = "revisions";
inline constexpr std::string_view kBindingsTable = "bindings";
inline constexpr std::string_view kPlacementsTable = "placements";
inline constexpr std::string_view kWorksTable = "works";
inline constexpr std::string_view kWorkStatusTable = "work_status";
inline constexpr std::string_view kClusterStatusTable = "cluster_status";
inline constexpr std::string_view kAppStatusTable = "app_status";
inline constexpr std::string_view kLeasesTable = "leases";
inline constexpr std::string_view kDeployLog = "deploy";
// The answers to deploy events, kept for a day for platforms that missed them.
inline constexpr std::string_view kDeployedTable = "deployed";
inline constexpr std::string_view kEventsLog = "events";
// Prefix under which works, app_status and events are republished.
inline constexpr std::string_view kLivePrefix = "live.";

// The platform under which gateways publish, inside the services' account. No other may have the
// name.
inline constexpr std::string_view kGatewayPlatform = "gateway";

namespace hub {
inline constexpr std::string_view kHeartbeats = "heartbeats.*";
inline constexpr std::string_view kSnapshotRequests = "snap.works.*";
[[nodiscard]] std::string Heartbeat(std::string_view cluster);
[[nodiscard]] std::string SnapshotRequest(std::string_view cluster);
[[nodiscard]] std::string Control(std::string_view cluster, std::string_view verb);
[[nodiscard]] std::string Deploy(std::string_view platform);
[[nodiscard]] std::string Deployed(std::string_view platform, std::string_view event_id);
// `cluster` and `about` may be empty: an event names what it is about, if anything.
[[nodiscard]] std::string Event(std::string_view service, std::string_view reason,
                                std::string_view cluster, const ObjectKey& about);
// Where a platform asks for kept answers; kResultRequests is for the service that has them.
inline constexpr std::string_view kResultRequests = "results.*";
[[nodiscard]] std::string ResultRequest(std::string_view platform);
[[nodiscard]] std::string Query(std::string_view service);
// The account a message came from, decoded: the second token of heartbeats.*, deploy.*, ctl.*.*,
// work_status.*.> and works.*.>, the third of snap.works.* and live.works.*.>. "" when malformed.
[[nodiscard]] std::string ClusterOf(std::string_view subject);
// Of deploy.* and results.*, as ClusterOf.
[[nodiscard]] std::string PlatformOf(std::string_view subject);
}  // namespace hub

namespace agent {
inline constexpr std::string_view kLiveWorks = "works.>";
inline constexpr std::string_view kSnapshot = "snap.works";
inline constexpr std::string_view kHeartbeat = "hb";
inline constexpr std::string_view kControl = "ctl.>";
// `row_key` is RowKey(ref), without the cluster.
[[nodiscard]] std::string WorkStatus(std::string_view row_key);
// The row key of a live work's subject ("works.<row>").
[[nodiscard]] std::string_view RowKeyOfLiveWork(std::string_view subject);
// The verb of a control request ("ctl.<verb>").
[[nodiscard]] std::string_view Verb(std::string_view subject);
}  // namespace agent

namespace platform {
inline constexpr std::string_view kDeploy = "deploy";
inline constexpr std::string_view kDeployedAll = "deployed.>";
inline constexpr std::string_view kResults = "results";
inline constexpr std::string_view kAppStatus = "app-status.>";
inline constexpr std::string_view kEvents = "events.>";
[[nodiscard]] std::string Deployed(std::string_view event_id);
[[nodiscard]] std::string Query(std::string_view service);
}  // namespace platform

}  // namespace sealane

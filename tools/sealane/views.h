#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"
#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/query.pb.h"
#include "tools/sealane/table.h"

namespace sealane::cli {

// Rows of the fleet as text for people. Pure: the same rows, time and style give the same text.

struct ViewOptions {
  Style style;
  int64_t now_micros = 0;
  bool wide = false;
  bool show_namespace = false;
  bool header = true;
  // Lists: of the columns, at least these; and what they became. May be nullptr.
  std::vector<size_t>* widths = nullptr;
};

// A line "name        value", without a value nothing.
void AddLine(std::string& out, std::string_view name, std::string_view value);

// Rows are printed in the order they have in the reply.
[[nodiscard]] std::string FormatApps(const v1::QueryReply& reply, const ViewOptions& options);
[[nodiscard]] std::string FormatClusters(const v1::QueryReply& reply, const ViewOptions& options);
// Works with what their clusters said about them (`statuses.work_statuses`).
[[nodiscard]] std::string FormatWorks(const v1::QueryReply& works, const v1::QueryReply& statuses,
                                      const ViewOptions& options);
[[nodiscard]] std::string FormatPolicies(const v1::QueryReply& reply, const ViewOptions& options);
// Objects of any kind as they were accepted.
[[nodiscard]] std::string FormatObjects(const v1::QueryReply& reply, const ViewOptions& options);
// One line; no line end.
[[nodiscard]] std::string FormatEvent(const v1::Event& event, const Style& style);

// The answer to a deploy event, one line per object, and each refusal with file, field and reason.
// A dry run is told as one.
[[nodiscard]] std::string FormatDeployResult(const v1::DeployResult& result, bool deleting,
                                             bool dry_run, const Style& style);

// What `validate` found: one line per document (file, object, ok or refused), then its refusals and
// warnings; at the end how many there were.
[[nodiscard]] std::string FormatValidation(const v1::DeployResult& result, const Style& style);

// Everything about one object. The manifests of `works` give images and differences; `placements`
// the scheduler's reasons.
struct AppDetails {
  v1::AppStatus app;
  const v1::Placed* placed = nullptr;  // nullptr: the scheduler has said nothing
  v1::QueryReply works;                // of this object only
};
[[nodiscard]] std::string FormatAppDetails(const AppDetails& details, const ViewOptions& options);

// What the scheduler says now of one group of clusterAffinities that is not in force.
struct ExplainedGroup {
  std::string name;
  std::string outcome;  // Scheduled: it could take the object
  std::string message;
  std::vector<v1::ClusterDecision> decisions;  // sorted by cluster
};

// Who claimed an object, and why it runs where it runs.
struct ExplainDetails {
  v1::AppStatus app;
  std::string policies;                              // JSON: policy's explanation of the object
  std::map<std::string, std::string> render_errors;  // by cluster
  std::vector<std::string> needed_by;                // objects that take this one along
  const v1::Placed* placed = nullptr;                // in force; nullptr: none
  std::string decision;                              // JSON: the scheduler's, as of now
  std::vector<v1::ClusterDecision> decisions;        // as of now, sorted by cluster
  std::vector<ExplainedGroup> other_groups;          // of clusterAffinities, tried by themselves
};
[[nodiscard]] std::string FormatExplanation(const ExplainDetails& details,
                                            const ViewOptions& options);

// The answer to a what-if question (proto/sealane/v1/query.proto, simulate).
[[nodiscard]] std::string FormatSimulation(const Json& simulation, const ViewOptions& options);

// One text for each cluster that the object leaves or has left: what becomes of its copy there.
[[nodiscard]] std::vector<std::string> FormatEvictions(const v1::Placed& placed);

// "3/6" for workloads, "-" for objects without replicas.
[[nodiscard]] std::string FormatReady(const v1::Replicas& replicas);
// "Deployment classroom/web".
[[nodiscard]] std::string FormatRef(const v1::ObjectRef& ref);

}  // namespace sealane::cli

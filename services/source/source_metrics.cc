#include "services/source/source_metrics.h"

namespace sealane::source {

SourceMetrics::SourceMetrics(Registry& r)
    : fetches_ok(r.AddCounter("sealane_source_fetches_total", "Reads of repositories by result",
                              {{"result", "ok"}})),
      fetches_failed(r.AddCounter("sealane_source_fetches_total", "Reads of repositories by result",
                                  {{"result", "failed"}})),
      fetch_seconds(r.AddHistogram("sealane_source_fetch_duration_seconds",
                                   "Fetching a branch and reading its manifests")),
      commits_applied(r.AddCounter("sealane_source_commits_total", "Commits by what became of them",
                                   {{"result", "applied"}})),
      commits_refused(r.AddCounter("sealane_source_commits_total", "Commits by what became of them",
                                   {{"result", "refused"}})),
      repairs(r.AddCounter("sealane_source_repairs_total",
                           "Publications of a commit that was in force already, because the fleet "
                           "was not as it says")),
      objects_applied(r.AddCounter("sealane_source_operations_total",
                                   "Operations published, by their type", {{"type", "apply"}})),
      objects_removed(r.AddCounter("sealane_source_operations_total",
                                   "Operations published, by their type", {{"type", "delete"}})),
      sources(r.AddGauge("sealane_source_sources", "GitSources")),
      sources_failing(r.AddGauge("sealane_source_sources_failing",
                                 "GitSources whose newest commit is not in force, or whose "
                                 "repository cannot be read")),
      objects(r.AddGauge("sealane_source_objects", "Objects that GitSources own")),
      sync_due(r.AddGauge("sealane_source_sync_due_timestamp_seconds",
                          "When the GitSource that waits longest should have been looked at and be "
                          "in force again")),
      leader(r.AddGauge("sealane_source_leader", "1 while this process leads")) {}

}  // namespace sealane::source

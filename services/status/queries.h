#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/bus/bus.h"
#include "lib/bus/query.h"
#include "lib/bus/stream_reader.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "services/status/app_keeper.h"
#include "services/status/cluster_keeper.h"

namespace sealane::status {

// Answers query.status. `what`:
//   clusters          rows of cluster_status; filters: name or cluster, label_selector
//   apps              rows of app_status as they are now; filters: all. Option detail=summary
//                     leaves out each cluster's part and the status; detail=brief leaves of each
//                     cluster's part its name, health and state
//   status            one application (kind, namespace, name): its AppStatus, and its placement
//   with
//                     the reasons for each cluster
//   placements        rows of the table; filters: group, kind, namespace, name
//   works, work_status  rows of the table; filters: cluster and the above
//   events            what is kept, oldest first, the newest `limit` of them; filters: all identity
//   fields,
//                     cluster; options reason, service, since_micros
//   cluster_progress  body: JSON {cluster, placed, applied, healthy} of one cluster
// Thread rule: the executor thread only.
class Queries {
 public:
  Queries(Env env, Bus& bus, const AppKeeper& apps, const ClusterKeeper& clusters);

 private:
  using Answer = std::shared_ptr<QueryAnswer>;

  void Handle(const v1::QueryRequest& request, const Answer& answer);
  void Clusters(const v1::QueryRequest& request, const Answer& answer);
  void Apps(const v1::QueryRequest& request, const Answer& answer);
  void Status(const v1::QueryRequest& request, const Answer& answer);
  void Progress(const v1::QueryRequest& request, const Answer& answer);
  void Rows(std::string_view table, const v1::QueryRequest& request, const Answer& answer);
  void Events(const v1::QueryRequest& request, const Answer& answer);

  Bus& bus_;
  const AppKeeper& apps_;
  const ClusterKeeper& clusters_;
  StreamReader reader_;
  ScopedExecutor executor_;
  std::unique_ptr<QueryServer> server_;
};

}  // namespace sealane::status

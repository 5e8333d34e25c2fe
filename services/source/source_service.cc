#include "services/source/source_service.h"

#include <string>
#include <utility>

#include "lib/bus/query.h"
#include "lib/bus/subjects.h"
#include "lib/bus/table.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/runtime/leader_lease.h"
#include "lib/telemetry/log.h"
#include "sealane/v1/query.pb.h"
#include "sealane/v1/source.pb.h"
#include "services/source/keeper.h"
#include "services/source/source_metrics.h"
#include "services/source/state_json.h"

namespace sealane::source {
namespace {

constexpr std::string_view kSourcesTable = "sources";

class SourceService final : public Service {
 public:
  SourceService(ServiceContext context, SourceOptions options, std::unique_ptr<GitReader> git)
      : env_(context.env),
        bus_(context.bus),
        bus_replicas_(context.bus_replicas),
        metrics_(context.metrics),
        git_(std::move(git)),
        states_(context.bus, context.env, kSourcesTable) {
    if (!options.elect_leader) return;
    LeaderLeaseOptions lease;
    lease.service = "source";
    lease.instance = context.instance;
    lease.replicas = context.bus_replicas;
    lease_ = std::make_unique<LeaderLease>(
        context.bus, context.env, lease, [this] { Lead(); }, [this] { Follow(); });
  }

  void Start() override {
    states_.Start([](const std::string&) {},
                  [this] {
                    if (keeper_ != nullptr) keeper_->OnStatesSynced();
                    Serve();
                  });
    StreamConfig config;
    config.name = std::string(kSourcesTable);
    config.subjects = {StrCat(kSourcesTable, ".>")};
    config.replicas = bus_replicas_;
    bus_.EnsureStream(config, [log = log_](const absl::Status& status) {
      if (!status.ok()) {
        log.Error("stream cannot be made",
                  {{"stream", "sources"}, {"error", std::string(ToStd(status.message()))}});
      }
    });
    if (lease_ != nullptr) {
      lease_->Start();
    } else {
      Lead();
    }
  }
  bool Ready(std::string* why_not) const override {
    if (states_.synced() && (keeper_ == nullptr || keeper_->synced())) return true;
    *why_not = "tables not synced yet";
    return false;
  }
  void Retire(std::function<void()> done) override {
    if (lease_ == nullptr) {
      done();
    } else {
      lease_->Release(std::move(done));
    }
  }
  bool Idle() const override { return keeper_ == nullptr || keeper_->idle(); }

 private:
  // A standby holds only the states, which it tells too: the objects it reads when it begins to
  // lead.
  void Lead() {
    keeper_ = std::make_unique<Keeper>(env_, bus_, *git_, states_, metrics_);
    keeper_->Start();
    metrics_.leader.Set(1);
  }
  void Follow() {
    keeper_.reset();
    metrics_.leader.Set(0);
  }

  // Once there is something to say: who asks before is answered by another replica, or asks again.
  void Serve() {
    if (queries_ != nullptr) return;
    queries_ = std::make_unique<QueryServer>(
        bus_, hub::Query("source"),
        [this](const v1::QueryRequest& request, const std::shared_ptr<QueryAnswer>& answer) {
          Answer(request, *answer);
        });
  }

  void Answer(const v1::QueryRequest& request, QueryAnswer& answer) const {
    if (request.what() != "sources")
      return answer.Fail("the source service answers `sources` only");
    Json list = Json::array();
    for (const auto& [key, row] : states_.rows()) {
      const std::string& name = row.value.name();
      if (!request.name().empty() && request.name() != name) continue;
      list.push_back(StateToJson(row.value, keeper_ == nullptr ? 0 : keeper_->CheckedMicros(name),
                                 !request.name().empty()));
    }
    v1::QueryReply reply;
    reply.set_body(WriteJson(list));
    answer.Send(reply);
    answer.End();
  }

  Env env_;
  Bus& bus_;
  int bus_replicas_;
  SourceMetrics metrics_;
  Logger log_{"source"};
  std::unique_ptr<GitReader> git_;
  Table<v1::GitSourceState> states_;
  std::unique_ptr<QueryServer> queries_;
  std::unique_ptr<Keeper> keeper_;  // while leading
  std::unique_ptr<LeaderLease> lease_;
};

}  // namespace

std::unique_ptr<Service> MakeSourceService(ServiceContext context, SourceOptions options,
                                           std::unique_ptr<GitReader> git) {
  return std::make_unique<SourceService>(std::move(context), options, std::move(git));
}

ServiceDefinition SourceDefinition() {
  ServiceDefinition definition;
  definition.name = "sealane-source";
  definition.summary = "Turns paths of Git repositories into deploy events.";
  definition.flags = {
      {"cache-dir", "Where repositories are kept; this process' own. Made when it is missing.",
       "/var/cache/sealane-source"},
      {"credentials-dir",
       "A directory per credentials that sources may name; empty: there are none.", ""},
      {"local-dir", "Repositories of this machine must be below it; empty: none is read.", ""},
      {"git-timeout", "How long reading a repository may take.", "1m"},
      {"leader-election", "Take part in the election of one leader.", "true", true},
  };
  definition.make = [](const Flags& flags,
                       ServiceContext context) -> absl::StatusOr<std::unique_ptr<Service>> {
    GitOptions git;
    git.cache_dir = flags.Get("cache-dir");
    git.credentials_dir = flags.Get("credentials-dir");
    git.local_dir = flags.Get("local-dir");
    SEALANE_ASSIGN_OR_RETURN(git.timeout, flags.GetDuration("git-timeout"));
    if (!git.cache_dir.starts_with("/")) return InvalidArgument("--cache-dir: must begin with /");
    SourceOptions options;
    options.elect_leader = flags.GetBool("leader-election");
    std::unique_ptr<GitReader> reader = MakeGitReader(context.env, std::move(git));
    return MakeSourceService(std::move(context), options, std::move(reader));
  };
  return definition;
}

}  // namespace sealane::source

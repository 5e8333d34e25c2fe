#include "tests/simulation/world.h"

#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/scoped_executor.h"
#include "lib/kube/credentials.h"
#include "lib/kubeapi/direct_transport.h"
#include "lib/model/identity.h"
#include "services/agent/agent_service.h"
#include "services/policy/policy_service.h"
#include "services/scheduler/scheduler_service.h"
#include "services/status/elected_status.h"

namespace sealane::simulation {
namespace {

// What is read of a Deployment or ConfigMap for the comparison.
ExpectedObject Summarize(const Json& object) {
  ExpectedObject out;
  const Json* replicas = object.contains("/spec/replicas"_json_pointer)
                             ? &object.at("/spec/replicas"_json_pointer)
                             : nullptr;
  if (replicas != nullptr) out.replicas = replicas->get<int>();
  out.image = object.value("/spec/template/spec/containers/0/image"_json_pointer, std::string());
  out.flavour = object.value("/metadata/labels/flavour"_json_pointer, std::string());
  out.config = object.value("/data/value"_json_pointer, std::string());
  return out;
}

}  // namespace

World::World(uint64_t seed, std::vector<ClusterSpec> clusters, Trouble trouble, Setup setup)
    : sim_(seed), server_(sim_.env()), trouble_(trouble), setup_(std::move(setup)) {
  setup_.status.elect_leader = true;
  AddProcess("policy", BusIdentity::Hub(),
             [](ServiceContext context) { return policy::MakePolicyService(context, {}); });
  AddProcess("scheduler", BusIdentity::Hub(), [this](ServiceContext context) {
    return scheduler::MakeSchedulerService(context, setup_.scheduler);
  });
  AddProcess("status", BusIdentity::Hub(),
             [this](ServiceContext context) -> std::unique_ptr<Service> {
               return std::make_unique<status::ElectedStatus>(context, setup_.status);
             });
  for (ClusterSpec& spec : clusters) {
    const std::string name = spec.name;
    Member& member = members_[name];
    member.spec = std::move(spec);
    kubesim::ClusterOptions options;
    options.name = name;
    options.nodes = setup_.nodes;
    options.cpu = std::to_string(setup_.cpus_per_node);
    member.cluster =
        std::make_unique<kubesim::Cluster>(sim_.env(), options, kubeapi::ApiServerOptions());
    member.disk = std::make_shared<agent::MemoryDisk>();
    AddProcess(StrCat("agent:", name), BusIdentity::Cluster(name),
               [this, name](ServiceContext context) {
                 Member& m = members_.at(name);
                 agent::AgentOptions agent_options;
                 agent_options.cluster = name;
                 agent_options.heartbeat_interval = setup_.heartbeat;
                 agent::AgentParts parts;
                 parts.transport = std::make_unique<kubeapi::DirectTransport>(
                     context.env.executor,
                     [&cluster = *m.cluster](const http::HttpRequest& request,
                                             std::shared_ptr<http::ResponseWriter> writer) {
                       cluster.Handle(request, std::move(writer));
                     },
                     absl::Milliseconds(1));
                 parts.credentials = kube::StaticCredentials("");
                 parts.store = agent::OpenMemoryStore(m.disk);
                 return agent::MakeAgent(context, agent_options, std::move(parts));
               });
  }
  platform_ = server_.Connect(BusIdentity::Platform("paas"), "paas");
  queries_ = std::make_unique<QueryClient>(*platform_, sim_.env());
  answers_ = platform_->Subscribe(platform::kDeployedAll, [this](const BusMessage& message) {
    v1::DeployResult result;
    if (result.ParseFromString(message.payload)) results_[result.event_id()] = std::move(result);
  });
  app_statuses_ = platform_->Subscribe(platform::kAppStatus, [this](const BusMessage& message) {
    v1::AppStatus status;
    if (!message.payload.empty() && status.ParseFromString(message.payload)) {
      app_status_[Describe(KeyOf(status.ref()))] = std::move(status);
    }
  });
  for (const std::string& name : processes()) {
    if (setup_.started || !name.starts_with("agent:")) Start(name);
  }
}

World::~World() {
  for (auto& [name, process] : processes_) StopProcess(process);
}

void World::AddProcess(const std::string& name, BusIdentity identity,
                       std::function<std::unique_ptr<Service>(ServiceContext)> make) {
  Process& process = processes_[name];
  process.identity = std::move(identity);
  process.make = std::move(make);
  SetFaults(name, false);
}

void World::SetFaults(const std::string& name, bool cut) {
  BusFaults faults;
  faults.disconnected = cut;
  if (trouble_.max_delay > absl::ZeroDuration()) {
    faults.delay = [this] { return trouble_.max_delay * sim_.Fraction(); };
  }
  faults.duplicate_probability = trouble_.duplicate_probability;
  server_.SetFaults(name, std::move(faults));
}

void World::Start(const std::string& name) {
  Process& process = processes_.at(name);
  if (process.service != nullptr) return;
  ++process.starts;
  process.executor = std::make_unique<ScopedExecutor>(sim_);
  process.env = std::make_unique<Env>(Env{sim_, *process.executor, sim_});
  process.bus = server_.Connect(process.identity, name);
  process.metrics = std::make_unique<Registry>();
  process.service = process.make(ServiceContext{*process.env, *process.bus, *process.metrics,
                                                StrCat(name, "-", process.starts), 1});
  process.service->Start();
}

void World::StopProcess(Process& process) {
  process.service.reset();
  process.bus.reset();
  process.metrics.reset();
  process.env.reset();
  process.executor.reset();
}

void World::RestartProcess(const std::string& name) {
  Kill(name);
  Start(name);
}

void World::Kill(const std::string& name) { StopProcess(processes_.at(name)); }

bool World::Runs(const std::string& name) const { return processes_.at(name).service != nullptr; }

void World::SetCut(const std::string& cluster, bool cut) {
  members_.at(cluster).cut = cut;
  SetFaults(StrCat("agent:", cluster), cut);
}

bool World::Reachable(const std::string& cluster) const {
  return Runs(StrCat("agent:", cluster)) && !members_.at(cluster).cut;
}

std::vector<std::string> World::processes() const {
  std::vector<std::string> names;
  for (const auto& [name, process] : processes_) names.push_back(name);
  return names;
}

std::vector<std::string> World::clusters() const {
  std::vector<std::string> names;
  for (const auto& [name, member] : members_) names.push_back(name);
  return names;
}

void World::Deploy(const std::vector<std::string>& manifests, bool remove) {
  v1::DeployEvent event;
  event.set_id(StrCat("event-", ++published_));
  event.set_publisher("simulation");
  for (const std::string& manifest : manifests) {
    v1::Operation& operation = *event.add_operations();
    operation.set_type(remove ? v1::Operation::DELETE : v1::Operation::APPLY);
    operation.set_manifest(manifest);
  }
  outbox_.push_back({event.id(), event.SerializeAsString()});
  if (outbox_.size() == 1) SendNext();
}

void World::SendNext() {
  // A platform keeps the order of its events: the next one goes when the one before is stored. What
  // is not acknowledged is sent again; the message id removes the duplicate.
  AppendRequest request;
  request.subject = std::string(platform::kDeploy);
  request.message_id = outbox_.front().first;
  request.payload = outbox_.front().second;
  platform_->Append(std::move(request), [this](const absl::StatusOr<Appended>& result) {
    if (!result.ok()) {
      sim_.After(absl::Milliseconds(200), [this] { SendNext(); });
      return;
    }
    const std::string id = outbox_.front().first;
    outbox_.pop_front();
    if (!outbox_.empty()) SendNext();
    sim_.After(absl::Seconds(10), [this, id] { AskForResult(id); });
  });
}

void World::AskForResult(const std::string& id) {
  if (results_.contains(id)) return;
  v1::QueryRequest request;
  request.set_name(id);
  queries_->Query(
      platform::kResults, request, absl::Seconds(5),
      [this, id](const absl::StatusOr<v1::QueryReply>& reply) {
        v1::DeployResult result;
        if (reply.ok() && !reply->body().empty() && result.ParseFromString(reply->body())) {
          results_[id] = std::move(result);
        } else {
          sim_.After(absl::Seconds(5), [this, id] { AskForResult(id); });
        }
      });
}

std::map<std::string, ClusterContent> World::Content() const {
  std::map<std::string, ClusterContent> content;
  for (const auto& [name, member] : members_) {
    ClusterContent& objects = content[name];
    for (const auto& [resource, kind] :
         {std::pair("apps/deployments", "Deployment"), std::pair("configmaps", "ConfigMap")}) {
      const char* kind_name = kind;
      member.cluster->api().store().ForEach(
          resource, "", {}, [&objects, kind_name](const kubeapi::ObjectPtr& object) {
            const auto& [unused, ns, id] = object->key();
            if (ns != "default" && !ns.starts_with("kube-") && id != "kube-root-ca.crt") {
              objects[StrCat(kind_name, " ", ns, "/", id)] = Summarize(object->value());
            }
            return true;
          });
    }
  }
  return content;
}

std::vector<std::string> World::NotIdle() const {
  std::vector<std::string> names;
  for (const auto& [name, process] : processes_) {
    if (process.service != nullptr && !process.service->Idle()) names.push_back(name);
  }
  return names;
}

}  // namespace sealane::simulation

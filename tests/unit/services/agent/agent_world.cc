#include "tests/unit/services/agent/agent_world.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"
#include "lib/bus/subjects.h"
#include "lib/core/strings.h"
#include "lib/kube/credentials.h"
#include "lib/model/identity.h"
#include "services/agent/agent_service.h"
#include "tests/support/status_matchers.h"

namespace sealane::agent {
namespace {

constexpr char kCluster[] = "member";
constexpr char kConnection[] = "agent";

kubesim::ClusterOptions SimOptions(bool controllers) {
  kubesim::ClusterOptions options;
  options.name = kCluster;
  options.controllers = controllers;
  options.nodes = 1;
  return options;
}

}  // namespace

AgentWorld::AgentWorld(bool controllers, uint64_t seed)
    : sim(seed),
      server(sim.env()),
      cluster_(sim.env(), SimOptions(controllers), kubeapi::ApiServerOptions()) {
  subscription_ = cluster_.api().store().Subscribe([this](const kubeapi::Change& change) {
    if (change.type == kubeapi::ChangeType::kAdded) ++created_[change.object->key().resource];
  });
  hub_ = server.Connect(BusIdentity::Hub(), "hub");
  for (const std::string_view table : {kWorksTable, kWorkStatusTable}) {
    StreamConfig config;
    config.name = std::string(table);
    config.subjects = {StrCat(table, ".>")};
    if (table == kWorksTable) config.republish_prefix = std::string(kLivePrefix);
    hub_->EnsureStream(config, [](const absl::Status& status) { EXPECT_OK(status); });
  }
  works_ = std::make_unique<PackedTable<v1::Work>>(*hub_, sim.env(), kWorksTable);
  works_->Start({}, [] {});
  snapshots_ = std::make_unique<SnapshotServer>(*hub_, sim.env(), *works_);
  snapshots_->Start();
  WatchOptions watch;
  watch.stream = std::string(kWorkStatusTable);
  statuses_ = hub_->Watch(watch, [this](const WatchEvent& event) {
    v1::WorkStatus status;
    if (event.type != WatchEvent::Type::kPut || event.message.payload.empty()) return;
    if (!status.ParseFromString(event.message.payload)) return;
    status_[status.ref().name()] = status;
    said_.push_back(std::move(status));
  });
  heartbeats_ = hub_->Subscribe(hub::kHeartbeats, [this](const BusMessage& message) {
    EXPECT_TRUE(heartbeat_.ParseFromString(message.payload));
  });
  sim.RunFor(absl::Seconds(1));
  EXPECT_EQ(Call("POST", "/api/v1/namespaces", Json{{"metadata", {{"name", "shop"}}}}).status, 201);
}

AgentWorld::~AgentWorld() {
  KillAgent();
  cluster_.api().store().Unsubscribe(subscription_);
}

void AgentWorld::StartAgent() {
  executor_ = std::make_unique<ScopedExecutor>(sim);
  env_ = std::make_unique<Env>(Env{sim, *executor_, sim});
  bus_ = server.Connect(BusIdentity::Cluster(kCluster), kConnection);
  metrics_ = std::make_unique<Registry>();
  AgentOptions options;
  options.cluster = kCluster;
  AgentParts parts;
  parts.transport = std::make_unique<kubeapi::DirectTransport>(
      *executor_,
      [this](const http::HttpRequest& request, std::shared_ptr<http::ResponseWriter> writer) {
        Handle(request, std::move(writer));
      },
      absl::Milliseconds(1));
  parts.credentials = kube::StaticCredentials("");
  parts.store = OpenMemoryStore(disk);
  service_ =
      MakeAgent(ServiceContext{*env_, *bus_, *metrics_, "agent", 1}, options, std::move(parts));
  service_->Start();
}

void AgentWorld::KillAgent() {
  service_.reset();
  bus_.reset();
  metrics_.reset();
  env_.reset();
  executor_.reset();
}

void AgentWorld::Handle(const http::HttpRequest& request,
                        std::shared_ptr<http::ResponseWriter> writer) {
  sent.push_back({sim.Monotonic(), request});
  if (hang) {
    held_.push_back(std::move(writer));
    return;
  }
  if (fault) {
    if (auto answer = fault(request)) return writer->Send(*std::move(answer));
  }
  const absl::Duration wait = delay ? delay(request) : absl::ZeroDuration();
  if (wait == absl::ZeroDuration()) return cluster_.Handle(request, std::move(writer));
  sim.After(wait, [this, request, writer] { cluster_.Handle(request, writer); });
}

v1::Work AgentWorld::Put(std::string_view manifest, const std::function<void(v1::Work&)>& change) {
  const Json object = Json::parse(manifest);
  const Json& metadata = object["metadata"];
  v1::Work work;
  work.set_cluster(kCluster);
  work.mutable_ref()->set_api_version(object["apiVersion"].get<std::string>());
  work.mutable_ref()->set_kind(object["kind"].get<std::string>());
  work.mutable_ref()->set_namespace_(metadata.value("namespace", std::string()));
  work.mutable_ref()->set_name(metadata["name"].get<std::string>());
  work.mutable_fence()->set_uid("life-1");
  work.mutable_fence()->set_version(++version_);
  work.set_object_generation(version_);
  work.set_manifest(std::string(manifest));
  if (change) change(work);
  works_->Put(ClusterRowKey(kCluster, KeyOf(work.ref())), work);
  return work;
}

void AgentWorld::RemoveRow(std::string_view kind, std::string_view name) {
  for (const auto& [key, row] : works_->rows()) {
    const v1::Work work = row.Parse();
    if (work.ref().kind() != kind || work.ref().name() != name) continue;
    return works_->Remove(std::string(key));
  }
  ADD_FAILURE() << "no such row: " << kind << " " << name;
}

const v1::WorkStatus* AgentWorld::Status(std::string_view name) const {
  const auto it = status_.find(name);
  return it == status_.end() ? nullptr : &it->second;
}

bool AgentWorld::Says(std::string_view name, v1::WorkStatus::State state,
                      std::string_view reason) const {
  const v1::WorkStatus* status = Status(name);
  return status != nullptr && status->state() == state && status->reason() == reason &&
         status->fence().version() == version_;
}

void AgentWorld::CutBus(bool cut) {
  BusFaults faults;
  faults.disconnected = cut;
  server.SetFaults(kConnection, faults);
}

http::HttpResponse AgentWorld::Ask(const http::HttpRequest& request) {
  class Writer final : public http::ResponseWriter {
   public:
    explicit Writer(std::shared_ptr<http::HttpResponse> out) : out_(std::move(out)) {}
    void Send(http::HttpResponse response) override { *out_ = std::move(response); }
    void StartStream(int, http::Headers) override {}
    void Write(std::string) override {}
    void End() override {}
    void OnClose(std::function<void()>) override {}
    [[nodiscard]] size_t pending_bytes() const override { return 0; }

   private:
    std::shared_ptr<http::HttpResponse> out_;
  };
  auto response = std::make_shared<http::HttpResponse>();
  cluster_.Handle(request, std::make_shared<Writer>(response));
  EXPECT_NE(response->status, 0) << request.method << " " << request.path
                                 << " was not answered at once";
  return *response;
}

AgentWorld::Answer AgentWorld::Call(const std::string& method, const std::string& path,
                                    const Json& body, const std::string& content_type) {
  http::HttpRequest request;
  request.method = method;
  request.path = path;
  if (!body.is_null()) {
    request.headers.Set("Content-Type", content_type);
    request.body = body.dump();
  }
  request.headers.Set("Accept", "application/json");
  request.headers.Set("User-Agent", "somebody");
  const http::HttpResponse response = Ask(request);
  return {response.status, Json::parse(response.body, nullptr, false)};
}

Json AgentWorld::ConfigMap(const std::string& name) {
  Answer answer = Call("GET", StrCat("/api/v1/namespaces/shop/configmaps/", name));
  return answer.status == 200 ? std::move(answer.body) : Json();
}

int AgentWorld::created(const std::string& resource) const {
  const auto it = created_.find(resource);
  return it == created_.end() ? 0 : it->second;
}

std::vector<AgentWorld::Sent> AgentWorld::Writes() const {
  std::vector<Sent> out;
  for (const Sent& one : sent) {
    if (one.request.method != "GET") out.push_back(one);
  }
  return out;
}

double AgentWorld::Metric(std::string_view series) const {
  const std::string text = metrics_->Expose();
  const size_t at = text.find(StrCat("\n", series, " "));
  double value = -1;
  if (at == std::string::npos) {
    ADD_FAILURE() << "no series " << series;
    return value;
  }
  const size_t begin = at + series.size() + 2;
  EXPECT_TRUE(absl::SimpleAtod(text.substr(begin, text.find('\n', begin) - begin), &value));
  return value;
}

http::HttpResponse StatusAnswer(int code, std::string_view reason, std::string_view message,
                                std::string_view retry_after) {
  const Json body = {{"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Failure"},
                     {"reason", reason}, {"message", message}, {"code", code}};
  http::HttpResponse response{code, {{"Content-Type", "application/json"}}, body.dump()};
  if (!retry_after.empty()) response.headers.Set("Retry-After", retry_after);
  return response;
}

std::string ConfigMapManifest(std::string_view name, std::string_view value,
                              std::string_view annotations) {
  return StrCat(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")", name,
                R"(","namespace":"shop","annotations":)", annotations, R"(},"data":{"value":")",
                value, R"("}})");
}

}  // namespace sealane::agent

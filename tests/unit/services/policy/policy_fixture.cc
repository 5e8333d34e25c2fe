#include "tests/unit/services/policy/policy_fixture.h"

namespace sealane::policy {

std::string KeyOfText(std::string_view object) {
  static const auto& groups =
      *new std::map<std::string, std::string>{{"Deployment", "apps"},
                                              {"Job", "batch"},
                                              {"PropagationPolicy", "policy.karmada.io"},
                                              {"ClusterPropagationPolicy", "policy.karmada.io"},
                                              {"OverridePolicy", "policy.karmada.io"},
                                              {"PriorityClass", "scheduling.k8s.io"}};
  const size_t space = object.find(' ');
  ObjectKey key;
  key.kind = object.substr(0, space);
  if (const auto it = groups.find(key.kind); it != groups.end()) key.group = it->second;
  const std::string_view name = object.substr(space + 1);
  const size_t slash = name.find('/');
  if (slash != std::string_view::npos) key.ns = name.substr(0, slash);
  key.name = slash == std::string_view::npos ? name : name.substr(slash + 1);
  return RowKey(key);
}

PolicyServiceTest::PolicyServiceTest() {
  place_ = [this](const v1::Binding& binding) {
    std::map<std::string, int32_t> placed;
    for (const auto& [key, row] : clusters_.rows()) placed[row.value.name()] = binding.replicas();
    return placed;
  };
  for (const std::string_view table : {kClusterStatusTable, kPlacementsTable, kWorkStatusTable,
                                       kBindingsTable, kWorksTable, kEventsLog}) {
    StreamConfig config;
    config.name = std::string(table);
    config.subjects = {StrCat(table, ".>")};
    config.last_per_subject = table != kEventsLog;
    hub_->EnsureStream(config, [](const absl::Status&) {});
  }
  clusters_.Start([](const std::string&) {}, [] {});
  placements_.Start([](const std::string&) {}, [] {});
  bindings_.Start([this](const std::string& key) { Schedule(key); }, [] {});
  works_.Start([this](const std::string& key) { ConfirmRemoval(key); }, [] {});
  subscriptions_.push_back(
      platform_->Subscribe(platform::kDeployedAll, [this](const BusMessage& message) {
        v1::DeployResult result;
        ASSERT_TRUE(result.ParseFromString(message.payload));
        results_[result.event_id()] = result;
      }));
  WatchOptions events;
  events.stream = std::string(kEventsLog);
  events.all = true;
  subscriptions_.push_back(hub_->Watch(events, [this](const WatchEvent& event) {
    v1::Event parsed;
    if (event.type == WatchEvent::Type::kPut && parsed.ParseFromString(event.message.payload)) {
      events_.push_back(std::move(parsed));
    }
  }));
  StartService();
}

void PolicyServiceTest::StartService() {
  service_bus_ = server_.Connect(BusIdentity::Hub());
  PolicyOptions options;
  options.elect_leader = false;
  service_ =
      MakePolicyService(ServiceContext{sim_.env(), *service_bus_, registry_, "policy-0"}, options);
  service_->Start();
  Settle();
}

void PolicyServiceTest::StopService() {
  service_.reset();
  service_bus_.reset();
}

void PolicyServiceTest::Settle() {
  sim_.RunFor(absl::Milliseconds(200));
  EXPECT_TRUE(sim_.RunUntil([this] { return service_->Idle(); }, absl::Seconds(60)));
  sim_.RunFor(absl::Milliseconds(200));
}

void PolicyServiceTest::PutCluster(const std::string& name, const std::string& region,
                                   std::map<std::string, std::string> labels) {
  v1::ClusterStatus cluster;
  cluster.set_name(name);
  cluster.set_region(region);
  cluster.mutable_labels()->insert(labels.begin(), labels.end());
  clusters_.Put(EncodeToken(name), cluster);
  Settle();
}

v1::DeployResult PolicyServiceTest::Publish(std::string_view yaml, v1::Operation::Type type) {
  std::vector<Json> manifests;
  EXPECT_OK(kube::ParseManifests(yaml, &manifests));
  v1::DeployEvent event;
  event.set_id(StrCat("event-", ++published_));
  for (const Json& manifest : manifests) {
    v1::Operation& operation = *event.add_operations();
    operation.set_type(type);
    operation.set_manifest(manifest.dump());
  }
  AppendRequest request;
  request.subject = std::string(platform::kDeploy);
  request.message_id = event.id();
  request.payload = event.SerializeAsString();
  platform_->Append(std::move(request), [](const absl::StatusOr<Appended>& r) { EXPECT_OK(r); });
  EXPECT_TRUE(sim_.RunUntil([&] { return results_.contains(event.id()); }, absl::Seconds(30)));
  Settle();
  return results_[event.id()];
}

void PolicyServiceTest::MustApply(std::string_view yaml) {
  const v1::DeployResult result = Apply(yaml);
  EXPECT_TRUE(result.accepted()) << result.ShortDebugString();
}

void PolicyServiceTest::MustDelete(std::string_view yaml) {
  const v1::DeployResult result = Delete(yaml);
  EXPECT_TRUE(result.accepted()) << result.ShortDebugString();
}

const v1::Binding* PolicyServiceTest::Binding(std::string_view object) {
  const Row<v1::Binding>* row = bindings_.Find(KeyOfText(object));
  return row == nullptr ? nullptr : &row->value;
}

const v1::Work* PolicyServiceTest::Work(const std::string& cluster, std::string_view object) {
  const Row<v1::Work>* row = works_.Find(StrCat(EncodeToken(cluster), ".", KeyOfText(object)));
  return row == nullptr || row->value.deleting() ? nullptr : &row->value;
}

Json PolicyServiceTest::Manifest(const std::string& cluster, std::string_view object) {
  const v1::Work* work = Work(cluster, object);
  if (work == nullptr) return Json();
  return Json::parse(work->manifest(), nullptr, /*allow_exceptions=*/false);
}

std::set<std::string> PolicyServiceTest::ClustersOf(std::string_view object) {
  std::set<std::string> names;
  for (const auto& [key, row] : clusters_.rows()) {
    if (Work(row.value.name(), object) != nullptr) names.insert(row.value.name());
  }
  return names;
}

std::string PolicyServiceTest::Claimer(std::string_view object) {
  const v1::Binding* binding = Binding(object);
  return binding == nullptr ? "" : binding->policy().name();
}

std::vector<std::string> PolicyServiceTest::Reasons() const {
  std::vector<std::string> reasons;
  for (const v1::Event& event : events_) reasons.push_back(event.reason());
  return reasons;
}

std::vector<std::string> PolicyServiceTest::Told(std::string_view reason) const {
  std::vector<std::string> messages;
  for (const v1::Event& event : events_) {
    if (event.reason() == reason) messages.push_back(event.message());
  }
  return messages;
}

v1::QueryReply PolicyServiceTest::Ask(const std::string& what, const std::string& name) {
  v1::QueryRequest request;
  request.set_what(what);
  request.set_name(name);
  v1::QueryReply answer;
  bool done = false;
  queries_.Query(platform::Query("policy"), request, absl::Seconds(5),
                 [&](const absl::StatusOr<v1::QueryReply>& reply) {
                   done = true;
                   EXPECT_OK(reply);
                   if (reply.ok()) answer = *reply;
                 });
  EXPECT_TRUE(sim_.RunUntil([&] { return done; }, absl::Seconds(10)));
  return answer;
}

Json PolicyServiceTest::Explain(const std::string& name) {
  const Json answer = Json::parse(Ask("explain", name).body(), nullptr, false);
  return answer.is_array() && !answer.empty() ? answer[0] : Json();
}

void PolicyServiceTest::Schedule(const std::string& key) {
  const Row<v1::Binding>* row = bindings_.Find(key);
  const Row<v1::Placed>* placed = placements_.Find(key);
  if (row == nullptr || row->value.deleting()) {
    if (placed != nullptr && row == nullptr) placements_.Remove(key);
    return;
  }
  const v1::Binding& binding = row->value;
  if (!binding.has_policy() || !binding.has_placement()) return;
  if (placed != nullptr && placed->value.uid() == binding.uid() &&
      placed->value.binding_revision() == binding.revision()) {
    return;
  }
  v1::Placed answer;
  *answer.mutable_ref() = binding.ref();
  answer.set_uid(binding.uid());
  answer.set_binding_revision(binding.revision());
  answer.set_state("Scheduled");
  for (const auto& [cluster, replicas] : place_(binding)) {
    v1::TargetCluster& target = *answer.add_clusters();
    target.set_name(cluster);
    target.set_replicas(replicas);
  }
  placements_.Put(key, std::move(answer));
}

void PolicyServiceTest::ConfirmRemoval(const std::string& key) {
  const Row<v1::Work>* row = works_.Find(key);
  if (row == nullptr || !row->value.deleting() || !agents_answer_) return;
  v1::WorkStatus word;
  word.set_cluster(row->value.cluster());
  *word.mutable_ref() = row->value.ref();
  *word.mutable_fence() = row->value.fence();
  word.set_state(v1::WorkStatus::REMOVED);
  AppendRequest request;
  request.subject = StrCat(kWorkStatusTable, ".", key);
  request.payload = word.SerializeAsString();
  hub_->Append(std::move(request), [](const absl::StatusOr<Appended>& r) { EXPECT_OK(r); });
}

}  // namespace sealane::policy

#include "benchmarks/common/fleet.h"

#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "lib/accounts/server_config.h"
#include "lib/bus/nats_bus.h"
#include "lib/bus/subjects.h"
#include "lib/core/ids.h"
#include "lib/core/mutex.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "sealane/v1/deploy.pb.h"

namespace sealane::bench {
namespace {

constexpr const char* kPlatform = "bench";
constexpr const char* kHubUser = "sealane";
// Of every account: the server listens on the loopback interface for the time of a run.
constexpr const char* kPassword = "bench-only";

std::string LastLines(const std::string& path, size_t count) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<long>(count));
  return StrJoin(lines, "\n");
}

}  // namespace

Fleet::Fleet(FleetOptions options)
    : options_(std::move(options)), temporary_(std::make_unique<TempDir>()) {
  directory_ = temporary_->path();
}

absl::StatusOr<std::unique_ptr<Fleet>> Fleet::Start(FleetOptions options) {
  std::unique_ptr<Fleet> fleet(new Fleet(std::move(options)));
  fleet->loop_.Start();
  SEALANE_RETURN_IF_ERROR(fleet->StartServer());
  SEALANE_RETURN_IF_ERROR(fleet->StartServices());
  return fleet;
}

Fleet::~Fleet() {
  OnLoop([this] {
    clusters_.clear();
    platform_.reset();
    hub_.reset();
  });
  loop_.Stop();
  while (!processes_.empty()) {
    processes_.back().second.Kill(SIGTERM);
    processes_.pop_back();
  }
  if (options_.keep) (void)temporary_.release();
}

absl::Status Fleet::StartServer() {
  port_ = FreePort();
  ServerConfigOptions config;
  config.listen_port = port_;
  config.store_dir = StrCat(directory_, "/store");
  config.hub_user = kHubUser;
  config.hub_password = kPassword;
  for (const std::string& cluster : options_.clusters) {
    config.clusters.push_back({cluster, kPassword});
  }
  config.platforms.push_back({kPlatform, kPassword});
  SEALANE_ASSIGN_OR_RETURN(const std::string text, MakeServerConfig(config));
  const std::string path = StrCat(directory_, "/nats-server.conf");
  std::ofstream(path) << text;
  auto server = Subprocess::Start({options_.nats_server, "-c", path}, Log("nats-server"));
  if (!server.ok()) return server.status();
  processes_.emplace_back("nats-server", *std::move(server));
  absl::Status made;
  bool connected = false;
  std::unique_ptr<Subscription> state;
  OnLoop([&] {
    auto hub = Connect(kHubUser, kPassword);
    auto platform = Connect(PlatformUser(kPlatform), kPassword);
    made = !hub.ok() ? hub.status() : platform.status();
    if (!made.ok()) return;
    hub_ = *std::move(hub);
    platform_ = *std::move(platform);
    state = hub_->OnState([&](BusState now) { connected = now == BusState::kConnected; });
  });
  SEALANE_RETURN_IF_ERROR(made);
  const absl::Status status =
      WaitUntil("the connection to nats-server", absl::Seconds(20), [&] { return connected; });
  OnLoop([&] { state.reset(); });
  return status;
}

absl::Status Fleet::StartServices() {
  for (const std::string& name : options_.services) {
    SEALANE_RETURN_IF_ERROR(StartService(name, options_.flags[name]));
  }
  return absl::OkStatus();
}

absl::Status Fleet::StartService(const std::string& name, const std::vector<std::string>& flags) {
  std::vector<std::string> argv = {
      StrCat(options_.bin_dir, "/", name), StrCat("--bus-url=nats://127.0.0.1:", port_),
      StrCat("--bus-user=", kHubUser), StrCat("--bus-password=", kPassword),
      StrCat("--log-level=", options_.log_level)};
  argv.insert(argv.end(), flags.begin(), flags.end());
  SEALANE_ASSIGN_OR_RETURN(Subprocess process, StartProgram(name, std::move(argv)));
  processes_.emplace_back(name, std::move(process));
  return absl::OkStatus();
}

absl::StatusOr<Subprocess> Fleet::StartAgent(const std::string& cluster,
                                             const std::vector<std::string>& flags) {
  std::vector<std::string> argv = {
      StrCat(options_.bin_dir, "/sealane-agent"),   StrCat("--cluster=", cluster),
      StrCat("--bus-url=nats://127.0.0.1:", port_), StrCat("--bus-user=", ClusterUser(cluster)),
      StrCat("--bus-password=", kPassword),         StrCat("--log-level=", options_.log_level)};
  argv.insert(argv.end(), flags.begin(), flags.end());
  return StartProgram(StrCat("sealane-agent-", cluster), std::move(argv));
}

absl::StatusOr<Subprocess> Fleet::StartProgram(const std::string& name,
                                               std::vector<std::string> argv) {
  return Subprocess::Start(argv, Log(name));
}

absl::StatusOr<std::unique_ptr<Bus>> Fleet::Connect(const std::string& user,
                                                    const std::string& password) {
  NatsOptions options;
  options.urls = {StrCat("nats://127.0.0.1:", port_)};
  options.user = user;
  options.password = password;
  options.name = "pipeline benchmark";
  return NatsBus::Create(loop_.env(), std::move(options));
}

absl::StatusOr<Bus*> Fleet::ConnectCluster(const std::string& cluster) {
  SEALANE_ASSIGN_OR_RETURN(std::unique_ptr<Bus> bus, Connect(ClusterUser(cluster), kPassword));
  return (clusters_[cluster] = std::move(bus)).get();
}

void Fleet::OnLoop(const std::function<void()>& fn) {
  Notification done;
  loop_.Post([&] {
    fn();
    done.Notify();
  });
  done.Wait();
}

absl::Status Fleet::WaitUntil(const std::string& what, absl::Duration timeout,
                              const std::function<bool()>& holds) {
  Notification done;
  bool in_time = false;
  const absl::Duration deadline = loop_.clock().Monotonic() + timeout;
  std::function<void()> check = [&] {
    in_time = holds();
    if (in_time || loop_.clock().Monotonic() > deadline) return done.Notify();
    loop_.After(absl::Milliseconds(1), [&check] { check(); });
  };
  loop_.Post([&check] { check(); });
  done.Wait();
  if (in_time) return absl::OkStatus();
  SEALANE_RETURN_IF_ERROR(CheckAlive());
  return absl::DeadlineExceededError(
      ToAbsl(StrCat(what, " did not happen within ", ToStd(absl::FormatDuration(timeout)))));
}

absl::Status Fleet::Deploy(const std::vector<std::string>& manifests, absl::Duration timeout) {
  v1::DeployEvent event;
  for (const std::string& manifest : manifests) {
    v1::Operation* operation = event.add_operations();
    operation->set_type(v1::Operation::APPLY);
    operation->set_manifest(manifest);
  }
  // Acknowledgements may come after this call has returned.
  struct Call {
    v1::DeployEvent event;
    v1::DeployResult result;
    bool done = false;
    std::unique_ptr<Subscription> subscription;
    std::function<void()> send;
  };
  const auto call = std::make_shared<Call>();
  call->event = std::move(event);
  OnLoop([&] {
    call->event.set_id(NewUuid(loop_.random()));
    call->subscription = platform_->Subscribe(
        platform::Deployed(call->event.id()), [call = call.get()](const BusMessage& message) {
          call->done = call->result.ParseFromString(message.payload);
        });
    // The stream appears when the policy service has started.
    call->send = [this, weak = std::weak_ptr<Call>(call)] {
      const auto call = weak.lock();
      if (call == nullptr || call->done) return;
      AppendRequest request;
      request.subject = std::string(platform::kDeploy);
      request.payload = call->event.SerializeAsString();
      request.message_id = call->event.id();
      platform_->Append(std::move(request), [this, weak](const absl::StatusOr<Appended>& appended) {
        if (appended.ok()) return;
        loop_.After(absl::Milliseconds(100), [weak] {
          if (const auto call = weak.lock()) call->send();
        });
      });
    };
    call->send();
  });
  const absl::Status status =
      WaitUntil("the answer to a deploy event", timeout, [&] { return call->done; });
  OnLoop([&] { call->subscription.reset(); });
  SEALANE_RETURN_IF_ERROR(status);
  const v1::DeployResult& result = call->result;
  for (const v1::FieldError& error : result.errors()) {
    return InvalidArgument(StrCat("the event was refused: ", error.message()));
  }
  for (const v1::OperationResult& operation : result.results()) {
    if (operation.accepted()) continue;
    std::string text = StrCat(operation.object().kind(), " ", operation.object().name(), ":");
    for (const v1::FieldError& error : operation.errors()) {
      text += StrCat(" ", error.field(), ": ", error.message());
    }
    return InvalidArgument(text);
  }
  return absl::OkStatus();
}

std::string Fleet::hub_url() const {
  return StrCat("nats://", kHubUser, ":", kPassword, "@127.0.0.1:", port_);
}

std::string Fleet::Log(const std::string& program) const {
  return StrCat(directory_, "/", program, ".log");
}

absl::Status Fleet::CheckAlive() {
  for (auto& [name, process] : processes_) {
    if (process.Running()) continue;
    return Unavailable(StrCat(name, " has ended; its last words:\n", LastLines(Log(name), 20)));
  }
  return absl::OkStatus();
}

}  // namespace sealane::bench

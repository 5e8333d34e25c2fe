#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/bus/nats_bus.h"
#include "lib/core/crash.h"
#include "lib/core/event_loop.h"
#include "lib/core/ids.h"
#include "lib/core/mutex.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/runtime/bus_flags.h"
#include "lib/runtime/files.h"
#include "lib/runtime/service.h"
#include "lib/telemetry/endpoints.h"
#include "lib/telemetry/log.h"
#include "lib/telemetry/process_metrics.h"

namespace sealane {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitCannotRun = 1;
constexpr int kExitBadFlags = 2;

std::vector<Flag> AllFlags(const ServiceDefinition& definition) {
  std::vector<Flag> flags = BusFlags();
  flags.push_back({"listen", "Address of /metrics, /healthz and /readyz; port 0 takes a free one.",
                   "127.0.0.1:0"});
  flags.push_back({"listen-file", "File to write that address to, for scripts.", ""});
  flags.push_back({"log-level", "debug, info, warn, error or off.", "info"});
  flags.push_back(
      {"instance", "Name of this process, in leases and logs; host and pid by default.", ""});
  flags.insert(flags.end(), definition.flags.begin(), definition.flags.end());
  return flags;
}

std::string DefaultInstance() {
  char host[256] = "localhost";
  gethostname(host, sizeof(host) - 1);
  return StrCat(host, "-", getpid());
}

// Signals that end the process are taken by sigwait alone; blocked before the first thread starts,
// because threads inherit the mask.
sigset_t BlockEndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// The process after its flags are known. Members are in the order of start; they stop in reverse.
class Process {
 public:
  Process(const ServiceDefinition& definition, const Flags& flags)
      : definition_(definition), flags_(flags), log_(definition.name) {}

  absl::Status Start() {
    SEALANE_ASSIGN_OR_RETURN(NatsOptions bus_options, BusOptionsOf(flags_));
    SEALANE_ASSIGN_OR_RETURN(const int64_t replicas, flags_.GetInt("bus-replicas", 0, 5));
    std::string instance = flags_.Get("instance");
    if (instance.empty()) instance = DefaultInstance();
    bus_options.name = StrCat(definition_.name, " ", instance);
    bus_options.gather_appends = definition_.writes_bursts;
    bus_url_ = StrJoin(bus_options.urls, ",");
    bus_options.on_error = [this](std::string_view what) {
      if (what == bus_error_) return;  // the same again: every attempt to connect says it
      bus_error_ = std::string(what);
      log_.Warn("bus", {{"error", bus_error_}});
    };
    Histogram& append_seconds = metrics_.AddHistogram(
        "sealane_bus_append_seconds", "From a durable write to the bus' acknowledgement.");
    bus_options.on_append = [&append_seconds](absl::Duration took) {
      append_seconds.Observe(absl::ToDoubleSeconds(took));
    };
    AddProcessMetrics(metrics_, loop_.clock(), definition_.name);
    // Everything is built before the loop's thread starts: until then this thread stands for it.
    SEALANE_ASSIGN_OR_RETURN(bus_, NatsBus::Create(loop_.env(), std::move(bus_options)));
    AddBusMetrics();
    bus_state_ = bus_->OnState([this](BusState state) {
      bus_connected_ = state == BusState::kConnected;
      if (bus_connected_) {
        bus_error_.clear();
        log_.Info("bus connected", {{"url", bus_url_}});
      } else {
        log_.Warn("bus not connected; trying on", {{"url", bus_url_}});
      }
    });
    ServiceContext context{loop_.env(), *bus_, metrics_, instance, static_cast<int>(replicas)};
    SEALANE_ASSIGN_OR_RETURN(service_, definition_.make(flags_, context));
    SEALANE_ASSIGN_OR_RETURN(
        endpoints_, Endpoints::Start(flags_.Get("listen"), loop_,
                                     {metrics_, [this](std::string* why) { return Ready(why); }}));
    if (const std::string& path = flags_.Get("listen-file"); !path.empty()) {
      SEALANE_RETURN_IF_ERROR(WriteFileAtomically(path, StrCat(endpoints_->address(), "\n")));
    }
    service_->Start();
    loop_.Start();
    running_ = true;
    log_.Info("started", {{"instance", instance},
                          {"version", std::string(Version())},
                          {"endpoints", StrCat("http://", endpoints_->address())}});
    return absl::OkStatus();
  }

  void Stop() {
    endpoints_.reset();
    if (running_) Retire();
    loop_.Stop();
    service_.reset();
    bus_state_.reset();
    bus_.reset();
  }

 private:
  // Gives the service a moment to hand over. Nothing depends on it.
  void Retire() {
    // The service may answer after we stopped waiting.
    const auto retired = std::make_shared<Notification>();
    loop_.Post([this, retired] { service_->Retire([retired] { retired->Notify(); }); });
    retired->WaitWithTimeout(absl::Seconds(1));
  }

  void AddBusMetrics() {
    Gauge& connected = metrics_.AddGauge("sealane_bus_connected",
                                         "1 while the connection to the message bus is up.");
    Counter& disconnects =
        metrics_.AddCounter("sealane_bus_disconnects_total", "Lost connections to the bus.");
    Counter& connects = metrics_.AddCounter(
        "sealane_bus_connects_total", "Times that a connection to the bus was made or came back.");
    Counter& errors = metrics_.AddCounter("sealane_bus_errors_total",
                                          "Errors of the bus that no caller was waiting for.");
    Counter& dropped = metrics_.AddCounter("sealane_bus_dropped_messages_total",
                                           "Core messages dropped because too many were waiting.");
    Counter& appends =
        metrics_.AddCounter("sealane_bus_appends_total", "Durable writes acknowledged.");
    Counter& timeouts = metrics_.AddCounter("sealane_bus_append_timeouts_total",
                                            "Durable writes whose result is unknown.");
    Counter& resyncs = metrics_.AddCounter(
        "sealane_bus_resyncs_total", "Watches and consumers that began again to be sure of all.");
    metrics_.OnCollect([this, &connected, &connects, &disconnects, &errors, &dropped, &appends,
                        &timeouts, &resyncs] {
      const NatsStats now = bus_->stats();
      connected.Set(bus_connected_ ? 1 : 0);
      const auto raise = [](Counter& counter, uint64_t value) {
        counter.Increment(static_cast<double>(value) - counter.Value());
      };
      raise(connects, now.connects);
      raise(disconnects, now.disconnects);
      raise(errors, now.errors);
      raise(dropped, now.dropped);
      raise(appends, now.appends);
      raise(timeouts, now.append_timeouts);
      raise(resyncs, now.resyncs);
      UpdateLag(now);
    });
  }

  // One series for each stream that this process reads; what it reads no more is 0.
  void UpdateLag(const NatsStats& stats) {
    for (const auto& entry : lag_) entry.second->Set(0);
    for (const auto& [stream, pending] : stats.pending) {
      Gauge*& gauge = lag_[stream];
      if (gauge == nullptr) {
        gauge = &metrics_.AddGauge("sealane_bus_pending_messages",
                                   "Messages of a stream that the bus still had for this process "
                                   "when it sent the last one.",
                                   {{"stream", stream}});
      }
      gauge->Set(static_cast<double>(pending));
    }
  }

  bool Ready(std::string* why_not) const {
    if (!bus_connected_) {
      *why_not = StrCat("the message bus cannot be reached at ", bus_url_);
      if (!bus_error_.empty()) *why_not += StrCat(": ", bus_error_);
      return false;
    }
    if (const std::string trouble = bus_->Trouble(); !trouble.empty()) {
      *why_not = StrCat("the message bus does not serve: ", trouble);
      return false;
    }
    return service_->Ready(why_not);
  }

  const ServiceDefinition& definition_;
  const Flags& flags_;
  Logger log_;
  std::string bus_url_;
  std::string bus_error_;  // the last one since it was connected; the loop's thread only
  bool running_ = false;
  bool bus_connected_ = false;  // the loop's thread only
  Registry metrics_;
  std::map<std::string, Gauge*> lag_;  // by stream
  EventLoop loop_;
  std::unique_ptr<NatsBus> bus_;
  std::unique_ptr<Subscription> bus_state_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Endpoints> endpoints_;
};

}  // namespace

int RunService(int argc, char** argv, const ServiceDefinition& definition) {
  TellStackOnCrash(argv[0]);
  const std::vector<Flag> known = AllFlags(definition);
  const std::vector<std::string> args(argv + 1, argv + argc);
  for (const std::string& arg : args) {
    if (arg == "--help" || arg == "-h") {
      std::cout
          << definition.name << ": " << definition.summary << "\n\n"
          << DescribeFlags(known)
          << "\nEvery flag may be set in the environment too: --bus-url as SEALANE_BUS_URL.\n";
      return kExitOk;
    }
    if (arg == "--version") {
      std::cout << definition.name << " " << Version() << "\n";
      return kExitOk;
    }
  }
  const absl::StatusOr<Flags> flags = ParseFlags(known, args);
  if (!flags.ok()) {
    std::cerr << definition.name << ": " << ToStd(flags.status().message()) << "\nTry "
              << definition.name << " --help\n";
    return kExitBadFlags;
  }
  SetLogLevel(ParseLogLevel(flags->Get("log-level")));
  const Logger log(definition.name);
  const sigset_t signals = BlockEndSignals();
  Process process(definition, *flags);
  if (const absl::Status status = process.Start(); !status.ok()) {
    log.Error("cannot start", {{"why", std::string(status.message())}});
    std::cerr << definition.name << ": " << ToStd(status.message()) << "\n";
    process.Stop();
    NatsBus::EndLibrary();
    return absl::IsInvalidArgument(status) ? kExitBadFlags : kExitCannotRun;
  }
  int received = 0;
  sigwait(&signals, &received);
  log.Info("stopping", {{"signal", strsignal(received)}});
  // A second signal ends the process at once.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  process.Stop();
  NatsBus::EndLibrary();
  log.Info("stopped");
  return kExitOk;
}

}  // namespace sealane

#include "tests/integration/bus/nats_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tools/sealane/operator_accounts.h"

namespace sealane {
namespace {

// At the end of the process, as main does in a program.
class LibraryEnd : public ::testing::Environment {
 public:
  void TearDown() override { NatsBus::EndLibrary(); }
};
[[maybe_unused]] const ::testing::Environment* const kLibraryEnd =
    ::testing::AddGlobalTestEnvironment(new LibraryEnd);

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int ConnectTo(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

bool CopySome(int from, int to) {
  char buffer[65536];
  const ssize_t n = read(from, buffer, sizeof(buffer));
  if (n <= 0) return false;
  for (ssize_t sent = 0; sent < n;) {
    const ssize_t w = send(to, buffer + sent, static_cast<size_t>(n - sent), MSG_NOSIGNAL);
    if (w <= 0) return false;
    sent += w;
  }
  return true;
}

}  // namespace

// --- TcpProxy
// --------------------------------------------------------------------------------------------

TcpProxy::TcpProxy(int target_port) : target_port_(target_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_, 16), 0);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

TcpProxy::~TcpProxy() {
  stop_ = true;
  thread_.join();
  close(listener_);
}

void TcpProxy::Cut(bool cut) { cut_ = cut; }

void TcpProxy::Run() {
  std::vector<std::pair<int, int>> links;  // client, server
  const auto close_all = [&] {
    for (const auto& link : links) {
      close(link.first);
      close(link.second);
    }
    links.clear();
  };
  while (!stop_) {
    if (cut_ || drop_.exchange(false)) close_all();
    std::vector<pollfd> fds = {{listener_, POLLIN, 0}};
    for (const auto& link : links) {
      fds.push_back({link.first, POLLIN, 0});
      fds.push_back({link.second, POLLIN, 0});
    }
    if (poll(fds.data(), fds.size(), 10) <= 0) continue;
    for (size_t i = links.size(); i-- > 0;) {
      const auto [client, server] = links[i];
      const bool ok = (fds[1 + 2 * i].revents == 0 || CopySome(client, server)) &&
                      (fds[2 + 2 * i].revents == 0 || CopySome(server, client));
      if (!ok) {
        close(client);
        close(server);
        links.erase(links.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    if (fds[0].revents != 0) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      const int server = cut_ ? -1 : ConnectTo(target_port_);
      if (client >= 0 && server >= 0) {
        links.emplace_back(client, server);
      } else {
        if (client >= 0) close(client);
        if (server >= 0) close(server);
      }
    }
  }
  close_all();
}

// An authority, and a certificate of it for 127.0.0.1: ca.pem, server.pem, server.key.
void MakeTestCertificates(const std::string& directory) {
  const auto openssl = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    const auto done = RunProcess(arguments);
    ASSERT_TRUE(done.ok() && done->exit_code == 0) << (done.ok() ? done->output : "no openssl");
  };
  const auto in = [&](const char* name) { return StrCat(directory, "/", name); };
  std::ofstream(in("san.cnf")) << "subjectAltName=IP:127.0.0.1,DNS:localhost\n";
  openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-days", "2", "-subj", "/CN=test authority", "-keyout", in("ca.key"), "-out",
           in("ca.pem")});
  openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
           "/CN=127.0.0.1", "-keyout", in("server.key"), "-out", in("server.csr")});
  openssl({"x509", "-req", "-in", in("server.csr"), "-CA", in("ca.pem"), "-CAkey", in("ca.key"),
           "-CAcreateserial", "-days", "2", "-extfile", in("san.cnf"), "-out", in("server.pem")});
}

// --- NatsWorld
// -------------------------------------------------------------------------------------------

std::string NatsServerPath() {
  const char* path = getenv("NATS_SERVER");
  return path != nullptr && *path != '\0' ? path : "nats-server";
}

ServerConfigOptions NatsWorld::FleetOptions(int port, const std::string& store_dir) {
  ServerConfigOptions options;
  options.listen_port = port;
  options.store_dir = store_dir;
  options.hub_password = "hub-secret";
  options.gateway_password = "gateway-secret";
  options.system_password = "system-secret";
  options.clusters = {
      {"a", "a-secret"}, {"b", "b-secret"}, {"cluster.with \"odd\" name", "c-secret"}};
  options.platforms = {{"paas", "p-secret"}, {"ci", "ci-secret"}};
  return options;
}

BusLayout LayoutToTest() {
  const char* name = getenv("SEALANE_BUS_LAYOUT");
  const std::string layout = name == nullptr ? "config" : name;
  if (layout == "operator") return BusLayout::kOperator;
  if (layout == "tls") return BusLayout::kTls;
  if (layout == "leaf") return BusLayout::kLeaf;
  EXPECT_EQ(layout, "config") << "SEALANE_BUS_LAYOUT";
  return BusLayout::kConfig;
}

NatsWorld::NatsWorld() : port_(FreePort()) {
  WriteConfig();
  StartServer();
  loop_.Start();
}

NatsWorld::~NatsWorld() { loop_.Stop(); }

void NatsWorld::WriteConfig() {
  if (layout_ == BusLayout::kOperator) {
    cli::ServerConfigRequest request;
    request.directory = dir_.path();
    request.listen_port = port_;
    request.operator_name = "test";
    const ServerConfigOptions fleet = FleetOptions(port_, "/");
    for (const AccountLogin& one : fleet.clusters) request.clusters.push_back(one.name);
    for (const AccountLogin& one : fleet.platforms) request.platforms.push_back(one.name);
    cli::ServerConfigOutcome outcome;
    const absl::Status status =
        cli::WriteServerDirectory(request, cli::SystemDirectoryEnv(), &outcome);
    EXPECT_TRUE(status.ok()) << status;
    return;
  }
  ServerConfigOptions options = FleetOptions(port_, StrCat(dir_.path(), "/js"));
  if (layout_ == BusLayout::kTls) {
    MakeTestCertificates(dir_.path());
    options.tls.cert_file = StrCat(dir_.path(), "/server.pem");
    options.tls.key_file = StrCat(dir_.path(), "/server.key");
  }
  if (layout_ == BusLayout::kLeaf) {
    leaf_port_ = FreePort();
    options.leaf_listen = StrCat("127.0.0.1:", leaf_port_);
  }
  const auto config = MakeServerConfig(options);
  EXPECT_TRUE(config.ok()) << config.status();
  std::ofstream(StrCat(dir_.path(), "/nats-server.conf")) << *config;
}

Subprocess NatsWorld::Run(const std::string& config, const std::string& log, int port) {
  auto server = Subprocess::Start({NatsServerPath(), "-c", StrCat(dir_.path(), "/", config)},
                                  StrCat(dir_.path(), "/", log));
  EXPECT_TRUE(server.ok()) << server.status();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (;;) {
    const int fd = ConnectTo(port);
    if (fd >= 0) {
      close(fd);
      return *std::move(server);
    }
    if (!server->Running() || std::chrono::steady_clock::now() > deadline) {
      std::ifstream text(StrCat(dir_.path(), "/", log));
      ADD_FAILURE() << "nats-server does not listen: "
                    << std::string(std::istreambuf_iterator<char>(text), {});
      return *std::move(server);
    }
    poll(nullptr, 0, 10);
  }
}

void NatsWorld::StartServer() { server_.emplace(Run("nats-server.conf", "server.log", port_)); }

int NatsWorld::PortFor(const BusIdentity& identity) {
  if (layout_ != BusLayout::kLeaf || identity.kind != BusIdentity::Kind::kCluster) return port_;
  const auto known = leaves_.find(identity.name);
  if (known != leaves_.end()) return known->second.port;
  LeafConfigOptions options;
  options.listen_port = FreePort();
  options.hub_url = StrCat("nats-leaf://127.0.0.1:", leaf_port_);
  options.user = ClusterUser(identity.name);
  options.password = RawLoginOf(identity).password;
  const auto config = MakeLeafConfig(options);
  EXPECT_TRUE(config.ok()) << config.status();
  const std::string file = StrCat("leaf-", leaves_.size());
  std::ofstream(StrCat(dir_.path(), "/", file, ".conf")) << *config;
  Subprocess server = Run(file + ".conf", file + ".log", options.listen_port);
  // Until the hub has taken the connection.
  const std::string log = StrCat(dir_.path(), "/", file, ".log");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (std::string text; text.find("Leafnode connection created") == std::string::npos;) {
    std::ifstream now(log);
    text.assign(std::istreambuf_iterator<char>(now), {});
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "the leaf node does not connect: " << text;
      break;
    }
    poll(nullptr, 0, 10);
  }
  leaves_.emplace(identity.name, Leaf{options.listen_port, std::move(server)});
  return options.listen_port;
}

void NatsWorld::StopServer() { server_->Kill(9); }

void NatsWorld::FreezeServer(bool frozen) { server_->Signal(frozen ? SIGSTOP : SIGCONT); }

void NatsWorld::RestartServer() {
  StopServer();
  StartServer();
}

void NatsWorld::Do(const std::function<void()>& fn) {
  std::mutex mutex;
  std::condition_variable wake;
  bool done = false;
  loop_.Post([&] {
    fn();
    const std::lock_guard lock(mutex);
    done = true;
    wake.notify_one();
  });
  std::unique_lock lock(mutex);
  wake.wait(lock, [&] { return done; });
}

bool NatsWorld::Wait(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (;;) {
    bool held = false;
    Do([&] { held = done(); });
    if (held) return true;
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "waited in vain; the connections said:\n" << Errors();
      return false;
    }
    poll(nullptr, 0, 5);
  }
}

void NatsWorld::Pass(absl::Duration span) {
  poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(span)));
}

std::string NatsWorld::Errors() {
  std::string text;
  Do([&] { text = StrJoin(errors_, "\n"); });
  return text;
}

std::string NatsWorld::CredsOf(const BusIdentity& identity) const {
  std::string user = "sealane";
  if (identity.kind == BusIdentity::Kind::kCluster) user = ClusterUser(identity.name);
  if (identity.kind == BusIdentity::Kind::kPlatform) user = PlatformUser(identity.name);
  return cli::CredentialsPath(dir_.path(), user);
}

RawLogin NatsWorld::RawLoginOf(const BusIdentity& identity) const {
  RawLogin login;
  if (layout_ == BusLayout::kOperator) {
    std::ifstream file(CredsOf(identity));
    login.creds.assign(std::istreambuf_iterator<char>(file), {});
    return login;
  }
  if (layout_ == BusLayout::kTls) login.ca_file = StrCat(dir_.path(), "/ca.pem");
  const ServerConfigOptions fleet = FleetOptions(0, "/");
  switch (identity.kind) {
    case BusIdentity::Kind::kHub:
      login.user = fleet.hub_user;
      login.password = fleet.hub_password;
      break;
    case BusIdentity::Kind::kCluster:
      login.user = ClusterUser(identity.name);
      for (const auto& known : fleet.clusters) {
        if (known.name == identity.name) login.password = known.password;
      }
      break;
    case BusIdentity::Kind::kPlatform:
      login.user = PlatformUser(identity.name);
      for (const auto& known : fleet.platforms) {
        if (known.name == identity.name) login.password = known.password;
      }
      break;
  }
  return login;
}

RawLogin NatsWorld::GatewayLogin() const {
  RawLogin login = RawLoginOf(BusIdentity::Hub());
  if (layout_ == BusLayout::kOperator) {
    std::ifstream file(cli::CredentialsPath(dir_.path(), kGatewayUser));
    login.creds.assign(std::istreambuf_iterator<char>(file), {});
    return login;
  }
  login.user = kGatewayUser;
  login.password = FleetOptions(0, "/").gateway_password;
  return login;
}

NatsOptions NatsWorld::Options(const BusIdentity& identity, int port) const {
  NatsOptions options;
  options.urls = {StrCat(layout_ == BusLayout::kTls ? "tls" : "nats", "://127.0.0.1:", port)};
  options.name = "test";
  options.check_every = absl::Seconds(1);
  if (layout_ == BusLayout::kOperator) {
    options.creds_file = CredsOf(identity);
    return options;
  }
  const RawLogin login = RawLoginOf(identity);
  options.user = login.user;
  options.password = login.password;
  options.tls_ca_file = login.ca_file;
  return options;
}

std::unique_ptr<NatsBus> NatsWorld::ConnectNats(NatsOptions options) {
  options.on_error = [this](std::string_view what) { errors_.emplace_back(what); };
  auto bus = NatsBus::Create(env(), std::move(options));
  EXPECT_TRUE(bus.ok()) << bus.status();
  return std::move(*bus);
}

std::unique_ptr<Bus> NatsWorld::Connect(BusIdentity identity) {
  const int port = PortFor(identity);
  return ConnectNats(Options(identity, port));
}

TcpProxy& NatsWorld::proxy() {
  if (proxy_ == nullptr) proxy_ = std::make_unique<TcpProxy>(port_);
  return *proxy_;
}

std::unique_ptr<Bus> NatsWorld::ConnectCuttable() {
  return ConnectNats(Options(BusIdentity::Hub(), proxy().port()));
}

void NatsWorld::Cut(bool cut) { proxy().Cut(cut); }

JetStreamReply NatsWorld::JetStream(const std::string& call, const std::string& json) {
  std::unique_ptr<NatsConnection> connection;
  std::unique_ptr<NatsRequests> requests;
  bool asked = false;
  std::optional<JetStreamReply> reply;
  Do([&] {
    connection = std::make_unique<NatsConnection>(
        env(), Options(BusIdentity::Hub(), port_), "/admin",
        NatsConnection::Handlers{[](bool) {}, [] {}, [](std::string_view) {}});
    requests = std::make_unique<NatsRequests>(env(), *connection);
  });
  EXPECT_TRUE(Wait([&] {
    if (!asked && connection->connected()) {
      asked = true;
      requests->JetStream(call, json.empty() ? Json() : Json::parse(json),
                          [&](const JetStreamReply& r) { reply = r; });
    }
    return reply.has_value();
  }));
  Do([&] {
    requests.reset();
    connection.reset();
  });
  return *reply;
}

void NatsWorld::RecreateStream(const StreamConfig& config) {
  const JetStreamReply deleted = JetStream(StrCat("STREAM.DELETE.", config.name), "");
  EXPECT_TRUE(deleted.status.ok()) << deleted.status;
  std::unique_ptr<Bus> bus;
  Do([&] { bus = Connect(BusIdentity::Hub()); });
  EXPECT_TRUE(WaitConnected(*this, *bus));
  EXPECT_TRUE(EnsureNow(*this, *bus, config).ok());
  Do([&] { bus.reset(); });
}

}  // namespace sealane

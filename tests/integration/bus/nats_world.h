#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lib/accounts/server_config.h"
#include "lib/bus/nats_bus.h"
#include "lib/bus/nats_requests.h"
#include "lib/core/event_loop.h"
#include "tests/integration/bus/raw_client.h"
#include "tests/support/subprocess.h"
#include "tests/unit/lib/bus/bus_contract.h"

namespace sealane {

// Forwards TCP connections to a port of this host, and cuts them on demand.
class TcpProxy {
 public:
  explicit TcpProxy(int target_port);
  ~TcpProxy();
  [[nodiscard]] int port() const { return port_; }
  // Drops every connection and refuses (true) or accepts (false) new ones.
  void Cut(bool cut);
  // Drops every connection once.
  void Drop() { drop_ = true; }

 private:
  void Run();
  const int target_port_;
  int port_ = 0;
  int listener_ = -1;
  std::atomic<bool> cut_ = false;
  std::atomic<bool> drop_ = false;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// How the fleet reaches the server, and who holds its accounts.
enum class BusLayout {
  kConfig,    // accounts in the configuration file
  kOperator,  // accounts signed by an operator, as `sealane server-config --operator` makes them
  kTls,       // kConfig over TLS, with an authority of our own
  kLeaf,      // kConfig; every agent is behind a leaf node of its own
};
// The one named by $SEALANE_BUS_LAYOUT (config, operator, tls, leaf), else kConfig.
[[nodiscard]] BusLayout LayoutToTest();

// The server to test: the path in $NATS_SERVER, else nats-server of PATH.
[[nodiscard]] std::string NatsServerPath();

// A real nats-server on a private port with a store of its own, and an event loop.
class NatsWorld final : public ContractWorld {
 public:
  // The accounts of the configuration: HUB, clusters a and b, platform paas.
  NatsWorld();
  ~NatsWorld() override;

  Env env() override { return loop_.env(); }
  void Do(const std::function<void()>& fn) override;
  bool Wait(const std::function<bool()>& done) override;
  void Pass(absl::Duration span) override;
  std::unique_ptr<Bus> Connect(BusIdentity identity) override;
  void RestartServer() override;
  std::unique_ptr<Bus> ConnectCuttable() override;
  void Cut(bool cut) override;
  void RecreateStream(const StreamConfig& config) override;

  [[nodiscard]] BusLayout layout() const { return layout_; }
  // Where this identity connects, and how as a RawClient.
  [[nodiscard]] int PortFor(const BusIdentity& identity);
  [[nodiscard]] RawLogin RawLoginOf(const BusIdentity& identity) const;
  // Of the gateways' user in the services' account.
  [[nodiscard]] RawLogin GatewayLogin() const;
  [[nodiscard]] NatsOptions Options(const BusIdentity& identity, int port) const;
  std::unique_ptr<NatsBus> ConnectNats(NatsOptions options);
  void StopServer();
  void StartServer();
  // Stops the server's process without ending it (true), or lets it go on.
  void FreezeServer(bool frozen);
  // One call of the JetStream interface, as HUB.
  JetStreamReply JetStream(const std::string& call, const std::string& json);
  [[nodiscard]] int port() const { return port_; }
  TcpProxy& proxy();
  // Errors told by connections, for messages of failed tests.
  [[nodiscard]] std::string Errors();

  static ServerConfigOptions FleetOptions(int port, const std::string& store_dir);

 private:
  struct Leaf {
    int port;
    Subprocess server;
  };
  void WriteConfig();
  [[nodiscard]] std::string CredsOf(const BusIdentity& identity) const;  // the file's path
  Subprocess Run(const std::string& config, const std::string& log, int port);

  const BusLayout layout_ = LayoutToTest();
  TempDir dir_;
  int port_;
  int leaf_port_ = 0;
  std::map<std::string, Leaf> leaves_;  // by cluster
  std::optional<Subprocess> server_;
  std::unique_ptr<TcpProxy> proxy_;
  std::vector<std::string> errors_;  // of the loop's thread
  EventLoop loop_;
};

}  // namespace sealane

// The contract tests' world in memory, on virtual time.
#include "lib/core/sim_executor.h"
#include "tests/unit/lib/bus/bus_contract.h"

namespace sealane {
namespace {

class MemoryWorld final : public ContractWorld {
 public:
  Env env() override { return sim_.env(); }
  void Do(const std::function<void()>& fn) override { fn(); }
  bool Wait(const std::function<bool()>& done) override {
    return sim_.RunUntil(done, absl::Minutes(10));
  }
  void Pass(absl::Duration span) override { sim_.RunFor(span); }
  std::unique_ptr<Bus> Connect(BusIdentity identity) override {
    return server_.Connect(std::move(identity));
  }
  void RestartServer() override { server_.Restart(); }
  std::unique_ptr<Bus> ConnectCuttable() override {
    return server_.Connect(BusIdentity::Hub(), "cuttable");
  }
  void Cut(bool cut) override {
    BusFaults faults;
    faults.disconnected = cut;
    server_.SetFaults("cuttable", faults);
  }
  void RecreateStream(const StreamConfig& config) override { server_.RecreateStream(config.name); }

 private:
  SimExecutor sim_{1};
  MemoryServer server_{sim_.env()};
};

}  // namespace

std::unique_ptr<ContractWorld> MakeContractWorld() { return std::make_unique<MemoryWorld>(); }

}  // namespace sealane

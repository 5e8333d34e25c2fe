#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/bus/bus.h"
#include "lib/bus/memory_bus.h"
#include "lib/core/env.h"

namespace sealane {

// What the contract tests (bus_contract.cc, table_contract.cc) need from the implementation under
// test. tests/unit/lib/bus runs them on the bus in memory and virtual time, tests/integration/bus
// on a real server.
class ContractWorld {
 public:
  virtual ~ContractWorld() = default;
  virtual Env env() = 0;
  // Runs `fn` on the executor's thread and waits for it.
  virtual void Do(const std::function<void()>& fn) = 0;
  // Until `done` (asked on the executor's thread) holds. False after a deadline.
  virtual bool Wait(const std::function<bool()>& done) = 0;
  // Lets this much time pass.
  virtual void Pass(absl::Duration span) = 0;
  // On the executor's thread.
  virtual std::unique_ptr<Bus> Connect(BusIdentity identity) = 0;
  // Kills the server's process and starts it again.
  virtual void RestartServer() = 0;
  // Cuts (or restores) the link of the connections made next with ConnectCuttable.
  virtual std::unique_ptr<Bus> ConnectCuttable() = 0;
  virtual void Cut(bool cut) = 0;
  // Deletes the stream behind everyone's back and makes it again, empty.
  virtual void RecreateStream(const StreamConfig& config) = 0;
};

std::unique_ptr<ContractWorld> MakeContractWorld();

// A table's stream, as the services make it.
StreamConfig TableConfig(std::string_view name);

// Waits for the state; connections are made in the background.
bool WaitConnected(ContractWorld& world, Bus& bus);
// EnsureStream and Append that wait for their result.
absl::Status EnsureNow(ContractWorld& world, Bus& bus, const StreamConfig& config);
absl::StatusOr<Appended> AppendNow(ContractWorld& world, Bus& bus, AppendRequest request);
absl::StatusOr<Appended> AppendNow(ContractWorld& world, Bus& bus, std::string_view subject,
                                   std::string_view payload);

}  // namespace sealane

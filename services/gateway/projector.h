#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/strings.h"
#include "lib/telemetry/log.h"
#include "lib/telemetry/metrics.h"

namespace sealane::gateway {

// The stream that is the store of the API: subjects api.<table>.<row>, each a copy of a row.
inline constexpr std::string_view kApiTable = "api";

// Which row a message of that stream is a copy of.
struct Origin {
  uint64_t sequence = 0;       // of the row in its own table
  int64_t created_micros = 0;  // of that table: tells two lives of it apart
  int64_t stored_micros = 0;   // when the bus stored the row there; 0: not known
};
[[nodiscard]] Origin OriginOf(const BusMessage& copy);

// Copies the rows of objects, app_status and cluster_status into one stream, so that one sequence
// counts for all of them. One process at a time does that, the leader of the gateways; of each row
// the newest version is copied, those of one table in their order. Everything that is still missing
// when it begins is copied first, so nothing is lost when the leader changes.
// Thread rule: the executor thread.
class Projector {
 public:
  // `copied` counts copies.
  Projector(Bus& bus, Env env, Counter& copied);
  ~Projector();
  // Copies from now on, until this object is destroyed.
  void Start();

 private:
  struct Row {
    Origin origin;
    std::string payload;
    bool gone = false;
  };
  struct Copy {
    Origin origin;          // of the newest one that was written, or is being written
    uint64_t sequence = 0;  // in the stream, of the newest one that is durable
    bool gone = false;
    bool writing = false;
    std::optional<Row> next;
  };
  struct Table {
    std::string name;
    int64_t created_micros = 0;
    std::set<std::string> seen;  // since the last reset
    bool replaying = false;
    std::unique_ptr<Subscription> watch;
  };

  void OnCopy(const WatchEvent& event);
  void OnRow(Table& table, const WatchEvent& event);
  // Rows that went without a trace.
  void RemoveUnseen(Table& table, uint64_t last_sequence);
  void Offer(const std::string& subject, Row row);
  void Write(const std::string& subject, Copy& copy, Row row);
  void Restart(std::string_view why);

  Bus& bus_;
  Env env_;
  Counter& copied_;
  Logger log_{"gateway"};
  StringMap<Copy> copies_;  // by subject of the stream
  std::array<Table, 3> tables_;
  bool following_ = false;
  bool restarting_ = false;
  uint64_t run_ = 0;
  std::unique_ptr<Subscription> watch_;
  ScopedExecutor executor_;
};

}  // namespace sealane::gateway

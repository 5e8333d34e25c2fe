#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "absl/status/status.h"
#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

// Reads streams once, each to its present end: for answers to questions about what is not kept in
// memory. Thread rule: the executor thread only; destroying it forgets what is under way.
class StreamReader {
 public:
  using TakeHandler = std::function<void(const BusMessage&)>;
  using EndHandler = std::function<void(const absl::Status&)>;

  // The bus must outlive the reader.
  StreamReader(Env env, Bus& bus);
  ~StreamReader();
  // `take` gets each message that has a value: of a table the last of each subject, of a log
  // (options.all) every one, in order. A stream that is made anew meanwhile is read again. `end`
  // runs once, after the last; DEADLINE_EXCEEDED when the stream does not answer, as one that does
  // not exist.
  void Read(const WatchOptions& options, TakeHandler take, EndHandler end);

 private:
  Bus& bus_;
  uint64_t next_read_ = 1;
  std::map<uint64_t, std::unique_ptr<Subscription>> reads_;  // under way
  ScopedExecutor executor_;
};

}  // namespace sealane

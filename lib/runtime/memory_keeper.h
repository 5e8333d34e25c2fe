#pragma once

#include <functional>

#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

// Finds the moments at which a process has come to rest after work. Pure.
class RestDetector {
 public:
  // Tell the processor time used so far, in seconds, once per interval. True when something was
  // done since it was last true (the start of the process counts too), and next to nothing in the
  // last interval.
  bool Tick(double cpu_seconds);

 private:
  double last_ = 0;      // at the last tick
  double settled_ = -1;  // when it was last true; below 0: never
};

// Gives memory back that only a burst of work needed: free pages of the heap, which glibc keeps
// otherwise, and pages of programs and libraries that are not in use at rest (of the latter most
// served only the start: dynamic linking, initialisation). They are read again from the page cache
// when they are needed. What it is for: a process that rests for most of its life on a machine that
// belongs to others, as the agent does. One that works all the time gains nothing by it.
void ReleaseUnusedMemory();

// Makes all threads share two heaps (glibc would give each its own, up to eight per processor), so
// that what one thread frees another can use. For processes that allocate little; call it before
// threads are started.
void UseFewHeaps();

// Calls `release` whenever the process has come to rest. Thread rule: the executor's thread.
class MemoryKeeper {
 public:
  // `cpu_seconds` gives the processor time of this process so far.
  MemoryKeeper(Env env, std::function<double()> cpu_seconds, std::function<void()> release);
  // Of this process.
  explicit MemoryKeeper(Env env);

 private:
  void Arm();

  std::function<double()> cpu_seconds_;
  std::function<void()> release_;
  RestDetector rest_;
  ScopedExecutor executor_;
};

}  // namespace sealane

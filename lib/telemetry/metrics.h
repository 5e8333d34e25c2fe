#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sealane {

// Metrics in Prometheus' model. Components own a struct of handles, made from a Registry at start,
// so that every series exists at 0 from the beginning. Names follow Prometheus' rules: prefix
// "sealane_", the unit at the end, "_total" for counters.
//
// Thread rule: handles may be used from any thread; making them is for start-up, before threads.

using Labels = std::map<std::string, std::string>;

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Increment(double by = 1) = 0;
  [[nodiscard]] virtual double Value() const = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
  [[nodiscard]] virtual double Value() const = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
  [[nodiscard]] virtual uint64_t Count() const = 0;
};

// 100 us ... 60 s, for latencies in seconds.
[[nodiscard]] const std::vector<double>& LatencyBuckets();

// Owns the metrics of a process. References stay valid as long as the Registry. The same name and
// labels give the same metric. Label values that come and go (clusters) are made when needed and
// dropped with Remove.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter& AddCounter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& AddGauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& AddHistogram(std::string_view name, std::string_view help, const Labels& labels = {},
                          const std::vector<double>& buckets = LatencyBuckets());
  // Forgets one series; its handle must not be used any more.
  void Remove(std::string_view name, const Labels& labels);
  // Runs before each exposition, on the thread that asks: set gauges there from atomics or post.
  void OnCollect(std::function<void()> update);
  // Prometheus text format 0.0.4.
  [[nodiscard]] std::string Expose() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sealane

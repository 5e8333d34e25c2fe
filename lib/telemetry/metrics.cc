#include "lib/telemetry/metrics.h"

#include <utility>

#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"

namespace sealane {
namespace {

class CounterHandle final : public Counter {
 public:
  explicit CounterHandle(prometheus::Counter& metric) : metric_(metric) {}
  void Increment(double by) override { metric_.Increment(by); }
  double Value() const override { return metric_.Value(); }
  prometheus::Counter& metric_;
};

class GaugeHandle final : public Gauge {
 public:
  explicit GaugeHandle(prometheus::Gauge& metric) : metric_(metric) {}
  void Set(double value) override { metric_.Set(value); }
  double Value() const override { return metric_.Value(); }
  prometheus::Gauge& metric_;
};

class HistogramHandle final : public Histogram {
 public:
  explicit HistogramHandle(prometheus::Histogram& metric) : metric_(metric) {}
  void Observe(double value) override { metric_.Observe(value); }
  uint64_t Count() const override { return metric_.Collect().histogram.sample_count; }
  prometheus::Histogram& metric_;
};

// One name: the library's family, and our handles by labels.
template <typename Metric, typename Handle>
struct Family {
  prometheus::Family<Metric>* family = nullptr;
  std::map<Labels, std::unique_ptr<Handle>> handles;

  bool Remove(const Labels& labels) {
    const auto it = handles.find(labels);
    if (it == handles.end()) return false;
    family->Remove(&it->second->metric_);
    handles.erase(it);
    return true;
  }
};

template <typename Metric, typename Handle>
using Families = std::map<std::string, Family<Metric, Handle>, std::less<>>;

template <typename Metric, typename Handle, typename Build, typename... Args>
Handle& Add(Families<Metric, Handle>& families, prometheus::Registry& registry, Build build,
            std::string_view name, std::string_view help, const Labels& labels,
            const Args&... args) {
  auto& family = families[std::string(name)];
  if (family.family == nullptr) {
    family.family = &build().Name(std::string(name)).Help(std::string(help)).Register(registry);
  }
  auto& handle = family.handles[labels];
  if (handle == nullptr) handle = std::make_unique<Handle>(family.family->Add(labels, args...));
  return *handle;
}

}  // namespace

struct Registry::Impl {
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Throw};
  Families<prometheus::Counter, CounterHandle> counters;
  Families<prometheus::Gauge, GaugeHandle> gauges;
  Families<prometheus::Histogram, HistogramHandle> histograms;
  std::vector<std::function<void()>> on_collect;
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Counter& Registry::AddCounter(std::string_view name, std::string_view help, const Labels& labels) {
  return Add(impl_->counters, impl_->registry, prometheus::BuildCounter, name, help, labels);
}

Gauge& Registry::AddGauge(std::string_view name, std::string_view help, const Labels& labels) {
  return Add(impl_->gauges, impl_->registry, prometheus::BuildGauge, name, help, labels);
}

Histogram& Registry::AddHistogram(std::string_view name, std::string_view help,
                                  const Labels& labels, const std::vector<double>& buckets) {
  return Add(impl_->histograms, impl_->registry, prometheus::BuildHistogram, name, help, labels,
             buckets);
}

void Registry::Remove(std::string_view name, const Labels& labels) {
  if (const auto it = impl_->counters.find(name); it != impl_->counters.end()) {
    it->second.Remove(labels);
  } else if (const auto it2 = impl_->gauges.find(name); it2 != impl_->gauges.end()) {
    it2->second.Remove(labels);
  } else if (const auto it3 = impl_->histograms.find(name); it3 != impl_->histograms.end()) {
    it3->second.Remove(labels);
  }
}

void Registry::OnCollect(std::function<void()> update) {
  impl_->on_collect.push_back(std::move(update));
}

std::string Registry::Expose() const {
  for (const auto& update : impl_->on_collect) update();
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

const std::vector<double>& LatencyBuckets() {
  static const std::vector<double> buckets = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                              0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                              1,      2.5,     5,      10,    30,     60};
  return buckets;
}

}  // namespace sealane

#include "lib/telemetry/metrics.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/sim_executor.h"
#include "lib/telemetry/process_metrics.h"

namespace sealane {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsTest, SeriesExistAtZeroWithHelpAndType) {
  Registry registry;
  registry.AddCounter("sealane_works_total", "Works.", {{"result", "applied"}});
  registry.AddGauge("sealane_queue_depth", "Depth.");
  const std::string text = registry.Expose();
  EXPECT_THAT(text, HasSubstr("# HELP sealane_works_total Works.\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE sealane_works_total counter\n"));
  EXPECT_THAT(text, HasSubstr("sealane_works_total{result=\"applied\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE sealane_queue_depth gauge\n"));
  EXPECT_THAT(text, HasSubstr("sealane_queue_depth 0\n"));
}

TEST(MetricsTest, SameNameAndLabelsAreTheSameMetric) {
  Registry registry;
  Counter& a = registry.AddCounter("sealane_a_total", "A.", {{"x", "1"}});
  Counter& other = registry.AddCounter("sealane_a_total", "A.", {{"x", "2"}});
  EXPECT_EQ(&a, &registry.AddCounter("sealane_a_total", "A.", {{"x", "1"}}));
  EXPECT_NE(&a, &other);
  a.Increment();
  a.Increment(2.5);
  EXPECT_EQ(a.Value(), 3.5);
  EXPECT_EQ(other.Value(), 0);
}

TEST(MetricsTest, HistogramsCountIntoTheirBuckets) {
  Registry registry;
  Histogram& latency = registry.AddHistogram("sealane_latency_seconds", "L.", {}, {0.01, 0.1, 1});
  latency.Observe(0.05);
  latency.Observe(0.5);
  latency.Observe(5);
  EXPECT_EQ(latency.Count(), 3u);
  const std::string text = registry.Expose();
  EXPECT_THAT(text, HasSubstr("sealane_latency_seconds_bucket{le=\"0.01\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("sealane_latency_seconds_bucket{le=\"0.1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sealane_latency_seconds_bucket{le=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("sealane_latency_seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("sealane_latency_seconds_sum 5.55\n"));
}

TEST(MetricsTest, RemovedSeriesAreGoneAndMayComeBackAtZero) {
  Registry registry;
  registry.AddGauge("sealane_cluster_ready", "R.", {{"cluster", "a"}}).Set(1);
  registry.AddGauge("sealane_cluster_ready", "R.", {{"cluster", "b"}}).Set(1);
  registry.Remove("sealane_cluster_ready", {{"cluster", "a"}});
  registry.Remove("sealane_cluster_ready", {{"cluster", "unknown"}});
  registry.Remove("sealane_unknown", {});
  EXPECT_THAT(registry.Expose(), Not(HasSubstr("cluster=\"a\"")));
  EXPECT_THAT(registry.Expose(), HasSubstr("sealane_cluster_ready{cluster=\"b\"} 1\n"));
  EXPECT_EQ(registry.AddGauge("sealane_cluster_ready", "R.", {{"cluster", "a"}}).Value(), 0);
}

TEST(MetricsTest, CollectCallbacksRunBeforeEachExposition) {
  Registry registry;
  Gauge& depth = registry.AddGauge("sealane_depth", "D.");
  int calls = 0;
  registry.OnCollect([&] { depth.Set(++calls); });
  EXPECT_THAT(registry.Expose(), HasSubstr("sealane_depth 1\n"));
  EXPECT_THAT(registry.Expose(), HasSubstr("sealane_depth 2\n"));
}

TEST(MetricsTest, LatencyBucketsGrow) {
  const auto& buckets = LatencyBuckets();
  EXPECT_EQ(buckets.front(), 0.0001);
  EXPECT_EQ(buckets.back(), 60);
  EXPECT_TRUE(std::is_sorted(buckets.begin(), buckets.end()));
}

TEST(MetricsTest, ProcessMetricsTellTheTruth) {
  Registry registry;
  SimExecutor sim(1);
  AddProcessMetrics(registry, sim, "sealane-test");
  const std::string text = registry.Expose();
  EXPECT_THAT(text, HasSubstr("sealane_build_info{service=\"sealane-test\",version=\""));
  EXPECT_THAT(text, HasSubstr("process_start_time_seconds 1750000000\n"));
  EXPECT_GT(registry.AddGauge("process_resident_memory_bytes", "").Value(), 1 << 20);
  EXPECT_GE(registry.AddGauge("process_resident_memory_peak_bytes", "").Value(),
            registry.AddGauge("process_resident_memory_bytes", "").Value());
  EXPECT_GE(registry.AddGauge("process_open_fds", "").Value(), 3);
  EXPECT_GE(registry.AddGauge("process_threads", "").Value(), 1);
}

}  // namespace
}  // namespace sealane

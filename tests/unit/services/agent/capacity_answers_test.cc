// How many replicas of a shape fit: nodes, taints, affinity, requests and quotas, each by numbers.

#include "services/agent/capacity_answers.h"

#include <gtest/gtest.h>

#include "lib/core/json.h"
#include "sealane/v1/capacity.pb.h"

namespace sealane::agent {
namespace {

Quantity Q(std::string_view text) { return Quantity::Parse(text).value(); }

NodeFacts Node(std::string_view cpu, std::string_view used = "0") {
  NodeFacts node;
  node.ready = true;
  node.allocatable = {{"cpu", Q(cpu)}, {"memory", Q("64Gi")}, {"pods", Q("10")}};
  node.requested = {{"cpu", Q(used)}, {"pods", Q("0")}};
  node.labels = {{"disk", "ssd"}, {"cores", "8"}};
  return node;
}

v1::CapacityQuestion Shape(const std::string& cpu) {
  v1::CapacityQuestion question;
  question.set_shape(7);
  question.mutable_requirements()->set_namespace_("shop");
  (*question.mutable_requirements()->mutable_resource_request())["cpu"] = cpu;
  return question;
}

using Nodes = std::map<std::string, NodeFacts, std::less<>>;

TEST(CapacityAnswersTest, OnlyWholeReplicasOnEachNodeCount) {
  // 1.5 CPU are free on each node: together 3, but no replica of 1 CPU is divided between nodes.
  const Nodes nodes = {{"n1", Node("2", "500m")}, {"n2", Node("2", "500m")}};
  const v1::CapacityAnswer answer = CountFitting(Shape("1"), nodes, {});
  EXPECT_EQ(answer.shape(), 7u);
  EXPECT_EQ(answer.replicas(), 2);
  EXPECT_EQ(answer.limited_by(), "nodes");
  EXPECT_EQ(CountFitting(Shape("1600m"), nodes, {}).replicas(), 0);
}

TEST(CapacityAnswersTest, PodsBoundANodeToo) {
  Nodes nodes = {{"n1", Node("100")}};
  EXPECT_EQ(CountFitting(Shape("100m"), nodes, {}).replicas(), 10);
  nodes.at("n1").requested["pods"] = Q("7");
  EXPECT_EQ(CountFitting(Shape("100m"), nodes, {}).replicas(), 3);
}

TEST(CapacityAnswersTest, ANodeThatTakesNoPodsDoesNotCount) {
  Nodes nodes = {{"cordoned", Node("4")}, {"down", Node("4")}, {"up", Node("4")}};
  nodes.at("cordoned").schedulable = false;
  nodes.at("down").ready = false;
  EXPECT_EQ(CountFitting(Shape("1"), nodes, {}).replicas(), 4);
}

TEST(CapacityAnswersTest, TaintsMustBeTolerated) {
  Nodes nodes = {{"gpu", Node("4")}, {"soft", Node("2")}};
  nodes.at("gpu").taints = {{"gpu", "true", "NoSchedule"}};
  nodes.at("soft").taints = {{"old", "", "PreferNoSchedule"}};
  v1::CapacityQuestion question = Shape("1");
  EXPECT_EQ(CountFitting(question, nodes, {}).replicas(), 2);
  v1::Toleration* toleration =
      question.mutable_requirements()->mutable_node_claim()->add_tolerations();
  toleration->set_key("gpu");
  toleration->set_operator_("Exists");
  EXPECT_EQ(CountFitting(question, nodes, {}).replicas(), 6);
}

TEST(CapacityAnswersTest, SelectorsAndRequiredAffinityChooseNodes) {
  Nodes nodes = {{"n1", Node("4")}, {"n2", Node("2")}};
  nodes.at("n2").labels["disk"] = "hdd";
  v1::CapacityQuestion question = Shape("1");
  auto* claim = question.mutable_requirements()->mutable_node_claim();
  (*claim->mutable_node_selector())["disk"] = "ssd";
  EXPECT_EQ(CountFitting(question, nodes, {}).replicas(), 4);
  claim->clear_node_selector();
  const auto with = [&](const char* terms) {
    claim->set_hard_node_affinity_json(terms);
    return CountFitting(question, nodes, {}).replicas();
  };
  EXPECT_EQ(with(R"({"nodeSelectorTerms": [{"matchExpressions": [
      {"key": "disk", "operator": "NotIn", "values": ["ssd"]}]}]})"),
            2);
  EXPECT_EQ(with(R"({"nodeSelectorTerms": [
      {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["tape"]}]},
      {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]})"),
            4)
      << "terms are alternatives";
  EXPECT_EQ(with(R"({"nodeSelectorTerms": [{"matchExpressions": [
      {"key": "cores", "operator": "Gt", "values": ["4"]},
      {"key": "gone", "operator": "Exists"}]}]})"),
            0)
      << "all expressions of a term hold";
  EXPECT_EQ(with(R"({"nodeSelectorTerms": [{}]})"), 0) << "an empty term matches nothing";
}

TEST(CapacityAnswersTest, TheTightestQuotaOfTheNamespaceHolds) {
  const Nodes nodes = {{"n1", Node("8")}};
  const auto quotas = ReadQuotas(Json::parse(R"({"items": [
      {"metadata": {"namespace": "shop", "name": "compute"},
       "spec": {"hard": {"requests.cpu": "4", "pods": "20"}},
       "status": {"used": {"requests.cpu": "2500m", "pods": "3"}}},
      {"metadata": {"namespace": "other", "name": "none"}, "spec": {"hard": {"pods": "0"}}},
      {"metadata": {"namespace": "shop", "name": "best-effort"},
       "spec": {"hard": {"pods": "0"}, "scopes": ["BestEffort"]}},
      {"metadata": {"namespace": "shop", "name": "high"},
       "spec": {"hard": {"pods": "0"}, "scopeSelector": {"matchExpressions": []}}}]})"));
  ASSERT_EQ(quotas.size(), 4u);
  const v1::CapacityAnswer answer = CountFitting(Shape("500m"), nodes, quotas);
  EXPECT_EQ(answer.replicas(), 3);
  EXPECT_EQ(answer.limited_by(), "quota shop/compute");
  v1::CapacityQuestion best_effort = Shape("0");
  EXPECT_EQ(CountFitting(best_effort, nodes, quotas).replicas(), 0);
  best_effort.mutable_requirements()->set_namespace_("free");
  EXPECT_EQ(CountFitting(best_effort, nodes, quotas).replicas(), 10);
}

}  // namespace
}  // namespace sealane::agent

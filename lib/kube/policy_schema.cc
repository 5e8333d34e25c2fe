#include "lib/kube/policy_schema.h"

namespace sealane::kube {
namespace {

FieldSchema SelectorExpressions() {
  return ListOf(ObjectOf({
      {"key", Text().Required()},
      {"operator", Text().Required()},
      {"values", ListOf(Text())},
  }));
}

FieldSchema LabelSelectorSchema() {
  return ObjectOf({{"matchExpressions", SelectorExpressions()}, {"matchLabels", StringMap()}});
}

FieldSchema ResourceSelectors() {
  return ListOf(ObjectOf({
      {"apiVersion", Text().Required()},
      {"kind", Text().Required()},
      {"labelSelector", LabelSelectorSchema()},
      {"name", Text()},
      {"namespace", Text()},
  }));
}

FieldSchema ClusterAffinitySchema() {
  return ObjectOf({
      {"clusterNames", ListOf(Text())},
      {"exclude", ListOf(Text())},
      {"fieldSelector", ObjectOf({{"matchExpressions", SelectorExpressions()}})},
      {"labelSelector", LabelSelectorSchema()},
  });
}

// An affinity with a name: a term of clusterAffinities, or one of its overflow affinities.
FieldSchema NamedAffinity() {
  FieldSchema schema = ClusterAffinitySchema();
  schema.fields.push_back({"affinityName", Text().Size(1, 32).Required()});
  return schema;
}

FieldSchema Placement() {
  FieldSchema term = NamedAffinity();
  term.fields.push_back({"overflowAffinities", ListOf(NamedAffinity())});
  const auto group_by_label = [] { return ObjectOf({{"groupByLabelKey", Text().Required()}}); };
  return ObjectOf({
      {"clusterAffinities", ListOf(term)},
      {"clusterAffinity", ClusterAffinitySchema()},
      {"clusterTolerations", ListOf(ObjectOf({{"effect", Text()},
                                              {"key", Text()},
                                              {"operator", Text()},
                                              {"tolerationSeconds", Int64()},
                                              {"value", Text()}}))},
      {"replicaScheduling",
       ObjectOf({
           {"replicaDivisionPreference", OneOf({"Aggregated", "Weighted"})},
           {"replicaSchedulingType", OneOf({"Duplicated", "Divided"}).Default("\"Divided\"")},
           {"weightPreference",
            ObjectOf({
                {"dynamicWeight", OneOf({"AvailableReplicas"})},
                {"staticWeightList",
                 ListOf(ObjectOf({{"targetCluster", ClusterAffinitySchema().Required()},
                                  {"weight", Int64().Minimum(1).Required()}}))},
            })},
       })},
      {"spreadConstraints",
       ListOf(ObjectOf({{"maxGroups", Int32().OmitZero()},
                        {"minGroups", Int32().OmitZero()},
                        {"spreadByField", OneOf({"cluster", "region", "zone", "provider"})},
                        {"spreadByLabel", Text()}}))},
      {"workloadAffinity",
       ObjectOf({{"affinity", group_by_label()}, {"antiAffinity", group_by_label()}})},
  });
}

FieldSchema StatePreservationSchema() {
  return ObjectOf({{"rules", ListOf(ObjectOf({{"aliasLabelName", Text().Required()},
                                              {"jsonPath", Text().Required()}}))
                                 .Required()}});
}

FieldSchema Failover() {
  return ObjectOf({
      {"application",
       ObjectOf({
           {"decisionConditions",
            ObjectOf({{"tolerationSeconds", Int32().Default("300")}}).Required()},
           {"gracePeriodSeconds", Int32()},
           {"purgeMode", OneOf({"Directly", "Gracefully", "Never"}).Default("\"Gracefully\"")},
           {"statePreservation", StatePreservationSchema()},
       })},
      {"cluster", ObjectOf({
                      {"purgeMode", OneOf({"Directly", "Gracefully"}).Default("\"Gracefully\"")},
                      {"statePreservation", StatePreservationSchema()},
                  })},
  });
}

FieldSchema Operator() { return OneOf({"add", "remove", "replace"}).Required(); }

FieldSchema Overriders() {
  const auto texts = [] {
    return ListOf(ObjectOf({{"operator", Operator()}, {"value", StringMap().Required()}}));
  };
  const auto words = [] {
    return ListOf(ObjectOf({{"containerName", Text().Required()},
                            {"operator", OneOf({"add", "remove"}).Required()},
                            {"value", ListOf(Text())}}));
  };
  const auto operations = [] {
    return ListOf(ObjectOf(
        {{"operator", Operator()}, {"subPath", Text().Required()}, {"value", AnyValue()}}));
  };
  return ObjectOf({
      {"annotationsOverrider", texts()},
      {"argsOverrider", words()},
      {"commandOverrider", words()},
      // Sealane's own: environment variables by name.
      {"envOverrider",
       ListOf(ObjectOf({{"containerName", Text()},
                        {"operator", Operator()},
                        {"value", ListOf(ObjectOf({{"name", Text().Size(1).Required()},
                                                   {"value", Text()},
                                                   {"valueFrom", AnyValue()}}))
                                      .Required()}}))},
      {"fieldOverrider",
       ListOf(ObjectOf(
           {{"fieldPath", Text().Required()}, {"json", operations()}, {"yaml", operations()}}))},
      {"imageOverrider",
       ListOf(ObjectOf({{"component", OneOf({"Registry", "Repository", "Tag"}).Required()},
                        {"operator", Operator()},
                        {"predicate", ObjectOf({{"path", Text().Required()}})},
                        {"value", Text()}}))},
      {"labelsOverrider", texts()},
      {"plaintext",
       ListOf(ObjectOf(
           {{"operator", Operator()}, {"path", Text().Required()}, {"value", AnyValue()}}))},
  });
}

FieldSchema ConditionMatches() {
  return ListOf(ObjectOf({
      {"conditionType", Text().Size(1).Required()},
      {"operator", OneOf({"In", "NotIn"}).Required()},
      {"statusValues", ListOf(OneOf({"True", "False", "Unknown"})).Required()},
  }));
}

}  // namespace

const FieldSchema& PropagationSpecSchema() {
  static const auto& schema = *new FieldSchema(ObjectOf({
      {"activationPreference", OneOf({"Lazy"})},
      {"association", Boolean().OmitZero()},
      {"conflictResolution", OneOf({"Abort", "Overwrite"}).Default("\"Abort\"")},
      {"dependentOverrides", ListOf(Text())},
      {"failover", Failover()},
      {"placement", Placement()},
      {"preemption", OneOf({"Always", "Never"}).Default("\"Never\"")},
      {"preserveResourcesOnDeletion", Boolean().OmitZero()},
      {"priority", Int32().Default("0")},
      {"propagateDeps", Boolean().OmitZero()},
      {"resourceSelectors", ResourceSelectors().Size(1).Required()},
      {"schedulePriority",
       ObjectOf({{"priorityClassName", Text().Required()},
                 {"priorityClassSource", OneOf({"KubePriorityClass"}).Required()}})},
      {"schedulerName", Text().Default("\"default-scheduler\"")},
      {"suspension",
       ObjectOf({{"dispatching", Boolean()},
                 {"dispatchingOnClusters", ObjectOf({{"clusterNames", ListOf(Text())}})}})},
  }));
  return schema;
}

const FieldSchema& OverrideSpecSchema() {
  static const auto& schema = *new FieldSchema(ObjectOf({
      {"overrideRules", ListOf(ObjectOf({{"overriders", Overriders().Required()},
                                         {"targetCluster", ClusterAffinitySchema()}}))},
      {"overriders", Overriders()},
      {"resourceSelectors", ResourceSelectors()},
      {"targetCluster", ClusterAffinitySchema()},
  }));
  return schema;
}

const FieldSchema& TaintPolicySpecSchema() {
  static const auto& schema = *new FieldSchema(ObjectOf({
      {"addOnConditions", ConditionMatches()},
      {"removeOnConditions", ConditionMatches()},
      {"taints", ListOf(ObjectOf({{"effect", OneOf({"NoSchedule", "NoExecute"}).Required()},
                                  {"key", Text().Size(1).Required()},
                                  {"value", Text()}}))
                     .Size(1)
                     .Required()},
      {"targetClusters", ClusterAffinitySchema()},
  }));
  return schema;
}

}  // namespace sealane::kube

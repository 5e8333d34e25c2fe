#pragma once

#include <string_view>

namespace sealane {

// Marks on a Cluster object that services and the CLI agree on.

// Taint of `sealane cordon` (NoSchedule), with Karmada's key: nothing new comes.
inline constexpr std::string_view kCordonTaint = "cluster.karmada.io/unschedulable";
// Taint of `sealane drain` (NoExecute): everything moves away, and no copy goes before its
// replacement is healthy, whatever purgeMode says.
inline constexpr std::string_view kDrainTaint = "sealane.io/drain";
// Taints of conditions, with Karmada's keys: the cluster says that it is not well, or says nothing.
// NoSchedule at once, NoExecute after the time of cluster failover.
inline constexpr std::string_view kNotReadyTaint = "cluster.karmada.io/not-ready";
inline constexpr std::string_view kUnreachableTaint = "cluster.karmada.io/unreachable";
// Annotation "true" on a Cluster that is being deleted: it never returns. What was delivered there
// is forgotten without its agent's word.
inline constexpr std::string_view kAbandonAnnotation = "sealane.io/abandon";
// Annotation "true" on a Cluster that is being deleted: what was delivered there keeps running.
inline constexpr std::string_view kKeepWorkloadsAnnotation = "sealane.io/keep-workloads";

}  // namespace sealane

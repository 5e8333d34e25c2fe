// The nodes of a simulated cluster and the namespaces it starts with.

#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tools/kubesim/cluster.h"
#include "tools/kubesim/objects.h"

namespace sealane::kubesim {

using kubeapi::ObjectPtr;

void Cluster::CreateNamespaces() {
  for (const char* name : {"default", "kube-node-lease", "kube-public", "kube-system"}) {
    Create("namespaces", "", {{"metadata", {{"name", name}}}});
  }
  Create("services", "default",
         {{"metadata",
           {{"name", "kubernetes"},
            {"labels", {{"component", "apiserver"}, {"provider", "kubernetes"}}}}},
          {"spec",
           {{"clusterIP", "10.96.0.1"},
            {"ports", Json::array({{{"name", "https"}, {"port", 443}, {"targetPort", 6443}}})}}}});
}

void Cluster::ReconcileNamespace(const ObjectPtr& ns) {
  if (IsDeleting(ns->value())) return;
  const std::string& name = ns->key().name;
  if (store_.Get({"serviceaccounts", name, "default"}) != nullptr) return;
  Create("serviceaccounts", name, {{"metadata", {{"name", "default"}}}});
}

void Cluster::CreateNodes() {
  for (int i = 0; i < options_.nodes; ++i) {
    const std::string name = StrCat(options_.name, "-node-", i);
    const Json capacity = {{"cpu", options_.cpu},
                           {"memory", options_.memory},
                           {"pods", std::to_string(options_.pods_per_node)},
                           {"ephemeral-storage", "100Gi"}};
    Json status = {
        {"capacity", capacity},
        {"allocatable", capacity},
        {"addresses",
         {{{"type", "InternalIP"}, {"address", StrCat("10.0.", i / 250, ".", 1 + i % 250)}},
          {{"type", "Hostname"}, {"address", name}}}},
        {"nodeInfo",
         {{"architecture", "amd64"},
          {"bootID", ""},
          {"containerRuntimeVersion", "kubesim://1"},
          {"kernelVersion", "simulated"},
          {"kubeProxyVersion", ""},
          {"kubeletVersion", "v1.36.0-sealane"},
          {"machineID", name},
          {"operatingSystem", "linux"},
          {"osImage", "kubesim"},
          {"systemUUID", name}}}};
    for (const char* type : {"MemoryPressure", "DiskPressure", "PIDPressure"}) {
      SetCondition(status, type, "False", StrCat("KubeletHasNo", type), "");
    }
    SetCondition(status, "Ready", "True", "KubeletReady", "kubelet is posting ready status");
    for (Json& condition : status["conditions"]) condition["lastHeartbeatTime"] = Now();
    Create("nodes", "",
           {{"metadata",
             {{"name", name},
              {"labels",
               {{"kubernetes.io/hostname", name},
                {"kubernetes.io/os", "linux"},
                {"kubernetes.io/arch", "amd64"}}}}},
            {"spec", {{"podCIDR", StrCat("10.244.", i % 250, ".0/24")}}},
            {"status", status}});
  }
}

void Cluster::SetNodeReady(const std::string& name, bool ready) {
  const ObjectPtr node = store_.Get({"nodes", "", name});
  if (node == nullptr) return;
  Json object = node->value();
  SetCondition(object["status"], "Ready", ready ? "True" : "Unknown",
               ready ? "KubeletReady" : "NodeStatusUnknown",
               ready ? "kubelet is posting ready status" : "Kubelet stopped posting node status.");
  Write(*node, object, "status");
  store_.ForEach("pods", "", {}, [&](const ObjectPtr& pod) {
    if (TextAt(pod->value(), "spec.nodeName") == name) Enqueue(pod->key());
    return true;
  });
}

void Cluster::FailNode(const std::string& name) { SetNodeReady(name, false); }
void Cluster::RecoverNode(const std::string& name) { SetNodeReady(name, true); }

}  // namespace sealane::kubesim

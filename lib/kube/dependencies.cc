#include "lib/kube/dependencies.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/kube/kinds.h"
#include "lib/model/json_reader.h"
#include "sealane/v1/common.pb.h"

namespace sealane::kube {
namespace {

using Names = std::set<std::string>;

void Insert(Names* names, const JsonReader& name) {
  if (std::string text = name.String(); !text.empty()) names->insert(std::move(text));
}

void VisitContainers(const JsonReader& containers, Names* config_maps, Names* secrets) {
  containers.Each([&](const JsonReader& container) {
    container.Field("envFrom").Each([&](const JsonReader& source) {
      Insert(config_maps, source.Field("configMapRef").Field("name"));
      Insert(secrets, source.Field("secretRef").Field("name"));
    });
    container.Field("env").Each([&](const JsonReader& variable) {
      const JsonReader from = variable.Field("valueFrom");
      Insert(config_maps, from.Field("configMapKeyRef").Field("name"));
      Insert(secrets, from.Field("secretKeyRef").Field("name"));
    });
  });
}

// Where volume sources name a Secret, apart from projected ones.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kVolumeSecretRefs = {
    {{"cephfs", "secretRef"},
     {"cinder", "secretRef"},
     {"csi", "nodePublishSecretRef"},
     {"flexVolume", "secretRef"},
     {"iscsi", "secretRef"},
     {"rbd", "secretRef"},
     {"scaleIO", "secretRef"},
     {"storageos", "secretRef"},
     {"azureFile", ""}}};

void VisitVolume(const JsonReader& volume, Names* config_maps, Names* secrets, Names* claims) {
  Insert(config_maps, volume.Field("configMap").Field("name"));
  Insert(secrets, volume.Field("secret").Field("secretName"));
  Insert(claims, volume.Field("persistentVolumeClaim").Field("claimName"));
  volume.Field("projected").Field("sources").Each([&](const JsonReader& source) {
    Insert(config_maps, source.Field("configMap").Field("name"));
    Insert(secrets, source.Field("secret").Field("name"));
  });
  for (const auto& [source, ref] : kVolumeSecretRefs) {
    const JsonReader field = volume.Field(source);
    Insert(secrets, ref.empty() ? field.Field("secretName") : field.Field(ref).Field("name"));
  }
}

void VisitPod(const JsonReader& spec, const std::string& ns, const Names& own_claims,
              std::vector<Dependency>* found) {
  Names config_maps;
  Names secrets;
  Names claims;
  spec.Field("imagePullSecrets").Each([&](const JsonReader& ref) {
    Insert(&secrets, ref.Field("name"));
  });
  for (const std::string_view list : {"initContainers", "containers", "ephemeralContainers"}) {
    VisitContainers(spec.Field(list), &config_maps, &secrets);
  }
  spec.Field("volumes").Each(
      [&](const JsonReader& volume) { VisitVolume(volume, &config_maps, &secrets, &claims); });
  const auto add = [&](std::string_view kind, const Names& names) {
    for (const std::string& name : names) {
      found->push_back({"v1", std::string(kind), ns, name, "", ""});
    }
  };
  add("ConfigMap", config_maps);
  add("Secret", secrets);
  const std::string account = spec.Field("serviceAccountName").String();
  if (!account.empty() && account != "default") add("ServiceAccount", {account});
  for (const std::string& claim : own_claims) claims.erase(claim);
  add("PersistentVolumeClaim", claims);
}

}  // namespace

absl::StatusOr<std::vector<Dependency>> FindDependencies(const Json& object) {
  std::vector<Dependency> found;
  std::vector<v1::FieldError> errors;
  const JsonReader root(object, "", &errors);
  const std::string version(GetString(object, {"apiVersion"}));
  const std::string kind(GetString(object, {"kind"}));
  const std::string ns(GetString(object, {"metadata", "namespace"}));
  const std::string name(GetString(object, {"metadata", "name"}));
  if ((version == "apps/v1" || version == "batch/v1" || version == "v1") &&
      !PodSpecPointer(kind).empty()) {
    Names own_claims;
    if (kind == "StatefulSet") {
      root.Field("spec").Field("volumeClaimTemplates").Each([&](const JsonReader& claim) {
        Insert(&own_claims, claim.Field("metadata").Field("name"));
      });
    }
    JsonReader spec = root.Field("spec");
    if (kind == "CronJob") spec = spec.Field("jobTemplate").Field("spec");
    if (kind != "Pod") spec = spec.Field("template").Field("spec");
    VisitPod(spec, ns, own_claims, &found);
  } else if (version == "networking.k8s.io/v1" && kind == "Ingress") {
    root.Field("spec").Field("tls").Each([&](const JsonReader& tls) {
      found.push_back({"v1", "Secret", ns, tls.Field("secretName").String(), "", ""});
    });
  } else if (version == "multicluster.x-k8s.io/v1alpha1" && kind == "ServiceImport") {
    const std::string derived = StrCat("derived-", name);
    found.push_back({"v1", "Service", ns, derived, "", ""});
    found.push_back(
        {"discovery.k8s.io/v1", "EndpointSlice", ns, "", "kubernetes.io/service-name", derived});
  }
  if (!errors.empty()) {
    return InvalidArgument(StrCat(errors.front().field(), ": ", errors.front().message()));
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace sealane::kube

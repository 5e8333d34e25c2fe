"""What of a Karmada API server's objects belongs to the user, and in which form it moves: pure
functions, used by migrate.py."""

import copy

POLICY_GROUP = "policy.karmada.io"
PROPAGATION = ("PropagationPolicy", "ClusterPropagationPolicy")
OVERRIDE = ("OverridePolicy", "ClusterOverridePolicy")
# Namespaces of the servers.
SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "karmada-system",
                     "karmada-cluster")
# Kinds that a server writes for itself.
SERVER_KINDS = {
    "APIService", "Binding", "CertificateSigningRequest", "ComponentStatus", "ControllerRevision",
    "EndpointSlice", "Endpoints", "Event", "FlowSchema", "IPAddress", "Lease", "Node", "PodMetrics",
    "NodeMetrics", "PriorityLevelConfiguration", "ServiceCIDR", "VolumeAttachment"}
# Kinds of Karmada that are made from others.
DERIVED_GROUPS = ("work.karmada.io",)
# Marks of Karmada that users set, and that mean the same here.
USERS_MARKS = {
    "work.karmada.io/conflict-resolution", "namespace.karmada.io/skip-auto-propagation",
    "resourcetemplate.karmada.io/deletion-protected", "resourcetemplate.karmada.io/retain-replicas"}
SERVERS_MARKS = {"deployment.kubernetes.io/revision", "kubernetes.io/metadata.name"}
SERVERS_METADATA = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
                    "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds",
                    "ownerReferences")
SERVERS_FINALIZERS = ("foregroundDeletion", "orphan", "kubernetes")
JOB_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid", "job-name",
              "batch.kubernetes.io/job-name")

# The order of writing: what others need comes first, policies before what they select.
STAGES = (
    ("CustomResourceDefinition",), ("Namespace",), ("Cluster", "ClusterTaintPolicy"), OVERRIDE,
    PROPAGATION,
    ("PriorityClass", "StorageClass", "RuntimeClass", "IngressClass", "ClusterRole", "Role",
     "ServiceAccount", "Secret", "ConfigMap", "PersistentVolume", "PersistentVolumeClaim",
     "LimitRange", "ResourceQuota"),
    ("ClusterRoleBinding", "RoleBinding", "Service"))


def stage_of(kind):
    for number, kinds in enumerate(STAGES):
        if kind in kinds:
            return number
    return len(STAGES)


def group_of(api_version):
    return api_version.rpartition("/")[0]


def is_karmadas(key):
    """Whether a label's, annotation's or finalizer's key is one of Karmada's."""
    prefix = key.partition("/")[0]
    return prefix == "karmada.io" or prefix.endswith(".karmada.io")


def why_not_moved(item):
    """Why an object stays behind, or None when it is the user's: the reasons are counted."""
    kind, group = item["kind"], group_of(item["apiVersion"])
    metadata = item["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace", "")
    labels = metadata.get("labels") or {}
    if kind in SERVER_KINDS or group in DERIVED_GROUPS:
        return "made by the server"
    if metadata.get("deletionTimestamp"):
        return "being deleted"
    if any(o.get("controller") for o in metadata.get("ownerReferences") or []):
        return "made by a controller"
    space = name if kind == "Namespace" else namespace
    if space in SYSTEM_NAMESPACES or space.startswith("karmada-es-"):
        return "in a namespace of the server"
    if kind == "Namespace" and name == "default":
        return "every server has it"
    if labels.get("kubernetes.io/bootstrapping") or name.startswith("system:") or \
            (kind == "PriorityClass" and name.startswith("system-")):
        return "every server has it"
    if (kind, namespace, name) == ("Service", "default", "kubernetes") or \
            (kind, name) in (("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")):
        return "every server has it"
    if kind == "Secret" and item.get("type") in ("kubernetes.io/service-account-token",
                                                 "bootstrap.kubernetes.io/token"):
        return "a token of the server"
    if kind == "CustomResourceDefinition" and is_karmadas(item.get("spec", {}).get("group", "")):
        return "a definition of Karmada's"
    if kind.endswith("WebhookConfiguration") and "karmada" in name:
        return "a webhook of Karmada's"
    return None


def users_marks(marks):
    """Labels or annotations without those that a server set."""
    kept = {}
    for key, value in (marks or {}).items():
        if key in SERVERS_MARKS:
            continue
        if is_karmadas(key) and key not in USERS_MARKS:
            continue
        kept[key] = value
    return kept


def clean(item, adopt=False, hold=False):
    """(the object as it moves, notes): without what belongs to the server it comes from. The notes say
    what means something else at Sealane."""
    moved, notes = copy.deepcopy(item), []
    metadata = moved["metadata"]
    kind, group = moved["kind"], group_of(moved["apiVersion"])
    moved.pop("status", None)
    if metadata.get("ownerReferences"):
        notes.append("metadata.ownerReferences: left out, the owners have other uids here")
    for field in SERVERS_METADATA:
        metadata.pop(field, None)
    for field in ("labels", "annotations"):
        if field in metadata:
            metadata[field] = users_marks(metadata[field])
            if not metadata[field]:
                del metadata[field]
    finalizers = [f for f in metadata.pop("finalizers", None) or []
                  if f not in SERVERS_FINALIZERS and not is_karmadas(f)]
    if finalizers:
        metadata["finalizers"] = finalizers
    spec = moved.get("spec")
    if isinstance(spec, dict):
        clean_spec(kind, group, spec, notes, adopt, hold)
        if kind == "Namespace":
            del moved["spec"]
    if kind == "ServiceAccount":
        moved.pop("secrets", None)
    return moved, notes


def clean_spec(kind, group, spec, notes, adopt, hold):
    if kind == "Service" and group == "":
        if spec.get("clusterIP") != "None":
            spec.pop("clusterIP", None)
            spec.pop("clusterIPs", None)
        spec.pop("healthCheckNodePort", None)
        for port in spec.get("ports") or []:
            if port.pop("nodePort", None):
                notes.append("spec.ports.nodePort: left out, each cluster has its own")
    if kind == "Job" and group == "batch" and not spec.get("manualSelector"):
        spec.pop("selector", None)
        template = spec.get("template", {})
        labels = template.get("metadata", {}).get("labels") or {}
        for key in JOB_LABELS:
            labels.pop(key, None)
        # An empty map would be owned as such, and the server's labels be gone at the second time.
        if "metadata" in template and not labels:
            template["metadata"].pop("labels", None)
            if not template["metadata"]:
                del template["metadata"]
    if kind == "PersistentVolume":
        spec.pop("claimRef", None)
    if group == POLICY_GROUP and kind in PROPAGATION:
        clean_policy(spec, notes, adopt, hold)


def clean_policy(spec, notes, adopt, hold):
    if spec.get("schedulerName") not in (None, "", "default-scheduler"):
        notes.append(f"spec.schedulerName {spec['schedulerName']}: Sealane places it all the same")
    if spec.get("conflictResolution") != "Overwrite":
        if adopt:
            spec["conflictResolution"] = "Overwrite"
        else:
            notes.append("spec.conflictResolution Abort: what runs in members already is refused as a "
                         "conflict (--adopt takes it over)")
    if hold:
        spec["suspension"] = {"dispatching": True}


def join_command(cluster):
    """The words of `sealane join` for a Cluster of Karmada's."""
    spec, name = cluster.get("spec") or {}, cluster["metadata"]["name"]
    words = ["sealane", "join", "--name", name]
    for field in ("provider", "region"):
        if spec.get(field):
            words += [f"--{field}", spec[field]]
    for zone in spec.get("zones") or ([spec["zone"]] if spec.get("zone") else []):
        words += ["--zone", zone]
    labels = users_marks(cluster["metadata"].get("labels"))
    if labels:
        words += ["--labels", ",".join(f"{k}={v}" for k, v in sorted(labels.items()))]
    return words

"""Moving over from Karmada with scripts/migrate-from-karmada: a dry run tells what is taken and what is
not, the clusters join with what it prints, and what ran in them before goes on running as it was."""

import json
import os
import subprocess
import unittest

from fleet import BIN, ROOT, wait_until
from gateway_fleet import GatewayFleetTest
from stack import Cluster, free_port

MEMBERS = (Cluster("aws-1"), Cluster("aliyun-1"))
KARMADAS = {"propagationpolicies": ("policy.karmada.io", "PropagationPolicy", True),
            "clusterpropagationpolicies": ("policy.karmada.io", "ClusterPropagationPolicy", False),
            "overridepolicies": ("policy.karmada.io", "OverridePolicy", True),
            "clustertaintpolicies": ("policy.karmada.io", "ClusterTaintPolicy", False),
            "clusters": ("cluster.karmada.io", "Cluster", False),
            "resourceinterpretercustomizations":
                ("config.karmada.io", "ResourceInterpreterCustomization", False),
            "resourcebindings": ("work.karmada.io", "ResourceBinding", True),
            "lessons": ("school.example.com", "Lesson", True)}

# In Karmada as a template, in a member as Karmada brought it: (a label, replicas, image).
WEB = """
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels: {app: web, %s}
  annotations: {propagationpolicy.karmada.io/name: web, note: mine}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "%s/shop/web:1"}]
      volumes: [{name: settings, configMap: {name: settings}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: blue}
"""
NAMESPACE = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
"""

# As a Karmada API server holds it: with Karmada's own marks.
HELD = NAMESPACE + WEB % ("propagationpolicy.karmada.io/permanent-id: p-1", 3,
                          "registry.example") + """
---
apiVersion: v1
kind: Namespace
metadata: {name: karmada-cluster}
---
apiVersion: v1
kind: Secret
metadata: {name: aws-1, namespace: karmada-cluster}
stringData: {token: of-the-member}
---
apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {name: aws-1, labels: {tier: gold}, finalizers: [karmada.io/cluster-controller]}
spec:
  syncMode: Push
  apiEndpoint: https://aws-1.example.com
  secretRef: {namespace: karmada-cluster, name: aws-1}
  provider: aws
  region: us-east-1
  zones: [us-east-1a, us-east-1b]
  taints: [{key: old, value: "yes", effect: NoSchedule}]
---
apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {name: aliyun-1}
spec: {syncMode: Pull, provider: aliyun, region: cn-beijing}
---
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterTaintPolicy
metadata: {name: lost}
spec:
  addOnConditions: [{conditionType: Ready, operator: NotIn, statusValues: ["True"]}]
  removeOnConditions: [{conditionType: Ready, operator: In, statusValues: ["True"]}]
  taints: [{key: lost, effect: NoSchedule}]
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: web, namespace: shop, labels: {propagationpolicy.karmada.io/permanent-id: p-1}}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: web, namespace: shop}]
  propagateDeps: true
  placement:
    clusterTolerations: [{key: old, operator: Exists}]
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference:
        staticWeightList:
        - {targetCluster: {clusterNames: [aws-1]}, weight: 2}
        - {targetCluster: {clusterNames: [aliyun-1]}, weight: 1}
---
apiVersion: policy.karmada.io/v1alpha1
kind: OverridePolicy
metadata: {name: web, namespace: shop}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: web}]
  overrideRules:
  - targetCluster: {clusterNames: [aliyun-1]}
    overriders:
      imageOverrider: [{component: Registry, operator: replace, value: registry.cn}]
---
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterPropagationPolicy
metadata: {name: lessons}
spec:
  resourceSelectors: [{apiVersion: school.example.com/v1alpha1, kind: Lesson}]
  placement: {clusterAffinity: {clusterNames: [nowhere]}}
---
apiVersion: school.example.com/v1alpha1
kind: Lesson
metadata: {name: one, namespace: shop}
spec: {title: algebra}
---
apiVersion: work.karmada.io/v1alpha1
kind: ResourceBinding
metadata: {name: web-deployment, namespace: shop}
spec: {clusters: [{name: aws-1, replicas: 2}, {name: aliyun-1, replicas: 1}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: shop}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: once}]}
"""

# What Sealane does not take.
FOREIGN = """
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterTaintPolicy
metadata: {name: not-ready}
spec: {taints: [{key: not-ready, effect: PreferNoExecute}]}
---
apiVersion: config.karmada.io/v1alpha1
kind: ResourceInterpreterCustomization
metadata: {name: lesson}
spec: {target: {apiVersion: school.example.com/v1alpha1, kind: Lesson}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: wrong, namespace: shop}
spec:
  resourceSelectors: [{apiVersion: v1, kind: Secret, namespace: shop}]
  placement: {replicaScheduling: {replicaSchedulingType: Halved}}
"""


def definitions():
    """The kinds of Karmada's, and one of a user's."""
    items = []
    for plural, (group, kind, namespaced) in KARMADAS.items():
        items.append({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
               "metadata": {"name": f"{plural}.{group}"},
               "spec": {"group": group, "scope": "Namespaced" if namespaced else "Cluster",
                        "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
                        "versions": [{"name": "v1alpha1", "served": True, "storage": True,
                                      "schema": {"openAPIV3Schema": {
                                          "type": "object",
                                          "x-kubernetes-preserve-unknown-fields": True}}}]}})
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


class MigrationTest(GatewayFleetTest):
    clusters = ()
    registered = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.karmada = cls.stack.state / "karmada.kubeconfig"
            port = free_port()
            cls.stack.spawn("kubesim-karmada", [
                BIN / "kubesim", "--listen", f"127.0.0.1:{port}", "--controllers", "off",
                "--kubeconfig-out", cls.karmada])
            cls.stack.wait_for("kubesim-karmada", cls.karmada.exists)
            cls.apply(cls.karmada, definitions())
            cls.apply(cls.karmada, HELD)
            for member, replicas, registry in ((MEMBERS[0], 2, "registry.example"),
                                               (MEMBERS[1], 1, "registry.cn")):
                cls.stack.start_kubesim(member)
                cls.apply(cls.member_config(member.name), NAMESPACE + WEB % (
                    'karmada.io/managed: "true"', replicas, registry))
        except BaseException:
            cls.show_logs()
            raise

    @classmethod
    def member_config(cls, name):
        return cls.stack.state / "clusters" / name / "kubeconfig"

    @classmethod
    def apply(cls, kubeconfig, text):
        """As Karmada's controllers write: nothing of kubectl's is on the objects."""
        cls.kubectl("apply", "--server-side", "--field-manager=karmada", "-f", "-",
                    kubeconfig=kubeconfig, text=text)

    def migrate(self, *flags, code=0):
        report = self.stack.state / "report.json"
        report.unlink(missing_ok=True)
        done = subprocess.run(
            [ROOT / "scripts" / "migrate-from-karmada", "--from", self.karmada, "--to",
             self.kubeconfig, "--report", report, *flags], capture_output=True, text=True,
            timeout=100, check=False, env={**os.environ, "KUBECTL": str(self.program)})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        said = json.loads(report.read_text("utf-8")) if report.exists() else None
        return done.stdout + done.stderr, said

    def results(self, report):
        return {row["object"]: row["result"] for row in report["objects"]}

    def running(self):
        """What must not change in the members: {name: (uid, generation)}, of Pods the uid."""
        found = {}
        for member in MEMBERS:
            listed = json.loads(self.kubectl(
                "get", "deployments,replicasets,pods,configmaps", "-n", "shop", "-o", "json",
                kubeconfig=self.member_config(member.name)))
            for item in listed["items"]:
                metadata = item["metadata"]
                found[f"{member.name} {item['kind']} {metadata['name']}"] = (
                    metadata["uid"], metadata.get("generation"))
        return found

    def pods_ready(self):
        for member, count in zip(MEMBERS, (2, 1)):
            web = self.deployment(member.name, "web", "shop")
            if web.get("status", {}).get("readyReplicas") != count:
                return False
        return True

    def managed(self, name):
        """Whether the member's Deployment is Sealane's."""
        return self.deployment(name, "web", "shop")["metadata"]["labels"].get(
            "sealane.io/managed") == "true"

    def test_1_a_dry_run_tells_what_is_not_taken_and_writes_nothing(self):
        self.apply(self.karmada, FOREIGN)
        text, report = self.migrate(code=1)
        results = self.results(report)
        refused = {name for name, result in results.items() if result == "refused"}
        self.assertEqual(refused, {
            "ClusterTaintPolicy not-ready", "ResourceInterpreterCustomization lesson",
            "PropagationPolicy shop/wrong"}, text)
        self.assertIn("replicaSchedulingType", text)
        self.assertIn("spec.taints[0].effect", text)
        self.assertIn("Sealane does not serve ResourceInterpreterCustomization", text)
        self.assertIn("spec.syncMode Push has no effect", text)
        self.assertIn("--adopt takes it over", text)
        self.assertIn("spec.ports.nodePort", text)
        self.assertIn("sealane join --name aws-1 --provider aws --region us-east-1 --zone us-east-1a "
                      "--zone us-east-1b --labels tier=gold", text)
        # Neither what Karmada makes from the rest, nor its secrets.
        self.assertNotIn("ResourceBinding shop/web-deployment", results)
        self.assertNotIn("Secret karmada-cluster/aws-1", results)
        self.assertEqual(results["Lesson shop/one"], "unchecked")
        for plural in ("clusters", "propagationpolicies.policy.karmada.io", "deployments", "crd"):
            self.assertEqual(self.kubectl("get", plural, "-A", "-o", "name"), "")
        self.kubectl("delete", "-f", "-", text=FOREIGN, kubeconfig=self.karmada)
        self.migrate()

    def test_2_what_runs_is_adopted_and_nothing_restarts(self):
        wait_until("what Karmada delivered runs", self.pods_ready)
        before = self.running()
        _, report = self.migrate("--apply", "--adopt", "--hold")
        self.assertEqual(set(self.results(report).values()), {"created"})
        for words in report["join"]:
            subprocess.run(
                [BIN / "sealane", *words[1:], "--directory", self.stack.accounts, "--config",
                 self.stack.config], capture_output=True, timeout=60, check=True)
        for member in MEMBERS:
            self.stack.start_agent(member)
            self.stack.wait_ready(f"agent-{member.name}")
        wait_until("both clusters are ready", lambda: self.kubectl(
            "get", "clusters", "-o",
            "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}") == "True True")
        # The manifest's taint and the flags of join are both there.
        aws = json.loads(self.kubectl("get", "cluster", "aws-1", "-o", "json"))
        self.assertEqual([t["key"] for t in aws["spec"]["taints"]], ["old"])
        self.assertEqual(aws["metadata"]["labels"], {"tier": "gold"})
        self.assertNotIn("finalizers", aws["metadata"])
        # Placed, but held.
        wait_until("it is placed", lambda: "aws-1" in self.stack.sealane(
            "explain", "deployment/web", "-n", "shop"))
        self.assertFalse(self.managed("aws-1"))
        self.migrate("--apply", "--adopt")
        self.kubectl("rollout", "status", "-n", "shop", "deployment/web", "--timeout=60s", timeout=90)
        for member in MEMBERS:
            wait_until(f"{member.name} is Sealane's", lambda m=member: self.managed(m.name))
        self.assertEqual(self.running(), before)
        web = json.loads(self.kubectl("get", "deployment", "web", "-n", "shop", "-o", "json"))
        self.assertEqual(web["metadata"]["labels"], {"app": "web"})
        self.assertEqual(web["metadata"]["annotations"], {"note": "mine"})
        self.assertEqual(web["status"]["readyReplicas"], 3)

    def test_3_a_second_run_changes_nothing_and_respects_what_was_changed_since(self):
        before = self.running()
        text, report = self.migrate("--apply", "--adopt")
        changed = {n: r for n, r in self.results(report).items() if r != "unchanged"}
        self.assertEqual(changed, {}, text)
        self.kubectl("scale", "deployment/web", "-n", "shop", "--replicas=6")
        wait_until("six run", lambda: self.deployment("aws-1", "web", "shop")["spec"]["replicas"] == 4)
        text, report = self.migrate("--apply", "--adopt", code=1)
        self.assertEqual(self.results(report)["Deployment shop/web"], "changed", text)
        self.assertEqual(self.deployment("aws-1", "web", "shop")["spec"]["replicas"], 4)
        self.migrate("--apply", "--adopt", "--force")
        wait_until("three again", lambda: self.deployment("aws-1", "web", "shop")["spec"]["replicas"] == 2)
        kept = {name for name, _ in before.items() if "Pod" not in name}
        self.assertLessEqual(kept, set(self.running()))

    def test_4_what_cannot_be_reached_is_said(self):
        nothing = self.stack.state / "nothing.kubeconfig"
        self.stack.write_kubeconfig(nothing, free_port(), "x")
        done = subprocess.run(
            [ROOT / "scripts" / "migrate-from-karmada", "--from", nothing, "--to", self.kubeconfig],
            capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("the Karmada API server", done.stderr)


if __name__ == "__main__":
    unittest.main()

"""Reads in member clusters through the gateway: kubectl's get, describe, logs and top over the bus,
in one cluster and in all together, and what is refused there."""

import json
import subprocess
import threading
import unittest

from fleet import wait_until
from gateway_fleet import DEBIANS_KUBECTL, GatewayFleetTest

WORKLOADS = """
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: web, namespace: shop}
spec:
  resourceSelectors:
  - {apiVersion: apps/v1, kind: Deployment, name: web}
  - {apiVersion: v1, kind: Secret, name: key}
  placement:
    clusterAffinity: {clusterNames: [aliyun-beijing, aws-virginia]}
    replicaScheduling: {replicaSchedulingType: Divided, replicaDivisionPreference: Weighted}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: shop}
stringData: {password: hunter2}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: "shop/web:1"
        resources: {requests: {cpu: 100m, memory: 64Mi}}
"""

EVE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: looks-into-aliyun-beijing}
rules:
- {apiGroups: [cluster.karmada.io], resources: [clusters/proxy], verbs: [get], resourceNames: [aliyun-beijing]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: eve-looks-into-aliyun-beijing}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: looks-into-aliyun-beijing}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: pods, namespace: shop}
rules: [{apiGroups: [""], resources: [pods, pods/log], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: eve-pods, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: pods}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}]
"""


class MembersTest(GatewayFleetTest):
    token = "eves-token-0123456789"
    users = [(token, "eve")]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.eve = cls.stack.state / "gateway" / "eve.kubeconfig"
            cls.stack.write_kubeconfig(cls.eve, cls.stack.ports["gateway-api"], cls.token)
            cls.kubectl("create", "namespace", "shop")
            cls.kubectl("apply", "-f", "-", text=WORKLOADS)
            cls.kubectl("apply", "-f", "-", text=EVE)
            cls.kubectl("rollout", "status", "-n", "shop", "deployment/web", "--timeout=60s")
        except BaseException:
            cls.show_logs()
            raise

    def one(self, *args, cluster="aliyun-beijing", **more):
        return self.kubectl(*args, where=["--cluster", cluster], **more)

    def fleet(self, *args, **more):
        return self.kubectl(*args, where=["--all-clusters"], **more)

    def test_1_one_cluster(self):
        pods = json.loads(self.one("get", "pods", "-n", "shop", "-o", "json"))["items"]
        self.assertEqual(len(pods), 2)
        name = pods[0]["metadata"]["name"]
        self.assertRegex(self.one("get", "pods", "-n", "shop"), rf"{name} +1/1 +Running")
        described = self.one("describe", "pod", "-n", "shop", name)
        self.assertRegex(described, r"Image: +shop/web:1")
        self.assertRegex(self.one("describe", "deployment", "-n", "shop", "web"),
                         r"Replicas: +2 desired")
        wait_until("the pod has printed something",
                   lambda: "main line 0" in self.one("logs", "-n", "shop", name))
        self.assertIn("main line", self.one("logs", "-n", "shop", "deployment/web", "--tail=1"))
        self.assertRegex(self.one("top", "pods", "-n", "shop"), rf"{name} +50m +32Mi")
        self.assertIn("%", self.one("top", "nodes"))
        self.assertIn("deployments", self.one("api-resources"))
        self.assertIn("Server Version", self.one("version"))

    def test_2_logs_and_watches_flow(self):
        pods = json.loads(self.one("get", "pods", "-n", "shop", "-o", "json"))["items"]
        for args, needed in ((("logs", "-n", "shop", "-f", pods[0]["metadata"]["name"]), 5),
                             (("get", "pods", "-n", "shop", "-w", "-o", "name"), 2)):
            lines = []
            with subprocess.Popen(self.command(args, ["--cluster", "aliyun-beijing"]),
                                  stdout=subprocess.PIPE, text=True,
                                  env=self.environment()) as child:
                reader = threading.Thread(target=lambda: lines.extend(iter(child.stdout.readline, "")))
                reader.start()
                try:
                    wait_until(f"{args} tells", lambda: len(lines) >= needed)
                finally:
                    child.kill()
                    reader.join(10)

    def test_3_all_clusters_as_one(self):
        table = self.fleet("get", "pods", "-n", "shop")
        self.assertRegex(table, r"NAME +CLUSTER +READY +STATUS")
        self.assertEqual(table.count("aliyun-beijing"), 2)
        self.assertEqual(table.count("aws-virginia"), 2)
        items = json.loads(self.fleet("get", "pods", "-n", "shop", "-o", "json"))["items"]
        where = sorted(item["metadata"]["labels"]["sealane.io/cluster"] for item in items)
        self.assertEqual(where, ["aliyun-beijing"] * 2 + ["aws-virginia"] * 2)
        one = items[0]["metadata"]
        self.assertIn(one["labels"]["sealane.io/cluster"],
                      self.fleet("get", "pod", "-n", "shop", one["name"]))
        self.assertIn("NotFound", self.fleet("get", "pod", "-n", "shop", "none", check=False).stderr)
        nodes = self.fleet("get", "nodes")
        for cluster in self.clusters:
            self.assertIn(cluster.name, nodes)
        refused = self.fleet("delete", "pod", "-n", "shop", one["name"], check=False)
        self.assertNotEqual(refused.returncode, 0)

    def test_4_what_is_refused(self):
        pods = json.loads(self.one("get", "pods", "-n", "shop", "-o", "json"))["items"]
        name = pods[0]["metadata"]["name"]
        secrets = self.one("get", "secrets", "-n", "shop", check=False)
        self.assertIn("does not show Secrets", secrets.stderr)
        self.assertNotIn("hunter2", secrets.stdout)
        self.assertIn("allows no writes",
                      self.one("delete", "pod", "-n", "shop", name, check=False).stderr)
        done = self.one("exec", "-n", "shop", name, "--", "true", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("cluster's own API server", done.stdout + done.stderr)
        # Each version of kubectl has words of its own for a server that has nothing.
        self.assertNotEqual(self.one("get", "pods", cluster="nowhere", check=False).returncode, 0)
        # Eve sees pods of one namespace in one cluster.
        self.assertIn(name, self.one("get", "pods", "-n", "shop", kubeconfig=self.eve))
        self.one("logs", "-n", "shop", name, kubeconfig=self.eve)
        self.assertNotIn("aws-virginia",
                         self.fleet("get", "pods", "-n", "shop", kubeconfig=self.eve))
        for args in (("get", "pods", "-n", "default"), ("get", "nodes"),
                     ("get", "configmaps", "-n", "shop")):
            denied = self.one(*args, kubeconfig=self.eve, check=False)
            self.assertIn("Forbidden", denied.stderr)
        other = self.one("get", "pods", "-n", "shop", cluster="aws-virginia", kubeconfig=self.eve,
                         check=False)
        self.assertNotEqual(other.returncode, 0)
        self.assertEqual(other.stdout, "")
        wait_until("the denial is an event", lambda: any(
            e["reason"] == "Denied" and "eve: list nodes" in e["message"]
            for e in map(json.loads, self.stack.sealane("events", "-o", "json").splitlines())))

    def test_5_what_the_scheduler_decided(self):
        bindings = self.kubectl("get", "rb", "-n", "shop")
        self.assertRegex(bindings, r"NAME +SCHEDULED +FULLYAPPLIED +AGE")
        self.assertRegex(bindings, r"web-deployment +True +True")
        binding = json.loads(
            self.kubectl("get", "rb", "-n", "shop", "web-deployment", "-o", "json"))
        self.assertEqual(binding["spec"]["clusters"],
                         [{"name": "aliyun-beijing", "replicas": 2},
                          {"name": "aws-virginia", "replicas": 2}])
        works = self.kubectl("get", "works", "-A")
        self.assertRegex(works, r"karmada-es-aws-virginia +web-\w+ +Deployment +True")
        self.kubectl("wait", "-n", "shop", "--for=condition=FullyApplied", "rb/web-deployment",
                     "--timeout=10s")
        refused = self.kubectl("delete", "rb", "-n", "shop", "web-deployment", check=False)
        self.assertIn("cannot be written", refused.stderr)

    def test_6_a_cluster_that_is_cut_off(self):
        self.stack.processes["agent-aws-virginia"].kill()
        done = self.one("get", "pods", "-n", "shop", cluster="aws-virginia", check=False)
        self.assertIn("aws-virginia", done.stderr)
        self.assertIn("agent", done.stderr)
        done = self.fleet("get", "pods", "-n", "shop", check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("aws-virginia", done.stderr)
        self.assertIn("aliyun-beijing", done.stdout)
        self.stack.restart("agent-aws-virginia")
        wait_until("it is seen again", lambda: "aws-virginia" in self.fleet(
            "get", "pods", "-n", "shop"))


class DebiansKubectlTest(MembersTest):
    """The same with Debian's kubectl, where scripts/install-deps unpacked it beside another one."""

    program = DEBIANS_KUBECTL


if __name__ == "__main__":
    unittest.main()

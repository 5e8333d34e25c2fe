"""The Kubernetes API in front of the fleet, as kubectl sees it: what is written through the gateway runs
in the clusters, what runs there is its status; watches go on over a restart; two gateways are one."""

import json
import socket
import ssl
import subprocess
import threading
import unittest
import urllib.error
import urllib.request

from fleet import wait_until
from gateway_fleet import DEBIANS_KUBECTL, GatewayFleetTest

POLICY = """
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: web, namespace: shop}
spec:
  resourceSelectors:
  - {apiVersion: apps/v1, kind: Deployment, name: web}
  placement:
    clusterAffinity: {clusterNames: [aliyun-beijing, aws-virginia]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
"""

WEB = """
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
      - {name: main, image: "shop/web:1"}
"""

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lessons.school.example.com}
spec:
  group: school.example.com
  scope: Namespaced
  names: {plural: lessons, singular: lesson, kind: Lesson}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {title: {type: string}}}}
"""

LESSON = """
apiVersion: school.example.com/v1
kind: Lesson
metadata: {name: one, namespace: shop}
spec: {title: "%s"}
"""


class Watch:
    """One watch of the API; collects (type, name, resourceVersion)."""

    def __init__(self, test, port, path):
        self.events = []
        self.ended = threading.Event()
        self.answer = test.request(port, "GET", path, timeout=60, stream=True)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        try:
            for line in self.answer:
                event = json.loads(line)
                metadata = event["object"].get("metadata", {})
                self.events.append((event["type"], metadata.get("name"),
                                    metadata.get("resourceVersion")))
        except (OSError, ValueError):
            pass
        self.ended.set()

    def names(self, kind):
        return [name for what, name, _ in self.events if what == kind]

    def close(self):
        # What is being read would be waited for.
        try:
            self.answer.fp.raw._sock.shutdown(socket.SHUT_RDWR)
        except (AttributeError, OSError):
            pass  # it has ended
        self.thread.join(10)
        self.answer.close()


class GatewayTest(GatewayFleetTest):
    users = [("viewer-token-0123456789", "eve")]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kubectl("create", "namespace", "shop")

    def request(self, port, method, path, token=None, body=None, timeout=10, stream=False):
        request = urllib.request.Request(
            f"https://127.0.0.1:{port}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json",
                     "Authorization": f"Bearer {token or self.stack.admin_token}"})
        context = ssl.create_default_context(cafile=str(self.stack.authority))
        answer = urllib.request.urlopen(request, timeout=timeout, context=context)
        if stream:
            return answer
        with answer:
            return json.load(answer)

    @property
    def port(self):
        return self.stack.ports["gateway-api"]

    def in_member(self, cluster, name="web"):
        return self.stack.cluster_get(cluster, f"/apis/apps/v1/namespaces/shop/deployments/{name}")

    def test_1_an_application_from_apply_to_delete(self):
        self.kubectl("apply", "-f", "-", text=POLICY)
        self.kubectl("apply", "-f", "-", text=WEB)
        self.assertIn("successfully rolled out",
                      self.kubectl("rollout", "status", "-n", "shop", "deployment/web"))
        web = json.loads(self.kubectl("get", "deployment", "-n", "shop", "web", "-o", "json"))
        self.assertEqual(web["status"]["readyReplicas"], 4)
        self.assertEqual(web["status"]["observedGeneration"], web["metadata"]["generation"])
        members = [self.in_member(c)["spec"]["replicas"] for c in ("aliyun-beijing", "aws-virginia")]
        self.assertEqual(members, [2, 2])
        managers = {m["manager"] for m in
                    self.in_member("aliyun-beijing")["metadata"]["managedFields"]}
        self.assertIn("sealane", managers)
        self.assertNotIn("kubectl-client-side-apply", managers)
        table = self.kubectl("get", "deployments", "-n", "shop")
        self.assertRegex(table, r"web +4/4 +4 +4")
        # The other ways to write.
        self.kubectl("scale", "-n", "shop", "deployment/web", "--replicas=6")
        wait_until("six are ready", lambda: "6/6" in self.kubectl("get", "deploy", "-n", "shop"))
        self.kubectl("set", "image", "-n", "shop", "deployment/web", "main=shop/web:2")
        self.kubectl("rollout", "status", "-n", "shop", "deployment/web")
        image = self.in_member("aws-virginia")["spec"]["template"]["spec"]["containers"][0]["image"]
        self.assertEqual(image, "shop/web:2")
        self.kubectl("label", "-n", "shop", "deployment/web", "tier=front")
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-",
                     text=WEB.replace("web:1", "web:3"))
        self.kubectl("wait", "-n", "shop", "--for=condition=Available", "deployment/web")
        difference = self.kubectl("diff", "-f", "-", text=WEB.replace("web:1", "web:4"), check=False)
        self.assertEqual(difference.returncode, 1, difference.stderr)
        self.assertRegex(difference.stdout, r"(?m)^\+ +- image: shop/web:4$")
        # The same object for those who do not come through the gateway.
        self.assertIn("web", [a["ref"]["name"] for a in self.stack.get("apps", "-n", "shop")])
        self.assertIn("gateway/admin", self.stack.sealane("history", "deployment/web", "-n", "shop"))
        self.kubectl("delete", "-n", "shop", "deployment/web", "--timeout=30s")
        self.assertIsNone(self.in_member("aliyun-beijing"))
        self.assertIsNone(self.in_member("aws-virginia"))

    def test_2_what_is_refused_says_why(self):
        bad = POLICY.replace("replicaSchedulingType: Divided", "replicaSchedulingType: Halved")
        done = self.kubectl("apply", "-f", "-", text=bad.replace("name: web", "name: bad", 1),
                            check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("replicaSchedulingType", done.stderr)
        self.assertIn("Halved", done.stderr)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.request(self.port, "GET", "/api/v1/namespaces", token="no-such-token-at-all")
        self.assertEqual(refused.exception.code, 401)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.request(self.port, "GET", "/api/v1/namespaces", token="viewer-token-0123456789")
        self.assertEqual(refused.exception.code, 403)
        self.assertEqual(self.kubectl("auth", "can-i", "delete", "deployments", "-n", "shop").strip(),
                         "yes")
        eve = self.stack.state / "gateway" / "eve.kubeconfig"
        self.stack.write_kubeconfig(eve, self.port, "viewer-token-0123456789")
        done = self.kubectl("auth", "can-i", "get", "deployments", "-n", "shop", kubeconfig=eve,
                            check=False)
        self.assertEqual(done.stdout.strip(), "no", done.stderr)
        self.kubectl("create", "role", "reader", "-n", "shop", "--verb=get,list",
                     "--resource=configmaps")
        self.kubectl("create", "rolebinding", "reader", "-n", "shop", "--role=reader", "--user=eve")
        self.kubectl("get", "configmaps", "-n", "shop", kubeconfig=eve)
        denied = self.kubectl("create", "configmap", "-n", "shop", "mine", kubeconfig=eve, check=False)
        self.assertIn('User "eve" cannot create resource "configmaps"', denied.stderr)
        wait_until("the denial is an event", lambda: any(
            e["reason"] == "Denied" and "eve: create configmaps in shop" in e["message"]
            for e in map(json.loads, self.stack.sealane("events", "-o", "json").splitlines())))

    def test_3_custom_resources_and_clusters(self):
        self.kubectl("apply", "-f", "-", text=CRD)
        # kubectl gives up on a definition that has no conditions yet, also with a real server.
        wait_until("the definition is established", lambda: self.kubectl(
            "wait", "--for=condition=Established", "crd/lessons.school.example.com",
            check=False).returncode == 0)
        self.kubectl("apply", "-f", "-", text=LESSON % "algebra")
        lesson = json.loads(self.kubectl("get", "lessons", "-n", "shop", "one", "-o", "json"))
        self.assertEqual(lesson["spec"], {"title": "algebra"})
        clusters = self.kubectl("get", "clusters")
        self.assertRegex(clusters, r"NAME +PROVIDER +REGION +VERSION +READY +AGE")
        self.assertRegex(clusters, r"aws-virginia +aws +us-east-1 +v1\S+ +True")
        self.kubectl("delete", "lesson", "-n", "shop", "one")

    def test_4_watches_go_on_over_a_restart_and_two_gateways_are_one(self):
        second = self.stack.start_gateway("gateway-2")
        path = "/api/v1/namespaces/shop/configmaps"

        def create(port, name):
            return self.request(port, "POST", path,
                                body={"metadata": {"name": name}, "data": {"a": "b"}})

        first = create(self.port, "one")
        watch = Watch(self, self.port, f"{path}?watch=1&resourceVersion="
                      f"{first['metadata']['resourceVersion']}")
        self.addCleanup(watch.close)
        create(self.stack.ports["gateway-2-api"], "two")
        wait_until("the other gateway's write is seen", lambda: watch.names("ADDED") == ["two"])
        # Both count alike.
        get = ("get", "configmap", "-n", "shop", "two", "-o", "json")
        self.assertEqual(self.kubectl(*get), self.kubectl(*get, kubeconfig=second))
        revision = watch.events[-1][2]
        self.stack.processes["gateway"].kill()
        self.assertTrue(watch.ended.wait(20))
        create(self.stack.ports["gateway-2-api"], "three")
        self.kubectl("delete", "configmap", "-n", "shop", "one", kubeconfig=second)
        self.stack.restart("gateway")
        self.stack.wait_ready("gateway")
        resumed = Watch(self, self.port, f"{path}?watch=1&resourceVersion={revision}")
        self.addCleanup(resumed.close)
        wait_until("what was missed is told",
                   lambda: resumed.names("ADDED") == ["three"] and resumed.names("DELETED") == ["one"])

    def test_5_two_writers_do_not_overwrite_each_other(self):
        path = "/api/v1/namespaces/shop/configmaps"
        made = self.request(self.port, "POST", path, body={"metadata": {"name": "shared"}})
        made["data"] = {"who": "first"}
        self.request(self.port, "PUT", f"{path}/shared", body=made)
        made["data"] = {"who": "second"}
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.request(self.port, "PUT", f"{path}/shared", body=made)
        self.assertEqual(refused.exception.code, 409)
        # A namespace goes with all that is in it.
        self.kubectl("create", "namespace", "short")
        self.kubectl("create", "configmap", "-n", "short", "x")
        self.kubectl("delete", "namespace", "short", "--timeout=30s")
        self.assertNotEqual(
            self.kubectl("get", "configmap", "-n", "short", "x", check=False).returncode, 0)

    def numbers(self):
        """{series: value} of the gateway."""
        return {series: float(value) for series, value in
                (line.rsplit(" ", 1) for line in self.stack.metrics("gateway").splitlines()
                 if not line.startswith("#"))}

    def test_6_metrics_tell_what_was_asked_and_how_it_was_answered(self):
        path = "/api/v1/namespaces/shop/configmaps"
        before = self.numbers()
        made = self.request(self.port, "POST", path, body={"metadata": {"name": "counted"}})
        self.request(self.port, "GET", f"{path}/counted")
        self.request(self.port, "GET", path)
        watch = Watch(self, self.port, f"{path}?watch=1")
        watch.close()
        self.request(self.port, "PUT", f"{path}/counted", body=made)
        self.request(self.port, "DELETE", f"{path}/counted")
        self.request(self.port, "GET", "/apis")
        strange = f"{path}/no-such-name"
        for method, where, token, code in (("GET", strange, None, 404), ("POST", path, "x", 401),
                                           ("GET", "/api/v1/namespaces", "viewer-token-0123456789", 403),
                                           ("GET", "/clusters/nowhere/proxy/api", None, 404)):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                self.request(self.port, method, where, token=token, body={} if method == "POST" else None)
            self.assertEqual(refused.exception.code, code)
        after = self.numbers()
        grown = {series: value - before[series] for series, value in after.items()
                 if series.startswith(("sealane_gateway_requests_total", "sealane_gateway_member_requests"))
                 and value != before[series]}
        counted = 'sealane_gateway_requests_total{code="%s",verb="%s"}'
        self.assertEqual(grown, {
            counted % (201, "create"): 1, counted % (200, "get"): 1, counted % (200, "list"): 1,
            counted % (200, "watch"): 1, counted % (200, "update"): 1, counted % (200, "delete"): 1,
            counted % (200, "other"): 1, counted % (404, "get"): 1, counted % (401, "create"): 1,
            counted % (403, "list"): 1, 'sealane_gateway_member_requests_total{code="404"}': 1})
        for series, more in (('read_seconds_count{verb="get"}', 2), ('read_seconds_count{verb="list"}', 1),
                             ("write_seconds_count", 4)):
            self.assertEqual(after[f"sealane_gateway_{series}"] - before[f"sealane_gateway_{series}"], more)
        # Each write that changed something came round, and soon.
        rows = after["sealane_gateway_lag_seconds_count"] - before["sealane_gateway_lag_seconds_count"]
        late = after["sealane_gateway_lag_seconds_sum"] - before["sealane_gateway_lag_seconds_sum"]
        self.assertGreaterEqual(rows, 2)
        self.assertLess(late / rows, 5)
        end = subprocess.run(
            ["openssl", "x509", "-noout", "-enddate", "-in", str(self.stack.state / "tls" / "server.pem")],
            capture_output=True, text=True, check=True, timeout=10).stdout.strip().removeprefix("notAfter=")
        self.assertEqual(after["sealane_gateway_certificate_expiry_timestamp_seconds"],
                         ssl.cert_time_to_seconds(end))


class DebiansKubectlTest(GatewayTest):
    """The same with Debian's kubectl, where it is installed beside another one."""

    program = DEBIANS_KUBECTL


if __name__ == "__main__":
    unittest.main()

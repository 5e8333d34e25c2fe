"""Real processes die, freeze and return; each scenario asserts what a user sees."""

import re
import signal
import subprocess
import time
import unittest

from fleet import BIN, FleetTest, wait_until

POLICY = """
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: one-place, namespace: shop}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]
  placement:
    spreadConstraints: [{spreadByField: cluster, minGroups: 1, maxGroups: 1}]
"""

APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "shop/web:VERSION"}]
"""


class FailoverTest(FleetTest):
    """Everything is a tenth as slow as by default: a heartbeat holds for 2 s, failover comes after 6."""

    flags = {
        "agent": ["--heartbeat-interval", "500ms"],
        "status": ["--lease", "2s", "--hold", "1s", "--failover-after", "6s"],
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(POLICY + "---" + APP)
        wait_until("the application is healthy", cls.healthy)

    @classmethod
    def apply(cls, text):
        subprocess.run([BIN / "sealane", "apply", "-f", "-", "--config", cls.stack.config],
                       input=text, capture_output=True, text=True, timeout=60, check=True)

    @classmethod
    def status(cls, *args):
        return cls.stack.sealane("status", *args, "--timeout", "3s", check=False, timeout=60)

    @classmethod
    def app(cls):
        return cls.status("deployment/web", "-n", "shop")

    @classmethod
    def healthy(cls):
        return "Healthy" in cls.app() and len(cls.places()) == 1

    @classmethod
    def places(cls):
        """The clusters whose own API servers have the application, of those that answer."""
        found = []
        for cluster in cls.clusters:
            if cls.stack.processes[f"kubesim-{cluster.name}"].running() and cls.stack.cluster_get(
                    cluster.name, "/apis/apps/v1/namespaces/shop/deployments/web") is not None:
                found.append(cluster.name)
        return found

    def home(self):
        wait_until("it is well, in one cluster", self.healthy)
        return self.places()[0]

    def pods(self, cluster):
        pods = self.stack.cluster_get(cluster, "/api/v1/namespaces/shop/pods?labelSelector=app%3Dweb")
        return sorted(pod["metadata"]["uid"] for pod in pods["items"])

    def kill(self, name):
        self.stack.processes[name].signal(signal.SIGKILL)
        self.stack.processes[name].child.wait()

    def shows(self, cluster, word, timeout=30):
        wait_until(f"status --cluster {cluster} says {word}", lambda: re.match(
            rf"{cluster} +{word}\b", self.status("--cluster", cluster)), timeout)

    def leads(self, process, service):
        text = self.stack.metrics(process)
        return float(re.search(rf"^sealane_{service}_leader (\S+)", text, re.M).group(1)) == 1

    def test_1_a_killed_agent_that_returns_moves_nothing(self):
        home = self.home()
        pods = self.pods(home)
        self.kill(f"agent-{home}")
        self.shows(home, "Lost")
        self.stack.restart(f"agent-{home}")
        self.shows(home, "Ready")
        wait_until("it is well again", self.healthy)
        self.assertEqual(self.pods(home), pods, "the same pods, not restarted")

    def test_2_a_killed_api_server_that_returns_gets_everything_again(self):
        home = self.home()
        self.kill(f"kubesim-{home}")
        self.shows(home, "NotReady")
        self.stack.restart(f"kubesim-{home}")  # empty: it keeps everything in memory
        self.shows(home, "Ready")
        wait_until("it is well again", self.healthy, timeout=60)

    def test_3_a_lost_cluster_loses_its_applications_to_another_and_gives_up_its_copy(self):
        home = self.home()
        self.kill(f"agent-{home}")
        wait_until("it runs in another cluster", lambda: any(p != home for p in self.places()))
        wait_until("the status knows", lambda: "Healthy" in self.app())
        events = self.stack.sealane("events", "web", "-n", "shop")
        self.assertIn("ClusterFailover", events)
        # Meanwhile the old copy runs on behind the lost agent; nobody says that it does.
        self.shows(home, "Lost")
        self.stack.restart(f"agent-{home}")
        wait_until("one copy is left, and not the old one",
                   lambda: len(self.places()) == 1 and self.places() != [home])
        self.shows(home, "Ready")

    def test_4_a_whole_cluster_dies(self):
        home = self.home()
        self.kill(f"agent-{home}")
        self.kill(f"kubesim-{home}")
        wait_until("it runs in another cluster",
                   lambda: self.places() and "Healthy" in self.app())
        self.shows(home, "Lost")
        self.stack.restart(f"kubesim-{home}")
        self.stack.restart(f"agent-{home}")
        self.shows(home, "Ready")
        wait_until("it is well, in one cluster", self.healthy)

    def test_5_a_frozen_agent_is_a_lost_cluster(self):
        home = self.home()
        self.stack.processes[f"agent-{home}"].signal(signal.SIGSTOP)
        try:
            wait_until("it runs in another cluster",
                       lambda: any(p != home for p in self.places()))
        finally:
            self.stack.processes[f"agent-{home}"].signal(signal.SIGCONT)
        self.shows(home, "Ready")
        wait_until("one copy is left", lambda: len(self.places()) == 1 and self.healthy())

    def test_6_the_bus_is_killed_and_nothing_moves(self):
        home = self.home()
        pods = self.pods(home)
        self.kill("nats")
        done = subprocess.run(
            [BIN / "sealane", "get", "apps", "--config", self.stack.config, "--timeout", "2s"],
            capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.stack.restart("nats")
        wait_until("it is told as well", self.healthy)
        self.assertEqual(self.pods(home), pods)
        self.apply(APP.replace("VERSION", "after-the-bus"))
        wait_until("a new version arrives", lambda: "after-the-bus" in str(self.stack.cluster_get(
            home, "/apis/apps/v1/namespaces/shop/deployments/web")))

    def test_7_each_leader_is_killed_and_its_standby_leads(self):
        self.home()
        for service in ("policy", "scheduler", "status"):
            standby = f"{service}-2"
            self.stack.start_service(service, standby)
            self.stack.wait_ready(standby)
            self.assertFalse(self.leads(standby, service))
            self.kill(service)
            began = time.monotonic()
            wait_until(f"{standby} leads",
                       lambda p=standby, s=service: self.leads(p, s), timeout=20)
            print(f"{standby} led {time.monotonic() - began:.1f} s after the kill")
        version = f"{time.time():.0f}"
        self.apply(APP.replace("VERSION", version))
        wait_until("the standbys deliver", lambda: version in str([self.stack.cluster_get(
            c, "/apis/apps/v1/namespaces/shop/deployments/web") for c in self.places()]))
        wait_until("and tell", self.healthy)
        for service in ("policy", "scheduler", "status"):
            self.stack.restart(service)
        for service in ("policy", "scheduler", "status"):
            self.stack.wait_ready(service)
            self.assertEqual([self.leads(p, service) for p in (service, f"{service}-2")],
                             [False, True])

    def test_8_a_taint_policy_moves_what_does_not_tolerate_it(self):
        home = self.home()
        policy = (
            "{apiVersion: policy.karmada.io/v1alpha1, kind: ClusterTaintPolicy, metadata: {name: trial}, "
            "spec: {targetClusters: {clusterNames: [HOME]}, taints: [{key: trial, effect: EFFECT}], "
            "WHEN: [{conditionType: Ready, operator: In, statusValues: ['True']}]}}"
        ).replace("HOME", home)
        self.apply(policy.replace("EFFECT", "NoExecute").replace("WHEN", "addOnConditions"))
        wait_until("it moved", lambda: self.healthy() and self.places() != [home])
        self.assertRegex(self.stack.sealane("describe", "cluster", home),
                         r"trial:NoExecute +set by policy/trial")
        self.apply(policy.replace("EFFECT", "NoExecute").replace("WHEN", "removeOnConditions"))
        wait_until("the taint is gone",
                   lambda: "policy/trial" not in self.stack.sealane("describe", "cluster", home))
        with self.assertRaises(subprocess.CalledProcessError) as caught:
            self.apply(policy.replace("EFFECT", "Always").replace("WHEN", "addOnConditions"))
        self.assertIn("spec.taints[0].effect", caught.exception.stdout + caught.exception.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

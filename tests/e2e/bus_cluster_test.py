"""The bus as a cluster of three servers: any one may die at any time, and without a majority the
services wait for it and say so."""

import json
import signal
import subprocess
import threading
import unittest
import urllib.request

from fleet import BIN, BusKind, FleetTest, wait_until

POLICY = """
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: everywhere, namespace: stream}
spec:
  resourceSelectors: [{apiVersion: v1, kind: ConfigMap}]
  placement: {}
"""

ITEM = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: item-{number}, namespace: stream}}
data: {{number: "{number}"}}
"""

SERVERS = ("nats-1", "nats-2", "nats-3")


class BusClusterTest(FleetTest):
    bus = BusKind(servers=3)

    def try_apply(self, text, timeout="5s"):
        return subprocess.run(
            [BIN / "sealane", "apply", "-f", "-", "--config", self.stack.config,
             "--timeout", timeout], input=text, capture_output=True, text=True, timeout=60,
            check=False).returncode == 0

    def publish(self, text):
        """Until it is answered, as a platform does."""
        wait_until("an answer", lambda: self.try_apply(text), timeout=120)

    def kill(self, name):
        self.stack.processes[name].signal(signal.SIGKILL)
        self.stack.processes[name].child.wait()

    def items(self, cluster):
        found = self.stack.cluster_get(cluster, "/api/v1/namespaces/stream/configmaps") or {"items": []}
        return {int(item["data"]["number"]) for item in found["items"]
                if item["metadata"]["name"].startswith("item-")}

    def streams(self, server):
        """What a server knows of its streams and their consumers."""
        url = (f"http://127.0.0.1:{self.stack.ports[server]}"
               "/jsz?accounts=1&streams=1&consumers=1&config=1")
        with urllib.request.urlopen(url, timeout=10) as answer:
            told = json.load(answer)
        return [stream for account in told["account_details"]
                for stream in account.get("stream_detail") or []]

    def replicas(self):
        """{stream: replicas} as a server tells."""
        return {s["name"]: s["config"]["num_replicas"] for s in self.streams("nats-1")}

    def lacking(self):
        """What has not caught up on all three servers, as the leaders of the streams and consumers
        tell; a stream that no server leads lacks everything."""
        lacking = []
        leaderless = set(self.replicas())
        for server in SERVERS:
            for stream in self.streams(server):
                for group in [stream, *(stream.get("consumer_detail") or [])]:
                    cluster = group.get("cluster") or {}
                    if cluster.get("leader") != server:
                        continue
                    if group is stream:
                        leaderless.discard(stream["name"])
                    lacking += [f"{stream['name']}/{group['name']} led by {server}: {replica}"
                                for replica in cluster.get("replicas") or []
                                if not replica.get("current") or replica.get("offline")]
        return lacking + sorted(leaderless)

    def wait_whole(self, name):
        """Until every stream and consumer has caught up on all servers."""
        def whole():
            self.assertEqual(self.lacking(), [])
            return True

        wait_until(f"{name} is back and has caught up", whole, timeout=90)

    def test_any_one_server_may_die(self):
        self.publish(POLICY)
        replicas = self.replicas()
        self.assertIn("works", replicas)
        self.assertEqual(set(replicas.values()), {3}, replicas)

        over = threading.Event()
        published = []

        def stream():
            while not over.is_set():
                self.publish(ITEM.format(number=len(published)))
                published.append(len(published))

        publisher = threading.Thread(target=stream)
        publisher.start()
        try:
            for name in SERVERS:
                before = len(published)
                self.kill(name)
                wait_until(f"events are taken without {name}",
                           lambda b=before: len(published) > b + 3, timeout=60)
                self.stack.restart(name)
                self.wait_whole(name)
        finally:
            over.set()
            publisher.join()
        for cluster in self.clusters:
            wait_until(f"{cluster.name} has all {len(published)}",
                       lambda c=cluster: self.items(c.name) == set(published), timeout=60)

        # Without a majority nothing is taken, and the services say why.
        self.kill("nats-1")
        self.kill("nats-2")
        wait_until("a service tells", lambda: "bus" in self.stack.why_not_ready("policy").lower(),
                   timeout=60)
        self.assertFalse(self.try_apply(ITEM.format(number=len(published)), timeout="2s"))
        self.stack.restart("nats-1")
        self.stack.restart("nats-2")
        published.append(len(published))
        self.publish(ITEM.format(number=published[-1]))
        for cluster in self.clusters:
            wait_until(f"{cluster.name} has all {len(published)}",
                       lambda c=cluster: self.items(c.name) == set(published), timeout=60)


if __name__ == "__main__":
    unittest.main(verbosity=2)

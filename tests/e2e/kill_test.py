"""kill -9 of every process in turn during a stream of deploy events: nothing is lost, nothing is done
twice. At the end every cluster holds exactly what the last events say."""

import random
import signal
import subprocess
import threading
import time
import unittest

from fleet import BIN, FleetTest, wait_until

EVENTS = 200
NAMESPACE = "stream"
PLACES = {
    "everywhere": ["aliyun-beijing", "aws-virginia", "tencent-shanghai"],
    "china": ["aliyun-beijing", "tencent-shanghai"],
    "virginia": ["aws-virginia"],
}

POLICY = """
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {{name: {place}, namespace: stream}}
spec:
  resourceSelectors:
  - {{apiVersion: apps/v1, kind: Deployment, labelSelector: {{matchLabels: {{place: {place}}}}}}}
  placement:
    clusterAffinity: {{clusterNames: [{clusters}]}}
"""

APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: stream, labels: {{place: {place}}}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - {{name: main, image: "shop/{name}:{version}"}}
"""


class KillTest(FleetTest):
    def publish(self, verb, text):
        """Publishes until it is answered, as a platform does."""
        deadline = time.monotonic() + 120
        while True:
            done = subprocess.run(
                [BIN / "sealane", verb, "-f", "-", "--config", self.stack.config],
                input=text, capture_output=True, text=True, timeout=120, check=False)
            if done.returncode == 0:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"{verb} was never answered: {done.stdout}{done.stderr}")
            time.sleep(0.2)

    def held(self, cluster):
        """{name: (place, replicas, image)} as the cluster's own API server has it."""
        found = self.stack.cluster_get(cluster, f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")
        return {
            d["metadata"]["name"]: (d["metadata"]["labels"]["place"], d["spec"]["replicas"],
                                    d["spec"]["template"]["spec"]["containers"][0]["image"])
            for d in (found or {"items": []})["items"]}

    def bystander(self, cluster):
        """What must not change at all: the application that no event speaks about."""
        deployment = self.stack.cluster_get(
            cluster, f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/bystander")
        self.assertIsNotNone(deployment, cluster)
        pods = self.stack.cluster_get(
            cluster, f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app%3Dbystander")
        return (deployment["metadata"]["uid"], deployment["metadata"]["generation"],
                sorted(pod["metadata"]["uid"] for pod in pods["items"]))

    def test_killing_everything_in_turn_loses_nothing(self):
        seed = random.randrange(1 << 32)
        print("seed", seed)
        dice = random.Random(seed)
        for place, clusters in PLACES.items():
            self.publish("apply", POLICY.format(place=place, clusters=", ".join(clusters)))
        self.publish("apply", APP.format(name="bystander", place="everywhere", replicas=2,
                                         version=1))
        wait_until("the bystander runs everywhere", lambda: all(
            len(self.bystander(c)[2]) == 2 for c in PLACES["everywhere"]))
        before = {c: self.bystander(c) for c in PLACES["everywhere"]}

        victims = ["policy", "scheduler", "status", "nats"]
        victims += [f"agent-{c}" for c in PLACES["everywhere"]]
        stream_over = threading.Event()
        killed = []

        def kill_in_turn():
            turn = 0
            while not stream_over.wait(0.8):
                name = victims[turn % len(victims)]
                turn += 1
                self.stack.processes[name].signal(signal.SIGKILL)
                self.stack.processes[name].child.wait()
                killed.append(name)
                stream_over.wait(0.3)
                self.stack.restart(name)

        killer = threading.Thread(target=kill_in_turn)
        killer.start()
        wanted = {}
        try:
            for _ in range(EVENTS):
                name = f"app-{dice.randrange(8)}"
                if name in wanted and dice.random() < 0.15:
                    text = APP.format(name=name, place="everywhere", replicas=1, version=0)
                    self.publish("delete", text)
                    del wanted[name]
                else:
                    app = (dice.choice(list(PLACES)), dice.randrange(1, 5), dice.randrange(1000))
                    self.publish("apply", APP.format(name=name, place=app[0], replicas=app[1],
                                                     version=app[2]))
                    wanted[name] = app
        finally:
            stream_over.set()
            killer.join()
        self.assertEqual(set(victims), set(killed), "the stream ended before everyone was killed")
        wanted["bystander"] = ("everywhere", 2, 1)

        def every_cluster_holds_what_the_last_events_say():
            for cluster in PLACES["everywhere"]:
                expected = {
                    name: (place, replicas, f"shop/{name}:{version}")
                    for name, (place, replicas, version) in wanted.items()
                    if cluster in PLACES[place]}
                self.assertEqual(self.held(cluster), expected, cluster)
            return True

        wait_until("every cluster holds what the last events say",
                   every_cluster_holds_what_the_last_events_say, timeout=90)
        self.assertEqual(before, {c: self.bystander(c) for c in PLACES["everywhere"]},
                         "an application that no event spoke about was touched")


if __name__ == "__main__":
    unittest.main()

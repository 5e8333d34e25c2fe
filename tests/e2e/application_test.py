"""The life of the example application in three clusters, seen from the clusters themselves."""

import subprocess
import unittest

from fleet import BIN, CLASSROOM, FleetTest, wait_until

REGISTRY = {
    "aliyun-beijing": "registry.cn-beijing.example.com",
    "tencent-shanghai": "registry.cn-shanghai.example.com",
    "aws-virginia": "registry.us-east-1.example.com",
}
REGION = {
    "aliyun-beijing": "cn-beijing",
    "tencent-shanghai": "cn-shanghai",
    "aws-virginia": "us-east-1",
}


class ApplicationTest(FleetTest):
    def setUp(self):
        self.stack.sealane("apply", "-f", CLASSROOM)
        wait_until("the clusters hold the example as it is published", self.as_published)
        self.stack.sealane("status", "deployment/classroom", "-n", "classroom", "--wait",
                           "--timeout", "60s")

    def as_published(self):
        replicas = self.replicas()
        images = {c: self.deployment(c)["spec"]["template"]["spec"]["containers"][0]["image"]
                  for c in replicas}
        return (sum(replicas.values()) == 6 and len(replicas) == 3
                and replicas["aliyun-beijing"] == 3
                and images == {c: f"{r}/classroom/web:1.4.2" for c, r in REGISTRY.items()}
                and all(self.core(c, "configmaps") for c in REGISTRY))

    def apply_text(self, text, check=True, verb="apply"):
        done = subprocess.run(
            [BIN / "sealane", verb, "-f", "-", "--config", self.stack.config],
            input=text, capture_output=True, text=True, timeout=60, check=False)
        if check:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def changed(self, file, old, new):
        text = (CLASSROOM / file).read_text("utf-8")
        self.assertIn(old, text)
        return text.replace(old, new)

    def test_each_cluster_gets_its_own_variant(self):
        replicas = self.replicas()
        self.assertEqual(replicas["aliyun-beijing"], 3)  # weight 2 of 4
        self.assertEqual(sorted(replicas.values()), [1, 2, 3])
        for cluster, registry in REGISTRY.items():
            deployment = self.deployment(cluster)
            web, relay = deployment["spec"]["template"]["spec"]["containers"]
            self.assertEqual(web["image"], f"{registry}/classroom/web:1.4.2")
            self.assertEqual(relay["image"], f"{registry}/classroom/relay:2.0.1")
            self.assertEqual(web["env"][0], {"name": "REGION", "value": REGION[cluster]})
            self.assertTrue(web["args"][-1].startswith("--timezone="), web["args"])
            self.assertEqual(deployment["metadata"]["labels"]["region"], REGION[cluster])
            self.assertEqual(deployment["status"]["readyReplicas"], replicas[cluster])
            for plural in ("services", "configmaps", "secrets", "serviceaccounts"):
                self.assertIsNotNone(self.core(cluster, plural), f"{plural} in {cluster}")

    def test_the_status_names_clusters_images_and_differences(self):
        text = self.stack.sealane("status", "deployment/classroom")
        for cluster, registry in REGISTRY.items():
            self.assertIn(f"{registry}/classroom/web:1.4.2", text)
            self.assertIn(f"web: REGION={REGION[cluster]}", text)
        self.assertIn("6 ready", text)
        works = self.stack.get("works", "-n", "classroom", "--kind", "Deployment")
        self.assertEqual({w["cluster"] for w in works}, set(REGISTRY))
        self.assertTrue(all(w["reported"]["state"] == "APPLIED" for w in works), works)

    def test_applying_the_same_again_changes_nothing(self):
        text = self.stack.sealane("apply", "-f", CLASSROOM)
        self.assertNotIn("configured", text)
        self.assertNotIn("created", text)
        self.assertIn("Deployment classroom/classroom  unchanged", text)

    def test_an_update_reaches_every_cluster(self):
        self.apply_text(self.changed("deployment.yaml", "web:1.4.2", "web:1.5.0"))

        def updated():
            for cluster, registry in REGISTRY.items():
                web = self.deployment(cluster)["spec"]["template"]["spec"]["containers"][0]
                self.assertEqual(web["image"], f"{registry}/classroom/web:1.5.0")
            return True
        wait_until("the new image is everywhere", updated)

    def test_scaling_divides_anew(self):
        self.apply_text(self.changed("deployment.yaml", "replicas: 6", "replicas: 8"))
        wait_until("the replicas are 4, 2 and 2", lambda: self.replicas() == {
            "aliyun-beijing": 4, "tencent-shanghai": 2, "aws-virginia": 2})

    def test_the_policy_moves_it(self):
        policy = self.changed("propagation-policy.yaml", "        - aws-virginia\n    replica",
                              "    replica")
        self.apply_text(policy)
        wait_until("the application left aws-virginia", lambda: self.replicas() == {
            "aliyun-beijing": 4, "tencent-shanghai": 2})
        wait_until("its configuration left, too",
                   lambda: self.core("aws-virginia", "configmaps") is None)

    def test_deleting_removes_it_everywhere(self):
        self.stack.sealane("delete", "-f", CLASSROOM / "deployment.yaml")
        wait_until("no cluster has the deployment", lambda: self.replicas() == {})
        wait_until("the fleet forgot it", lambda: not self.stack.get(
            "apps", "-n", "classroom", "--kind", "Deployment"))

    def test_bad_input_names_file_field_and_reason_and_changes_nothing(self):
        cases = {
            # malformed YAML
            "kind: Deployment\n  spec: [": ["Malformed"],
            # a field that does not exist
            self.changed("propagation-policy.yaml", "clusterAffinity:", "clusterAfinity:"):
                ["spec.placement.clusterAfinity", "UnknownField"],
            # nothing selected
            self.changed("propagation-policy.yaml", "resourceSelectors:", "resourceSelectors: []\n  x:"):
                ["spec.resourceSelectors"],
            # no name
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: classroom}\n":
                ["metadata.name", "Required"],
        }
        for text, words in cases.items():
            with self.subTest(words=words):
                done = self.apply_text(text, check=False)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertIn("standard input", done.stdout)
                for word in words:
                    self.assertIn(word, done.stdout)
        self.assertEqual(sum(self.replicas().values()), 6)

    def test_a_manifest_that_is_too_large_is_refused_with_its_size(self):
        text = ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big, namespace: classroom}\n"
                "data:\n  big: " + "x" * 800_000 + "\n")
        done = self.apply_text(text, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("TooLong", done.stdout + done.stderr)

    def test_an_override_that_cannot_be_applied_is_told_and_harms_nothing(self):
        bad = self.changed("override-policy.yaml", "/spec/template/spec/containers/0/env/0/value",
                           "/spec/template/spec/containers/7/env/0/value")
        self.apply_text(bad)

        wait_until("the status names the override", lambda: "containers/7" in self.stack.sealane(
            "status", "deployment/classroom", check=False))
        wait_until("an event tells it", lambda: "RenderFailed" in self.stack.sealane("events"))
        self.assertEqual(sum(self.replicas().values()), 6)

    def test_an_unreachable_bus_is_told_in_time(self):
        done = subprocess.run(
            [BIN / "sealane", "get", "apps", "--config", self.stack.config,
             "--bus-url", "nats://127.0.0.1:1", "--timeout", "2s"],
            capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("nats://127.0.0.1:1", done.stderr)

    def test_events_tell_the_story(self):
        text = wait_until("there are events", lambda: self.stack.sealane("events", "classroom"))
        self.assertIn("classroom/classroom", text)

    def test_one_platform_sees_nothing_of_the_services(self):
        """The platform's login reaches its own subjects only."""
        done = subprocess.run(
            [BIN / "sealane", "get", "apps", "--bus-url", self.stack.url, "--user",
             f"platform-{self.stack.platform}", "--password-file", "/dev/stdin",
             "--timeout", "2s"],
            input="wrong\n", capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

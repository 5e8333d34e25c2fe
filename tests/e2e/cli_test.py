"""The CLI against a running fleet: what it explains, what would happen, and bad input."""

import json
import pathlib
import subprocess
import time
import unittest

from fleet import BIN, CLASSROOM, FleetTest, wait_until

APP = "deployment/classroom"
CLUSTERS = ("aliyun-beijing", "aws-virginia", "tencent-shanghai")
MALFORMED = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: fine, namespace: classroom}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: broken, namespace: classroom
data: {}
"""


class CliTest(FleetTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.stack.sealane("apply", "-f", CLASSROOM)
            cls.stack.sealane("status", APP, "-n", "classroom", "--wait", "--timeout", "60s")
            # Weights 2:1:1; who gets the odd replica depends on the object's uid.
            cls.placed = {c: cls.stack.cluster_get(
                c, "/apis/apps/v1/namespaces/classroom/deployments/classroom")["spec"]["replicas"]
                          for c in CLUSTERS}
            cls.files = pathlib.Path(cls.directory.name)
        except BaseException:
            cls.show_logs()
            raise

    def run_cli(self, *args, text="", expect=0, offline=False):
        """Runs the CLI; returns what it printed on both streams. `expect` None: any exit code."""
        where = () if offline else ("--config", self.stack.config)
        done = subprocess.run([BIN / "sealane", *args, *where], input=text, capture_output=True,
                              text=True, timeout=90, check=False)
        if expect is not None:
            self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def file(self, name, text):
        path = self.files / name
        path.write_text(text, "utf-8")
        return path

    def changed(self, file, old, new):
        text = (CLASSROOM / file).read_text("utf-8")
        self.assertIn(old, text)
        return text.replace(old, new)

    # --- Why --------------------------------------------------------------------------------------

    def test_explain_names_the_policies_and_the_reasons_per_cluster(self):
        other = ("apiVersion: policy.karmada.io/v1alpha1\nkind: ClusterPropagationPolicy\n"
                 "metadata: {name: everything}\nspec:\n  resourceSelectors:\n"
                 "  - {apiVersion: apps/v1, kind: Deployment, namespace: classroom}\n"
                 "  placement: {clusterAffinity: {clusterNames: [aws-virginia]}}\n")
        self.run_cli("apply", "-f", "-", text=other)
        text = self.run_cli("explain", APP, "-n", "classroom")
        self.assertIn("claimed by  PropagationPolicy classroom/classroom\n", text)
        self.assertIn("ClusterPropagationPolicy everything", text)
        self.assertIn("OverridePolicy classroom/classroom-regions", text)
        self.assertIn("in force    " + ", ".join(f"{c} {self.placed[c]}" for c in CLUSTERS), text)
        self.assertIn("weight 2", text)
        data = json.loads(self.run_cli("explain", APP, "-n", "classroom", "-o", "json"))
        self.assertEqual({c["cluster"] for c in data["clusters"]}, set(CLUSTERS))
        self.assertTrue(all(c.get("scores") for c in data["clusters"]), data["clusters"])
        lost = [p for p in data["policies"]["policies"] if not p["claims"]]
        self.assertEqual([p["policy"] for p in lost], ["ClusterPropagationPolicy everything"])
        self.run_cli("delete", "-f", "-", text=other)

    def test_render_names_policy_and_rule_of_each_field(self):
        text = self.run_cli("render", APP, "-n", "classroom", "--cluster", "aws-virginia")
        origin = "by OverridePolicy classroom/classroom-regions, rule 2, "
        for line in (f'# /spec/replicas: 6 -> {self.placed["aws-virginia"]}  by the placement',
                     f'# /metadata/labels/region: (absent) -> "us-east-1"  {origin}labelsOverrider',
                     f'"us-east-1"  {origin}plaintext[0]',
                     f'{origin}imageOverrider[0]', f'{origin}argsOverrider[0]'):
            self.assertIn(line, text)
        diff = self.run_cli("render", APP, "-n", "classroom", "--cluster", "aws-virginia", "--diff")
        for line in ("--- published", "+++ cluster aws-virginia", "-  replicas: 6", "+    region: us-east-1",
                     f"+  replicas: {self.placed['aws-virginia']}"):
            self.assertIn(line + "\n", diff)
        same = self.run_cli("render", "service/classroom", "-n", "classroom", "--diff")
        self.assertEqual(same.count("identical to what was published"), 3, same)
        self.assertNotIn("@@", same)

    # --- What if ----------------------------------------------------------------------------------

    def simulate(self, *args, expect=0):
        answer = json.loads(self.run_cli("simulate", *args, "-o", "json", expect=expect))
        return answer, {m["object"]: m["after"] for m in answer["moves"]}

    def test_simulate_moves_nothing_and_tells_what_would_move(self):
        _, after = self.simulate("--drain", "aws-virginia")
        self.assertEqual(after["Deployment classroom/classroom"],
                         {"aliyun-beijing": 4, "tencent-shanghai": 2})
        answer, after = self.simulate("--fail", "aliyun-beijing")
        self.assertNotIn("aliyun-beijing", after["Deployment classroom/classroom"])
        self.assertEqual(sum(after["Deployment classroom/classroom"].values()), 6)
        self.assertEqual(answer["replicasAfter"].get("aliyun-beijing", 0), 0)
        text = self.run_cli("simulate", "--drain", "aws-virginia")
        self.assertIn("Nothing was changed.", text)
        self.assertIn("is not known", self.run_cli("simulate", "--drain", "nowhere", expect=1))
        self.assertEqual(self.replicas(), self.placed)

    def test_simulate_takes_manifests(self):
        policy = self.changed("propagation-policy.yaml", "        - aws-virginia\n    replica",
                              "        - aws-ohio\n    replica")
        policy = policy.replace("- aws-virginia", "- aws-ohio")
        ohio = ("apiVersion: cluster.karmada.io/v1alpha1\nkind: Cluster\n"
                "metadata: {name: aws-ohio}\nspec: {syncMode: Pull, provider: aws}\n")
        _, after = self.simulate("--apply", self.file("moved.yaml", policy),
                                 "--add-cluster", self.file("ohio.yaml", ohio))
        moved = after["Deployment classroom/classroom"]
        self.assertEqual(set(moved), {"aliyun-beijing", "tencent-shanghai", "aws-ohio"})
        self.assertEqual(sum(moved.values()), 6)
        # More replicas of the application itself.
        app = self.changed("deployment.yaml", "replicas: 6", "replicas: 8")
        _, after = self.simulate("--apply", self.file("more.yaml", app))
        self.assertEqual(sum(after["Deployment classroom/classroom"].values()), 8)
        self.assertEqual(self.replicas(), self.placed)

    # --- Bad input --------------------------------------------------------------------------------

    def test_validate_and_apply_agree(self):
        large = ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big, namespace: classroom}\n"
                 "data:\n  big: " + "x" * 800_000 + "\n")
        cases = {
            "malformed": MALFORMED,
            "field": self.changed("propagation-policy.yaml", "clusterAffinity:", "clusterAfinity:"),
            "name": "apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: classroom}\n",
            "large": large,
            "type": self.changed("deployment.yaml", "replicas: 6", "replicas: six"),
        }
        for name, text in cases.items():
            with self.subTest(name):
                path = self.file(f"{name}.yaml", text)
                offline = json.loads(self.run_cli("validate", "-f", path, "-o", "json", expect=1,
                                                  offline=True))
                asked = json.loads(self.run_cli("apply", "-f", path, "--dry-run", "-o", "json",
                                                expect=1))
                self.assertEqual([r.get("errors") for r in offline["results"]],
                                 [r.get("errors") for r in asked["results"]])
        self.run_cli("validate", "-R", "-f", CLASSROOM, offline=True)

    def test_malformed_yaml_is_told_with_file_line_column_and_reason(self):
        path = self.file("two.yaml", MALFORMED)
        for text in (self.run_cli("validate", "-f", path, expect=1, offline=True),
                     self.run_cli("apply", "-f", path, "--dry-run", expect=1)):
            self.assertIn(f"{path}#2", text)
            self.assertRegex(text, r"Malformed: line [789], column \d+: \w+")

    def test_a_policy_that_does_nothing_is_accepted_with_a_warning(self):
        policy = self.changed("propagation-policy.yaml", "app: classroom", "app: clasroom")
        policy = policy.replace("name: classroom\n", "name: idle\n", 1)
        policy = policy.replace("- aws-virginia", "- aws-viginia", 1)
        text = self.run_cli("apply", "-f", "-", text=policy)
        self.assertIn("PropagationPolicy classroom/idle  created", text)
        self.assertIn("warning: spec.resourceSelectors: no object of the fleet is selected", text)
        self.assertIn('warning: spec.placement.clusterAffinity.clusterNames[2]: there is no '
                      'cluster "aws-viginia"', text)
        self.run_cli("delete", "-f", "-", text=policy)

    def test_an_override_that_fails_is_explained_and_the_last_good_work_stays(self):
        bad = self.changed("override-policy.yaml",
                           "/spec/template/spec/containers/0/env/0/value\n"
                           "            operator: replace\n            value: us-east-1",
                           "/spec/template/spec/containers/7/env/0/value\n"
                           "            operator: replace\n            value: us-east-1")
        before = {c: self.deployment(c)["spec"] for c in CLUSTERS}
        self.assertIn("configured", self.run_cli("apply", "-f", "-", text=bad))
        try:
            words = ("aws-virginia", "OverridePolicy classroom/classroom-regions", "rule 2",
                     "plaintext[0]", "/spec/template/spec/containers/7")

            def told(*verb):
                text = self.run_cli(*verb, APP, "-n", "classroom", expect=None)
                return all(word in text for word in words)
            wait_until("status tells it", lambda: told("status"))
            self.assertTrue(told("explain"))
            self.assertTrue(told("render", "--cluster", "aws-virginia"))
            self.assertEqual({c: self.deployment(c)["spec"] for c in CLUSTERS}, before)
        finally:
            self.run_cli("apply", "-f", CLASSROOM / "override-policy.yaml")
            self.stack.sealane("status", APP, "-n", "classroom", "--wait", "--timeout", "60s")

    def test_an_unreachable_bus_is_told_within_the_time_out(self):
        for verb in (["get", "apps"], ["status", "x"], ["explain", "x"], ["render", "x"],
                     ["events"], ["simulate", "--drain", "x"], ["result", "x"],
                     ["apply", "-f", CLASSROOM / "service.yaml"]):
            with self.subTest(verb[0]):
                start = time.monotonic()
                text = self.run_cli(*verb, "--bus-url", "nats://127.0.0.1:1", "--timeout", "1s",
                                    expect=3)
                self.assertLess(time.monotonic() - start, 4)
                self.assertIn("cannot be reached within 1s: nats://127.0.0.1:1", text)
                self.assertIn("is nats-server running there", text)

    def test_an_answer_that_did_not_come_in_time_can_be_asked_for(self):
        config = ("apiVersion: v1\nkind: ConfigMap\n"
                  "metadata: {name: late, namespace: classroom}\n")
        self.stack.processes["policy"].kill()
        try:
            text = self.run_cli("apply", "-f", "-", "--timeout", "2s", text=config, expect=3)
            self.assertIn("is stored", text)
            event = text.split("sealane result ")[1].split("`")[0]
        finally:
            self.stack.restart("policy")
            self.stack.wait_ready("policy")
        answer = wait_until("the answer is there", lambda: self.stack.sealane("result", event))
        self.assertIn("ConfigMap classroom/late  created", answer)
        stored = self.stack.get("objects", "late", "-n", "classroom")
        self.assertEqual([o["generation"] for o in stored], [1])


if __name__ == "__main__":
    unittest.main(verbosity=2)

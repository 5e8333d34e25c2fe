"""The CLI's verbs that change what runs, and completion, against a running fleet."""

import json
import os
import pathlib
import shutil
import subprocess
import threading
import unittest

from fleet import BIN, CLASSROOM, FleetTest, wait_until

APP = "deployment/classroom"


class CliHistoryTest(FleetTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.stack.sealane("apply", "-f", CLASSROOM)
            cls.wait_healthy()
            cls.files = pathlib.Path(cls.directory.name)
        except BaseException:
            cls.show_logs()
            raise

    @classmethod
    def wait_healthy(cls):
        cls.stack.sealane("status", APP, "-n", "classroom", "--wait", "--timeout", "60s")

    def run_cli(self, *args, text="", expect=0, env=None):
        """Runs the CLI; returns what it printed on both streams."""
        done = subprocess.run([BIN / "sealane", *args, "--config", self.stack.config], input=text,
                              capture_output=True, text=True, timeout=90, check=False,
                              env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def publish(self, image, publisher):
        text = (CLASSROOM / "deployment.yaml").read_text("utf-8")
        self.assertIn("web:1.4.2", text)
        return self.run_cli("apply", "-f", "-", "--publisher", publisher,
                            text=text.replace("web:1.4.2", f"web:{image}"))

    def image(self, cluster="aws-virginia"):
        containers = self.deployment(cluster)["spec"]["template"]["spec"]["containers"]
        return containers[0]["image"].rsplit(":", 1)[1]

    def history(self, name, namespace="classroom"):
        return json.loads(self.run_cli("history", name, "-n", namespace, "-o", "json"))["revisions"]

    # --- History and rollback -----------------------------------------------------------------------

    def test_rollback_brings_an_earlier_revision_back_to_the_clusters(self):
        first = self.history(APP)[-1]["revision"]
        self.publish("1.5.0", "ci/17")
        self.publish("1.6.0", "ci/18")
        text = self.run_cli("history", APP, "-n", "classroom")
        self.assertRegex(text, rf"{first + 2} +\d+s +ci/18 +in force\n{first + 1} +\d+s +ci/17")
        wait_until("1.6.0 runs", lambda: self.image() == "1.6.0")
        text = self.run_cli("rollback", APP, "-n", "classroom", "--to", str(first), "--dry-run")
        self.assertRegex(text, r"-.*web:1\.6\.0\n\+.*web:1\.4\.2\n")
        # Kept on the bus: a policy service that has just started knows it.
        self.stack.processes["policy"].kill()
        self.stack.restart("policy")
        self.stack.wait_ready("policy")
        text = self.run_cli("rollback", APP, "-n", "classroom", "--to", str(first),
                            env={"USER": "amy"})
        self.assertIn(f"revision {first + 3} is what revision {first} was", text)
        for cluster in self.clusters:
            wait_until("1.4.2 runs again", lambda c=cluster: self.image(c.name) == "1.4.2")
        last = self.history(APP)[-1]
        self.assertEqual((last["publisher"], last["sameAs"], last["inForce"]), ("amy", first, True))
        text = self.run_cli("rollback", APP, "-n", "classroom", "--to", "99", expect=1)
        self.assertIn("has no revision 99", text)
        self.assertIn(f"kept are {first}, {first + 1}, {first + 2}, {first + 3}", text)
        self.wait_healthy()

    def test_history_reaches_back_ten_revisions(self):
        for i in range(14):
            self.run_cli("apply", "-f", "-", text=(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: often, namespace: classroom}\n"
                f"data: {{n: '{i}'}}\n"))
        self.assertEqual([r["revision"] for r in self.history("configmap/often")],
                         list(range(4, 15)))
        text = self.run_cli("rollback", "often", "-n", "classroom", "--to", "3", expect=1)
        self.assertIn("kept are 4, 5,", text)

    def test_what_was_deleted_can_be_brought_back(self):
        text = ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gone, namespace: classroom}\n"
                "data: {a: b}\n")
        self.run_cli("apply", "-f", "-", text=text)
        self.run_cli("delete", "-f", "-", text=text)
        wait_until("it is gone", lambda: not self.exists("gone"))
        self.assertIn("not in the fleet any more", self.run_cli("history", "gone", "-n", "classroom"))
        self.assertIn("created", self.run_cli("rollback", "gone", "-n", "classroom"))
        self.assertTrue(self.exists("gone"))

    def exists(self, name):
        done = subprocess.run([BIN / "sealane", "get", "objects", name, "-n", "classroom", "-o",
                               "name", "--config", self.stack.config], capture_output=True,
                              text=True, timeout=90, check=False)
        return done.returncode == 0

    # --- Suspend, resume, rebalance -----------------------------------------------------------------

    def test_suspend_keeps_what_runs_until_resume(self):
        self.assertIn("suspended in aws-virginia", self.run_cli(
            "suspend", APP, "-n", "classroom", "--cluster", "aws-virginia"))
        try:
            self.publish("1.7.0", "ci/20")
            wait_until("1.7.0 runs where it may", lambda: self.image("aliyun-beijing") == "1.7.0")
            self.assertEqual(self.image("aws-virginia"), "1.4.2")
        finally:
            self.assertIn("resumed", self.run_cli("resume", APP, "-n", "classroom"))
        wait_until("1.7.0 runs everywhere", lambda: self.image("aws-virginia") == "1.7.0")
        self.publish("1.4.2", "ci/21")
        self.wait_healthy()

    def test_rebalance_is_taken_and_leaves_nothing_behind(self):
        text = self.run_cli("rebalance", APP, "-n", "classroom")
        self.assertIn("objects divided anew: 1", text)
        wait_until("the request is gone", lambda: not self.stack.get(
            "objects", "-A", "--kind", "WorkloadRebalancer"))
        self.assertEqual(sum(self.replicas().values()), 6)

    # --- Looking ------------------------------------------------------------------------------------

    def test_describe_and_top(self):
        text = self.run_cli("describe", APP, "-n", "classroom")
        for words in ("phase       Healthy", "Published", "Revisions", "in force", "Events",
                      "Accepted"):
            self.assertIn(words, text)
        text = self.run_cli("describe", "cluster/aws-virginia")
        for words in ("state       Ready", "cpu", "CONDITION", "ClusterReady"):
            self.assertIn(words, text)
        text = self.run_cli("top", "clusters")
        for cluster in self.clusters:
            self.assertRegex(text, rf"{cluster.name} +Ready +3/3 +\S+/24 +\d+%")

    def test_events_of_one_object_and_one_cluster(self):
        text = self.run_cli("events", APP, "-n", "classroom", "--reason", "Claimed")
        self.assertIn("Deployment classroom/classroom", text)
        self.assertNotIn("Accepted", text)
        text = self.run_cli("events", "--cluster", "aws-virginia", "--service", "status")
        self.assertIn("ClusterReady", text)
        self.assertNotIn("tencent-shanghai", text)
        self.assertEqual(self.run_cli("events", "--since", "0s"), "")

    def test_get_watch_tells_what_changes(self):
        with subprocess.Popen([BIN / "sealane", "get", "apps", "-n", "classroom", "-l", "app=watched",
                               "--watch", "-o", "json", "--config", self.stack.config],
                              stdout=subprocess.PIPE, text=True) as watch:
            lines = []
            reader = threading.Thread(target=lambda: lines.extend(iter(watch.stdout.readline, "")))
            reader.start()
            try:
                text = ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: watched, namespace: "
                        "classroom, labels: {app: %s}}\n")
                self.run_cli("apply", "-f", "-", text=text % "watched")
                self.run_cli("apply", "-f", "-", text=(text % "other").replace("watched", "other"))
                wait_until("the news", lambda: lines)
            finally:
                watch.terminate()
                reader.join()
            self.assertEqual({json.loads(line)["ref"]["name"] for line in lines}, {"watched"})

    # --- Completion ---------------------------------------------------------------------------------

    def complete(self, shell, script):
        done = subprocess.run([shell, *(["--norc"] if shell == "bash" else ["-f"]), "-c", script],
                              capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "SEALANE_CONFIG": str(self.stack.config),
                                   "PATH": f"{BIN}:{os.environ['PATH']}"})
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def bash(self, *words):
        quoted = " ".join(f"'{w}'" for w in ("sealane", *words))
        return self.complete("bash", (
            "source <(sealane completion bash)\n"
            "[[ $(complete -p sealane) == 'complete -F _sealane sealane' ]] || echo not registered\n"
            f"COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _sealane\n"
            "printf '%s\\n' \"${COMPREPLY[@]}\"\n"))

    def zsh(self, *words):
        quoted = " ".join(f"'{w}'" for w in ("sealane", *words))
        return self.complete("zsh", (
            "compdef() { [[ \"$*\" == '_sealane sealane' ]] || print not registered }\n"
            "source <(sealane completion zsh)\n"
            "compadd() { shift; print -l -- \"$@\" }\n_files() { print files }\n"
            f"words=({quoted}); CURRENT={len(words) + 1}; _sealane\n"))

    def test_completion_in_bash(self):
        self.check_completion(self.bash)
        self.assertEqual(self.bash("apply", "-f", f"{CLASSROOM}/dep"), [f"{CLASSROOM}/deployment.yaml"])

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_completion_in_zsh(self):
        self.check_completion(self.zsh)
        self.assertEqual(self.zsh("apply", "-f", "x"), ["files"])

    def check_completion(self, complete):
        self.assertEqual(complete("roll"), ["rollback"])
        self.assertEqual(complete("rollback", "--t"), ["--to", "--timeout"])
        self.assertEqual(complete("drain", "a"), ["aliyun-beijing", "aws-virginia"])
        self.assertEqual(complete("status", "-n", "classroom", "deployment/"),
                         ["deployment/classroom"])
        self.assertEqual(complete("status", "-n", ""), ["classroom"])
        self.assertEqual(complete("get", "--context", ""), [self.stack.state.name])
        self.assertEqual(complete("status", "no-such"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)

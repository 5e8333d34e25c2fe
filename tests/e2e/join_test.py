"""A cluster joins a running fleet with what `sealane join` prints, works, and leaves again."""

import base64
import json
import os
import shutil
import subprocess
import unittest

from fleet import BIN, FleetTest, wait_until
from stack import Cluster, Process, free_port

GUEST = Cluster("guest-1")
APP = """\
apiVersion: v1
kind: Namespace
metadata: {name: base}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: everywhere, namespace: base}
data: {key: value}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: everywhere, namespace: base}
spec:
  resourceSelectors: [{apiVersion: v1, kind: ConfigMap, name: everywhere}]
  placement: {}
"""
OBJECT = "/api/v1/namespaces/base/configmaps/everywhere"


@unittest.skipUnless(shutil.which("kubectl"), "needs kubectl")
class JoinTest(FleetTest):
    def setUp(self):
        self.home = self.stack.cluster_dir(GUEST)
        if "kubesim-guest-1" not in self.stack.processes:
            self.stack.start_kubesim(GUEST)
            file = self.stack.state / "base.yaml"
            file.write_text(APP, "utf-8")
            self.stack.sealane("apply", "-f", file)

    def join(self):
        done = subprocess.run(
            [BIN / "sealane", "join", "--config", self.stack.config, "--name", GUEST.name,
             "--directory", self.stack.accounts, "--provider", "guest", "--region", "moon-1",
             "--labels", "tier=test"], capture_output=True, text=True, timeout=60, check=True)
        self.assertNotIn("send SIGHUP", done.stderr)
        return done.stdout

    def kubectl(self, *args, text=None):
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.home / "kubeconfig", *args], input=text,
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def start_agent(self):
        """Runs what the applied Deployment says, as the kubelet would."""
        read = lambda kind, name: json.loads(
            self.kubectl("get", kind, name, "-n", "sealane-system", "-o", "json"))
        container = read("deployment", "sealane-agent")["spec"]["template"]["spec"]["containers"][0]
        password = self.home / "password"
        password.write_bytes(base64.b64decode(read("secret", "sealane-agent-bus")["data"]["password"]))
        port = free_port()
        replaced = {"--bus-password-file": password, "--state-dir": self.home / "agent",
                    "--listen": f"127.0.0.1:{port}"}
        args = [f"{a.split('=')[0]}={replaced[a.split('=')[0]]}" if a.split("=")[0] in replaced else a
                for a in container["args"]]
        self.assertEqual(container["command"], ["sealane-agent"])
        self.stack.ports["agent-guest-1"] = port
        agent = Process("agent-guest-1", [BIN / "sealane-agent", *args, "--kubeconfig",
                                          self.home / "kubeconfig"],
                        self.stack.logs / "agent-guest-1.log")
        agent.start()
        self.stack.processes[agent.name] = agent
        return agent

    def guest(self):
        return next((c for c in self.stack.get("clusters") if c["name"] == GUEST.name), None)

    def has_object(self):
        try:
            return self.stack.cluster_get(GUEST.name, OBJECT)["data"]["key"] == "value"
        except Exception:  # pylint: disable=broad-except
            return False

    def unjoin(self, *flags):
        done = subprocess.run(
            [BIN / "sealane", "unjoin", "--config", self.stack.config, "--name", GUEST.name,
             "--directory", self.stack.accounts, *flags], capture_output=True, text=True,
            timeout=90, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_cluster_joins_works_and_leaves(self):
        manifests = self.join()
        self.assertEqual(manifests, self.join(), "a second join prints the same")
        self.kubectl("apply", "--server-side", "-f", "-", text=manifests)
        agent = self.start_agent()
        wait_until("what is meant for every cluster", self.has_object)
        guest = self.guest()
        self.assertEqual((guest["provider"], guest["region"]), ("guest", "moon-1"), guest)

        self.unjoin("--keep-workloads")
        self.assertTrue(self.has_object())
        labels = self.stack.cluster_get(GUEST.name, OBJECT)["metadata"].get("labels", {})
        self.assertNotIn("sealane.io/managed", labels)
        self.assertIsNone(self.guest())
        self.assertFalse((self.stack.accounts / "passwords" / "cluster-guest-1").exists())
        log = self.stack.logs / "agent-guest-1.log"
        wait_until("the login to be refused", lambda: b"uthorization" in log.read_bytes())
        agent.stop()

        # It comes back with a new login, finds what was left, and leaves nothing behind this time.
        again = self.join()
        self.assertNotEqual(manifests, again)
        self.kubectl("delete", "-n", "base", "configmap", "everywhere")
        self.kubectl("apply", "--server-side", "-f", "-", text=again)
        shutil.rmtree(self.home / "agent")
        agent = self.start_agent()
        wait_until("what is meant for every cluster", self.has_object)
        self.unjoin()
        self.assertFalse(self.has_object())
        agent.stop()
        # Nothing of this touched the others.
        wait_until("the other clusters", self.all_clusters_ready)

    def test_what_is_wrong_is_said_before_anything_is_written(self):
        before = sorted(os.listdir(self.stack.accounts / "passwords"))
        for flags, words in ((("--name", "Bad_Name"), "metadata.name"),
                             (("--name", "fine", "--labels", "no-value"), "KEY=VALUE"),
                             (("--name", "fine", "--ca", "/does/not/exist"), "/does/not/exist")):
            done = subprocess.run(
                [BIN / "sealane", "join", "--config", self.stack.config, "--directory",
                 self.stack.accounts, *flags], capture_output=True, text=True, timeout=60,
                check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stdout, "")
        self.assertEqual(sorted(os.listdir(self.stack.accounts / "passwords")), before)


if __name__ == "__main__":
    unittest.main()

"""A cluster joins a running fleet with what `sealane join` prints, works, and leaves again."""

import base64
import json
import os
import shutil
import subprocess
import unittest

from fleet import BIN, FleetTest, wait_until
from stack import BusKind, Cluster, Process, free_port

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
             "--labels", "tier=test", *self.ca()], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "USER": "amy"})
        self.assertEqual(done.returncode, 0, done.stderr)
        cluster = self.stack.get("objects", GUEST.name, "--kind", "Cluster")[0]
        self.assertEqual(cluster["publisher"], "amy")
        self.assertNotIn("send SIGHUP", done.stderr)
        return done.stdout

    def ca(self):
        return ["--ca", self.stack.authority] if self.bus.tls else []

    def kubectl(self, *args, text=None):
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.home / "kubeconfig", *args], input=text,
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def read(self, kind, name):
        return json.loads(self.kubectl("get", kind, name, "-n", "sealane-system", "-o", "json"))

    def mount_secret(self):
        """Puts the Secret's keys where the pod has its volume, as the kubelet does and renews."""
        (self.home / "bus").mkdir(exist_ok=True)
        for key, value in self.read("secret", "sealane-agent-bus")["data"].items():
            (self.home / "bus" / f".{key}").write_bytes(base64.b64decode(value))
            (self.home / "bus" / f".{key}").rename(self.home / "bus" / key)

    def start_agent(self):
        """Runs what the applied Deployment says, as the kubelet would."""
        container = self.read("deployment", "sealane-agent")["spec"]["template"]["spec"][
            "containers"][0]
        self.mount_secret()
        port = free_port()
        replaced = {"--state-dir": self.home / "agent", "--listen": f"127.0.0.1:{port}"}
        if self.bus.tls:
            replaced["--bus-ca"] = self.home / "ca.crt"
            replaced["--bus-ca"].write_text(self.read("configmap", "sealane-bus-ca")["data"]["ca.crt"])
        args = [f"{a.split('=')[0]}={replaced[a.split('=')[0]]}" if a.split("=")[0] in replaced
                else a.replace("/etc/sealane/bus/", f"{self.home}/bus/") for a in container["args"]]
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

    def test_a_cluster_that_never_returns_is_given_up(self):
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=self.join())
        shutil.rmtree(self.home / "agent", ignore_errors=True)
        agent = self.start_agent()
        wait_until("what is meant for every cluster", self.has_object)
        agent.kill()
        said = self.unjoin("--force")
        self.assertIn("ConfigMap base/everywhere", said)
        self.assertIsNone(self.guest())
        self.assertTrue(self.has_object(), "nobody was there to remove it")
        self.assertFalse(self.secret("cluster-guest-1").exists())
        self.kubectl("delete", "-n", "base", "configmap", "everywhere")

    def unjoin(self, *flags):
        done = subprocess.run(
            [BIN / "sealane", "unjoin", "--config", self.stack.config, "--name", GUEST.name,
             "--directory", self.stack.accounts, *flags], capture_output=True, text=True,
            timeout=90, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

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
        self.assertFalse(self.secret("cluster-guest-1").exists())
        log = self.stack.logs / "agent-guest-1.log"
        wait_until("the login to be refused", lambda: b" Violation" in log.read_bytes())
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

    def secret(self, user):
        """The file of a login in the bus' directory."""
        if self.bus.operator:
            return self.stack.accounts / "creds" / f"{user}.creds"
        return self.stack.accounts / "passwords" / user

    def can_log_in(self, user, secret):
        """Whether the bus lets this user in (who may ask no service, and is told so later)."""
        login = (["--creds-file", secret] if self.bus.operator
                 else ["--user", user, "--password-file", secret])
        ca = ["--bus-ca", self.stack.authority] if self.bus.tls else []
        done = subprocess.run(
            [BIN / "sealane", "get", "clusters", "--bus-url", self.stack.url, *login, *ca,
             "--timeout", "2s"], capture_output=True, text=True, timeout=60, check=False)
        return "cannot be reached" not in done.stderr

    def test_a_login_is_replaced_while_the_agent_works(self):
        rotate = lambda *flags: subprocess.run(
            [BIN / "sealane", "rotate", "--config", self.stack.config, "--name", GUEST.name,
             "--directory", self.stack.accounts, *flags], capture_output=True, text=True,
            timeout=60, check=False)
        self.kubectl("apply", "--server-side", "-f", "-", text=self.join())
        agent = self.start_agent()
        wait_until("what is meant for every cluster", self.has_object)
        wait_until("its login is told",
                   lambda: self.guest().get("agentBusUser") == "cluster-guest-1")
        old = self.home / "old-login"
        old.write_bytes(self.secret("cluster-guest-1").read_bytes())
        self.assertTrue(self.can_log_in("cluster-guest-1", old))

        renewed = rotate()
        self.assertEqual(renewed.returncode, 0, renewed.stderr)
        early = rotate("--retire")
        self.assertNotEqual(early.returncode, 0)
        self.assertIn("would lock it out", early.stderr)
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=renewed.stdout)
        self.mount_secret()
        wait_until("the agent to use the new login",
                   lambda: self.guest().get("agentBusUser") == "cluster-guest-1.2")
        retired = rotate("--retire")
        self.assertEqual(retired.returncode, 0, retired.stderr)
        self.assertFalse(self.can_log_in("cluster-guest-1", old))

        # The same process, still at work.
        self.assertTrue(agent.running())
        self.kubectl("delete", "-n", "base", "configmap", "everywhere")
        wait_until("the object to be repaired", self.has_object)
        more = self.stack.state / "more.yaml"
        more.write_text(APP.replace("key: value", "key: value, more: data"), "utf-8")
        self.stack.sealane("apply", "-f", more)
        wait_until("a change to arrive", lambda: "more" in self.stack.cluster_get(
            GUEST.name, OBJECT)["data"])
        self.unjoin()
        agent.stop()

    def test_what_is_wrong_is_said_before_anything_is_written(self):
        before = sorted(os.listdir(self.secret("any").parent))
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
        self.assertEqual(sorted(os.listdir(self.secret("any").parent)), before)


class OperatorJoinTest(JoinTest):
    """The same where an operator signs the accounts, over TLS: no server is signalled or restarted."""

    bus = BusKind(operator="school", tls=True)


if __name__ == "__main__":
    unittest.main()

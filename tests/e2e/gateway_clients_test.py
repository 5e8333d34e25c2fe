"""Client libraries against the gateway, as platforms use them."""

import os
import pathlib
import shutil
import subprocess
import threading
import unittest

from fleet import FleetTest, wait_until

CLIENTS = pathlib.Path(__file__).resolve().parent / "clients"


class GatewayClientsTest(FleetTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.kubeconfig = cls.stack.start_gateway()
        except BaseException:
            cls.show_logs()
            raise

    def test_debians_python_client(self):
        # Debian's library belongs to Debian's interpreter.
        done = subprocess.run(["/usr/bin/python3", CLIENTS / "python_client.py", self.kubeconfig],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("aws-virginia", done.stdout)
        self.assertIsNone(self.stack.cluster_get(
            "aws-virginia", "/apis/apps/v1/namespaces/python/deployments/web"))


    def kubectl(self, *args):
        subprocess.run(["kubectl", "--kubeconfig", str(self.kubeconfig), *args], check=True,
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60)

    def test_a_javascript_informer_over_a_restart_of_the_gateway(self):
        # The source tree stays clean.
        home = pathlib.Path(self.directory.name) / "javascript"
        shutil.copytree(CLIENTS / "javascript", home)
        if not (home / "node_modules").exists():
            subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=home, check=True,
                           stdin=subprocess.DEVNULL, timeout=180)
        self.kubectl("create", "namespace", "informed")
        self.kubectl("create", "configmap", "-n", "informed", "before", "--from-literal=key=1")
        informer = subprocess.Popen(
            ["node", "informer.mjs", str(self.kubeconfig), "informed"], cwd=home,
            env={**os.environ, "NODE_EXTRA_CA_CERTS": str(self.stack.authority)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lines = []
        reader = threading.Thread(target=self.collect, args=(informer.stdout, lines))
        reader.start()
        try:
            wait_until("what was there is told", lambda: "add before 1" in lines)
            self.kubectl("patch", "configmap", "-n", "informed", "before", "--type=merge",
                         "--patch", '{"data": {"key": "2"}}')
            wait_until("a change is told", lambda: "update before 2" in lines)
            self.stack.processes["gateway"].kill()
            self.stack.restart("gateway")
            self.stack.wait_ready("gateway")
            self.kubectl("create", "configmap", "-n", "informed", "after", "--from-literal=key=3")
            self.kubectl("delete", "configmap", "-n", "informed", "before")
            wait_until("what came after the restart is told",
                       lambda: "add after 3" in lines and "delete before 2" in lines)
        finally:
            informer.stdin.close()
            informer.wait(20)
            reader.join(10)
            informer.stdout.close()

    @staticmethod
    def collect(stream, lines):
        for line in stream:
            lines.append(line.strip())


if __name__ == "__main__":
    unittest.main()

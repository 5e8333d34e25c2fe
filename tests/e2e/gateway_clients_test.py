"""Client libraries against the gateway, as platforms use them."""

import pathlib
import subprocess
import unittest

from fleet import FleetTest

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


if __name__ == "__main__":
    unittest.main()

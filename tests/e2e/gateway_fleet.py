"""A fleet with a gateway in front of it, and kubectl."""

import subprocess
import unittest

from fleet import ROOT, FleetTest

# Debian's kubectl, where scripts/install-deps unpacked it beside another one.
DEBIANS_KUBECTL = ROOT / "var" / "tools" / "kubernetes-client" / "usr" / "bin" / "kubectl"


class GatewayFleetTest(FleetTest):
    """FleetTest with `kubectl` for the user admin; `users`: see Stack.start_gateway."""

    program = "kubectl"
    users = ()

    @classmethod
    def setUpClass(cls):
        if cls.program == DEBIANS_KUBECTL and not DEBIANS_KUBECTL.exists():
            raise unittest.SkipTest("there is no second kubectl")
        super().setUpClass()
        try:
            cls.kubeconfig = cls.stack.start_gateway(users=cls.users)
        except BaseException:
            cls.show_logs()
            raise

    @classmethod
    def kubectl(cls, *args, check=True, text=None, kubeconfig=None, timeout=60, env=None, cwd=None):
        """The standard output; with check=False what subprocess.run returns."""
        done = subprocess.run(
            [str(cls.program), "--kubeconfig", str(kubeconfig or cls.kubeconfig),
             "--cache-dir", str(cls.stack.state / "kubectl-cache"), *map(str, args)],
            input=text, capture_output=True, text=True, timeout=timeout, check=False, env=env,
            cwd=cwd)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {args}: {done.stdout}{done.stderr}")
        return done.stdout if check else done

"""A fleet with a gateway in front of it, and kubectl."""

import os
import pathlib
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
    def command(cls, args, where=()):
        """`where`: flags of `sealane kubectl`, by which kubectl is run then."""
        front = [cls.stack.bin / "sealane", "kubectl", *where] if where else [cls.program]
        return [*map(str, front), *map(str, args)]

    @classmethod
    def environment(cls, kubeconfig=None):
        path = os.environ["PATH"]
        if cls.program != "kubectl":
            path = f"{pathlib.Path(cls.program).parent}:{path}"
        # Where kubectl caches what a server has, too.
        return {**os.environ, "PATH": path, "KUBECONFIG": str(kubeconfig or cls.kubeconfig),
                "HOME": str(cls.stack.state)}

    @classmethod
    def kubectl(cls, *args, where=(), check=True, text=None, kubeconfig=None, timeout=60, env=None,
                cwd=None):
        """The standard output; with check=False what subprocess.run returns. `env`: more of it."""
        done = subprocess.run(
            cls.command(args, where), input=text, capture_output=True, text=True, timeout=timeout,
            check=False, env={**cls.environment(kubeconfig), **(env or {})}, cwd=cwd)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {where} {args}: {done.stdout}{done.stderr}")
        return done.stdout if check else done

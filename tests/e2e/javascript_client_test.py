"""The JavaScript example of docs/events.md against a running fleet."""

import os
import pathlib
import shutil
import subprocess
import unittest

from fleet import CLASSROOM, ROOT, FleetTest

EXAMPLE = ROOT / "examples" / "clients" / "javascript"


class JavascriptClientTest(FleetTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The source tree stays clean: the packages go into a copy, beside the .proto files.
        copy = pathlib.Path(cls.directory.name) / "source"
        cls.example = copy / EXAMPLE.relative_to(ROOT)
        shutil.copytree(EXAMPLE, cls.example, ignore=shutil.ignore_patterns("node_modules"))
        shutil.copytree(ROOT / "proto", copy / "proto")
        installed = EXAMPLE / "node_modules"
        if installed.exists():
            shutil.copytree(installed, cls.example / "node_modules", symlinks=True)
        else:
            subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=cls.example, check=True,
                           stdin=subprocess.DEVNULL, timeout=180)

    def deploy(self, *files):
        user = f"platform-{self.stack.platform}"
        return subprocess.run(
            ["node", "deploy.mjs", *map(str, files)], cwd=self.example, capture_output=True,
            text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "SEALANE_BUS_URL": self.stack.url, "SEALANE_BUS_USER": user,
                 "SEALANE_BUS_PASSWORD_FILE": str(self.stack.accounts / "passwords" / user)})

    def test_publishes_and_follows_until_healthy(self):
        files = sorted(CLASSROOM.glob("*.yaml"))  # as docs/events.md says
        done = self.deploy(*files)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("everything is healthy", done.stdout)
        self.assertIn("Deployment classroom/classroom: Healthy, 6/6 ready", done.stdout)
        # Once more: nothing changes, and the present state is enough.
        again = self.deploy(*files)
        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
        self.assertEqual(sum(self.replicas().values()), 6)

    def test_shows_refusals_with_field_and_reason(self):
        bad = pathlib.Path(self.directory.name) / "bad.yaml"
        bad.write_text((CLASSROOM / "propagation-policy.yaml").read_text("utf-8").replace(
            "clusterAffinity:", "clusterAfinity:"), encoding="utf-8")
        done = self.deploy(bad)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("spec.placement.clusterAfinity: UnknownField", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)

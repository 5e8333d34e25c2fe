"""The quick start itself, without installing and building: what it tells, and what it leaves behind."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from fleet import BIN, ROOT

from stack import process_start_time


class QuickstartTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="sealane-quickstart-")
        self.state = pathlib.Path(self.directory.name) / "state"
        self.addCleanup(self.directory.cleanup)
        self.addCleanup(self.quickstart, "--stop")

    def quickstart(self, *arguments, environment=None):
        return subprocess.run(
            [sys.executable, ROOT / "scripts" / "lib" / "quickstart.py", *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150, check=False,
            env={**os.environ, "SEALANE_QUICKSTART_DIR": str(self.state),
                 "SEALANE_BIN_DIR": str(BIN), **(environment or {})})

    def processes(self):
        """Processes whose command line names our state directory."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(self.state) in command and process_start_time(int(entry.name)):
                found.append(command.replace("\0", " "))
        return found

    def test_ends_with_the_tables_and_leaves_nothing_running(self):
        done = self.quickstart()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Deployment classroom/classroom  created", done.stdout)
        for cluster, region in (("aliyun-beijing", "cn-beijing"),
                                ("tencent-shanghai", "cn-shanghai"),
                                ("aws-virginia", "us-east-1")):
            self.assertRegex(done.stdout, rf"(?m)^{cluster} .*registry\.{region}\.example\.com")
        self.assertRegex(done.stdout, r"(?m)^Deployment +classroom +Healthy +6/6 +3/3")
        self.assertIn("stopped everything", done.stdout)
        self.assertEqual(self.processes(), [])

    def test_keep_leaves_it_running_until_stop(self):
        done = self.quickstart("--keep")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        config = re.search(r"SEALANE_CONFIG=(\S+)", done.stdout).group(1)
        apps = subprocess.run([BIN / "sealane", "get", "apps", "--config", config],
                              capture_output=True, text=True, timeout=30, check=False)
        self.assertIn("classroom", apps.stdout, apps.stderr)
        self.assertGreaterEqual(len(self.processes()), 10)
        stopped = self.quickstart("--stop")
        self.assertEqual(stopped.returncode, 0)
        self.assertEqual(self.processes(), [])

    def test_a_failure_names_the_step_and_its_log(self):
        broken = pathlib.Path(self.directory.name) / "bin"
        broken.mkdir()
        for program in BIN.iterdir():
            (broken / program.name).symlink_to(program)
        (broken / "sealane-scheduler").unlink()
        (broken / "sealane-scheduler").write_text("#!/bin/sh\necho it hurts; exit 7\n")
        (broken / "sealane-scheduler").chmod(0o755)
        done = self.quickstart(environment={"SEALANE_BIN_DIR": str(broken)})
        self.assertEqual(done.returncode, 1)
        self.assertIn("scheduler ended with exit code 7", done.stderr)
        log = re.search(r"The log that says more: (\S+)", done.stderr).group(1)
        self.assertIn("it hurts", pathlib.Path(log).read_text("utf-8"))
        self.assertEqual(self.processes(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""The entry pages of docs/ do what they say: their shell blocks are typed, in order, into one shell."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from fleet import BIN, FleetTest, ROOT
from stack import free_port

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page):
    """The page's ```sh blocks as one script. Blocks without that mark install or build."""
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text("utf-8"))
    assert blocks, page
    return "set -e -o pipefail\n" + "\n".join(blocks)


def checkout(directory):
    """Something that looks like a checkout to a walk, and may be written to."""
    directory = pathlib.Path(directory)
    for name in ("examples", "proto"):
        shutil.copytree(ROOT / name, directory / name,
                        ignore=shutil.ignore_patterns("node_modules"))
    (directory / "build" / "release").mkdir(parents=True)
    (directory / "build" / "release" / "bin").symlink_to(BIN)
    return directory


def walk(script, directory, timeout=240):
    """Types the script; whatever it left running ends with it."""
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith("SEALANE_")}
    # A file, not a pipe: what it leaves running holds a pipe open.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        shell = subprocess.Popen(
            ["bash", "-c", script], cwd=directory, env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = shell.wait(timeout)
        except subprocess.TimeoutExpired:
            code = f"none within {timeout} s"
        finally:
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            shell.wait()
        output.seek(0)
        return code, output.read()


class OperatorsTest(unittest.TestCase):
    def test_a_fleet_from_nothing(self):
        script = commands("operators.md")
        for port in ("4222", "9101", "9102", "9103", "9201", "9202"):
            self.assertIn(port, script)
            script = re.sub(rf"\b{port}\b", str(free_port()), script)
        with tempfile.TemporaryDirectory(prefix="sealane-docs-") as directory:
            code, output = walk(script, checkout(directory))
            logs = "".join(f"--- {log.name}\n{log.read_text('utf-8')[-2000:]}" for log in
                           sorted(pathlib.Path(directory).glob("var/walk/*.log")))
        self.assertEqual(code, 0, output + logs)
        for word in ("aws-virginia", "Healthy", "tier=edge", "has left"):
            self.assertIn(word, output)


class PlatformDevelopersTest(FleetTest):
    def test_deploy_and_follow(self):
        if shutil.which("npm") is None:
            self.skipTest("npm is not installed")
        with tempfile.TemporaryDirectory(prefix="sealane-docs-") as name:
            directory = checkout(name)
            (directory / "var").mkdir()
            (directory / "var" / "quickstart").symlink_to(self.stack.state)
            code, output = walk(commands("platform-developers.md"), directory)
        self.assertEqual(code, 0, output)
        for word in ("Healthy", "aws-virginia", "accepted", "REVISION"):
            self.assertIn(word, output)


if __name__ == "__main__":
    unittest.main()

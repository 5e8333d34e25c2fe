"""Plays the recorded requests against a kubesim process and compares its answers with those of a real
kube-apiserver. Needs the recorder and the reference, which are not part of the repository."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

BIN = pathlib.Path(os.environ["SEALANE_BIN_DIR"])
REFERENCE = pathlib.Path(os.environ["SEALANE_KUBERNETES_REFERENCE"])
PREFIX = "reca"  # of the names in the reference
# Answers that cannot be equal, and why. Nothing is unsupported.
BY_NATURE = {"091-svc-table": "a cell holds the cluster IP that the server chose"}


class RecordTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="sealane-record-")
        self.addCleanup(self.directory.cleanup)
        self.kubesim = subprocess.Popen(
            [BIN / "kubesim", "--listen", "127.0.0.1:0", "--controllers", "off", "--token", "secret"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        self.url = re.search(r"http\S+", self.kubesim.stdout.readline()).group()

    def stop(self):
        self.kubesim.terminate()
        self.kubesim.wait(10)
        self.kubesim.stdout.close()

    def test_every_exchange_agrees(self):
        ours = pathlib.Path(self.directory.name) / "ours.jsonl"
        with open(ours, "wb") as out:
            subprocess.run([sys.executable, REFERENCE / "record.py", self.url, "--token", "secret",
                            "--prefix", PREFIX], stdout=out, timeout=120, check=True)
        done = subprocess.run(
            [sys.executable, REFERENCE / "compare.py", REFERENCE / "exchanges.jsonl", ours],
            capture_output=True, text=True, timeout=60, check=False)
        print(done.stdout)
        differing = re.findall(r"^(\d+-\S+) (.*)$", done.stdout, re.MULTILINE)
        self.assertEqual([d for d in differing if d[0] not in BY_NATURE], [], done.stderr)
        counts = re.search(r"same status (\d+), same answer (\d+) of (\d+)", done.stdout)
        self.assertIsNotNone(counts, done.stdout + done.stderr)
        status, same, total = map(int, counts.groups())
        self.assertEqual(status, total)
        self.assertEqual(same, total - len(differing))
        self.assertGreaterEqual(total, 122)


if __name__ == "__main__":
    if not (REFERENCE / "record.py").exists():
        print(f"{REFERENCE} has no record.py")
        sys.exit(77)
    unittest.main()

"""Plays the recorded requests against a gateway and compares its answers with those of a real
kube-apiserver. Needs the recorder and the reference, which are not part of the repository."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from fleet import BIN, Stack

REFERENCE = pathlib.Path(os.environ["SEALANE_KUBERNETES_REFERENCE"])
PREFIX = "reca"  # of the names in the reference
# Answers that cannot be equal, and why. Nothing is unsupported.
BY_NATURE = {"091-svc-table": "a cell holds the cluster IP that the server chose",
             "052-cm-table": "a cell holds the age, which may be a second by now",
             "053-cm-get-table": "the same"}


class GatewayRecordTest(unittest.TestCase):
    def test_every_exchange_agrees(self):
        with tempfile.TemporaryDirectory(prefix="sealane-record-") as directory:
            stack = Stack(BIN, pathlib.Path(directory) / "fleet")
            self.addCleanup(stack.stop)
            stack.start([])
            stack.start_gateway()
            ours = pathlib.Path(directory) / "ours.jsonl"
            url = f"https://127.0.0.1:{stack.ports['gateway-api']}"
            with open(ours, "wb") as out:
                subprocess.run([sys.executable, REFERENCE / "record.py", url, "--token",
                                stack.admin_token, "--prefix", PREFIX],
                               stdout=out, timeout=200, check=True)
            done = subprocess.run(
                [sys.executable, REFERENCE / "compare.py", REFERENCE / "exchanges.jsonl", ours],
                capture_output=True, text=True, timeout=60, check=False)
            stack.stop()
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

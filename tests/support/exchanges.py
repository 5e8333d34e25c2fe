"""Plays the recorded requests against a server and compares its answers with those of a real
kube-apiserver. Needs the recorder and the reference, which are not part of the repository."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

REFERENCE = pathlib.Path(os.environ["SEALANE_KUBERNETES_REFERENCE"])
PREFIX = "reca"  # of the names in the reference


def check_every_exchange(test, url, token, by_nature):
    """`by_nature`: answers that cannot be equal -> why."""
    with tempfile.TemporaryDirectory(prefix="sealane-record-") as directory:
        ours = pathlib.Path(directory) / "ours.jsonl"
        with open(ours, "wb") as out:
            subprocess.run([sys.executable, REFERENCE / "record.py", url, "--token", token,
                            "--prefix", PREFIX], stdout=out, timeout=200, check=True)
        done = subprocess.run(
            [sys.executable, REFERENCE / "compare.py", REFERENCE / "exchanges.jsonl", ours],
            capture_output=True, text=True, timeout=60, check=False)
    print(done.stdout)
    differing = re.findall(r"^(\d+-\S+) (.*)$", done.stdout, re.MULTILINE)
    test.assertEqual([d for d in differing if d[0] not in by_nature], [], done.stderr)
    counts = re.search(r"same status (\d+), same answer (\d+) of (\d+)", done.stdout)
    test.assertIsNotNone(counts, done.stdout + done.stderr)
    status, same, total = map(int, counts.groups())
    test.assertEqual(status, total)
    test.assertEqual(same, total - len(differing))
    test.assertGreaterEqual(total, 122)


def main():
    """Runs the tests of the calling program; 77 (skipped) where there is no reference."""
    if not (REFERENCE / "record.py").exists():
        print(f"{REFERENCE} has no record.py")
        sys.exit(77)
    unittest.main()

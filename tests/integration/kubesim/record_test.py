"""A kubesim process answers as a real kube-apiserver does: see tests/support/exchanges.py."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

from exchanges import check_every_exchange, main  # noqa: E402

BIN = pathlib.Path(os.environ["SEALANE_BIN_DIR"])
# Answers that cannot be equal, and why. Nothing is unsupported.
BY_NATURE = {"091-svc-table": "a cell holds the cluster IP that the server chose"}


class RecordTest(unittest.TestCase):
    def setUp(self):
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
        check_every_exchange(self, self.url, "secret", BY_NATURE)


if __name__ == "__main__":
    main()

"""A gateway answers as a real kube-apiserver does: see tests/support/exchanges.py."""

import pathlib
import sys
import tempfile
import unittest

from fleet import BIN, ROOT, Stack

sys.path.insert(0, str(ROOT / "tests" / "support"))

from exchanges import check_every_exchange, main  # noqa: E402

# Answers that cannot be equal, and why. Nothing is unsupported.
BY_NATURE = {"091-svc-table": "a cell holds the cluster IP that the server chose",
             "052-cm-table": "a cell holds the age, which may be a second by now",
             "053-cm-get-table": "the same"}


class GatewayRecordTest(unittest.TestCase):
    def test_every_exchange_agrees(self):
        with tempfile.TemporaryDirectory(prefix="sealane-record-") as directory:
            stack = Stack(BIN, pathlib.Path(directory) / "fleet")
            try:
                stack.start([])
                stack.start_gateway()
                check_every_exchange(self, f"https://127.0.0.1:{stack.ports['gateway-api']}",
                                     stack.admin_token, BY_NATURE)
            finally:
                stack.stop()


if __name__ == "__main__":
    main()

"""What the end-to-end tests share: a fleet for a test class, and waiting."""

import os
import pathlib
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))

from stack import CLUSTERS, BusKind, Stack, StackError  # noqa: E402

CLASSROOM = ROOT / "examples" / "classroom"
BIN = pathlib.Path(os.environ["SEALANE_BIN_DIR"])


def wait_until(what, condition, timeout=60):
    """Polls until the condition gives something true; returns it. An AssertionError of the condition
    counts as not yet."""
    deadline = time.monotonic() + timeout
    last = "false"
    while True:
        try:
            result = condition()
            if result:
                return result
        except (AssertionError, StackError, OSError, KeyError) as error:
            last = repr(error)
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s; last: {last}")
        time.sleep(0.1)


class FleetTest(unittest.TestCase):
    """A fleet of three clusters, started once for all tests of the class."""

    clusters = CLUSTERS
    registered = CLASSROOM / "clusters"  # Cluster objects; None: none
    bus = BusKind()
    flags = {}  # program -> more flags

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="sealane-e2e-")
        cls.new_stack("fleet")
        cls.addClassCleanup(cls.stop_all)  # also runs when a setUpClass fails
        try:
            cls.start_fleet()
            if cls.registered:
                cls.stack.sealane("apply", "-f", cls.registered)
            wait_until("every cluster is ready", cls.all_clusters_ready)
        except BaseException:
            cls.show_logs()
            raise

    @classmethod
    def start_fleet(cls):
        try:
            cls.stack.start(cls.clusters)
        except StackError as error:
            # A port that was free a moment ago may have been taken by another program since.
            if error.log is None or "in use" not in error.log.read_text("utf-8", "replace"):
                raise
            cls.stack.stop()
            cls.new_stack("again")
            cls.stack.start(cls.clusters)

    @classmethod
    def new_stack(cls, name):
        cls.stack = Stack(BIN, pathlib.Path(cls.directory.name) / name, bus=cls.bus)
        cls.stack.flags = cls.flags

    @classmethod
    def stop_all(cls):
        cls.stack.stop()
        cls.directory.cleanup()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            self.show_logs()
        return result

    @classmethod
    def show_logs(cls):
        """The end of every log: the state directory goes with the test."""
        for log in sorted(cls.stack.logs.glob("*.log")):
            lines = log.read_text("utf-8", errors="replace").splitlines()[-15:]
            print(f"--- {log.name}", *lines, sep="\n", file=sys.stderr)

    @classmethod
    def all_clusters_ready(cls):
        ready = [
            cluster["name"] for cluster in cls.stack.get("clusters")
            if any(c["type"] == "Ready" and c["status"] == "True"
                   for c in cluster.get("conditions", []))]
        return len(ready) == len(cls.clusters)

    # --- What member clusters hold ------------------------------------------------------------------

    def deployment(self, cluster, name="classroom", namespace="classroom"):
        return self.stack.cluster_get(
            cluster, f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")

    def core(self, cluster, plural, name="classroom", namespace="classroom"):
        return self.stack.cluster_get(cluster, f"/api/v1/namespaces/{namespace}/{plural}/{name}")

    def replicas(self, name="classroom"):
        """{cluster: replicas} as the clusters themselves have it; absent ones left out."""
        found = {c.name: self.deployment(c.name, name) for c in self.clusters}
        return {c: d["spec"]["replicas"] for c, d in found.items() if d is not None}

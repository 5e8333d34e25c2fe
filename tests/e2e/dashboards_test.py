"""Dashboards, rules and their pages, as files: nothing runs here but promtool and the generator."""

import json
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DASHBOARDS = ROOT / "dashboards"
RULES = DASHBOARDS / "rules"


def run(*argv):
    return subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, check=False)


def alerts():
    """{name: its lines in alerts.yaml}"""
    parts = re.split(r"(?m)^ +- alert: (\w+)\n", (RULES / "alerts.yaml").read_text("utf-8"))
    return dict(zip(parts[1::2], parts[2::2]))


class DashboardsTest(unittest.TestCase):
    def passes(self, *argv):
        done = run(*argv)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_dashboards_are_as_generated(self):
        self.passes(sys.executable, DASHBOARDS / "generate.py", "--check")

    def test_promtool_takes_the_rules(self):
        self.passes("promtool", "check", "rules", "--lint=all", "--lint-fatal",
                    RULES / "recording.yaml", RULES / "alerts.yaml")

    def test_promtool_takes_the_configuration_of_the_container(self):
        self.passes("promtool", "check", "config", "--syntax-only",
                    ROOT / "docker" / "prometheus" / "prometheus.yaml")

    def test_the_alerts_fire_when_they_should_and_only_then(self):
        self.passes("promtool", "test", "rules", RULES / "tests.yaml")

    def test_each_alert_has_a_test_of_firing_and_of_silence(self):
        cases = re.split(r"(?m)^  - name: ", (RULES / "tests.yaml").read_text("utf-8"))[1:]
        found = {True: set(), False: set()}
        for case in cases:
            name = re.search(r"alertname: (\w+)", case).group(1)
            found["exp_alerts: []" not in case].add(name)
        self.assertEqual(found[True], set(alerts()))
        self.assertEqual(found[False], set(alerts()))

    def test_each_alert_has_a_runbook(self):
        page = (ROOT / "docs" / "runbooks.md").read_text("utf-8")
        sections = dict(re.findall(r"(?ms)^### (\w+)\n(.*?)(?=^##|\Z)", page))
        self.assertEqual(sorted(sections), sorted(alerts()))
        for name, text in sections.items():
            for part in ("**Means.**", "**Look at.**", "**Do.**"):
                self.assertIn(part, text, name)
        for name, text in alerts().items():
            self.assertIn(f"runbook: docs/runbooks.md#{name.lower()}\n", text)
            self.assertRegex(text, r"labels: \{severity: (critical|warning|info)\}", name)

    def test_a_dashboard_has_what_grafana_needs(self):
        paths = sorted(DASHBOARDS.glob("*.json"))
        uids = set()
        for path in paths:
            dashboard = json.loads(path.read_text("utf-8"))
            uids.add(dashboard["uid"])
            numbers = [panel["id"] for panel in dashboard["panels"]]
            self.assertEqual(len(numbers), len(set(numbers)), path)
            taken = set()
            for panel in dashboard["panels"]:
                place = panel["gridPos"]
                cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                         for y in range(place["y"], place["y"] + place["h"])}
                self.assertFalse(taken & cells, f"{path.name}: {panel['title']} is over another")
                self.assertLessEqual(place["x"] + place["w"], 24)
                taken |= cells
        self.assertEqual(len(uids), len(paths))

    def test_the_container_of_grafana_gets_every_dashboard(self):
        provider = (ROOT / "docker" / "grafana" / "provisioning" / "dashboards" / "sealane.yaml")
        self.assertIn("path: /etc/grafana/dashboards", provider.read_text("utf-8"))
        self.assertIn("./dashboards:/etc/grafana/dashboards:ro",
                      (ROOT / "compose.yaml").read_text("utf-8"))


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Metrics, dashboards and alerts, with Debian's Prometheus beside a running fleet."""

import json
import math
import pathlib
import re
import ssl
import time
import unittest
import urllib.parse
import urllib.request

from fleet import CLASSROOM, ROOT, FleetTest, wait_until
from gitops_test import Repository

from stack import free_port

DASHBOARDS = ROOT / "dashboards"
METRICS_PAGE = ROOT / "docs" / "metrics.md"
# What Grafana would put in the place of its variables.
VARIABLES = {
    "$__rate_interval": "20s",
    "$__range": "5m",
    "$cluster": ".*",
    "$namespace": "classroom",
    "$kind": "Deployment",
    "$application": "classroom",
}
PROGRAMS = ("policy", "scheduler", "status", "gateway", "source", "agent")


def ask(port, path, **parameters):
    """`data` of one answer of Prometheus' HTTP API."""
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{parameters}: {error.read().decode()}") from error


def panels():
    """(dashboard, panel, target) for everything that the dashboards ask."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(path.read_text("utf-8"))
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield dashboard, panel, target


def with_values(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


class Exposition:
    """What one process says at /metrics: type, help and label names of each metric."""

    def __init__(self, text):
        self.types, self.helps, self.labels = {}, {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line[7:].split(" ", 1)
                self.types[name] = kind
            elif line.startswith("# HELP "):
                name, _, words = line[7:].partition(" ")
                self.helps[name] = words
            elif line:
                series = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ", line)
                name = series.group(1)
                if name not in self.types:
                    name = re.sub(r"_(bucket|sum|count)$", "", name)
                found = set(re.findall(r'(\w+)="', series.group(2) or "")) - {"le"}
                self.labels.setdefault(name, set()).update(found)

    def rows(self):
        """{name: (type, label names)}; a metric of which no series exists now is left out."""
        return {name: (self.types[name], tuple(sorted(labels)))
                for name, labels in self.labels.items()}


def documented():
    """{program: {name: (type, labels)}} as docs/metrics.md has it; "every process" counts for all."""
    sections = {}
    program = None
    for line in METRICS_PAGE.read_text("utf-8").splitlines():
        if line.startswith("## "):
            program = line[3:].strip().lower()
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[0].startswith("`"):
            labels = tuple(sorted(re.findall(r"`(\w+)`", cells[2])))
            sections.setdefault(program, {})[cells[0].strip("`")] = (cells[1], labels)
    common = sections.get("every process", {})
    return {p: {**common, **sections.get(p, {})} for p in PROGRAMS}


class ObservabilityTest(FleetTest):
    flags = {"status": ["--per-app-metrics"]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.stack.start_gateway()
            root = pathlib.Path(cls.directory.name)
            cls.repository = Repository(root / "repositories")
            cls.stack.flags = {**cls.flags, "source": ["--local-dir", root / "repositories",
                                                       "--cache-dir", root / "cache"]}
            cls.stack.start_service("source")
            cls.stack.wait_ready("source")
            cls.start_prometheus()
            cls.do_what_a_fleet_does()
        except BaseException:
            cls.show_logs()
            raise

    @classmethod
    def start_prometheus(cls):
        stack = cls.stack
        home = pathlib.Path(cls.directory.name) / "prometheus"
        home.mkdir()
        services = [f"127.0.0.1:{stack.ports[name]}" for name in PROGRAMS[:5]]
        agents = [{"targets": [f"127.0.0.1:{stack.ports[f'agent-{c.name}']}"],
                   "labels": {"cluster": c.name}} for c in cls.clusters]
        # As docker/prometheus/prometheus.yaml, with the addresses of this fleet; JSON is YAML.
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(DASHBOARDS / "rules" / f"{n}.yaml") for n in ("recording", "alerts")],
            "scrape_configs": [
                {"job_name": "sealane", "static_configs": [{"targets": services}]},
                {"job_name": "sealane-agent", "static_configs": agents}]}
        (home / "prometheus.yml").write_text(json.dumps(config), "utf-8")
        cls.port = stack.ports["prometheus"] = free_port()
        stack.spawn("prometheus", [
            "prometheus", "--config.file", home / "prometheus.yml", "--storage.tsdb.path", home / "data",
            "--web.listen-address", f"127.0.0.1:{cls.port}", "--log.level", "warn"])
        stack.wait_for("prometheus", lambda: stack.http_ok(cls.port, "/-/ready"))
        # Every series has a value from before anything happens.
        wait_until("everything was scraped twice", lambda: len(
            ask(cls.port, "query", query="count_over_time(up[1m]) >= 2 and up == 1")["result"]) == 8)

    @classmethod
    def do_what_a_fleet_does(cls):
        stack = cls.stack
        stack.sealane("apply", "-f", CLASSROOM)
        cls.use_the_gateway()
        cls.repository.write("notes/notes.json", {
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "notes", "namespace": "classroom"}, "data": {"from": "git"}})
        cls.repository.commit("notes")
        stack.sealane("gitops", "add", "notes", "--repo", cls.repository.bare, "--path", "notes")
        stack.sealane("status", "deployment/classroom", "-n", "classroom", "--wait", "--timeout", "60s")
        cls.first = json.loads(stack.sealane("trace", "deployment/classroom", "-n", "classroom",
                                             "-o", "json"))
        text = (CLASSROOM / "deployment.yaml").read_text("utf-8")
        changed = pathlib.Path(cls.directory.name) / "changed.yaml"
        changed.write_text(text.replace("web:1.4.2", "web:1.5.0"), "utf-8")
        stack.sealane("apply", "-f", changed)
        stack.sealane("status", "deployment/classroom", "-n", "classroom", "--wait", "--timeout", "60s")

    @classmethod
    def use_the_gateway(cls):
        maps = f"https://127.0.0.1:{cls.stack.ports['gateway-api']}/api/v1/namespaces/classroom/configmaps"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "from-the-gateway"}}
        trusted = ssl.create_default_context(cafile=str(cls.stack.authority))
        for url, data, code in ((maps, json.dumps(body).encode(), 201), (maps, None, 200),
                                (f"{maps}/from-the-gateway", None, 200)):
            request = urllib.request.Request(url, data=data, headers={
                "Authorization": f"Bearer {cls.stack.admin_token}", "Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30, context=trusted) as answer:
                assert answer.status == code, answer.status

    def test_every_panel_has_data(self):
        silent = dict(self.silent_panels())
        deadline = time.monotonic() + 60
        while silent and time.monotonic() < deadline:
            time.sleep(0.5)
            silent = dict(self.silent_panels())
        self.assertFalse(silent, "panels without data:\n" + "\n".join(
            f"{where}: {expression}" for where, expression in silent.items()))

    def silent_panels(self):
        asked = 0
        for dashboard, panel, target in panels():
            asked += 1
            if "Empty " in panel["description"]:
                continue
            expression = with_values(target["expr"])
            self.assertNotIn("$", expression, f"a variable that is not known: {panel['title']}")
            if not self.has_data(expression, target.get("instant", False)):
                yield f"{dashboard['title']}: {panel['title']} {target['refId']}", expression
        self.assertGreater(asked, 50)

    def has_data(self, expression, instant):
        if instant:
            result = ask(self.port, "query", query=expression)["result"]
            values = [series["value"][1] for series in result]
        else:
            now = time.time()
            result = ask(self.port, "query_range", query=expression, start=now - 60, end=now, step=2)
            values = [point[1] for series in result["result"] for point in series["values"]]
        return any(not math.isnan(float(value)) for value in values)

    def test_panels_that_are_empty_for_a_reason_still_ask_something_valid(self):
        for _, panel, target in panels():
            ask(self.port, "query", query=with_values(target["expr"]))
            self.assertTrue(panel["title"])

    def test_every_variable_of_a_dashboard_has_values(self):
        for path in sorted(DASHBOARDS.glob("*.json")):
            for variable in json.loads(path.read_text("utf-8"))["templating"]["list"]:
                if variable["type"] != "query":
                    continue
                asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
                series = with_values(asked.group(1))
                found = ask(self.port, f"label/{asked.group(2)}/values", **{"match[]": series})
                self.assertTrue(found, f"{path.name}: {variable['definition']}")

    def test_the_rules_are_well_and_a_fleet_that_is_well_fires_nothing(self):
        def settled():
            groups = ask(self.port, "rules")["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            self.assertGreater(len(rules), 30)
            self.assertEqual({rule["health"] for rule in rules}, {"ok"},
                             [rule.get("lastError") for rule in rules])
            return True
        wait_until("every rule was evaluated", settled)
        firing = ask(self.port, "query", query='ALERTS{alertstate="firing"}')["result"]
        self.assertEqual([alert["metric"]["alertname"] for alert in firing], [])

    def test_an_alert_fires_when_a_process_ends(self):
        """One alert from end to end; dashboards/rules/tests.yaml has all of them."""
        name = "agent-aws-virginia"
        self.stack.processes[name].kill()
        try:
            wait_until("SealaneProcessDown is pending", lambda: ask(
                self.port, "query",
                query='ALERTS{alertname="SealaneProcessDown", cluster="aws-virginia"}')["result"])
        finally:
            self.stack.restart(name)
            self.stack.wait_ready(name)

    def test_one_trace_leads_from_the_event_to_every_agent(self):
        app = next(a for a in self.stack.get("apps", "-n", "classroom")
                   if a["ref"]["kind"] == "Deployment")
        trace = json.loads(self.stack.sealane("trace", app["traceId"], "-o", "json"))
        self.assertEqual(trace["result"]["eventId"], app["traceId"])
        found = next(o for o in trace["objects"] if o["ref"]["kind"] == "Deployment")
        self.assertEqual({c["cluster"] for c in found["clusters"]}, {c.name for c in self.clusters})
        for cluster in found["clusters"]:
            # All of this is one machine with one clock.
            times = [trace["receivedMicros"], found["acceptedMicros"],
                     found["claimedMicros"]]
            times += [cluster[f"{step}Micros"] for step in ("placed", "rendered", "applied", "healthy")]
            self.assertTrue(all(times), cluster)
            self.assertEqual(times, sorted(times), cluster)
        self.assertEqual(found["generation"], 2)
        # Of the first generation: a pod of kubesim needs 300 ms to start.
        self.assertNotEqual(self.first["traceId"], app["traceId"])
        for cluster in self.first["objects"][0]["clusters"]:
            self.assertGreater(cluster["healthyMicros"] - cluster["appliedMicros"], 250_000, cluster)
        works = self.stack.get("works", "-n", "classroom", "--kind", "Deployment")
        self.assertEqual(len(works), 3)
        for work in works:
            self.assertEqual(work["traceId"], app["traceId"])
            self.assertEqual(work["reported"]["traceId"], app["traceId"])
        text = self.stack.sealane("trace", "deployment/classroom", "-n", "classroom")
        self.assertIn("healthy everywhere +", text)
        self.assertIn("Accepted  Deployment classroom/classroom", text)

    def expositions(self):
        names = {p: p for p in PROGRAMS[:5]} | {"agent": f"agent-{self.clusters[0].name}"}
        return {p: Exposition(self.stack.metrics(name)) for p, name in names.items()}

    def test_the_page_of_metrics_lists_what_processes_expose(self):
        page = documented()
        for program, exposition in self.expositions().items():
            with self.subTest(program=program):
                exposed = exposition.rows()
                missing = "\n".join(
                    f"| `{n}` | {k} | {', '.join(f'`{label}`' for label in labels)} | {exposition.helps[n]} |"
                    for n, (k, labels) in sorted(exposed.items()) if page[program].get(n) != (k, labels))
                self.assertEqual(missing, "", f"docs/metrics.md lacks or has otherwise:\n{missing}")
                self.assertEqual(sorted(set(page[program]) - set(exposed)), [],
                                 "docs/metrics.md has what is not exposed")

    def test_names_follow_prometheus_rules(self):
        for program, exposition in self.expositions().items():
            for name, kind in exposition.types.items():
                with self.subTest(program=program, name=name):
                    self.assertRegex(name, r"^(sealane|process)_[a-z_]+$")
                    self.assertEqual(kind == "counter", name.endswith("_total"))
                    if kind == "histogram":
                        self.assertTrue(name.endswith("_seconds"))
                    self.assertTrue(exposition.helps.get(name), "no help")


if __name__ == "__main__":
    unittest.main(verbosity=2)

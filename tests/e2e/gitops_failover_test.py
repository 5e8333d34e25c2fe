"""A fleet that is kept in a Git server behind TLS and a token: an application with its policies fails over
and back while commits come; after each step the clusters hold what the repository says."""

import base64
import http.server
import json
import os
import pathlib
import re
import ssl
import subprocess
import tempfile
import threading
import unittest

from fleet import BIN, FleetTest, StackError, wait_until
from stack import make_certificates

TOKEN = "s3cret-of-the-repository"

PLURALS = {
    "ConfigMap": "/api/v1/configmaps",
    "Deployment": "/apis/apps/v1/deployments",
    "Secret": "/api/v1/secrets",
    "Service": "/api/v1/services",
}


class Repository:
    """A Git repository and its clone in which people work."""

    def __init__(self, directory):
        self.bare, self.work = directory / "fleet.git", directory / "clone"
        directory.mkdir(parents=True)
        self.run("init", "--quiet", "--bare", "--initial-branch", "main", self.bare, at=directory)
        self.run("clone", "--quiet", self.bare, self.work, at=directory)
        self.run("checkout", "--quiet", "-B", "main")

    def run(self, *args, at=None):
        # Nobody's own settings: neither signatures nor hooks nor another default branch.
        env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
               "GIT_AUTHOR_NAME": "amy", "GIT_AUTHOR_EMAIL": "amy@example.com",
               "GIT_COMMITTER_NAME": "amy", "GIT_COMMITTER_EMAIL": "amy@example.com"}
        done = subprocess.run(["git", *map(str, args)], cwd=at or self.work, env=env, check=False,
                              capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise AssertionError(f"git {args}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def write(self, path, *objects):
        """Puts objects into a file, as one document each."""
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n---\n".join(json.dumps(o, indent=1) for o in objects) + "\n", "utf-8")

    def push(self, message):
        """Commits everything; returns the commit."""
        self.run("add", "--all")
        self.run("commit", "--quiet", "--message", message)
        self.run("push", "--quiet", "--force", "origin", "main")
        return self.run("rev-parse", "HEAD")

    def rewind(self, commit):
        self.run("reset", "--quiet", "--hard", commit)
        self.run("push", "--quiet", "--force", "origin", "main")
        return commit

    def objects(self, commit, below):
        """Every object of a commit below a path, as Git itself has it."""
        found = []
        for path in self.run("ls-tree", "-r", "--name-only", commit, "--", below).splitlines():
            if path.endswith((".yaml", ".yml", ".json")):
                found += map(json.loads, self.run("show", f"{commit}:{path}").split("\n---\n"))
        return found


class GitServer(http.server.BaseHTTPRequestHandler):
    """git's own HTTP backend, for who has the token."""

    root = None
    refused = 0  # requests without the token

    def log_message(self, *_):
        pass

    def do_GET(self):
        login = base64.b64encode(f"fleet:{TOKEN}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            type(self).refused += 1
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.root),
               "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": self.command, "PATH_INFO": path,
               "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
               "CONTENT_LENGTH": str(len(body)), "REMOTE_USER": "fleet",
               "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
               "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True,
                              timeout=30, check=True)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET


def cluster(name, provider, region):
    return {"apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
            "metadata": {"name": name, "labels": {"provider": provider, "region": region}},
            "spec": {"syncMode": "Pull", "provider": provider, "region": region}}


def config(name, namespace, data, annotations=None):
    return {"apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}}}


def service(name, namespace):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}


def web(version, replicas=2):
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
                     "template": {"metadata": {"labels": {"app": "web"}},
                                  "spec": {"containers": [
                                      {"name": "main", "image": f"shop/web:{version}"}]}}}}


def policy(name, namespace, selectors, placement):
    return {"apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"resourceSelectors": selectors, "placement": placement}}


EVERYWHERE = policy("everywhere", "base", [
    {"apiVersion": "v1", "kind": "ConfigMap"}, {"apiVersion": "v1", "kind": "Service"}], {})
ONE_PLACE = policy("one-place", "shop", [
    {"apiVersion": "apps/v1", "kind": "Deployment"}, {"apiVersion": "v1", "kind": "ConfigMap"}],
    {"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]})
REGION = {
    "apiVersion": "policy.karmada.io/v1alpha1", "kind": "OverridePolicy",
    "metadata": {"name": "region", "namespace": "shop"},
    "spec": {"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
             "overrideRules": [{"overriders": {"labelsOverrider": [
                 {"operator": "add", "value": {"from": "git"}}]}}]}}


def key(thing):
    return thing["kind"], thing["metadata"]["namespace"], thing["metadata"]["name"]


class GitOpsFailoverTest(FleetTest):
    """A heartbeat holds for 2 s, failover comes after 4, a source is looked at every second."""

    flags = {
        "agent": ["--heartbeat-interval", "500ms"],
        "status": ["--lease", "2s", "--hold", "1s", "--failover-after", "4s"],
    }

    @classmethod
    def setUpClass(cls):
        # Not the clusters of the example: here they come from Git.
        cls.directory = tempfile.TemporaryDirectory(prefix="sealane-e2e-")
        cls.new_stack("fleet")
        cls.addClassCleanup(cls.stop_all)
        home = pathlib.Path(cls.directory.name)
        try:
            cls.start_fleet()
            cls.start_git_server(home)
            cls.stack.flags["source"] = ["--cache-dir", home / "cache",
                                         "--credentials-dir", home / "credentials"]
            cls.stack.start_service("source")
            cls.wait_for_source()
        except BaseException:
            cls.show_logs()
            raise
        cls.git = Repository(home / "git")

    @classmethod
    def start_git_server(cls, home):
        make_certificates(home / "tls")
        GitServer.root = home / "git"
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(home / "tls" / "server.pem", home / "tls" / "server.key")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), GitServer)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        cls.addClassCleanup(lambda: (server.shutdown(), thread.join(), server.server_close()))
        cls.url = f"https://127.0.0.1:{server.server_port}/fleet.git"
        for name, token in (("fleet", TOKEN), ("former", "token-of-last-year")):
            login = home / "credentials" / name
            login.mkdir(parents=True)
            (login / "urls").write_text(cls.url + "\n", "utf-8")
            (login / "token").write_text(token + "\n", "utf-8")
            (login / "username").write_text("fleet\n", "utf-8")
            (login / "ca.pem").write_bytes((home / "tls" / "ca.pem").read_bytes())

    @classmethod
    def wait_for_source(cls):
        """A standby is ready, too, but answers nothing."""
        wait_until("the source service leads",
                   lambda: "\nsealane_source_leader 1" in cls.stack.metrics("source"))
        cls.stack.wait_ready("source")

    def gitops(self, *args):
        return self.stack.sealane("gitops", *args)

    def source(self):
        """What `sealane gitops` says of the source."""
        return json.loads(self.gitops("get", "day", "-o", "json"))

    def kill(self, name):
        self.stack.processes[name].kill()

    def alive(self):
        return [c.name for c in self.clusters
                if self.stack.processes[f"kubesim-{c.name}"].running()]

    def members(self):
        """{cluster: {key: object}}: what Sealane keeps in each cluster that answers."""
        return {name: {key({**thing, "kind": kind}): thing
                       for kind, path in PLURALS.items()
                       for thing in self.stack.cluster_get(name, path)["items"]
                       if "sealane.io/managed" in thing["metadata"].get("labels", {})}
                for name in self.alive()}

    def exact(self, commit, joined, kept=()):
        """Whether the clusters hold what the commit says: all of it, as it is there, and nothing else."""
        base = [o for o in self.git.objects(commit, "fleet/base") if o["kind"] in PLURALS] + list(kept)
        shop = [o for o in self.git.objects(commit, "fleet/shop") if o["kind"] in PLURALS]
        members = self.members()
        homes = [name for name, holds in members.items() if ("Deployment", "shop", "web") in holds]
        self.assertEqual(len(homes), 1, f"one copy of the application: {homes}")
        for name, holds in members.items():
            wanted = base if name in joined else []
            if name in homes:
                wanted = wanted + shop
            self.assertEqual(sorted(holds), sorted(map(key, wanted)), f"in {name}")
            for thing in wanted:
                self.compare(thing, holds[key(thing)], name)
        return True

    def compare(self, wanted, holds, where):
        if wanted["kind"] == "ConfigMap":
            self.assertEqual(holds["data"], wanted["data"], f"{key(wanted)} in {where}")
        if wanted["kind"] == "Deployment":
            self.assertEqual(holds["spec"]["replicas"], wanted["spec"]["replicas"])
            self.assertEqual(holds["spec"]["template"]["spec"]["containers"][0]["image"],
                             wanted["spec"]["template"]["spec"]["containers"][0]["image"])
            self.assertEqual(holds["metadata"]["labels"]["from"], "git", "the override")
            self.assertEqual(holds["status"].get("readyReplicas"), wanted["spec"]["replicas"])

    def in_force(self, what, commit, joined, kept=()):
        self.gitops("sync", "day")
        self.assertEqual(self.source()["appliedCommit"], commit, what)
        wait_until(f"{what}: in the clusters", lambda: self.exact(commit, joined, kept))

    def refused(self, what, commit, *words):
        in_force = self.source()["appliedCommit"]
        with self.assertRaisesRegex(StackError, "exit code 1", msg=what):
            self.gitops("sync", "day")
        source = self.source()
        self.assertEqual((source["fetchedCommit"], source["appliedCommit"]), (commit, in_force), what)
        status = self.gitops("status", "day")
        for word in words:
            self.assertIn(word, status, what)

    def test_a_day(self):
        git = self.git
        beijing, shanghai, virginia = [c.name for c in self.clusters]

        # Morning: two clusters, base services for all, an application for one.
        git.write("README.json", {"not": "below the path"})
        git.write("fleet/clusters/china.yaml", cluster(beijing, "aliyun", "cn-beijing"),
                  cluster(shanghai, "tencent", "cn-shanghai"))
        git.write("fleet/base/policy.yaml", EVERYWHERE)
        git.write("fleet/base/dns.yml", config("dns", "base", {"zone": "one"}),
                  service("dns", "base"))
        git.write("fleet/base/logs.json", config("logs", "base", {"level": "info"}))
        git.write("fleet/base/stays.yaml",
                  config("stays", "base", {"a": "b"}, {"sealane.io/prune": "false"}))
        git.write("fleet/shop/app.yaml", ONE_PLACE, REGION, web("1.0"),
                  config("web", "shop", {"title": "hello"}))
        first = git.push("The fleet begins")
        with self.assertRaisesRegex(StackError, "exit code 1"):
            self.gitops("add", "former", "--repo", self.url, "--credentials", "former")
        self.assertGreater(GitServer.refused, 1, "without a token, then with the wrong one")
        self.gitops("remove", "former")
        self.gitops("add", "day", "--repo", self.url, "--branch", "main", "--path", "fleet",
                    "--interval", "1s", "--credentials", "fleet")
        joined = [beijing, shanghai]
        self.in_force("the first commit", first, joined)

        # A third cluster joins by a commit, and gets what is meant for all.
        git.write("fleet/clusters/virginia.yaml", cluster(virginia, "aws", "us-east-1"))
        joined.append(virginia)
        self.in_force("a cluster joins", git.push("Virginia joins"), joined)

        # A file moves, and what is in it does not notice; another one changes.
        uids = {n: holds[("ConfigMap", "base", "dns")]["metadata"]["uid"]
                for n, holds in self.members().items()}
        git.run("mv", "fleet/base/dns.yml", "fleet/base/names.yaml")
        git.write("fleet/shop/app.yaml", ONE_PLACE, REGION, web("1.1", 3),
                  config("web", "shop", {"title": "good day"}))
        moved = git.push("DNS in a file of another name; web 1.1")
        self.in_force("changed and moved", moved, joined)
        self.assertEqual(uids, {n: holds[("ConfigMap", "base", "dns")]["metadata"]["uid"]
                                for n, holds in self.members().items()}, "the same objects")

        # What leaves the repository leaves the clusters, but for what says that it stays.
        git.write("fleet/base/names.yaml", config("dns", "base", {"zone": "two"}))
        git.run("rm", "--quiet", "fleet/base/logs.json", "fleet/base/stays.yaml")
        kept = [config("stays", "base", {"a": "b"})]
        good = git.push("No logs, no service of DNS")
        self.in_force("removed", good, joined, kept)

        # One manifest is bad: nothing of the commit is applied.
        git.write("fleet/base/names.yaml", config("dns", "base", {"zone": "three"}))
        git.write("fleet/shop/bad.yaml", config("fine", "shop", {}),
                  {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop"}})
        self.refused("a bad manifest", git.push("Half of a ConfigMap"),
                     "fleet/shop/bad.yaml", "metadata.name")
        self.assertTrue(self.exact(good, joined, kept))

        # Everything is deleted by mistake: nobody believes that.
        git.run("rm", "--quiet", "-r", "fleet")
        self.refused("an empty path", git.push("Oops"), "fleet")
        self.assertTrue(self.exact(good, joined, kept))

        # History is rewound beyond the mistakes, and beyond a good commit.
        self.in_force("rewound", git.rewind(moved), joined, kept=[])

        # An object that somebody else made is not taken.
        theirs = config("theirs", "shop", {"by": "hand"})
        self.apply(theirs)
        git.write("fleet/shop/theirs.yaml", config("theirs", "shop", {"by": "git"}))
        self.refused("an object of others", git.push("Take theirs"), "theirs")
        self.assertEqual(self.stored("theirs")["data"], {"by": "hand"})
        git.run("rm", "--quiet", "fleet/shop/theirs.yaml")
        self.apply(theirs, verb="delete")

        # The cluster with the application dies; the commit that comes meanwhile is carried out, too.
        home = next(n for n, holds in self.members().items() if ("Deployment", "shop", "web") in holds)
        self.kill(f"agent-{home}")
        self.kill(f"kubesim-{home}")
        git.write("fleet/shop/app.yaml", ONE_PLACE, REGION, web("1.2"),
                  config("web", "shop", {"title": "good evening"}))
        git.write("fleet/base/names.yaml", config("dns", "base", {"zone": "four"}))
        evening = git.push("web 1.2")
        self.in_force("without the dead cluster", evening, joined)

        # It returns, empty, and the source service dies and returns: nothing is done twice.
        self.stack.restart(f"kubesim-{home}")
        self.stack.restart(f"agent-{home}")
        self.kill("source")
        self.stack.restart("source")  # `gitops sync` asks until it leads
        self.in_force("all clusters again", evening, joined)
        events = self.stack.sealane("events")
        for commit in (first, moved, good, evening):
            times = len(re.findall(rf"GitCommitApplied.*{commit[:8]}", events))
            self.assertEqual(times, 2 if commit == moved else 1, f"{commit} was applied\n{events}")
        for text in (events, self.gitops("get", "day", "-o", "json"),
                     (self.stack.logs / "source.log").read_text("utf-8")):
            self.assertNotIn(TOKEN, text)
        self.assertNotIn("GitRepaired", events, "nobody else wrote what Git says")

        # The source goes and leaves what it made.
        self.gitops("remove", "day", "--keep")
        self.assertTrue(self.exact(evening, joined))

    def apply(self, thing, verb="apply"):
        subprocess.run([BIN / "sealane", verb, "-f", "-", "--config", self.stack.config],
                       input=json.dumps(thing), capture_output=True, text=True, timeout=60,
                       check=True)

    def stored(self, name):
        """The object as the fleet has it, in whatever cluster it is."""
        found = [holds[("ConfigMap", "shop", name)] for holds in self.members().values()
                 if ("ConfigMap", "shop", name) in holds]
        self.assertEqual(len(found), 1, name)
        return found[0]


if __name__ == "__main__":
    unittest.main(verbosity=2)

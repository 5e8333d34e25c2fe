"""A day of a team whose desired state is a Git repository: clusters join, commits change, move, break
and remove things, somebody changes something by hand, the source service and a cluster die, history
is rewritten. At its end the member clusters hold exactly what Git says."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from fleet import BIN, CLASSROOM, ROOT, FleetTest, wait_until

KINDS = {"ConfigMap": "api/v1", "Service": "api/v1", "Deployment": "apis/apps/v1"}


def policy(name, kinds, **placement):
    return {
        "apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"resourceSelectors": [
            {"apiVersion": "apps/v1" if k == "Deployment" else "v1", "kind": k} for k in kinds],
            "placement": placement}}


def config(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "shop"}, "data": data}


def deployment(name, image, replicas):
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": image}]}}}}


def service(name):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}}


class Repository:
    """A bare repository and a clone in which somebody works."""

    def __init__(self, directory):
        self.bare = directory / "fleet.git"
        self.work = directory / "work"
        directory.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--initial-branch=main", self.bare, cwd=directory)
        self.git("init", "--quiet", "--initial-branch=main", self.work, cwd=directory)

    def git(self, *args, cwd=None):
        who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER")
               for part, value in (("NAME", "shop"), ("EMAIL", "shop@example.com"))}
        return subprocess.run(
            ["git", *map(str, args)], cwd=cwd or self.work, check=True, capture_output=True,
            text=True, timeout=30,
            env={**os.environ, **who, "GIT_CONFIG_GLOBAL": "/dev/null",
                 "GIT_CONFIG_NOSYSTEM": "1"}).stdout.strip()

    def write(self, path, *documents):
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("---\n".join(json.dumps(d, indent=1) + "\n" if isinstance(d, dict) else d
                                     for d in documents), "utf-8")

    def commit(self, message):
        """Commits and pushes everything; returns the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        self.push()
        return self.head()

    def push(self):
        self.git("push", "--quiet", "--force", self.bare, "HEAD:refs/heads/main")

    def head(self):
        return self.git("rev-parse", "HEAD")

    def objects(self, kind):
        """{name: manifest} that the pushed branch has below app/ and base/."""
        found = {}
        names = self.git("ls-tree", "-r", "--name-only", "main", "--", "app", "base",
                         cwd=self.bare).splitlines()
        for name in names:
            for text in self.git("show", f"main:{name}", cwd=self.bare).split("---\n"):
                if not text.lstrip().startswith("{"):
                    continue
                manifest = json.loads(text)
                if manifest["kind"] == kind:
                    found[manifest["metadata"]["name"]] = manifest
        return found


class GitopsTest(FleetTest):
    flags = {
        "agent": ["--heartbeat-interval", "500ms"],
        "status": ["--lease", "2s", "--hold", "1s", "--failover-after", "3s"],
    }

    @classmethod
    def setUpClass(cls):
        # As FleetTest, but the clusters are registered by commits.
        cls.directory = tempfile.TemporaryDirectory(prefix="sealane-e2e-")
        root = pathlib.Path(cls.directory.name)
        cls.repository = Repository(root / "repositories")
        cls.flags = {**cls.flags, "source": ["--local-dir", root / "repositories", "--cache-dir",
                                             root / "cache"]}
        cls.new_stack("fleet")
        cls.addClassCleanup(cls.stop_all)
        try:
            cls.start_fleet()
            cls.stack.start_service("source")
            cls.stack.wait_ready("source")
        except BaseException:
            cls.show_logs()
            raise

    # --- What the day consists of -------------------------------------------------------------------

    def gitops(self, *args, expect=0):
        done = subprocess.run([BIN / "sealane", "gitops", *map(str, args), "--config",
                               self.stack.config], capture_output=True, text=True, timeout=90,
                              check=False)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def source(self, name):
        # A question that was asked while the service was away is never answered.
        return json.loads(self.gitops("status", name, "-o", "json", "--timeout", "3s"))

    def wait_applied(self, name, commit):
        def applied():
            source = self.source(name)
            self.assertEqual((source["state"], source["appliedCommit"]), ("Applied", commit), source)
            return source
        return wait_until(f"{name} applies {commit}", applied, timeout=30)

    def members(self):
        return [c.name for c in self.clusters
                if self.stack.processes[f"kubesim-{c.name}"].running()]

    def held(self, cluster, kind):
        """{name: object} of the namespace in the member cluster."""
        plural = kind.lower() + "s"
        answer = self.stack.cluster_get(cluster, f"/{KINDS[kind]}/namespaces/shop/{plural}")
        return {o["metadata"]["name"]: o for o in (answer or {}).get("items", [])
                if o["metadata"]["name"] != "kube-root-ca.crt"}

    def check_members(self, clusters):
        """Every cluster holds exactly what Git says; replicas are divided among them."""
        replicas = {}
        for kind in KINDS:
            wanted = self.repository.objects(kind)
            for cluster in clusters:
                held = self.held(cluster, kind)
                self.assertEqual(set(held), set(wanted), f"{kind} in {cluster}")
                for name, have in held.items():
                    if kind == "ConfigMap":
                        self.assertEqual(have["data"], wanted[name]["data"], f"{name} in {cluster}")
                    if kind == "Deployment":
                        want = wanted[name]["spec"]["template"]["spec"]["containers"][0]["image"]
                        spec = have["spec"]["template"]["spec"]
                        self.assertEqual(spec["containers"][0]["image"], want, cluster)
                        replicas[name] = replicas.get(name, 0) + have["spec"]["replicas"]
        for name, manifest in self.repository.objects("Deployment").items():
            self.assertEqual(replicas.get(name), manifest["spec"]["replicas"], name)
        return True

    def wait_members(self, clusters, timeout=30):
        wait_until(f"{clusters} hold what Git says", lambda: self.check_members(clusters), timeout)

    def join(self, cluster):
        self.repository.write(f"base/clusters/{cluster}.yaml",
                              (CLASSROOM / "clusters" / f"{cluster}.yaml").read_text("utf-8"))

    # --- The day ------------------------------------------------------------------------------------

    def test_a_whole_day(self):
        git = self.repository
        # Morning: two clusters, what every application needs, and an application.
        first, second, third = (c.name for c in self.clusters)
        self.join(first)
        self.join(second)
        git.write("base/shop.yaml",
                  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
                  config("limits", requests="100"))
        git.write("base/policy.yaml", policy("base", ["ConfigMap", "Service"]))
        git.write("app/web.yaml", deployment("web", "shop/web:1", 6), service("web"))
        git.write("app/settings.yaml", config("settings", mode="dark"), config("old", gone="soon"))
        git.write("app/policy.yaml", policy(
            "divided", ["Deployment"],
            replicaScheduling={"replicaSchedulingType": "Divided",
                               "replicaDivisionPreference": "Weighted"}))
        git.write("README.md", "not a manifest\n")
        commit = git.commit("The shop opens")
        for name in ("base", "app"):
            self.gitops("add", name, "--repo", git.bare, "--path", name, "--interval", "1s")
            self.wait_applied(name, commit)
        self.wait_members([first, second])

        # A cluster joins; an image changes, one object goes, one moves to another file.
        self.join(third)
        git.write("app/web.yaml", deployment("web", "shop/web:2", 6))
        git.write("app/network/web.yaml", service("web"))
        git.write("app/settings.yaml", config("settings", mode="light"))
        commit = git.commit("A third cluster, and 2")
        self.wait_applied("app", commit)
        self.wait_members([first, second, third])
        self.assertEqual(self.stack.get("objects", "web", "-n", "shop", "--kind", "Service")[0]
                         ["generation"], 1, "moving a manifest changes no object")

        # A commit with an error: all of it is refused, what was good stays.
        good = commit
        git.write("app/settings.yaml", config("settings", mode="broken"))
        git.write("app/bad.yaml", config("fine"), {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "bad",
                                                                         "namespace": "shop"}})
        git.commit("Not like this")
        text = self.gitops("sync", "app", expect=1)
        self.assertIn("app/bad.yaml, document 2 (line", text)
        self.assertIn("spec is missing", text)
        self.assertEqual(self.source("app")["appliedCommit"], good)
        self.assertEqual(self.held(first, "ConfigMap")["settings"]["data"], {"mode": "light"})
        self.assertIn("GitCommitRefused", self.stack.sealane("events", "--service", "source"))
        git.git("rm", "--quiet", "--force", "app/bad.yaml")
        commit = git.commit("Like that")
        self.wait_applied("app", commit)
        self.wait_members([first, second, third])

        # Somebody changes something by hand: Git wins.
        subprocess.run([BIN / "sealane", "apply", "-f", "-", "--config", self.stack.config],
                       input=json.dumps(config("settings", mode="by hand")), check=True,
                       capture_output=True, text=True, timeout=60)
        wait_until("the change by hand is undone", lambda: "GitRepaired" in self.stack.sealane(
            "events", "--service", "source"))
        self.wait_members([first, second, third])

        # What somebody else published is not taken over.
        subprocess.run([BIN / "sealane", "apply", "-f", "-", "--config", self.stack.config,
                        "--publisher", "bob"], input=json.dumps(config("bobs", is_his="yes")),
                       check=True, capture_output=True, text=True, timeout=60)
        git.write("app/bobs.yaml", config("bobs", is_his="no"))
        git.commit("Take what is Bob's")
        text = self.gitops("sync", "app", expect=1)
        self.assertIn("ConfigMap shop/bobs: exists and was published by bob", text)
        subprocess.run([BIN / "sealane", "delete", "-f", "-", "--config", self.stack.config],
                       input=json.dumps(config("bobs")), check=True, capture_output=True, text=True,
                       timeout=60)
        git.git("rm", "--quiet", "app/bobs.yaml")
        commit = git.commit("Better not")
        self.wait_applied("app", commit)

        # The source service dies; what was pushed meanwhile is applied when it is back.
        self.stack.processes["source"].kill()
        git.write("app/night.yaml", config("night", shift="yes"))
        commit = git.commit("While nobody looks")
        self.stack.restart("source")
        self.stack.wait_ready("source")
        self.wait_applied("app", commit)

        # A cluster dies; work goes on in the others.
        for process in (f"agent-{third}", f"kubesim-{third}"):
            self.stack.processes[process].kill()
        git.write("app/web.yaml", deployment("web", "shop/web:3", 4))
        self.wait_applied("app", git.commit("3, smaller"))
        self.wait_members([first, second])

        # The branch goes, and the path: errors, and nothing is removed.
        last = git.head()
        git.git("branch", "--quiet", "--move", "main", "other", cwd=git.bare)
        self.assertIn("no branch main", self.gitops("sync", "app", expect=1))
        git.push()
        git.git("rm", "--quiet", "-r", "app")
        git.commit("Everything goes")
        self.assertIn("there is no directory app", self.gitops("sync", "app", expect=1))
        # Rewound: what the branch's head says counts.
        git.git("reset", "--quiet", "--hard", last)
        git.git("rm", "--quiet", "app/night.yaml")
        git.git("commit", "--quiet", "--amend", "--no-edit")
        git.push()
        self.gitops("sync", "app")
        self.wait_applied("app", git.head())

        # Evening: the members hold exactly what Git says.
        self.assertEqual(set(git.objects("ConfigMap")), {"limits", "settings"})
        self.wait_members([first, second])
        table = self.gitops("list")
        self.assertRegex(table, rf"app +Applied +{git.head()[:8]} +{git.head()[:8]} +4 ")

        # What the service counts is documented.
        page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
        names = set(re.findall(r"(?m)^# TYPE (sealane_source_\w+) (\w+)$",
                               self.stack.metrics("source")))
        self.assertGreater(len(names), 8)
        for name, kind in names:
            self.assertIn(f"| `{name}` | {kind} |", page)

        # A source goes with its objects, or without.
        self.gitops("remove", "base", "--keep")
        self.assertIn("limits", self.held(first, "ConfigMap"))
        self.gitops("remove", "app")
        wait_until("the application is gone", lambda: not self.held(first, "Deployment") and not
                   self.held(second, "Deployment"))
        self.assertEqual(set(self.held(first, "ConfigMap")), {"limits"})


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""The program behind scripts/migrate-from-karmada. Both servers are reached through `kubectl proxy` on
a socket that only this user can open, so that every kind of kubeconfig works."""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections import Counter

import karmada_objects as objects

MANAGER = "migrate-from-karmada"
PAGE = 500
# A namespace that every gateway has and nobody uses: objects whose own is not there yet are tried in it.
TRIAL_NAMESPACE = "kube-node-lease"


class Unreachable(Exception):
    """A server did not answer what it must."""


class SocketConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Server:
    """An API server behind a kubeconfig."""

    def __init__(self, stack, kubectl, name, kubeconfig, context):
        self.name = name
        home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sealane-")))
        self.socket = home / "api"
        argv = [kubectl, "--kubeconfig", kubeconfig]
        argv += ["--context", context] if context else []
        log = stack.enter_context(open(home / "log", "w+b"))
        self.proxy = subprocess.Popen([*argv, "proxy", f"--unix-socket={self.socket}"],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(self.stop)
        self.connection = SocketConnection(self.socket)
        deadline = time.monotonic() + 20
        while not self.listens():
            if self.proxy.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                raise Unreachable(f"{name}: {log.read().decode(errors='replace').strip()}")
            time.sleep(0.05)
        self.get("/version")

    def listens(self):
        """Whether kubectl listens on its socket, which it makes a moment before."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def stop(self):
        self.proxy.terminate()
        self.proxy.wait()

    def call(self, method, path, body=None, content_type="application/json"):
        """(status, answer, warnings)"""
        headers = {"Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = content_type
        try:
            self.connection.request(method, path, data, headers)
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Unreachable(f"{self.name}: {error}") from error
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = {"message": text.decode(errors="replace").strip()}
        warnings = [text_of_warning(w) for w in answer.headers.get_all("Warning") or []]
        return answer.status, parsed, warnings

    def get(self, path):
        code, answer, _ = self.call("GET", path)
        if code != 200:
            raise Unreachable(f"{self.name}: GET {path}: {message_of(answer)}")
        return answer

    def kinds(self):
        """{(group, kind): (base path, plural, namespaced)} of all that can be listed and written, in the
        version that the server prefers."""
        found = {}
        bases = [("", "/api/v1")]
        for group in self.get("/apis")["groups"]:
            versions = [group["preferredVersion"]] + group["versions"]
            bases += [(group["name"], f"/apis/{v['groupVersion']}") for v in versions]
        for group, base in dict((b, g) for g, b in bases).items():
            group, base = base, group
            for resource in self.get(base).get("resources", []):
                if "/" in resource["name"] or not {"list", "create"} <= set(resource["verbs"]):
                    continue
                found.setdefault((group, resource["kind"]),
                                 (base, resource["name"], resource["namespaced"]))
        return found

    def list(self, kind, base, plural, namespace=None):
        path = f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"
        token = ""
        while True:
            page = self.get(f"{path}?limit={PAGE}&continue={urllib.parse.quote(token)}")
            for item in page.get("items") or []:
                item["apiVersion"] = base.removeprefix("/apis/").removeprefix("/api/")
                item["kind"] = kind
                yield item
            token = page["metadata"].get("continue") or ""
            if not token:
                return


def text_of_warning(header):
    """The text of `299 - "text"`."""
    text = header.split(" ", 2)[-1]
    try:
        return json.loads(text)
    except ValueError:
        return text


def message_of(answer):
    """What a Status says, fields first."""
    causes = (answer.get("details") or {}).get("causes") or []
    told = [f"{c.get('field', '')}: {c.get('message', '')}" for c in causes if c.get("field")]
    return "; ".join(told) or answer.get("message", "no message")


def name_of(item):
    metadata = item["metadata"]
    space = metadata.get("namespace")
    return f"{item['kind']} {space + '/' if space else ''}{metadata['name']}"


class Migration:
    def __init__(self, options, source, target):
        self.options, self.source, self.target = options, source, target
        self.rows = []  # {"object", "result", "notes"}
        self.skipped = Counter()  # reason -> objects that are nobody's
        self.clusters = []

    def read(self):
        """What is the user's, cleaned, in the order of writing: [(object, notes)]"""
        found = []
        for (group, kind), (base, plural, namespaced) in sorted(self.source.kinds().items()):
            if kind in objects.SERVER_KINDS or group in objects.DERIVED_GROUPS:
                continue
            spaces = self.options.namespace if namespaced and self.options.namespace else [None]
            for space in spaces:
                for item in self.source.list(kind, base, plural, space):
                    if self.options.namespace and kind == "Namespace" and \
                            item["metadata"]["name"] not in self.options.namespace:
                        continue
                    why = objects.why_not_moved(item)
                    if why:
                        self.skipped[why] += 1
                        continue
                    if kind == "Cluster" and group == "cluster.karmada.io":
                        self.clusters.append(item)
                    found.append(objects.clean(item, self.options.adopt, self.options.hold))
        found.sort(key=lambda pair: (objects.stage_of(pair[0]["kind"]), pair[0]["kind"],
                                     name_of(pair[0])))
        return found

    def run(self):
        found = self.read()
        kinds = self.target.kinds()
        spaces = {n["metadata"]["name"]
                  for n in self.target.list("Namespace", "/api/v1", "namespaces")}
        defined = {(i["spec"]["group"], i["spec"]["names"]["kind"]) for i, _ in found
                   if i["kind"] == "CustomResourceDefinition"}
        for item, notes in found:
            key = (objects.group_of(item["apiVersion"]), item["kind"])
            if key not in kinds and key in defined and self.options.apply:
                kinds = self.wait_for_kind(key)
            if key not in kinds:
                if key in defined:
                    self.note(item, "unchecked", notes + ["its definition is not there yet"])
                else:
                    self.note(item, "refused", notes + [f"Sealane does not serve {key[1]} of {key[0]}"])
                continue
            self.write(item, notes, kinds[key], spaces)
        return self.report()

    def wait_for_kind(self, key):
        deadline = time.monotonic() + 20
        while True:
            kinds = self.target.kinds()
            if key in kinds or time.monotonic() > deadline:
                return kinds
            time.sleep(0.1)

    def write(self, item, notes, where, spaces):
        base, plural, namespaced = where
        sent = {**item, "apiVersion": base.removeprefix("/apis/").removeprefix("/api/")}
        space = item["metadata"].get("namespace")
        name = item["metadata"]["name"]
        if not self.options.apply and namespaced and space not in spaces:
            sent = in_namespace(sent, TRIAL_NAMESPACE)
            space = TRIAL_NAMESPACE
        path = f"{base}/namespaces/{space}/{plural}/{name}" if namespaced else f"{base}/{plural}/{name}"
        query = {"fieldManager": MANAGER, "fieldValidation": "Warn",
                 "force": "true" if self.options.force else "false"}
        if not self.options.apply:
            query["dryRun"] = "All"
        code, before, _ = self.target.call("GET", path)
        version = before["metadata"].get("resourceVersion") if code == 200 else None
        code, answer, warnings = self.target.call(
            "PATCH", f"{path}?{urllib.parse.urlencode(query)}", sent, "application/apply-patch+yaml")
        notes = notes + warnings
        if code == 409:
            self.note(item, "changed", notes + [
                "left as it is, others own these fields now: " + message_of(answer)])
        elif code not in (200, 201):
            self.note(item, "refused", notes + [message_of(answer)])
        elif version is None:
            self.note(item, "created", notes)
        elif answer["metadata"].get("resourceVersion") == version and self.options.apply:
            self.note(item, "unchanged", notes)
        else:
            self.note(item, "there", notes)

    def note(self, item, result, notes):
        row = {"object": name_of(item), "result": result, "notes": notes}
        self.rows.append(row)
        if notes or result in ("refused", "changed") or self.options.verbose:
            print(f"{self.word(result):12} {row['object']}")
            for text in notes:
                print(f"{'':14}{text}")

    def word(self, result):
        """As it is told."""
        if self.options.apply:
            return {"there": "updated"}.get(result, result)
        return {"created": "accepted", "there": "accepted", "unchanged": "accepted"}.get(result, result)

    def report(self):
        counts = Counter(self.word(row["result"]) for row in self.rows)
        print()
        print("written:" if self.options.apply else "a dry run, nothing was written:")
        for word, count in sorted(counts.items()):
            print(f"  {count:6} {word}")
        differing = sum(1 for row in self.rows if row["notes"])
        print(f"  {differing:6} of them with something to read above")
        if self.skipped:
            print("stays behind:")
            for why, count in sorted(self.skipped.items()):
                print(f"  {count:6} {why}")
        if self.clusters:
            print("each cluster joins with (its owner applies the file; docs/agent.md):")
            for cluster in self.clusters:
                words = objects.join_command(cluster)
                print(f"  {shlex.join(words)} --directory BUS --url URL > {words[3]}.yaml")
        if self.options.hold:
            print("policies are suspended: run again without --hold when the placements are right")
        bad = counts["refused"] + counts["changed"]
        if self.options.report:
            pathlib.Path(self.options.report).write_text(json.dumps({
                "applied": self.options.apply, "counts": counts, "objects": self.rows,
                "skipped": self.skipped,
                "join": [objects.join_command(c) for c in self.clusters]}, indent=1) + "\n", "utf-8")
        return 1 if bad else 0


def in_namespace(item, namespace):
    """The object as one of another namespace, to try it."""
    moved = json.loads(json.dumps(item))
    own = moved["metadata"]["namespace"]
    moved["metadata"]["namespace"] = namespace
    for selector in (moved.get("spec") or {}).get("resourceSelectors") or []:
        if isinstance(selector, dict) and selector.get("namespace") == own:
            selector["namespace"] = namespace
    return moved


def main():
    parser = argparse.ArgumentParser(prog="migrate-from-karmada", add_help=False)
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--to", dest="target", required=True)
    parser.add_argument("--from-context", default="")
    parser.add_argument("--to-context", default="")
    parser.add_argument("--namespace", action="append", default=[])
    parser.add_argument("--kubectl", default=os.environ.get("KUBECTL", "kubectl"))
    parser.add_argument("--report")
    for flag in ("apply", "adopt", "hold", "force", "verbose"):
        parser.add_argument(f"--{flag}", action="store_true")
    options = parser.parse_args()
    try:
        with contextlib.ExitStack() as stack:
            source = Server(stack, options.kubectl, "the Karmada API server", options.source,
                            options.from_context)
            target = Server(stack, options.kubectl, "the gateway", options.target, options.to_context)
            return Migration(options, source, target).run()
    except (Unreachable, OSError) as error:
        print(f"migrate-from-karmada: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

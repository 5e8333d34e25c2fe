"""The part of scripts/quickstart that runs once everything is built."""

import os
import pathlib
import shutil
import signal
import sys
import time

from stack import CLUSTERS, Stack, StackError, stop_saved

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SEALANE_BIN_DIR") or ROOT / "build" / "release" / "bin")
STATE = pathlib.Path(os.environ.get("SEALANE_QUICKSTART_DIR") or ROOT / "var" / "quickstart")
EXAMPLE = ROOT / "examples" / "classroom"
TIMEOUT_SECONDS = 90

COLOURS = sys.stdout.isatty()


def bold(text):
    return f"\x1b[1m{text}\x1b[0m" if COLOURS else text


class Story:
    """Tells what happens, with the time since the start."""

    def __init__(self):
        self.begin = time.monotonic()
        self.last = None

    def tell(self, text):
        if text != self.last:
            print(f"{time.monotonic() - self.begin:6.1f} s  {text}", flush=True)
            self.last = text


def indented(text):
    return "".join(f"          {line}\n" for line in text.splitlines())


def progress_of(stack):
    """(healthy, one line) about the application in all clusters."""
    apps = stack.get("apps", "-n", "classroom")
    main = next((a for a in apps if a["ref"]["kind"] == "Deployment"), None)
    if main is None:
        return False, "accepted; waiting for a policy to claim it"
    replicas = main.get("replicas", {})
    clusters = ", ".join(
        f"{c['cluster']} {c.get('replicas', {}).get('ready', 0)}/"
        f"{c.get('replicas', {}).get('wanted', 0)}" for c in main.get("clusters", []))
    healthy = sum(a.get("phase") == "Healthy" for a in apps)
    line = (f"{main.get('phase', 'Pending')}: {replicas.get('ready', 0)} of "
            f"{replicas.get('wanted', 0)} replicas ready"
            + (f" ({clusters})" if clusters else "")
            + f"; {healthy} of {len(apps)} objects healthy")
    # The namespace is not an application; everything else must be well.
    rest = [a for a in apps if a["ref"]["kind"] != "Namespace"]
    return all(a.get("phase") == "Healthy" for a in rest) and len(rest) >= 5, line


def clusters_ready(stack):
    ready = 0
    for cluster in stack.get("clusters"):
        conditions = {c["type"]: c["status"] for c in cluster.get("conditions", [])}
        ready += conditions.get("Ready") == "True"
    return ready


def wait(story, what, check):
    """Polls `check` -> (done, line) until done."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        done, line = check()
        story.tell(line)
        if done:
            return
        if time.monotonic() > deadline:
            raise StackError(f"{what} did not happen within {TIMEOUT_SECONDS} s; last seen: {line}",
                             STATE / "logs")
        time.sleep(0.1)


def run(story, stack):
    stack.progress = story.tell
    stack.start(CLUSTERS)

    story.tell("registering the three clusters")
    stack.sealane("apply", "-f", EXAMPLE / "clusters")
    wait(story, "the clusters becoming ready", lambda: (
        (count := clusters_ready(stack)) == len(CLUSTERS),
        f"{count} of {len(CLUSTERS)} clusters ready"))

    story.tell("publishing examples/classroom: sealane apply -f examples/classroom")
    print(indented(stack.sealane("apply", "-f", EXAMPLE)), end="", flush=True)
    wait(story, "the application becoming healthy", lambda: progress_of(stack))

    print("\n" + bold("Where it runs:") + " sealane status deployment/classroom\n")
    print(stack.sealane("status", "deployment/classroom", "-n", "classroom"))
    print(bold("The whole application:") + " sealane get apps -n classroom\n")
    print(stack.sealane("get", "apps", "-n", "classroom"), end="", flush=True)


def after_keep(stack):
    kubeconfig = (stack.state / "clusters" / "aws-virginia" / "kubeconfig")
    print(f"""
{bold('It keeps running.')} The web page: {bold(stack.page)}
To look from {ROOT}:
  export SEALANE_CONFIG={stack.config}
  export PATH="{stack.bin}:$PATH"
  sealane get clusters
  sealane get works -n classroom
  sealane status classroom --watch
  sealane explain deployment/classroom
  sealane render deployment/classroom --diff
  sealane events --follow
  kubectl --kubeconfig {kubeconfig} get deployments,pods -A
  curl -s http://127.0.0.1:{stack.ports['status']}/metrics
To try next:
  sealane simulate --drain aws-virginia
  sed 's/replicas: 6/replicas: 12/' examples/classroom/deployment.yaml | sealane apply -f -
  sed 's/weight: 2/weight: 4/' examples/classroom/propagation-policy.yaml | sealane apply -f -
  sealane delete -f examples/classroom
The logs are in {stack.logs}. To stop everything:
  scripts/quickstart --stop""")


def main():
    arguments = sys.argv[1:]
    stopped = stop_saved(STATE)
    if "--stop" in arguments:
        print(f"stopped {len(stopped)} processes" if stopped else "nothing was running")
        return 0
    keep = "--keep" in arguments
    shutil.rmtree(STATE, ignore_errors=True)
    # A terminated quick start must stop what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    story = Story()
    stack = Stack(BIN, STATE)
    kept = False
    try:
        run(story, stack)
        kept = keep
        if keep:
            after_keep(stack)
        return 0
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.log:
            print(f"The log that says more: {error.log}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if not kept:
            stack.stop()
            story.tell("stopped everything")


if __name__ == "__main__":
    sys.exit(main())

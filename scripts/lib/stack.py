"""A whole fleet on this machine: nats-server, the services, simulated clusters with their agents.

Used by scripts/quickstart and by the end-to-end tests. Everything runs as plain processes on free
loopback ports; every file is below one state directory; everything is stopped by its process id.

    stack = Stack(bin_dir, state_dir)
    stack.start(CLUSTERS)
    stack.sealane("apply", "-f", "examples/classroom")
    stack.stop()
"""

import dataclasses
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

SERVICES = ("policy", "scheduler", "status")


class StackError(Exception):
    """Something did not start or did not answer; `log` is the file that says more."""

    def __init__(self, message, log=None):
        super().__init__(message)
        self.log = log


@dataclasses.dataclass(frozen=True)
class BusKind:
    """How the bus holds its accounts and is reached; the default: a list in its configuration."""

    operator: str = ""  # accounts signed by an operator of this name
    tls: bool = False
    leaf: bool = False  # leaf nodes may connect
    servers: int = 1  # in one cluster


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A simulated member cluster."""

    name: str
    nodes: int = 3
    cpu: str = "8"
    memory: str = "16Gi"
    startup_delay: str = "300ms"


CLUSTERS = (Cluster("aliyun-beijing"), Cluster("tencent-shanghai"), Cluster("aws-virginia"))


_given_ports = set()


def free_port():
    """A TCP port of 127.0.0.1 that was free a moment ago; each only once in this process: the system gives
    one again as soon as nobody listens on it, also when its program has yet to begin."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given_ports:
            _given_ports.add(port)
            return port


def process_start_time(pid):
    """When the process started, in the kernel's words: together with the pid it names one process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None


class Process:
    """A program running beside us, with its log."""

    def __init__(self, name, argv, log, env=None):
        self.name, self.argv, self.log, self.env = name, [str(a) for a in argv], log, env
        self.child = None

    def start(self):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(self.env or {})}, start_new_session=True)

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child is not None and self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        """As a power cut would: SIGKILL, and wait until it is gone."""
        if self.running():
            self.child.kill()
        self.child.wait()

    def stop(self, timeout=10):
        """SIGTERM, and SIGKILL for who does not listen. Returns the exit code."""
        if self.running():
            self.child.terminate()
            try:
                self.child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.child.kill()
        return self.child.wait()


class Stack:
    """The fleet. `state_dir` keeps everything: remove it to begin anew."""

    def __init__(self, bin_dir, state_dir, on_progress=None, bus=BusKind()):
        self.bus = bus
        self.bin = pathlib.Path(bin_dir).resolve()
        self.state = pathlib.Path(state_dir).resolve()
        self.logs = self.state / "logs"
        self.accounts = self.state / "accounts"
        self.progress = on_progress or (lambda text: None)
        self.processes = {}  # name -> Process, in the order of their start
        self.ports = {}  # name -> port of its endpoint
        self.clusters = []
        self.nats_port = None
        self.nats_ports = []  # of several servers in a cluster
        self.platform = "demo"
        self.flags = {}  # program -> more flags
        self.admin_token = None  # of gateways
        self.starting = False

    # --- Starting ---------------------------------------------------------------------------------

    def start(self, clusters=CLUSTERS):
        """Starts everything and waits until it is ready. Register the clusters with `sealane`."""
        self.state.mkdir(parents=True, exist_ok=True)
        if self.logs.exists():
            shutil.rmtree(self.logs)  # a log is about one run
        self.clusters = list(clusters)
        self.starting = True
        self.start_nats()
        for name in SERVICES:
            self.start_service(name)
        for cluster in self.clusters:
            self.start_cluster(cluster)
        for name in SERVICES:
            self.wait_ready(name)
        for cluster in self.clusters:
            self.wait_ready(f"agent-{cluster.name}")
        self.starting = False

    def start_nats(self):
        self.nats_port = self.nats_port or free_port()
        self.ports["nats"] = free_port()  # its monitoring endpoint
        self.progress("generating the bus configuration (accounts, passwords)")
        self.run([self.bin / "sealane", "server-config", "--directory", self.accounts,
                  "--listen", f"127.0.0.1:{self.nats_port}",
                  "--monitor", f"127.0.0.1:{self.ports['nats']}",
                  "--store", self.state / "jetstream", *self.bus_options(),
                  *[arg for c in self.clusters for arg in ("--cluster", c.name)],
                  "--platform", self.platform], "server-config")
        self.write_context()
        self.progress("starting nats-server")
        if self.bus.servers == 1:
            self.spawn("nats", [self.nats_server(), "-c", self.accounts / "nats-server.conf"])
            self.wait_for("nats", lambda: self.http_ok(self.ports["nats"], "/healthz"))
            return
        # One configuration for all; what differs is on their command lines (docs/bus.md). Only that
        # these share a machine, and so need stores of different names.
        routes = [free_port() for _ in range(self.bus.servers)]
        self.nats_ports = [self.nats_port] + [free_port() for _ in routes[1:]]
        self.write_context()
        for i, route in enumerate(routes):
            name = f"nats-{i + 1}"
            self.ports[name] = free_port()
            own = self.accounts / f"{name}.conf"
            own.write_text((self.accounts / "nats-server.conf").read_text("utf-8").replace(
                str(self.state / "jetstream"), str(self.state / name)), "utf-8")
            self.spawn(name, [
                self.nats_server(), "-c", own, "--name", name, "--port", self.nats_ports[i],
                "--http_port", self.ports[name],
                "--cluster_name", "fleet", "--cluster", f"nats://127.0.0.1:{route}",
                "--routes", ",".join(f"nats://127.0.0.1:{r}" for r in routes)])
        for i in range(self.bus.servers):
            name = f"nats-{i + 1}"
            self.wait_for(name, lambda name=name: self.http_ok(self.ports[name], "/healthz"))

    def start_service(self, name, instance=None):
        """Starts policy, scheduler or status; a second one under another instance name."""
        instance = instance or name
        self.ports[instance] = self.ports.get(instance) or free_port()
        page = []
        if name == "status":
            port = self.ports[f"{instance}-page"] = self.ports.get(f"{instance}-page") or free_port()
            page = ["--page-listen", f"127.0.0.1:{port}"]
        self.progress(f"starting sealane-{name}")
        self.spawn(instance, [
            self.bin / f"sealane-{name}", "--bus-url", self.url,
            *self.login("sealane"), "--listen", f"127.0.0.1:{self.ports[instance]}",
            "--instance", instance, *page, *self.flags.get(name, [])])

    def start_gateway(self, instance="gateway", users=()):
        """Starts a gateway and waits until it is ready. `users`: (token, user, group, ...) besides
        `admin` of system:masters, for whom there is a kubeconfig."""
        make_certificates(self.state / "tls")
        home = self.state / "gateway"
        home.mkdir(exist_ok=True)
        token_file = home / "tokens.csv"
        if not token_file.exists():
            self.admin_token = secrets.token_hex(16)
            lines = [f'{self.admin_token},admin,1,"system:masters"']
            lines += [f'{token},{user},,"{",".join(groups)}"' for token, user, *groups in users]
            token_file.touch(0o600)
            token_file.write_text("\n".join(lines) + "\n", "utf-8")
        self.ports[instance] = self.ports.get(instance) or free_port()
        api = self.ports[f"{instance}-api"] = self.ports.get(f"{instance}-api") or free_port()
        self.progress("starting sealane-gateway")
        self.spawn(instance, [
            self.bin / "sealane-gateway", "--bus-url", self.url, *self.login("sealane-gateway"),
            "--listen", f"127.0.0.1:{self.ports[instance]}", "--instance", instance,
            "--api-listen", f"127.0.0.1:{api}", "--tls-cert", self.state / "tls" / "server.pem",
            "--tls-key", self.state / "tls" / "server.key", "--token-file", token_file,
            *self.flags.get("gateway", [])])
        self.write_kubeconfig(home / f"{instance}.kubeconfig", api, self.admin_token)
        self.wait_ready(instance)
        return home / f"{instance}.kubeconfig"

    def write_kubeconfig(self, path, port, token):
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "fleet",
            "clusters": [{"name": "fleet", "cluster": {
                "server": f"https://127.0.0.1:{port}", "certificate-authority": str(self.authority)}}],
            "contexts": [{"name": "fleet", "context": {"cluster": "fleet", "user": "me"}}],
            "users": [{"name": "me", "user": {"token": token}}]}), "utf-8")

    def start_cluster(self, cluster):
        self.start_kubesim(cluster)
        self.start_agent(cluster)

    def start_kubesim(self, cluster):
        name = f"kubesim-{cluster.name}"
        self.ports[name] = self.ports.get(name) or free_port()
        home = self.cluster_dir(cluster)
        home.mkdir(parents=True, exist_ok=True)
        kubeconfig = home / "kubeconfig"
        kubeconfig.unlink(missing_ok=True)
        self.progress(f"starting cluster {cluster.name}")
        self.spawn(name, [
            self.bin / "kubesim", "--name", cluster.name,
            "--listen", f"127.0.0.1:{self.ports[name]}", "--nodes", cluster.nodes,
            "--cpu", cluster.cpu, "--memory", cluster.memory,
            "--startup-delay", cluster.startup_delay, "--metrics", "on",
            "--kubeconfig-out", kubeconfig])
        self.wait_for(name, kubeconfig.exists)

    def start_agent(self, cluster):
        name = f"agent-{cluster.name}"
        self.ports[name] = self.ports.get(name) or free_port()
        home = self.cluster_dir(cluster)
        self.spawn(name, [
            self.bin / "sealane-agent", "--bus-url", self.url,
            *self.login(f"cluster-{cluster.name}"),
            "--listen", f"127.0.0.1:{self.ports[name]}", "--instance", name,
            "--cluster", cluster.name, "--kubeconfig", home / "kubeconfig",
            "--state-dir", home / "agent", *self.flags.get("agent", [])])

    def restart(self, name):
        """Starts a process again that was killed, with the same arguments and ports."""
        self.processes[name].start()
        self.save()

    # --- Stopping ---------------------------------------------------------------------------------

    def stop(self):
        """Stops everything this object started: the bus last, since the others say goodbye on it."""
        bus = [p for p in self.processes.values() if p.name.startswith("nats")]
        others = [p for p in self.processes.values() if not p.name.startswith("nats")]
        for group in (others, bus):
            started = [p for p in group if p.child is not None]
            for process in started:
                if process.running():
                    process.signal(signal.SIGTERM)
            for process in started:
                process.stop()
        (self.state / "processes.json").unlink(missing_ok=True)

    def save(self):
        """Remembers what runs, so that `stop_saved` can stop it from another process."""
        running = [
            {"name": p.name, "pid": p.pid, "started": process_start_time(p.pid)}
            for p in self.processes.values() if p.running()]
        (self.state / "processes.json").write_text(json.dumps(running, indent=1), encoding="utf-8")

    # --- Asking -----------------------------------------------------------------------------------

    @property
    def url(self):
        scheme = "tls" if self.bus.tls else "nats"
        return ",".join(f"{scheme}://127.0.0.1:{port}" for port in self.nats_ports or [self.nats_port])

    @property
    def authority(self):
        """The PEM file of the authority that signed the bus' certificate."""
        return self.state / "tls" / "ca.pem"

    @property
    def page(self):
        """The address of the web page."""
        return f"http://127.0.0.1:{self.ports['status-page']}/"

    @property
    def config(self):
        return self.state / "config.yaml"

    def sealane(self, *args, check=True, timeout=90):
        """Runs the CLI as the platform; returns its standard output."""
        argv = [str(self.bin / "sealane"), *map(str, args), "--config", str(self.config)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise StackError(f"`sealane {' '.join(map(str, args))}` ended with exit code "
                             f"{done.returncode}:\n{done.stdout}{done.stderr}", self.logs)
        return done.stdout

    def get(self, *args):
        """`sealane get ... -o json`, parsed."""
        return json.loads(self.sealane("get", *args, "-o", "json"))["items"]

    def cluster_get(self, cluster_name, path):
        """An object (or list) as the member cluster's own API server has it; None when absent."""
        kubeconfig = (self.state / "clusters" / cluster_name / "kubeconfig").read_text("utf-8")
        server, token = None, None
        for line in kubeconfig.replace(",", "\n").splitlines():
            key, _, value = line.strip().lstrip("-{ ").partition(":")
            if key.strip(' "') == "server":
                server = value.strip(' "}')
            if key.strip(' "') == "token":
                token = value.strip(' "}')
        request = urllib.request.Request(server + path)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def metrics(self, name):
        """The text of a process' /metrics."""
        with urllib.request.urlopen(
                f"http://127.0.0.1:{self.ports[name]}/metrics", timeout=10) as answer:
            return answer.read().decode()

    # --- Waiting ----------------------------------------------------------------------------------

    def wait_ready(self, name, timeout=30):
        self.wait_for(name, lambda: self.http_ok(self.ports[name], "/readyz"), timeout)

    def wait_for(self, name, condition, timeout=30):
        """Waits until the condition holds; fails when the process ends or the time is up."""
        process = self.processes[name]
        deadline = time.monotonic() + timeout
        while True:
            if condition():
                return
            # While all of it starts, one that ended may be what the others wait for.
            for watched in self.processes.values() if self.starting else [process]:
                if not watched.running():
                    raise StackError(f"{watched.name} ended with exit code "
                                     f"{watched.child.returncode}", watched.log)
            if time.monotonic() > deadline:
                why = self.why_not_ready(name)
                raise StackError(f"{name} was not ready within {timeout} s{why}", process.log)
            time.sleep(0.02)

    def why_not_ready(self, name):
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.ports[name]}/readyz", timeout=2):
                return ""
        except urllib.error.HTTPError as error:
            return ": " + error.read().decode(errors="replace").strip()
        except (OSError, KeyError):
            return ""

    @staticmethod
    def http_ok(port, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    # --- Details ----------------------------------------------------------------------------------

    def cluster_dir(self, cluster):
        return self.state / "clusters" / cluster.name

    def login(self, user):
        """Flags of a bus user; the secret stays in its file."""
        ca = ["--bus-ca", self.authority] if self.bus.tls else []
        if self.bus.operator:
            return ["--bus-creds", self.accounts / "creds" / f"{user}.creds", *ca]
        return ["--bus-user", user, "--bus-password-file", self.accounts / "passwords" / user, *ca]

    def bus_options(self):
        """Flags of `sealane server-config` for this kind of bus."""
        options = []
        if self.bus.operator:
            options += ["--operator", self.bus.operator]
        if self.bus.tls:
            make_certificates(self.state / "tls")
            options += ["--tls-cert", self.state / "tls" / "server.pem",
                        "--tls-key", self.state / "tls" / "server.key"]
        if self.bus.leaf:
            self.ports["leaf"] = self.ports.get("leaf") or free_port()
            options += ["--leaf-listen", f"127.0.0.1:{self.ports['leaf']}"]
        return options

    def write_context(self):
        """The config file of the CLI: a platform of this fleet."""
        user = f"platform-{self.platform}"
        login = f"    user: {user}\n    password-file: {self.accounts / 'passwords' / user}\n"
        if self.bus.operator:
            login = f"    creds-file: {self.accounts / 'creds' / user}.creds\n"
        if self.bus.tls:
            login += f"    ca-file: {self.authority}\n"
        self.config.write_text(
            f"current-context: {self.state.name}\n"
            "contexts:\n"
            f"  - name: {self.state.name}\n"
            f"    url: {self.url}\n{login}", encoding="utf-8")

    def spawn(self, name, argv):
        self.processes[name] = Process(name, argv, self.logs / f"{name}.log")
        self.processes[name].start()
        self.save()

    def run(self, argv, name):
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        with open(log, "wb") as output:
            code = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=output, check=False).returncode
        if code != 0:
            raise StackError(f"{name} ended with exit code {code}:\n{log.read_text('utf-8')}", log)

    @staticmethod
    def nats_server():
        # Debian installs it where an ordinary user's PATH may not look.
        path = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/sbin")
        if path is None:
            raise StackError("nats-server is not installed; run scripts/install-deps run")
        return path


def make_certificates(directory):
    """An authority, and a certificate of it for 127.0.0.1: ca.pem, server.pem, server.key."""
    if (directory / "server.pem").exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n", "utf-8")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for argv in (
            ["req", "-x509", *new_key, "-days", "2", "-subj", "/CN=fleet authority",
             "-keyout", "ca.key", "-out", "ca.pem"],
            ["req", *new_key, "-subj", "/CN=127.0.0.1", "-keyout", "server.key",
             "-out", "server.csr"],
            ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
             "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem"]):
        subprocess.run(["openssl", *argv], cwd=directory, check=True, capture_output=True)


def stop_saved(state_dir):
    """Stops what a Stack with this state directory left running. Returns the names."""
    path = pathlib.Path(state_dir) / "processes.json"
    if not path.exists():
        return []
    stopped = []
    entries = [e for e in json.loads(path.read_text("utf-8"))
               if e["started"] is not None and process_start_time(e["pid"]) == e["started"]]
    # The bus last, since the others say goodbye on it.
    for group in ([e for e in entries if e["name"] != "nats"],
                  [e for e in entries if e["name"] == "nats"]):
        for entry in group:
            os.kill(entry["pid"], signal.SIGTERM)
        deadline = time.monotonic() + 10
        for entry in group:
            while process_start_time(entry["pid"]) == entry["started"] and \
                    not is_zombie(entry["pid"]):
                if time.monotonic() > deadline:
                    os.kill(entry["pid"], signal.SIGKILL)
                    break
                time.sleep(0.02)
            stopped.append(entry["name"])
    path.unlink(missing_ok=True)
    return stopped


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True

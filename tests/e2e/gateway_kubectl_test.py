"""Every command whose exchanges with a real kube-apiserver were recorded (44 commands, for the current
kubectl and Debian's 1.20) ends at the gateway as it ends there; and what people do besides. Where the
gateway is no cluster, `DIFFERS` says what it answers instead, and why."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from fleet import wait_until
from gateway_fleet import DEBIANS_KUBECTL, GatewayFleetTest

RECORD = pathlib.Path(os.environ.get("SEALANE_KUBERNETES_REFERENCE", "")) / "kubectl.jsonl"

POLICY = """
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: web, namespace: default}
spec:
  resourceSelectors:
  - {apiVersion: apps/v1, kind: Deployment, name: web}
  - {apiVersion: v1, kind: Service, name: web}
  - {apiVersion: v1, kind: ConfigMap, name: cfg}
  placement:
    clusterAffinity: {clusterNames: [aliyun-beijing, aws-virginia]}
    replicaScheduling: {replicaSchedulingType: Divided, replicaDivisionPreference: Weighted}
"""

APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "nginx:%s", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cfg, namespace: default}
data: {k: %s}
"""

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-validations: [{rule: "self.size > 0"}]
            properties: {size: {type: integer}}
"""

AGE = r"(<invalid>|\d+s|\d+m\d*s?)"
NOT_FOUND = r'Error from server \(NotFound\): .*deployments.apps "web" not found'
WAITING = r"(Waiting for .*\n)*"

# The recorded commands in their order: (command, exit code, what it prints). Flags after "#" are not
# recorded: the recorded server ran no Pods, so it let commands wait in vain that succeed here.
COMMANDS = [
    ("version", 0, r"(?s)Client Version: .*Server Version: .*v1\.36"),
    ("api-resources", 0, r"(?m)^deployments +deploy +apps/v1 +true +Deployment$"),
    ("get all", 0, r"No resources found in default namespace\.\n"),
    ("apply -f app.yaml", 0,
     "deployment.apps/web created\nservice/web created\nconfigmap/cfg created\n"),
    ("diff -f app2.yaml", 1, r"(?s).*\n-  +- image: nginx:1\.25\n\+  +- image: nginx:1\.26\n.*"
                             r"\n-  k: v\n\+  k: w\n"),
    ("apply -f app2.yaml", 0,
     "deployment.apps/web configured\nservice/web unchanged\nconfigmap/cfg configured\n"),
    ("get deploy,svc,cm -o wide", 0,
     r"NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR\n"
     rf"deployment.apps/web +\d/2 +\d +\d +{AGE} +app +nginx:1.26 +app=web\n\n"
     r"NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE +SELECTOR\n"
     rf"service/web +ClusterIP +[0-9.]+ +<none> +80/TCP +{AGE} +app=web\n\n"
     rf"NAME +DATA +AGE\nconfigmap/cfg +1 +{AGE}\n"),
    ("get deploy web -o yaml", 0, r"(?s)apiVersion: apps/v1\n.*\n      - image: nginx:1\.26\n"),
    ("get deploy -l app=web -o name", 0, "deployment.apps/web\n"),
    ("get cm --field-selector metadata.name=cfg", 0, rf"NAME +DATA +AGE\ncfg +1 +{AGE}\n"),
    ("describe deploy web", 0, r"(?s)Name: +web\n.*\nReplicas: +2 desired .*\n +Image: +nginx:1\.26"),
    ("scale deploy web --replicas=3", 0, "deployment.apps/web scaled\n"),
    ("set image deploy/web app=nginx:1.27", 0, "deployment.apps/web image updated\n"),
    ("rollout status deploy/web --timeout=3s # --timeout=60s", 0,
     WAITING + r'deployment "web" successfully rolled out\n'),
    ("rollout history deploy/web", 0, r"deployment.apps/web *\nNo rollout history found\.\n"),
    ("rollout restart deploy/web", 0, "deployment.apps/web restarted\n"),
    ("annotate deploy web a=b", 0, "deployment.apps/web annotated\n"),
    ("label cm cfg x=y", 0, "configmap/cfg labeled\n"),
    ('patch deploy web --type=merge -p {"spec":{"replicas":1}}', 0, "deployment.apps/web patched\n"),
    ('patch cm cfg --type=json -p [{"op":"add","path":"/data/z","value":"1"}]', 0,
     "configmap/cfg patched\n"),
    ("apply --server-side --force-conflicts -f app.yaml", 0,
     "deployment.apps/web serverside-applied\nservice/web serverside-applied\n"
     "configmap/cfg serverside-applied\n"),
    ("apply --server-side --dry-run=server -f app2.yaml", 0,
     r"deployment.apps/web serverside-applied \(server dry run\)\nservice/web .*\nconfigmap/cfg .*\n"),
    ("wait --for=condition=Available deploy/web --timeout=2s # --timeout=60s", 0,
     "deployment.apps/web condition met\n"),
    ("get events", 0, r"No resources found in default namespace\.\n"),
    ("create ns team", 0, "namespace/team created\n"),
    ("create configmap c2 --from-literal=a=b -n team", 0, "configmap/c2 created\n"),
    ("get cm -A", 0, rf"NAMESPACE +NAME +DATA +AGE\ndefault +cfg +2 +{AGE}\nteam +c2 +1 +{AGE}\n"),
    ("auth can-i create deployments", 0, "yes\n"),
    ("top pods", 1, "error: Metrics API not available\n"),
    ("logs deploy/web # --pod-running-timeout=1s", 1, r"error: timed out waiting for the condition"),
    ("get --raw /readyz", 0, r"ok$"),
    ("get cm cfg -w --request-timeout=2s", 0, rf"NAME +DATA +AGE\ncfg +2 +{AGE}\n"),
    ("delete -f app.yaml --wait=true", 0,
     'deployment.apps "web" deleted\nservice "web" deleted\nconfigmap "cfg" deleted\n'),
    ("delete ns team --wait=false", 0, 'namespace "team" deleted\n'),
    # Only what has the label is applied.
    ("apply --prune -l app=web -f app.yaml", 0, "deployment.apps/web created\n"),
    ("delete deploy web --cascade=foreground", 0, 'deployment.apps "web" deleted\n'),
    ("get nodes", 0, r"No resources found"),
    ("cluster-info", 0, r".*Kubernetes control plane.* is running at .*https://127\.0\.0\.1:"),
    ("replace -f app.yaml", 1, r"service/web replaced\n" + NOT_FOUND),
    ("expose deploy web --port=80 --name=w2", 1, NOT_FOUND),
    ("get deploy web --show-managed-fields -o json", 1, NOT_FOUND),
    ("delete all -l app=web", 0, "No resources found\n"),
]

# What a cluster with nodes answers otherwise.
DIFFERS = {
    "rollout history deploy/web": "ReplicaSets are in the clusters; `sealane history` has the revisions",
    "rollout status deploy/web --timeout=3s": "the recorded server ran no Pods",
    "wait --for=condition=Available deploy/web --timeout=2s": "the recorded server ran no Pods",
    "get events": "events of Pods and nodes are in the clusters; `sealane events` has the fleet's",
    "logs deploy/web": "Pods are in the clusters",
    "get nodes": "nodes are in the clusters; `kubectl get clusters` lists these",
}

# Debian's kubectl: what it does otherwise by itself, with any current server.
OLD = {
    "top pods": None,  # not recorded: it ends with a stack trace
    "get deploy web --show-managed-fields -o json": None,  # has no such flag
    "apply --prune -l app=web -f app.yaml":
        (1, r'error: .*no matches for kind "CronJob" in version "batch/v1beta1"'),
}


class KubectlTest(GatewayFleetTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.files = tempfile.TemporaryDirectory(prefix="sealane-kubectl-")
        cls.addClassCleanup(cls.files.cleanup)
        for name, values in (("app.yaml", ("1.25", "v")), ("app2.yaml", ("1.26", "w"))):
            cls.file(name).write_text(APP % values, "utf-8")
        version = json.loads(cls.kubectl("version", "--client", "-o", "json"))
        cls.minor = int(re.match(r"\d+", version["clientVersion"]["minor"]).group())
        cls.old = cls.minor < 25
        cls.kubectl("apply", "-f", "-", text=POLICY)

    @classmethod
    def file(cls, name):
        return pathlib.Path(cls.files.name) / name

    def ends(self, command, code, pattern):
        """Runs a command line of words separated by spaces, files below self.files."""
        done = self.kubectl(*command.split(" "), check=False, cwd=self.files.name)
        output = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, f"kubectl {command}\n{output}")
        self.assertRegex(output, pattern, f"kubectl {command}")
        return done.stdout

    def app(self):
        self.kubectl("apply", "-f", self.file("app.yaml"))
        self.addCleanup(self.kubectl, "delete", "-f", self.file("app.yaml"), "--ignore-not-found",
                        "--timeout=60s", timeout=90)

    def member(self, cluster="aws-virginia"):
        return self.deployment(cluster, "web", "default")

    def test_1_every_recorded_command(self):
        for line, code, pattern in COMMANDS:
            command, _, more = line.partition(" # ")
            if self.old and command in OLD:
                if OLD[command] is None:
                    continue
                code, pattern = OLD[command]
            with self.subTest(command=command):
                # What is expected is all that is printed, except for old clients' warnings.
                self.ends(f"{command} {more}".strip(), code, pattern)
        self.kubectl("delete", "-f", self.file("app.yaml"), "--ignore-not-found")

    def test_2_no_recorded_command_is_left_out(self):
        if not RECORD.is_file():
            self.skipTest("the record is not on this machine")
        prefix = f"v1.{20 if self.old else 32}: kubectl "
        with open(RECORD, encoding="utf-8") as record:
            recorded = {json.loads(line)["cmd"] for line in record}
        recorded = {c[len(prefix):] for c in recorded if c.startswith(prefix)}
        self.assertGreater(len(recorded), 35)
        tried = {line.partition(" # ")[0] for line, _, _ in COMMANDS}
        self.assertEqual(recorded - tried, set())
        self.assertEqual(set(DIFFERS) - tried, set())

    def test_3_edit_patch_scale_and_rollout(self):
        self.app()
        editor = self.file("editor.sh")
        editor.write_text("sed -i 's/k: v/k: edited/' \"$1\"\n", "utf-8")
        self.kubectl("edit", "cm", "cfg", env={"KUBE_EDITOR": f"sh {editor}"})
        self.ends("get cm cfg -o jsonpath={.data.k}", 0, "^edited$")
        self.ends("scale deploy web --current-replicas=9 --replicas=1", 1,
                  "Expected replicas to be 9, was 2")
        self.ends("scale deploy web --replicas=4", 0, "scaled")
        self.kubectl("rollout", "status", "deploy/web", "--timeout=60s", timeout=90)
        self.assertEqual(self.member()["spec"]["replicas"], 2)
        # Strategic: the container of this name keeps what the patch does not say.
        self.ends('patch deploy web -p {"spec":{"template":{"spec":{"containers":'
                  '[{"name":"app","image":"nginx:1.28"}]}}}}', 0, "patched")
        web = json.loads(self.kubectl("get", "deploy", "web", "-o", "json"))
        container = web["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual((container["image"], container["ports"][0]["containerPort"]),
                         ("nginx:1.28", 80))
        self.ends('patch deploy web --type=merge -p {"metadata":{"labels":{"tier":"front"}}}', 0,
                  "patched")
        self.ends('patch deploy web --type=json -p [{"op":"remove","path":"/metadata/labels/tier"}]',
                  0, "patched")
        self.ends("get deploy web --show-labels --no-headers", 0, r"app=web\n$")
        self.ends("patch cm none -p {}", 1, r"\(NotFound\)")
        # There are no ReplicaSets to go back to; revisions are the fleet's.
        self.ends("rollout undo deploy/web", 1, 'no rollout history found for deployment "web"')
        self.ends("rollout pause deploy/web", 0, "paused")
        self.ends("rollout resume deploy/web", 0, "resumed")
        self.stack.sealane("rollback", "deployment/web", "--to", "1", "-n", "default")
        self.ends("get deploy web -o jsonpath={..image}", 0, "^nginx:1.25$")
        if not self.old:
            self.ends("wait --for=jsonpath={.status.readyReplicas}=2 deploy/web --timeout=60s", 0,
                      "condition met")

    def test_4_ownership_labels_and_annotations(self):
        self.kubectl("apply", "--server-side", "-f", self.file("app.yaml"))
        self.addCleanup(self.kubectl, "delete", "-f", self.file("app.yaml"))
        self.ends("apply --server-side --field-manager=other -f app2.yaml", 1,
                  r'conflict with "kubectl"')
        self.ends("get cm cfg -o jsonpath={.data.k}", 0, "^v$")
        self.ends("apply --server-side --field-manager=other --force-conflicts -f app2.yaml", 0,
                  "configmap/cfg serverside-applied")
        self.ends("get cm cfg -o jsonpath={.data.k}", 0, "^w$")
        self.ends("label cm cfg color=blue", 0, "labeled")
        self.ends("label cm cfg color=red", 1, "already has a value")
        self.ends("label cm cfg color=red --overwrite", 0, "labeled")
        self.ends("get cm -l color=red -o name", 0, "^configmap/cfg\n$")
        self.ends("get cm -l color!=red,x -o name", 0, "^$")
        self.ends("label cm cfg color-", 0, "labeled|unlabeled")
        self.ends("annotate cm cfg note=yes", 0, "annotated")
        self.ends("annotate cm cfg note-", 0, "annotated")

    def test_5_delete_and_create(self):
        self.app()
        wait_until("the member has it", self.member)
        # Nothing is owned by the Deployment here; in the members everything goes with it.
        self.ends("delete deploy web --cascade=orphan --timeout=60s", 0, "deleted")
        self.assertIsNone(self.member())
        self.ends("delete deploy web", 1, NOT_FOUND)
        self.ends("delete deploy web --ignore-not-found", 0, "^$")
        made = self.kubectl("create", "-o", "name", "-f", "-", text=json.dumps({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"generateName": "made-", "namespace": "default", "labels": {"made": "1"}}}))
        self.assertRegex(made, r"^configmap/made-[a-z0-9]{5}\n$")
        self.ends("delete cm -l made=1", 0, r'configmap "made-.*" deleted')
        self.ends("create -f app.yaml", 1, r'configmaps "cfg" already exists')
        self.ends("create secret generic s --from-literal=a=b", 0, "created")
        self.ends("get secret s -o jsonpath={.data.a}", 0, "^Yg==$")
        self.ends("delete secret s", 0, "deleted")

    def test_6_shapes_of_output(self):
        self.app()
        self.ends("get deploy -o custom-columns=NAME:.metadata.name,N:.spec.replicas", 0,
                  r"^NAME +N\nweb +2\n$")
        self.ends("get deploy web -o go-template={{.metadata.name}}", 0, "^web$")
        self.ends("get cm --sort-by=.metadata.name -o name", 0, "configmap/cfg")
        self.ends("get cluster -o wide", 0, r"NAME +PROVIDER +REGION +VERSION +READY +AGE")
        self.ends("describe cluster aws-virginia", 0, r"(?s)Name: +aws-virginia\n.*Provider: +aws")
        self.ends("api-resources --api-group=policy.karmada.io -o name", 0,
                  "clustertaintpolicies.policy.karmada.io")
        self.ends("api-resources --namespaced=false", 0,
                  r"workloadrebalancers +apps.karmada.io/v1alpha1 +false +WorkloadRebalancer")
        self.ends("api-versions", 0, r"(?m)^cluster.karmada.io/v1alpha1$")
        if not self.old:  # which reads OpenAPI v2, where no types are described
            self.ends("explain deploy.spec.replicas", 0, r"FIELD: replicas <integer>")
            self.ends("explain pod.spec.containers", 0, r"envFrom\s+<\[\]EnvFromSource>")
            self.ends("explain deploy.spec.replica", 1, r'field "replica" does not exist')
            self.ends("explain cluster", 0, r"metadata\s+<ObjectMeta>")

    def test_7_a_watch_tells_changes(self):
        self.app()
        argv = [str(self.program), "--kubeconfig", str(self.kubeconfig), "get", "cm", "cfg", "-w",
                "-o", "jsonpath={.data.k}{\"\\n\"}"]
        log = self.file("watch.log")
        with open(log, "wb") as out:
            watch = subprocess.Popen(argv, stdout=out, stderr=out, start_new_session=True)
        try:
            wait_until("what is there is shown", lambda: log.read_text("utf-8") == "v\n")
            self.kubectl("apply", "-f", self.file("app2.yaml"))
            wait_until("the change is shown", lambda: log.read_text("utf-8") == "v\nw\n")
        finally:
            watch.terminate()
            watch.wait(10)


    def test_8_roles_that_every_cluster_has(self):
        for role in ("cluster-admin", "admin", "edit", "view"):
            self.ends(f"get clusterrole {role} -o name", 0,
                      f"clusterrole.rbac.authorization.k8s.io/{role}")
        self.ends("describe clusterrole view", 0, r"deployments.apps +\[\] +\[\] +\[get list watch\]")
        self.ends("create rolebinding eve --clusterrole=view --user=eve", 0, "created")
        self.ends("delete rolebinding eve", 0, "deleted")
        self.ends("delete clusterrole view", 1, r"Forbidden.*cannot be deleted")
        self.ends("delete ns default", 1, r"Forbidden.*may not be deleted")
        self.ends("get --raw /", 0, r'"/apis/apps/v1"')

    def test_9_autoscalers_and_what_only_old_clients_make(self):
        self.app()
        percent = "--cpu-percent=60" if self.minor < 34 else "--cpu=60%"
        self.ends(f"autoscale deploy web --min=1 --max=3 {percent}", 0, "autoscaled")
        self.ends("get horizontalpodautoscalers.v1.autoscaling web -o jsonpath={.spec.targetCPUUtilizationPercentage}", 0,
                  "^60$")
        self.ends("get horizontalpodautoscalers.v2.autoscaling web -o jsonpath={.spec.metrics[0].resource.target}", 0,
                  '"averageUtilization":60|averageUtilization:60')
        self.ends("delete hpa web", 0, "deleted")
        self.ends("create cronjob tick --image=busybox --schedule=@hourly", 0, "created")
        self.ends("get cronjobs.v1.batch tick -o jsonpath={.spec.schedule}", 0, "^@hourly$")
        self.ends("delete cronjob tick", 0, "deleted")
        if not self.old:  # which asks for policy/v1beta1: another meaning of an empty selector
            self.ends("create pdb some --selector=app=web --min-available=1", 0, "created")
            self.ends("delete pdb some", 0, "deleted")

    def test_a_rebalancer_and_a_taint_policy(self):
        self.app()
        wait_until("it is placed", lambda: "web-deployment" in self.kubectl(
            "get", "resourcebindings", "-o", "name"))
        workloads = [{"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": name}
                     for name in ("web", "gone")]
        self.kubectl("create", "-f", "-", text=json.dumps({
            "apiVersion": "apps.karmada.io/v1alpha1", "kind": "WorkloadRebalancer",
            "metadata": {"name": "again"}, "spec": {"workloads": workloads}}))
        wait_until("it is told what became of them", lambda: self.kubectl(
            "get", "workloadrebalancer", "again", "-o",
            "jsonpath={.status.observedWorkloads[*].result} {.status.observedGeneration}"
        ) == "Successful Failed 1")
        self.ends("delete workloadrebalancer again", 0, "deleted")
        policy = {"apiVersion": "policy.karmada.io/v1alpha1", "kind": "ClusterTaintPolicy",
                  "metadata": {"name": "trial"}, "spec": {"taints": [
                      {"key": "trial", "effect": "NoSchedule"}]}}
        self.file("taints.yaml").write_text(json.dumps(policy), "utf-8")
        self.ends("apply -f taints.yaml", 0, r"(?s)without spec.addOnConditions.*created|created.*without")
        self.ends("get ctp -o name", 0, "clustertaintpolicy.policy.karmada.io/trial")
        policy["spec"]["taints"][0]["effect"] = "Always"
        self.file("taints.yaml").write_text(json.dumps(policy), "utf-8")
        self.ends("apply -f taints.yaml", 1, r"spec.taints\[0\].effect")
        self.ends("delete ctp trial", 0, "deleted")

    def test_a_definition_with_rules_and_objects(self):
        self.file("crd.yaml").write_text(DEFINITION, "utf-8")
        self.ends("apply -f crd.yaml", 0, r"(?s)Warning: .*rules \(CEL\) are not evaluated|created.*Warn")
        self.ends("wait --for=condition=Established crd/widgets.example.com --timeout=20s", 0, "met")
        self.kubectl("create", "-f", "-", text=json.dumps({
            "apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": "w", "namespace": "default", "finalizers": ["example.com/hold"]},
            "spec": {"size": 0}}))
        self.ends("delete crd widgets.example.com --wait=false", 0, "deleted")
        wait_until("the object is being deleted", lambda: self.kubectl(
            "get", "widget", "w", "-o", "jsonpath={.metadata.deletionTimestamp}"))
        self.ends("get crd widgets.example.com -o name", 0, "widgets.example.com")
        self.ends('patch widget w --type=merge -p {"metadata":{"finalizers":null}}', 0, "patched")
        wait_until("the definition is gone", lambda: self.kubectl(
            "get", "crd", "widgets.example.com", check=False).returncode)


class DebiansKubectlTest(KubectlTest):
    """The same with Debian's kubectl, where it is installed beside another one."""

    program = DEBIANS_KUBECTL


if __name__ == "__main__":
    unittest.main()

"""A browser opens the web page of a fleet; a cluster dies, and the page shows it.

    python3 page_test.py                      the test
    python3 page_test.py --keep-screenshots   and writes the pictures of docs/images
"""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

from browser import Browser
from fleet import BIN, CLASSROOM, ROOT, FleetTest, wait_until
from stack import Cluster

KEEP = "--keep-screenshots" in sys.argv
IMAGES = ROOT / "docs" / "images"

PLACES = {
    "aliyun-beijing": ("aliyun", "cn-beijing"),
    "aliyun-hangzhou": ("aliyun", "cn-hangzhou"),
    "aws-virginia": ("aws", "us-east-1"),
    "tencent-shanghai": ("tencent", "cn-shanghai"),
}

CLUSTER = """
apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {{name: {name}, labels: {{provider: {provider}, region: {region}}}}}
spec: {{syncMode: Pull, provider: {provider}, region: {region}}}
"""

POLICY = """
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: everywhere, namespace: shop}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, labelSelector: {matchLabels: {run: "yes"}}}]
  placement:
    clusterAffinity: {labelSelector: {matchExpressions: [{key: provider, operator: In, values: [aliyun, aws]}]}}
    replicaScheduling: {replicaSchedulingType: Divided, replicaDivisionPreference: Weighted,
                        weightPreference: {dynamicWeight: AvailableReplicas}}
"""

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: shop, labels: {{app: {name}, run: "{run}"}}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: main
          image: "shop/{name}:1.0"
          resources: {{requests: {{cpu: 500m, memory: 512Mi}}}}
"""

# Names that are allowed (path segments) and are markup all the same.
MARKUP = "<img src=x onerror=alert`1`>"
SCRIPT = "<script>alert`1`"
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: "{}"}}
rules: []
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: shop}
stringData: {password: hush-hush}
"""


# How far all text stands out from what is behind it, by WCAG: what stands out less than 4.5 to 1.
PALE = """(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e !== null; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const pale = [];
  for (const element of document.body.querySelectorAll("*")) {
    if (![...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    if (!element.checkVisibility() || element.disabled) continue;
    const [a, b] = [numbers(getComputedStyle(element).color), behind(element)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) pale.push(`${element.className}: ${element.textContent} ${ratio.toFixed(1)}`);
  }
  return [document.body.innerText.length > 1000, pale];
})()"""

# What has moved under the reader's eyes since the page was opened (Cumulative Layout Shift).
JUMPS = """new Promise((done) => {
  const seen = [];
  new PerformanceObserver((list) => seen.push(...list.getEntries())).observe(
    { type: "layout-shift", buffered: true });
  requestAnimationFrame(() => setTimeout(() => done(seen.filter((s) => !s.hadRecentInput).map((s) => [
    s.value, ...s.sources.map((x) => x.node?.className ?? x.node?.nodeName)])), 0));
})"""


class PageTest(FleetTest):
    """Heartbeats hold for 2 s; nothing moves away meanwhile."""

    clusters = tuple(Cluster(name) for name in PLACES)
    flags = {
        "agent": ["--heartbeat-interval", "500ms"],
        "status": ["--lease", "2s", "--hold", "1s", "--failover-after", "10m",
                   "--capacity-interval", "500ms"],
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = Browser(cls.directory.name)
        cls.addClassCleanup(cls.browser.close)
        cls.apply(*(CLUSTER.format(name=name, provider=provider, region=region)
                    for name, (provider, region) in PLACES.items()))
        wait_until("every cluster is ready", cls.all_clusters_ready)
        cls.stack.sealane("apply", "-f", CLASSROOM)
        cls.apply(POLICY, SECRET, *(DEPLOYMENT.format(name=name, replicas=replicas, run=run)
                                    for name, replicas, run in (("cart", 6, "yes"), ("search", 4, "yes"),
                                                                ("web", 8, "yes"), ("worker", 2, "no"))))
        cls.page = cls.browser.open(cls.stack.page)
        cls.see("the page is live and complete", """
            document.querySelector("#live").textContent === "Live"
            && document.querySelectorAll(".spot[data-state=Ready]").length === 4
            && [...document.querySelectorAll(".phase")].some((b) => b.textContent === "●Healthy 4")
            && document.querySelectorAll(".tile-value")[3].textContent !== "0 %"
            && !document.querySelector(".providers").textContent.includes("Joining")""")

    @classmethod
    def all_clusters_ready(cls):
        # FleetTest registers those of the quick start; the fourth comes after.
        states = [{c["type"]: c["status"] for c in cluster.get("conditions", [])}
                  for cluster in cls.stack.get("clusters")]
        return len(states) >= 3 and all(state.get("Ready") == "True" for state in states)

    @classmethod
    def apply(cls, *texts):
        done = subprocess.run([BIN / "sealane", "apply", "-f", "-", "--config", cls.stack.config],
                              input="---".join(texts), capture_output=True, text=True, timeout=60,
                              check=False)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    @classmethod
    def see(cls, what, expression, timeout=60):
        """Waits until the expression is true in the browser; one that fails is not yet true."""
        return wait_until(what, lambda: cls.page.evaluate(
            f"(() => {{ try {{ return ({expression}); }} catch {{ return false; }} }})()"), timeout)

    def text(self, selector):
        return self.page.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def go(self, route):
        self.page.evaluate(f"location.hash = {json.dumps(route)}; undefined")

    def get(self, path, method="GET", headers=None):
        request = urllib.request.Request(self.stack.page + path, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def picture(self, name):
        """Kept below docs/images with --keep-screenshots, else only made."""
        with tempfile.TemporaryDirectory() as temporary:
            path = (IMAGES if KEEP else pathlib.Path(temporary)) / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path)
            self.assertGreater(path.stat().st_size, 20_000, "an empty picture")

    def fits(self, what):
        """Nothing is wider than the window."""
        self.assertLessEqual(
            self.page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0, what)

    def tearDown(self):
        self.assertEqual(self.page.errors, [], "errors in the browser's console")

    # --- Tests, in their order ------------------------------------------------------------------------

    def test_1_the_fleet_is_shown(self):
        self.assertEqual(self.page.evaluate(
            "[...document.querySelectorAll('.provider h3')].map((e) => e.textContent)"),
            ["aliyun", "aws", "tencent"])
        self.assertEqual(self.page.evaluate(
            "[...document.querySelectorAll('.tile-value')].slice(0, 3).map((e) => e.textContent)"),
            ["4 of 4", "4 of 5", "24 of 24"])
        # The worker that nobody claims is Pending, and is found by it.
        self.page.evaluate("[...document.querySelectorAll('.phase')]"
                           ".find((b) => b.textContent.includes('Pending')).click()")
        self.see("only what is pending", "[...document.querySelectorAll('[aria-labelledby=apps-title] tbody th a')]"
                 ".map((a) => a.textContent).join() === 'worker'")
        self.page.evaluate("[...document.querySelectorAll('.phase')]"
                           ".find((b) => b.textContent.includes('Pending')).click()")
        self.see("all of it again", "document.querySelectorAll("
                 "'[aria-labelledby=apps-title] tbody tr').length === 5")
        self.see("the past is told", "document.querySelectorAll('.event').length > 10")

    def test_2_in_light_and_dark_and_on_a_phone(self):
        backgrounds = {}
        for scheme in ("light", "dark"):
            self.page.scheme(scheme)
            self.page.size(1440, 1000)
            self.page.evaluate("scrollTo(0, 0)")
            self.fits(scheme)
            backgrounds[scheme] = self.page.evaluate("getComputedStyle(document.body).backgroundColor")
            self.assertEqual(self.page.evaluate(PALE), [True, []], f"too little contrast: {scheme}")
            self.picture(f"page-{scheme}")
        self.assertNotEqual(backgrounds["light"], backgrounds["dark"])
        self.page.scheme("light")
        self.page.size(390, 844, mobile=True)
        self.fits("phone")
        self.picture("page-phone")
        self.go("#/app?group=apps&kind=Deployment&namespace=shop&name=web")
        self.see("the application", "document.querySelectorAll('#why tbody tr').length === 4")
        self.fits("phone, one application")
        self.go("#/")
        self.page.size(1440, 900)

    def test_3_what_is_not_there_is_said(self):
        self.go("#/cluster?name=nowhere")
        self.see("that there is none", "document.querySelector('#banner').innerText ==="
                 " 'There is no cluster nowhere.' && document.querySelector('#live').textContent === 'Live'")
        self.go("#/app?group=apps&kind=Deployment&namespace=shop&name=nothing")
        self.see("that there is none", "document.querySelector('#banner').innerText ==="
                 " 'There is no Deployment shop/nothing.'")
        self.go("#/")
        self.see("the overview again", "document.querySelector('#detail').hidden &&"
                 " document.querySelector('#banner').hidden")
        self.page.errors[:] = [e for e in self.page.errors if "name=nothing" not in e]

    def test_3_nothing_jumps_when_it_opens(self):
        page = self.browser.open(self.stack.page)
        self.addCleanup(self.page.call, "Page.bringToFront")
        self.addCleanup(page.close)
        wait_until("the page is complete", lambda: page.evaluate(
            "document.querySelectorAll('[aria-labelledby=apps-title] tbody tr').length === 5 &&"
            " document.querySelectorAll('.event').length > 10"))
        shifts = page.evaluate(JUMPS)
        self.assertLess(sum(shift[0] for shift in shifts), 0.1, shifts)

    def test_3_why_here(self):
        self.go("#/app?group=apps&kind=Deployment&namespace=shop&name=web")
        self.see("the scheduler's reasons", "document.querySelectorAll('#why tbody tr').length === 4")
        why = self.text("#why")
        self.assertIn("ClusterAffinity refused 1", why)
        self.assertRegex(why, r"(?s)aliyun-beijing.*yes.*tencent-shanghai.*refused.*ClusterAffinity:")
        self.assertEqual(self.page.evaluate("document.activeElement.id"), "detail-title",
                         "who uses the keyboard is where the page is")
        self.assertEqual(self.page.evaluate("document.title"), "shop/web – Sealane")
        self.picture("page-why")
        self.go("#/cluster?name=aws-virginia")
        self.see("what is placed in the cluster", "document.querySelector('#detail-title')?.textContent"
                 " === 'aws-virginia' && document.body.innerText.includes('cart')")
        self.page.evaluate("document.querySelector('.back').focus()")
        self.page.press("Enter")
        self.see("the overview again", "document.querySelector('#detail').hidden")

    def test_4_a_cluster_dies_and_the_page_shows_it(self):
        self.page.evaluate("window.neverReloaded = true")
        before = self.page.evaluate("document.querySelectorAll('.event').length")
        self.assertGreater(before, 0)
        for process in ("agent-aws-virginia", "kubesim-aws-virginia"):
            self.stack.processes[process].kill()
        self.see("the map shows it", """
            document.querySelector(".spot[data-cluster=aws-virginia]").dataset.state === "Lost"
            && document.querySelector(".tile-value").textContent === "3 of 4" """, timeout=30)
        self.see("the event is told", "[...document.querySelectorAll('.event')].some((e) =>"
                 " e.innerText.includes('ClusterLost') && e.innerText.includes('aws-virginia'))")
        self.see("the applications know", "[...document.querySelectorAll('[aria-labelledby=apps-title] .chip')]"
                 ".some((c) => c.title === 'aws-virginia: Lost')")
        self.assertTrue(self.page.evaluate("window.neverReloaded"))
        self.page.evaluate("scrollTo(0, 0)")
        self.page.size(1440, 1000)
        self.page.scheme("light")
        self.picture("page-lost")
        for process in ("kubesim-aws-virginia", "agent-aws-virginia"):
            self.stack.restart(process)
        self.see("and that it is back", """
            document.querySelector(".spot[data-cluster=aws-virginia]").dataset.state === "Ready" """)
        self.assertTrue(self.page.evaluate("window.neverReloaded"))

    def test_5_markup_is_text_and_secrets_are_not_told(self):
        self.page.evaluate("window.alert = () => { document.title = 'attacked'; }")
        self.apply(ROLE.format(MARKUP), ROLE.format(SCRIPT))
        self.page.evaluate("document.querySelector('#all-objects').click()")
        row = "[...document.querySelectorAll('[aria-labelledby=apps-title] th a')]" \
              f".find((a) => a.textContent === {json.dumps(MARKUP)})"
        self.see("the role's name as it is", f"{row} !== undefined")
        for name in (MARKUP, SCRIPT):
            self.see("an event about it", "[...document.querySelectorAll('.event')].some((e) =>"
                     f" e.innerText.includes({json.dumps(name)}))")
        self.page.evaluate(f"{row}.click()")
        self.see("its own view", f"document.querySelector('#detail-title')?.textContent === {json.dumps(MARKUP)}")
        self.assertEqual(self.page.evaluate(
            "document.querySelectorAll('img:not(.brand img), script:not([src=\"main.js\"])').length"),
            0, "no element came of it")
        self.assertNotEqual(self.page.evaluate("document.title"), "attacked")
        self.go("#/")
        for path in ("api/apps?limit=200", "api/app?kind=Secret&namespace=shop&name=login",
                     "api/explain?kind=Secret&namespace=shop&name=login"):
            self.assertNotIn("hush", self.get(path)[2])
        self.page.evaluate("document.querySelector('#all-objects').click()")
        self.page.errors[:] = [e for e in self.page.errors if "api/explain" not in e]  # 404: unclaimed

    def test_6_everything_comes_from_here_and_is_read_only(self):
        # With the markup of the test before: nothing was asked elsewhere.
        strange = [url for url in self.page.requests if not url.startswith(self.stack.page)]
        self.assertEqual(strange, [])
        self.assertEqual(self.page.evaluate(
            "performance.getEntriesByType('resource').filter((r) => !r.name.startsWith(location.origin))"
            ".length"), 0)
        status, headers, _ = self.get("")
        self.assertEqual(status, 200)
        self.assertIn("default-src 'self'", headers["Content-Security-Policy"])
        self.assertEqual(self.get("", headers={"If-None-Match": headers["ETag"]})[0], 304)
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            self.assertEqual(self.get("api/clusters", method=method)[0], 405)
        self.assertEqual(self.get("", headers={"Host": "elsewhere.example"})[0], 421)

    def test_7_a_standby_says_who_leads_and_the_page_finds_its_way(self):
        self.stack.start_service("status", "status-2")
        self.stack.wait_ready("status-2")
        url = f"http://127.0.0.1:{self.stack.ports['status-2-page']}/"
        with urllib.request.urlopen(url, timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url + "api/summary", timeout=10)
        with refused.exception as error:
            self.assertEqual(error.code, 503)
            body = json.load(error)
        self.assertEqual(body["error"], "no-data")
        self.assertRegex(body["message"], "is a standby; status leads")
        standby = self.browser.open(url)
        wait_until("its page says so", lambda: "is a standby" in standby.evaluate(
            "document.querySelector('#banner').innerText"))
        self.stack.processes["status"].signal(signal.SIGTERM)
        wait_until("it leads, and its page shows the fleet", lambda: standby.evaluate(
            "document.querySelector('#banner').hidden && document.querySelectorAll('.spot').length === 4"
            " && document.querySelector('#live').textContent === 'Live'"))
        # A page behind another one rests.
        self.page.call("Page.bringToFront")
        self.see("the page of who is gone says so",
                 "document.querySelector('#banner').innerText.includes('cannot be reached')")
        self.stack.restart("status")
        self.see("and of who is back: a standby now",
                 "document.querySelector('#banner').innerText.includes('is a standby')")
        self.page.errors.clear()  # of the connection that was refused


if __name__ == "__main__":
    unittest.main(argv=[arg for arg in sys.argv if arg != "--keep-screenshots"], verbosity=2)

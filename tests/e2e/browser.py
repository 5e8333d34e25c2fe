"""A headless Chromium, driven over the DevTools protocol with the standard library alone.

    with Browser(directory) as browser:
        page = browser.open("http://127.0.0.1:8080/")
        page.evaluate("document.title")
"""

import base64
import fcntl
import itertools
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import time


class BrowserError(Exception):
    """The browser is not there, ended, or did not do what it was asked."""


class Browser:
    """One browser process with a profile of its own. The protocol goes over two pipes: no port."""

    def __init__(self, directory):
        program = shutil.which("chromium")
        if program is None:
            raise BrowserError("chromium is not installed; run scripts/install-deps test")
        self.home = pathlib.Path(directory) / "chromium"
        self.home.mkdir()
        self.log = open(self.home / "log", "wb")
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()
        # The browser finds the pipes at the descriptors 3 and 4; copies that are neither go there.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (to_browser, from_browser)]
        argv = [
            program, "--headless=new", "--remote-debugging-pipe", "--no-first-run",
            f"--user-data-dir={self.home / 'profile'}", "--disable-gpu", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-extensions", "--hide-scrollbars", "--force-device-scale-factor=1",
            # There is no internet for the page, wherever the test runs.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "about:blank"]
        if os.geteuid() == 0:
            argv.insert(1, "--no-sandbox")  # it refuses to run as root otherwise
        self.child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, "HOME": str(self.home)}, start_new_session=True, pass_fds=(3, 4),
            preexec_fn=lambda: (os.dup2(ends[0], 3), os.dup2(ends[1], 4)))
        for end in (to_browser, from_browser, *ends):
            os.close(end)
        self.numbers = itertools.count(1)
        self.buffer = b""
        self.answers = {}
        self.on_event = {}  # session -> what is told

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)  # its own group: nothing else is in it
        self.child.wait()
        os.close(self.write_end)
        os.close(self.read_end)
        self.log.close()

    def call(self, method, parameters=None, session=None, timeout=30):
        """Asks, and waits for the answer."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while number not in self.answers:
            self.listen(deadline, method)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def listen(self, deadline, what):
        """Takes what the browser says, at least something."""
        left = deadline - time.monotonic()
        ready, _, _ = select.select([self.read_end], [], [], max(0, left))
        if not ready:
            raise BrowserError(f"{what}: no answer in time")
        data = os.read(self.read_end, 1 << 16)
        if not data:
            log = (self.home / "log").read_text("utf-8", "replace")[-2000:]
            raise BrowserError(f"the browser ended:\n{log}")
        self.buffer += data
        *messages, self.buffer = self.buffer.split(b"\0")
        for text in messages:
            message = json.loads(text)
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.on_event.get(message.get("sessionId"), lambda _: None)(message)

    def open(self, url, width=1440, height=900):
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        return Page(self, session["sessionId"], url, width, height)


class Page:
    """One tab. `errors` has what went wrong in it, `requests` the addresses it asked."""

    def __init__(self, browser, session, url, width, height):
        self.browser, self.session = browser, session
        self.errors, self.requests = [], []
        self.loaded = False
        browser.on_event[session] = self.hear
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.size(width, height)
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + 30
        while not self.loaded:
            browser.listen(deadline, f"loading {url}")

    def close(self):
        self.call("Page.close")

    def call(self, method, **parameters):
        return self.browser.call(method, parameters, self.session)

    def hear(self, message):
        kind, data = message["method"], message["params"]
        if kind == "Runtime.exceptionThrown":
            details = data["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif kind == "Runtime.consoleAPICalled" and data["type"] in ("error", "assert"):
            self.errors.append(json.dumps(data["args"]))
        elif kind == "Log.entryAdded" and data["entry"]["level"] == "error":
            self.errors.append(data["entry"]["text"] + " " + data["entry"].get("url", ""))
        elif kind == "Page.loadEventFired":
            self.loaded = True
        elif kind == "Network.requestWillBeSent":
            self.requests.append(data["request"]["url"])

    def evaluate(self, expression):
        """The value of a JavaScript expression (JSON, or None); promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def size(self, width, height, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if mobile else 1, mobile=mobile)

    def scheme(self, name):
        """light or dark, as the system would say."""
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": name}])

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode={"Tab": 9, "Enter": 13, "Space": 32}.get(key, 0), **text)

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

"""A headless Chromium over the W3C WebDriver protocol, with Python's standard library alone."""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "http"))
from harness import free_ports, wait_until  # noqa: E402

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1"]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def missing():
    """The name of a program that is not installed, or None."""
    for name in ("chromium", "chromedriver"):
        if shutil.which(name) is None:
            return name
    return None


class Browser:
    """with Browser() as b: b.open(url); b.fill("#email", "…"); b.click("button"); b.text("h1")"""

    def __init__(self, width=1280, height=900, is_dark=False, javascript=True):
        self.home = tempfile.mkdtemp(prefix="connect-browser-")
        self.port = free_ports(1)[0]
        self.log = open(os.path.join(self.home, "chromedriver.log"), "wb")
        self.driver = subprocess.Popen(["chromedriver", "--port=%d" % self.port], stdout=self.log,
                                       stderr=self.log, stdin=subprocess.DEVNULL,
                                       env={**os.environ, "HOME": self.home})
        self.session = None
        try:
            wait_until(self._is_ready, 20, "chromedriver")
            flags = [*FLAGS, "--window-size=%d,%d" % (width, height),
                     "--user-data-dir=" + os.path.join(self.home, "profile")]
            if is_dark:
                flags.append("--force-dark-mode")
            options = {"binary": shutil.which("chromium"), "args": flags}
            if not javascript:
                options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
            self.session = self._call("POST", "", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"}}}})["sessionId"]
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _is_ready(self):
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/status" % self.port, timeout=5) as f:
                return json.load(f)["value"]["ready"]
        except OSError:
            return False

    def _call(self, method, path, body=None):
        address = "http://127.0.0.1:%d/session%s%s" % (
            self.port, "/" + self.session if self.session else "", path)
        data = None if method in ("GET", "DELETE") else json.dumps(body or {}).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            value = json.load(e)["value"]
            raise AssertionError("%s %s: %s: %s" % (method, path, value["error"],
                                                    value["message"].split("\n")[0])) from None

    def close(self):
        try:
            if self.session:
                self._call("DELETE", "")
        except (OSError, AssertionError):
            pass
        finally:
            self.session = None
            self.driver.terminate()
            try:
                self.driver.wait(10)
            except subprocess.TimeoutExpired:
                self.driver.kill()
                self.driver.wait()
            self.log.close()
            for _ in range(50):     # the browser may still be writing its profile
                shutil.rmtree(self.home, ignore_errors=True)
                if not os.path.exists(self.home):
                    break
                time.sleep(0.1)

    # -- pages
    def open(self, url):
        self._call("POST", "/url", {"url": url})

    @property
    def url(self):
        return self._call("GET", "/url")

    @property
    def title(self):
        return self._call("GET", "/title")

    def resize(self, width, height):
        """Of the view, which may be narrower than a window can be."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=False)

    def color_scheme(self, name):
        self.cdp("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": name}])

    def cdp(self, command, **params):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def script(self, text, *args):
        return self._call("POST", "/execute/sync", {"script": text, "args": list(args)})

    def console(self):
        """What the page complained of: blocked resources, content security policy, errors."""
        return [e["message"] for e in self._call("POST", "/se/log", {"type": "browser"})]

    def screenshot(self, path):
        """The whole page, however long."""
        size = self.cdp("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000),
                "scale": 1}
        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                        clip=clip)
        with open(path, "wb") as f:
            f.write(base64.b64decode(shot["data"]))

    # -- elements, by CSS selector
    def find_all(self, selector):
        found = self._call("POST", "/elements", {"using": "css selector", "value": selector})
        return [e[ELEMENT] for e in found]

    def find(self, selector):
        """The first, once the page has it: a form may have been sent just now."""
        try:
            return wait_until(lambda: self.find_all(selector), 2)[0]
        except AssertionError:
            raise AssertionError("no %s on %s (%s)" % (selector, self.url, self.title)) from None

    def _of(self, selector, ask):
        """What ask says of the element; asked once more when the next page came between."""
        try:
            return ask(self.find(selector))
        except AssertionError as e:
            if "stale element" not in str(e):
                raise
        return ask(self.find(selector))

    def has(self, selector):
        return bool(self.find_all(selector))

    def shows(self, selector):
        """Is the first of them to be seen?"""
        return self._of(selector, lambda e: self._call("GET", "/element/%s/displayed" % e))

    def text(self, selector):
        return self._of(selector, lambda e: self._call("GET", "/element/%s/text" % e))

    def texts(self, selector):
        return [self._call("GET", "/element/%s/text" % e) for e in self.find_all(selector)]

    def attribute(self, selector, name):
        return self._of(selector, lambda e: self._call("GET", "/element/%s/attribute/%s" % (e, name)))

    def click(self, selector):
        self._of(selector, lambda e: self._call("POST", "/element/%s/click" % e))

    def fill(self, selector, text):
        element = self.find(selector)
        self._call("POST", "/element/%s/clear" % element)
        self._call("POST", "/element/%s/value" % element, {"text": text})

    def choose(self, selector, value):
        """An option of a list; where it is none of them, the last one, and the field beside it is filled."""
        option = '%s option[value="%s"]' % (selector, value)
        if self.has(option):
            self.click(option)
        else:
            self.click(selector + " option.another")
            self.fill(".another-type input", value)

    def press(self, key):
        """A key, to what has the focus."""
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]}]})

    def sign_in(self, product, account=None):
        """As the product's first user, or as an account's."""
        known = product.credentials
        self.open(product.url + "/admin/sign-in")
        self.fill("#email", account.email if account else known["email"])
        self.fill("#password", account.password if account else known["password"])
        self.click("button.button-main")

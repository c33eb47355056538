#!/usr/bin/env python3
"""A flow in a real browser: built, published, fired, looked at, broken, mended and replayed, with the keyboard alone and
without JavaScript."""
from webdriver import Browser, missing

from harness import Skip, equal, has, here, run, test, true, wait_until
from tenant import CustomWebhook, Tenant, unique

TAB, SHIFT, ENTER, SPACE = "\ue004", "\ue008", "\ue007", " "
FOCUSED = "return document.activeElement.matches(arguments[0])"
FRESH = "return document.activeElement === document.body && !location.hash"
SELECTED = "return document.activeElement.options[document.activeElement.selectedIndex].value"


class Keyboard(Browser):
    """Only keys; how many are pressed is counted, for who wants to know how far apart things are."""

    def __init__(self):
        super().__init__(javascript=False)
        self.pressed = 0

    def key(self, key):
        self.pressed += 1
        self.press(key)

    def to(self, selector, most=400):
        """Tabs on until what is asked for has the focus."""
        true(self.has(selector), "no %s on %s" % (selector, self.url))
        if self.script(FRESH):          # the link that skips the navigation comes first
            self.key(TAB)
            self.key(ENTER)
        for _ in range(most):
            if self.script(FOCUSED, selector):
                return
            self.key(TAB)
        raise AssertionError("no focus on %s" % selector)

    def type(self, selector, text):
        self.to(selector)
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [
            a for c in text for a in ({"type": "keyDown", "value": c}, {"type": "keyUp", "value": c})]}]})

    def empty(self, selector):
        self.to(selector)
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": "\ue009"}, {"type": "keyDown", "value": "a"}, {"type": "keyUp", "value": "a"},
            {"type": "keyUp", "value": "\ue009"}, {"type": "keyDown", "value": "\ue003"}, {"type": "keyUp", "value": "\ue003"}]}]})

    def pick(self, selector, value, most=200):
        """Goes down a list until the value is chosen."""
        self.to(selector)
        self.key("\ue011")
        for _ in range(most):
            if self.script(SELECTED) == value:
                return
            self.key("\ue015")
        raise AssertionError("no %s in %s" % (value, selector))

    def enter(self, selector, then):
        """Presses what leads on, and waits for what the next page has: this one may have it too."""
        self.to(selector)
        self.script("document.documentElement.dataset.left = ''")
        self.key(ENTER)
        wait_until(lambda: not self.has("[data-left]") and self.has(then), what="%s after %s" % (then, selector))


def link(part):
    return "main a[href*='%s']" % part


@test("a flow of three steps is built, published, fired, looked at, broken, mended and replayed by keyboard")
def _():
    if missing():
        raise Skip("%s is not installed" % missing())
    t, place = Tenant(name=unique("Keys ")), unique("k")
    hook = CustomWebhook(t, resourceType="order")
    hook({"id": "o-1", "total_price": 900, "name": "first"})
    wait_until(lambda: t.get("/records/fields?resourceType=order")["data"], 30, "the catalogue of fields")
    url = "%s/crm/%s" % (here().sandbox_url, place)
    with Keyboard() as b:
        b.sign_in(here(), t.account)
        wait_until(lambda: b.url.endswith("/admin/dashboard"), what="the dashboard")
        b.open(here().url + "/admin/flows")
        b.enter(link("/admin/flows/new"), "#name")
        b.type("#name", "By keys")
        b.enter("#name ~ *, button.button-main", "#flow-start")
        flow = b.url

        b.enter(link("/triggers/new"), link("kind=webhook"))
        b.enter(link("kind=webhook"), "#provider")
        b.pick("#provider", "custom_webhook")
        b.type("#name", "order")
        b.enter("form.card button.button-main", "#flow-start, .facts")
        b.open(flow)

        b.enter(link("/steps/new"), link("kind=filter"))
        b.enter(link("kind=filter"), "[name=f_condition_field_0]")
        b.pick("[name=f_condition_field_0]", "trigger.total_price")
        b.pick("[name=f_condition_op_0]", "gt")
        b.type("[name=f_condition_value_0]", "500")
        b.enter("button.button-main[value=save]", "#flow-steps")
        has(b.text(".flow-steps"), "Goes on only if total price is more than 500")

        b.enter(link("/steps/new?in=top&at=1"), link("kind=formatter"))
        b.enter(link("kind=formatter"), "#f_operation")
        b.pick("#f_operation", "uppercase")
        b.to("#f_value ~ details summary")
        b.key(ENTER)
        b.pick("[name=pick_f_value]", "{{trigger.name}}")
        b.to("button[value='insert:f_value']")
        b.key(ENTER)
        wait_until(lambda: b.has("#f_value") and b.attribute("#f_value", "value") == "{{trigger.name}}", what="the field in the form")
        b.enter("button.button-main[value=save]", "#flow-steps")

        b.enter(link("/steps/new?in=top&at=2"), link("kind=http"))
        b.enter(link("kind=http"), "#f_url")
        b.pick("#f_method", "POST")
        b.type("#f_url", url)
        b.type("#f_body", '{"who": "{{step_2.value}}"}')
        b.enter("button.button-main[value=save]", "#flow-steps")
        equal(len(b.find_all(".flow-steps > li")), 3)

        b.enter(".head form button.button-main", ".flash")
        has(b.text(".flash"), "Published as version 1")
        hook({"id": "o-2", "total_price": 900, "name": "second"})
        wait_until(lambda: [x["body"] for x in t.sink(place)["data"]] == [{"who": "SECOND"}], 30, "the call")

        b.open(flow)
        b.enter(link("/runs"), "table")
        wait_until(lambda: b.open(b.url) or b.has(".chip-completed"), 30, "the run in the list")
        b.enter(link("/admin/task-history/"), ".run-steps")
        has(b.text(".run-steps"), "HTTP request")

        b.open(flow)
        b.enter(link("/steps/step_3"), "#f_url")
        b.empty("#f_url")
        b.type("#f_url", "http://127.0.0.1:9/")
        b.to("#attempts ~ *, details:has(#attempts) > summary")
        b.key(ENTER)
        b.type("#attempts", "1")
        b.enter("button.button-main[value=save]", "#flow-steps")
        b.enter(".head form button.button-main", ".flash")
        hook({"id": "o-3", "total_price": 901, "name": "third"})
        b.open(flow + "/runs?status=failed")
        wait_until(lambda: b.open(b.url) or b.has(".chip-failed"), 30, "the run that fails")
        b.enter("tbody .c-name a", ".attention")
        failed = b.url
        has(b.text(".attention"), "In the step HTTP request")

        b.enter(link("/steps/step_3"), "#f_url")
        b.empty("#f_url")
        b.type("#f_url", url)
        b.enter("button.button-main[value=save]", "#flow-steps")
        b.enter(".head form button.button-main", ".flash")
        has(b.text(".flash"), "Published as version 3")

        b.open(failed)
        b.to(".head [popovertarget=again]")
        b.key(ENTER)
        b.pick("#a-from", "failed")
        b.pick("#a-version", "current")
        b.enter("#again button.button-main", ".flash")
        has(b.text(".flash"), "It runs again")
        true(b.url != failed, b.url)
        wait_until(lambda: b.open(b.url) or b.has(".head .chip-completed"), 30, "the new run")
        equal([x["body"] for x in t.sink(place)["data"]], [{"who": "THIRD"}, {"who": "SECOND"}])     # newest first
        has(b.text("section[aria-labelledby=about]"), "version 3")
        b.enter(link(failed.rsplit("/", 1)[1]), ".attention")
        equal(b.url, failed)
        has(b.text("section[aria-labelledby=about]"), "A later run")
        true(b.has(".head .chip-failed"), "the first run stays as it was")
        equal([m for m in b.console() if "[DOM]" not in m], [])
        true(b.pressed < 1500, "%d keys" % b.pressed)


run()

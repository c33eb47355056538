#!/usr/bin/env python3
"""Connecting, and what a connection says of itself: when it last received, what came today, how it is tested; the guided
pages, their reserved addresses and generated tokens; the catalogue."""
import hashlib
import hmac
import json
import re
import uuid

from harness import Browser, equal, has, here, hmac_hex, run, test, true
from markup import Tags

SECRET = "canary-" + uuid.uuid4().hex


def signed_in():
    b = Browser(here())
    b.sign_in()
    return b


def check_page(answer, status=200):
    equal(answer.status, status, answer)
    equal(Tags(answer.text).wrong, [])


def post(address, body, secret=SECRET, header="X-Webhook-Signature", prefix=""):
    """A signed call of a custom webhook."""
    text = json.dumps(body).encode()
    sent = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return here().post(address.replace(here().url, ""), text,
                       headers={"Content-Type": "application/json", header: prefix + sent})


def known(c):
    return here().api("GET", "/connections/" + c["id"]).json()


@test("what a source receives is noted: the API, its page and its tile say when, and how much came today")
def _():
    b = signed_in()
    c = here().connect("custom_webhook", {"webhookSecret": SECRET}, {}, name="Shop " + uuid.uuid4().hex[:8])
    page = b.get("/admin/connections/" + c["id"])
    check_page(page)
    has(page.text, "Waiting for the first call · 0 events today, 0 refused")
    true("/test" not in page.text, "nothing can be called, so there is no Test")
    has(page.text, "This connection only receives")
    equal(post(c["webhookUrl"], {"id": 1}).status, 200)
    first = known(c)
    true(first["lastUsedAt"], first)
    equal((first["status"], first["lastError"]), ("active", None))
    equal(post(c["webhookUrl"], {"id": 2}).status, 200)
    equal(known(c)["lastUsedAt"], first["lastUsedAt"], "noted once a minute")
    equal(post(c["webhookUrl"], {"id": 3}, secret="wrong").status, 401)
    for path in ("/admin/connections/" + c["id"], "/admin/connections"):
        page = b.get(path)
        check_page(page)
        has(page.text, "3 events today, 1 refused")
        has(page.text, "Last received")
    has(b.get("/admin/connections/" + c["id"]).text, "/admin/events?connectionId=" + c["id"])
    here().api("DELETE", "/connections/" + c["id"])


if __name__ == "__main__":
    run()

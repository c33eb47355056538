#!/usr/bin/env python3
"""An import of many leads with live leads meanwhile, its runner killed. Some hundreds in the suite, unthrottled, with one
kill; CONNECT_IMPORT_LEADS=100000 for the whole of it, throttled, with three. It tells how fast live leads were, and
asserts no time.

Two destinations, told apart by routing: the sandbox takes what is imported; live leads come to this program, which so
has nothing else to do and sees when each was there. The throttling is of the import's calls: a live lead whose own call
is told to come later comes later, whatever else is going on."""
# The usual build alone: volumes, and kills.
import http.server
import json
import os
import signal
import threading
import time

from harness import Instance, equal, hmac_hex, run, signal_if_alive, test, true, wait_until
from source import Polls
from tenant import Faults, sink

COUNT = int(os.environ.get("CONNECT_IMPORT_LEADS", "1500"))
# Meta asks for whole minutes.
THROTTLED = [{"target": "graph", "kind": "throttle", "count": 2, "path": "/leads"}] if COUNT >= 10000 else []
LIVE_PER_SECOND = 20 if COUNT >= 10000 else 10
KILLS = 3 if COUNT >= 10000 else 1      # a job under which three runners died in one run waits
TIMEOUT = 60 + COUNT // 50


class Taker:
    """A destination that notes when it got each email first, and how often."""

    def __init__(self):
        self.at, self.times, lock = {}, {}, threading.Lock()
        taker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                now = time.monotonic()
                with lock:
                    taker.at.setdefault(body["email"], now)
                    taker.times[body["email"]] = taker.times.get(body["email"], 0) + 1
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None      # the runner was killed
        self.url = "http://127.0.0.1:%d/leads" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class LiveLeads(threading.Thread):
    """Sends a signed webhook of a lead so often a second; notes when."""

    def __init__(self, product, connection, secret, form):
        super().__init__(daemon=True)
        self.product, self.connection, self.secret, self.form = product, connection, secret, form
        self.sent, self.is_over = {}, False

    def run(self):
        base = int(time.time()) * 10 ** 6
        for n in range(10 ** 6):
            if self.is_over:
                return
            id_ = str(9 * 10 ** 17 + base + n)        # a lead that the sandbox invents: its email is of its id
            body = json.dumps({"object": "page", "entry": [{"id": "153125381133", "time": 1, "changes": [
                {"field": "leadgen", "value": {"leadgen_id": id_, "page_id": "153125381133", "form_id": self.form,
                                               "created_time": int(time.time())}}]}]}).encode()
            began = time.monotonic()
            self.product.send_meta(body, secret=self.secret, connection=self.connection)
            self.sent["lead.%s@example.com" % id_] = began
            time.sleep(max(0, 1 / LIVE_PER_SECOND - (time.monotonic() - began)))


def bulk_runner(product):
    for pid in product.children("cron"):
        with open("/proc/%d/comm" % pid, encoding="ascii") as f:
            if f.read().strip() == "bulk":
                return pid
    return None


@test("of %d leads, with throttling and runners killed, each is here once and pushed once; live ones wait for none" % COUNT)
def _():
    taker = Taker()
    product = Instance(env={"CONNECT_RATE_API_PER_MINUTE": "1000000"})
    sources = product.sandbox_json["connections"]
    for name in ("meta_lead_ads", "google_ads", "linkedin_ads", "tiktok_ads"):      # what they have already is not meant here
        Polls(product.api, sources[name]).rest()
    product.sql("DELETE FROM lead_deliveries; DELETE FROM leads; UPDATE connections SET status = 'disabled'"
                " WHERE provider_type IN ('hubspot', 'salesforce', 'custom_crm')")
    meta = product.sandbox_json["metaConnectionId"]
    here_, there = (product.connect("custom_crm", settings={"url": url}, name=name)["id"] for url, name in (
        (taker.url, "Live"), (product.sandbox_url + "/crm/bulk", "Imported")))
    old = {"ref": "email", "startsWith": "old."}
    equal(product.api("PUT", "/crm/routing", {"groups": [], "destinations": [
        {"connectionId": here_, "when": [{"if": {"not": old}}]}, {"connectionId": there, "when": [{"if": old}]}]}).status, 200)
    form = product.sandbox_json["formId"]
    sandbox = os.path.join(product.state, "sandbox", "leads.ndjson")
    with open(sandbox, "a", encoding="utf-8") as f:
        for n in range(COUNT):
            id_ = str(8 * 10 ** 17 + n)
            f.write(json.dumps({"id": id_, "created_time": "2026-11-01T10:00:00+0000", "created_s": 1793527200 + n % 86400,
                                "page_id": "153125381133", "form_id": form, "ad_id": "1", "campaign_id": "3",
                                "field_data": [{"name": "email", "values": ["old.%d@example.com" % n]},
                                               {"name": "full_name", "values": ["Old Lead %d" % n]}]}) + "\n")
    live = LiveLeads(product, meta, product.sandbox_json["metaAppSecret"], form)
    live.start()
    wait_until(lambda: len(live.sent) >= 20, 30, "live leads")
    began = time.monotonic()
    with Faults(product, *THROTTLED):
        id_ = product.api("POST", "/leads/import", {"providerType": "meta_lead_ads", "formId": form}).json()["importId"]

        def state():
            return product.api("GET", "/imports/" + id_).json()
        for share in (0.1, 0.4, 0.7)[:KILLS]:
            reached = wait_until(lambda: (lambda t: t if t["received"] >= share * COUNT or t["status"] == "completed" else None)(
                state()), TIMEOUT, "%d %% of the import" % (100 * share))
            victim = bulk_runner(product)
            if victim is not None and reached["status"] == "running":
                signal_if_alive(victim, signal.SIGKILL)
        done = wait_until(lambda: (lambda t: t if t["status"] not in ("queued", "running") else None)(state()), TIMEOUT, "its end")
    read = time.monotonic() - began
    equal((done["status"], done["error"]), ("completed", None), done)
    old = "SELECT COUNT(*) FROM leads WHERE provider_lead_id LIKE '8%%' AND LENGTH(provider_lead_id) = 18%s"
    equal(int(product.sql(old % "")[0][0]), COUNT)
    wait_until(lambda: int(product.sql(old % " AND sync_status = 'success'")[0][0]) == COUNT, TIMEOUT, "all are pushed")
    total = time.monotonic() - began
    live.is_over = True
    live.join()
    wait_until(lambda: all(e in taker.at for e in live.sent), 60, "all live leads are pushed")
    waits = sorted(taker.at[e] - at for e, at in live.sent.items())
    print("# %d live leads meanwhile: p50 %.0f ms, p99 %.0f ms, worst %.0f ms" % (
        len(waits), 1000 * waits[len(waits) // 2], 1000 * waits[int(0.99 * len(waits))], 1000 * waits[-1]))
    equal(int(product.sql("SELECT COUNT(*) FROM records WHERE resource_type = 'lead' AND external_id LIKE '8%' AND"
                          " LENGTH(external_id) = 18")[0][0]), COUNT)
    # A push whose answer was lost with its runner may be made again, with the same key: no more than were under way.
    counts = sink(product, "bulk")["counts"]
    again = counts["requests"] - COUNT
    true(0 <= again <= KILLS * 64, "%d pushes were made again: %s" % (again, counts))
    equal(counts["distinct_keys"], COUNT, counts)
    print("# %d leads: read in %.1f s (%.0f/s), all pushed in %.1f s (%.0f/s); %d pushes made again" % (
        COUNT, read, COUNT / read, total, COUNT / total, again))


run()

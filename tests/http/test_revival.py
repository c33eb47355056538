#!/usr/bin/env python3
"""What was given up, or is not let in, goes on by itself: new credentials, dead jobs that are run again, push all."""
# The usual build alone: waits, and kills.
import re

from crm import Crm
from harness import Browser, Instance, equal, has, new_lead_id, run, test, true, wait_until, wait_until_none
from tenant import GRAPH_TOKEN, Faults, Meta, Tenant, row_id

product = Instance(env={"CONNECT_PUSH_BACKOFF_MS": "20", "CONNECT_PUSH_BACKOFF_MAX_MS": "60"})
LEADS = 40


class Door(Crm):
    """A CRM that lets in who has its key."""

    def __init__(self, key):
        super().__init__()
        self.word = "Bearer " + key
        self.default = lambda request: ((201, b'{"id":"1"}') if request.headers.get("Authorization") == self.word
                                        else (401, b'{"error":"who are you"}'))

    @property
    def taken(self):
        """The Idempotency-Keys of what it took."""
        return [headers["Idempotency-Key"] for headers, _ in self.got if headers.get("Authorization") == self.word]


def patch(t, connection, body):
    answer = t.api("PATCH", "/connections/" + connection, body)
    equal(answer.status, 200, answer)


def lane_of(t, connection):
    return next((x for x in t.get("/queue")["lanes"] if x["connectionId"] == connection and x["kind"] == "live"), None)


def stages(t):
    return dict((stage, int(n)) for stage, n in product.sql(
        "SELECT stage, COUNT(*) FROM leads WHERE account_id = %s GROUP BY 1" % row_id(t.id)))


def all_there(t, n=LEADS):
    """Every lead is ready and was taken once by each of so many destinations; nothing is left."""
    wait_until_none(lambda: n - t.rows("leads", "stage = 'ready' AND sync_status = 'success'"), what="leads on their way")
    equal(stages(t), {"ready": n})
    equal(t.rows("leads", "stage_error IS NOT NULL"), 0)
    wait_until_none(lambda: t.rows("jobs"), what="jobs")
    equal(t.rows("lead_deliveries"), t.rows("lead_deliveries", "status = 'success' AND next_at IS NULL"))
    equal((t.get("/queue")["dead"], t.rows("job_breakers", "opened_at IS NOT NULL")), (0, 0))


def revoked(t, **settings):
    """A page whose token is refused, with leads that cannot be fetched; its breaker is open."""
    meta = Meta(t, **settings)
    patch(t, meta.id, {"credentials": {"accessToken": "was-good-until-friday"}})
    meta.send(*(new_lead_id() for _ in range(LEADS)))
    wait_until(lambda: (lane_of(t, meta.id) or {}).get("breaker") in ("open", "probing"), 20, "the open breaker")
    return meta


@test("a token revoked over a weekend costs no lead an attempt beyond the first few, and once renewed all go on")
def _():
    t = Tenant(product)
    _, place = t.crm()
    meta = revoked(t)
    has(lane_of(t, meta.id)["lastError"], "Invalid OAuth access token")
    equal(t.get("/connections/" + meta.id)["status"], "error")
    # days go by: whatever waits is due, probe after probe
    for _ in range(8):
        probes = int(product.sql("SELECT probes FROM job_breakers WHERE target_id = " + row_id(meta.id))[0][0])
        product.sql("UPDATE jobs SET run_at = run_at - 86400000000 WHERE lease_id IS NULL AND account_id = %s;"
                    " UPDATE job_breakers SET probe_at = 1 WHERE target_id = %s" % (row_id(t.id), row_id(meta.id)))
        wait_until(lambda p=probes: int(product.sql(
            "SELECT probes FROM job_breakers WHERE target_id = " + row_id(meta.id))[0][0]) > p, 20, "a probe")
    equal(stages(t), {"received": LEADS})
    equal((t.get("/queue")["dead"], t.rows("jobs", "attempts > 2 OR tries > 3")), (0, 0))
    true(t.rows("jobs", "attempts = 0 AND tries = 0") >= LEADS - 13, "those that were never tried but as probes")
    # the next probe is far away: nobody waits for it
    product.sql("UPDATE job_breakers SET probe_at = (UNIX_TIMESTAMP() + 86400) * 1000000 WHERE target_id = " + row_id(meta.id))
    wait_until_none(lambda: t.rows("jobs", "lease_id IS NOT NULL"), what="probes under way")
    product.sql("UPDATE job_breakers SET probe_at = (UNIX_TIMESTAMP() + 86400) * 1000000 WHERE target_id = " + row_id(meta.id))
    patch(t, meta.id, {"credentials": {"accessToken": GRAPH_TOKEN}})
    all_there(t)
    equal(t.get("/connections/" + meta.id)["status"], "active")
    received = t.sink(place)["data"]
    equal((len(received), len({r["idempotencyKey"] for r in received})), (LEADS, LEADS))


def kill_leads(t, meta):
    """Each lead's next failure is its last."""
    def left():
        product.sql("UPDATE jobs SET attempts = 19, run_at = 1 WHERE state = 'ready' AND lease_id IS NULL AND account_id = %s;"
                    " UPDATE job_breakers SET opened_at = NULL WHERE target_id = %s" % (row_id(t.id), row_id(meta.id)))
        return t.rows("jobs", "state <> 'dead'")
    wait_until_none(left, what="jobs that are not dead")
    equal(stages(t), {"failed": LEADS})
    equal(t.rows("leads", "stage_error LIKE '%%Invalid OAuth access token%%'"), LEADS)
    equal(t.get("/queue")["dead"], LEADS)


@test("leads that were given up go on by themselves once the token is renewed, in the API as on the page")
def _():
    for by_page in (False, True):
        t = Tenant(product)
        t.crm()
        meta = revoked(t)
        kill_leads(t, meta)
        if by_page:
            b = Browser(product)
            b.sign_in(t.account.email, t.account.password)
            b.get("/admin/connections/%s/edit" % meta.id)
            answer = b.post("/admin/connections/%s/edit" % meta.id,
                            {"name": "Meta", "credentials.accessToken": GRAPH_TOKEN,
                             "settings.externalAccountId": meta.page, "settings.baseUrl": product.graph_url})
            equal(answer.status, 303, answer.text)
        else:
            patch(t, meta.id, {"credentials": {"accessToken": GRAPH_TOKEN}})
        all_there(t)


@test("what is due does not say that it failed: dead jobs that are run again take their leads with them, push all finds them")
def _():
    t = Tenant(product)
    t.crm()
    meta = revoked(t)
    kill_leads(t, meta)
    lane = lane_of(t, meta.id)["id"]
    equal(t.api("POST", "/queue/lanes/%s/pause" % lane, {}).status, 200)
    equal(t.api("POST", "/queue/dead/retry", {"laneId": lane}).json(), {"retried": LEADS})
    equal((stages(t), t.rows("leads", "stage_error IS NOT NULL")), ({"received": LEADS}, 0))
    equal(t.api("POST", "/queue/lanes/%s/resume" % lane, {}).status, 200)
    kill_leads(t, meta)
    [one] = t.leads()[:1]
    true(re.search("Details missing", signed_in(t).get("/admin/leads/" + one["id"]).text), "the lead's page says so")
    # mended without this product's knowing; then somebody presses "push all"
    product.sql("UPDATE job_breakers SET opened_at = NULL WHERE target_id = " + row_id(meta.id))
    equal(t.api("POST", "/crm/push", {}).json()["pending"], LEADS)
    wait_until(lambda: "failed" not in stages(t), 20, "leads that are tried again")
    patch(t, meta.id, {"credentials": {"accessToken": GRAPH_TOKEN}})
    all_there(t)


def signed_in(t):
    b = Browser(product)
    b.sign_in(t.account.email, t.account.password)
    return b


@test("a CRM that does not let us in is left alone, its pushes wait; with the right key each is taken once")
def _():
    t = Tenant(product)
    with Door("right") as door:
        crm = t.crm(url=door.url, credentials={"accessToken": "wrong"}, auth={"type": "bearer"})[0]
        for _ in range(LEADS):
            t.new_lead()
        wait_until(lambda: (lane_of(t, crm) or {}).get("breaker") in ("open", "probing"), 20, "the open breaker")
        has(lane_of(t, crm)["lastError"], "HTTP 401")
        wait_until(lambda: stages(t) == {"ready": LEADS}, 20, "ready leads")
        true(t.rows("lead_deliveries", "rounds = 0") >= LEADS - 13, "pushes that lost no round")
        # some die: of their rounds, and of their runners
        product.sql("UPDATE lead_deliveries SET rounds = 8 WHERE account_id = %s AND rounds = 1;"
                    " UPDATE jobs SET deaths = 5 WHERE account_id = %s AND lease_id IS NULL ORDER BY id DESC LIMIT 3"
                    % (row_id(t.id), row_id(t.id)))

        def dead():
            product.sql("UPDATE jobs j JOIN lead_deliveries d ON d.id = j.id SET j.run_at = 1 WHERE j.lease_id IS NULL"
                        " AND j.account_id = %s AND j.state = 'ready' AND (j.deaths = 5 OR d.rounds = 8);"
                        " UPDATE job_breakers SET opened_at = NULL WHERE account_id = %s" % (row_id(t.id), row_id(t.id)))
            return min(t.rows("lead_deliveries", "status = 'dead' AND last_error %s 'gave up: its runner died 5 times'" % how)
                       for how in ("=", "<>"))
        wait_until(dead, 60, "pushes that died of each")
        [[jobs, pushes, leads]] = product.sql(
            "SELECT (SELECT COUNT(*) FROM jobs WHERE account_id = a AND state = 'dead'), (SELECT COUNT(*) FROM"
            " lead_deliveries WHERE account_id = a AND status = 'dead'), (SELECT COUNT(*) FROM leads WHERE account_id = a"
            " AND sync_status = 'dead') FROM (SELECT %s AS a) x" % row_id(t.id))
        equal((pushes, leads), (jobs, jobs))
        equal(door.taken, [])
        patch(t, crm, {"credentials": {"accessToken": "right"}})
        all_there(t)
        equal((len(door.taken), len(set(door.taken))), (LEADS, LEADS))


@test("a destination whose address was wrong gets all that waited once it is mended, at once")
def _():
    t = Tenant(product)
    with Door("right") as door:
        crm = t.crm(url="http://127.0.0.1:9/crm", credentials={"accessToken": "right"}, auth={"type": "bearer"})[0]
        for _ in range(LEADS):
            t.new_lead()
        wait_until(lambda: (lane_of(t, crm) or {}).get("breaker") in ("open", "probing"), 20, "the open breaker")
        wait_until(lambda: stages(t) == {"ready": LEADS}, 20, "ready leads")
        patch(t, crm, {"settings": {"url": door.url}, "credentials": {"accessToken": "right"}})
        all_there(t)
        equal((len(door.taken), len(set(door.taken))), (LEADS, LEADS))


@test("where some leads are refused and others are not, the others do not wait for long")
def _():
    t = Tenant(product)
    t.crm()
    meta = Meta(t)
    refused = 12
    with Faults(product, {"target": "graph", "kind": "token", "status": 403, "count": refused}):
        meta.send(*(new_lead_id() for _ in range(LEADS)))
        wait_until(lambda: stages(t).get("ready", 0) >= LEADS - refused, 20, "the others")
    product.sql("UPDATE jobs SET run_at = 1 WHERE lease_id IS NULL AND account_id = " + row_id(t.id))
    all_there(t)


@test("an import that was given up says why, and goes on where it was when it is run again")
def _():
    t = Tenant(product)
    rows = "".join("%d,Name %d\n" % (i, i) for i in range(60000))
    product.sql("INSERT INTO job_lanes (account_id, class, target_id, seen_at) VALUES (%s, 1, REPEAT(CHAR(0), 16),"
                " UNIX_TIMESTAMP() * 1000000)" % row_id(t.id))
    lane = next(x for x in t.get("/queue")["lanes"] if x["kind"] == "bulk")["id"]
    answer = t.api("POST", "/records/import", {"providerType": "manual", "resourceType": "big", "csv": "id,name\n" + rows})
    equal(answer.status, 202, answer)
    task = "/imports/" + answer.json()["importId"]
    wait_until(lambda: t.get(task)["received"] > 0, 60, "its first rows")
    product.kill("cron")
    wait_until(lambda: not running(product.pid("cron")), 20, "the runners' end")
    product.sql("UPDATE jobs SET deaths = 4 WHERE account_id = " + row_id(t.id))
    before = t.get(task)
    equal(before["status"], "running")
    product.up()
    ended = wait_until(lambda: (lambda o: o if o["status"] != "running" else None)(t.get(task)), 60, "its end")
    if ended["status"] == "completed":  # the killed master's runner had gone on with it
        return
    equal((ended["status"], ended["received"]), ("failed", before["received"]))
    has(product.sql("SELECT error FROM tasks WHERE account_id = " + row_id(t.id))[0][0], "its runner died 5 times")
    equal(t.api("POST", "/queue/dead/retry", {"laneId": lane}).json(), {"retried": 1})
    ended = wait_until(lambda: (lambda o: o if o["status"] not in ("queued", "running") else None)(t.get(task)), 120, "its end")
    equal((ended["status"], ended["received"], ended["created"]), ("completed", 60000, 60000))
    equal(t.rows("records"), 60000)


def running(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


run()

"""What a hostile sender, tenant or destination tries: races over a delivery, bodies and templates
that grow, jobs that kill their runner, secrets that come back."""
# The usual build alone: waits for leases and wedged neighbours.
import os
import re
import signal
import subprocess
import threading
import uuid

from crm import Crm
from harness import Instance, equal, here, hmac_hex, run, test, true, wait_until

SECRET = "canary-webhook-secret-0123456789"


def tenant_with(crm, credentials=None, product=None, **settings):
    tenant = (product or here()).new_account()
    tenant.instance.connect("custom_crm", credentials, {"url": crm.url, **settings}, key=tenant.key)
    return tenant


def new_lead(tenant, **fields):
    answer = tenant.api("POST", "/leads", {"email": "%s@example.com" % uuid.uuid4().hex, **fields})
    equal(answer.status, 201, answer)
    return answer.json()["id"]


def delivery_of(tenant, lead):
    found = tenant.api("GET", "/leads/" + lead).json()["destinations"]
    return found[0] if found else None


def settled(tenant, lead, timeout=15):
    def look():
        delivery = delivery_of(tenant, lead)
        return delivery if delivery and delivery["status"] != "pending" else None
    return wait_until(look, timeout, "the end of the push")


def as_sql(id_):
    return "UNHEX('%s')" % id_.replace("-", "")


# ---- one delivery, two who would push it ----
@test("who lost the lease between two attempts neither pushes again nor takes the success back")
def _():
    product, go_on = here(), threading.Event()
    with Crm() as crm:
        tenant = tenant_with(crm)
        crm.answers.append(lambda _: (go_on.wait(20), (500, b"no"))[1])
        lead = new_lead(tenant)
        wait_until(lambda: len(crm.got) == 1, what="the first attempt")
        id_ = delivery_of(tenant, lead)["id"]
        product.sql("UPDATE jobs SET run_at = 1 WHERE id = %s" % as_sql(id_))
        equal(settled(tenant, lead)["status"], "success")
        lost = product.log("cron").count(id_)
        go_on.set()
        wait_until(lambda: product.log("cron").count(id_) > lost, what="the end of the stale run")
        equal(len(crm.got), 2, "pushes")
        equal(delivery_of(tenant, lead)["status"], "success")
        equal(tenant.api("GET", "/leads/" + lead).json()["syncStatus"], "success")


@test("a retry that meets the success of the running push does not push again")
def _():
    product, answered = here(), threading.Event()
    with Crm() as crm:
        tenant = tenant_with(crm)
        crm.answers.append(lambda _: (answered.wait(20), (201, b'{"id":"first"}'))[1])
        lead = new_lead(tenant)
        wait_until(lambda: len(crm.got) == 1, what="the first attempt")
        id_ = delivery_of(tenant, lead)["id"]
        # Whoever holds the lead's row makes the push wait in the middle of its last transaction.
        holder = subprocess.Popen(
            ["mariadb", "--no-defaults", "--socket=" + socket_of(product), "--user=root",
             "--unbuffered", "connect"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holder.stdin.write("BEGIN; SELECT 'held' FROM leads WHERE id = %s FOR UPDATE;\n"
                           % as_sql(lead))
        holder.stdin.flush()
        while "held" not in (holder.stdout.readline() or "held"):
            pass
        answered.set()
        wait_until(lambda: lock_waits(product) >= 1, what="the push's wait")
        answers = []
        retry = threading.Thread(target=lambda: answers.append(
            tenant.api("POST", "/crm/deliveries/%s/retry" % id_, {})))
        retry.start()
        wait_until(lambda: lock_waits(product) >= 2, what="the retry's wait")
        holder.communicate("COMMIT;\n")
        retry.join()
        equal(answers[0].status, 409, answers[0])
        equal(settled(tenant, lead)["externalId"], "first")
        equal(product.sql("SELECT COUNT(*) FROM jobs WHERE id = " + as_sql(id_)), [["0"]])
        equal(len(crm.got), 1, "pushes")


def socket_of(product):
    alias = os.path.join(product.state, "alias")
    base = product.state
    if os.path.exists(alias):
        with open(alias, encoding="utf-8") as f:
            base = f.read().strip()
    return base + "/run/mariadb.sock"


def lock_waits(product):
    return int(product.sql("SELECT COUNT(*) FROM information_schema.innodb_trx"
                           " WHERE trx_state = 'LOCK WAIT'")[0][0])


# ---- what grows ----
@test("a template that multiplies a lead is refused, and the scheduler lives")
def _():
    product = here()
    pids = [product.pid("cron"), *product.children("cron")]
    with Crm() as crm:
        tenant = tenant_with(crm, bodyTemplate=[["{{rawFieldData}}"] * 100] * 8)
        lead = new_lead(tenant, rawFieldData={"f%d" % i: "v" * 2000 for i in range(200)})
        delivery = settled(tenant, lead)
        equal(delivery["status"], "failed")
        assert "too large" in delivery["lastError"], delivery
        equal(crm.got, [])
    equal([product.pid("cron"), *product.children("cron")], pids)


def peak_mib(pids):
    most = 0
    for pid in pids:
        with open("/proc/%d/status" % pid, encoding="utf-8") as f:
            most = max(most, int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) // 1024)
    return most


@test("a webhook whose fields multiply its body is taken as far as it may, and the rest told, in bounded memory")
def _():
    product = here()

    def told(answer):
        """What came of it: it was verified, so it is kept and acknowledged."""
        equal(answer.status, 200, answer)
        address = "/events/" + answer.json()["eventId"]
        event = wait_until(lambda: (lambda e: e if e["status"] != "verified" else None)(product.api("GET", address).json()),
                           60, "its items")
        true(event["notTaken"] > 0 and event["taken"] + event["notTaken"] == event["items"] and event["reason"], event)
        return event

    connection = product.connect("custom_webhook", {"webhookSecret": SECRET},
                                 {"leadFields": {"name%d" % i: "big" for i in range(400)}})
    workers = product.workers()
    for big in ("x" * 500000, ["x" * 50] * 9000, "x" * 20000):
        body = '{"id":"%s","big":%s}' % (uuid.uuid4().hex, str(big).replace("'", '"')
                                         if isinstance(big, list) else '"%s"' % big)
        answer = product.post("/webhook/custom_webhook/" + connection["id"], body,
                              {"Content-Type": "application/json",
                               "X-Webhook-Signature": hmac_hex(SECRET, body)})
        event = told(answer)
        equal((event["status"], event["taken"]), ("failed", 0), event)
    many = "[%s]" % ",".join('{"id":"%d","big":"%s"}' % (i, "x" * 900) for i in range(1000))
    answer = product.post("/webhook/custom_webhook/" + connection["id"], many,
                          {"Content-Type": "application/json",
                           "X-Webhook-Signature": hmac_hex(SECRET, many)})
    told(answer)
    equal(product.workers(), workers, "no worker died")
    if "sanitize" not in (product.build or ""):
        assert peak_mib(workers) < 200, peak_mib(workers)


@test("a tenant whose destination hangs does not keep the workers from others")
def _():
    product, answered = here(), threading.Event()
    hook = product.connect("custom_webhook", {"webhookSecret": SECRET})
    with Crm() as crm:
        tenant = tenant_with(crm)
        crm.default = lambda _: (answered.wait(60), (201, b"{}"))[1]
        id_ = tenant.api("GET", "/connections").json()["data"][0]["id"]
        leads = [new_lead(tenant) for _ in range(2 * len(product.workers()))]
        waiting = [threading.Thread(target=tenant.api, args=("POST", "/crm/push/" + lead, {}))
                   for lead in leads]
        waiting += [threading.Thread(target=tenant.api, args=("POST", "/crm/test/" + id_, {}))
                    for _ in leads]
        for thread in waiting:
            thread.start()
        try:
            # As many as can be are with the workers when one of them is answered.
            wait_until(lambda: not all(thread.is_alive() for thread in waiting), 10,
                       "an answer to who may not wait")
            body = '{"id":"%s"}' % uuid.uuid4().hex
            answer = product.post("/webhook/custom_webhook/" + hook["id"], body,
                                  {"Content-Type": "application/json",
                                   "X-Webhook-Signature": hmac_hex(SECRET, body)}, timeout=10)
            equal(answer.status, 200, answer)
        finally:
            answered.set()
            for thread in waiting:
                thread.join()


# ---- poison ----
@test("a job that its runners die under waits longer, so that others get their turn")
def _():
    with Instance(sandbox=False) as product, Crm() as crm:
        tenant = tenant_with(crm, product=product)
        hang = threading.Event()
        crm.default = lambda _: (hang.wait(60), (500, b""))[1]
        lead = new_lead(tenant)
        for died in range(1, 6):
            wait_until(lambda: len(crm.got) == died, 20, "attempt %d" % died)
            product.kill("cron", signal.SIGKILL)
            product.up()
            if died < 4:
                continue
            released = wait_until(lambda: product.sql(
                "SELECT run_at - UNIX_TIMESTAMP() * 1000000 > 3000000 FROM jobs"
                " WHERE kind = 'crm.push' AND lease_id IS NULL"), 20, "the release of the lease")
            equal(released, [["1"]], "waits")
            break
        hang.set()
        crm.default = (201, b"{}")
        other = new_lead(tenant)
        equal(settled(tenant, other)["status"], "success")
        product.sql("UPDATE jobs SET run_at = 1 WHERE kind = 'crm.push'")
        equal(settled(tenant, lead)["status"], "success")


# ---- the database goes away ----
@test("a push whose success cannot be written is written later, not made again")
def _():
    with Instance(sandbox=False) as product, Crm() as crm:
        tenant, answered = tenant_with(crm, product=product), threading.Event()
        crm.default = lambda _: (answered.wait(60), (201, b'{"id":"once"}'))[1]
        leads = [new_lead(tenant) for _ in range(3)]
        wait_until(lambda: len(crm.got) == len(leads), what="the attempts")
        product.kill("mariadb", signal.SIGKILL)
        answered.set()
        wait_until(lambda: product.get("/readyz").status == 503, what="the database's absence")
        product.up()
        for lead in leads:
            equal(settled(tenant, lead)["externalId"], "once")
        equal(len(crm.got), len(leads), "pushes")


# ---- secrets ----
@test("what a destination echoes shows no credential, nor its Basic form")
def _():
    canary = "canary-password-0123456789"
    with Crm() as crm:
        crm.default = lambda h: (400, ("you sent " + h.headers["Authorization"]).encode())
        tenant = tenant_with(crm, {"username": "canary", "password": canary},
                             auth={"type": "basic"})
        delivery = settled(tenant, new_lead(tenant))
        sent = crm.got[0][0]["Authorization"].split()[1]
        assert "you sent Basic ***" in delivery["lastError"], delivery
        for log in ("cron", "fcgi"):
            assert sent not in here().log(log) and canary not in here().log(log), log


run()

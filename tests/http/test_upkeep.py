#!/usr/bin/env python3
"""Upkeep beside the work: the event log's partitions while somebody holds the table, clocks that differ."""
# The usual build alone: partitions and retention.
import subprocess

from harness import Instance, equal, has, new_lead_id, run, test, true, wait_until, wait_until_none
from tenant import CustomWebhook, Meta, Tenant, row_id, unique

product = Instance(env={"CONNECT_PUSH_BACKOFF_MS": "20", "CONNECT_PUSH_BACKOFF_MAX_MS": "60"})


class Session:
    """A root's session with the database that stays open: its transaction holds what it has read."""

    def __init__(self, *statements):
        self.client = subprocess.Popen(
            ["mariadb", "--no-defaults", "--socket=%s/run/mariadb.sock" % product.state, "--user=root", "--batch",
             "--skip-column-names", "--unbuffered", "connect"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for statement in statements:
            self.client.stdin.write(statement + ";\n")
        self.client.stdin.write("SELECT 'there';\n")
        self.client.stdin.flush()
        while self.client.stdout.readline().strip() != "there":
            true(self.client.poll() is None, "the session lives")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.stdin.close()
        self.client.wait(30)


def days():
    """The event log's partitions by day."""
    return [int(name[1:]) for [name] in product.sql(
        "SELECT PARTITION_NAME FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = 'connect' AND"
        " TABLE_NAME = 'events' AND PARTITION_NAME <> 'p_rest' ORDER BY 1")]


def today():
    return int(product.sql("SELECT FLOOR(UNIX_TIMESTAMP() / 86400)")[0][0])


def work(name):
    """A periodic work's (last error, is it leased)."""
    [[error, lease]] = product.sql("SELECT last_error, lease_id IS NOT NULL FROM jobs WHERE kind = '%s'" % name)
    return error, lease == "1"


def failing_ctl(*args):
    """What a connectctl that fails prints."""
    try:
        product.ctl(*args)
    except AssertionError as e:
        return str(e)
    raise AssertionError("connectctl %s succeeded" % " ".join(args))


def reasons():
    answer = product.get("/readyz")
    return answer.status, answer.json()["reasons"]


@test("partitions are there for a week or two, without anybody's doing")
def _():
    wait_until(lambda: days()[-1:] == [today() + 14], 20, "the partitions")
    equal(days(), list(range(today(), today() + 15)))
    equal(reasons(), (200, []))
    has(product.ctl("doctor"), "partitions for 14 more days")
    # enough is enough: none is made each day
    product.sql("ALTER TABLE events DROP PARTITION %s" % ", ".join("p%06d" % d for d in days()[8:]))
    product.sql("UPDATE jobs SET run_at = 1 WHERE kind = 'event.partitions'")
    wait_until(lambda: product.sql("SELECT run_at > 1 AND lease_id IS NULL FROM jobs WHERE kind = 'event.partitions'")
               == [["1"]], 20, "its run")
    equal(days()[-1], today() + 7)


@test("while somebody's transaction holds the event log, webhooks and jobs go on, and upkeep comes again")
def _():
    t = Tenant(product)
    t.crm()
    meta = Meta(t)
    [first] = meta.send()
    t.wait_lead(first)
    product.sql("ALTER TABLE events DROP PARTITION %s" % ", ".join("p%06d" % d for d in days() if d > today() + 1))
    with Session("START TRANSACTION", "SELECT COUNT(*) FROM events"):
        product.sql("UPDATE jobs SET run_at = 1 WHERE kind = 'event.partitions'")
        failed, sent = 0, 0
        while failed < 2:       # twice, so that it comes again by itself
            raw = meta.body(new_lead_id())
            equal(product.post(meta.path, raw, meta.headers(raw), timeout=15).status, 200)
            sent += 1
            error, is_leased = work("event.partitions")
            if error and not is_leased:
                has(error, "partitions of events")
                has(error, "ock wait timeout")
                failed += 1
                product.sql("UPDATE jobs SET run_at = 1, last_error = NULL WHERE kind = 'event.partitions'"
                            " AND lease_id IS NULL")
        wait_until_none(lambda: sent + 1 - t.rows("leads", "sync_status = 'success'"), what="leads on their way")
        equal(days()[-1], today() + 1)
        wait_until(lambda: work("event.partitions")[0], 20, "its failure on record")
        told = failing_ctl("doctor")
        has(told, "periodic work event.partitions")
        has(told, "partitions for 1 more days only")
        has(wait_until(lambda: reasons()[1], 20, "the reason")[0], "partitions for 1 more days")
        equal(reasons()[0], 200)
    product.sql("UPDATE jobs SET run_at = 1 WHERE kind = 'event.partitions' AND lease_id IS NULL")
    wait_until(lambda: days()[-1] == today() + 14, 20, "the partitions")
    wait_until(lambda: work("event.partitions")[0] is None, 20, "its success on record")
    equal(reasons(), (200, []))
    equal(t.rows("lead_deliveries", "status = 'success' AND attempts = 1"), sent + 1)
    product.ctl("doctor")


@test("what is past retention goes two days at a time")
def _():
    now = today()
    oldest = now - 405
    product.sql("ALTER TABLE events REORGANIZE PARTITION p%06d INTO (%s)" % (now, ", ".join(
        "PARTITION p%06d VALUES LESS THAN (x'%012x%020d')" % (d, (d + 1) * 86400000, 0)
        for d in [*range(oldest, oldest + 5), now])))
    product.sql("UPDATE jobs SET run_at = 1 WHERE kind = 'event.retain'")
    wait_until(lambda: days()[0] == oldest + 2, 20, "the first two")
    wait_until(lambda: not work("event.retain")[1], 20, "its end")
    equal(days()[:3], [oldest + 2, oldest + 3, oldest + 4])
    equal(product.sql("SELECT run_at > (UNIX_TIMESTAMP() + 3000) * 1000000 FROM jobs WHERE kind = 'event.retain'"), [["1"]])
    product.ctl("partitions")
    equal(days()[:2], [oldest + 4, now])
    product.ctl("partitions")
    equal(days()[0], now)


def runners():
    """How many processes the master of connect-cron has."""
    master = product.pid("cron")
    with open("/proc/%d/task/%d/children" % (master, master), encoding="ascii") as f:
        return len(f.read().split())


def stages(t):
    return dict((stage, int(n)) for stage, n in product.sql(
        "SELECT stage, COUNT(*) FROM leads WHERE account_id = %s GROUP BY 1" % row_id(t.id)))


def break_connections():
    for [id_] in product.sql("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'connect'"):
        try:
            product.sql("KILL CONNECTION %s" % id_)
        except AssertionError:  # it has ended by itself
            pass


@test("a host's clock that differs from the database's: nothing is claimed or deleted, and all say so, until it agrees")
def _():
    t = Tenant(product)
    t.crm()
    meta = Meta(t)
    [before] = meta.send()
    t.wait_lead(before)
    product.sql("SET GLOBAL init_connect = 'SET SESSION timestamp = UNIX_TIMESTAMP(SYSDATE()) - 3456000'")
    try:
        break_connections()
        wait_until(lambda: product.log("cron").count("event=clock.apart") >= runners(), 20, "each runner's look at the clock")
        [lead] = meta.send()
        status, why = wait_until(lambda: (lambda got: got if got[0] == 503 else None)(reasons()), 20, "the workers'")
        has(why[0], "this host's clock is 3456")
        has(why[0], "s fast against the database's")
        has(failing_ctl("doctor"), "clock: this host's clock")
        has(failing_ctl("partitions"), "this host's clock")
        product.sql("UPDATE jobs SET run_at = 1 WHERE class = 2")
        t.new_lead()
        for _ in range(20):     # the runners, which are woken, look by the way
            [added] = meta.send()
        wait_until(lambda: t.rows("jobs", "attempts = 0 AND lease_id IS NULL") == 22, 20, "what was handed over, given back")
        equal(stages(t), {"ready": 1, "received": 22})
        equal(product.sql("SELECT COUNT(*) FROM jobs WHERE class = 2 AND (run_at <> 1 OR lease_id IS NOT NULL)"), [["0"]])
    finally:
        product.sql("SET GLOBAL init_connect = ''")
        break_connections()
    t.wait_lead(lead)
    t.wait_lead(added)
    t.wait_idle()
    wait_until(lambda: reasons() == (200, []), 20, "readiness")
    wait_until(lambda: product.log("cron").count("event=clock.apart") == product.log("cron").count("event=clock.agrees"),
               20, "each runner's word that all is well")
    wait_until_none(lambda: int(product.sql("SELECT COUNT(*) FROM jobs WHERE class = 2 AND run_at = 1")[0][0]), what="upkeep that is due")
    has(product.ctl("doctor"), "ok      clock")


@test("doctor --data tells what earlier versions stored wrongly, with examples, and changes nothing")
def _():
    t = Tenant(product)
    hook = CustomWebhook(t, resourceType="old", updatedAtPath="at")
    for name in ("blank", "digits", "mark", "ahead", "right"):
        hook({"id": name, "note": "n"})
    wrong = {"blank": "external_id = 'blank\u00a0'", "digits": "external_id = '1.8446744073709552e+19'",
             "mark": "data = REPLACE(data, '\"note\"', '\"\ufeffnote\"')", "ahead": "provider_updated_at = %d" % 4e15}
    # files as they were once read; beside them what looks alike and is right
    def file(text):
        equal(t.api("POST", "/records/import?resourceType=old", text.encode(), {"Content-Type": "text/csv"}).json()["failed"], 0)
    file("external_id,note\nsep,a\nend,a\nexport,a\nerrors,a\nturned,a\n")
    file("external_id,line,reason,town,name\nr1,7,jam (column 3),S\u00c3O PAULO,Jo\u00e3o \u00c3 \u201ea\u201c\n".replace(" (column 3)", ""))
    wrong |= {"sep": "data = '{\"sep=\":\"id\"}'", "end": "external_id = CHAR(26)",
              "export": "data = '{\"data\":{\"a\":\"1\"},\"firstSeenAt\":\"x\",\"providerType\":\"manual\",\"resourceType\":\"old\"}'",
              "errors": "data = '{\"line\":\"3\",\"n\":\"6\",\"reason\":\"\\\\\"x\\\\\" is not a number (column n): write it like 1200.50\"}'",
              "turned": "data = '{\"town\":\"K\u00c3\u00b6ln\"}'"}
    email, phone = unique() + "@example.com", "+493023125012"
    leads = [t.api("POST", "/leads", {"email": email, "phoneNumber": phone, "fullName": "Dee Ferro, Jr."}).json()["id"]
             for _ in range(5)]
    view = t.api("POST", "/views", {"name": "Odd", "query": {"resourceType": "old", "filter": {"a[]": "x"}}}).json()["id"]
    crm = t.connect("custom_crm", {}, {"url": "https://crm.example/in", "bodyTemplate": {"b": "{{email || phoneNumber}}"}})["id"]
    has(product.ctl("doctor", "--data"), "ok      data: nothing")
    for name, change in wrong.items():
        product.sql("UPDATE records SET %s WHERE resource_type = 'old' AND external_id = '%s'" % (change, name))
    product.sql("UPDATE leads SET email = 'm\u00a0ia@example.com' WHERE id = " + row_id(leads[0]))
    product.sql("UPDATE leads SET phone_number = '+03023125012' WHERE id = " + row_id(leads[1]))
    for i, names in enumerate((("Jr.", "Paul Ferro"), ("Mara, MD", "Lind"), ("Dr.", "Mia Kolb"))):
        product.sql("UPDATE leads SET lead = JSON_SET(lead, '$.firstName', '%s', '$.lastName', '%s') WHERE id = %s"
                    % (*names, row_id(leads[i + 2])))
    product.sql("UPDATE views SET definition = '{\"resourceType\":\"old\",\"filter\":{\"a..b\":\"x\"}}' WHERE id = " + row_id(view))
    product.sql("UPDATE connections SET settings = JSON_SET(settings, '$.bodyTemplate.b', '{{frstName}}') WHERE id = " + row_id(crm))
    first, second = [e["id"] for e in t.events()][:2]
    product.sql("UPDATE events SET status = 'verified', received_at = received_at - 90000000000 WHERE id = " + row_id(first))
    product.sql("UPDATE events SET status = 'verified' WHERE id = " + row_id(second))      # still under way
    before = product.sql("SELECT HEX(id), data, external_id, provider_updated_at FROM records ORDER BY id")
    told = failing_ctl("doctor", "--data")
    for text in ("1 records whose id has blanks", "1 records whose id is a number that lost its digits",
                 "1 records with a byte-order mark", "1 records whose provider's clock lies in the future",
                 "2 records made of a line of sep=", "2 records with the columns of an export",
                 "1 records of a file that seems to have been read in another encoding",
                 "1 leads whose email is no address", "1 leads whose phone number looks like E.164",
                 "3 leads whose first or last name is a title or a suffix", "%s: Jr." % leads[2], "%s: Mara, MD" % leads[3],
                 "1 views whose filter or columns", "Odd: filter[a..b]",
                 "1 connections with settings that cannot work", "settings.bodyTemplate", "frstName",
                 "1 events that were verified and of which nothing came", "%s: custom_webhook" % first,
                 ": 1.8446744073709552e+19", "%s: +03023125012" % leads[1]):
        has(told, text)
    equal(product.sql("SELECT HEX(id), data, external_id, provider_updated_at FROM records ORDER BY id"), before)


run()

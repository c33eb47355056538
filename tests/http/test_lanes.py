#!/usr/bin/env python3
"""The runner beside ill destinations: who hangs or refuses holds up nobody else, is left alone, and gets what is his when
he is well again."""
# The usual build alone: neighbours that hang.
import socket
import threading
import time

from crm import Crm
from harness import Browser, Instance, equal, new_lead_id, run, test, true, wait_until
from holding import Held
from tenant import Meta, Tenant, row_id

LEADS = 120     # of each ill destination: more than the runner works on at a time
product = Instance(env={"CONNECT_HTTP_TIMEOUT_MS": "60000", "CONNECT_PUSH_BACKOFF_MS": "100",
                        "CONNECT_PUSH_BACKOFF_MAX_MS": "200"})


class Mute:
    """A destination that takes every connection and answers none until it is told to."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = "http://127.0.0.1:%d/in" % self.socket.getsockname()[1]
        self.held, self.is_well, self.answered = [], threading.Event(), 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.held.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        self.is_well.wait()
        try:
            while connection.recv(65536):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                self.answered += 1
        except OSError:
            pass

    def close(self):
        self.is_well.set()
        self.socket.close()


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def states(t):
    """How many deliveries of the tenant have which status."""
    rows = product.sql("SELECT status, COUNT(*) FROM lead_deliveries WHERE account_id = %s GROUP BY status"
                       % row_id(t.id))
    return {status: int(n) for status, n in rows}


@test("a destination that hangs and one that refuses hold up no other account's leads")
def _():
    mute = Mute()
    hanging, refusing, healthy = Tenant(product), Tenant(product), Tenant(product)
    hanging.connect("custom_crm", {}, {"url": mute.url})
    refusing.connect("custom_crm", {}, {"url": "http://127.0.0.1:%d/in" % closed_port()})
    _, place = healthy.crm()
    for t in (hanging, refusing):
        for _i in range(LEADS):
            t.new_lead()
    wait_until(lambda: mute.held, 30, "the first push to the one that hangs")
    wait_until(lambda: states(refusing).get("pending", 0) + states(refusing).get("failed", 0) == LEADS, 30,
               "the refused ones in the ledger")
    for _i in range(30):
        healthy.new_lead()
    wait_until(lambda: healthy.sink(place)["counts"]["requests"] == 30, 60, "all thirty leads of the healthy one")
    equal(mute.answered, 0, "the other one hangs still")
    equal(states(hanging), {"pending": LEADS}, "and nothing is known of its pushes")
    true(len(mute.held) <= 32, "it holds a few slots, not all: %d" % len(mute.held))
    # the refused one is left alone: probes, not attempts of each
    wait_until(lambda: product.sql("SELECT COUNT(*) FROM job_breakers WHERE account_id = %s AND opened_at IS NOT NULL"
                                   % row_id(refusing.id)) == [["1"]], 30, "an open breaker")
    tried = int(product.sql("SELECT COUNT(*) FROM lead_delivery_attempts WHERE account_id = %s"
                            % row_id(refusing.id))[0][0])
    true(tried < LEADS / 2, "%d attempts at one that refuses" % tried)
    # well again, it gets everything, once
    mute.is_well.set()
    wait_until(lambda: states(hanging) == {"success": LEADS}, 90, "all that waited for the one that hung")
    equal(mute.answered, LEADS)
    mute.close()


class StatementLog:
    """What the database was asked meanwhile: (thread, statement) in their order."""

    def __enter__(self):
        product.sql("SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log = ON")
        return self

    def __exit__(self, *_):
        product.sql("SET GLOBAL general_log = OFF")
        self.statements = [(row[0], " ".join(row[1].split())) for row in product.sql(
            "SELECT thread_id, REGEXP_REPLACE(LEFT(CONVERT(argument USING ascii), 300), '[^ -~]+', ' ')"
            " FROM mysql.general_log WHERE command_type IN ('Query', 'Execute') ORDER BY event_time")]


def durable(statements):
    """What waits for the disk, as words: a transaction that wrote, or a write of its own."""
    found, writes, is_open = [], [], False
    for statement in statements:
        verb = statement.split()[0].upper()
        if statement.upper().startswith("START TRANSACTION"):
            writes, is_open = [], True
        elif verb == "COMMIT":
            found += [writes] if writes else []
            is_open = False
        elif verb in ("INSERT", "UPDATE", "DELETE"):
            table = [w for w in statement.replace("(", " ").split() if w.lower() not in ("into", "from", "ignore")][1]
            if is_open:
                writes.append(table)
            else:
                found.append([table])
    return found


@test("between the webhook's commit and the push on the wire there is one commit")
def _():
    t = Tenant(product)
    m = Meta(t)
    t.crm()
    [first] = m.send(new_lead_id())     # statements are prepared, connections made, their use noted
    t.wait_lead(first)
    t.wait_idle()
    with StatementLog() as log:
        [id_] = m.send(new_lead_id())
        t.wait_lead(id_)
        t.wait_idle()
    makers = {thread for thread, s in log.statements if s.upper().startswith("INSERT INTO EVENTS ")}
    pushers = {thread for thread, s in log.statements if s.upper().startswith("INSERT INTO LEAD_DELIVERY_ATTEMPTS ")}
    equal((len(makers), len(pushers)), (1, 1), log.statements)
    took = durable([s for thread, s in log.statements if thread in makers])
    equal(len(took), 1, took)
    true("jobs" in took[0], took)
    # one makes the lead ready and claims its push; the other stores what came of the push
    took = durable([s for thread, s in log.statements if thread in pushers])
    took = [tables for tables in took if tables != ["connections"]]     # their use, noted once a minute
    equal(len(took), 2, took)
    true("lead_deliveries" in took[0] and "lead_delivery_attempts" not in took[0], took)
    true("lead_delivery_attempts" in took[1], took)
    # nobody else had a hand in it
    others = [s for thread, s in log.statements if thread not in makers | pushers and " jobs " in s
              and s.split()[0].upper() in ("UPDATE", "DELETE", "INSERT")]
    equal(others, [])


@test("rows of an account that somebody holds hold up no other account's leads; its own go on when they are free")
def _():
    alone = Instance(sandbox=False, env={"CONNECT_RUNNERS": "1"})
    held, other = Tenant(alone), Tenant(alone)
    with Crm() as theirs, Crm() as ours:
        for t, crm in ((held, theirs), (other, ours)):
            t.crm(url=crm.url)
            t.new_lead(email="first@example.com")
            t.wait_idle()
        answered = threading.Event()
        theirs.default = lambda _: answered.wait() and (201, b'{"id":"crm-1"}')
        for turn, rows in enumerate(("lead_deliveries", "leads", "push_counts", "connections", "jobs")):
            had, before = len(ours.got), len(theirs.got)
            answered.clear()
            for i in range(20):
                held.new_lead(email="turn%d-%d@example.com" % (turn, i))
            wait_until(lambda: len(theirs.got) > before, what="a push under way")
            with Held(alone, "SELECT COUNT(*) FROM %s WHERE account_id = %s FOR UPDATE" % (rows, row_id(held.id))):
                answered.set()
                began = time.monotonic()
                for i in range(20):
                    other.new_lead(email="turn%d-%d@example.com" % (turn, i))
                wait_until(lambda: len(ours.got) == had + 20 and other.rows("lead_deliveries", "status = 'pending'") == 0, 20,
                           "the pushes of the other account, beside " + rows)
                true(time.monotonic() - began < 5, "%s: held up for %g s" % (rows, time.monotonic() - began))
            held.wait_idle(30)
        equal(len(theirs.got), 101)
        equal((held.rows("lead_deliveries", "status = 'success'"), held.rows("jobs", "state = 'dead'")), (101, 0))


@test("a connection's page asks once what holds its calls up, and nothing else twice either")
def _():
    t = Tenant(product)
    b = Browser(product)
    b.sign_in(t.account.email, t.account.password)
    page = "/admin/connections/" + t.crm()[0]
    equal(b.get(page).status, 200)      # statements are prepared
    with StatementLog() as log:
        equal(b.get(page).status, 200)
    [ours] = [[s for n, s in log.statements if n == thread] for thread in {n for n, s in log.statements if " FROM sessions" in s}]
    equal(sum(" FROM job_breakers " in s for s in ours), 1, ours)
    equal([s for s in ours if ours.count(s) > 1], [])


run()

#!/usr/bin/env python3
"""The runner beside ill destinations: who hangs or refuses holds up nobody else, is left alone, and gets what is his when
he is well again."""
import socket
import threading

from harness import Instance, equal, run, test, true, wait_until
from tenant import Tenant, row_id

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


run()

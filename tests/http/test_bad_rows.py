#!/usr/bin/env python3
"""What is stored can be read again, however deep or long it has become; and a row that cannot be read stops nobody."""
# The usual build alone: volumes.

from harness import equal, here, run, test, wait_until
from tenant import CustomWebhook, Tenant, row_id, unique

DEEP = 62   # the levels of a payload that is still taken, its own object among them


def hook_of(t):
    """A webhook whose records are of a type of its own."""
    hook = CustomWebhook(t, resourceType=unique("b"))
    hook.type = hook.connection["settings"]["resourceType"]
    return hook


def record_of(hook):
    [found] = hook.tenant.records("&resourceType=" + hook.type)
    return found


def nested(levels, leaf):
    value = leaf
    for _ in range(levels):
        value = {"n": value}
    return value


def catalogue_moves(what):
    """Of an account that has nothing to do with it."""
    other = Tenant()
    hook = hook_of(other)
    hook({"id": "1", "word": what})
    wait_until(lambda: any(f["path"] == "word" for f in other.get("/records/fields?resourceType=" + hook.type)["data"]),
               60, "the other account's catalogue, with " + what)


@test("a record as deep as may be, changed: history, as-of, catalogue, deletion work as for any other")
def _():
    t = Tenant()
    hook = hook_of(t)
    hook({"id": "deep", "x": nested(DEEP, 1)})
    hook({"id": "deep", "x": nested(DEEP, 2)})
    hook({"id": "deep", "x": nested(DEEP - 5, [nested(3, 7)])})
    hook({"id": "deep", "x": "flat"})      # what it was before stands in the history, some levels further down
    id_ = record_of(hook)["id"]
    history = t.get("/records/%s/history" % id_)
    equal(history["total"], 4)
    at = history["data"][2]["at"]
    value = t.get("/records/%s?at=%s" % (id_, at))["data"]["x"]
    while isinstance(value, dict):
        value = value["n"]
    equal(value, 2)
    catalogue_moves("deep")
    equal(t.api("DELETE", "/records/" + id_).status, 204)
    equal(t.rows("records"), 0)


@test("a long past of large changes: the same")
def _():
    t = Tenant()
    hook = hook_of(t)
    for letter in "abc":
        hook({"id": "large", **{"k%d" % i: letter * 90000 for i in range(10)}})
    id_ = record_of(hook)["id"]
    equal(t.get("/records/%s/history" % id_)["total"], 3)
    catalogue_moves("large")
    equal(t.api("DELETE", "/records/" + id_).status, 204)


@test("a stored row that cannot be read: others' catalogue goes on, it can be deleted, its history shows the rest")
def _():
    t = Tenant()
    hook = hook_of(t)
    hook({"id": "bad", "x": 1})
    hook({"id": "bad", "x": 2})
    id_ = record_of(hook)["id"]
    here().sql("UPDATE record_changes SET changes = '[{\"path\":' WHERE record_id = %s AND changes <> '[]'" % row_id(id_))
    history = t.get("/records/%s/history" % id_)
    equal((history["total"], history["data"][0].get("isUnreadable")), (2, True))
    catalogue_moves("change")
    here().sql("UPDATE records SET data = '{\"x\":' WHERE id = %s" % row_id(id_))
    catalogue_moves("record")
    equal(t.api("DELETE", "/records/" + id_).status, 204)
    equal((t.rows("records"), t.rows("record_changes")), (0, 0))


run()

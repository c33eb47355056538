#!/usr/bin/env python3
"""What is not taken is told; what was verified is kept whole and can be replayed."""
import gzip
import json
import time
import zlib

from harness import Browser, equal, has, here, hmac_hex, new_lead_id, problem, run, test, true, wait_until
from tenant import CustomWebhook, Faults, HubSpot, Meta, Tenant, unique

shared = []


def tenant():
    if not shared:
        shared.append(Tenant())
    return shared[0]


def fresh(prefix="b"):
    return unique(prefix)[:16]


def send(hook, body, content_type="application/json", headers=None, query="", status=200):
    """Bytes or text as they are; the event that was made of it."""
    raw = body if isinstance(body, bytes) else body.encode()
    head = {"X-Webhook-Token": hook.token, "Content-Type": content_type, **(headers or {})}
    answer = hook.tenant.product.post(hook.path + query, raw, {k: v for k, v in head.items() if v is not None})
    equal(answer.status, status, answer)
    return hook.tenant.get("/events/" + answer.json()["eventId"]) if status == 200 else answer


def told(event):
    """status, items, taken, and the place and reason of the first that was not."""
    first = event["firstNotTaken"]
    return (event["status"], event["items"], event["taken"],
            first and "%d %s" % (first["position"], first["reason"]))


def records(hook, kind):
    return {r["externalId"]: r["data"] for r in hook.tenant.records("&resourceType=" + kind)}


# ---- characters ---------------------------------------------------------------------------------------
@test("JSON as genuine senders write it is read, and the event says what was put right")
def _():
    kind = fresh()
    hook = CustomWebhook(tenant(), resourceType=kind)
    rows = [(b'{"id":"n1","note":"thumbs \\ud83d"}', "thumbs \ufffd", "half a surrogate pair"),
            (b'{"id":"n2","note":"\\ude00 up"}', "\ufffd up", "half a surrogate pair"),
            (b'{"id":"n3","note":"one\\u0000two"}', "one\ufffdtwo", "a NUL became"),
            (b'{"id":"n4","note":"one\x00two"}', "one\ufffdtwo", "a NUL became"),
            (b'\xef\xbb\xbf{"id":"n5","note":"marked"}', "marked", "a byte-order mark fell"),
            (b'{"id":"n6","note":"caf\xe9 \xff"}', "caf\ufffd \ufffd", "no UTF-8 became"),
            (b'{"id":"n7","note":"two\nlines\tand\x01"}', "two\nlines\tand\x01", "control characters stayed"),
            (b'{"id":"n8","note":"first","note":"last"}', "last", "the last counts"),
            (b'{"id":"n9","note":"\\ud83d\\ude00 \xc3\xa9"}', "\U0001f600 \u00e9", None),
            (b'\xef\xbb\xbf{"id":"n10","n":1,"n":2,"note":"\\ud83d\x00"}\x00', "\ufffd\ufffd", "twice"),
            (b'\xef\xbb\xbf\xef\xbb\xbf{"id":"n11","note":"marked twice"}', "marked twice", "a byte-order mark fell"),
            ('{"id":"n12","note":"caf\u00e9 \U0001f600"}'.encode("utf-16"), "caf\u00e9 \U0001f600", "it was read as UTF-16"),
            ('{"id":"n13","note":"\u4e00"}'.encode("utf-16be"), "\u4e00", "it was read as UTF-16")]
    for raw, _, word in rows:
        event = send(hook, raw)
        equal(told(event), ("processed", 1, 1, None), raw)
        true((event["reason"] is None) if word is None else word in (event["reason"] or ""), (raw, event["reason"]))
    got = records(hook, kind)
    equal({i: d["note"] for i, d in got.items()}, {"n%d" % (i + 1): row[1] for i, row in enumerate(rows)})
    equal(got["n10"]["n"], 2)


@test("JSON in the one-byte encoding that its sender names is read so; what is UTF-8 all the same stays, and what names nothing is repaired")
def _():
    t = Tenant()
    hook = CustomWebhook(t, resourceType="named")
    for id_, raw, type_, wanted in (("n1", b"K\xf6ln", "application/json; charset=ISO-8859-1", "K\u00f6ln"),
                                    ("n2", b"5 \x80", 'application/json; Charset="windows-1252"', "5 \u20ac"),
                                    ("n3", b"K\xc3\xb6ln", "application/json; charset=iso-8859-1", "K\u00f6ln"),
                                    ("n4", b"K\xf6ln", "application/json; charset=utf-8", "K\ufffdln"),
                                    ("n5", b"K\xf6ln", "application/json", "K\ufffdln")):
        hook(b'{"id":"' + id_.encode() + b'","town":"' + raw + b'"}', type_)
        [got] = [r["data"]["town"] for r in t.records("&resourceType=named") if r["externalId"] == id_]
        equal((id_, got), (id_, wanted))


@test("what makes no sense is kept whole behind a good token, and 400 or 4,096 bytes only from strangers")
def _():
    kind = fresh()
    t = tenant()
    hook = CustomWebhook(t, resourceType=kind)
    body = b'{"id":"n3","pad":"' + b"x" * 9000 + b'","note":"\\q"}'
    event = send(hook, body)
    equal(told(event), ("failed", 0, 0, None))
    has(event["reason"], "an escape that there is not")
    equal(event["body"].encode(), body)
    for raw in (b"", b"hello", b'{"id":', b"[" * 70, b"{} {}"):
        event = send(hook, raw)
        equal((event["status"], event["body"].encode()), ("failed", raw), raw)
        true(event["reason"] and "JSON_" not in event["reason"], event["reason"])
    answer = send(hook, body, headers={"X-Webhook-Token": "wrong"}, status=401)
    problem(answer, 401)
    [rejected] = [e for e in t.events("&status=rejected&connectionId=" + hook.connection["id"])]
    equal(len(t.get("/events/" + rejected["id"])["body"]), 4096)
    # the API stays strict, in our words
    for raw, word in ((b'{"email":"a\\u0000@example.com"}', "the escape \\u0000"), (b'{"email":"a\\ud83d"}', "surrogate"),
                      (b'{"email":"x","email":"y"}', "twice"), (b'\xef\xbb\xbf{}', "not JSON")):
        detail = problem(t.api("POST", "/leads", raw, headers={"Content-Type": "application/json"}), 400)["detail"]
        has(detail, word)
        true("JSON_" not in detail, detail)


@test("a failed event is replayed once its cause is mended, with the headers that it came with")
def _():
    kind = fresh()
    t = tenant()
    hook = CustomWebhook(t, resourceType=kind, itemsPath="rows", externalIdPath="key")
    path = "/events/%s/replay"
    event = send(hook, '{"rows":[{"id":"a1"},{"id":"a2"}]}')
    equal(told(event), ("failed", 2, 0, "1 has no id"))
    form = send(hook, "rows[0][id]=f1", "application/x-www-form-urlencoded; charset=utf-8")
    equal(told(form), ("failed", 1, 0, "1 has no id"))
    settings = {"signatureScheme": "token", "resourceType": kind, "itemsPath": "rows"}
    equal(t.api("PATCH", "/connections/" + hook.connection["id"], {"settings": {"externalIdPath": None}}).status, 200)
    for e, n in ((event, 2), (form, 1)):
        again = t.api("POST", path % e["id"]).json()
        equal(told(again), ("processed", n, n, None), settings)
    equal(sorted(records(hook, kind)), ["a1", "a2", "f1"])


# ---- items --------------------------------------------------------------------------------------------
@test("an event says how many items it carried, how many were taken, and why the first of the others was not")
def _():
    kind = fresh()
    hook = CustomWebhook(tenant(), resourceType=kind, itemsPath="rows")
    long = "i" * 256
    rows = [('{"rows":[{"id":"r1"},{"name":"no id"},{"id":"r3"}]}', ("processed", 3, 2, "2 has no id")),
            ('{"rows":[7,null,"x",[],{"id":"r4"}]}', ("processed", 5, 1, "1 is no object")),
            ('{"rows":[{"id":"%s"},{"id":"r5"}]}' % long,
             ("processed", 2, 1, "1 has an id of 256 bytes, where 255 are the most")),
            ('{"rows":[{"id":"  "},{"id":"\\u00a0\\u3000"},{"id":{"a":1}},{"id":null}]}', ("failed", 4, 0, "1 has no id")),
            ('{"rows":[]}', ("processed", 0, 0, None)),
            ('{"rows":null}', ("failed", 0, 0, None)),
            ('{"other":[]}', ("failed", 0, 0, None)),
            ('{"rows":"text"}', ("failed", 0, 0, None)),
            ('[]', ("failed", 0, 0, None)),
            ('5', ("failed", 0, 0, None))]
    for raw, wanted in rows:
        event = send(hook, raw)
        equal(told(event), wanted, raw[:80])
        true(event["reason"] or wanted[3] is None and wanted[2], (raw[:80], event["reason"]))
    equal(send(hook, '{"rows":[]}')["reason"], "the list of items is empty")
    equal(send(hook, '{"other":1}')["reason"], 'the path "rows" finds nothing')
    event = send(hook, rows[0][0])
    equal((event["notTaken"], event["reason"]), (1, "item 2 has no id"))
    listed = next(e for e in tenant().events() if e["id"] == event["id"])
    equal((listed["taken"], listed["firstNotTaken"]), (2, {"position": 2, "reason": "has no id"}))
    equal(sorted(records(hook, kind)), ["r1", "r3", "r4", "r5"])


@test("a path that fans out gives the items of all that it finds")
def _():
    kind = fresh()
    hook = CustomWebhook(tenant(), resourceType=kind, itemsPath="entry[].changes")
    equal(told(send(hook, '{"entry":[{"changes":[{"id":"f1"},{"id":"f2"}]},{"id":"x"},{"changes":[{"id":"f3"}]}]}')),
          ("processed", 3, 3, None))
    equal(send(hook, '{"entry":[{"id":"x"}]}')["reason"], 'the path "entry[].changes" finds nothing')
    equal(send(hook, '{"entry":[{"changes":[]}]}')["reason"], "the list of items is empty")
    equal(sorted(records(hook, kind)), ["f1", "f2", "f3"])


@test("ids lose blanks at their ends")
def _():
    kind = fresh()
    hook = CustomWebhook(tenant(), resourceType=kind)
    for raw in ('{"id":"y "}', '{"id":"y","n":2}', '{"id":"\\u00a0y\\u3000","m":3}', '{"id":"\\ty\\u200b"}'):
        equal(told(send(hook, raw)), ("processed", 1, 1, None), raw)
    got = records(hook, kind)
    equal((list(got), got["y"]["n"], got["y"]["m"]), (["y"], 2, 3))


@test("any number of items is taken, a bad one costs no neighbour, and a repeat doubles nothing")
def _():
    kind = fresh()
    t = tenant()
    hook = CustomWebhook(t, resourceType=kind, itemsPath="rows", dedupePath="e")
    rows = [{"id": "z%d" % i, "e": "e%d" % i} for i in range(2500)]
    rows[1200] = {"name": "no id"}
    rows[1300] = {"id": "z1300", "e": "e1300", "nested": 7}
    body = json.dumps({"rows": rows}, separators=(",", ":"))

    def ended(event):
        return wait_until(lambda: (lambda e: e["status"] != "verified" and e)(t.get("/events/" + event["id"])), 20)
    event = ended(send(hook, body))
    equal(told(event), ("processed", 2500, 2499, "1201 has no id"))
    equal(t.rows("records", "resource_type = '%s'" % kind), 2499)
    changes = t.rows("record_changes")
    again = ended(send(hook, body))
    equal((again["status"], again["items"], again["taken"]), ("duplicate", 2500, 0))
    equal(t.rows("record_changes"), changes)
    replayed = t.api("POST", "/events/%s/replay" % event["id"])
    equal(replayed.status, 200)
    equal(told(ended(event))[:3], ("processed", 2500, 2499))
    equal((t.rows("record_changes"), t.rows("jobs", "kind = 'event.process'")), (changes, 0))


# ---- forms --------------------------------------------------------------------------------------------
@test("a form's names in brackets nest, media types have no case, and a setting may spell a path either way")
def _():
    t = tenant()
    form = "Application/X-WWW-Form-Urlencoded; Charset=UTF-8"
    plain = "kind=join&data[id]=%s&data[email]=mia%%40example.com&data[name][first]=Mia&tags[]=a&tags[]=b"
    for n, paths in enumerate((("data.id", "data.email", "data.name.first"), ("data[id]", "data[email]", "data[name][first]"))):
        hook = CustomWebhook(t, externalIdPath=paths[0], leadFields={"email": paths[1], "firstName": paths[2]})
        for k, encode in enumerate((lambda s: s, lambda s: s.replace("[", "%5B").replace("]", "%5d"))):
            lead = fresh("q%d%d" % (n, k))
            equal(told(send(hook, encode(plain % lead), form)), ("processed", 1, 1, None))
            got = wait_until(lambda: (lambda x: x and x["stage"] == "ready" and x)(t.lead_of(lead)))
            equal((got["email"], got["firstName"]), ("mia@example.com", "Mia"))
    kind = fresh()
    hook = CustomWebhook(t, resourceType=kind)
    rows = [("id=c1&v=2", {"id": "c1", "v": "2"}),
            ("id=c2&tags[]=a&tags[]=b&n[0]=x&n[1]=y", {"id": "c2", "tags": ["a", "b"], "n": ["x", "y"]}),
            ("id=c3&a[][x]=1&a[][y]=2&a[][x]=3", {"id": "c3", "a": [{"x": "1", "y": "2"}, {"x": "3"}]}),
            ("id=c4&a[b=1&[c]=2&d]=3&e[f]g=4", {"id": "c4", "a[b": "1", "[c]": "2", "d]": "3", "e[f]g": "4"}),
            ("id=c5&a=1&a[b]=2&c[d]=3&c=4", {"id": "c5", "a": "1", "a[b]": "2", "c": {"d": "3", "": "4"}}),
            ("id=c6&a=%FF%00%zz+b&a=2", {"id": "c6", "a": ["\ufffd\ufffd%zz b", "2"]}),
            ("id=c7&" + "&".join("f%d=%d" % (i, i) for i in range(1500)), None)]
    for raw, wanted in rows:
        equal(told(send(hook, raw, form)), ("processed", 1, 1, None), raw[:60])
        got = records(hook, kind)[raw[3:5]]
        true(got == wanted if wanted else len(got) == 1501, (got, wanted))


@test("multipart/form-data is read like a form; files are not taken, and told")
def _():
    kind = fresh()
    hook = CustomWebhook(tenant(), resourceType=kind)
    parts = [("id", None, "m1"), ("data[city]", None, "K\u00f6ln"), ("photo", "a.png", "\x89PNG" * 30000),
             ("cv", "", ""), ("note", None, "two\r\nlines")]
    raw = b""
    for name, filename, value in parts:
        raw += ('--b0und\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
                % (name, "" if filename is None else '; filename="%s"' % filename)).encode()
        raw += value.encode() + b"\r\n"
    raw += b"--b0und--\r\n"
    event = send(hook, raw, "MultiPart/Form-Data; boundary=b0und")
    equal(told(event), ("processed", 1, 1, None))
    equal(event["reason"], "a file was not taken: photo")
    equal(records(hook, kind)["m1"], {"id": "m1", "data": {"city": "K\u00f6ln"}, "note": "two\r\nlines"})
    event = send(hook, raw[:-40], "multipart/form-data; boundary=b0und")
    equal((event["status"], event["reason"]), ("failed", "the multipart body ends early"))
    part = b'--b0und\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    many = b"".join(part % (b"k%d" % i, b"v") for i in range(2000)) + part % (b"id", b"m2") + part % (b"t", b"caf\xe9\x00")
    event = send(hook, many + b"--b0und--\r\n", "multipart/form-data; boundary=b0und")
    equal((told(event), event["reason"]), (("processed", 1, 1, None), "what is no text in a form became U+FFFD"))
    got = records(hook, kind)["m2"]
    equal((len(got), got["k1999"], got["t"]), (2002, "v", "caf\ufffd\ufffd"))


# ---- codings and tokens -----------------------------------------------------------------------------------
@test("gzip and deflate are decoded; a MAC may be of either side; other codings are 415, too much is 413")
def _():
    t = tenant()
    kind = fresh()
    hook = CustomWebhook(t, resourceType=kind)
    plain = b'{"id":"%s"}'

    def raw_deflate(data):
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(data) + packer.flush()
    for n, (coding, pack) in enumerate((("gzip", gzip.compress), ("X-Gzip", gzip.compress), ("GZIP", gzip.compress),
                                        ("deflate", zlib.compress), ("Deflate", raw_deflate))):
        event = send(hook, pack(plain % b"g%d" % n), headers={"Content-Encoding": coding})
        equal(told(event), ("processed", 1, 1, None), coding)
        equal((event["body"], event["bodyIsText"]), ('{"id":"g%d"}' % n, True))
        equal(t.api("POST", "/events/%s/replay" % event["id"]).json()["status"], "processed")
    send(hook, plain % b"g9", headers={"Content-Encoding": "identity"})
    secret = unique("mac-secret-")
    mac = t.connect("custom_webhook", {"webhookSecret": secret}, {"resourceType": kind})
    path = mac["webhookUrl"][len(here().url):]
    body = plain % b"h1"
    for signed, status in ((gzip.compress(body, mtime=0), 200), (body, 200), (b"other", 401)):
        answer = here().post(path, gzip.compress(body, mtime=0),
                             {"X-Webhook-Signature": hmac_hex(secret, signed), "Content-Encoding": "gzip"})
        equal(answer.status, status, answer)
    equal(sorted(records(hook, kind)), ["g0", "g1", "g2", "g3", "g4", "g9", "h1"])
    event = send(hook, b"no gzip", headers={"Content-Encoding": "gzip"})
    equal((event["status"], event["reason"], event["body"]),
          ("failed", "the body is not gzip, as its Content-Encoding says", "no gzip"))
    problem(send(hook, gzip.compress(b"[" + b" " * 1048576 + b"]"), headers={"Content-Encoding": "gzip"}, status=413), 413)
    for coding in ("br", "zstd", "gzip, gzip"):
        answer = send(hook, b"{}", headers={"Content-Encoding": coding}, status=415)
        has(problem(answer, 415)["detail"], '"%s"' % coding)
        equal(answer.header("Accept-Encoding"), "gzip, deflate")
    for path, body in (("/leads", {"email": "a@example.com"}), ("/records/import?resourceType=x", b"id\n1\n")):
        answer = t.api("POST", path, body, headers={"Content-Encoding": "gzip"})
        equal((answer.status, answer.header("Accept-Encoding")), (415, "identity"), answer)


@test("a token may come in the query, and is blotted out wherever the address is kept")
def _():
    t = tenant()
    kind = fresh()
    hook = CustomWebhook(t, resourceType=kind)
    none = {"X-Webhook-Token": None}
    event = send(hook, '{"id":"q1"}', headers=none, query="?a=1&token=%s&b=2" % hook.token)
    true(event["url"].endswith("?a=1&token=***&b=2"), event["url"])
    escaped = "".join("%%%02x" % c for c in hook.token.encode())
    event = send(hook, '{"id":"q2"}', headers=none, query="?t%6Fken=" + escaped)
    true(event["url"].endswith("?t%6Fken=***"), event["url"])
    problem(send(hook, "{}", headers=none, query="?token=short", status=401), 401)
    named = CustomWebhook(t, resourceType=kind, tokenParameter="key")
    equal(told(send(named, '{"id":"q3"}', headers=none, query="?key=" + named.token)), ("processed", 1, 1, None))
    problem(send(named, "{}", headers=none, query="?token=" + named.token, status=401), 401)
    [rejected] = t.events("&status=rejected&connectionId=" + hook.connection["id"])
    true(rejected["url"].endswith("?token=***"), rejected["url"])
    equal(sorted(records(hook, kind)), ["q1", "q2", "q3"])


# ---- providers --------------------------------------------------------------------------------------------
@test("HubSpot: objects by their type's id, merges, a property emptied, deleted and restored")
def _():
    t = Tenant()
    h = HubSpot(t)
    at = 1772352000000

    def kind_of(object_id):
        return {(r["resourceType"], r["externalId"]): r["data"] for r in t.records()}.get(object_id)
    h.send(h.change(601, "city", "Trier", at, "object.propertyChange") | {"objectTypeId": "0-2"})
    equal(kind_of(("company", "601"))["properties"], {"city": "Trier"})
    h.send(h.change(602, "size", "4", at, "object.propertyChange") | {"objectTypeId": "2-77"},
           h.change(603, "n", "1", at, "line_item.propertyChange"), h.change(604, None, None, at, "product.creation"))
    equal([kind_of(k) is not None for k in (("object_2-77", "602"), ("line_item", "603"), ("product", "604"))], [True] * 3)
    emptied = h.change(601, "city", None, at + 1000, "object.propertyChange") | {"objectTypeId": "0-2"}
    del emptied["propertyValue"]
    h.send(emptied)
    equal(kind_of(("company", "601"))["properties"], {"city": None})
    h.send(h.change(611, "a", "1", at), h.change(612, "b", "2", at))
    for merge in ({"objectId": 611}, {}):
        event = h.change(611, None, None, at + 900000, "contact.merge")
        del event["objectId"]
        h.send(event | {"primaryObjectId": 611, "mergedObjectIds": [612], "newObjectId": 613} | merge)
        got = {i: kind_of(("contact", i)) for i in ("611", "612", "613")}
        equal([(d.get("archived"), d.get("mergedInto")) for d in got.values()], [(True, "613"), (True, "613"), (None, None)])
    for kind, more in (("contact", {}), ("object", {"objectTypeId": "0-5"})):
        of = ("contact" if kind == "contact" else "ticket", "702")
        h.send(h.change(702, "city", "Trier", at, kind + ".propertyChange") | more)
        h.send(h.change(702, None, None, at + 900000, kind + ".deletion") | more)
        equal((kind_of(of)["archived"], kind_of(of)["properties"]), (True, {"city": "Trier"}))
        h.send(h.change(702, None, None, at + 1900000, kind + ".restore") | more)
        equal([kind_of(of)[k] for k in ("archived", "archivedAt", "properties")], [False, None, {"city": "Trier"}])
        h.send(h.change(702, "city", "Bonn", at + 2900000, kind + ".propertyChange") | more)
        h.send(h.change(702, None, None, at + 900001, kind + ".deletion") | more)     # late news of it
        equal([kind_of(of)[k] for k in ("archived", "archivedAt", "properties")], [False, None, {"city": "Bonn"}])
    answer = h.send(h.change(1, None, None, at, "object.creation"), h.change(2, None, None, at, "robot.creation"))
    event = t.get("/events/" + answer.json()["eventId"])
    equal(told(event), ("failed", 2, 0, "1 is of a type that is not known here: object.creation"))
    other = h.change(3, None, None, at, "contact.creation") | {"portalId": 7}
    event = t.get("/events/" + h.send(h.change(4, None, None, at, "contact.creation"), other).json()["eventId"])
    equal(told(event), ("processed", 2, 1, "2 is of another account, 7"))


@test("Meta: a change of another kind is ignored and told; error 100 is tried again, then incomplete, then replayed")
def _():
    t = Tenant()
    m = Meta(t)
    raw = json.dumps({"object": "page", "entry": [{"id": m.page, "changes": [{"field": "feed", "value": {}}]}]}).encode()
    event = t.get("/events/" + m.post(raw).json()["eventId"])
    equal((told(event), event["reason"]),
          (("processed", 1, 0, None), "the provider's manifest takes nothing of this kind"))
    hidden = {"target": "graph", "kind": "error", "status": 400, "code": 100}
    with Faults(here(), hidden | {"count": 1}):
        [id_] = m.send()
        lead = t.wait_lead(id_, ("none",))
    equal((lead["stage"], lead["stageError"]), ("ready", None))
    with Faults(here(), hidden):
        id_ = new_lead_id()
        event = m.post(m.body(id_)).json()["eventId"]
        lead = wait_until(lambda: (lambda x: x and x["stage"] == "incomplete" and x)(t.lead_of(id_)), 30)
    has(lead["stageError"], "leads_retrieval")
    has(lead["stageError"], "Leads Access Manager")
    equal(t.api("POST", "/events/%s/replay" % event).status, 200)
    lead = t.wait_lead(id_, ("none",))
    equal((lead["stage"], lead["stageError"]), ("ready", None))


# ---- two secrets for a while --------------------------------------------------------------------------------
@test("a token that was rejected is kept by no log; where it was the right one it is verified anew with the new secret")
def _():
    t = tenant()
    old, new = unique("old-secret-"), unique("new-secret-")
    for settings, headers, query in (({}, {"X-Webhook-Token": new}, ""), ({"signatureHeader": "Authorization"}, {"Authorization": new}, ""),
                                     ({"tokenParameter": "key"}, {}, "?key=" + new)):
        c = t.connect("custom_webhook", {"webhookSecret": old}, {"signatureScheme": "token", "resourceType": fresh(), **settings})
        path = c["webhookUrl"][len(here().url):]
        right, wrong = {**headers}, {k: "another-secret-0123" for k in headers}
        for sent, to in ((right, query), (wrong, query and "?key=another-secret-0123"), ({k: "***" for k in headers}, query and "?key=***")):
            equal(here().post(path + to, b'{"id":"1"}', {"Content-Type": "application/json", **sent}).status, 401)
        *others, first = t.events("&status=rejected&connectionId=" + c["id"])
        kept = here().sql("SELECT url, headers FROM events WHERE connection_id = UNHEX('%s')" % c["id"].replace("-", ""))
        true(new not in str(kept) and str(kept).count("***:") == 3, kept)
        shown = t.api("GET", "/events/" + first["id"]).text
        true("***" in shown and "***:" not in shown and new not in shown, shown)
        problem(t.api("POST", "/events/%s/replay" % first["id"]), 409)
        equal(t.api("PATCH", "/connections/" + c["id"], {"credentials": {"webhookSecret": new}}).status, 200)
        for other in others:
            problem(t.api("POST", "/events/%s/replay" % other["id"]), 409, word="wrong token")
        answer = t.api("POST", "/events/%s/replay" % first["id"])
        equal((answer.status, told(answer.json())), (200, ("processed", 1, 1, None)), answer)


@test("a changed secret leaves the old one good for a while; what was rejected in between can be verified anew")
def _():
    t = tenant()
    kind = fresh()
    old, new, newest = unique("old-secret-"), unique("new-secret-"), unique("newest-secret-")
    c = t.connect("custom_webhook", {"webhookSecret": old}, {"resourceType": kind})
    path, here_ = c["webhookUrl"][len(here().url):], "/connections/" + c["id"]

    def post(secret, id_, status=200):
        raw = b'{"id":"%s"}' % id_.encode()
        answer = here().post(path, raw, {"X-Webhook-Signature": hmac_hex(secret, raw)})
        equal(answer.status, status, answer)
        return t.get("/events/" + answer.json()["eventId"]) if status == 200 else None

    def change(**body):
        answer = t.api("PATCH", here_, body)
        equal(answer.status, 200, answer)
        true(not any(s in answer.text for s in (old, new, newest)), "no secret is shown")
        return answer.json()["formerSecrets"]
    equal((post(old, "s1")["reason"], t.get(here_)["formerSecrets"]), (None, []))
    post(new, "s2", 401)                        # the sender was changed first
    [rejected] = t.events("&status=rejected&connectionId=" + c["id"])
    problem(t.api("POST", "/events/%s/replay" % rejected["id"]), 409)
    [former] = change(credentials={"webhookSecret": new})
    equal(former["credential"], "webhookSecret")
    day = time.time() + 86400
    true(abs(time.mktime(time.strptime(former["until"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - day) < 3600, former)
    has(post(old, "s3")["reason"], "with the former webhookSecret, which is good until " + former["until"][:16])
    has(post(new, "s4")["reason"], "with the new webhookSecret")
    answer = t.api("POST", "/events/%s/replay" % rejected["id"])
    equal((answer.status, told(answer.json())), (200, ("processed", 1, 1, None)), answer)
    # the other settings are changed meanwhile: nothing of it ends; a second change leaves two
    equal(change(name="Other"), [former])
    equal([f["credential"] for f in change(credentials={"webhookSecret": newest})], ["webhookSecret"] * 2)
    for secret, id_ in ((old, "s5"), (new, "s6"), (newest, "s7")):
        post(secret, id_)
    equal(change(secretGraceHours=0), [])
    post(old, "s8", 401)
    post(new, "s8", 401)
    equal(post(newest, "s8")["reason"], None)
    equal(change(credentials={"webhookSecret": old}, secretGraceHours=0), [])
    post(newest, "s9", 401)
    equal(change(credentials={"webhookSecret": new}, secretGraceHours=1)[0]["credential"], "webhookSecret")
    equal(change(credentials={"webhookSecret": old})[0]["credential"], "webhookSecret")    # back again
    for hours in (-1, 721, "x"):
        problem(t.api("PATCH", here_, {"secretGraceHours": hours}), 422, "secretGraceHours")
    equal(sorted({r["externalId"] for r in t.records("&resourceType=" + kind)}), ["s%d" % i for i in range(1, 9)])


@test("the pages say what was taken, and how long a former secret is good, and end it")
def _():
    t = tenant()
    hook = CustomWebhook(t, resourceType=fresh(), itemsPath="rows")
    event = send(hook, '{"rows":[{"id":"r1"},{"name":"no id"},{"id":"r3"}]}')
    rejected = send(hook, "{}", headers={"X-Webhook-Token": "wrong-token"}, status=401)
    equal(rejected.status, 401)
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    page = b.get("/admin/events/" + event["id"]).text
    has(page, "taken 2 of 3")
    has(page, "item 2 has no id")
    has(b.get("/admin/events").text, "2 of 3")
    [id_] = [e["id"] for e in t.events("&status=rejected&connectionId=" + hook.connection["id"])]
    has(b.get("/admin/events/" + id_).text, "Verify again")
    path = "/admin/connections/" + hook.connection["id"]
    has(b.get(path + "/edit").text, "Hours that the former secret stays good")
    equal(b.post(path + "/edit", {"name": "Hook", "credentials.webhookSecret": unique("tok-other-"), "secretGraceHours": "2",
                                  "settings.signatureScheme": "token"}).status, 303)
    has(b.get(path).text, "is good until")
    equal(b.post(path + "/end-former", {}).status, 303)
    true("is good until" not in b.get(path).text, "it is over")


run()

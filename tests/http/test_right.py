#!/usr/bin/env python3
"""What is saved can work, and a success is one: settings that are compiled later, answers that say no, redirects, and leads
that are sent again with other data."""
import http.server
import json
import threading

from crm import Crm
from harness import Browser, equal, has, run, test, true, wait_until
from sent import FIELDS, T9, T10, T11, T12, Sent
from tenant import CustomWebhook, Meta, Tenant

SECRET = 'key/sample "1"'


def refused(t, provider, settings, field, *words, credentials=None):
    """422 of that field, in words; nothing is made."""
    answer = t.api("POST", "/providers/%s/connect" % provider,
                   {"credentials": credentials or {}, "settings": settings})
    equal(answer.status, 422, (settings, answer))
    [error] = answer.json()["errors"]
    equal(error["field"], field, (settings, error))
    for word in words:
        has(error["message"], word)


def destination_of(t, lead_id, settled=("success", "failed", "dead", "skipped")):
    """The lead's one destination once its push is over."""
    def look():
        [d] = t.get("/leads/" + lead_id)["destinations"] or [None]
        return d if d and d["status"] in settled else None
    return wait_until(look, 15, "the end of the push of " + lead_id)


def field_of(t, template, **lead):
    """What a template makes of a lead, and its delivery."""
    with Crm() as crm:
        t.connect("custom_crm", {}, {"url": crm.url, "bodyTemplate": template})
        made = t.new_lead(**lead)
        d = destination_of(t, made["id"])
        [(_, body)] = crm.got
        return json.loads(body), d, made


# ---- saved without being compiled ----------------------------------------------------------------
@test("a template that cannot work is refused by its field, with what there is")
def _():
    t = Tenant()
    url = {"url": "https://crm.example/in"}
    for text, *words in (("{{frstName}}", "b: ", "frstName", "firstName", "customFields.KEY"),
                         ("{{email || phone}}", "phone", "phoneNumber"), ("{{lead.email}}", "lead.email"),
                         ("{{email.x}}", "below email"), ("{{email:lowr}}", "lowr", "lower"), ("{{email", "not closed"),
                         ("{{}}", "empty"), ("{{Email}}", "email"), ("{{ customfields.x }}", "customFields.KEY")):
        refused(t, "custom_crm", {**url, "bodyTemplate": {"b": text}}, "settings.bodyTemplate", *words)
    refused(t, "custom_crm", {**url, "bodyTemplate": '{"b": [{"c": "{{x}}"}]}'}, "settings.bodyTemplate", "b[0].c: ")
    made = t.connect("custom_crm", {}, {**url, "bodyTemplate": {"b": "{{email}}"}})
    answer = t.api("PATCH", "/connections/" + made["id"], {"settings": {"bodyTemplate": {"b": "{{mail}}"}}})
    equal((answer.status, answer.json()["errors"][0]["field"]), (422, "settings.bodyTemplate"), answer)


@test("what else is compiled, or sent as it stands, is refused as well")
def _():
    t = Tenant()
    url = {"url": "https://crm.example/in"}
    for condition, *words in (({"ref": "anser.ok", "equals": True}, "anser", "answer", "status"),
                              ({"ref": "answer.ok", "is": True}, "is"), ({"ref": "answer.ok"}, "equals", "exists"),
                              ({"ref": "answer.ok", "in": []}, "empty"), ({"ref": "answer..ok", "exists": True}, "path"),
                              ({"ref": "settings.url", "exists": True}, "settings"), ("{", "JSON"), ("ok", "JSON"),
                              ([{"all": [{"any": 1}]}], "list")):
        refused(t, "custom_crm", {**url, "successWhen": condition}, "settings.successWhen", *words)
    refused(t, "custom_crm", {**url, "auth": {"type": "header", "name": "X Key:"}}, "settings.auth.name", "header name",
            credentials={"apiKey": SECRET})
    refused(t, "custom_crm", {**url, "auth": {"type": "header", "name": "Content-Length"}}, "settings.auth.name",
            credentials={"apiKey": SECRET})
    refused(t, "custom_crm", {**url, "headers": {"X-Mail": "{{email}}"}}, "settings.headers.X-Mail", "body template")
    refused(t, "custom_crm", {"url": "https://crm.example/{{email}}"}, "settings.url", "body template")
    for secret in ("whsec_not base64", "tok-sample-0001", "whsec_"):
        refused(t, "custom_webhook", {"signatureScheme": "standard_webhooks"}, "credentials.webhookSecret", "whsec_",
                credentials={"webhookSecret": secret})
    made = t.connect("custom_webhook", {"webhookSecret": "whsec_dG9rLXNhbXBsZQ=="}, {"signatureScheme": "standard_webhooks"})
    answer = t.api("PATCH", "/connections/" + made["id"], {"credentials": {"webhookSecret": "not base64"}})
    equal((answer.status, answer.json()["errors"][0]["field"]), (422, "credentials.webhookSecret"), answer)
    hook = {"signatureScheme": "token"}
    for setting, value, field in (("externalIdPath", "a..b", "externalIdPath"), ("itemsPath", "a[x", "itemsPath"),
                                  ("externalIdPath", "", "externalIdPath"), ("dedupePath", "a.b\\c", "dedupePath"),
                                  ("leadFields", {"email": "a..b"}, "leadFields.email"),
                                  ("leadFields", {"email": ["mail"]}, "leadFields.email"),
                                  ("defaultCountry", "XX", "defaultCountry"),
                                  ("signatureHeader", "X-Token:", "signatureHeader")):
        refused(t, "custom_webhook", {**hook, setting: value}, "settings." + field,
                credentials={"webhookSecret": "tok-sample-0001"})


@test("a template finds the first that is there, keys of any form, and tells what is missing")
def _():
    body, d, made = field_of(Tenant(), {
        "first": "{{email || phoneNumber}}", "none": "{{company || lastName || 'none'}}", "id": "{{providerLeadId}}",
        "form": "{{formId}}", "size": "{{customFields.size_(approx.)}}", "is": "{{customFields.is it so? a:b}}",
        "deep": "{{customFields.a.b}}", "key": "{{customFields.x.y}}", "text": "<{{customFields.nope}}>{{fullName}}",
        "gone": "{{rawFieldData.gone}}", "constant": "{{'a' || email}}", "up": "{{email:upper}}"},
        phoneNumber="+49 30 23125012", formId="f-1", email="mia@example.com",
        customFields={"size_(approx.)": "10", "is it so? a:b": "yes", "a": {"b": 1}, "x.y": 2, "x": {"y": 3}})
    equal(body, {"first": "mia@example.com", "none": "none", "id": made["providerLeadId"], "form": "f-1", "size": "10",
                 "is": "yes", "deep": 1, "key": 2, "text": "<>", "gone": None, "constant": "a", "up": "MIA@EXAMPLE.COM"})
    equal(sorted(d["missing"]), ["customFields.nope", "fullName", "rawFieldData.gone"])
    body, d, _ = field_of(Tenant(), {"first": "{{email || phoneNumber}}"}, phoneNumber="+49 30 23125012")
    equal((body, d["missing"]), ({"first": "+493023125012"}, []))


# ---- success that means no -----------------------------------------------------------------------
def pushed(answer, settings=None, credentials=None):
    """The delivery of a lead to a destination that answers so; the tenant and the lead's id."""
    t = Tenant()
    with Crm() as crm:
        crm.default = answer
        t.connect("custom_crm", credentials, {"url": crm.url, **(settings or {})})
        lead = t.new_lead()
        d = destination_of(t, lead["id"])
        equal(len(crm.got), 1, "one attempt")
        [listed] = t.get("/crm/deliveries?leadId=" + lead["id"])["data"]
        equal((listed["answer"], listed["lastError"]), (d["answer"], d["lastError"]))
        return d, t, lead["id"]


def page_of(t, lead_id):
    browser = Browser(t.product)
    browser.sign_in(t.account.email, t.account.password)
    return browser.get("/admin/leads/" + lead_id).text


@test("what a destination answers is on its delivery, in API and page")
def _():
    d, t, lead = pushed((200, b'Please sign in\n<script>alert(1)</script> & "so"'))
    equal((d["status"], d["lastStatus"], d["answer"]),
          ("success", 200, 'Please sign in\n<script>alert(1)</script> & "so"'))
    page = page_of(t, lead)
    has(page, "Show answer")
    has(page, "Please sign in\n&lt;script&gt;alert(1)&lt;/script&gt; &amp;")
    true("<script>alert(1)" not in page, page)
    d, t, lead = pushed((204, b""))
    equal((d["status"], d["answer"]), ("success", None))
    true("Show answer" not in page_of(t, lead), "there is none")
    d, _, _ = pushed((201, ("ä" * 3000).encode()))
    equal(d["answer"], "ä" * 1024)
    d, _, _ = pushed((422, b"a\x00b\xff\x01c"))
    equal(d["answer"], "a b\ufffd c")


@test("secrets are blotted from answers in whatever form they are echoed, also across the cut")
def _():
    for echo in (SECRET, json.dumps(SECRET), json.dumps(SECRET).replace("/", "\\/"), "key%2Fsample%20%221%22"):
        d, _, _ = pushed((200, ("got " + echo).encode()), {"auth": {"type": "header"}}, {"apiKey": SECRET})
        true("sample" not in d["answer"] and "***" in d["answer"], (echo, d["answer"]))
    d, _, _ = pushed((422, b"x" * 2042 + SECRET.encode() * 2), {"auth": {"type": "header"}}, {"apiKey": SECRET})
    equal(d["answer"], "x" * 2042 + "******")


@test("a success is 2xx and what successWhen says")
def _():
    says_ok = {"successWhen": {"ref": "answer.ok", "equals": True}}
    for answer, settings, status in (((200, b'{"ok":false}'), says_ok, "failed"), ((200, b'{"ok":true}'), says_ok, "success"),
                                     ((200, b'{"ok":false}'), None, "success"), ((200, b"Please sign in"), says_ok, "failed"),
                                     ((200, b""), says_ok, "failed"),
                                     ((200, b"OK 17"), {"successWhen": {"ref": "answer", "startsWith": "OK"}}, "success"),
                                     ((202, b"{}"), {"successWhen": '{"ref": "status", "in": [200, 201]}'}, "failed"),
                                     ((422, b'{"ok":true}'), says_ok, "failed")):
        d, _, _ = pushed(answer, settings)
        equal((d["status"], d["lastStatus"], d["answer"]), (status, answer[0], answer[1].decode() or None), (answer, settings))
        if status == "failed" and answer[0] < 300:
            has(d["lastError"], "HTTP %d from 127.0.0.1" % answer[0])
            has(d["lastError"], "successWhen")
            equal(d["nextAttemptAt"], None, "not again by itself: it would be refused again")


class Moved(http.server.BaseHTTPRequestHandler):
    """Answers a redirect to what its server says, and counts what follows one."""
    protocol_version = "HTTP/1.1"

    def do_any(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(self.path)
        status, to = self.server.answer
        self.send_response(status)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_any

    def log_message(self, *_):
        pass


@test("a redirect is a failure that names the new address, and nobody follows it")
def _():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moved)
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = "127.0.0.1:%d" % server.server_port
    try:
        for status, to, told in ((301, "https://new.example/in", "https://new.example/in"),
                                 (302, "http://%s/other" % at, "http://%s/other" % at), (307, "/v2/in", "http://%s/v2/in" % at),
                                 (308, "next?k=" + "key%2Fsample", "http://%s/a/next?k=***" % at)):
            t = Tenant()
            server.answer = (status, to)
            made = t.connect("custom_crm", {"apiKey": "key/sample"},
                             {"url": "http://%s/a/in?b=/c" % at, "auth": {"type": "header"}})["id"]
            d = destination_of(t, t.new_lead()["id"])
            equal((d["status"], d["attempts"], d["lastStatus"], d["lastError"]),
                  ("failed", 1, status, "HTTP %d: moved to %s" % (status, told)))
            has(t.api("POST", "/connections/%s/test" % made).json()["detail"], "moved to " + told)
        equal(set(server.seen), {"/a/in?b=/c"})
    finally:
        server.shutdown()
        server.server_close()



# ---- a lead sent again, corrected ----------------------------------------------------------------
@test("a lead sent again: lead, record and destination have the new form, an older or equal one changes nothing")
def _():
    with Crm() as crm:
        sent = Sent(crm)
        equal(sent(T10, mail="first@example.com", tel="+49 30 23125012", first="Mia", last="Kolb"), "")
        lead = sent.settle()
        equal(lead["destinations"][0]["status"], "success")
        has(sent(T11, mail="second@example.com", last="Lind"), "item 1 corrects its lead")
        lead = sent.settle()
        # what it did not carry stays, and what is made of a part of the names follows
        equal((lead["email"], lead["phoneNumber"], lead["fullName"], lead["syncStatus"]),
              ("second@example.com", "+493023125012", "Mia Lind", "success"))
        equal(sent.bodies(), [{"mail": "first@example.com", "tel": "+493023125012", "name": "Mia Kolb"},
                              {"mail": "second@example.com", "tel": "+493023125012", "name": "Mia Lind"}])
        [d] = lead["destinations"]
        equal((d["status"], d["attempts"]), ("success", 2))
        has(sent(T9, mail="older@example.com", tel="+49 30 23125013"), "older than what its record says")
        equal(sent(T12, mail="second@example.com", last="Lind"), "")
        equal(sent(T12, mail="second@example.com", more="of no field"), "")
        equal(sent.settle()["email"], "second@example.com")
        equal(len(sent.bodies()), 2, "nothing of it is another form")
        # emptied, and back in the lead's own fields
        has(sent("2026-03-01T13:00:00Z", mail="", tel=None, size="10"), "corrects its lead")
        lead = sent.settle()
        equal((lead["email"], lead["phoneNumber"], lead["customFields"]), (None, None, {"size": "10"}))
        equal(sent.bodies()[2:], [{"mail": None, "tel": None, "name": "Mia Lind"}])
        # of the names too: the full one is made of what is left
        for at, names, left in (("14", {"last": None}, "Mia"), ("15", {"first": ""}, None), ("16", {"last": "Kolb, PhD"}, "Kolb")):
            has(sent("2026-03-01T%s:00:00Z" % at, **names), "corrects its lead")
            equal(sent.settle()["fullName"], left)
            equal(sent.bodies()[-1]["name"], left)


@test("what the newest did not carry comes with an older one, in lead and record")
def _():
    with Crm() as crm:
        sent = Sent(crm)
        sent(T11, mail="new@example.com")
        sent.settle()
        has(sent(T10, mail="old@example.com", tel="+49 30 23125012", size="10"), "corrects its lead")
        lead = sent.settle()
        equal((lead["email"], lead["phoneNumber"], lead["customFields"]),
              ("new@example.com", "+493023125012", {"size": "10"}))
        equal(sent.bodies()[1:], [{"mail": "new@example.com", "tel": "+493023125012", "name": None}])


@test("corrected while it is pushed: it is pushed again, with what it is at the end")
def _():
    gate, begun = threading.Event(), threading.Event()

    def held(_):
        begun.set()
        gate.wait(20)
        return 201, b'{"id":"crm-1"}'

    with Crm() as crm:
        sent = Sent(crm)
        crm.answers.append(held)
        sent(T10, mail="first@example.com")
        true(begun.wait(15), "the first push")
        has(sent(T11, mail="second@example.com"), "corrects its lead")
        has(sent(T12, mail="third@example.com"), "corrects its lead")
        wait_until(lambda: sent.t.rows("jobs", "kind = 'lead.process'") == 0, 15, "the corrections' jobs")
        gate.set()
        wait_until(lambda: len(crm.got) >= 2, 15, "another push")
        lead = sent.settle()
        equal([b["mail"] for b in sent.bodies()], ["first@example.com", "third@example.com"])
        equal((lead["email"], lead["syncStatus"], lead["destinations"][0]["attempts"]), ("third@example.com", "success", 2))


@test("one that was refused, or waits, has the new form when it goes")
def _():
    with Crm() as crm:
        sent = Sent(crm)
        crm.answers.append((422, b'{"error":"mail"}'))
        sent(T10, mail="first@example.com")
        equal(sent.settle()["destinations"][0]["status"], "failed")
        has(sent(T11, mail="second@example.com"), "corrects its lead")
        equal(sent.settle()["destinations"][0]["status"], "success")
        equal([b["mail"] for b in sent.bodies()], ["first@example.com", "second@example.com"])
    with Crm() as crm:
        sent = Sent(crm)
        crm.answers.append((401, b""))
        sent(T10, mail="first@example.com")
        lead = sent.settle()
        true(lead["destinations"][0]["nextAttemptAt"], "it is tried again later")
        has(sent(T11, mail="second@example.com"), "corrects its lead")
        equal((sent.settle()["email"], len(crm.got)), ("second@example.com", 1))
        equal(sent.t.api("POST", "/crm/push/" + lead["id"]).json()["success"], True)
        equal([b["mail"] for b in sent.bodies()], ["first@example.com", "second@example.com"])


@test("an answer that is taken back is empty in lead and record: null as an empty list or text, a member as a question of one's own")
def _():
    t = Tenant()
    hook = CustomWebhook(t, leadFields={"email": "mail", "size": "size", "colours": "colours"})
    for i, nothing in enumerate((None, [], "")):
        id_ = "L%d" % i
        hook({"id": id_, "mail": "mia@example.com", "size": "10", "colours": ["red", "blue"]})
        hook({"id": id_, "size": nothing, "colours": nothing})
        t.wait_idle()
        lead = t.lead_of(id_)
        equal((lead["email"], lead["customFields"]["size"] or None, lead["customFields"]["colours"] or None), ("mia@example.com", None, None))
        equal(t.get("/records/" + lead["recordId"])["data"]["customFields"], lead["customFields"])
        hook({"id": id_, "size": "11"})
        equal(t.lead_of(id_)["customFields"]["size"], "11")


@test("told twice in one webhook: both are of the newest, in any order")
def _():
    for order in ((T10, T11), (T11, T10)):
        with Crm() as crm:
            sent = Sent(crm)
            sent.hook = CustomWebhook(sent.t, updatedAtPath="at", leadFields={"email": "mail"}, itemsPath="e")
            sent.hook({"e": [{"id": "N1", "mail": at[11:13] + "@example.com", "at": at} for at in order]})
            equal(sent.settle()["email"], "11@example.com", order)
            equal(sent.bodies()[-1]["mail"], "11@example.com", order)


@test("a lead entered again with its provider's id is corrected; what is not given stays, null empties")
def _():
    with Crm() as crm:
        sent = Sent(crm)

        def enter(**fields):
            return sent.t.api("POST", "/leads", {"providerLeadId": "P1", **fields})

        first = enter(email="first@example.com", firstName="Mia", lastName="Kolb", company="Oak")
        equal(first.status, 201, first)
        sent.settle()
        for fields, of_it in (({"email": "second@example.com"}, ("second@example.com", "Mia Kolb", "Oak")),
                              ({"email": "second@example.com"}, ("second@example.com", "Mia Kolb", "Oak")),
                              ({"firstName": "Maria", "company": None}, ("second@example.com", "Maria Kolb", None)),
                              ({"fullName": "Ada Lind"}, ("second@example.com", "Ada Lind", None))):
            again = enter(**fields)
            equal(again.status, 200, again)
            equal(again.json()["id"], first.json()["id"])
            equal(tuple(again.json()[k] for k in ("email", "fullName", "company")), of_it, fields)
            equal(sent.settle()["fullName"], of_it[1])
        equal([(b["mail"], b["name"]) for b in sent.bodies()],
              [("first@example.com", "Mia Kolb"), ("second@example.com", "Mia Kolb"), ("second@example.com", "Maria Kolb"),
               ("second@example.com", "Ada Lind")])


@test("a lead whose record was deleted comes again: the new record is the lead's, and says all that it does")
def _():
    def webhook(sent, _):
        has(sent(T11, mail="second@example.com"), "corrects its lead")

    def again(sent, _):
        sent(T11, mail="first@example.com")

    def twice(sent, _):
        sent.hook = CustomWebhook(sent.t, updatedAtPath="at", leadFields=FIELDS, itemsPath="e")
        sent.hook({"e": [{"id": "N1", "at": at, "mail": mail} for at, mail in
                         ((T11, "third@example.com"), (T12, "second@example.com"))]})

    def post(sent, _):
        answer = sent.t.api("POST", "/leads", {"providerType": "custom_webhook", "providerLeadId": "N1",
                                               "email": "second@example.com"})
        equal(answer.status, 200, answer)

    def patch(sent, lead):
        equal(sent.t.api("PATCH", "/leads/" + lead["id"], {"email": "second@example.com"}).status, 200)

    for door in (webhook, again, twice, post, patch):
        with Crm() as crm:
            sent = Sent(crm)
            sent(T10, mail="first@example.com", tel="+49 30 23125012", first="Mia", last="Kolb", size="10")
            lead = sent.settle()
            equal(sent.t.api("DELETE", "/records/" + lead["recordId"]).status, 204)
            equal(sent.t.get("/leads/" + lead["id"])["recordId"], None)
            door(sent, lead)
            mail = "first@example.com" if door is again else "second@example.com"
            now = sent.settle()
            equal((now["email"], now["phoneNumber"], now["fullName"], now["customFields"]),
                  (mail, "+493023125012", "Mia Kolb", {"size": "10"}), door)
            equal(sent.bodies()[-1]["mail"], mail, door)


@test("a lead whose record was deleted: what is replayed takes nothing of it back")
def _():
    with Crm() as crm:
        sent = Sent(crm)
        sent(T10, mail="first@example.com", tel="+49 30 23125012")
        [event] = sent.t.events()
        sent.settle()
        sent(T11, mail="second@example.com")
        lead = sent.settle()
        equal(sent.t.api("DELETE", "/records/" + lead["recordId"]).status, 204)
        equal(sent.t.api("POST", "/events/%s/replay" % event["id"]).status // 100, 2)
        wait_until(lambda: sent.t.get("/leads/" + lead["id"])["recordId"], 15, "another record")
        lead = sent.settle()
        equal((lead["email"], lead["phoneNumber"], len(sent.bodies())), ("second@example.com", "+493023125012", 2))


@test("a lead with details that were fetched is corrected by hand, and a replay takes nothing back")
def _():
    t = Tenant()
    meta = Meta(t)
    crm, place = t.crm()
    [id_] = meta.send()
    lead = t.wait_lead(id_)
    name = lead["fullName"]
    answer = t.api("POST", "/leads", {"providerType": "meta_lead_ads", "providerLeadId": id_, "email": "new@example.com"})
    equal((answer.status, answer.json()["id"], answer.json()["email"]), (200, lead["id"], "new@example.com"), answer)
    t.wait_idle()
    [event] = t.events()
    equal(t.api("POST", "/events/%s/replay" % event["id"]).status // 100, 2)
    t.wait_idle()
    lead = t.get("/leads/" + lead["id"])
    data = t.get("/records/" + lead["recordId"])["data"]
    equal((lead["email"], lead["fullName"], data["email"]), ("new@example.com", name, "new@example.com"))
    seen = t.sink(place)["data"]
    equal([row["body"]["email"] for row in seen][0], "new@example.com")
    equal((len(seen), len({row["idempotencyKey"] for row in seen})), (2, 1))


if __name__ == "__main__":
    run()

"""Data as people have it, for pictures of the pages: long words, other scripts, emoji, markup, deep JSON, records
with much history, views with many columns, imports in every state, deliveries that failed."""
import json

from harness import hmac_hex, meta_lead, new_lead_id, wait_until
from tenant import Faults, HubSpot

LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
LONG_URL = "https://shop.example.com/campaigns/2026/spring/landing?" + "&".join(
    "utm_parameter_%d=%s" % (i, "x" * 18) for i in range(8))
CONTACTS = """id;name;email;phone;company;address.city;address.country;website;notes;score;vip
c-1;Zoë Müller-Lüdenscheidt;zoe@example.com;+49 170 1234567;Müller & Söhne GmbH;Köln;Deutschland;https://example.com;Ruft gern vormittags an;12;yes
c-2;محمد عبد الرحمن الخوارزمي;mohammed@example.com;+971 50 123 4567;شركة الخليج للتجارة;دبي;الإمارات;;يفضل التواصل عبر واتساب بعد الساعة الخامسة;7;no
c-3;山田 太郎;taro@example.co.jp;+81 90 1234 5678;株式会社山田製作所;東京都千代田区;日本;https://example.jp;お電話は午後三時以降にお願いします;99;yes
c-4;👩‍🚀 Ada 🚀🌈;ada@example.com;;🏳️‍🌈 Rocket & Co;Zürich;Schweiz;;🎉🎉🎉 won the raffle;3;yes
c-5;{word};{word}@example.com;;{word};{word};{word};{url};{word};0;no
c-6;;nobody@example.com;;;;;;;;
c-7;"Robert""); DROP TABLE ""students""; --";bobby@example.com;;"<b>School</b> & <script>alert(1)</script>";Springfield;USA;;"Line one
line two
line three";5;no
c-8;אברהם כהן;avraham@example.com;+972 52 123 4567;כהן ובניו בע״מ;תל אביב;ישראל;;;21;yes
""".format(word=LONG_WORD, url=LONG_URL)
DEEP = {"id": "evt-1", "type": "order.paid", "name": "Order 1001", "amount": 129.5, "isTest": False,
        "shippedAt": None, "tags": [], "meta": {}, "url": LONG_URL, "customer": {
            "name": "Zoë", "addresses": [{"kind": "billing", "lines": ["1 Main St", "Flat 2"], "geo": {
                "lat": 52.5200066, "lon": 13.404954, "source": {"provider": {"name": "maps", "version": {
                    "major": 3, "minor": 11}}}}}, {"kind": "shipping", "lines": [LONG_WORD]}]},
        "lines": [{"sku": "SKU-%03d" % i, "title": "Item %d" % i, "quantity": i, "price": i * 9.99} for i in range(12)],
        LONG_WORD: {LONG_WORD: LONG_WORD}}


def contacts(product):
    """Contacts by CSV; answers nothing."""
    rows = "\n".join("p-%03d;Person %d;p%d@example.com;+1 555 %04d;Company %d;Paris;France;;;%d;no"
                     % (i, i, i, i, i % 9, i) for i in range(140))
    product.api("POST", "/records/import", {"providerType": "manual", "resourceType": "contact",
                                            "csv": CONTACTS + rows + "\n"})
    for i in range(24):
        product.api("POST", "/records/import", {
            "providerType": "manual", "resourceType": "contact",
            "csv": "id;address.city;score;notes;website\nc-1;%s;%d;%s;%s\n" % (
                ("Köln", "Bonn", LONG_WORD)[i % 3], i, "Called %d times" % i, (LONG_URL, "https://example.com")[i % 2])})


def webhooks(product, tenant):
    """HubSpot's contacts and deals, a deep payload, a request that is refused."""
    portal = HubSpot(tenant)
    for i, stage in enumerate(("appointmentscheduled", "qualifiedtobuy", "closedwon")):
        portal.send(portal.change(501, "dealstage", stage, kind="deal.propertyChange"),
                    portal.change(501, "dealname", "Fleet renewal %d" % i, kind="deal.propertyChange"))
    portal.send(portal.change(77, "email", "hub@example.com"), portal.change(77, "firstname", "Hubert"),
                portal.change(78, "lastname", LONG_WORD), portal.change(79, "hs_lead_status", "OPEN"))
    custom = tenant.connect("custom_webhook", {"webhookSecret": "sample-secret"}, {"resourceType": "order"},
                            name="Shop " + LONG_WORD)
    raw = json.dumps(DEEP).encode()
    for signature in (hmac_hex("sample-secret", raw), "0" * 64):
        product.post("/webhook/custom_webhook/" + custom["id"], raw, {
            "Content-Type": "application/json", "X-Webhook-Signature": signature})


def leads(product, tenant):
    """Leads that arrived, one that no destination took, one by hand."""
    for wish in ({"full_name": "محمد الخوارزمي", "email": "lead-ar@example.com"},
                 {"full_name": LONG_WORD + " " + LONG_WORD, "email": "lead-long@example.com"},
                 {"full_name": "Zoë 🚀 Müller", "email": "lead-zoe@example.com", "company": "Müller & Söhne"}):
        product.post("/sandbox/api/send-lead", wish, base=product.sandbox_url)
    tenant.connect("custom_crm", {}, {"url": product.sandbox_url + "/crm/broken"}, name="Broken CRM")
    with Faults(product, {"target": "crm", "kind": "error", "status": 422}):
        lead = product.api("POST", "/leads", {"email": "failed@example.com", "fullName": "Not Taken",
                                              "customFields": {"a_question_with_a_long_name": LONG_URL}}).json()
        wait_until(lambda: product.api("GET", "/leads/" + lead["id"]).json()["syncStatus"] != "pending", 20)
    product.send_meta(meta_lead(new_lead_id()))


def queue(product, tenant):
    """A destination that looks dead, one that is paused, jobs that were given up."""
    lanes = {}
    for name, url in (("Unreachable CRM", "http://127.0.0.1:9/crm"), ("Paused " + LONG_WORD, product.sandbox_url + "/crm/paused")):
        lanes[name] = tenant.connect("custom_crm", {}, {"url": url}, name=name)["id"]
    for i in range(8):
        product.api("POST", "/leads", {"email": "queue-%d@example.com" % i})

    def lane(connection):
        return next((x for x in product.api("GET", "/queue").json()["lanes"] if x["connectionId"] == connection), None)

    dead, paused = lanes.values()
    wait_until(lambda: lane(dead) and lane(dead)["breaker"] != "closed", 60, "an open breaker")
    product.api("POST", "/queue/lanes/%s/pause" % wait_until(lambda: lane(paused), 20)["id"], {})
    for i, why in enumerate(("connect to crm.example.com port 443: no answer within 10 s", LONG_URL, "HTTP 500: <b>oops</b>")):
        product.sql("INSERT INTO connect.jobs (id, account_id, class, target_id, kind, subject_id, state, run_at, attempts, tries,"
                    " last_error, created_at) VALUES (UNHEX(REPLACE(UUID(), '-', '')), UNHEX('%s'), 0, UNHEX('%s'), '%s', NULL,"
                    " 'dead', (UNIX_TIMESTAMP() - %d) * 1000000, 20, 0, '%s', UNIX_TIMESTAMP() * 1000000)" % (
                        tenant.id.replace("-", ""), dead.replace("-", ""),
                        ("lead.process", "crm.push", "record.fetch")[i], 400 * i * i, why))


class Sample:
    """The first account, in the shape that the HTTP tests' senders want."""

    def __init__(self, product):
        self.product, self.key = product, product.credentials["apiKey"]
        self.id = product.credentials["accountId"]

    def connect(self, provider, credentials=None, settings=None, **rest):
        return self.product.connect(provider, credentials, settings, **rest)


def views(product):
    for name, columns in (("Paris", ["email"]), ("Everything there is to know about a contact, all at once", [
            "email", "phone", "company", "address.city", "address.country", "website", "notes", "score", "vip"]),
            ("مهم", ["company"]), ("VIP ⭐", ["vip"])):
        product.api("POST", "/views", {
            "name": name, "query": {"resourceType": "contact", "columns": columns}})


def imports(product):
    """An import of each state that does not stay long enough for a picture."""
    last = product.api("GET", "/imports?limit=1").json()["data"][0]["id"].replace("-", "")
    columns = [r[0] for r in product.sql("SELECT column_name FROM information_schema.columns WHERE table_schema = "
                                         "'connect' AND table_name = 'tasks' ORDER BY ordinal_position")]
    for i, (status, error) in enumerate((("queued", "NULL"), ("running", "NULL"), ("cancelled", "NULL"),
                                         ("failed", "'the file is gone'"))):
        values = {"id": "UNHEX(CONCAT(LEFT(HEX(id), 31), '%d'))" % i, "status": "'%s'" % status, "error": error,
                  "title": "'%s contacts.csv'" % status, "received": "41250 * %d" % i, "created": "40100 * %d" % i,
                  "failed": "0", "total": "9400000", "done": "%d" % (2400000 * i)}
        if status in ("queued", "running"):
            values["finished_at"] = "NULL"
        product.sql("INSERT IGNORE INTO connect.tasks SELECT %s FROM connect.tasks WHERE id = UNHEX('%s')" % (
            ", ".join(values.get(c, c) for c in columns), last))


def fill(product):
    sample = Sample(product)
    contacts(product)
    webhooks(product, sample)
    leads(product, sample)
    views(product)
    imports(product)
    queue(product, sample)

"""A sender of leads, each of which may be sent again, and a destination that they go to."""
import json

from harness import equal, true
from tenant import CustomWebhook, Tenant

T9, T10, T11, T12 = ("2026-03-01T%02d:00:00Z" % h for h in (9, 10, 11, 12))
FIELDS = {"email": "mail", "phoneNumber": "tel", "firstName": "first", "lastName": "last", "size": "size"}


class Sent:
    """A sender of leads and a destination of theirs."""

    def __init__(self, crm, country=None, **settings):
        self.t = Tenant()
        self.crm = crm
        self.to = self.t.connect("custom_crm", {}, {"url": crm.url, "bodyTemplate": {
            "mail": "{{email}}", "tel": "{{phoneNumber}}", "name": "{{fullName}}"}, **settings})["id"]
        self.hook = CustomWebhook(self.t, updatedAtPath="at", leadFields=FIELDS,
                                  **({"defaultCountry": country} if country else {}))

    def __call__(self, at, id_="N1", **fields):
        """Sends it; what its event says of it."""
        self.hook({"id": id_, "at": at, **fields})
        return self.t.events()[0]["reason"] or ""

    def settle(self):
        """The lead once nothing of it is under way, which says what its record says."""
        self.t.wait_idle()
        [lead] = self.t.leads()
        lead = self.t.get("/leads/" + lead["id"])
        data = self.t.get("/records/" + lead["recordId"])["data"]
        for key in ("email", "phoneNumber", "firstName", "lastName", "fullName", "company", "rawFieldData", "customFields"):
            equal(lead[key], data.get(key, {} if key.endswith(("Data", "Fields")) else None), key)
        return lead

    def bodies(self):
        """What came to the destination, of one delivery."""
        true(len({headers["Idempotency-Key"] for headers, _ in self.crm.got}) <= 1, "one key")
        return [json.loads(body) for _, body in self.crm.got]

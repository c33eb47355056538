#!/usr/bin/env python3
"""Several values of one question stay several: in a lead's rawFieldData and customFields, in its record, at a
destination; joined only where a text is wanted."""

from harness import equal, run, test, wait_until
from tenant import CustomWebhook, Tenant, unique

_tenant = None


def tenant():
    """A tenant of this file's own."""
    global _tenant
    if _tenant is None:
        _tenant = Tenant(name="Several values")
    return _tenant


def hook(**settings):
    return CustomWebhook(tenant(), **settings)


def lead_of(provider_lead_id):
    def look():
        lead = tenant().lead_of(provider_lead_id)
        return lead if lead and lead["stage"] == "ready" else None
    return wait_until(look, 20, "the lead " + provider_lead_id)


@test("a webhook's list is a list in the lead, its record, a template; a text of it is joined")
def _():
    t = tenant()
    _, place = t.crm("Template", bodyTemplate={"all": "{{customFields.sizes}}", "text": "wants {{customFields.sizes}}!",
                                               "none": "<{{customFields.empty}}>"})
    send, one = hook(leadFields={"email": "mail", "sizes": "sizes", "empty": "empty"}), unique("s")
    sizes = ["Small, red", "Large, blue"]
    send({"id": one, "mail": "mia@example.com", "sizes": sizes, "empty": []})
    lead = lead_of(one)
    equal((lead["customFields"]["sizes"], lead["rawFieldData"]["sizes"]), (sizes, sizes))
    equal(t.get("/records/" + lead["recordId"])["data"]["customFields"]["sizes"], sizes)
    [sent] = wait_until(lambda: t.sink(place)["data"], 20, "the push")
    equal(sent["body"], {"all": sizes, "text": "wants Small, red; Large, blue!", "none": "<>"}, sent)


@test("one value in a list is a value; a form's repeated field is a list; structures are their JSON")
def _():
    send = hook(leadFields={"email": "mail", "sizes": "sizes", "n": "n"})
    one, two = unique("s"), unique("s")
    send('{"id":"%s","mail":["mia@example.com"],"sizes":["S"],"n":[2.50,null,true,{"a":[1]}]}' % one)
    lead = lead_of(one)
    equal((lead["email"], lead["customFields"]), ("mia@example.com", {"sizes": "S", "n": ["2.50", "true", '{"a":[1]}']}))
    send("id=%s&mail=mia%%40example.com&sizes=S&sizes=L%%2C+blue&n=" % two, "application/x-www-form-urlencoded")
    equal(lead_of(two)["customFields"], {"sizes": ["S", "L, blue"], "n": ""})


@test("a member takes the first of several emails and phones, and all of several texts")
def _():
    send, one = hook(leadFields={"email": "mail", "phoneNumber": "tel", "company": "firms"}), unique("s")
    send({"id": one, "mail": ["mia@example.com", "m@example.org"], "tel": ["+493023125012", "+493023125013"],
          "firms": ["Nordlicht", "Optik, Berlin"]})
    lead = lead_of(one)
    equal((lead["email"], lead["phoneNumber"], lead["company"]),
          ("mia@example.com", "+493023125012", "Nordlicht; Optik, Berlin"))
    equal(lead["rawFieldData"], {"email": ["mia@example.com", "m@example.org"],
                                 "phoneNumber": ["+493023125012", "+493023125013"],
                                 "company": ["Nordlicht", "Optik, Berlin"]})


run()

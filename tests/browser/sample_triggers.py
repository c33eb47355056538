"""A flow with a trigger of each kind, for tests and pictures of pages."""
from harness import equal

STEP = {"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": "{{trigger.email}}"}}
TRIGGERS = (
    {"kind": "webhook", "providerType": "custom_webhook", "triggerName": "order", "config": {"on": "created"}},
    {"kind": "schedule", "config": {"cron": "0 9 * * 1-5", "timeZone": "Europe/Berlin"}},
    {"kind": "poll", "providerType": "hubspot", "triggerName": "contact_list",
     "config": {"pollAction": "list_contacts", "cursorPath": "results.0.updatedAt", "recordResourceType": "contact",
                "recordItemsPath": "results", "recordExternalIdPath": "id"}})


def add_triggers(t, name="Flow with triggers"):
    """t: a tenant that has HubSpot connected. The flow's id, and those of its triggers."""
    made = t.api("POST", "/flows", {"name": name, "steps": [STEP]})
    equal(made.status, 201, made)
    flow = made.json()["id"]
    equal(t.api("POST", "/flows/%s/publish" % flow, {}).status, 200)
    ids = []
    for trigger in TRIGGERS:
        answer = t.api("POST", "/flows/%s/triggers" % flow, trigger)
        equal(answer.status, 201, answer)
        ids.append(answer.json()["id"])
    return flow, ids

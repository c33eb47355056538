#!/usr/bin/env python3
"""The sandbox's providers: tokens, lists page by page, writes, errors in their own words."""
from harness import equal, has, here, run, test, true
from played import Played, api, token
from tenant import Faults, unique

GOOGLE = {"Authorization": "Bearer " + token("google_ads"), "developer-token": "sandbox-developer-token"}
LINKEDIN = {"Authorization": "Bearer " + token("linkedin_ads"), "LinkedIn-Version": "202609"}

hubspot = Played("hubspot", "api.hubapi.com")
salesforce = Played("salesforce", "sandbox.my.salesforce.com")
slack = Played("slack", "slack.com")
shopify = Played("shopify", "sandbox-shop.myshopify.com", {"X-Shopify-Access-Token": token("shopify")})
stripe = Played("stripe", "api.stripe.com")
zoom = Played("zoom", "api.zoom.us")
twilio = Played("twilio", "api.twilio.com")
zendesk = Played("zendesk", "sandbox.zendesk.com")
calendar = Played("google_calendar", "www.googleapis.com")
google_ads = Played("google_ads", "googleads.googleapis.com", GOOGLE)
linkedin = Played("linkedin_ads", "api.linkedin.com", LINKEDIN)
tiktok = Played("tiktok_ads", "business-api.tiktok.com", {"Access-Token": token("tiktok_ads")})
whatsapp = Played("whatsapp", "graph.facebook.com")
meta = Played("meta_lead_ads", "graph.facebook.com")

ACCOUNT = "AC00000000000000000000000000005a9d"
OWNER = "q=owner&owner=(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A522)&leadType=(leadType:SPONSORED)"


def ids(rows):
    return [row["id"] for row in rows]


def walk(played, first, items, following):
    """All items of a list of pages of one: following(answer) is the next path, or None."""
    found, path = [], first
    with played.switched(page_size=1):
        for _ in range(3000):
            answer = played.call("GET", path)
            equal(answer.status, 200, answer)
            page = items(answer.json())
            true(len(page) <= 1, "the page has one")
            found += page
            path = following(answer)
            if path is None:
                return found
    raise AssertionError("the list does not end")


def below(played, url):
    """The path of a link in an answer, which is the real one's."""
    prefix = "https://" + played.host
    true(url.startswith(prefix + "/"), url)
    return url[len(prefix):]


def is_all(found, kind, played, key="id"):
    """Each row once."""
    wanted = {row[key] for row in played.rows(kind).values()}
    got = [row[key] for row in found]
    equal(len(got), len(set(got)), "none twice")
    true(set(got) <= wanted and len(got) >= 3, "%s of %s" % (got, wanted))


@test("every provider refuses a call without a token, or with a wrong one, in its own words")
def _():
    for played, path, code, place in (
            (hubspot, "/crm/v3/objects/contacts", 401, "INVALID_AUTHENTICATION"),
            (salesforce, "/services/data/v67.0/limits", 401, "INVALID_SESSION_ID"),
            (slack, "/api/auth.test", 200, "invalid_auth"),
            (shopify, "/admin/api/2026-10/shop.json", 401, "Invalid API key"),
            (stripe, "/v1/charges", 401, "invalid_request_error"),
            (zoom, "/v2/users/me", 401, '"code":124'),
            (twilio, "/2010-04-01/Accounts/%s/Messages.json" % ACCOUNT, 401, "20003"),
            (zendesk, "/api/v2/tickets.json", 401, "invalid_token"),
            (calendar, "/calendar/v3/users/me/calendarList", 401, "UNAUTHENTICATED"),
            (google_ads, "/v26/customers:listAccessibleCustomers", 401, "UNAUTHENTICATED"),
            (linkedin, "/rest/me", 401, "65600"),
            (tiktok, "/open_api/v1.3/oauth2/advertiser/get/", 200, "40105"),
            (whatsapp, "/v26.0/me", 401, "190"), (meta, "/v26.0/me", 401, "190")):
        for headers in ({}, {"Authorization": "Bearer wrong", "Access-Token": "wrong"}):
            answer = Played(played.name, played.host, headers).call("GET", path)
            if played is meta and not headers:
                code, place = 400, "104"
            equal(answer.status, code, "%s: %s" % (played.name, answer))
            has(answer.text, place, played.name)
            code = 401 if played is meta else code
            place = "190" if played is meta else place


@test("HubSpot: contacts page by page, created, found, changed, deleted")
def _():
    found = walk(hubspot, "/crm/v3/objects/contacts?limit=100", lambda x: x["results"],
                 lambda a: "/crm/v3/objects/contacts?limit=100&after=" + a.json()["paging"]["next"]["after"]
                 if "paging" in a.json() else None)
    is_all(found, "contacts", hubspot)
    email = unique("new.") + "@example.com"
    made = hubspot.post("/crm/objects/2026-03/contacts", {"properties": {"email": email.title()}}, 201)
    again = hubspot.call("POST", "/crm/objects/2026-03/contacts", {"properties": {"email": email}})
    equal(again.status, 409)
    has(again.json()["message"], "Existing ID: " + made["id"])
    changed = hubspot.call("PATCH", "/crm/v3/objects/contacts/" + made["id"], {"properties": {"firstname": "N"}})
    equal(changed.json()["properties"]["firstname"], "N")
    by_email = hubspot.get("/crm/v3/objects/contacts/" + email, idProperty="email")
    equal(by_email["properties"]["firstname"], "N")
    hits = hubspot.post("/crm/v3/objects/contacts/search", {"filterGroups": [{"filters": [
        {"propertyName": "email", "operator": "EQ", "value": email}]}]})
    equal((hits["total"], ids(hits["results"])), (1, [made["id"]]))
    equal(hubspot.call("DELETE", "/crm/v3/objects/contacts/" + made["id"]).status, 204)
    equal(hubspot.call("GET", "/crm/v3/objects/contacts/" + made["id"]).status, 404)


@test("HubSpot: ten thousand and one rows of one time: a search gives no more than ten thousand")
def _():
    at = "2026-03-01T00:00:00.000Z"
    hubspot.put_rows("bulk", {"fill": {"from": 500001, "count": 10001, "id": "{n}", "row": {
        "id": "{n}", "properties": {"hs_object_id": "{n}", "hs_lastmodifieddate": at},
        "createdAt": at, "updatedAt": at, "archived": False}}})
    body = {"filterGroups": [{"filters": [
        {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "1772323200000"},
        {"propertyName": "hs_object_id", "operator": "GT", "value": "509900"}]}],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}], "limit": 200}
    hits = hubspot.post("/crm/v3/objects/bulk/search", body)
    equal((hits["total"], hits["results"][0]["id"], hits["results"][-1]["id"]), (101, "509901", "510001"))
    body["filterGroups"] = []
    equal(hubspot.post("/crm/v3/objects/bulk/search", {**body, "after": "9800"})["paging"]["next"]["after"], "10000")
    equal(hubspot.call("POST", "/crm/v3/objects/bulk/search", {**body, "after": "10000"}).status, 400)


@test("HubSpot: a batch that fails in part is 207, results and errors by trace id")
def _():
    email = unique("b") + "@example.com"
    answer = hubspot.call("POST", "/crm/v3/objects/contacts/batch/upsert", {"inputs": [
        {"idProperty": "email", "id": email, "objectWriteTraceId": "r1", "properties": {"firstname": "B"}},
        {"idProperty": "email", "id": "wrong", "objectWriteTraceId": "r2", "properties": {}}]})
    equal(answer.status, 207, answer)
    out = answer.json()
    equal([(x["objectWriteTraceId"], x["new"]) for x in out["results"]], [("r1", True)])
    equal((out["numErrors"], out["errors"][0]["context"]["objectWriteTraceId"]), (1, ["r2"]))
    read = hubspot.post("/crm/v3/objects/contacts/batch/read", {"inputs": [{"id": out["results"][0]["id"]}]})
    equal(read["results"][0]["properties"]["email"], email)


@test("Salesforce: query by nextRecordsUrl, upsert by external id, collections in order")
def _():
    data = "/services/data/v67.0"
    found = walk(salesforce, data + "/query?q=SELECT+Id+FROM+Lead+ORDER+BY+SystemModstamp", lambda x: x["records"],
                 lambda a: a.json().get("nextRecordsUrl"))
    is_all(found, "Lead", salesforce, "Id")
    missing = salesforce.call("POST", data + "/sobjects/Lead", {"LastName": "B"})
    equal((missing.status, missing.json()[0]["errorCode"]), (400, "REQUIRED_FIELD_MISSING"))
    one, key = {"LastName": "B", "Company": "C"}, data + "/sobjects/Lead/Ext__c/" + unique("e")
    equal(salesforce.call("PATCH", key, one).status, 201)
    equal(salesforce.call("PATCH", key, one).json()["created"], False)
    with salesforce.switched(no_content=True):
        equal(salesforce.call("PATCH", key, one).status, 204)
    out = salesforce.post(data + "/composite/sobjects", {"allOrNone": False, "records": [
        {"attributes": {"type": "Lead"}, **one}, {"attributes": {"type": "Lead"}, "LastName": "B"}]})
    equal([x["success"] for x in out], [True, False])
    some = salesforce.get(data + "/query", q="SELECT Id FROM Lead WHERE SystemModstamp >= 2099-01-01T00:00:00Z")
    equal((some["totalSize"], some["done"]), (0, True))


@test("Slack: errors are answers of 200; a cursor that is empty at the end; few messages")
def _():
    channel = "C0GENERAL"
    said = slack.post("/api/chat.postMessage", {"channel": channel, "text": "hello"})
    equal((said["ok"], said["message"]["text"]), (True, "hello"))
    equal(slack.post("/api/chat.postMessage", {"channel": "C9", "text": "x"})["error"], "channel_not_found")
    found = walk(slack, "/api/conversations.history?limit=200&channel=" + channel, lambda x: x["messages"],
                 lambda a: "/api/conversations.history?limit=200&channel=%s&cursor=%s" % (
                     channel, a.json()["response_metadata"]["next_cursor"]) if a.json()["has_more"] else None)
    is_all(found, "messages", slack, "ts")
    equal(found, sorted(found, key=lambda m: m["ts"], reverse=True), "newest first")
    newer = slack.get("/api/conversations.history", channel=channel, oldest=said["ts"])
    equal((newer["messages"], newer["response_metadata"]["next_cursor"]), ([], ""))


@test("Shopify: lists by Link, REST writes, GraphQL that throttles in a 200")
def _():
    api_path = "/admin/api/2026-10"

    def following(answer):
        link = answer.header("Link")
        return below(shopify, link.split(">")[0][1:]) if link else None
    is_all(walk(shopify, api_path + "/orders.json?status=any&limit=250", lambda x: x["orders"], following),
           "orders", shopify)
    made = shopify.post(api_path + "/customers.json", {"customer": {"email": "s@example.com"}}, 201)["customer"]
    equal(shopify.get(api_path + "/customers/%d.json" % made["id"])["customer"]["email"], "s@example.com")
    query = {"query": "query($after: String) { orders(first: 1, after: $after) { nodes { id } } }",
             "variables": {"first": 1}}
    page = shopify.post(api_path + "/graphql.json", query)["data"]["orders"]
    equal((len(page["nodes"]), page["pageInfo"]["hasNextPage"]), (1, True))
    with shopify.switched(graphql_throttled=1):
        equal(shopify.post(api_path + "/graphql.json", query)["errors"][0]["extensions"]["code"], "THROTTLED")
        true("data" in shopify.post(api_path + "/graphql.json", query), "once is once")


@test("Stripe: lists by the last id, an Idempotency-Key is answered alike")
def _():
    found = walk(stripe, "/v1/charges?limit=100", lambda x: x["data"],
                 lambda a: "/v1/charges?limit=100&starting_after=" + a.json()["data"][-1]["id"]
                 if a.json()["has_more"] else None)
    is_all(found, "charges", stripe)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": unique("k-")}
    first = stripe.post("/v1/customers", "email=a%40b.co&metadata[x]=y", headers=headers)
    again = stripe.post("/v1/customers", "email=a%40b.co&metadata[x]=y", headers=headers)
    equal((first["id"], first["metadata"]), (again["id"], {"x": "y"}))
    equal(stripe.call("POST", "/v1/charges", "currency=usd", {"Content-Type": headers["Content-Type"]}).status, 400)


@test("Zoom: recordings of a month, an empty token at the end")
def _():
    found = walk(zoom, "/v2/users/me/recordings?page_size=300", lambda x: x["meetings"],
                 lambda a: "/v2/users/me/recordings?page_size=300&next_page_token=" + a.json()["next_page_token"]
                 if a.json()["next_page_token"] else None)
    is_all(found, "recordings", zoom, "uuid")
    equal(zoom.call("GET", "/v2/users/me/recordings?from=2026-01-01&to=2026-06-01").status, 400)
    made = zoom.post("/v2/users/me/meetings", {"topic": "T"}, 201)
    equal(zoom.get("/v2/meetings/%d" % made["id"])["topic"], "T")


@test("Twilio: messages by a relative next_page_uri, a message out, an error with its code")
def _():
    base = "/2010-04-01/Accounts/%s" % ACCOUNT
    found = walk(twilio, base + "/Messages.json?PageSize=50", lambda x: x["messages"],
                 lambda a: a.json()["next_page_uri"])
    is_all(found, "messages", twilio, "sid")
    sent = twilio.form(base + "/Messages.json", To="+14155550100", From="+14155550199", Body="hi")
    equal((sent.status, sent.json()["status"]), (201, "queued"))
    bad = twilio.form(base + "/Messages.json", To="no", From="+14155550199", Body="hi")
    equal((bad.status, bad.json()["code"]), (400, 21211))
    basic = Played("twilio", "api.twilio.com", {"Authorization": "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwNWE5"
                                                "ZDpzYW5kYm94LXR3aWxpby10b2tlbg=="})
    equal(basic.get(base + ".json")["status"], "active")


@test("Zendesk: the export goes on where it ended; lists by page[after]")
def _():
    path = "/api/v2/incremental/tickets/cursor.json"

    def following(answer):
        out = answer.json()
        return None if out["end_of_stream"] else below(zendesk, out["after_url"])
    is_all(walk(zendesk, path + "?start_time=0", lambda x: x["tickets"], following), "tickets", zendesk)
    end = zendesk.get(path, start_time=0)["after_cursor"]
    equal(zendesk.get(path, cursor=end)["tickets"], [])
    made = zendesk.post("/api/v2/tickets.json", {"ticket": {"subject": "S", "comment": {"body": "B"}}}, 201)
    equal(ids(zendesk.get(path, cursor=end)["tickets"]), [made["ticket"]["id"]])

    def next_page(answer):
        return below(zendesk, answer.json()["links"]["next"]) if answer.json()["meta"]["has_more"] else None
    is_all(walk(zendesk, "/api/v2/tickets.json?page%5Bsize%5D=100", lambda x: x["tickets"], next_page),
           "tickets", zendesk)
    equal(zendesk.call("POST", "/api/v2/tickets.json", {"ticket": {"subject": "S"}}).status, 422)


@test("Google Calendar: a sync token brings what changed, deletions too; 410 once")
def _():
    path = "/calendar/v3/calendars/primary/events"
    found = walk(calendar, path + "?singleEvents=true&maxResults=250", lambda x: x["items"],
                 lambda a: path + "?singleEvents=true&maxResults=250&pageToken=" + a.json()["nextPageToken"]
                 if "nextPageToken" in a.json() else None)
    is_all(found, "events", calendar)
    sync = calendar.get(path)["nextSyncToken"]
    equal(calendar.get(path, syncToken=sync)["items"], [])
    gone = calendar.post(path, {"summary": "M", "start": {"dateTime": "2026-03-01T10:00:00Z"}})
    equal(calendar.call("DELETE", path + "/" + gone["id"]).status, 204)
    equal([(x["id"], x["status"]) for x in calendar.get(path, syncToken=sync)["items"]], [(gone["id"], "cancelled")])
    equal(calendar.call("GET", path + "?syncToken=%s&timeMin=2026-01-01T00:00:00Z" % sync).status, 400)
    with calendar.switched(sync_gone=1):
        equal(calendar.call("GET", path + "?syncToken=" + sync).status, 410)
        equal(calendar.call("GET", path + "?syncToken=" + sync).status, 200)
    watch = unique("ch-")
    channel = calendar.post(path + "/watch", {"id": watch, "type": "web_hook", "address": "http://127.0.0.1:9/",
                                              "token": "t"})
    stop = calendar.call("POST", "/calendar/v3/channels/stop", {"id": watch, "resourceId": channel["resourceId"]})
    equal(stop.status, 204)


@test("Google Ads: a stream of batches, a search by pages, a developer token that never becomes right")
def _():
    path = "/v26/customers/1234567890/googleAds:"
    query = "SELECT lead_form_submission_data.id FROM lead_form_submission_data"
    out = google_ads.post(path + "searchStream", {"query": query})
    true(len(out[0]["results"]) >= 3, "a batch")
    none = query + " WHERE lead_form_submission_data.submission_date_time > '2099-01-01 00:00:00'"
    equal(google_ads.post(path + "searchStream", {"query": none}), [])
    with google_ads.switched(empty_batch=True):
        true("results" not in google_ads.post(path + "searchStream", {"query": none})[0], "no results")
    with google_ads.switched(page_size=2):
        first = google_ads.post(path + "search", {"query": query})
        rest = google_ads.post(path + "search", {"query": query, "pageToken": first["nextPageToken"]})
    seen = [x["leadFormSubmissionData"]["id"] for x in first["results"] + rest["results"]]
    equal(len(seen), len(set(seen)))
    wrong = google_ads.call("POST", path + "search", {"query": query}, {"developer-token": "wrong"})
    equal(wrong.status, 403)


@test("LinkedIn: responses by start and count, versions that are gone, parentheses as they are")
def _():
    found, start = [], 0
    while True:
        page = linkedin.get("/rest/leadFormResponses?%s&start=%d&count=2" % (OWNER, start))
        found += page["elements"]
        if len(page["elements"]) < 2:
            break
        start += 2
    is_all(found, "responses", linkedin)
    equal(linkedin.call("GET", "/rest/leadFormResponses?" + OWNER.replace("(", "%28")).status, 400)
    gone = linkedin.call("GET", "/rest/leadFormResponses?" + OWNER, headers={"LinkedIn-Version": "202511"})
    equal((gone.status, gone.json()["code"]), (426, "NONEXISTENT_VERSION"))
    with linkedin.switched(version_gone=True):
        equal(linkedin.call("GET", "/rest/adAccounts?q=search").status, 426)


@test("TikTok: an export from task to CSV; a wrong region is an empty file")
def _():
    api_path, fields = "/open_api/v1.3/page/lead/task/", {"advertiser_id": "7123456789012345678", "page_id": "2"}
    task = tiktok.post(api_path, fields)["data"]
    equal(task["status"], "CREATED")
    download = api_path + "download/?advertiser_id=1&task_id=" + task["task_id"]
    equal(tiktok.get(download)["code"], 40201)
    states = [tiktok.post(api_path, {**fields, "task_id": task["task_id"]})["data"]["status"] for _ in range(2)]
    equal(states, ["RUNNING", "SUCCEED"])
    text = tiktok.call("GET", download).text
    true(text.startswith("\ufefflead_id,") and text.count("tiktok") >= 3, text)
    with tiktok.switched(region="eu"):
        equal(tiktok.call("GET", download).text.count("tiktok"), 0)
        true("tiktok1@" in tiktok.call("GET", download, headers={"x-lead-region": "eu"}).text, "in its region")


@test("WhatsApp and Meta: a message out; leads by next; fresh leads that are not there yet")
def _():
    sent = whatsapp.post("/v26.0/106540352242922/messages",
                         {"messaging_product": "whatsapp", "to": "16505551234", "type": "text", "text": {"body": "x"}})
    true(sent["messages"][0]["id"].startswith("wamid."), sent)
    for _ in range(2):
        api("POST", "/leads", {"form_id": "99"})
    made = api("POST", "/leads", {"form_id": "123123123"})
    equal(made.status, 201, made)
    leads = walk(meta, "/v26.0/123123123/leads?limit=100", lambda x: x["data"],
                 lambda a: below(meta, a.json()["paging"]["next"]) if a.json().get("paging", {}).get("next") else None)
    true(leads, "leads of the form")
    with meta.switched(fresh_leads=1, usage=95):
        fresh = meta.call("GET", "/v26.0/" + leads[0]["id"])
        equal((fresh.status, fresh.json()["error"]["code"], fresh.json()["error"]["error_subcode"]), (400, 100, 33))
        has(fresh.header("X-App-Usage"), '"call_count":95')
        equal(meta.call("GET", "/v26.0/" + leads[0]["id"]).status, 200)


@test("a list that repeats its cursor")
def _():
    with hubspot.switched(page_size=1, repeat_cursor=True):
        first = hubspot.get("/crm/v3/objects/contacts")["paging"]["next"]["after"]
        second = hubspot.get("/crm/v3/objects/contacts", after=first)["paging"]["next"]["after"]
    equal(first, second)


@test("faults are aimed at one provider, in its words")
def _():
    with Faults(here(), {"target": "slack", "kind": "throttle", "count": 1},
                {"target": "hubspot", "kind": "answer", "body": "<html>", "count": 1}):
        answer = slack.call("GET", "/api/auth.test")
        equal((answer.status, answer.json()["error"], answer.header("Retry-After")), (429, "ratelimited", "1"))
        equal(slack.get("/api/auth.test")["ok"], True)
        equal(hubspot.call("GET", "/crm/v3/objects/contacts").text, "<html>")
        equal(hubspot.call("GET", "/crm/v3/objects/contacts").status, 200)


@test("more calls in a second than the switch says are too many; the headers tell what is used")
def _():
    with shopify.switched(per_second=2, usage=90):
        answers = [shopify.call("GET", "/admin/api/2026-10/shop.json") for _ in range(6)]
    true(429 in [a.status for a in answers] and answers[0].status == 200, answers)
    equal(answers[0].header("X-Shopify-Shop-Api-Call-Limit"), "36/40")


@test("switches: a name or type that is none is refused, null takes one back")
def _():
    equal(api("PUT", "/switches/slack", {"nothing": True}).status, 422)
    equal(api("PUT", "/switches/slack", {"few_messages": 3}).status, 422)
    equal(api("GET", "/switches/nobody").status, 404)
    equal(api("PUT", "/switches/slack", {"few_messages": True}).status, 200)
    listed = {s["name"]: s.get("value") for s in api("PUT", "/switches/slack", {"few_messages": None}).json()["switches"]}
    equal(listed["few_messages"], None)


@test("the journal has each call, with its headers and what it was answered")
def _():
    stripe.call("GET", "/v1/account", headers={"Stripe-Version": "2026-07-29.dahlia"})
    call = stripe.calls("/v1/account")[0]
    equal((call["method"], call["host"], call["status"], call["headers"]["stripe-version"]),
          ("GET", "api.stripe.com", 200, "2026-07-29.dahlia"))


@test("without a host in the path links stay at the sandbox")
def _():
    near = Played("zendesk")
    with near.switched(page_size=1):
        link = near.get("/api/v2/tickets.json")["links"]["next"]
    true(link.startswith(here().sandbox_url + "/zendesk/api/v2/"), link)


run()

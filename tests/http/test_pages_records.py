#!/usr/bin/env python3
"""The pages of the records and the saved views: filters, columns, paging both ways, bulk work, as of then."""
import csv
import html
import io
import json
import re
import urllib.parse

from harness import Browser, equal, has, here, run, test, true, wait_until
from tenant import CustomWebhook, HubSpot, Tenant, unique

_accounts = {}


def account():
    """An account with 130 contacts and a deal, and a browser signed in to it."""
    if not _accounts:
        made = here().new_account("Records")
        rows = ["id,name,email,address.city,score"]
        rows += ["c-%03d,Person %d,p%d@example.com,%s,%d" % (i, i, i, ("Paris", "Praha")[i % 2], i % 7)
                 for i in range(130)]
        answer = made.api("POST", "/records/import", {
            "providerType": "manual", "resourceType": "contact", "csv": "\n".join(rows) + "\n"})
        equal(answer.status, 200, answer)
        equal(answer.json()["created"], 130, answer)
        answer = made.api("POST", "/records/import", {
            "providerType": "manual", "resourceType": "deal", "csv": "id,title\nd-1,A deal\n"})
        equal(answer.status, 200, answer)
        b = Browser(here())
        b.sign_in(made.email, made.password)
        _accounts["it"] = (made, b)
    return _accounts["it"]


def fresh(name):
    """An account of a test's own, and its browser."""
    made, b = here().new_account(name), Browser(here())
    b.sign_in(made.email, made.password)
    return made, b


def page(b, path):
    answer = b.get(path)
    equal(answer.status, 200, answer)
    return answer.text


def rows_of(text):
    """Ids of the records that a page lists, in order."""
    return re.findall(r'<td class="c-name"><a href="/admin/records/([0-9a-f-]{36})"', text)


def post(b, path, fields):
    """A form, whose fields may repeat, with the session's token."""
    if not hasattr(b, "token"):
        b.get("/admin/dashboard")
        b.token = b.csrf()
    fields = list(fields.items() if isinstance(fields, dict) else fields)
    return b._request("POST", path, urllib.parse.urlencode([*fields, ("_csrf", b.token)]),
                      {"Content-Type": "application/x-www-form-urlencoded"})


def hidden(asked):
    """What the form of a confirmation sends."""
    form = re.search(r'<form class="actions".*?</form>', asked.text, re.S).group(0)
    return {html.unescape(n): html.unescape(v)
            for n, v in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form) if n != "_csrf"}


def link(text, rel):
    found = re.search(r'rel="%s" href="([^"]*)"' % rel, text)
    return found and html.unescape(found.group(1))


def record_id(made, external_id, kind="contact"):
    rows = made.api("GET", "/records?resourceType=%s&search=%s" % (kind, external_id)).json()["data"]
    return [r["id"] for r in rows if r["externalId"] == external_id][0]


@test("pills count, and lead to their type")
def _():
    _, b = account()
    text = page(b, "/admin/records")
    for label, count in (("All", 131), ("Contact", 130), ("Deal", 1)):
        true(re.search(r">%s <span>%d</span>" % (label, count), text), (label, text[:3000]))
    equal(len(rows_of(page(b, "/admin/records?resourceType=deal"))), 1)
    has(page(b, "/admin/records?resourceType=contact"), "130 records")
    other = here().new_account("Types")
    for provider, kind in (("acme", "zebra"), ("manual", "apple")):
        other.api("POST", "/records/import", {"providerType": provider, "resourceType": kind, "csv": "id\n1\n"})
    b = Browser(here())
    b.sign_in(other.email, other.password)
    pills = re.search(r'aria-label="Types">(.*?)</ul>', page(b, "/admin/records"), re.S).group(1)
    equal(re.findall(r">(\w+) <span>", pills), ["All", "Apple", "Zebra"])


@test("older and newer lead through every record once, and back")
def _():
    _, b = account()
    forth, back, path = [], [], "/admin/records?resourceType=contact"
    while path:
        text = page(b, path)
        forth.append(rows_of(text))
        last, path = path, link(text, "next")
    equal([len(p) for p in forth], [25, 25, 25, 25, 25, 5])
    equal(len({i for p in forth for i in p}), 130)
    path = link(page(b, last), "prev")
    while path:
        answer = b.get(path)
        if answer.status == 303:
            answer = b.get(answer.header("Location"))
        back.append(rows_of(answer.text))
        path = link(answer.text, "prev")
    equal(back, forth[-2::-1])
    equal(rows_of(page(b, "/admin/records?resourceType=contact&page=3")), forth[2])
    oldest = page(b, "/admin/records?resourceType=contact&sort=updatedAt")
    middle = page(b, link(oldest, "next"))
    equal(rows_of(oldest) + rows_of(middle), [i for p in reversed(forth) for i in reversed(p)][:50])
    answer = b.get(link(middle, "prev"))
    equal(rows_of(answer.text) if answer.status == 200 else rows_of(page(b, answer.header("Location"))),
          rows_of(oldest))


@test("search, a filter on a field and both at once")
def _():
    _, b = account()
    equal(len(rows_of(page(b, "/admin/records?search=p17@example.com"))), 1)
    answer = b.get("/admin/records?resourceType=contact&field=address.city&value=Paris")
    equal(answer.status, 303)
    equal(urllib.parse.unquote(answer.header("Location")),
          "/admin/records?resourceType=contact&filter[address.city]=Paris")
    text = page(b, answer.header("Location"))
    equal(len(rows_of(text)), 25)
    has(text, "1–25 of more than 25 records")
    has(text, "Remove this filter")
    both = page(b, answer.header("Location") + "&search=Person+18")
    equal(len(rows_of(both)), 1)
    has(both, "1 record")
    none = page(b, "/admin/records?search=nothing-is-called-so")
    has(none, "No record matches")


@test("a filter that is none: the page stays, says what is wrong, and lists nothing")
def _():
    _, b = account()
    for list_, query, word in (("records", "field=a..b&value=x", '"a..b" is not the name of a field'),
                               ("records", "filter%5Ba..b%5D=x", '"a..b" is not the name of a field'),
                               ("records", "updatedAfter=yesterday", "updatedAfter"),
                               ("records", "search=" + "+".join("w%d" % i for i in range(60)), "The search"),
                               ("leads", "field=a..b&value=x", '"a..b" is not the name of a field'),
                               ("leads", "filter%5Ba..b%5D=x", '"a..b" is not the name of a field')):
        answer = b.get("/admin/%s?%s" % (list_, query))
        equal(answer.status, 422, query)
        text = html.unescape(answer.text)
        has(re.search(r'<p class="flash flash-error".*?</p>', text, re.S).group(0), word)
        has(text, "Nothing is listed")
        has(text, 'role="search"')
        equal(rows_of(text), [], query)


@test("a page number beyond the end leads to the beginning")
def _():
    _, b = account()
    answer = b.get("/admin/records?resourceType=contact&page=9")
    equal((answer.status, answer.header("Location")), (303, "/admin/records?resourceType=contact"))
    equal(len(rows_of(page(b, "/admin/records?page=1"))), 25)


@test("a record that is gone is a page that leads back to the records")
def _():
    _, b = account()
    for path in ("/admin/records/01900000-0000-7000-8000-000000000000", "/admin/records/nonsense"):
        answer = b.get(path)
        equal(answer.status, 404)
        has(answer.text, 'href="/admin/records">Back to Records</a>')
        has(answer.text, 'href="/admin/records" aria-current="page"')
        true("Not Found" not in answer.text, "words for people")


@test("what is missing beside the records leads back to where it belongs")
def _():
    _, b = account()
    no_id = "01900000-0000-7000-8000-000000000000"
    for path, back, label, section in (("imports/" + no_id, "imports", "Runs", "task-history"),
                                       ("connect/nothing", "connections", "Connections", "connections")):
        answer = b.get("/admin/" + path)
        equal(answer.status, 404, answer)
        has(answer.text, 'href="/admin/%s">Back to %s</a>' % (back, label))
        equal(re.findall(r'href="/admin/([\w-]+)" aria-current="page"', answer.text), [section])
    gone = post(b, "/admin/views/" + no_id, {"action": "delete", "query": ""})
    equal(gone.status, 404)
    has(gone.text, 'href="/admin/records">Back to Records</a>')
    for path, back in (("imports/x/y/z", "imports"), ("views", "records"), ("views/x/y", "records")):
        answer = b.get("/admin/" + path)
        true(answer.status in (404, 405), answer)
        has(answer.text, 'href="/admin/%s">Back to ' % back)
    nowhere = b.get("/admin/nothing").text
    has(nowhere, 'href="/admin/dashboard">Back to ')
    has(nowhere, 'href="/admin/records"')
    true('href="/admin/records"' not in Browser(here()).get("/admin/nothing").text, "a stranger sees no navigation")


@test("a history tells changes within a minute apart, and how a record came")
def _():
    made, b = account()
    for subject in ("First", "Second"):
        equal(made.api("POST", "/records/import", {"providerType": "manual", "resourceType": "memo",
                                                   "csv": "id,subject\nn-1,%s\n" % subject}).status, 200)
    id_ = record_id(made, "n-1", "memo")
    at = [re.sub(r"\..*", "", h["at"]).split("T")[1] for h in made.api("GET", "/records/%s/history" % id_).json()["data"]]
    text = page(b, "/admin/records/" + id_)
    shown = re.search(r'<h2 id="activity">.*?</section>', text, re.S).group(0)
    equal(re.findall(r">[^<]*, (\d\d:\d\d:\d\d)</time>", shown).count(at[0]) >= 1, True, shown)
    has(text, "<dt>Source</dt><dd>File or API</dd>")
    has(shown, "File or API changed 1 field")
    true(shown.index("changed 1 field") < shown.index("created it"), "newest first")
    has(page(b, "/admin/records?resourceType=memo"), "<td><span class=\"cut\">File or API</span></td>")
    lead = made.api("POST", "/leads", {"fullName": "Entered"}).json()
    has(page(b, "/admin/records/" + lead["recordId"]), "<dd>By hand or API</dd>")


@test("what one request changed is one entry, however many parts it had; the one that made the record tells only that")
def _():
    made, b = fresh("Grouped")
    hub = HubSpot(Tenant(account=made))
    hub.send(*(hub.change(31, k, v) for k, v in (("firstname", "Ann"), ("lastname", "Lee"), ("email", "ann.lee@example.com"))))
    hub.send(*(hub.change(31, k, v) for k, v in (("email", "a.lee@example.com"), ("phone", "+4930123456"), ("email", "lee@example.com"))))
    id_ = made.api("GET", "/records?resourceType=contact").json()["data"][0]["id"]
    equal(len(made.api("GET", "/records/%s/history" % id_).json()["data"]), 6, "the history has each")
    text = page(b, "/admin/records/" + id_)
    has(text, "<dt>Source</dt><dd>HubSpot</dd>", "a connection that is called as its provider is named once")
    shown = re.search(r'<h2 id="activity">.*?</section>', text, re.S).group(0)
    equal(re.findall(r'<li class="[^"]*"><b>([^<]*)</b>', shown), ["HubSpot changed 2 fields", "HubSpot created it"])
    equal(re.findall(r"<del>([^<]*)</del>", shown), ["ann.lee@example.com"], "before both")
    equal(sorted(re.findall(r"<ins>([^<]*)</ins>", shown)), ["+4930123456", "lee@example.com"], "after both")
    then = re.search(r'\?at=([^"]*)">View the record at this time', html.unescape(shown)).group(1)
    has(page(b, "/admin/records/%s?at=%s" % (id_, then)), "ann.<wbr>lee@<wbr>example.<wbr>com")


@test("what a provider sends beside ids is told first, under words; amounts stand as numbers, though they came as text")
def _():
    made, b = fresh("Words")
    hub = HubSpot(Tenant(account=made))
    for i, amount in enumerate(("1250.50", "99")):
        hub.send(*(hub.change(50 + i, k, v, kind="deal.propertyChange") for k, v in (
            ("dealname", "Deal %d" % i), ("dealstage", "closedwon"), ("amount", amount))))
    text = page(b, "/admin/records?resourceType=deal")
    equal(re.findall(r'<th scope="col" class="(c-[^"]*)" title="properties.[a-z]*">([^<]*)</th>', text),
          [("c-text", "Deal stage"), ("c-number", "Amount")], "both at any width of a table")
    text = page(b, "/admin/records/" + rows_of(text)[0])
    labels = re.findall(r"<dt>([^<]*)</dt>", re.search(r'<div class="details">.*?</section>', text, re.S).group(0))
    equal(labels, ["Deal name", "Deal stage", "Amount", "ID", "Portal ID"])


@test("bulk work says what all that match have in common, and refuses what makes no sense before it asks")
def _():
    _, b = account()
    query = "resourceType=contact&filter[address.city]=Praha"
    answer = post(b, "/admin/records/bulk", {"action": "delete", "scope": "all", "query": query})
    equal(answer.status, 200, answer)
    facts = re.search(r'<dl class="facts">(.*?)</dl>', answer.text, re.S).group(1)
    equal(re.findall(r"<dt>(.*?)</dt><dd><b>(.*?)</b></dd>", facts), [("Type", "Contact"), ("Address city", "Praha")])
    answer = post(b, "/admin/records/bulk", {"action": "delete", "scope": "all", "query":
                                             "resourceType=contact&filter[score][gt]=0&filter[address.city][empty]=false"})
    has(answer.text, "<dt>Score</dt><dd><b>is more than 0</b></dd>")
    has(answer.text, "<dt>Address city</dt><dd><b>is not empty ")
    for fields, word in (({"action": "delete", "scope": "all", "query": "resourceType=nothing"}, "No record matches"),
                         ({"action": "delete", "id": "01900000-0000-7000-8000-000000000000"}, "gone already"),
                         ({"action": "replay", "scope": "all", "query": ""}, "Choose a type")):
        answer = post(b, "/admin/records/bulk", fields)
        equal(answer.status, 303, fields)
        has(page(b, answer.header("Location")), word)


@test("the sheet filters by a field's name and a condition, says so in words, and what is wrong with it")
def _():
    made, b = account()
    wait_until(lambda: made.api("GET", "/records/fields?resourceType=contact").json()["data"], 30, "the catalogue")
    for query, condition, words in (
            ("field=Address+city&op=contains&value=RAH", "filter[address.city][contains]=RAH", "Address city contains <b>RAH</b>"),
            ("field=score&op=gt&value=0", "filter[score][gt]=0", "Score is more than <b>0</b>"),
            ("field=score&op=filled&value=", "filter[score][empty]=false", "Score is not empty"),
            ("field=address.city&op=is&value=Praha", "filter[address.city]=Praha", "Address city is <b>Praha</b>")):
        answer = b.get("/admin/records?resourceType=contact&" + query)
        equal(answer.status, 303, answer)
        where = urllib.parse.unquote(answer.header("Location"))
        has(where, condition)
        text = page(b, answer.header("Location"))
        has(text, words)
        true("<tbody>" in text, query)
    answer = b.get("/admin/records?resourceType=contact&field=score&op=gt&value=high")
    equal(answer.status, 422)
    has(answer.text, "must be a number such as 12.5, or a date")


@test("columns are chosen from the fields and remembered in the address")
def _():
    made, b = account()
    wait_until(lambda: made.api("GET", "/records/fields?resourceType=contact").json()["data"], 30,
               "the catalogue")
    text = page(b, "/admin/records?resourceType=contact")
    has(text, '<th scope="col" class="c-email" title="email">')
    true('title="name">' not in text, "the title is no column")
    text = page(b, "/admin/records?resourceType=contact&col=score&col=address.city")
    equal(re.findall(r'<th scope="col" class="[^"]*" title="([^"]*)">', text), ["score", "address.city"])
    for link_ in (link(text, "next"), re.search(r'aria-sort.*?href="([^"]*)"', text).group(1)):
        has(html.unescape(link_), "col=score&col=address.city")
    true(re.search(r'value="score" checked', text), "the picker knows")
    true(not re.search(r'value="email" checked', text), "the picker knows")
    page(b, "/admin/records?col=" + "x" * 400 + "&col=%5B&col=a.b%5B%5D.c")


@test("a view is saved, opened, changed, renamed and deleted")
def _():
    made, b = account()
    name = unique("View ")
    query = "resourceType=contact&filter[address.city]=Praha&sort=updatedAt&col=score"
    answer = post(b, "/admin/views", {"name": name, "query": query})
    equal(answer.status, 303, answer)
    opened = answer.header("Location")
    text = page(b, opened)
    has(text, "is saved")
    has(text, 'aria-current="page">' + name)
    equal(re.findall(r'<th scope="col" class="[^"]*" title="([^"]*)">', text), ["score"])
    view = [v for v in made.api("GET", "/views").json()["data"] if v["name"] == name][0]
    equal(view["query"], {"resourceType": "contact", "filter": {"address.city": "Praha"},
                          "sort": "updatedAt", "columns": ["score"]})
    same = post(b, "/admin/views", {"name": name, "query": "resourceType=deal"})
    equal(same.status, 303)
    has(page(b, same.header("Location")), "There is a view of this name")
    path = "/admin/views/" + view["id"]
    equal(post(b, path, {"action": "save", "name": "x", "query": "resourceType=deal"}).status, 303)
    changed = made.api("GET", "/views/" + view["id"]).json()
    equal((changed["name"], changed["query"]["resourceType"]), (name, "deal"))
    equal(post(b, path, {"action": "rename", "name": name + " 2", "query": ""}).status, 303)
    equal(made.api("GET", "/views/" + view["id"]).json()["name"], name + " 2")
    equal(post(b, path, {"action": "rename", "name": " ", "query": ""}).status, 303)
    equal(made.api("GET", "/views/" + view["id"]).json()["name"], name + " 2")
    equal(post(b, path, {"action": "delete", "query": ""}).status, 303)
    equal(made.api("GET", "/views/" + view["id"]).status, 404)
    equal(post(b, path, {"action": "delete", "query": ""}).status, 404)


@test("a view is for everyone, or for the one who saved it alone; people put them in order; more than eight fold")
def _():
    made, b = fresh("Views")
    made.api("POST", "/records/import", {"resourceType": "contact", "csv": "external_id,name\n1,Ann\n"})
    for name in ("One", "Two", "Three"):
        equal(post(b, "/admin/views", {"name": name, "query": "resourceType=contact"}).status, 303)
    equal(post(b, "/admin/views", {"name": "Mine", "query": "resourceType=contact", "own": "1"}).status, 303)
    email = "manager-%s@example.com" % unique()
    here().ctl("user", "add", "--account", made.id, "--email", email, "--role", "manager", "--password", "a long enough password")
    other = Browser(here())
    other.sign_in(email, "a long enough password")
    has(page(b, "/admin/records"), ">Mine")
    true(">Mine" not in page(other, "/admin/records"), "a view of one's own")
    equal(sorted(v["name"] for v in made.api("GET", "/views").json()["data"]), ["Leads", "One", "Three", "Two"])
    ids = {v["name"]: v["id"] for v in made.api("GET", "/views").json()["data"]}

    def tabs(text):
        return re.findall(r'<li><a href="[^"]*" title="(One|Two|Three|Mine)"', text)

    equal(tabs(page(b, "/admin/records")), ["One", "Two", "Three", "Mine"])
    equal(post(b, "/admin/views/" + ids["Three"], {"action": "left", "query": "resourceType=contact"}).status, 303)
    equal(tabs(page(b, "/admin/records")), ["One", "Three", "Two", "Mine"])
    equal(tabs(page(other, "/admin/records")), ["One", "Three", "Two"])
    equal(post(b, "/admin/views/" + ids["One"], {"action": "left", "query": ""}).status, 303)
    equal(post(b, "/admin/views/" + ids["One"], {"action": "right", "query": ""}).status, 303)
    equal(tabs(page(b, "/admin/records")), ["Three", "One", "Two", "Mine"])
    true("More views" not in page(b, "/admin/records"), "four stand beside each other")
    for i in range(8):
        equal(post(b, "/admin/views", {"name": "More %d" % i, "query": "resourceType=contact"}).status, 303)
    text = page(b, "/admin/records")
    has(text, "More views")
    equal(text.split('id="more-views"')[0].count('title="More '), 4)


@test("a filter on a field that no record has says so, and which one was meant")
def _():
    made, b = fresh("Meant")
    made.api("POST", "/records/import", {"resourceType": "contact", "csv": "external_id,City,address.zip\n1,Berlin,10115\n"})
    wait_until(lambda: made.api("GET", "/records/fields?resourceType=contact").json()["data"], 30, "the catalogue")
    for asked, meant in (("city", "City"), ("Citty", "City"), ("zip", "address.zip"), ("shoesize", None)):
        for of in ("resourceType=contact&", ""):
            text = page(b, "/admin/records?%sfilter%%5B%s%%5D=x" % (of, asked))
            has(text, "No record here has a field <b>%s</b>" % asked)
            if meant:
                has(text, ">%s</a>?" % meant)
                link = html.unescape(re.search(r'Did you mean <a href="([^"]*)"', text).group(1))
                true("filter%%5B%s%%5D=x" % meant in link, link)
            else:
                true("Did you mean" not in text, asked)
    true("has a field" not in page(b, "/admin/records?filter%5BCity%5D=Paris"), "a field that there is")


@test("records say which of two connections of a kind sent them")
def _():
    t = Tenant(name="Origins")
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    shop = CustomWebhook(t, resourceType="order")
    t.api("PATCH", "/connections/" + shop.connection["id"], {"name": "Shop"})
    shop({"id": "1", "name": "Order 1"})
    has(b.get("/admin/records").text, "<td><span class=\"cut\">Shop</span></td>")
    chat = CustomWebhook(t, resourceType="message")
    t.api("PATCH", "/connections/" + chat.connection["id"], {"name": "Chat"})
    chat({"id": "2", "name": "Message 2"})
    text = b.get("/admin/records").text
    has(text, "<td><span class=\"cut\">Shop</span></td>")
    has(text, "<td><span class=\"cut\">Chat</span></td>")
    order = t.get("/records?resourceType=order")["data"][0]
    has(b.get("/admin/records/" + order["id"]).text, "Order from Shop")


@test("very many are deleted only by who types their number")
def _():
    made, b = fresh("Many")
    rows = "".join("%d,N%d\n" % (i, i) for i in range(1001))
    made.api("POST", "/records/import", {"resourceType": "note", "csv": "external_id,name\n" + rows})
    wait_until(lambda: made.api("GET", "/records/summary").json()["byResourceType"].get("note") == 1001, 30, "the import")
    ask = post(b, "/admin/records/bulk", {"query": "resourceType=note", "scope": "all", "action": "delete"})
    has(ask.text, "type the number of records: <b>1,001</b>")
    form = hidden(ask)
    for typed in ("", "1000", "x"):
        again = post(b, "/admin/records/bulk", {**form, "typed": typed})
        has(again.text, "That is not the number")
        has(again.text, "<title>Error: ")
    equal(post(b, "/admin/records/bulk", {**form, "typed": "1,001"}).status, 303)


@test("the leads' view stays, and its columns are the leads' page")
def _():
    made, b = account()
    equal(made.api("POST", "/leads", {"email": "l1@example.com", "fullName": "Lead One",
                                      "company": "Acme"}).status, 201)
    leads = made.api("GET", "/views/leads").json()
    text = page(b, "/admin/leads")
    has(text, "Lead One")
    has(text, ' title="company">Company</th>')
    has(text, "No destination")
    equal(post(b, "/admin/views/" + leads["id"],
                 {"action": "save", "query": "resourceType=contact&col=email"}).status, 303)
    text = page(b, "/admin/leads")
    equal(re.findall(r'<th scope="col" class="[^"]*" title="([^"]*)">', text), ["email"])
    equal(made.api("GET", "/views/leads").json()["query"]["resourceType"], "lead")
    equal(post(b, "/admin/views/" + leads["id"], {"action": "delete", "query": ""}).status, 409)
    has(page(b, "/admin/leads?status=none"), "Lead One")
    true("Lead One" not in page(b, "/admin/leads?status=failed"), "another status")
    has(page(b, "/admin/leads?search=acme"), "Lead One")
    has(page(b, "/admin/records?resourceType=lead"), "Lead One")


@test("a record of then, its changes and its timeline")
def _():
    made, b = account()
    body = {"providerType": "manual", "resourceType": "contact"}
    for city in ("Oslo", "Bergen"):
        equal(made.api("POST", "/records/import",
                       {**body, "csv": "id,name,address.city\nthen-1,Then,%s\n" % city}).status, 200)
    id_ = record_id(made, "then-1")
    text = page(b, "/admin/records/" + id_)
    has(text, "<del>Oslo</del>")
    has(text, "<ins>Bergen</ins>")
    has(text, "File or API created it")
    has(text, "File or API changed 1 field")
    then = html.unescape(re.search(r'href="([^"]*)">View the record at this time', text).group(1))
    past = page(b, then)
    has(past, "as of")
    has(past, "<dd>Oslo</dd>")
    true("<dd>Bergen</dd>" not in past, "the details are of then")
    since = past[past.index("Changed since then"):past.index('id="details"')]
    equal(re.findall(r"<code>(.*?)</code>|<del>(.*?)</del>|<ins>(.*?)</ins>", since),
          [("address.city", "", ""), ("", "Oslo", ""), ("", "", "Bergen")])
    true("Changed since then" not in text, "now is now")
    has(past, "shown here")
    true("/delete" not in past, "the past cannot be changed")
    answer = b.get("/admin/records/%s?at=2001-01-01T00:00:00Z" % id_)
    equal(answer.status, 303)
    has(page(b, answer.header("Location")), "was not there yet")
    equal(b.get("/admin/records/%s?at=then" % id_).status, 422)


@test("flows run again from the page; with none it says so")
def _():
    made, b = account()
    id_ = record_id(made, "c-001")
    page(b, "/admin/records/" + id_)
    equal(post(b, "/admin/records/%s/replay" % id_, {}).status, 303)
    has(page(b, "/admin/records/" + id_), '<p class="flash flash-note" role="status">', "it is no success")
    equal(post(b, "/admin/records/bulk", {"action": "replay", "id": id_, "query": ""}).status, 303)
    ask = post(b, "/admin/records/bulk",
                 {"action": "replay", "scope": "all", "query": "resourceType=deal"})
    equal(ask.status, 200)
    has(ask.text, "Re-run flows for 1 record")
    task = made.api("POST", "/records/replay", {"filter": {"resourceType": "deal"}})
    equal(task.status, 202, task)
    wait_until(lambda: made.api("GET", task.header("Location").removeprefix("/connect/v1")).json()["status"]
               == "completed", 20, "the end of the task")
    shown = page(b, "/admin/imports/" + task.header("Location").rpartition("/")[2])
    has(shown, "Without a flow")
    true("Rows read" not in shown and "%" not in re.sub(r"<head>.*?</head>", "", shown, flags=re.S), shown)


@test("deleting asks once, for one, for the checked and for all that match")
def _():
    made, b = account()
    rows = "\n".join("x-%d,Gone %d" % (i, i) for i in range(60))
    equal(made.api("POST", "/records/import", {
        "providerType": "manual", "resourceType": "ticket", "csv": "id,subject\n" + rows}).status, 200)
    one, two, three = [record_id(made, "x-%d" % i, "ticket") for i in range(3)]
    has(page(b, "/admin/records/%s/delete" % one), "Delete Gone 0?")
    equal(made.api("GET", "/records/" + one).status, 200)
    equal(post(b, "/admin/records/%s/delete" % one, {}).status, 303)
    equal(made.api("GET", "/records/" + one).status, 404)
    fields = [("action", "delete"), ("id", two), ("id", three), ("query", "resourceType=ticket")]
    ask = post(b, "/admin/records/bulk", fields)
    equal(ask.status, 200)
    has(ask.text, "Delete 2 records?")
    has(ask.text, "Gone 1")
    equal(made.api("GET", "/records/" + two).status, 200)
    equal(post(b, "/admin/records/bulk", [*fields, ("sure", "1")]).status, 303)
    equal(made.api("GET", "/records/" + two).status, 404)
    equal(made.api("GET", "/records/" + three).status, 404)
    all_ = {"action": "delete", "scope": "all", "query": "resourceType=ticket"}
    ask = post(b, "/admin/records/bulk", all_)
    has(ask.text, "Delete 57 records?")
    has(ask.text, 'name="expected" value="57"')
    has(post(b, "/admin/records/bulk", {**all_, "sure": "1", "expected": "57"}).text, "Delete 57 records?")
    equal(post(b, "/admin/records/bulk", hidden(ask)).status, 303)
    wait_until(lambda: made.api("GET", "/records?resourceType=ticket").json()["total"] == 0, 20,
               "the deletion")
    equal(made.api("GET", "/records?resourceType=contact&limit=1").json()["total"] >= 130, True)
    jobs = [i for i in made.api("GET", "/imports").json()["data"] if i["kind"] == "delete"]
    equal([(j["status"], j["received"]) for j in jobs], [("completed", 57)])
    nothing = post(b, "/admin/records/bulk", {"action": "delete", "query": ""})
    equal(nothing.status, 303)
    has(page(b, nothing.header("Location")), "No record is checked")


@test("what comes or changes between the question and the click is not deleted")
def _():
    made, b = account()

    def put(rows):
        equal(made.api("POST", "/records/import", {"providerType": "manual", "resourceType": "meeting",
                                                   "csv": "id,subject\n" + rows}).status, 200)

    put("m-1,One\nm-2,Two\nm-3,Three\n")
    ask = post(b, "/admin/records/bulk", {"action": "delete", "scope": "all", "query": "resourceType=meeting"})
    has(ask.text, "Delete 3 records?")
    put("m-2,Two changed\nm-4,Four\n")
    equal(post(b, "/admin/records/bulk", hidden(ask)).status, 303)

    def done():
        return [i for i in made.api("GET", "/imports").json()["data"]
                if (i["kind"], i["resourceType"], i["status"]) == ("delete", "meeting", "completed")]

    wait_until(done, 20, "the deletion")
    equal(sorted(r["externalId"] for r in made.api("GET", "/records?resourceType=meeting").json()["data"]),
          ["m-2", "m-4"])
    task = done()[0]
    equal((task["received"], task["updated"], task["unchanged"]), (3, 2, 1))
    text = page(b, "/admin/imports/" + task["id"])
    has(text, "<h1>Deleted meeting records</h1>")
    has(text, "<small>Left</small><b>1</b>")
    has(page(b, "/admin/imports"), ">Deleted meeting records</a>")
    late = hidden(ask)
    late["asked"] = str(int(late["asked"]) + 3600 * 10**6)
    equal(post(b, "/admin/records/bulk", late).status, 303)
    put("m-5,Five\n")
    wait_until(lambda: len(done()) == 2, 20, "the second deletion")
    equal([r["externalId"] for r in made.api("GET", "/records?resourceType=meeting").json()["data"]], ["m-5"])


@test("exports are of the checked, or of all that match")
def _():
    made, b = account()
    ids = [record_id(made, "c-%03d" % i) for i in (5, 6)]
    fields = [("id", i) for i in ids] + [("query", "")]
    answer = post(b, "/admin/records/bulk", [("action", "csv"), *fields])
    equal(answer.status, 200, answer)
    has(answer.header("Content-Disposition"), "attachment")
    got = list(csv.DictReader(io.StringIO(answer.text)))
    equal([(g["externalId"], g["data.email"]) for g in got],
          [("c-005", "p5@example.com"), ("c-006", "p6@example.com")])
    answer = post(b, "/admin/records/bulk", [("action", "ndjson"), *fields])
    equal([json.loads(line)["id"] for line in answer.text.splitlines()], ids)
    answer = post(b, "/admin/records/bulk", {"action": "ndjson", "scope": "all",
                                            "query": "resourceType=contact&filter[address.city]=Paris"})
    equal(answer.status, 303)
    every = b.get(answer.header("Location"))
    equal(every.status, 200, every)
    equal(len(every.text.splitlines()), 65)


@test("who may only look sees no forms, and posting is refused")
def _():
    made, _ = account()
    viewer = unique("v") + "@example.com"
    here().ctl("user", "add", "--account", made.id, "--email", viewer, "--role", "viewer",
               "--password", "a long enough password")
    b = Browser(here())
    b.sign_in(viewer, "a long enough password")
    text = page(b, "/admin/records?resourceType=contact")
    true('method="post" action="/admin/records' not in text, "no forms")
    id_ = rows_of(text)[0]
    true("/delete" not in page(b, "/admin/records/" + id_), "no deletion")
    equal(post(b, "/admin/records/bulk", {"action": "delete", "id": id_, "query": ""}).status, 403)
    equal(b.get("/admin/records/%s/delete" % id_).status, 403)
    equal(post(b, "/admin/views", {"name": "x", "query": ""}).status, 403)


@test("another account's records are out of reach of every form")
def _():
    made, _ = account()
    other = here().new_account()
    b = Browser(here())
    b.sign_in(other.email, other.password)
    id_ = record_id(made, "c-010")
    has(page(b, "/admin/records"), "No records yet")
    for path in ("/admin/records/" + id_, "/admin/records/%s/delete" % id_):
        equal(b.get(path).status, 404, path)
    for path in ("/admin/records/%s/delete" % id_, "/admin/records/%s/replay" % id_):
        equal(post(b, path, {}).status, 404, path)
    fields = {"action": "delete", "id": id_, "query": "", "sure": "1"}
    equal(post(b, "/admin/records/bulk", fields).status, 303)
    equal(made.api("GET", "/records/" + id_).status, 200)
    export = post(b, "/admin/records/bulk", {"action": "ndjson", "id": id_, "query": ""})
    equal(export.text, "")


@test("a column of objects or lists shows what they hold, not how programs write it")
def _():
    t = Tenant(name="Cells")
    CustomWebhook(t, resourceType="order")({"id": 1, "name": "Order 1", "address": {"city": "Paris", "geo": {"lat": 48.9}, "floor": None},
                                            "tags": ["new", "vip"], "empty": {}})
    wait_until(lambda: t.records("&resourceType=order"), what="the record")
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    text = b.get("/admin/records?resourceType=order&col=address&col=tags&col=empty").text
    has(text, '<span class="cut">Paris, 48.9</span>')
    has(text, '<span class="cut">new, vip</span>')
    true("{&" not in text.split("<tbody>")[1].split("</tbody>")[0], "no braces")


run()

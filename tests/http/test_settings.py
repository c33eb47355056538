#!/usr/bin/env python3
"""The settings, and what a person changes of their own: zones, keys, people, second factor, sessions, audit log."""
import collections
import csv
import datetime
import hashlib
import html
import io
import json
import os
import re
import threading
import time
import urllib.parse
import uuid
import zoneinfo

from harness import SRC, Browser, equal, has, here, problem, run, test, totp, true, wait_until
from markup import Tags

PASSWORD = "a long enough password"
NO_ID = "01890000-0000-7000-8000-000000000000"


def row_id(text):
    return "UNHEX('%s')" % text.replace("-", "")


def signed_in(email, password=PASSWORD, **more):
    b = Browser(here())
    b.get("/admin/sign-in")
    answer = b.post("/admin/sign-in", {"email": email, "password": password, **more})
    equal(answer.status, 303, answer)
    return b


def account(name="Settings"):
    """A tenant, and its admin's browser."""
    made = here().new_account(name)
    return made, signed_in(made.email, made.password)


def add(made, role, email=None):
    email = email or "%s-%s@example.com" % (role, uuid.uuid4().hex[:12])
    here().ctl("user", "add", "--account", made.id, "--email", email, "--role", role, "--password", PASSWORD)
    return email


def page(b, path, status=200):
    answer = b.get("/admin/settings" + path)
    equal(answer.status, status, answer)
    if status == 200:
        equal(Tags(answer.text).wrong, [], path)
    return answer.text


def send(b, path, form=None, **fields):
    """Opens the page that has the form and posts to path."""
    page(b, form if form is not None else path)
    return b.post("/admin/settings" + path, fields)


def text_of(markup):
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def flashed(b, answer):
    equal(answer.status, 303, answer)
    found = re.search(r'class="flash"[^>]*>(.*?)</p>', b.get(answer.header("Location")).text, re.S)
    return found and text_of(found.group(1))


def wrong(answer, field, status=422):
    """What a form says of a field, which it marks."""
    equal(answer.status, status, answer)
    has(answer.text, "<title>Error: ")
    equal(Tags(answer.text).wrong, [])
    found = re.search(r'<small class="wrong" id="%s">(.*?)</small>' % field, answer.text)
    true(found and 'aria-describedby="' in answer.text and field in answer.text.split(found.group(0))[0], (field, answer.text))
    return text_of(found.group(1))


def copied(answer, status=200):
    """What a page shows this once."""
    equal((answer.status, answer.header("Cache-Control")), (status, "no-store"), answer)
    return html.unescape(re.search(r'<code class="copy">(.*?)</code>', answer.text).group(1))


def token_of(email, password=PASSWORD, **more):
    return here().api("POST", "/auth/token", {"email": email, "password": password, **more}, key=False)


def me(token):
    return here().api("GET", "/me", key=False, headers={"Authorization": "Bearer " + token}).status


def code_of(secret, step):
    return totp(secret, 30 * step)


def audit(made, action):
    return here().sql("SELECT actor_kind, actor_name, details FROM audit_log WHERE account_id = %s AND action = '%s'"
                      " ORDER BY id" % (row_id(made.id), action))


def recounted(made):
    """Leads whose times were set by hand are counted as those are that were there before they were counted."""
    text = open(os.path.join(SRC, "db", "migrations", "0052-lead-counts.sql")).read()
    here().sql("DELETE FROM lead_counts WHERE account_id = %s;" % row_id(made.id) + text[text.index("INSERT INTO"):].replace(
        "WHERE", "WHERE account_id = %s AND" % row_id(made.id)))


def listed(made, b, query):
    """How many leads the list has that an address leads to: in API, export and on the pages, which agree."""
    rows = [len(made.api("GET", "/leads?limit=200&" + query).json()["data"]),
            len(made.api("GET", "/leads/export?format=ndjson&" + query).text.splitlines()),
            len(b.get("/admin/leads/export?format=ndjson&" + query).text.splitlines()), 0]
    for page in range(1, 9):
        answer = b.get("/admin/leads?page=%d&%s" % (page, query))
        if answer.status != 200:
            break
        rows[-1] += answer.text.count('class="c-name"><a href="/admin/leads/')
        if 'rel="next"' not in answer.text:
            break
    equal(len(set(rows)), 1, rows)
    return rows[0]


# ---- time ----------------------------------------------------------------------------------------
@test("times are shown in the account's zone, or a person's own, and its days are the account's")
def _():
    made, b = account("Zones")
    has(b.get("/admin/leads").text, "Times in UTC<")    # not the dashboard: it remembers its counts for a while
    # a lead an hour for two days back
    now = time.time()
    for _ in range(48):
        equal(made.api("POST", "/leads", {"email": "%s@example.com" % uuid.uuid4().hex[:8]}).status, 201)
    ids = [r[0] for r in here().sql("SELECT HEX(id) FROM leads WHERE account_id = %s" % row_id(made.id))]
    here().sql("".join("UPDATE leads SET received_at = %d WHERE id = UNHEX('%s');" % ((now - i * 3600 - 1800) * 1e6, id_)
                       for i, id_ in enumerate(ids)))
    recounted(made)
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu"):
        equal(flashed(b, send(b, "/account", name="Zones", zone=zone)), "Saved.")
        local = datetime.datetime.fromtimestamp(now, zoneinfo.ZoneInfo(zone))
        begun = local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        today = len([i for i in range(48) if now - i * 3600 - 1800 >= begun])
        text = b.get("/admin/dashboard").text
        true(re.search(r"<small>Leads today</small><b>%d</b>" % today, text), (zone, today, text[:6000]))
        has(text, "Times in %s, UTC" % zone)
        wanted = collections.Counter(datetime.datetime.fromtimestamp(now - i * 3600 - 1800, zoneinfo.ZoneInfo(zone))
                                     .date().isoformat() for i in range(48))
        text = b.get("/admin/leads").text
        bars = re.findall(r'<tr><td><a href="/admin/leads\?([^"]+)">(\d{4}-\d\d-\d\d)</a></td><td class="num">(\d+)</td></tr>', text)
        bare = re.findall(r'<tr><td>\d{4}-\d\d-\d\d</td><td class="num">(\d+)</td></tr>', text)
        equal(({day: int(n) for _, day, n in bars}, set(bare), len(bars) + len(bare)), (dict(wanted), {"0"}, 30), zone)
        for query, day, n in bars[-4:]:
            equal((zone, day, listed(made, b, html.unescape(query))), (zone, day, int(n)))
        [query] = set(re.findall(r'"/admin/leads\?(receivedAfter=[^"]+)"', html.unescape(b.get("/admin/dashboard").text)))
        equal(listed(made, b, html.unescape(query)), today)
        has(text, "48 leads")
    equal(flashed(b, send(b, "/profile", name="Zoë", email=made.email, zone="Europe/Berlin")), "Saved.")
    text = b.get("/admin/dashboard").text
    has(text, "Times in Europe/Berlin, UTC+")
    has(text, "Days as in Asia/Kathmandu")
    has(b.get("/admin/leads").text, "Europe/Berlin, UTC+")
    equal([len(m.split(".")[-1]) <= 4 for m in re.findall(r'datetime="([^"]*\.[^"]*)"', b.get("/admin/leads").text)].count(False), 0)
    for zone in ("", "Berlin", "../etc/passwd", "Europe/Berlin'", "é"):
        has(wrong(send(b, "/account", name="Zones", zone=zone), "zone-wrong"), "Europe/Berlin")
    equal(wrong(send(b, "/account", name=" ", zone="UTC"), "name-wrong"), "Must not be empty, nor longer than 200 bytes.")
    equal(flashed(b, send(b, "/profile", name="Zoë", email=made.email, zone="")), "Saved.")
    has(b.get("/admin/dashboard").text, "Times in Asia/Kathmandu, UTC+5:45<")
    rows = [json.loads(r[2]) for r in audit(made, "account.update")]
    equal(rows[0], {"name": "Zones", "before": {"zone": "UTC"}, "after": {"zone": "Pacific/Kiritimati"}})


# ---- who may -------------------------------------------------------------------------------------
@test("the settings are an admin's, their own profile everybody's; nothing of another account is there")
def _():
    made, admin = account("Roles")
    other, _ = account("Others")
    theirs = other.api("GET", "/api-keys").json()["data"][0]["id"]
    with open(os.path.join(SRC, "src/product/routes.def"), encoding="utf-8") as f:
        routes = re.findall(r'^ROUTE\((\w+), "(/admin/settings[^"]*)", \w+,\s*([^,]*),', f.read(), re.M)
    true(len(routes) > 25, routes)
    people = {role: signed_in(add(made, role)) for role in ("viewer", "manager")}
    for role, b in people.items():
        text = page(b, "/profile")
        for method, pattern, permission in routes:
            path = re.sub(r":\w+", NO_ID, pattern)
            if "PERMIT" not in permission:
                continue
            b.get("/admin/dashboard")
            answer = b.get(path) if method == "GET" else b.post(path, {})
            equal(answer.status, 403, (role, method, path))
            true('href="%s"' % pattern not in text, (role, pattern))
    for _, pattern, _ in routes:
        for id_ in (NO_ID, theirs, other.user_id, "x"):
            if ":" in pattern:
                page(admin, "/account")
                path = re.sub(r":\w+", id_, pattern)
                equal([a.status for a in (admin.get(path), admin.post(path, {}, csrf=False))][0] in (404, 405), True, path)
                equal(admin.post(path, {"role": "admin"}, csrf=csrf_of(admin)).status in (404, 405), True, path)
    equal(admin.get("/admin/settings").header("Location"), "/admin/settings/account")
    equal(people["viewer"].get("/admin/settings").header("Location"), "/admin/settings/profile")
    equal(admin.get("/admin/records/retention").header("Location"), "/admin/settings/retention")
    equal(Browser(here()).get("/admin/settings/people").status, 303)
    for method, pattern, _ in routes:
        if method == "POST":
            equal(admin.post(re.sub(r":\w+", NO_ID, pattern), {"name": "x"}, csrf=False).status, 403, pattern)


def csrf_of(b):
    b.get("/admin/settings/profile")
    return b.csrf()


# ---- API keys ------------------------------------------------------------------------------------
@test("a key is made, shown once, listed with its use, and revoked after a question")
def _():
    made, b = account("Keys")
    has(page(b, "/api-keys"), "Everything")
    has(page(b, "/api-keys/new"), 'value="records.view"')
    for fields, field in (({"name": " ", "permission": "leads.view"}, "name-wrong"),
                          ({"name": "n"}, "permissions-wrong"), ({"name": "n", "permission": "leads.fly"}, "permissions-wrong"),
                          ({"name": "n", "permission": "leads.view", "expires": "soon"}, "expires-wrong"),
                          ({"name": "n", "permission": "leads.view", "expires": "2001-01-01"}, "expires-wrong")):
        wrong(send(b, "/api-keys/new", **fields), field)
    page(b, "/api-keys/new")
    fields = [("name", "Nightly <b>"), ("expires", "2999-12-31"), ("permission", "leads.view"), ("permission", "leads.write"),
              ("permission", "crm.view"), ("_csrf", b.csrf())]
    key = copied(b._request("POST", "/admin/settings/api-keys/new", urllib.parse.urlencode(fields),
                            {"Content-Type": "application/x-www-form-urlencoded"}))
    text = page(b, "/api-keys")
    true(key not in text, "not again")
    has(text, "Nightly &lt;b&gt;")
    has(text_of(text), "Leads: view, change; CRM push: view Never")
    told = here().api("GET", "/me", key=key).json()
    equal(sorted(told["permissions"]), ["crm.view", "leads.view", "leads.write"])
    equal(made.api("GET", "/api-keys/" + told["keyId"]).json()["expiresAt"], "3000-01-01T00:00:00Z")
    path = "/api-keys/%s/revoke" % told["keyId"]
    has(page(b, path), "Revoke Nightly &lt;b&gt;?")
    equal(here().api("GET", "/me", key=key).status, 200)
    has(flashed(b, send(b, path)), "revoked")
    equal(here().api("GET", "/me", key=key).status, 401)
    has(text_of(page(b, "/api-keys")), "Revoked")


# ---- people --------------------------------------------------------------------------------------
def join(link, **fields):
    b = Browser(here())
    path = link[len(here().url):]
    answer = b.get(path)
    if answer.status != 200:
        return b, answer
    equal(Tags(answer.text).wrong, [])
    return b, b.post("/admin/join", {"token": path.split("token=")[1], **fields})


@test("a person is invited by a link, which works once; renewed or withdrawn, the old one does not")
def _():
    made, b = account("Inviting & Co")
    email = "new-%s@example.com" % uuid.uuid4().hex[:8]
    for fields, field in (({"email": "nobody", "role": "viewer"}, "email-wrong"), ({"email": email, "role": "king"}, "role-wrong")):
        wrong(send(b, "/people/invite", **fields), field)
    first = copied(send(b, "/people/invite", email=email.upper(), role="viewer"))
    true(first.startswith(here().url + "/admin/join?token="), first)
    text = page(b, "/people")
    true(first.split("token=")[1] not in text, "not again")
    has(text_of(text), email + " By ")
    [invited] = made.api("GET", "/users?status=invited").json()["data"]
    path = "/people/invitations/" + invited["id"]
    second = copied(send(b, path, "/people", act="renew"))
    equal(join(first)[1].status, 404)
    [invited] = made.api("GET", "/users?status=invited").json()["data"]
    has(flashed(b, send(b, "/people/invitations/" + invited["id"], "/people", act="withdraw")), "withdrawn")
    equal(join(second)[1].status, 404)
    # through the API; run out, and renewed
    answer = made.api("POST", "/users", {"email": email, "role": "manager"})
    equal((answer.status, answer.header("Cache-Control")), (201, "no-store"), answer)
    invited = answer.json()
    here().sql("UPDATE one_time_tokens SET expires_at = 1 + created_at WHERE handle = " + row_id(invited["id"]))
    equal(join(invited["inviteUrl"])[1].status, 404)
    has(text_of(page(b, "/people")), "Expired")
    link = copied(send(b, "/people/invitations/" + invited["id"], "/people", act="renew"))
    equal(wrong(join(link, name="", password=PASSWORD)[1], "name-wrong"), "Must not be empty, nor longer than 200 bytes.")
    has(wrong(join(link, name="Neu", password="short")[1], "password-wrong"), "at least 12 characters")
    joined, answer = join(link, name="Zoë Neu", password=PASSWORD)
    equal((answer.status, answer.header("Location")), (303, "/admin/dashboard"), answer)
    has(joined.get("/admin/dashboard").text, "Welcome to Inviting &amp; Co.")
    equal(join(link, name="Thief", password=PASSWORD)[1].status, 404)
    equal(made.api("GET", "/users?status=invited").json()["data"], [])
    users = {u["email"]: u for u in made.api("GET", "/users").json()["data"]}
    equal((users[email]["role"], users[email]["name"], users[email]["status"]), ("manager", "Zoë Neu", "active"))
    has(wrong(send(b, "/people/invite", email=email, role="viewer"), "email-wrong", 409), "belongs to this account already")
    equal([(r[1], json.loads(r[2])["after"]) for r in audit(made, "user.join")], [(email, {"role": "manager"})])
    # who is known already proves it, and keeps their password
    other, _ = account("Known")
    link = other.api("POST", "/users", {"email": email, "role": "viewer"}).json()["inviteUrl"]
    wrong(join(link, password="not the password")[1], "password-wrong")
    equal(join(link, password=PASSWORD)[1].status, 303)
    equal(sorted(u["role"] for u in other.api("GET", "/users").json()["data"]), ["admin", "viewer"])
    # no link of one account opens the other
    has(b.get("/admin/settings/people/%s" % users[email]["id"]).text, "Make a link")
    answer = b.post("/admin/settings/people/%s/password-link" % users[email]["id"], {})
    equal(answer.status, 409)
    has(answer.text, "belongs to another account too")


@test("an account keeps an admin who can sign in; nobody gives, takes or ends what is above them")
def _():
    made, b = account("Last admin")
    own = "/people/" + made.user_id
    for answer in (send(b, own + "/role", own, role="viewer"), send(b, own + "/remove")):
        equal(answer.status, 409, answer)
        has(answer.text, "make someone else admin first")
    problem(made.api("PATCH", "/users/" + made.user_id, {"role": "manager"}), 409, word="admin")
    problem(made.api("DELETE", "/users/" + made.user_id), 409)
    second = add(made, "viewer")
    users = {u["email"]: u["id"] for u in made.api("GET", "/users").json()["data"]}
    for body, status, field in (({"role": "king"}, 422, "role"), ({}, 422, "role"), ({"name": "x"}, 422, "name"),
                                ({"role": "viewer", "email": "x"}, 422, "email")):
        problem(made.api("PATCH", "/users/" + users[second], body), status, field=field)
    # who cannot sign in is no admin to rely on
    equal(made.api("PATCH", "/users/" + users[second], {"role": "admin"}).json()["role"], "admin")
    here().sql("UPDATE users SET disabled_at = 1 WHERE id = " + row_id(users[second]))
    problem(made.api("PATCH", "/users/" + made.user_id, {"role": "viewer"}), 409)
    here().sql("UPDATE users SET disabled_at = NULL WHERE id = " + row_id(users[second]))
    # a key of settings alone makes no admin, nor touches one
    key = made.api("POST", "/api-keys", {"name": "k", "permissions": ["settings.view", "settings.write"]}).json()["key"]
    problem(here().api("POST", "/users", {"email": "a@example.com", "role": "admin"}, key=key), 403)
    problem(here().api("PATCH", "/users/" + users[second], {"role": "viewer"}, key=key), 403)
    problem(here().api("DELETE", "/users/" + users[second], key=key), 403)
    # two admins who remove each other at once: one stays
    for _ in range(4):
        rivals = here().new_account("Rivals")
        ids = {rivals.email: rivals.user_id}
        other = add(rivals, "admin")
        ids[other] = next(u["id"] for u in rivals.api("GET", "/users").json()["data"] if u["email"] == other)
        tokens = {rivals.email: token_of(rivals.email, rivals.password), other: token_of(other)}
        answers, start = [], threading.Barrier(2)

        def remove(token, id_):
            start.wait()
            answers.append(here().api("DELETE", "/users/" + id_, key=False,
                                      headers={"Authorization": "Bearer " + token.json()["accessToken"]}).status)
        pair = [threading.Thread(target=remove, args=(tokens[rivals.email], ids[other])),
                threading.Thread(target=remove, args=(tokens[other], ids[rivals.email]))]
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()
        true(sorted(answers)[0] == 204 and sorted(answers)[1] in (401, 404, 409), answers)
        equal(here().sql("SELECT COUNT(*) FROM memberships WHERE role = 'admin' AND account_id = " + row_id(rivals.id)), [["1"]])
    # a new role holds at once
    one, two = signed_in(made.email, made.password), signed_in(second)
    equal(flashed(one, send(one, "/people/%s/role" % users[second], "/people/" + users[second], role="viewer")),
          second + " is Viewer now.")
    equal(two.get("/admin/settings/people").status, 403)
    token = token_of(second).json()["accessToken"]
    equal(me(token), 200)
    has(flashed(one, send(one, "/people/%s/remove" % users[second])), "no longer belongs")
    equal((me(token), two.get("/admin/dashboard").status), (401, 303))
    equal(here().sql("SELECT COUNT(*) FROM users WHERE id = " + row_id(users[second])), [["0"]])
    equal([json.loads(r[2])["before"] for r in audit(made, "user.remove")], [{"role": "viewer"}])


@test("a forgotten password: an admin's link, once, ends what was signed in")
def _():
    made, b = account("Forgotten")
    email = add(made, "viewer")
    id_ = {u["email"]: u["id"] for u in made.api("GET", "/users").json()["data"]}[email]
    person, token = signed_in(email), token_of(email).json()["accessToken"]
    link = copied(send(b, "/people/%s/password-link" % id_, "/people/" + id_))
    equal(person.get("/admin/dashboard").status, 200)
    stranger = Browser(here())
    has(stranger.get("/admin/sign-in").text, "Forgotten your password?")
    path = link[len(here().url):]
    fields = {"token": path.split("token=")[1]}
    equal(Tags(stranger.get(path).text).wrong, [])
    wrong(stranger.post("/admin/password", {**fields, "password": "short"}), "password-wrong")
    stranger.get(path)
    has(flashed(stranger, stranger.post("/admin/password", {**fields, "password": "another long password"})), "is changed")
    equal((person.get("/admin/dashboard").status, me(token)), (303, 401))
    equal(stranger.get(path).status, 404)
    equal(token_of(email).status, 401)
    equal(token_of(email, "another long password").status, 200)
    page(b, "/profile")
    equal(b.post("/admin/settings/people/%s/password-link" % made.user_id, {}).status, 409)


# ---- a person's own ------------------------------------------------------------------------------
@test("a password is changed with the present one and ends other sessions; so do they by hand")
def _():
    made, b = account("Profile")
    others = [signed_in(made.email, made.password) for _ in range(3)]
    token = token_of(made.email, made.password).json()["accessToken"]
    text = page(b, "/profile")
    equal(len(re.findall("This one", text)), 1)
    ids = re.findall(r'name="id" value="([^"]*)"', text)
    equal(len(ids), 3)
    has(flashed(b, send(b, "/profile/sessions", "/profile", id=ids[0])), "ended")
    equal(sorted(o.get("/admin/dashboard").status for o in others), [200, 200, 303])
    stranger, s = account("Stranger")
    has(flashed(s, send(s, "/profile/sessions", "/profile", id=ids[1])), "had ended already")
    equal(sorted(o.get("/admin/dashboard").status for o in others), [200, 200, 303])
    has(flashed(b, send(b, "/profile/sessions", "/profile")), "everywhere else")
    equal([o.get("/admin/dashboard").status for o in others], [303] * 3)
    form = ("/profile/password", "/profile")
    other = signed_in(made.email, made.password)
    has(wrong(send(b, *form, password="wrong", new_password=PASSWORD), "present-wrong"), "not your present password")
    has(wrong(send(b, *form, password=made.password, new_password="short"), "new-wrong"), "at least 12 characters")
    has(flashed(b, send(b, *form, password=made.password, new_password=PASSWORD)), "everywhere else")
    equal((other.get("/admin/dashboard").status, me(token), b.get("/admin/dashboard").status), (303, 401, 200))
    # another email needs the password, and must be free
    email = "moved-%s@example.com" % uuid.uuid4().hex[:8]
    fields = {"name": "Zoë", "zone": ""}
    wrong(send(b, "/profile", email=email, **fields), "confirm-wrong")
    wrong(send(b, "/profile", email=stranger.email, password=PASSWORD, **fields), "email-wrong")
    wrong(send(b, "/profile", email="nobody", password=PASSWORD, **fields), "email-wrong")
    equal(flashed(b, send(b, "/profile", email=email, password=PASSWORD, **fields)), "Saved.")
    equal((token_of(made.email).status, token_of(email).status), (401, 200))
    token = token_of(email).json()["accessToken"]
    b.get("/admin/dashboard")
    equal(b.post("/admin/sign-out", {"everywhere": "1"}).status, 303)
    equal(me(token), 401, "a bearer token ends with the sessions")
    equal(len(audit(made, "session.confirm_failed")), 2)
    true(PASSWORD not in json.dumps(audit(made, "user.password")), "no secret in the log")


@test("a second factor is set up by QR code or key, with recovery codes, each once; and turned off")
def _():
    made, b = account("Second factor")
    other = signed_in(made.email, made.password)
    token = token_of(made.email, made.password).json()["accessToken"]
    begin = ("/profile/second-factor", "/profile")
    wrong(send(b, *begin, password="wrong"), "factor-wrong")
    answer = send(b, *begin, password=made.password)
    has(answer.text, '<svg role="img" viewBox')
    secret, sealed = copied(answer), re.search(r'name="sealed" value="([^"]*)"', answer.text).group(1)
    step = int(time.time()) // 30
    equal(token_of(made.email, made.password).status, 200, "not on yet")
    confirm = "/admin/settings/profile/second-factor/confirm"
    answer = b.post(confirm, {"sealed": sealed, "code": code_of(secret, step - 20)})
    has(wrong(answer, "code-wrong"), "authenticator")
    equal(copied(answer, 422), secret)
    equal(b.post(confirm, {"sealed": sealed[:-4] + "AAAA", "code": code_of(secret, step)}).status, 409)
    _, s = account("Not theirs")
    page(s, "/profile")
    equal(s.post(confirm, {"sealed": sealed, "code": code_of(secret, step)}).status, 409)
    b.get("/admin/settings/profile")
    answer = b.post(confirm, {"sealed": sealed, "code": code_of(secret, step)})
    codes = re.findall(r"<li>([A-Z2-7-]{19})</li>", answer.text)
    equal(len(set(codes)), 10, answer)
    equal((other.get("/admin/dashboard").status, me(token), b.get("/admin/dashboard").status), (303, 401, 200))
    stored = {r[0] for r in here().sql("SELECT LOWER(HEX(code_hash)) FROM recovery_codes WHERE user_id = " + row_id(made.user_id))}
    equal(stored, {hashlib.sha256(c.replace("-", "").encode()).hexdigest() for c in codes})
    # asked for, and told to the log; the code that turned it on is used up, and so is what was before it
    problem(token_of(made.email, made.password), 401, word="totp")
    equal(len(audit(made, "session.second_factor_asked")), 1)
    for code in (code_of(secret, step), code_of(secret, step - 1)):
        problem(token_of(made.email, made.password, totp=code), 401)
    equal(token_of(made.email, made.password, totp=code_of(secret, step + 1)).status, 200)
    for code in (code_of(secret, step + 1), code_of(secret, step)):
        problem(token_of(made.email, made.password, totp=code), 401)
    equal(token_of(made.email, made.password, totp=codes[0].lower().replace("-", " ")).status, 200)
    problem(token_of(made.email, made.password, totp=codes[0]), 401)
    signed_in(made.email, made.password, totp=codes[1])
    has(page(b, "/profile"), "8 recovery codes are left")
    change = ("/profile/second-factor/change", "/profile")
    wrong(send(b, *change, password="wrong", act="off"), "factor-wrong")
    answer = send(b, *change, password=made.password, act="codes")
    fresh = re.findall(r"<li>([A-Z2-7-]{19})</li>", answer.text)
    equal(len(set(fresh) - set(codes)), 10)
    problem(token_of(made.email, made.password, totp=codes[2]), 401)
    has(flashed(b, send(b, *change, password=made.password, act="off")), "is off")
    equal(token_of(made.email, made.password).status, 200)
    equal(here().sql("SELECT COUNT(*) FROM recovery_codes WHERE user_id = " + row_id(made.user_id)), [["0"]])
    log = json.dumps(here().sql("SELECT details FROM audit_log WHERE account_id = " + row_id(made.id)))
    true(secret not in log and codes[0] not in log, "no secret in the log")


@test("an admin turns off the second factor of who has lost it, and of nobody who is of other accounts too")
def _():
    made, b = account("Lost factor")
    email = add(made, "viewer")
    id_ = {u["email"]: u["id"] for u in made.api("GET", "/users").json()["data"]}[email]
    person = signed_in(email)
    begun = send(person, "/profile/second-factor", "/profile", password=PASSWORD)
    secret, sealed = copied(begun), re.search(r'name="sealed" value="([^"]*)"', begun.text).group(1)
    person.post("/admin/settings/profile/second-factor/confirm", {"sealed": sealed, "code": totp(secret, int(time.time()))})
    problem(token_of(email), 401, word="totp")
    off = "/people/%s/second-factor-off"
    equal(person.post("/admin/settings" + off % made.user_id, {}).status, 403, "a viewer turns off nobody's")
    has(page(b, "/people/" + id_), "Turn their second factor off")
    has(flashed(b, send(b, off % id_, "/people/" + id_)), "the password alone")
    equal(token_of(email).status, 200)
    equal(len(audit(made, "user.totp_off")), 1)
    true("Turn their second factor off" not in page(b, "/people/" + id_), "it is off")
    equal(b.post("/admin/settings" + off % made.user_id, {}).status, 409, "one's own is turned off in the profile")
    other = account("Another")[0]
    here().ctl("user", "add", "--account", other.id, "--email", email, "--role", "viewer", "--password", PASSWORD)
    equal(b.post("/admin/settings" + off % id_, {}).status, 409)


@test("a form that is sent after the session has ended says that nothing was done, and leads back to it")
def _():
    made, b = account("Lost")
    page(b, "/profile")
    csrf = b.csrf()
    here().sql("DELETE FROM sessions WHERE user_id = " + row_id(made.user_id))

    def lost(referer):
        made.api("POST", "/api-keys", {"name": "makes caches look again", "permissions": ["leads.view"]})
        return b.post("/admin/settings/profile", {"name": "Lost"}, csrf=csrf, headers={"Referer": referer})
    answer = lost(here().url + "/admin/settings/profile?a=1")
    equal((answer.status, answer.header("Location")),
          (303, "/admin/sign-in?lost=1&next=%2Fadmin%2Fsettings%2Fprofile%3Fa%3D1"))
    has(b.get(answer.header("Location")).text, "so nothing was changed")
    equal(b.post("/admin/sign-in", {"email": made.email, "password": made.password, "next": "/admin/settings/profile?a=1"})
          .header("Location"), "/admin/settings/profile?a=1")
    has(page(b, "/profile"), 'name="name" value="%s"' % made.email.split("@")[0])


# ---- the audit log -------------------------------------------------------------------------------
@test("the audit log: filters, before and after, export, API; words for all that is noted")
def _():
    made, b = account("=Audit")
    send(b, "/account", name="@Renamed", zone="Europe/Berlin")
    key = made.api("POST", "/api-keys", {"name": "+evil", "permissions": ["audit.view", "leads.view"]}).json()
    for _ in range(3):
        made.api("PATCH", "/api-keys/" + key["id"], {"name": "n" + uuid.uuid4().hex})
    text = page(b, "/audit")
    for words in ("Changed the account", "Account @Renamed", "Made an API key", "API key +evil", "Signed in"):
        has(text_of(text), words)

    def rows(query):
        return [text_of(x) for x in re.findall(r'<td class="c-name">(<a.*?</a>)', page(b, "/audit?" + query), re.S)]
    equal(rows("action=account.update"), ["Changed the account"])
    equal(set(rows("who=" + made.email)), {"Changed the account", "Signed in"})
    equal(rows("objectId=" + key["id"]), ["Changed an API key"] * 3 + ["Made an API key"])
    equal(rows("objectKind=account"), ["Changed the account"])
    today = datetime.datetime.now(zoneinfo.ZoneInfo("Europe/Berlin")).date()
    equal(len(rows("from=%s&to=%s&objectKind=account" % (today, today))), 1)
    equal(rows("to=%s" % (today - datetime.timedelta(days=1))), [])
    equal(rows("from=%s" % (today + datetime.timedelta(days=2))), [])
    has(page(b, "/audit?from=soon"), "must be a date")
    equal(rows("action=no.such"), [])
    [href] = re.findall(r'href="(/admin/settings/audit/[0-9a-f-]{36})"', page(b, "/audit?action=account.update"))
    text = text_of(page(b, href[len("/admin/settings"):]))
    for words in ("Before and after", "Name =Audit @Renamed", "Zone UTC Europe/Berlin", made.email):
        has(text, words)
    answer = b.get("/admin/settings/audit/export?who=" + urllib.parse.quote(made.email))
    equal((answer.status, answer.header("Content-Type").split(";")[0]), (200, "text/csv"))
    table = list(csv.DictReader(io.StringIO(answer.text)))
    equal([r["action"] for r in table], ["account.update", "session.sign_in"])
    equal(json.loads(table[0]["details"])["after"]["zone"], "Europe/Berlin")
    here().sql("UPDATE audit_log SET actor_name = '=HYPERLINK(1)' WHERE action = 'account.update' AND account_id = " + row_id(made.id))
    has(b.get("/admin/settings/audit/export").text, "'=HYPERLINK(1)")
    # the API, by cursor, with audit.view alone
    get = lambda query="": here().api("GET", "/audit" + query, key=key["key"])
    whole, seen, cursor = [r["id"] for r in get("?limit=200").json()["data"]], [], ""
    while cursor is not None:
        answer = get("?limit=2" + cursor).json()
        seen += [r["id"] for r in answer["data"]]
        cursor = answer["nextCursor"] and "&cursor=" + answer["nextCursor"]
    equal(seen, whole)
    true(len(seen) >= 7, seen)
    equal(get("?action=api_key.create").json()["data"][0]["details"]["name"], "+evil")
    for query, field in (("?from=soon", "from"), ("?objectId=7", "objectId"), ("?limit=0", "limit"), ("?cursor=x", "cursor")):
        problem(get(query), 422, field=field)
    other, o = account("Other audit")
    equal(o.get(href).status, 404)
    true(made.email not in other.api("GET", "/audit?limit=200").text, "nothing of another account")
    noted, words = set(), open(os.path.join(SRC, "src/account/audit-list.c"), encoding="utf-8").read()
    for folder, _, files in os.walk(os.path.join(SRC, "src")):
        for name in files:
            if name.endswith(".c") and name != "audit-list.c":
                text = open(os.path.join(folder, name), encoding="utf-8").read()
                for call in re.findall(r"(?:audit_note|audit_fact|audit_fact_alone|login_failed)\(([^;]*);", text) + \
                        re.findall(r"(?:\.action =|\[(?:ACT|VIEW)_\w+\] =|record_bulk b =)([^;]*?)[;}]", text):
                    noted |= set(re.findall(r'"([a-z_]+\.[a-z_]+)"', call))
    true(len(noted) > 25, noted)
    equal([n for n in sorted(noted) if '"%s"' % n not in words], [])


@test("a person of two accounts goes over to the other, and not to one that is not theirs")
def _():
    one, two, foreign = (here().new_account(n) for n in ("Account one", "Account two", "Foreign"))
    email = add(one, "viewer")
    add(two, "manager", email)
    b = signed_in(email)
    text = page(b, "/profile")
    has(text, "Account one")
    has(text, "Account two")
    true("Foreign" not in text, "only one's own")
    has(b.get("/admin/dashboard").text, "Switch account")
    before = dict(b.cookies)
    equal(send(b, "/profile/account", "/profile", accountId=foreign.id).status, 404)
    answer = send(b, "/profile/account", "/profile", accountId=two.id)
    equal((answer.status, answer.header("Location")), (303, "/admin/dashboard"))
    has(b.get("/admin/dashboard").text, "You are in Account two now.")
    has(b.last.text, "Role: Manager")
    b.cookies, after = before, b.cookies
    wait_until(lambda: b.get("/admin/dashboard").status == 303, 5, "the end of the session before")
    b.cookies = after
    equal(b.get("/admin/dashboard").status, 200)
    alone = signed_in(add(one, "viewer"))
    true("Switch account" not in alone.get("/admin/dashboard").text, "there is none to go to")


run()

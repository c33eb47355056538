#!/usr/bin/env python3
"""Who may do what: API keys, tokens, sessions, permissions, rate limits, Idempotency-Key."""
import base64
import hashlib
import hmac
import json
import os
import time
import urllib.parse
import uuid

from harness import Browser, Instance, equal, has, here, problem, run, test, totp, true, wait_until

# Workers cache who is behind a credential. A change made through one of them is known to all at
# once; one made by the operator's tool or in SQL within a second.
MANY = 24


def tenant():
    """An account of this file's own, with a key for everything."""
    if not hasattr(tenant, "made"):
        tenant.made = here().new_account("Auth tests")
    return tenant.made


def new_key(account=None, permissions=("leads.view",), **more):
    """A key made through the API, as it answers."""
    account = account or tenant()
    answer = account.api("POST", "/api-keys", {"name": "test key", "permissions": list(permissions), **more})
    equal(answer.status, 201, answer)
    return answer.json()


def status_with(key, path="/me"):
    return here().api("GET", path, key=key).status


def token_of(account, password=None, **more):
    """The answer to POST /auth/token."""
    return here().api("POST", "/auth/token", {"email": account.email, "password": password or account.password,
                                              **more}, key=False)


def bearer(token):
    return {"Authorization": "Bearer " + token}


def row_id(text):
    return "UNHEX('%s')" % text.replace("-", "")


def audit(account, action):
    """(actor kind, actor name, object id, details) of an account's rows of that action."""
    return here().sql("SELECT actor_kind, actor_name, LOWER(HEX(object_id)), details FROM audit_log "
                      "WHERE account_id = %s AND action = '%s' ORDER BY id" % (row_id(account.id), action))


# ---- API keys ------------------------------------------------------------------------------------
@test("a new key: 201, with the key itself this once and never again")
def _():
    answer = tenant().api("POST", "/api-keys", {"name": "reports", "permissions": ["leads.view", "crm.view"]})
    equal(answer.status, 201, answer)
    made = answer.json()
    equal(sorted(made), ["createdAt", "expiresAt", "id", "key", "lastUsedAt", "name", "permissions",
                         "prefix", "revokedAt"])
    true(made["key"].startswith("ck_") and len(made["key"]) == 46, made["key"])
    true(made["key"].startswith(made["prefix"]), made)
    equal(sorted(made["permissions"]), ["crm.view", "leads.view"])
    equal((made["expiresAt"], made["lastUsedAt"], made["revokedAt"]), (None, None, None))
    has(answer.header("Location") or "", made["id"])
    equal(answer.header("Cache-Control"), "no-store")
    for path in ("/api-keys", "/api-keys/" + made["id"]):
        again = tenant().api("GET", path)
        equal(again.status, 200, again)
        true(made["key"] not in again.text, "the key is shown only once")
        has(again.text, made["id"])
    stored = here().sql("SELECT LOWER(HEX(key_hash)) FROM api_keys WHERE id = " + row_id(made["id"]))
    equal(stored, [[hashlib.sha256(made["key"].encode()).hexdigest()]])


@test("a key works as x-api-key and as bearer token; anything near it does not")
def _():
    key = new_key()["key"]
    get = here().get
    equal(get("/connect/v1/me", {"x-api-key": key}).status, 200)
    equal(get("/connect/v1/me", {"Authorization": "Bearer " + key}).status, 200)
    equal(get("/connect/v1/me", {"Authorization": "bearer  " + key}).status, 200)
    altered = key[:-2] + ("AA" if key[-2:] != "AA" else "BA")
    for headers in ({}, {"x-api-key": ""}, {"x-api-key": altered}, {"x-api-key": key[3:]},
                    {"x-api-key": key + "x"}, {"x-api-key": key.upper()}, {"x-api-key": "x" * 5000},
                    {"Authorization": "Basic " + key}, {"Authorization": "Bearer"},
                    {"Authorization": "Bearer " + altered}, {"Cookie": "connect_session=" + key},
                    # a wrong key is not saved by another credential beside it
                    {"x-api-key": altered, "Authorization": "Bearer " + key}):
        answer = get("/connect/v1/me", headers)
        problem(answer, 401)
        true(answer.header("WWW-Authenticate"), "WWW-Authenticate is there")


@test("GET /me tells who asks")
def _():
    made = new_key(permissions=["leads.view"])
    me = here().api("GET", "/me", key=made["key"]).json()
    equal(me, {"kind": "key", "accountId": tenant().id, "accountName": "Auth tests", "keyId": made["id"],
               "name": "test key", "permissions": ["leads.view"]})
    token = token_of(tenant()).json()["accessToken"]
    me = here().api("GET", "/me", key=False, headers=bearer(token)).json()
    equal((me["kind"], me["accountId"], me["userId"], me["email"], me["role"]),
          ("token", tenant().id, tenant().user_id, tenant().email, "admin"))
    has(me["permissions"], "settings.write")


@test("a key without the permission: 403 that names it")
def _():
    key = new_key(permissions=["leads.view"])["key"]
    equal(here().api("GET", "/leads", key=key).status, 200)
    problem(here().api("GET", "/records", key=key), 403, word="records.view")
    problem(here().api("POST", "/leads", {"email": "a@example.com"}, key=key), 403, word="leads.write")
    problem(here().api("GET", "/api-keys", key=key), 403, word="settings.view")
    problem(here().api("DELETE", "/api-keys/" + str(uuid.uuid4()), key=key), 403, word="settings.write")


@test("a key cannot be given what its maker lacks")
def _():
    maker = new_key(permissions=["settings.view", "settings.write", "leads.view"])["key"]
    answer = here().api("POST", "/api-keys", {"name": "n", "permissions": ["leads.view", "crm.write"]}, key=maker)
    problem(answer, 403, word="crm.write")
    problem(here().api("POST", "/api-keys", {"name": "n", "permissions": ["*"]}, key=maker), 403)
    answer = here().api("POST", "/api-keys", {"name": "n", "permissions": ["leads.view"]}, key=maker)
    equal(answer.status, 201, answer)
    problem(here().api("PATCH", "/api-keys/" + answer.json()["id"], {"permissions": ["proxy.execute"]}, key=maker),
            403, word="proxy.execute")


@test("what makes no key: 422 that names the field, 400 where there is no object")
def _():
    good = {"name": "n", "permissions": ["leads.view"]}
    for change, field in (({"name": ""}, "name"), ({"name": None}, "name"), ({"name": 7}, "name"),
                          ({"name": "x" * 201}, "name"), ({"permissions": []}, "permissions"),
                          ({"permissions": ["leads.fly"]}, "permissions"), ({"permissions": "leads.view"}, "permissions"),
                          ({"permissions": None}, "permissions"), ({"expiresAt": "soon"}, "expiresAt"),
                          ({"expiresAt": "2001-01-01T00:00:00Z"}, "expiresAt"), ({"expiresAt": 7}, "expiresAt"),
                          ({"role": "admin"}, "role")):
        problem(tenant().api("POST", "/api-keys", {**good, **change}), 422, field=field)
    problem(tenant().api("POST", "/api-keys", {"permissions": ["leads.view"]}), 422, field="name")
    problem(tenant().api("POST", "/api-keys", {"name": "n"}), 422, field="permissions")
    problem(tenant().api("POST", "/api-keys", [good]), 400)
    problem(tenant().api("POST", "/api-keys"), 400)


@test("a key that is narrowed or renamed is so at once, in every worker")
def _():
    made = new_key(permissions=["leads.view", "crm.view"])
    for _ in range(MANY):
        equal(status_with(made["key"], "/leads"), 200)
    answer = tenant().api("PATCH", "/api-keys/" + made["id"], {"name": "narrow", "permissions": ["crm.view"]})
    equal(answer.status, 200, answer)
    equal((answer.json()["name"], answer.json()["permissions"]), ("narrow", ["crm.view"]))
    for _ in range(MANY):
        equal(status_with(made["key"], "/leads"), 403)
    equal(here().api("GET", "/me", key=made["key"]).json()["name"], "narrow")


@test("a revoked key is refused at once, in every worker, and stays listed as revoked")
def _():
    made = new_key()
    for _ in range(MANY):
        equal(status_with(made["key"]), 200)
    equal(tenant().api("DELETE", "/api-keys/" + made["id"]).status, 204)
    for _ in range(MANY):
        equal(status_with(made["key"]), 401)
    true(tenant().api("GET", "/api-keys/" + made["id"]).json()["revokedAt"], "revokedAt is set")
    equal(tenant().api("DELETE", "/api-keys/" + made["id"]).status, 204)
    problem(tenant().api("PATCH", "/api-keys/" + made["id"], {"name": "again"}), 409)
    equal(len([r for r in audit(tenant(), "api_key.revoke") if r[2] == made["id"].replace("-", "")]), 1)


@test("connectctl revokes a key within a second")
def _():
    made = new_key()
    equal(status_with(made["key"]), 200)
    here().ctl("api-key", "revoke", made["id"])
    wait_until(lambda: all(status_with(made["key"]) == 401 for _ in range(MANY)), 5, "the end of the key")


@test("a key ends when it expires")
def _():
    made = new_key(expiresAt="2999-12-31T23:59:59Z")
    equal(made["expiresAt"], "2999-12-31T23:59:59Z")
    equal(status_with(made["key"]), 200)
    here().sql("UPDATE api_keys SET expires_at = 1 WHERE id = " + row_id(made["id"]))
    wait_until(lambda: all(status_with(made["key"]) == 401 for _ in range(MANY)), 5, "the end of the key")


@test("the time of last use is kept, and not written with every request")
def _():
    made = new_key()
    true(made["lastUsedAt"] is None, made)
    equal(status_with(made["key"]), 200)
    first = tenant().api("GET", "/api-keys/" + made["id"]).json()["lastUsedAt"]
    true(first, "lastUsedAt is set")
    for _ in range(MANY):
        equal(status_with(made["key"]), 200)
    equal(tenant().api("GET", "/api-keys/" + made["id"]).json()["lastUsedAt"], first)


@test("another account's key is not there: 404 for every method")
def _():
    other = here().new_account()
    theirs = new_key(other)
    path = "/api-keys/" + theirs["id"]
    problem(tenant().api("GET", path), 404)
    problem(tenant().api("PATCH", path, {"name": "mine"}), 404)
    problem(tenant().api("DELETE", path), 404)
    problem(tenant().api("GET", "/api-keys/no-id"), 404)
    problem(tenant().api("GET", "/api-keys/" + str(uuid.uuid4())), 404)
    equal(status_with(theirs["key"]), 200)
    true(theirs["id"] not in tenant().api("GET", "/api-keys?limit=200").text, "nor is it listed")


@test("account_id= must be the credential's own account")
def _():
    other = here().new_account()
    equal(tenant().api("GET", "/leads?account_id=" + tenant().id).status, 200)
    equal(tenant().api("GET", "/leads?account_id=" + tenant().id.upper()).status, 200)
    problem(tenant().api("GET", "/leads?account_id=" + other.id), 404)
    problem(tenant().api("GET", "/leads?account_id=acc_123"), 404)
    problem(here().get("/leads?account_id=" + tenant().id), 401)


@test("the list of keys pages by number and by cursor, newest first")
def _():
    account = here().new_account()
    made = [new_key(account)["id"] for _ in range(5)]
    first = account.api("GET", "/api-keys?limit=2").json()
    equal(sorted(first), ["data", "limit", "nextCursor", "page", "total", "totalIsExact"])
    equal((first["page"], first["limit"], first["total"], first["totalIsExact"]), (1, 2, 6, True))
    seen, page = [k["id"] for k in first["data"]], first
    while page["nextCursor"]:
        page = account.api("GET", "/api-keys?limit=2&cursor=" + page["nextCursor"]).json()
        seen += [k["id"] for k in page["data"]]
    equal(seen[:5], made[::-1])
    equal(len(seen), 6)
    equal([k["id"] for k in account.api("GET", "/api-keys?limit=2&page=2").json()["data"]], made[::-1][2:4])
    problem(account.api("GET", "/api-keys?limit=0"), 422, field="limit")
    problem(account.api("GET", "/api-keys?limit=201"), 422, field="limit")
    problem(account.api("GET", "/api-keys?cursor=abc"), 422, field="cursor")
    # a cursor is of one account
    problem(tenant().api("GET", "/api-keys?limit=2&cursor=" + first["nextCursor"]), 422, field="cursor")


# ---- tokens --------------------------------------------------------------------------------------
@test("email and password give a token, exactly as documented")
def _():
    answer = token_of(tenant())
    equal(answer.status, 200, answer)
    token = answer.json()
    equal(sorted(token), ["accessToken", "accountId", "expiresIn", "tokenType"])
    equal((token["tokenType"], token["accountId"]), ("Bearer", tenant().id))
    true(isinstance(token["expiresIn"], int) and token["expiresIn"] > 0, token)
    equal(answer.header("Cache-Control"), "no-store")
    for headers in (bearer(token["accessToken"]), {"Authorization": token["accessToken"]}):
        equal(here().get("/connect/v1/me", headers).status, 200)
    equal(here().get("/connect/v1/me", {"x-api-key": token["accessToken"]}).status, 401)
    equal(token_of(tenant(), accountId=tenant().id).status, 200)
    equal(here().api("POST", "/auth/token", {"email": "  %s " % tenant().email.upper(),
                                             "password": tenant().password}, key=False).status, 200)


@test("a wrong password, an unknown person: the same 401, and a row in the log")
def _():
    before = len(audit(tenant(), "session.sign_in_failed"))
    wrong = problem(token_of(tenant(), password="not the password"), 401)
    unknown = problem(here().api("POST", "/auth/token", {"email": "nobody@example.com", "password": "whatever it is"},
                                 key=False), 401)
    equal(wrong["detail"], unknown["detail"])
    problem(token_of(tenant(), password="x" * 5000), 401)
    equal(len(audit(tenant(), "session.sign_in_failed")), before + 2)
    # whom nobody knows costs the same: a hash (the unit tests), and a row as well
    nobody = "SELECT COUNT(*) FROM audit_log WHERE account_id = REPEAT(CHAR(0), 16) AND action = 'session.sign_in_failed'"
    rows = int(here().sql(nobody)[0][0])
    for i in range(3):
        problem(here().api("POST", "/auth/token", {"email": "nobody%d@example.com" % i, "password": "whatever"}, key=False), 401)
    true(int(here().sql(nobody)[0][0]) >= rows + 3, "a row for each")
    true("not the password" not in json.dumps(audit(tenant(), "session.sign_in_failed")), "no password in the log")


@test("an account that is not the person's: 404; bad bodies: 400, 415, 422")
def _():
    other = here().new_account()
    problem(token_of(tenant(), accountId=other.id), 404)
    problem(token_of(tenant(), accountId="acc_123"), 404)
    problem(token_of(tenant(), password="wrong", accountId=other.id), 401)
    problem(token_of(tenant(), remember=True), 422, field="remember")
    problem(token_of(tenant(), totp=5), 422, field="totp")
    post = here().api
    problem(post("POST", "/auth/token", {"email": tenant().email}, key=False), 422, field="password")
    problem(post("POST", "/auth/token", {"password": "x"}, key=False), 422, field="email")
    problem(post("POST", "/auth/token", {"email": 1, "password": []}, key=False), 422, field="email")
    problem(post("POST", "/auth/token", {"email": "no address", "password": "x"}, key=False), 422, field="email")
    problem(post("POST", "/auth/token", [], key=False), 400)
    problem(post("POST", "/auth/token", "email=a", key=False,
                 headers={"Content-Type": "application/x-www-form-urlencoded"}), 415)


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(claims, header=None, key=None):
    """A token signed as the product would (or with another key or header)."""
    if key is None:
        with open(os.path.join(here().state, "keys"), encoding="ascii") as f:
            secret = base64.b64decode(f.readline().split(":")[1])
        extracted = hmac.new(bytes(32), secret, "sha256").digest()
        key = hmac.new(extracted, b"jwt\x01", "sha256").digest()
    signed = "%s.%s" % (base64url(json.dumps(header or {"alg": "HS256", "typ": "JWT"}).encode()),
                        base64url(json.dumps(claims).encode()))
    return signed + "." + base64url(hmac.new(key, signed.encode(), "sha256").digest())


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@test("a token that is altered, expired, unsigned or signed by another does not hold")
def _():
    token = token_of(tenant()).json()["accessToken"]
    claims = claims_of(token)
    head, body, mac = token.split(".")
    equal(sorted(claims), ["acc", "exp", "iat", "sub", "ver"])

    def status(text):
        return here().get("/connect/v1/me", bearer(text)).status
    equal(status(forged(claims)), 200)      # or the refusals below would prove nothing
    now = int(time.time())
    other = here().new_account()
    for bad in (forged({**claims, "exp": now - 1}), forged({**claims, "exp": now - 86400}),
                forged({k: v for k, v in claims.items() if k != "exp"}),
                forged({k: v for k, v in claims.items() if k != "sub"}),
                forged({k: v for k, v in claims.items() if k != "ver"}),
                forged({**claims, "ver": "x"}), forged({**claims, "acc": other.id}),
                forged({**claims, "sub": other.user_id}), forged({**claims, "acc": str(uuid.UUID(int=0))}),
                forged(claims, key=b"x" * 32), forged(claims, key=b""),
                forged(claims, header={"alg": "HS512", "typ": "JWT"}),
                "%s.%s." % (base64url(b'{"alg":"none"}'), body), "%s.%s.%s" % (base64url(b'{"alg":"none"}'), body, mac),
                "%s.%s.%s" % (head, base64url(json.dumps({**claims, "acc": other.id}).encode()), mac),
                "%s.%s.%s" % (head, body, ("A" if mac[0] != "A" else "B") + mac[1:]),
                "%s.%s.%s" % (head, body, mac[:-2]), "%s.%s" % (head, body), "..", "a.b.c", "." * 3000):
        equal(status(bad), 401, bad)


@test("permissions are those of the membership now, not of the token")
def _():
    account = here().new_account()
    token = token_of(account).json()["accessToken"]
    equal(here().get("/connect/v1/api-keys", bearer(token)).status, 200)
    demote = ("user", "add", "--account", account.id, "--email", account.email, "--role", "viewer", "--json")
    try:
        here().ctl(*demote)
        raise AssertionError("the last admin is one no more")
    except AssertionError as e:
        has(str(e), "An account needs an admin who can sign in")
    here().ctl("user", "add", "--account", account.id, "--email", "b" + account.email, "--role", "admin", "--password",
               "a long enough password")
    made = json.loads(here().ctl(*demote))
    equal(made["userId"], account.user_id)

    def is_viewer():
        answers = [here().get("/connect/v1/api-keys", bearer(token)) for _ in range(MANY)]
        return all(a.status == 403 for a in answers) and answers[0]
    problem(wait_until(is_viewer, 5, "the new role"), 403, word="settings.view")
    equal(here().get("/connect/v1/leads", bearer(token)).status, 200)
    # claims of more are not believed
    boasting = forged({**claims_of(token), "role": "admin", "permissions": ["*"]})
    equal(here().get("/connect/v1/api-keys", bearer(boasting)).status, 403)


@test("a new password ends tokens and sessions; a disabled person gets nothing")
def _():
    account = here().new_account()
    token = token_of(account).json()["accessToken"]
    browser = Browser(here())
    browser.sign_in(account.email, account.password)
    equal(browser.get("/admin/dashboard").status, 200)
    here().ctl("user", "password", "--email", account.email, "--password", "another password")
    wait_until(lambda: all(here().get("/connect/v1/me", bearer(token)).status == 401 for _ in range(MANY)), 5,
               "the end of the token")
    wait_until(lambda: browser.get("/admin/dashboard").status == 303, 5, "the end of the session")
    problem(token_of(account), 401)
    token = token_of(account, password="another password").json()["accessToken"]
    here().sql("UPDATE users SET disabled_at = 1 WHERE id = " + row_id(account.user_id))
    wait_until(lambda: all(here().get("/connect/v1/me", bearer(token)).status == 401 for _ in range(MANY)), 5,
               "the end of the token")
    problem(token_of(account, password="another password"), 401)


@test("with a second factor the password alone is not enough, and a code is good once")
def _():
    account = here().new_account()
    uri = here().ctl("user", "totp", "--email", account.email).strip()
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(uri).query)
    secret = query["secret"][0]
    problem(token_of(account), 401, word="totp")
    equal(len(audit(account, "session.second_factor_asked")), 1, "to be asked says that the password was right")
    problem(token_of(account, password="wrong"), 401)
    equal(len(audit(account, "session.second_factor_asked")), 1)
    now = int(time.time())
    code = totp(secret, now)
    problem(token_of(account, totp=totp(secret, now - 600)), 401)
    problem(token_of(account, password="wrong", totp=code), 401)
    equal(token_of(account, totp=code).status, 200)
    problem(token_of(account, totp=code), 401)
    # what was taken last is the person's, not a process's: an earlier code that nobody used is no good any more
    problem(token_of(account, totp=totp(secret, now - 30)), 401)
    equal(here().sql("SELECT totp_step FROM users WHERE email = '%s'" % account.email), [[str(now // 30)]])
    here().ctl("user", "totp", "--email", account.email, "--off")
    equal(token_of(account).status, 200)


# ---- sessions ------------------------------------------------------------------------------------
@test("signing in: a session cookie that scripts cannot read, and the page that was wanted")
def _():
    browser = Browser(here())
    answer = browser.get("/admin/leads?status=failed")
    equal(answer.status, 303)
    location = answer.header("Location")
    true(location.startswith("/admin/sign-in?next="), location)
    browser.get(location)
    answer = browser.post("/admin/sign-in", {"email": tenant().email, "password": tenant().password,
                                             "next": "/admin/leads?status=failed"})
    equal((answer.status, answer.header("Location")), (303, "/admin/leads?status=failed"))
    cookies = [c for c in answer.headers.get_all("Set-Cookie") if c.startswith("connect_session=")]
    equal(len(cookies), 1)
    for word in ("HttpOnly", "SameSite=Lax", "Path=/"):
        has(cookies[0], word)
    value = browser.cookies["connect_session"]
    stored = here().sql("SELECT COUNT(*) FROM sessions WHERE id = UNHEX(SHA2('%s', 256))" % value)
    equal(stored, [["1"]])
    equal(browser.get("/admin/dashboard").status, 200)
    equal(audit(tenant(), "session.sign_in")[-1][:2], ["session", tenant().email])
    # it is no API credential, nor is the API's one of pages
    problem(here().get("/connect/v1/me", {"Cookie": "connect_session=" + value}), 401)
    for credential in (tenant().key, token_of(tenant()).json()["accessToken"]):
        equal(here().get("/connect/v1/me", bearer(credential)).status, 200)
        equal(here().get("/admin/dashboard", {"Cookie": "connect_session=" + credential}).status, 303)
        equal(here().get("/admin/dashboard", {"x-api-key": credential, **bearer(credential)}).status, 303)


@test("next leads nowhere but into the panel")
def _():
    for bad in ("https://evil.example/", "//evil.example/", "/\\evil.example", "/admin//evil.example",
                "/admin/\\evil.example", "/connect/v1/me", "/administrator", "javascript:alert(1)", ""):
        browser = Browser(here())
        page = browser.get("/admin/sign-in?next=" + urllib.parse.quote(bad, safe=""))
        equal(page.status, 200)
        true("evil.example" not in page.text, page)
        answer = browser.post("/admin/sign-in", {"email": tenant().email, "password": tenant().password, "next": bad})
        equal((answer.status, answer.header("Location")), (303, "/admin"), bad)


@test("a wrong password shows the form again, with the email and without a session")
def _():
    browser = Browser(here())
    browser.get("/admin/sign-in")
    answer = browser.post("/admin/sign-in", {"email": tenant().email, "password": "wrong <script>"})
    equal(answer.status, 401)
    has(answer.text, tenant().email)
    true("wrong &lt;script" not in answer.text and "<script>" not in answer.text, "the password is not shown")
    true("connect_session" not in browser.cookies, "no session")
    equal(browser.post("/admin/sign-in", {"email": "no address", "password": "x"}).status, 422)


@test("a form without its CSRF token is refused: sign-in, sign-out")
def _():
    fields = {"email": tenant().email, "password": tenant().password}
    browser = Browser(here())
    browser.get("/admin/sign-in")
    token = browser.csrf()
    equal(browser.post("/admin/sign-in", fields, csrf=False).status, 403)
    equal(browser.post("/admin/sign-in", fields, csrf="x" * 43).status, 403)
    equal(browser.post("/admin/sign-in", fields, csrf=browser.cookies["connect_form"]).status, 403)
    true("connect_session" not in browser.cookies, "no session")
    # another browser's token
    other = Browser(here())
    other.get("/admin/sign-in")
    equal(other.post("/admin/sign-in", fields, csrf=token).status, 403)
    # without the cookie
    equal(here().post("/admin/sign-in", urllib.parse.urlencode({**fields, "_csrf": token}),
                      {"Content-Type": "application/x-www-form-urlencoded"}).status, 403)
    equal(browser.post("/admin/sign-in", fields, csrf=token).status, 303)
    equal(browser.post("/admin/sign-out", {}, csrf=False).status, 403)
    equal(browser.post("/admin/sign-out", {}, csrf=token).status, 403)
    equal(browser.get("/admin/dashboard").status, 200)


@test("signing in again makes another session and ends the first")
def _():
    browser = Browser(here())
    browser.sign_in(tenant().email, tenant().password)
    first = browser.cookies["connect_session"]
    browser.sign_in(tenant().email, tenant().password)
    true(browser.cookies["connect_session"] != first, "another token")
    equal(browser.get("/admin/dashboard").status, 200)
    equal(here().get("/admin/dashboard", {"Cookie": "connect_session=" + first}).status, 303)


@test("signing out ends the session; everywhere ends all of the person")
def _():
    one, two, three = (Browser(here()) for _ in range(3))
    for browser in (one, two, three):
        browser.sign_in(tenant().email, tenant().password)
        browser.get("/admin/dashboard")
        equal(browser.last.status, 200)
    value = one.cookies["connect_session"]
    equal(one.post("/admin/sign-out", {}).status, 303)
    true("connect_session" not in one.cookies, "the cookie is gone")
    for _ in range(MANY):
        equal(here().get("/admin/dashboard", {"Cookie": "connect_session=" + value}).status, 303)
    equal(two.get("/admin/dashboard").status, 200)
    equal(two.post("/admin/sign-out", {"everywhere": "1"}).status, 303)
    for _ in range(MANY):
        equal(three.get("/admin/dashboard").status, 303)


@test("a session ends when idle, and at the latest at its end")
def _():
    for column, value in (("last_seen_at", "last_seen_at - 40000000000000"), ("expires_at", "1")):
        browser = Browser(here())
        browser.sign_in(tenant().email, tenant().password)
        equal(browser.get("/admin/dashboard").status, 200)
        here().sql("UPDATE sessions SET %s = %s WHERE id = UNHEX(SHA2('%s', 256))"
                   % (column, value, browser.cookies["connect_session"]))
        session = {"Cookie": "connect_session=" + browser.cookies["connect_session"]}
        wait_until(lambda s=session: all(here().get("/admin/dashboard", s).status == 303 for _ in range(MANY)), 5,
                   "the end of the session")


@test("a visit keeps a session alive")
def _():
    browser = Browser(here())
    browser.sign_in(tenant().email, tenant().password)
    where = "WHERE id = UNHEX(SHA2('%s', 256))" % browser.cookies["connect_session"]
    here().sql("UPDATE sessions SET last_seen_at = last_seen_at - 120000000 " + where)
    before = int(here().sql("SELECT last_seen_at FROM sessions " + where)[0][0])

    def is_written():
        browser.get("/admin/dashboard")
        return int(here().sql("SELECT last_seen_at FROM sessions " + where)[0][0]) > before
    wait_until(is_written, 5, "the visit in the session's row")


@test("the set-up page is there for nobody without its link")
def _():
    equal(here().get("/admin/setup").status, 404)
    equal(here().get("/admin/setup?token=" + "A" * 43).status, 404)
    try:
        here().ctl("setup-link")
    except AssertionError as e:
        has(str(e), "first user")
    else:
        raise AssertionError("a set-up link although there are users")
    # nor may a link from before the first user be used after it
    token = base64url(os.urandom(32))
    here().sql("INSERT INTO one_time_tokens (id, purpose, created_at, expires_at) VALUES "
               "(UNHEX(SHA2('%s', 256)), 'setup', 1, 9000000000000000)" % token)
    equal(here().get("/admin/setup?token=" + token).status, 404)


# ---- Idempotency-Key -----------------------------------------------------------------------------
def post_lead(account, key, body, **more):
    return account.api("POST", "/leads", body, headers={"Idempotency-Key": key} if key else {}, **more)


def lead_body():
    return {"email": "%s@example.com" % uuid.uuid4().hex, "firstName": "Ada"}


@test("the same request again gets the first answer and has no second effect")
def _():
    key, body = str(uuid.uuid4()), lead_body()
    total = tenant().api("GET", "/leads").json()["total"]
    first = post_lead(tenant(), key, body)
    equal(first.status, 201, first)
    true(first.header("Idempotency-Replayed") is None, "the first is no replay")
    for _ in range(5):
        again = post_lead(tenant(), key, body)
        equal((again.status, again.body), (first.status, first.body))
        equal(again.header("Location"), first.header("Location"))
        equal(again.header("Content-Type"), first.header("Content-Type"))
        equal(again.header("Idempotency-Replayed"), "true")
    equal(tenant().api("GET", "/leads").json()["total"], total + 1)
    stored = here().sql("SELECT COUNT(*) FROM idempotency_keys WHERE body LIKE '%%%s%%'" % body["email"])
    equal(stored, [["0"]], "answers are stored encrypted")


@test("what makes a key, a person or an app makes one, and tells its secret again")
def _():
    for path, body in (("/api-keys", {"name": "Mine", "permissions": ["records.view"]}),
                       ("/users", {"email": "%s@example.com" % uuid.uuid4().hex, "role": "viewer"}),
                       ("/provider-apps", {"providerType": "hubspot", "name": "Ours",
                                           "credentials": {"clientId": "an id", "clientSecret": "a secret"}})):
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        first, again = (tenant().api("POST", path, body, headers=headers) for _ in range(2))
        equal(first.status, 201, first)
        equal((path, again.status, again.body), (path, 201, first.body))
        listed = tenant().api("GET", path + "?limit=200").json()["data"]
        if "name" in body:    # who is invited is on no list yet
            equal((path, sum(x["name"] == body["name"] for x in listed)), (path, 1))


@test("another body, path or query under the same key: 422")
def _():
    key, body = str(uuid.uuid4()), lead_body()
    equal(post_lead(tenant(), key, body).status, 201)
    problem(post_lead(tenant(), key, lead_body()), 422, field="Idempotency-Key")
    problem(tenant().api("POST", "//leads", body, headers={"Idempotency-Key": key}), 422, field="Idempotency-Key")
    problem(tenant().api("POST", "/leads?x=1", body, headers={"Idempotency-Key": key}), 422)
    equal(post_lead(tenant(), key, body).status, 201)
    # without a key, and with another, it is another request
    ids = {post_lead(tenant(), k, body).json()["id"] for k in (key, None, None, str(uuid.uuid4()))}
    equal(len(ids), 4)


@test("keys are the account's own")
def _():
    other, key, body = here().new_account(), str(uuid.uuid4()), lead_body()
    mine, theirs = post_lead(tenant(), key, body), post_lead(other, key, body)
    equal((mine.status, theirs.status), (201, 201))
    true(mine.json()["id"] != theirs.json()["id"], "two leads")


@test("while the first request runs: 409; when it died long ago, or after a day, it runs anew")
def _():
    key, body = str(uuid.uuid4()), lead_body()
    where = "WHERE key_hash = UNHEX(SHA2('%s', 256))" % key
    first = post_lead(tenant(), key, body).json()["id"]
    here().sql("UPDATE idempotency_keys SET status = NULL " + where)
    answer = post_lead(tenant(), key, body)
    problem(answer, 409)
    true(answer.header("Retry-After"), "Retry-After is there")
    here().sql("UPDATE idempotency_keys SET created_at = created_at - 3600000000 " + where)
    second = post_lead(tenant(), key, body).json()["id"]
    true(second != first, "an abandoned request is run again")
    equal(post_lead(tenant(), key, body).json()["id"], second)
    here().sql("UPDATE idempotency_keys SET created_at = created_at - 90000000000 " + where)
    third = post_lead(tenant(), key, lead_body()).json()["id"]
    true(third not in (first, second), "a day later it is a new key")


@test("refusals are kept as well; a key must be short and plain")
def _():
    key = str(uuid.uuid4())
    first = post_lead(tenant(), key, {"noSuchField": 1})
    problem(first, 422)
    again = post_lead(tenant(), key, {"noSuchField": 1})
    equal((again.status, again.body), (422, first.body))
    equal(again.header("Content-Type"), "application/problem+json")
    equal(post_lead(tenant(), "x" * 255, lead_body()).status, 201)
    problem(post_lead(tenant(), "x" * 256, lead_body()), 422, field="Idempotency-Key")
    problem(post_lead(tenant(), "caf\xe9", lead_body()), 422, field="Idempotency-Key")
    # reading is idempotent by itself
    equal(tenant().api("GET", "/leads", headers={"Idempotency-Key": key}).status, 200)


# ---- rate limits ---------------------------------------------------------------------------------
@test("rate limits: RateLimit-* on every answer, then 429 with Retry-After; and the first run")
def _():
    with Instance(env={"CONNECT_RATE_API_PER_MINUTE": "15", "CONNECT_RATE_LOGIN_PER_MINUTE": "4"},
                  sandbox=False) as product:
        known = product.credentials
        first = product.new_account()
        second = product.new_account()
        answer = product.api("GET", "/me", key=first.key)
        equal((answer.status, answer.header("RateLimit-Limit")), (200, "15"))
        left = int(answer.header("RateLimit-Remaining"))
        true(0 <= left < 15 and 0 <= int(answer.header("RateLimit-Reset")) <= 60, answer.headers)

        def over(request, most):
            for _ in range(most):
                got = request()
                if got.status == 429:
                    return got
            raise AssertionError("no 429 after %d requests" % most)
        # the window may begin anew in between, so up to twice the limit may pass
        refused = over(lambda: product.api("GET", "/me", key=first.key), 40)
        problem(refused, 429)
        true(1 <= int(refused.header("Retry-After")) <= 60, refused.headers)
        equal(refused.header("RateLimit-Remaining"), "0")
        equal(product.api("GET", "/me", key=second.key).status, 200, "another account is not touched")

        refused = over(lambda: product.api("POST", "/auth/token", {"email": "a@example.com", "password": "wrong one"},
                                           key=False), 12)
        problem(refused, 429)
        true(1 <= int(refused.header("Retry-After")) <= 60, refused.headers)
        # who fails keeps nobody else out, nor anybody whose browser was signed in before
        browser, stranger = Browser(product), Browser(product)

        def sign_in(who=browser, password=known["password"]):
            who.get("/admin/sign-in")
            return who.post("/admin/sign-in", {"email": known["email"], "password": password})
        equal(sign_in().status, 303)
        refused = over(lambda: sign_in(stranger, "wrong one"), 12)
        true(1 <= int(refused.header("Retry-After")) <= 60, refused.headers)
        equal([sign_in().status for _ in range(12)], [303] * 12, "what succeeds is not counted")
        # the right password does not help a browser of which nothing is known, nor that cookie another email
        in_one_window(lambda: [over(lambda: sign_in(stranger, "wrong one"), 12), equal(sign_in(Browser(product)).status, 429)])
        stranger.cookies = {k: v.replace("A", "B").replace("a", "b") for k, v in browser.cookies.items()}
        over(lambda: sign_in(stranger, "wrong one"), 12)
        over(lambda: sign_in(browser, "wrong one"), 12)
        first_run(product)


def quota(answer):
    """What an answer says of the limit."""
    return tuple(int(answer.header("RateLimit-" + n)) for n in ("Limit", "Remaining", "Reset"))


def in_one_window(requests):
    """The answers of requests() that all fell into one window of a minute; else it is called anew."""
    for _ in range(3):
        start = int(time.time()) // 60
        answers = requests()
        if int(time.time()) // 60 == start:
            return answers
    raise AssertionError("no three minutes long enough")


@test("rate limits: each key by itself, and all keys and tokens of an account together")
def _():
    with Instance(env={"CONNECT_RATE_API_PER_MINUTE": "10", "CONNECT_RATE_API_KEY_PER_MINUTE": "6"},
                  sandbox=False) as product:
        def scene():
            account = product.new_account()
            other_key = json.loads(product.ctl("api-key", "create", "--account", account.id, "--name", "other", "--all",
                                               "--json"))["key"]
            token = product.api("POST", "/auth/token", {"email": account.email, "password": account.password},
                                key=False).json()["accessToken"]

            def me(key=None):
                if key:
                    return product.api("GET", "/me", key=key)
                return product.api("GET", "/me", key=False, headers={"Authorization": "Bearer " + token})
            # eight of one key, the last two refused; then five of the other, of which four are left to the account
            return [me(account.key) for _ in range(8)] + [me(other_key) for _ in range(5)] + [me()]
        answers = in_one_window(scene)
        equal([a.status for a in answers], [200] * 6 + [429] * 2 + [200] * 4 + [429] + [429])
        equal([quota(a)[:2] for a in answers],
              [(6, n) for n in (5, 4, 3, 2, 1, 0)] + [(6, 0)] * 2 + [(10, n) for n in (3, 2, 1, 0)] + [(10, 0)] * 2)
        for refused, limit in ((answers[7], 6), (answers[12], 10), (answers[13], 10)):
            problem(refused, 429, word="More than %d requests a minute" % limit)
            true(1 <= int(refused.header("Retry-After")) <= 60, refused.headers)
        equal(product.new_account().api("GET", "/me").status, 200, "another account is not touched")


def first_run(product):
    """On a product without users: the link makes the first admin, once."""
    product.sql("DELETE FROM users; DELETE FROM memberships; DELETE FROM sessions")
    link, spare = (product.ctl("setup-link").strip() for _ in range(2))
    true(link.startswith(product.url + "/admin/setup?token="), link)
    path = link[len(product.url):]
    token = path.split("token=")[1]
    equal(product.sql("SELECT COUNT(*) FROM one_time_tokens WHERE id = UNHEX(SHA2('%s', 256))" % token), [["1"]])
    browser = Browser(product)
    has(browser.get("/admin/sign-in").text, "connectctl setup-link")
    equal(browser.get(path).status, 200)
    fields = {"token": token, "accountName": "First & Co", "name": "Ada", "email": "Ada@Example.com",
              "password": "a long sentence"}
    equal(browser.post("/admin/setup", fields, csrf=False).status, 403)
    for change, label in (({"password": "short"}, "The password must"), ({"email": "no address"}, "The email must"),
                          ({"accountName": " "}, "The company or team must")):
        browser.get(path)
        answer = browser.post("/admin/setup", {**fields, **change})
        equal(answer.status, 422, answer)
        has(answer.text, label)
        has(answer.text, "First &amp; Co" if "accountName" not in change else "Ada@Example.com")
        true("a long sentence" not in answer.text, "the password is not shown")
    browser.get(path)
    equal(browser.post("/admin/setup", {**fields, "token": token[::-1]}).status, 404)
    browser.get(path)
    answer = browser.post("/admin/setup", fields)
    equal((answer.status, answer.header("Location")), (303, "/admin"), answer)
    equal(browser.get("/admin/dashboard").status, 200)
    has(browser.last.text, "ada@example.com")
    equal(product.sql("SELECT u.email, u.name, m.role, a.name FROM users u JOIN memberships m ON m.user_id = u.id "
                      "JOIN accounts a ON a.id = m.account_id"), [["ada@example.com", "Ada", "admin", "First & Co"]])
    for used in (path, spare[len(product.url):]):
        other = Browser(product)
        equal(other.get(used).status, 404)
        true("setup-link" not in other.get("/admin/sign-in").text, "it is set up")
        equal(other.post("/admin/setup", {**fields, "token": used.split("token=")[1]}).status, 404)


run()

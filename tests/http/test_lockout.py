#!/usr/bin/env python3
"""A stranger keeps nobody out, and what was known of a person is good no more once they say so: failures count where they
come from, one-time codes once over restarts, bearer tokens end with "sign out everywhere" and a new second factor."""
import time
import urllib.parse

from harness import Browser, Instance, equal, problem, run, test, totp, true

LIMIT = 4
OF_EMAIL, OF_NETWORK = 20, 5        # times as many of an email from anywhere, of a network for whatever email
_made = []


def product():
    if not _made:
        _made.append(Instance(sandbox=False, env={
            "CONNECT_TRUSTED_PROXIES": "1", "CONNECT_RATE_LOGIN_PER_MINUTE": str(LIMIT),
            "CONNECT_RATE_API_PER_MINUTE": "1000000"}))
    return _made[0]


def ask(email, password, address, **more):
    return product().request("POST", "/connect/v1/auth/token", {"email": email, "password": password, **more},
                             headers={"X-Forwarded-For": address})


def early_in_a_minute(what):
    """Failures count by the minute: what() is done within one of them."""
    while time.time() % 60 > 30:
        time.sleep(60 - time.time() % 60)
    return what()


@test("wrong tries from one address keep out nobody elsewhere, and the right password comes in at once")
def _():
    made = product().new_account()

    def tries():
        got = [ask(made.email, "wrong password", "192.0.2.%d" % (i + 1)).status for i in range(12)]
        equal(got, [401] * LIMIT + [429] * (12 - LIMIT), "of one /24 together, whatever the address in it")
        equal(ask(made.email, made.password, "192.0.2.200").status, 429)
        equal(ask(made.email, made.password, "198.51.100.7").status, 200)
        got = [ask(made.email, "wrong password", "2001:db8:1:2::%x" % (i + 1)).status for i in range(LIMIT + 1)]
        equal(got, [401] * LIMIT + [429], "of one /64 together")
        equal(ask(made.email, made.password, "2001:db8:1:2:ffff::9").status, 429)
        equal(ask(made.email, made.password, "2001:db8:1:3::1").status, 200)
    early_in_a_minute(tries)


@test("what succeeds is not counted, and one network is no way to try many people")
def _():
    made = product().new_account()

    def tries():
        equal([ask(made.email, made.password, "203.0.113.9").status for _ in range(3 * LIMIT)], [200] * 3 * LIMIT)
        got = [ask("person%d@example.com" % i, "wrong password", "203.0.113.9").status for i in range(OF_NETWORK * LIMIT + 1)]
        equal(got, [401] * OF_NETWORK * LIMIT + [429])
    early_in_a_minute(tries)


@test("of an email from everywhere far more failures pass, then they are too many; a browser that is known passes")
def _():
    made = product().new_account()
    known = Browser(product())
    known.sign_in(made.email, made.password)

    def tries():
        most = OF_EMAIL * LIMIT
        got = [ask(made.email, "wrong password", "10.%d.%d.1" % (i // 200, i % 200)).status for i in range(most + 1)]
        equal((got.count(401), got[-1]), (most, 429))
        equal(ask(made.email, made.password, "10.9.9.9").status, 429)
        known.get("/admin/sign-in")
        equal(known.post("/admin/sign-in", {"email": made.email, "password": made.password}).status, 303)
    early_in_a_minute(tries)


@test("a one-time code is taken once, also behind its window's edge and over a restart")
def _():
    p = product()
    made = p.new_account()
    uri = p.ctl("user", "totp", "--email", made.email).strip()
    secret = urllib.parse.parse_qs(urllib.parse.urlsplit(uri).query)["secret"][0]
    now = int(time.time())
    code, next_code = totp(secret, now), totp(secret, now + 30)
    equal(ask(made.email, made.password, "203.0.114.1", totp=code).status, 200)
    p.down()
    p.up()
    problem(ask(made.email, made.password, "203.0.114.1", totp=code), 401)
    equal(ask(made.email, made.password, "203.0.114.1", totp=next_code).status, 200)
    for again in (code, next_code):     # what is older than the last that was taken is taken no more
        problem(ask(made.email, made.password, "203.0.114.1", totp=again), 401)
    asked = p.sql("SELECT COUNT(*) FROM audit_log WHERE action = 'session.second_factor_asked'")[0][0]
    problem(ask(made.email, made.password, "203.0.114.1"), 401)
    equal(int(p.sql("SELECT COUNT(*) FROM audit_log WHERE action = 'session.second_factor_asked'")[0][0]), int(asked) + 1)


@test("signing out everywhere ends bearer tokens too, at once")
def _():
    p = product()
    made = p.new_account()
    token = ask(made.email, made.password, "203.0.115.1").json()["accessToken"]
    browser = Browser(p)
    browser.sign_in(made.email, made.password)
    equal(p.api("GET", "/me", key=token).status, 200)
    browser.get("/admin/dashboard")
    equal(browser.post("/admin/sign-out", {"everywhere": "1"}).status, 303)
    equal([p.api("GET", "/me", key=token).status for _ in range(8)], [401] * 8)
    true(ask(made.email, made.password, "203.0.115.1").status == 200, "and a new one is given")


run()

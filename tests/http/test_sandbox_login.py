#!/usr/bin/env python3
"""The logins of the sandbox's providers: consent, tokens, refresh with each one's rotation, revoke."""
import base64
import hashlib
import hmac
import http.client
import time
import urllib.parse

from harness import equal, has, here, run, test, true, wait_until
from played import CALLBACK, CLIENT, Login, Played
from tenant import Faults

BASIC = "Basic " + base64.b64encode(b"sandbox-client:sandbox-client-secret").decode()
SECRET = CLIENT["client_secret"]


def of(provider, host, *args, **rest):
    return Login(Played(provider, host), *args, **rest)


LOGINS = {
    "meta_lead_ads": of("meta_lead_ads", "graph.facebook.com", "/v26.0/dialog/oauth", "/v26.0/oauth/access_token"),
    "google_ads": of("google_ads", "oauth2.googleapis.com", "/o/oauth2/v2/auth", "/token"),
    "google_calendar": of("google_calendar", "oauth2.googleapis.com", "/o/oauth2/v2/auth", "/token"),
    "linkedin_ads": of("linkedin_ads", "www.linkedin.com", "/oauth/v2/authorization", "/oauth/v2/accessToken"),
    "hubspot": of("hubspot", "api.hubapi.com", "/oauth/authorize", "/oauth/2026-03/token"),
    "salesforce": of("salesforce", "login.salesforce.com", "/services/oauth2/authorize", "/services/oauth2/token"),
    "zoom": of("zoom", "zoom.us", "/oauth/authorize", "/oauth/token", basic=BASIC),
    "slack": of("slack", "slack.com", "/oauth/v2/authorize", "/api/oauth.v2.access"),
    "shopify": of("shopify", "sandbox-shop.myshopify.com", "/admin/oauth/authorize", "/admin/oauth/access_token",
                  as_json=True),
    "zendesk": of("zendesk", "sandbox.zendesk.com", "/oauth/authorizations/new", "/oauth/tokens", as_json=True),
    "stripe": of("stripe", "connect.stripe.com", "/oauth/authorize", "/oauth/token"),
    "tiktok_ads": of("tiktok_ads", "business-api.tiktok.com", "/portal/auth", "/open_api/v1.3/oauth2/access_token/",
                     {"app_id": "sandbox-client", "secret": SECRET}, "auth_code", as_json=True),
}
ASKS = {"google_ads": {"access_type": "offline", "prompt": "consent"},
        "google_calendar": {"access_type": "offline", "prompt": "consent"},
        "salesforce": {"scope": "api refresh_token"}}


def tokens(answer):
    return answer.get("data") or answer


def lets_in(provider, path, access, header="Authorization", prefix="Bearer "):
    """Does that token open the API?"""
    answer = Played(provider, "x.example", {header: prefix + access}).call("GET", path)
    return answer.status == 200 and "invalid_auth" not in answer.text and "expired" not in answer.text


@test("every login: consent, a code that is good once, a token that is let in")
def _():
    for name, login in LOGINS.items():
        back = login.consent(**ASKS.get(name, {}))
        equal(back["state"], "st", name)
        fields = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, login.code: back[login.code]}
        answer = login.token(**fields)
        equal(answer.status, 200, "%s: %s" % (name, answer))
        true(tokens(answer.json()).get("access_token"), "%s: %s" % (name, answer.text))
        again = login.token(**fields)
        true("access_token" not in again.text, "%s: a code is good once: %s" % (name, again.text))


@test("whoever says no comes back with an error; a strange client does not come so far")
def _():
    for name, login in LOGINS.items():
        back = login.consent("deny")
        equal((back["error"], back["state"]), ("access_denied", "st"), name)
        path = login.authorize + "?client_id=other&app_id=other&redirect_uri=" + urllib.parse.quote(CALLBACK)
        equal(login.played.call("GET", path).status, 400, name)
    with LOGINS["slack"].played.switched(deny_login=True):
        equal(LOGINS["slack"].consent()["error"], "access_denied")


@test("a wrong client secret is refused in the provider's words")
def _():
    for name, login in LOGINS.items():
        wrong = Login(login.played, login.authorize, login.exchange,
                      {k: v + "x" if "secret" in k else v for k, v in login.client.items()}, login.code, login.as_json,
                      login.basic and "Basic " + base64.b64encode(b"sandbox-client:wrong").decode())
        answer = wrong.token(grant_type="authorization_code", **{login.code: "c"})
        true("access_token" not in answer.text, "%s: %s" % (name, answer.text))
        equal(answer.status, 200 if name in ("slack", "tiktok_ads") else answer.status, name)


@test("PKCE (RFC 7636): the verifier must fit the challenge")
def _():
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    asked = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}
    for given, status in ((verifier, 200), (verifier + "x", 400), (None, 400)):
        login = LOGINS["hubspot"]
        fields = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code": login.consent(**asked)["code"]}
        if given:
            fields["code_verifier"] = given
        equal(login.token(**fields).status, status, given)


@test("Zoom and Slack rotate: a refresh token is good once")
def _():
    for name in ("zoom", "slack"):
        login = LOGINS[name]
        first = login.sign_in()
        second = login.refresh(first["refresh_token"]).json()
        true(second["refresh_token"] != first["refresh_token"], name)
        true("access_token" not in login.refresh(first["refresh_token"]).text, name)
        true("access_token" in login.refresh(second["refresh_token"]).text, name)


@test("Slack: a person's second pair of tokens, each refreshed on its own")
def _():
    login = LOGINS["slack"]
    with login.played.switched(user_tokens=True):
        both = login.sign_in()
    user = both["authed_user"]
    true(user["access_token"].startswith("xoxp-") and both["access_token"].startswith("xoxb-"), both)
    again = login.refresh(user["refresh_token"]).json()
    equal((again["token_type"], again["access_token"][:5]), ("user", "xoxp-"))
    equal(login.refresh(both["refresh_token"]).json()["token_type"], "bot")


@test("Shopify rotates, and the former refresh token lives until the new one is used")
def _():
    login = LOGINS["shopify"]
    first = login.sign_in()
    true("refresh_token" not in first, "who does not ask for an end gets none")
    code = login.consent()["code"]
    first = login.token(grant_type="authorization_code", code=code, expiring="1").json()
    equal((first["expires_in"], first["refresh_token_expires_in"]), (3600, 7776000))
    lost = login.refresh(first["refresh_token"]).json()         # say that its answer was lost
    second = login.refresh(first["refresh_token"])
    equal(second.status, 200, "the former lives")
    equal(login.refresh(lost["refresh_token"]).status, 400, "and what it gave before is dead")
    equal(login.refresh(second.json()["refresh_token"]).status, 200)
    equal(login.refresh(first["refresh_token"]).status, 400, "now it is dead")


@test("Zendesk ends the former access token, and says an end only to who asks for one")
def _():
    login, me = LOGINS["zendesk"], "/api/v2/users/me"
    code = login.consent()["code"]
    first = login.token(grant_type="authorization_code", code=code, expires_in=1800, redirect_uri=CALLBACK).json()
    equal(first["expires_in"], 1800)
    true(lets_in("zendesk", me, first["access_token"]), "it is let in")
    second = login.refresh(first["refresh_token"], expires_in=1800).json()
    true(not lets_in("zendesk", me, first["access_token"]), "the former access token is dead")
    true(lets_in("zendesk", me, second["access_token"]), "the new one lives")
    silent = login.sign_in()
    true("expires_in" not in silent and "refresh_token" in silent, silent)
    with login.played.switched(old_client=True):
        true("refresh_token" not in login.sign_in(), "an old client has none")


@test("HubSpot's refresh token stays, its access token is long; Google gives none without offline")
def _():
    first = LOGINS["hubspot"].sign_in()
    true(len(first["access_token"]) > 300, "long")
    second = LOGINS["hubspot"].refresh(first["refresh_token"]).json()
    equal(second["refresh_token"], first["refresh_token"])
    true("refresh_token" not in LOGINS["google_ads"].sign_in(), "not offline")
    google = LOGINS["google_ads"].sign_in(**ASKS["google_ads"])
    again = LOGINS["google_ads"].refresh(google["refresh_token"]).json()
    true("access_token" in again and "refresh_token" not in again, again)


@test("Salesforce names no end and its instance; LinkedIn refreshes for partners alone; Stripe Apps say nothing")
def _():
    login = LOGINS["salesforce"]
    first = login.sign_in(scope="api refresh_token")
    true("expires_in" not in first, first)
    equal(first["instance_url"], "https://sandbox.my.salesforce.com")
    true("refresh_token" not in login.sign_in(scope="api"), "without the scope")
    with login.played.switched(new_instance_url=True):
        equal(login.refresh(first["refresh_token"]).json()["instance_url"], "https://sandbox-moved.my.salesforce.com")
    linkedin = LOGINS["linkedin_ads"]
    true("refresh_token" in linkedin.sign_in(), "a partner")
    with linkedin.played.switched(no_partner=True):
        true("refresh_token" not in linkedin.sign_in(), "no partner")
    stripe = LOGINS["stripe"]
    with stripe.played.switched(apps_tokens=True, expires_in=0):
        true("expires_in" not in stripe.sign_in(), "not told")


@test("Meta: a short token for a long one; the user's pages with their tokens")
def _():
    login = LOGINS["meta_lead_ads"]
    user = login.sign_in()["access_token"]
    long = login.token(grant_type="fb_exchange_token", fb_exchange_token=user).json()
    equal(long["expires_in"], 5183944)
    pages = Played("meta_lead_ads", "graph.facebook.com",
                   {"Authorization": "Bearer " + long["access_token"]}).get("/v26.0/me/accounts")["data"]
    equal(len(pages), 2)
    true(lets_in("meta_lead_ads", "/v26.0/me", pages[1]["access_token"]), "a page's token is let in")


@test("Zoom: account_credentials without a consent, and no refresh token")
def _():
    answer = LOGINS["zoom"].token(grant_type="account_credentials", account_id="acc-7").json()
    true("refresh_token" not in answer, answer)
    me = Played("zoom", "api.zoom.us", {"Authorization": "Bearer " + answer["access_token"]}).get("/v2/users/me")
    equal(me["account_id"], "acc-7")


@test("TikTok's codes beat the status; its token opens the API by a header of its own")
def _():
    login = LOGINS["tiktok_ads"]
    data = login.sign_in()["data"]
    equal(len(data["advertiser_ids"]), 2)
    true(lets_in("tiktok_ads", "/open_api/v1.3/oauth2/advertiser/get/", data["access_token"], "Access-Token", ""), "in")
    bad = login.token(auth_code="nothing")
    equal((bad.status, bad.json()["code"]), (200, 40110))


@test("Shopify's callback is signed over its sorted query; a foreign shop is one switch away")
def _():
    login = LOGINS["shopify"]
    back = login.consent()
    given = back.pop("hmac")
    text = "&".join("%s=%s" % (k, urllib.parse.quote(back[k], safe="-._~")) for k in sorted(back))
    equal(given, hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest())
    equal(back["shop"], "sandbox-shop.myshopify.com")
    with login.played.switched(foreign_shop=True):
        equal(login.consent()["shop"], "shop.example.org")


@test("a token ends when the switch says so, and a revoked one is dead")
def _():
    login = LOGINS["hubspot"]
    details = "/account-info/v3/details"
    with login.played.switched(expires_in=1):
        short = login.sign_in()
    equal(short["expires_in"], 1)
    wait_until(lambda: not lets_in("hubspot", details, short["access_token"]), 5, "its end")
    first = login.sign_in()
    true(lets_in("hubspot", details, first["access_token"]), "it lives")
    equal(login.played.form("/oauth/2026-03/token/revoke", token=first["refresh_token"], **CLIENT).status, 200)
    true(not lets_in("hubspot", details, first["access_token"]), "it is dead")
    equal(login.refresh(first["refresh_token"]).json()["error"], "invalid_grant")


@test("a token endpoint that is HTML, 500, or whose answer is lost after it rotated")
def _():
    login = LOGINS["zoom"]
    first = login.sign_in()
    with Faults(here(), {"target": "zoom.token", "kind": "answer", "body": "<html>", "count": 1}):
        equal(login.refresh(first["refresh_token"]).text, "<html>")
    with Faults(here(), {"target": "zoom.token", "kind": "slow", "ms": 300, "count": 1}):
        began = time.monotonic()
        first = login.refresh(first["refresh_token"]).json()
        true(time.monotonic() - began >= 0.3, "slow")
    with Faults(here(), {"target": "zoom.token", "kind": "error", "count": 1}):
        equal(login.refresh(first["refresh_token"]).status, 500)
    with Faults(here(), {"target": "zoom.token", "kind": "lost", "count": 1}):
        try:
            login.refresh(first["refresh_token"])
            raise AssertionError("an answer came")
        except (OSError, ValueError, http.client.HTTPException):
            pass
    equal(login.refresh(first["refresh_token"]).json()["error"], "invalid_grant")
    calls = login.played.calls("/oauth/token")
    has([c.get("fault") for c in calls[:4]], "lost")


run()

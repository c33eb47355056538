#!/usr/bin/env python3
"""The product answers at all, and refuses in the shape that the contract gives."""
import os
import stat

from harness import equal, has, here, problem, run, test, true


@test("GET /healthz is 200 while the process lives")
def _():
    equal(here().get("/healthz").status, 200)


@test("GET /readyz is 200 when the database answers")
def _():
    equal(here().get("/readyz").status, 200)


@test("HEAD works wherever GET does, without a body")
def _():
    answer = here().request("HEAD", "/healthz")
    equal(answer.status, 200)
    equal(answer.body, b"")


@test("an unknown address is a 404 problem")
def _():
    problem(here().get("/connect/v1/nowhere", {"x-api-key": here().credentials["apiKey"]}), 404)


@test("without a key: 401 with WWW-Authenticate")
def _():
    answer = here().api("GET", "/records", key=False)
    problem(answer, 401)
    true(answer.header("WWW-Authenticate"), "WWW-Authenticate is there")


@test("a wrong key: 401")
def _():
    problem(here().api("GET", "/records", key="no-such-key"), 401)


@test("a method that the route has not: 405 with Allow")
def _():
    answer = here().api("DELETE", "/me")
    problem(answer, 405)
    has(answer.header("Allow") or "", "GET")


@test("X-Request-Id is echoed, and made when there is none")
def _():
    answer = here().get("/connect/v1/nowhere", {"X-Request-Id": "my-request-1"})
    equal(answer.header("X-Request-Id"), "my-request-1")
    true(here().get("/healthz").header("X-Request-Id"), "a request id is made")


@test("the API key of ./dev up works, as x-api-key and as bearer token")
def _():
    equal(here().api("GET", "/me").status, 200)
    key = here().credentials["apiKey"]
    equal(here().get("/connect/v1/me", {"Authorization": "Bearer " + key}).status, 200)


@test("the password of ./dev up gives a token, and the token works")
def _():
    known = here().credentials
    answer = here().api("POST", "/auth/token", {"email": known["email"], "password": known["password"]},
                        key=False)
    equal(answer.status, 200, answer)
    token = answer.json()
    equal(token["tokenType"], "Bearer")
    equal(token["accountId"], known["accountId"])
    equal(here().get("/connect/v1/me", {"Authorization": "Bearer " + token["accessToken"]}).status, 200)
    equal(here().get("/connect/v1/me", {"Authorization": token["accessToken"]}).status, 200)


@test("a body that is not JSON: 400; one that is not an object of known fields: 422")
def _():
    key = {"x-api-key": here().credentials["apiKey"], "Content-Type": "application/json"}
    problem(here().post("/connect/v1/leads", b"{", key), 400)
    problem(here().post("/connect/v1/leads", {"noSuchField": 1}, key), 422, field="noSuchField")


@test("credentials.json holds exactly the documented keys and is for its owner only")
def _():
    equal(sorted(here().credentials),
          ["accountId", "apiKey", "email", "password", "sandboxUrl", "url"])
    mode = os.stat(os.path.join(here().state, "credentials.json")).st_mode
    equal(stat.S_IMODE(mode), 0o600)


@test("every process listens on loopback or on a Unix socket only")
def _():
    here()
    ports = {here().env["CONNECT_PORT"], here().env["CONNECT_SANDBOX_PORT"]}
    seen = set()
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(name):
            continue
        with open(name, encoding="ascii") as f:
            for line in f.readlines()[1:]:
                address, port = line.split()[1].split(":")
                port = str(int(port, 16))
                if line.split()[3] == "0A" and port in ports:
                    seen.add(port)
                    equal(address, "0100007F", "port %s" % port)
    equal(seen, ports)


run()

#!/usr/bin/env python3
"""POST /connect/v1/proxy/:providerType: a provider's own API with a connection's credentials, handed on as it answers;
no path leads away from the provider, no secret comes back, and who did what is in the audit log."""
import functools
import json
import uuid

from harness import equal, has, here, problem, run, test, true
import peer

TOKEN = "pat-" + uuid.uuid4().hex
Peer = functools.partial(peer.Peer, ignore="/search")   # where HubSpot is polled


def tenant():
    """An account of its own, so that what it has connected is known."""
    return here().new_account("Proxy")


def connect(account, other_side, token=TOKEN, **rest):
    answer = account.api("POST", "/providers/hubspot/connect",
                         {"credentials": {"accessToken": token}, "settings": {"baseUrl": other_side.url}, **rest})
    equal(answer.status, 201, answer)
    return answer.json()["id"]


def proxy(account, body, query="", provider="hubspot", **rest):
    return account.api("POST", "/proxy/%s%s" % (provider, query), body, **rest)


def get(account, path, **rest):
    return proxy(account, {"method": "GET", "path": path, **rest})


@test("the call carries the credentials; the provider's status, headers and body come back")
def _():
    account = tenant()
    with Peer(206, b'{"results":[1]}', {"Content-Type": "application/vnd.api+json", "ETag": '"7"', "X-RateLimit-Limit": "9",
                                        "Set-Cookie": "a=b", "X-Internal": "host-7"}) as other_side:
        connect(account, other_side)
        answer = get(account, "/crm/objects?a=1", query={"b": ["x y", 2], "c": True})
        equal(answer.status, 206, answer)
        equal(answer.body, b'{"results":[1]}')
        equal(answer.header("Content-Type"), "application/vnd.api+json")
        equal(answer.header("ETag"), '"7"')
        equal(answer.header("X-RateLimit-Limit"), "9")
        has(answer.header("Proxy-Status"), "received-status=206")
        true(answer.header("Set-Cookie") is None and answer.header("X-Internal") is None, "only safe headers")
        method, path, headers, body = other_side.seen[0]
        equal((method, path, body), ("GET", "/crm/objects?a=1&b=x%20y&b=2&c=true", b""))
        equal(headers["Authorization"], "Bearer " + TOKEN)


@test("an error of the provider is handed on as it is, told apart from one of ours")
def _():
    account = tenant()
    for status in (400, 401, 403, 404, 429, 500):
        with Peer(status, b'{"message":"no"}', {"Content-Type": "application/json", "Retry-After": "7"}) as other_side:
            id_ = connect(account, other_side)
            answer = get(account, "/x")
            equal((answer.status, answer.json()), (status, {"message": "no"}))
            has(answer.header("Proxy-Status"), "received-status=%d" % status)
            equal(answer.header("Retry-After"), "7")
            account.api("DELETE", "/connections/" + id_)


@test("nothing that comes back holds a credential, however it is written")
def _():
    account = tenant()

    def echo(_method, _path, headers, _body):
        said = headers["Authorization"].split()[1]
        return 200, {"Content-Type": "text/plain", "Link": "<https://a.example/?t=%s>; rel=next" % said}, (
            "token=%s json=%s" % (said, json.dumps(said))).encode()

    with Peer(answer=echo) as other_side:
        connect(account, other_side)
        answer = get(account, "/echo")
        equal(answer.status, 200, answer)
        true(TOKEN not in answer.text and TOKEN not in str(answer.headers), "blotted out of %r" % answer)
        has(answer.text, "token=***")


ESCAPES = ["//evil.example/x", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/x", "evil.example/x",
           "@evil.example/", "/x@evil.example", ":80@evil.example/", "/../x", "/a/../../x", "/a/..", "/./x", "/%2e%2e/x", "/a/%2E%2e/x",
           "/a/.%2e/x", "/%2e/x", "/%252e%252e/x", "/%25252e%25252e/x", "/a/..%2fx", "/a%2f..%2f..%2fx", "/a/..;/x", "/a/..%3b/x",
           "/%2fevil.example/x", "/%2F%2Fevil.example", "/%5cevil.example", "/a\\..\\b", "/a%5c..%5cb", "/x\r\nHost: evil.example",
           "/x%0d%0aHost:evil.example", "/x%0aX", "/x\tY", "/a b", "/x#y", "/x%00y", "/x%zz", "/%", "/é", "", "x"]


@test("a path that tries to leave the provider's origin is 422, and nothing is called")
def _():
    account = tenant()
    with Peer() as other_side:
        connect(account, other_side)
        for path in ESCAPES:
            problem(get(account, path), 422, "path")
        equal(other_side.seen, [])
        for path, sent in (("/a%2Fb", "/a%2Fb"), ("/meetings/%252Fabc%253D%253D/x", "/meetings/%252Fabc%253D%253D/x"),
                           ("/users/me%40x.co", "/users/me%40x.co"), ("/a..b/...", "/a..b/..."), ("/sobjects/(x=1,y:2)/", "/sobjects/(x=1,y:2)/")):
            equal(get(account, path).status, 200, path)
            equal(other_side.seen.pop()[1], sent)


@test("what a body may be: JSON, a form, text with its type")
def _():
    account = tenant()
    with Peer() as other_side:
        connect(account, other_side)

        def sent(**body):
            answer = proxy(account, {"method": "POST", "path": "/x", **body})
            equal(answer.status, 200, answer)
            _, _, headers, raw = other_side.seen.pop()
            return headers.get("Content-Type"), raw

        equal(sent(body={"a": [1, "{x}"], "$when": 1}), ("application/json", b'{"$when":1,"a":[1,"{x}"]}'))
        equal(sent(body=[1]), ("application/json", b"[1]"))
        equal(sent(body={"a": "x y", "b": [1, 2]}, headers={"Content-Type": "application/x-www-form-urlencoded"}),
              ("application/x-www-form-urlencoded", b"a=x%20y&b=1&b=2"))
        equal(sent(body="<x/>", headers={"Content-Type": "text/xml"}), ("text/xml", b"<x/>"))
        equal(sent(), (None, b""))
        problem(proxy(account, {"method": "POST", "path": "/x", "body": "text"}), 422, "headers")
        equal(other_side.seen, [])


@test("the request is checked strictly: method, members, headers that may go")
def _():
    account = tenant()
    with Peer() as other_side:
        connect(account, other_side)
        for body, field in (({"path": "/x"}, "method"), ({"method": "get", "path": "/x"}, "method"), ({"method": "CONNECT", "path": "/x"}, "method"),
                            ({"method": "GET"}, "path"), ({"method": "GET", "path": 5}, "path"), ({"method": "GET", "path": "/x", "url": "/y"}, "url"),
                            ({"method": "GET", "path": "/x", "query": []}, "query"), ({"method": "GET", "path": "/x", "query": {"a": {"b": 1}}}, "query.a"),
                            ({"method": "GET", "path": "/x", "headers": {"Authorization": "Bearer other"}}, "headers"),
                            ({"method": "GET", "path": "/x", "headers": {"Host": "evil.example"}}, "headers"),
                            ({"method": "GET", "path": "/x", "headers": {"X-Forwarded-For": "1"}}, "headers"),
                            ({"method": "GET", "path": "/x", "headers": {"Accept": "a\r\nX: y"}}, "headers")):
            problem(proxy(account, body), 422, field)
        problem(proxy(account, []), 400)
        equal(other_side.seen, [])
        equal(get(account, "/x", headers={"If-None-Match": '"7"', "Accept": "text/csv"}).status, 200)
        equal((other_side.seen[0][2]["If-None-Match"], other_side.seen[0][2]["Accept"]), ('"7"', "text/csv"))


@test("which connection: the only one, or the one that is named; nobody else's")
def _():
    account, other = tenant(), tenant()
    problem(get(account, "/x"), 404, word="connect it first")
    problem(proxy(account, {"method": "GET", "path": "/x"}, provider="no_such"), 404)
    with Peer(body=b"1") as one, Peer(body=b"2") as two:
        first, second, foreign = connect(account, one, name="One"), connect(account, two, name="Two"), connect(other, two)
        told = problem(get(account, "/x"), 422, "connectionId")
        has(json.dumps(told), first)
        has(json.dumps(told), "Two")
        equal(proxy(account, {"method": "GET", "path": "/x"}, "?connectionId=" + second).body, b"2")
        for id_ in (foreign, str(uuid.uuid4()), "x"):
            problem(proxy(account, {"method": "GET", "path": "/x"}, "?connectionId=" + id_), 404)
        account.api("PATCH", "/connections/" + second, {"status": "disabled"})
        equal(get(account, "/x").body, b"1")
        problem(proxy(account, {"method": "GET", "path": "/x"}, "?connectionId=" + second), 409, word="disabled")
        equal(len(two.seen), 1)


@test("it needs proxy.execute")
def _():
    account = tenant()
    key = account.api("POST", "/api-keys", {"name": "k", "permissions": ["connections.view", "actions.execute"]}).json()["key"]
    problem(here().api("POST", "/proxy/hubspot", {"method": "GET", "path": "/x"}, key=key), 403, word="proxy.execute")
    problem(here().api("POST", "/proxy/hubspot", {"method": "GET", "path": "/x"}, key=False), 401)


@test("what may change something is in the audit log, without parameters, bodies or secrets")
def _():
    account = tenant()
    with Peer() as other_side:
        id_ = connect(account, other_side)
        equal(get(account, "/quiet").status, 200)
        equal(proxy(account, {"method": "DELETE", "path": "/contacts/7?hapikey=s3cret", "body": {"x": "s3cret"}}).status, 200)
        rows = [r for r in account.api("GET", "/audit").json()["data"] if r["action"] == "proxy.call"]
        equal(len(rows), 1, rows)
        equal((rows[0]["objectId"], rows[0]["details"]["method"], rows[0]["details"]["path"]), (id_, "DELETE", "/contacts/7"))
        true("s3cret" not in json.dumps(rows) and TOKEN not in json.dumps(rows), rows)
        true(TOKEN not in here().log("fcgi") and "s3cret" not in here().log("fcgi"), "not in the log either")


@test("nobody there, or too much of an answer, is told as such; refused credentials mark the connection")
def _():
    account = tenant()
    with Peer() as other_side:
        gone = other_side
        id_ = connect(account, other_side)
    told = problem(get(account, "/x"), 504)
    equal((told["class"], told["connectionId"]), ("retry", id_))
    true(gone.url, "it was there before")
    account.api("DELETE", "/connections/" + id_)
    with Peer(body=b"x" * (5 << 20)) as other_side:
        id_ = connect(account, other_side)
        equal(problem(get(account, "/x"), 422, word="sent more than")["class"], "fatal")
        account.api("DELETE", "/connections/" + id_)
    with Peer(401) as other_side:
        id_ = connect(account, other_side)
        equal(get(account, "/x").status, 401)
        equal(account.api("GET", "/connections/" + id_).json()["status"], "error")


@test("the same Idempotency-Key calls once")
def _():
    account = tenant()
    with Peer(201, b'{"id":1}', {"Content-Type": "application/json"}) as other_side:
        connect(account, other_side)
        for _ in range(2):
            answer = proxy(account, {"method": "POST", "path": "/x", "body": {}}, headers={"Idempotency-Key": "k1"})
            equal((answer.status, answer.json()), (201, {"id": 1}))
        equal(len(other_side.seen), 1)


run()

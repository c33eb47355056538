#!/usr/bin/env python3
"""Time tells nothing: who signs in wrongly costs the same work, whoever is named and whatever is wrong. Work is counted,
not wall time, which other work on the machine would drown: statements from the database's log, computing from the
kernel's account of the process."""
import os
import re
import uuid

from harness import Instance, equal, run, test, true, wait_until

TRIES = 7
APART = 1.25                # the least that two kinds may differ by; a hash more or less is a factor of ten


class Work:
    """What a product with one worker does for a request."""

    def __init__(self, p):
        self.p = p
        self.log = os.path.join(p.state, "statements.log")
        p.sql("SET GLOBAL log_output = 'FILE'; SET GLOBAL general_log_file = '%s'" % self.log)
        with open("/proc/%d/task/%d/children" % (p.pid("fcgi"), p.pid("fcgi")), encoding="ascii") as f:
            self.workers = [int(w) for w in f.read().split()]

    def spent_ns(self):
        total = 0
        for pid in self.workers:
            with open("/proc/%d/schedstat" % pid, encoding="ascii") as f:
                total += int(f.read().split()[0])
        return total

    def computing(self, ask):
        """The least that the workers compute for it, in nanoseconds."""
        least = None
        for _ in range(TRIES):
            before = self.spent_ns()
            ask()
            spent = self.spent_ns() - before
            least = spent if least is None else min(least, spent)
        return least

    def statements(self, ask):
        """How the statements begin that the worker runs for it."""
        mark = "mark_" + uuid.uuid4().hex
        self.p.sql("SET GLOBAL general_log = ON; SELECT '%s_a'" % mark)
        ask()
        self.p.sql("SELECT '%s_b'; SET GLOBAL general_log = OFF" % mark)

        def read():
            with open(self.log, encoding="utf-8", errors="replace") as f:
                text = f.read()
            return text if mark + "_b" in text else None
        text = wait_until(read, 10, "the database's log")
        text = text[text.index(mark + "_a"):text.index(mark + "_b")]
        found = re.findall(r"\t\s*(\d+) (?:Execute|Query)\t((?:SELECT|INSERT|UPDATE|DELETE|COMMIT|START)[^\n]*)", text)
        mine = {id for id, s in found if "INTO audit_log" in s}     # the worker's connection
        return [" ".join(s.split()[:3]) for id, s in found if id in mine]


def asks(p):
    """Ways to be refused: name → a function that asks."""
    disabled, plain = p.new_account("Disabled"), p.new_account("Plain")
    p.sql("UPDATE users SET disabled_at = 1 WHERE id = UNHEX('%s')" % disabled.user_id.replace("-", ""))

    def ask(email, password):
        def post():
            answer = p.request("POST", "/connect/v1/auth/token", {"email": email, "password": password})
            equal(answer.status, 401, answer)
        return post
    return {
        "somebody, wrong password": ask(plain.email, "wrong password"),
        "nobody": ask("nobody@example.com", "wrong password"),
        "somebody disabled, right password": ask(disabled.email, disabled.password),
        "somebody disabled, wrong password": ask(disabled.email, "wrong password"),
        "somebody, no password": ask(plain.email, ""),
        "nobody, no password": ask("nobody@example.com", ""),
        "somebody, a password too long": ask(plain.email, "x" * 5000),
        "nobody, a password too long": ask("nobody@example.com", "x" * 5000),
    }


@test("signing in: whoever is named, the same hash is computed, the same statements run, in one commit")
def _():
    with Instance(sandbox=False, env={"CONNECT_WORKERS": "1", "CONNECT_WRITER": "false",
                                      "CONNECT_RATE_LOGIN_PER_MINUTE": "100000",
                                      "CONNECT_RATE_API_PER_MINUTE": "100000"}) as p:
        work = Work(p)
        ways = asks(p)
        for post in ways.values():      # caches are warm, statements prepared
            post()
        statements = {name: work.statements(post) for name, post in ways.items()}
        wanted = statements["somebody, wrong password"]
        true(any("audit_log" in s for s in wanted), "it is written down: %s" % wanted)
        for name, found in statements.items():
            equal(found, wanted, name)
        computing = {name: work.computing(post) for name, post in ways.items()}
        true(max(computing.values()) < APART * min(computing.values()),
             "computed, in ms: %s" % {name: round(ns / 1e6, 1) for name, ns in computing.items()})


run()

#!/usr/bin/env python3
"""connect-cron as cron starts it, and as a service: who takes over from whom, and that a hand-over costs nothing.
CONNECT_TEST_HANDOVER_SECONDS (0.3) is how long each run works before the next is started, CONNECT_TEST_HANDOVER_ROWS
(60000) what is imported meanwhile: 60 and some millions are a real ten minutes."""
# The usual build alone: runs of a minute, and kills.
import glob
import os
import signal
import subprocess
import time

from harness import Instance, equal, has, run, test, true, wait_until

SECONDS = float(os.environ.get("CONNECT_TEST_HANDOVER_SECONDS", "0.3"))
ROWS = int(os.environ.get("CONNECT_TEST_HANDOVER_ROWS", "60000"))

product = Instance(sandbox=False)
build = product.build or os.path.join(product.state, "build")
conf = os.path.join(product.state, "connect.conf")


class Runs:
    """Started as cron does, one after the other; each logs to the same file."""

    def __init__(self):
        self.log = open(os.path.join(product.state, "log", "runs.log"), "a+", encoding="utf-8")
        self.all = []

    def start(self, *args):
        env = {k: v for k, v in product.env.items() if not k.startswith("CONNECT_")}
        self.all.append(subprocess.Popen([os.path.join(build, "connect-cron"), "-c", conf, *args], env=env,
                                         stdin=subprocess.DEVNULL, stderr=self.log))
        return self.all[-1]

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        product.kill("cron", signal.SIGTERM)
        pid = product.pid("cron")
        wait_until(lambda: not os.path.exists("/proc/%d" % pid), 60, "the end of the service")
        return self

    def __exit__(self, *_):
        for p in self.all:
            if p.poll() is None:
                p.terminate()
                p.wait(60)
        self.log.close()
        product.up()


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def csv_of(rows):
    return "external_id,name,note\n" + "".join("%d,Name %d,note of %d\n" % (i, i, i) for i in range(rows))


def send(who, text, kind):
    answer = who.api("POST", "/records/import?resourceType=" + kind, text.encode(), headers={"Content-Type": "text/csv"})
    equal(answer.status, 202, answer)
    return answer.json()["importId"]


def done(who, import_id):
    o = who.api("GET", "/imports/" + import_id).json()
    return o if o["status"] in ("completed", "failed") else None


def wait_done(who, import_id, timeout=300):
    wait_until(lambda: done(who, import_id), timeout, "the import's end")
    return done(who, import_id)


def rate_of(who, kind, between):
    """Rows a second of an import, from when it began; between() is called again and again meanwhile."""
    import_id = send(who, csv_of(ROWS), kind)
    wait_until(lambda: who.api("GET", "/imports/" + import_id).json()["received"] > 0, 60, "its first rows")
    begin = time.monotonic()
    while done(who, import_id) is None:
        between()
    o = wait_done(who, import_id)
    equal((o["status"], o["received"], o["created"], o["failed"]), ("completed", ROWS, ROWS, 0), o)
    equal(product.sql("SELECT COUNT(*) FROM records WHERE resource_type = '%s'" % kind), [[str(ROWS)]])
    return ROWS / (time.monotonic() - begin)


@test("an import through hand-overs from run to run: exact counts, no attempt used up, each run ends well")
def _():
    who = product.new_account()
    alone = rate_of(who, "alone", lambda: time.sleep(0.05))
    with Runs() as runs:
        runs.start()

        def hand_over():
            time.sleep(SECONDS)     # what is tried: so long each run works
            before = runs.all[-1]
            runs.start()
            equal(before.wait(60), 0, "the run before ends well")
        by_minutes = rate_of(who, "handed", hand_over)
        hand_overs = len(runs.all) - 1
        true(hand_overs >= 3, "%d hand-overs: too few to tell anything" % hand_overs)
        equal(runs.all[-1].poll(), None, "the last run works")
        equal([line for line in runs.text().splitlines() if "job." in line or "level=error" in line], [])
        print("# %d hand-overs; %.0f rows/s, alone %.0f" % (hand_overs, by_minutes, alone))
    equal(product.sql("SELECT COUNT(*) FROM jobs WHERE kind = 'record.import'"), [["0"]])


@test("a service keeps the place: what cron starts beside it ends at once, a second service is refused")
def _():
    wait_until(lambda: len(product.children("cron")) == 4, what="its runners, bulk and upkeep")
    service, its = product.pid("cron"), product.children("cron")
    with open(os.path.join(product.state, "log", "beside.log"), "w+", encoding="utf-8") as log:
        def beside(*args):
            env = {k: v for k, v in product.env.items() if not k.startswith("CONNECT_")}
            return subprocess.run([os.path.join(build, "connect-cron"), "-c", conf, *args], env=env, stderr=log,
                                  stdin=subprocess.DEVNULL, timeout=60, check=False).returncode
        equal(beside(), 0)
        equal(beside("--daemon"), 1)
        log.seek(0)
        has(log.read(), "another one runs as a service on this host")
    equal((product.pid("cron"), product.children("cron")), (service, its))


@test("a service takes over from a run that cron has started")
def _():
    with Runs() as runs:
        by_cron = runs.start()
        wait_until(lambda: len(children(by_cron.pid)) >= 3, 20, "its runners")
        service = runs.start("--daemon")
        equal(by_cron.wait(60), 0)
        wait_until(lambda: len(children(service.pid)) >= 3, 20, "the service's runners")
        equal(runs.start().wait(60), 0, "a later run")
        equal(service.poll(), None)


@test("a runner that is killed is replaced, and what it held goes on at once")
def _():
    who = product.new_account()
    import_id = send(who, csv_of(ROWS), "killed")
    for goal in (1, ROWS // 4, ROWS // 2):
        wait_until(lambda: who.api("GET", "/imports/" + import_id).json()["received"] >= goal, 120, "%d rows" % goal)
        before = set(product.children("cron"))
        for pid in before:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: len(set(product.children("cron")) - before) == len(before), 20, "new runners")
    o = wait_done(who, import_id)
    equal((o["status"], o["received"], o["created"]), ("completed", ROWS, ROWS), o)
    equal(product.sql("SELECT COUNT(*) FROM records WHERE resource_type = 'killed'"), [[str(ROWS)]])


@test("several imports at once: each whole, and no runner dies of it")
def _():
    who, others = product.new_account(), product.new_account()
    before = product.log("cron").count("prefork.killed")
    ids = [(w, send(w, csv_of(ROWS // 3), "at_once%d" % i)) for i, w in enumerate((who, others, who, others))]
    for w, import_id in ids:
        o = wait_done(w, import_id)
        equal((o["status"], o["created"]), ("completed", ROWS // 3), o)
    equal(product.log("cron").count("prefork.killed"), before)


@test("hosts that share state_dir do not meet: each has its board, and both work")
def _():
    here = os.path.join(product.state, "run", "other-host")
    with open(conf, encoding="utf-8") as f:
        text = f.read()
    other = os.path.join(product.state, "other.conf")
    with open(other, "w", encoding="utf-8") as f:
        f.write(text + "\nrun_dir = %s\n" % here)
    env = {k: v for k, v in product.env.items() if not k.startswith("CONNECT_")}
    second = subprocess.Popen([os.path.join(build, "connect-cron"), "-c", other, "--daemon"], env=env,
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(children(second.pid)) >= 3, 20, "the other host's runners")
        wait_until(lambda: glob.glob(os.path.join(here, "board-*")), 20, "a board of its own")
        who = product.new_account()
        ids = [send(who, csv_of(ROWS // 4), "shared%d" % i) for i in range(4)]
        for import_id in ids:   # the file lies where both find it
            o = wait_done(who, import_id)
            equal((o["status"], o["created"]), ("completed", ROWS // 4), o)
        # one that dies leaves its jobs to its own host's reaper, or to the lease: none is lost
        import_id = send(who, csv_of(ROWS), "survivor")
        wait_until(lambda: who.api("GET", "/imports/" + import_id).json()["received"] > 0, 60, "its first rows")
    finally:
        second.terminate()
        second.wait(60)
    o = wait_done(who, import_id)
    equal((o["status"], o["created"]), ("completed", ROWS), o)


run()

"""./dev itself: what it starts and stops, and what it must leave alone.

Runs the programs of CONNECT_TEST_BUILD (or of var/build) from states of its own: one plain, and one in a
long folder with odd characters, started from a copy of the checkout in such a folder.
"""
import atexit
import concurrent.futures
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request

from harness import SRC, TEST_ENV, equal, free_ports, has, run, test, true, wait_until

BUILD = os.environ.get("CONNECT_TEST_BUILD") or os.path.join(SRC, "var", "build")
PARTS = ("mariadb", "fcgi", "cron", "lighttpd", "sandbox")
ODD = "it's a \"folder\" & more $HOME, so long that no socket's path could hold it"
top = tempfile.mkdtemp(prefix="connect-dev-")
decoys = []


def stat_of(pid):
    """(state, session, start time) of a process, or None."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
            fields = f.read().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[3]), fields[19]


def lives(pid):
    st = stat_of(pid)
    return st is not None and st[0] not in "ZX"


def decoy(name, script='exec -a "$0" sleep 1000'):
    """A process of that name, the leader of a session, that is nobody's."""
    p = subprocess.Popen(["bash", "-c", script, name], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, start_new_session=True)
    decoys.append(p)

    def has_become_it():
        with open("/proc/%d/cmdline" % p.pid, "rb") as f:
            return f.read().split(b"\0")[:2] == [name.encode(), b"1000"]
    wait_until(has_become_it, what="the decoy")
    return p


class State:
    """A state folder and the ./dev that serves it."""

    def __init__(self, name, src=SRC):
        self.src = src
        self.folder = os.path.join(top, name)
        self.ports = free_ports(2)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("CONNECT_")}
        self.env.update(TEST_ENV, CONNECT_STATE=self.folder, CONNECT_BUILD=BUILD,
                        CONNECT_PORT=str(self.ports[0]), CONNECT_SANDBOX_PORT=str(self.ports[1]))
        os.makedirs(os.path.join(self.folder, "run"))

    def dev(self, *args, **env):
        """(status, what it said)"""
        done = subprocess.run([os.path.join(self.src, "dev"), *args], env={**self.env, **env}, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=300, check=False)
        return done.returncode, done.stdout

    def up(self):
        status, said = self.dev("up")
        equal(status, 0, said)
        return said

    def down(self):
        equal(self.dev("down"), (0, ""))

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as f:
            return f.read()

    def pids(self):
        """Part → its recorded process."""
        return {os.path.basename(p)[:-4]: int(self.read(p).split()[0])
                for p in glob.glob(glob.escape(self.folder) + "/run/*.pid")}

    def record(self, name, pid, start):
        with open(os.path.join(self.folder, "run", name + ".pid"), "w", encoding="utf-8") as f:
            f.write("%d %s\n" % (pid, start))

    def is_ready(self):
        with urllib.request.urlopen("http://127.0.0.1:%d/readyz" % self.ports[0], timeout=10) as answer:
            return answer.status == 200

    def processes(self):
        """Every living member of the sessions that the recorded processes lead."""
        leaders = set(self.pids().values())
        found = []
        for entry in os.listdir("/proc"):
            st = stat_of(int(entry)) if entry.isdigit() else None
            if st and st[0] != "Z" and st[1] in leaders:
                found.append(int(entry))
        return found


def odd_checkout():
    folder = os.path.join(top, ODD, "checkout")
    shutil.copytree(SRC, folder, ignore=shutil.ignore_patterns("var", ".git", "__pycache__"))
    return folder


plain = State("plain")
odd = State(os.path.join(ODD, "state"), odd_checkout())


def clean_up():
    for state in (plain, odd):
        state.dev("down")
    for p in decoys:
        p.kill()
        p.wait()
        p.stdout.close()
    shutil.rmtree(top)


atexit.register(clean_up)


@test("a taken port is told precisely, and nothing is started")
def _():
    state = State("taken")
    for which, key in enumerate(("CONNECT_PORT", "CONNECT_SANDBOX_PORT")):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            status, said = state.dev("up", **{key: str(number)})
            equal((status, said),
                  (1, "dev: port %d is taken by another program. Stop it, or choose another port: "
                      "%s=%d ./dev up\n" % (number, key, number + 10)), which)
        equal(state.pids(), {})
        true(not os.path.exists(os.path.join(state.folder, "mariadb")), "no database was made")


@test("a port that is no number is refused")
def _():
    status, said = plain.dev("up", CONNECT_PORT="http")
    equal((status, said), (1, "dev: CONNECT_PORT and CONNECT_SANDBOX_PORT must be numbers\n"))


@test("a stale pid file harms no other process")
def _():
    state = State("stale")
    other_time, other_program = decoy("connect-cron"), decoy("sleep")
    state.record("cron", other_time.pid, int(stat_of(other_time.pid)[2]) - 1)
    state.record("fcgi", other_program.pid, stat_of(other_program.pid)[2])
    state.record("sandbox", 2 ** 22 + 1, "1")
    state.down()
    equal(state.pids(), {})
    true(lives(other_time.pid), "a program of the same name that started at another time lives")
    true(lives(other_program.pid), "a program of another name lives")


@test("children of a killed leader are stopped, and no stranger of their name")
def _():
    state = State("orphans")
    stranger = decoy("connect-cron")
    leader = decoy("connect-cron", 'bash -c \'exec -a "$0" sleep 1000\' "$0" & echo $!\n'
                                   'exec -a "$0" sleep 1000')
    child = int(leader.stdout.readline())
    state.record("cron", leader.pid, stat_of(leader.pid)[2])
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    true(lives(child), "the child outlives its leader")
    equal(stat_of(child)[1], leader.pid, "its session")
    state.down()
    true(not lives(child), "the child was stopped")
    true(lives(stranger.pid), "the stranger lives")
    equal(state.pids(), {})


@test("two states run side by side, one of them in odd and long folders")
def _():
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for said in pool.map(State.up, (plain, odd)):
            has(said, "Connect is running.")
    for state in (plain, odd):
        true(state.is_ready(), "ready")
        equal(sorted(state.pids()), sorted(PARTS))
        true(all(map(lives, state.pids().values())), "all parts live")
    equal(set(plain.pids().values()) & set(odd.pids().values()), set())
    has(odd.read("connect.conf"), "\nlisten = /tmp/connect-")


@test("up again changes nothing")
def _():
    for state in (plain, odd):
        before = state.pids(), state.read("credentials.json"), state.read("sandbox.json")
        state.up()
        equal((state.pids(), state.read("credentials.json"), state.read("sandbox.json")), before)


@test("up starts what has died, and nothing else")
def _():
    before = plain.pids()
    os.kill(before["cron"], signal.SIGKILL)
    plain.up()
    after = plain.pids()
    true(after.pop("cron") != before.pop("cron"), "cron is another")
    equal(after, before)


@test("a taken port leaves what runs alone")
def _():
    before = plain.pids()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, said = plain.dev("up", CONNECT_PORT=str(taken.getsockname()[1]))
        equal(status, 1, said)
        has(said, "is taken by another program")
    equal(plain.pids(), before)
    true(plain.is_ready(), "ready")


@test("another port is moved to")
def _():
    plain.ports = free_ports(2)
    plain.env.update(CONNECT_PORT=str(plain.ports[0]), CONNECT_SANDBOX_PORT=str(plain.ports[1]))
    plain.up()
    true(plain.is_ready(), "ready")
    has(plain.read("sandbox.json"), ":%d" % plain.ports[0])


@test("down stops all its own and nothing else")
def _():
    strangers = [decoy(name) for name in ("mariadbd", "connect-fcgi", "connect-cron", "lighttpd")]
    own, others = plain.processes(), odd.processes()
    true(len(own) > len(PARTS) and len(others) > len(PARTS), "workers were found too")
    plain.down()
    equal([pid for pid in own if lives(pid)], [])
    equal([pid for pid in others if not lives(pid)], [])
    true(odd.is_ready(), "the other one is ready")
    true(all(lives(p.pid) for p in strangers), "strangers live")
    alias = odd.read("alias").strip()
    odd.down()
    equal([pid for pid in others if lives(pid)], [])
    true(not os.path.lexists(os.path.dirname(alias)), "the alias is gone")
    true(all(lives(p.pid) for p in strangers), "strangers live")
    odd.down()


run()

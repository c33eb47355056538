#!/usr/bin/env python3
"""The log: a renamed file is left by every process at HUP, and log_level holds for connect-cron too."""
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid

from harness import Instance, equal, free_ports, has, run, test, true, wait_until
from tenant import row_id, unique

product = Instance(sandbox=False)
build = product.build or os.path.join(product.state, "build")


def text(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def children(master):
    with open("/proc/%d/task/%d/children" % (master, master), encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def holds(pid, path):
    """Is that file open in that process?"""
    folder = "/proc/%d/fd" % pid
    return any(os.readlink(os.path.join(folder, name)) == path for name in os.listdir(folder))


def ended(program, timeout=30):
    try:
        return program.wait(timeout * 4)
    except subprocess.TimeoutExpired:
        program.kill()
        raise


class Host:
    """Programs of the product beside those of ./dev, with a log file and a state folder of their own."""

    def __init__(self, **env):
        self.dir = tempfile.mkdtemp(prefix="connect-log-")
        self.log, self.port = os.path.join(self.dir, "log"), free_ports(1)[0]
        self.conf = os.path.join(self.dir, "connect.conf")
        with open(os.path.join(product.state, "connect.conf"), encoding="utf-8") as f:
            kept = [line for line in f if line.split("=")[0].strip() not in ("listen", "state_dir", "log_file", "log_level")]
        with open(self.conf, "w", encoding="utf-8") as f:
            f.writelines(kept)
            f.write("\nlisten = 127.0.0.1:%d\nstate_dir = %s\n" % (self.port, self.dir))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("CONNECT_")}
        self.env.update({"CONNECT_LOG_FILE": self.log, "CONNECT_WORKERS": "2", **env})
        self.programs = []

    def start(self, name, *args):
        self.programs.append(subprocess.Popen([os.path.join(build, name), "-c", self.conf, *args], env=self.env,
                                              stdin=subprocess.DEVNULL))
        return self.programs[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.programs:
            if p.poll() is None:
                p.terminate()
                ended(p)
        shutil.rmtree(self.dir, ignore_errors=True)

    # -- something that makes each kind of process write a line, with a word to know it by
    def request(self):
        """A worker logs each request where log_level is debug."""
        word = unique("asked-")

        def pair(name, value):
            return bytes([len(name), len(value)]) + name.encode() + value.encode()

        def record(kind, body):
            return bytes([1, kind, 0, 1, len(body) >> 8, len(body) & 255, 0, 0]) + body
        head = pair("REQUEST_METHOD", "GET") + pair("REQUEST_URI", "/healthz/" + word)
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as s:
            s.sendall(record(1, b"\0\1\0\0\0\0\0\0") + record(4, head) + record(4, b"") + record(5, b""))
            while s.recv(65536):
                pass
        return word

    def broken_frame(self):
        """The writer logs a frame that holds no write set."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(glob.glob(os.path.join(self.dir, "run", "*", "writer.sock"))[0])
            s.sendall(b"\1\0\0\0x")
            equal(s.recv(1), b"", "the writer closes")
        return "writer.frame"

    def unknown_job(self):
        """The runner logs a job of a kind that it does not know."""
        id_ = str(uuid.uuid4())
        product.sql("INSERT INTO job_lanes (account_id, class, target_id, seen_at) VALUES (%s, 0, '', 0)" % row_id(id_))
        product.sql("INSERT INTO jobs (id, account_id, kind, state, run_at, attempts, created_at) VALUES"
                    " (%s, %s, 'no.such', 'ready', 0, 0, 0)" % (row_id(id_), row_id(id_)))
        return id_


def rotate(host, signalled):
    """Renames the log and sends HUP; where the old one is now."""
    old = "%s.%s" % (host.log, unique())
    os.rename(host.log, old)
    signalled.send_signal(signal.SIGHUP)
    wait_until(lambda: os.path.exists(host.log), 10, "the new log")
    return old


@test("HUP to the master: it, its workers and the writer log to the new file, and the new image serves")
def _():
    with Host(CONNECT_LOG_LEVEL="debug") as h:
        master = h.start("connect-fcgi")
        wait_until(lambda: len(children(master.pid)) == 3, 20, "two workers and the writer")
        word = h.request()
        wait_until(lambda: word in text(h.log), 10, "a request in the log")
        before = children(master.pid)
        old = rotate(h, master)
        wait_until(lambda: len(now := children(master.pid)) == 3 and not set(now) & set(before), 30, "the new image")
        size = os.path.getsize(old)
        words = [h.request() for _ in range(4)] + [h.broken_frame()]
        for word in words:
            wait_until(lambda: word in text(h.log), 10, word)
        equal(os.path.getsize(old), size, "nothing more in the old file")


@test("HUP with a configuration that the new image refuses: the processes that stay log to the new file")
def _():
    with Host(CONNECT_LOG_LEVEL="debug") as h:
        master = h.start("connect-fcgi")
        wait_until(lambda: len(children(master.pid)) == 3, 20, "two workers and the writer")
        before = children(master.pid)
        with open(h.conf, "a", encoding="utf-8") as f:
            f.write("no_such_key = 1\n")
        old = rotate(h, master)
        wait_until(lambda: "prefork.reload.refused" in text(h.log), 20, "the master's refusal in the new log")
        equal(children(master.pid), before)
        wait_until(lambda: not any(holds(pid, old) for pid in before), 10, "no process that holds the old file")
        size = os.path.getsize(old)
        words = [h.request() for _ in range(8)] + [h.broken_frame()]
        for word in words:
            wait_until(lambda: word in text(h.log), 10, word)
        equal(os.path.getsize(old), size, "nothing more in the old file")
        true("prefork.reload.refused" not in text(old), "not in the old one")


@test("HUP to connect-cron, as a service and by the minute: it goes on, and logs to the new file")
def _():
    product.kill("cron", signal.SIGTERM)
    try:
        for args in (["--daemon"], []):
            with Host() as h:
                cron = h.start("connect-cron", *args)
                wait_until(lambda: "cron.start" in text(h.log), 20, "its start")
                job = h.unknown_job()
                wait_until(lambda: job in text(h.log), 20, "the job in the log")
                old = rotate(h, cron)
                size = os.path.getsize(old)
                job = h.unknown_job()
                wait_until(lambda: job in text(h.log), 20, "the job in the new log")
                equal(cron.poll(), None, "it goes on")
                cron.terminate()
                equal(ended(cron), 0)
                has(text(h.log), "cron.end")
                equal(os.path.getsize(old), size, "nothing more in the old file")
    finally:
        product.sql("DELETE FROM jobs WHERE kind = 'no.such'")
        product.up()


@test("connect-cron writes what log_level allows, and ends at TERM, INT and USR1")
def _():
    for level, sig, lines in (("debug", signal.SIGTERM, 3), ("info", signal.SIGINT, 3), ("warn", signal.SIGUSR1, 0),
                              ("error", signal.SIGTERM, 0)):
        with Host(CONNECT_LOG_LEVEL=level, CONNECT_RUNNERS="1") as h:
            cron = h.start("connect-cron")
            # from then on each runner has its seat, and is about to wait for work
            wait_until(lambda: len(glob.glob(os.path.join(h.dir, "run", "*", "wake-*"))) == 3, 20, "the runners")
            cron.send_signal(sig)
            equal((level, ended(cron)), (level, 0))
            equal((level, text(h.log).count("level=info")), (level, lines))
            equal((level, "event=cron.start" in text(h.log)), (level, lines > 0))
    with Host(CONNECT_LOG_LEVEL="loud") as h:
        equal(ended(h.start("connect-cron")), 1, "no such level")


run()

"""The measure `sustain`: everything at once until nothing waits. Signed Meta webhooks at a fixed rate, each lead with
details fetched from the sandbox's Graph, normalized, stored, mirrored, indexed for search and pushed to one custom CRM
of the sandbox, then to three. bench/run calls run(its own module).

The rate sought is the highest at which no queue grows: jobs, record_search_queue, spool. It is found by bisection in
short probes; what they find is then held for the whole measuring time, and lowered until it holds. A queue grows when
the line through its lengths, after the first fifth of the time, rises by more than a hundredth of the leads sent (and
by more than one batch). Lengths swing by hundreds from batch to batch, so in a short probe the line's own error is as
large as that: a probe has to rise by two standard errors more. What is told has held by the plain rule."""
import os
import subprocess
import time

SECONDS = float(os.environ.get("CONNECT_BENCH_SECONDS", "60"))
PROBE_SECONDS = max(5.0, SECONDS / 4)
STEPS = 5
SAMPLE_SECONDS = 0.25
RISE = 0.01		# of the rate
BATCH = 64		# less than what is taken from a queue at once is no growth
EVENT_BYTES = 600	# what an event takes in the spool, about
DRAIN_SECONDS = 300
CRMS = ("sandbox", "bench2", "bench3")


# ---- queues --------------------------------------------------------------------------------------
class Queues:
    """Looks at the lengths of the queues, on one kept connection."""
    SQL = ("SELECT (SELECT COUNT(*) FROM jobs WHERE state = 'ready' AND class <> 2), (SELECT COUNT(*) FROM record_search_queue);\n")
    NAMES = ("jobs", "record_search_queue", "spool")

    def __init__(self, bench):
        self.spool = os.path.join(bench.STATE, "spool")
        self.client = subprocess.Popen(
            [*bench.database_client(), "--unbuffered", "connect"], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)

    def close(self):
        self.client.stdin.close()
        self.client.wait()

    def spooled(self):
        size = 0
        for folder, _, names in os.walk(self.spool):
            for name in names:
                try:
                    size += os.path.getsize(os.path.join(folder, name))
                except OSError:
                    pass	# drained meanwhile
        return size / EVENT_BYTES

    def look(self):
        self.client.stdin.write(self.SQL)
        self.client.stdin.flush()
        return (*(int(n) for n in self.client.stdout.readline().split()), self.spooled())


def slope(samples):
    """Of the least-squares line through (time, length), and its standard error."""
    n = len(samples)
    mean_t, mean_y = sum(t for t, _ in samples) / n, sum(y for _, y in samples) / n
    below = sum((t - mean_t) ** 2 for t, _ in samples)
    if not below or n < 3:
        return 0.0, 0.0
    k = sum((t - mean_t) * (y - mean_y) for t, y in samples) / below
    beside = sum((y - mean_y - k * (t - mean_t)) ** 2 for t, y in samples)
    return k, (beside / (n - 2) / below) ** 0.5


# ---- runs ----------------------------------------------------------------------------------------
class Run:
    """One load at one rate, from an empty store until nothing waits."""

    def __init__(self, bench, product, queues, rate, seconds, crms):
        self.bench, self.queues, self.rate = bench, queues, rate
        self.is_probe = seconds < SECONDS
        product.empty()
        product.api("DELETE", "/sandbox/api/received", port=bench.SANDBOX_PORT)
        self.grows, self.times, said, samples = None, {}, None, []
        load, begin = bench.Leads(product, rate, seconds), time.time()
        while not load.is_over() and self.grows is None:
            time.sleep(SAMPLE_SECONDS)
            lengths = queues.look()
            samples.append((time.time() - begin, lengths))
            if sum(lengths) > 2 * rate + 500:	# seconds of work wait: no need to see more
                self.grows = "far behind after %.1f s" % samples[-1][0]
                load.kill()
        if self.grows is None:
            said, self.times = load.wait()
            self.judge(said, [s for s in samples if s[0] >= samples[-1][0] / 5])
        self.wait_until_idle()
        self.took = time.time() - begin
        self.stored = int(product.sql("SELECT COUNT(*) FROM leads"))
        self.received, self.repeats = bench.pushes()
        self.missing = self.stored * len(crms) - sum(1 for name, _ in self.received if name in crms)
        if said is not None:
            self.missing += abs(said["ok"] - self.stored)
        bench.say("%d leads/s for %g s, %d destinations: %s" % (rate, seconds, len(crms), self.grows or "holds"))

    def judge(self, said, samples):
        self.per_second = said["per_second"]
        if said["errors"] or said["ok"] != said["requests"]:
            self.grows = "%d webhooks not acknowledged" % (said["requests"] - said["ok"])
        elif said["per_second"] < 0.98 * self.rate:
            self.grows = "webhooks taken at %d a second" % said["per_second"]
        seconds = samples[-1][0] - samples[0][0]
        for i, name in enumerate(Queues.NAMES):
            rise, error = (k * seconds for k in slope([(t, lengths[i]) for t, lengths in samples]))
            if rise - (2 * error if self.is_probe else 0) > max(BATCH, RISE * self.rate * seconds):
                self.grows = "%s grows by %.0f in %.0f s" % (name, rise, seconds)

    def wait_until_idle(self):
        end = time.time() + DRAIN_SECONDS
        while sum(self.queues.look()) > 0:
            if time.time() > end:
                self.bench.say("work still waits after %d s" % DRAIN_SECONDS)
                return
            time.sleep(0.05)

    def speed(self, crms):
        """From when a webhook was due to when each CRM had the lead, in milliseconds; sorted."""
        return sorted((self.received[name, lead] - due) * 1000 for lead, (due, _) in self.times.items()
                      for name in crms if (name, lead) in self.received)


class Search:
    """Finds the highest rate that holds for a number of destinations."""

    def __init__(self, bench, product, queues, crms):
        self.args, self.crms, self.missing, self.repeats = (bench, product, queues), crms, 0, 0

    def run(self, rate, seconds):
        got = Run(*self.args, rate, seconds, self.crms)
        self.missing += got.missing
        self.repeats += got.repeats
        return got

    def highest(self, first_guess):
        """The run of the whole measuring time at the highest rate found."""
        got = self.run(first_guess, PROBE_SECONDS)
        # what it did from the first webhook to the last push is about what can be held
        low, high = 0.0, first_guess
        if got.grows:
            high = min(first_guess, 1.4 * got.stored / got.took)
        else:
            while not got.grows:
                low, high = high, high * 1.4
                got = self.run(high, PROBE_SECONDS)
        if low == 0.0:
            low = high / 2
            while self.run(low, PROBE_SECONDS).grows:
                if low < 1:
                    raise SystemExit("sustain: no rate holds")
                low, high = low / 2, low
        for _ in range(STEPS):
            middle = (low * high) ** 0.5
            if high / low < 1.03:
                break
            if self.run(middle, PROBE_SECONDS).grows:
                high = middle
            else:
                low = middle
        got = self.run(low, SECONDS)
        while got.grows:
            low *= 0.95
            got = self.run(low, SECONDS)
        return got


# ---- floor ---------------------------------------------------------------------------------------
def floor(bench, product, crms):
    """Leads a second of a bare loop against the same sandbox."""
    base = "http://127.0.0.1:%d" % bench.SANDBOX_PORT
    product.api("DELETE", "/sandbox/api/received", port=bench.SANDBOX_PORT)
    with bench.FloorSchema(product) as schema:
        return schema.run("floor-sustain", int(PROBE_SECONDS), base + "/meta_lead_ads", "sandbox-page-token",
                          *("%s/crm/%s" % (base, name) for name in crms))["per_second"]


def connect(bench, product, crms):
    """The account's destinations are these alone; the first is that of ./dev."""
    product.disconnect("bench")
    for name in crms[1:]:
        product.connection("custom_crm", name, {}, {
            "url": "http://127.0.0.1:%d/crm/%s" % (bench.SANDBOX_PORT, name), "method": "POST", "headers": {},
            "auth": {"type": "none"}})


def measure(bench, product, queues, crms, guess):
    """The search with its best run, and the floor's rate: the mean of before and after."""
    connect(bench, product, crms)
    before = floor(bench, product, crms)
    search = Search(bench, product, queues, crms)
    best = search.highest(guess or before)
    return search, best, (before + floor(bench, product, crms)) / 2


def run(bench):
    product = bench.Product()
    product.api("PUT", "/sandbox/api/faults", {"latency_ms": 0, "faults": []}, port=bench.SANDBOX_PORT)
    queues = Queues(bench)
    try:
        search, best, bare = measure(bench, product, queues, CRMS[:1], None)
        rate = best.per_second
        bench.figure("sustain", "one destination", rate, "leads/s", bare, "ratio ≥ 0.50",
                     rate / bare >= 0.50)
        bench.figure("sustain", "one destination, as a rate", rate, "leads/s", None, "≥ 1000", rate >= 1000)
        half = search.run(rate / 2, SECONDS)
        took = half.speed(CRMS[:1])
        p99 = bench.quantile(took, 0.99)
        bench.figure("sustain", "speed to lead at half of it, p50", bench.quantile(took, 0.5), "ms")
        bench.figure("sustain", "speed to lead at half of it, p99", p99, "ms", None, "≤ 50", p99 <= 50)
        three, best, bare = measure(bench, product, queues, CRMS, rate / 2)
        bench.figure("sustain", "three destinations", best.per_second, "leads/s", bare)
        bench.figure("sustain", "three destinations to one", best.per_second, "leads/s", rate, "ratio ≥ 0.6",
                     best.per_second / rate >= 0.6)
        missing = search.missing + three.missing
        bench.figure("sustain", "leads − distinct pushes", missing, "leads", None, "0", missing == 0)
        bench.figure("sustain", "pushes that came again", search.repeats + three.repeats, "pushes")
    finally:
        queues.close()
        product.disconnect("bench")
        product.empty()
        product.api("DELETE", "/sandbox/api/received", port=bench.SANDBOX_PORT)

"""Overload: what a host does when it is asked for ten times what it can take, when a member is frozen, and
when a client reads nothing. Its memory is bounded, nobody is lied to, and it is well again at once."""

import contextlib
import dataclasses
import json
import os
import signal
import statistics
import subprocess
import threading
import time

from .cluster import Failed, resident_bytes
from .report import Found, Row, thousands

MIB = 1 << 20
# What a host may grow by, with a daemon's default limits (docs/operations.md, Limits).
FLOOD_BOUND_MIB = 512
FROZEN_BOUND_MIB = 96
DEAF_BOUND_MIB = 192
NORMAL_WITHIN_S = 2.0
SECONDS = int(os.environ.get("BENCH_OVERLOAD_SECONDS", "20"))


class Resident:
    """What the hosts have in memory, four times a second."""

    def __init__(self, hosts):
        self.pids = {host["name"]: host["pid"] for host in hosts}
        self.samples = []  # (time.monotonic(), {name: bytes})
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.sample)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def sample(self):
        while not self.over.wait(0.25):
            self.samples.append((time.monotonic(), {n: resident_bytes(p) for n, p in self.pids.items()}))

    def most(self, name, begin, end):
        return max((s[name] for t, s in self.samples if begin <= t <= end), default=0)

    def growth_mib(self, calm, begin, end, only=None):
        """The largest growth of any host between two times, over what it had in the calm before."""
        names = [only] if only else self.pids
        return max((self.most(n, begin, end) - self.most(n, *calm)) / MIB for n in names)


@contextlib.contextmanager
def beside(cluster, program, verb, group, *arguments, first=None):
    """A program that runs until its standard input ends; what it then says is in the list."""
    order = sorted(cluster.hosts, key=lambda host: host is not first)
    endpoints = [word for host in order for word in ("--endpoint", host["client"])]
    running = subprocess.Popen([cluster.tools.path(program), verb, *endpoints, "--group", group, *map(str, arguments)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    try:
        yield said
    finally:
        out, err = running.communicate()
        if running.returncode != 0:
            raise Failed(f"{program} {verb}: {err.strip()}")
        said.append(json.loads(out))


def flood(cluster, *arguments, timeout=600):
    endpoints = [word for host in cluster.hosts for word in ("--endpoint", host["client"])]
    done = subprocess.run([cluster.tools.path("flood"), "load", *endpoints, *map(str, arguments)],
                          capture_output=True, text=True, timeout=timeout)
    if not done.stdout.startswith("{"):
        raise Failed(f"flood: {done.stderr.strip()}")
    return {**json.loads(done.stdout), "words": done.stderr.strip()}


def normal_after(writes, calm, end_ns):
    """Seconds from the load's end until a polite client's writes are as quick as before; None: never."""
    before = [us for at, us in writes if calm[0] <= at / 1e9 <= calm[1] and us >= 0]
    if not before:
        raise Failed("no write was acknowledged before the load")
    limit = max(2 * statistics.median(before), 2000)
    after = [(at, us) for at, us in writes if at >= end_ns]
    for at, _ in after:
        window = [us for begun, us in after if at <= begun < at + 250e6]
        if len(window) >= 5 and min(window) >= 0 and statistics.median(window) <= limit:
            return (at - end_ns) / 1e9
    return None


@dataclasses.dataclass
class Part:
    name: str
    fine: bool
    says: str

    def text(self):
        return f"{self.name} {'ok' if self.fine else 'BROKEN'}: {self.says}"


def flooded(tools, seconds):
    """Ten times what it can take, in an open loop."""
    with tools.cluster() as cluster:
        cluster.create_group("flood")
        cluster.probe("first", "flood")
        can = cluster.bench("--clients", 4, "--window", 500, "--seconds", 2)["ops_s"]
        with Resident(cluster.hosts) as resident:
            with beside(cluster, "flood", "watch", "flood") as watched:
                calm_from = time.monotonic()
                cluster.run_on(3)
                calm = (calm_from + 0.5, time.monotonic())
                load = flood(cluster, "--group", "flood", "--rate", 10 * can, "--seconds", seconds)
                cluster.run_on(NORMAL_WITHIN_S + 2)
        growth = resident.growth_mib(calm, calm[1], time.monotonic())
    writes = watched[0]["writes"]
    well = normal_after(writes, calm, load["end_ns"])
    tools.tell({"system": "quorate", "workload": "overload", "capacity": can, "growth_mib": round(growth),
                "normal_after_s": well, **{k: v for k, v in load.items() if k != "words"}})
    hinted = load["overloaded"] > 0 and load["without_hint"] == 0
    fine = (growth <= FLOOD_BOUND_MIB and load["verified"] and load["unknown"] == 0 and hinted
            and well is not None and well <= NORMAL_WITHIN_S)
    says = (f"{thousands(load['offered'] / seconds)}/s offered of {thousands(can)}, "
            f"{thousands(load['acknowledged'])} acknowledged and applied once"
            f"{'' if load['verified'] else ' - NOT TRUE'}, {thousands(load['overloaded'])} overloaded "
            f"(retry in {load['hint_ms_min']} to {load['hint_ms_max']} ms"
            f"{'' if hinted else ', NOT ALL SAY WHEN'}), {load['unknown']} unknown, "
            f"+{growth:.0f} MiB of {FLOOD_BOUND_MIB}, normal "
            + (f"after {well:.1f} s" if well is not None else "never again"))
    return Part("flood", fine, says)


def frozen(tools, seconds):
    """A follower is stopped with SIGSTOP under full load."""
    with tools.cluster() as cluster:
        cluster.create_group("frozen")
        cluster.probe("first", "frozen")
        leader = cluster.leader("frozen")
        victim = next(host for host in cluster.hosts if host is not leader)
        with Resident(cluster.hosts) as resident, beside(cluster, "probe", "load", "frozen", first=leader) as loaded:
            begin = time.monotonic()
            cluster.run_on(8)  # caches and logs fill to their bounds
            calm = (begin, time.monotonic())
            os.kill(victim["pid"], signal.SIGSTOP)
            cluster.run_on(seconds)
            stopped_until = time.monotonic()
            os.kill(victim["pid"], signal.SIGCONT)
            cluster.run_on(1)
        growth = resident.growth_mib(calm, calm[1], stopped_until, only=leader["name"])
        cluster.wait_until_level("frozen")
    acknowledged = sum(loaded[0]["acknowledged"])
    fine = growth <= FROZEN_BOUND_MIB
    return Part("frozen follower", fine, f"{thousands(acknowledged)} acknowledged, leader +{growth:.0f} MiB of "
                                         f"{FROZEN_BOUND_MIB} in {seconds} s")


def deaf(tools, seconds):
    """A client asks for 4 GiB of answers and reads none; another one of the same host goes on writing."""
    with tools.cluster() as cluster:
        cluster.create_group("large")
        cluster.create_group("small")
        cluster.probe("first", "large")
        cluster.probe("first", "small")
        leader = cluster.leader("large")
        with Resident(cluster.hosts) as resident, beside(cluster, "flood", "watch", "small") as watched:
            begin = time.monotonic()
            cluster.run_on(3)
            calm = (begin, time.monotonic())
            with beside(cluster, "flood", "deaf", "large", first=leader):
                cluster.run_on(seconds)
            end = time.monotonic()
        growth = resident.growth_mib(calm, calm[1], end)
    lost = sum(us < 0 for _, us in watched[0]["writes"])
    slow = max(us for _, us in watched[0]["writes"]) / 1000
    fine = growth <= DEAF_BOUND_MIB and lost == 0
    return Part("deaf client", fine, f"+{growth:.0f} MiB of {DEAF_BOUND_MIB} in {seconds} s, "
                                     f"{len(watched[0]['writes'])} writes of another one, {lost} refused, "
                                     f"the slowest {slow:.0f} ms")


PARTS = {"flood": flooded, "frozen": frozen, "deaf": deaf}


def overload(tools):
    parts = [part(tools, SECONDS) for part in PARTS.values()]
    broken = [part.name for part in parts if not part.fine]
    return Found("bounded" if not broken else "broken: " + ", ".join(broken),
                 "bounded, typed, well in 2 s", not broken, note="; ".join(part.text() for part in parts))


ROWS = [Row("overload", "ten times too much; a frozen follower; a deaf client", overload)]

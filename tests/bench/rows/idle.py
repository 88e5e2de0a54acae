"""The row of idle groups: what they cost a host, and how long one takes to wake."""

import time

from .cluster import cpu_seconds, resident_bytes
from .report import Found, Row, median, thousands

GROUPS = 10_000
QUIET = 5  # seconds of idleness that are looked at


def idle(tools):
    with tools.cluster() as cluster:
        pids = [host["pid"] for host in cluster.hosts]
        cluster.create_group("first")
        cluster.probe("first", "first")
        empty = [resident_bytes(pid) for pid in pids]
        begin = time.monotonic()
        cluster.quorate("bench", "create", "--groups", GROUPS, timeout=900)
        took = time.monotonic() - begin
        cluster.run_on(QUIET)  # until they are asleep; their creation is digested
        before, at = [cpu_seconds(pid) for pid in pids], time.monotonic()
        cluster.run_on(QUIET)
        core = max(cpu_seconds(pid) - b for pid, b in zip(pids, before)) / (time.monotonic() - at)
        each = max(resident_bytes(pid) - e for pid, e in zip(pids, empty)) / GROUPS / 1024
        wake = median([cluster.probe("first", "bench-idle-%d" % n)["first_ms"] for n in (1, 7, GROUPS)])
    met = core < 0.02 and each < 10 and wake < 5
    return Found(f"{core:.1%} of a core, {each:.1f} KiB each, first command {wake:.1f} ms",
                 "2 %, 10 KiB, 5 ms", met,
                 note=f"{thousands(GROUPS)} groups on each of 3 hosts, created in {took:.0f} s")


ROWS = [Row("idle", "idle groups on each of 3 hosts", idle)]

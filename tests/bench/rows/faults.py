"""Rows of what goes wrong: a leader killed or frozen, a cluster restarted, a member far behind."""

import concurrent.futures
import os
import signal
import time

from .cluster import Failed, rate
from .report import Found, Row, median, thousands

FAST = {"raft__election_timeout": "100ms", "raft__heartbeat_interval": "20ms"}
ENTRIES = 1_000_000
CATCH_UP_MAX = 60  # seconds
UNDER_WAY = 20_000  # entries that a member may be behind and yet be level, under full load
SETTLED = 1_000_000_000  # ns after being level


# How long writes are out after the leader got a signal. Each time it comes back before the next.
def outages(tools, number, times, settings):
    found = []
    with tools.cluster(**settings) as cluster:
        cluster.create_group("g")
        for _ in range(times):
            leader = cluster.leader("g")
            run = cluster.probe("outage", "g", "--pid", leader["pid"], "--signal", int(number), first=leader)
            tools.tell({"system": "quorate", "workload": f"outage-{number.name}", "members": 3, **settings, **run})
            found.append(run)
            if number == signal.SIGKILL:
                cluster.quorate("dev", "restart", leader["name"])
                cluster.look()
            else:
                os.kill(leader["pid"], signal.SIGCONT)
            cluster.wait_until_level("g")
    return found


def outage_row(number, times, goal_ms, settings):
    def measure(tools):
        found = outages(tools, number, times, settings)
        first = sorted(run["survivors_ms"] for run in found)
        client = sorted(run["client_ms"] for run in found)
        return Found(f"{median(first):.0f} ms ({first[0]:.0f} to {first[-1]:.0f})", f"{goal_ms} ms",
                     first[-1] < goal_ms,
                     note=f"a client that knew all three: {median(client):.0f} ms ({client[0]:.0f} to {client[-1]:.0f})")
    return measure


def fill(cluster, group, entries):
    run = cluster.probe("fill", group, "--entries", entries, timeout=300)
    if run["not_acknowledged"] != 0:
        raise Failed(f"{run['not_acknowledged']} entries were not acknowledged")
    return run


# All three killed with everything in the log and no snapshot to begin from, then started side by side.
def restart(tools):
    found = []
    with tools.cluster(snapshot__interval_entries=0) as cluster:
        cluster.create_group("g")
        fill(cluster, "g", ENTRIES)
        for _ in range(3):
            cluster.wait_until_level("g")
            for host in cluster.hosts:
                cluster.quorate("dev", "kill", host["name"])
            since = time.monotonic_ns()
            with concurrent.futures.ThreadPoolExecutor() as aside:
                up = aside.submit(cluster.start)
                found.append(cluster.probe("first", "g", "--since", since)["first_ms"])
                up.result()
            tools.tell({"system": "quorate", "workload": "restart", "members": 3, "entries": ENTRIES,
                        "first_ms": found[-1]})
    return Found(f"{median(found):.0f} ms ({min(found):.0f} to {max(found):.0f})", "2000 ms", max(found) < 2000,
                 note=f"{thousands(ENTRIES)} entries of 256 bytes in the log, no snapshot")


# One member is down while the log grows, and comes back under full load. No snapshot helps it.
# How fast the group is while a member catches up, once that is level, and before, with two members; and how long
# it takes. None: it takes longer than is waited for.
def catching_up(tools):
    with tools.cluster(snapshot__interval_entries=0) as cluster:
        cluster.create_group("g")
        leader = cluster.leader("g")
        behind = next(host for host in cluster.hosts if host["name"] != leader["name"])
        cluster.quorate("dev", "kill", behind["name"])
        fill(cluster, "g", ENTRIES)
        with cluster.loaded("g", leader) as load:
            cluster.run_on(3)  # full load on two members
            back = time.monotonic_ns()
            cluster.quorate("dev", "restart", behind["name"])
            level = cluster.wait_until(lambda: when_level(cluster, behind), CATCH_UP_MAX)
            cluster.run_on(6)  # full load on three
    if level is None:
        return None
    run = {"system": "quorate", "workload": "catch-up", "members": 3, "entries": ENTRIES,
           "seconds": (level - back) / 1e9, "ops_s": rate(load, back, level),
           "ops_s_level": rate(load, level + SETTLED, None), "ops_s_two": rate(load, None, back)}
    tools.tell(run)
    return run


def catch_up(tools):
    runs = [catching_up(tools) for _ in range(3)]
    if None in runs:
        return Found(f"not level after {CATCH_UP_MAX} s of full load", "at most 20 % less", False)
    ratio = median([run["ops_s"] / run["ops_s_level"] for run in runs])
    return Found(f"{thousands(median(runs, 'ops_s'))}/s meanwhile", "0.8 x", ratio >= 0.8,
                 f"{thousands(median(runs, 'ops_s_level'))}/s once level", f"{ratio:.2f}",
                 f"{thousands(ENTRIES)} entries behind, level after {median(runs, 'seconds'):.1f} s; "
                 f"{thousands(median(runs, 'ops_s_two'))}/s with two members")


# The time, if the member has applied what the leader has, but for what is under way.
def when_level(cluster, behind):
    members = {member["host"]: member.get("appliedIndex", 0) for member in cluster.members("g")}
    level = members[behind["name"]] + UNDER_WAY >= max(members.values())
    return time.monotonic_ns() if level else None


ROWS = [
    Row("failover", "leader killed with -9, default timeouts", outage_row(signal.SIGKILL, 5, 1000, {})),
    Row("failover-fast", "the same with fast timeouts", outage_row(signal.SIGKILL, 5, 150, FAST)),
    Row("frozen", "leader frozen with SIGSTOP, default timeouts", outage_row(signal.SIGSTOP, 5, 1500, {})),
    Row("restart", "restart of all three, 1,000,000 entries in the log", restart),
    Row("catch-up", "a member 1,000,000 entries behind, under full load", catch_up),
]

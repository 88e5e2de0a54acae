"""Rows of a cluster that works undisturbed: latency, throughput, reads, groups, what reaches the device."""

import time

from .cluster import device_of, io_of, rate
from .report import Found, Row, interleaved, median, thousands

SECONDS = 3  # counted in each run
PAYLOAD = 256


def beside_the_floor(tools, times, clients, window):
    with tools.cluster() as cluster:
        load = ("--clients", clients, "--window", window, "--seconds", SECONDS)
        return interleaved(times, lambda: cluster.bench(*load), lambda: tools.floor(clients, window, SECONDS))


def window_1(tools):
    ours, floor = beside_the_floor(tools, 5, 1, 1)
    p50, p99 = median(ours, "p50_us"), median(ours, "p99_us")
    ratio = median([a["p50_us"] / b["p50_us"] for a, b in zip(ours, floor)])
    return Found(f"p50 {p50:.0f} us, p99 {p99:.0f} us", "p50 1.3 x the floor's, p99 3 x p50",
                 ratio <= 1.3 and p99 <= 3 * p50,
                 f"p50 {median(floor, 'p50_us'):.0f} us, p99 {median(floor, 'p99_us'):.0f} us", f"{ratio:.2f}")


def window_500(tools):
    ours, floor = beside_the_floor(tools, 3, 5, 500)
    ratio = median([a["ops_s"] / b["ops_s"] for a, b in zip(ours, floor)])
    cpu = median(ours, "cpu_us_per_op")
    return Found(f"{thousands(median(ours, 'ops_s'))}/s at {cpu:.1f} us of CPU", "8 us of CPU", cpu <= 8,
                 f"{thousands(median(floor, 'ops_s'))}/s", f"{ratio:.2f}")


def connections_64(tools):
    ours, floor = beside_the_floor(tools, 3, 64, 1)
    ratio = median([a["ops_s"] / b["ops_s"] for a, b in zip(ours, floor)])
    cpu = median(ours, "cpu_us_per_op")
    return Found(f"{thousands(median(ours, 'ops_s'))}/s at {cpu:.0f} us of CPU", "0.5 x the floor's",
                 ratio >= 0.5, f"{thousands(median(floor, 'ops_s'))}/s", f"{ratio:.2f}")


def reads(tools):
    with tools.cluster() as cluster:
        def asked(clients):
            return cluster.bench("--clients", clients, "--reads", 100, "--seconds", SECONDS)
        many, one = interleaved(3, lambda: asked(64), lambda: asked(1))
    return Found(f"64: {thousands(median(many, 'ops_s'))}/s; 1: p50 {median(one, 'p50_us'):.0f} us",
                 "8 x etcd, 3 x ra; below 109 us", None, note="held against etcd and ra by --peers")


# Batches are as the load makes them: their size is what the device was given between two syncs.
def one_member(tools):
    with tools.cluster(hosts=1) as cluster:
        def ours():
            pid = cluster.hosts[0]["pid"]
            begin, written = device_of(tools.directory), io_of(pid)["wchar"]
            run = cluster.bench("--clients", 5, "--window", 500, "--seconds", SECONDS)
            end = device_of(tools.directory)
            run["batch"] = (io_of(pid)["wchar"] - written) // max(1, end["flushes"] - begin["flushes"])
            return run

        def device(batch):
            line, = tools.lines("quorate", "bench", "disk", "-o", "json", "--batch", batch, "--seconds", 2,
                                "--dir", tools.directory)
            return line["ops_s"] * batch / 1e6

        pairs = []
        for _ in range(3):
            run = ours()
            pairs.append((run["ops_s"] * run["payload"] / 1e6, device(run["batch"]), run["batch"]))
    share = median([a / b for a, b, _ in pairs])
    return Found(f"{median([p[0] for p in pairs]):.0f} MB/s of payload", "0.4 x the device's", share >= 0.4,
                 f"{median([p[1] for p in pairs]):.0f} MB/s", f"{share:.2f}",
                 f"batches of {thousands(median([p[2] for p in pairs]))} bytes")


# What a group does at a time costs it the same for one command or for many: so with few unanswered in each, and with
# more, against what one group takes at its best.
def groups_1000(tools):
    with tools.cluster() as cluster:
        def ours(groups, clients):
            return cluster.bench("--clients", clients, "--window", 4000, "--groups", groups, "--seconds", SECONDS)
        few, more, one = interleaved(3, lambda: ours(1000, 5), lambda: ours(1000, 40), lambda: ours(1, 5))
    def ratio(many):
        return median([a["ops_s"] / b["ops_s"] for a, b in zip(many, one)])
    return Found(f"{thousands(median(few, 'ops_s'))}/s; {thousands(median(more, 'ops_s'))}/s", "0.7 x one group's",
                 ratio(more) >= 0.7, f"{thousands(median(one, 'ops_s'))}/s (1 group)",
                 f"{ratio(few):.2f}; {ratio(more):.2f}", "20 commands of each group unanswered; 160")


def counters(tools, cluster):
    return time.monotonic_ns(), device_of(tools.directory)["bytes"], cluster.written_bytes()


# What reaches the device for each byte of payload in steady state: the files are used again, snapshots are taken
# (the machine's state is small), and what is left of old files settles. Small files, so that this begins soon.
def amplification(tools):
    with tools.cluster(wal__file_size="16MiB") as cluster:
        cluster.create_group("g")
        with cluster.loaded("g", cluster.leader("g")) as load:
            cluster.run_on(12)
            begin, device, hosts = counters(tools, cluster)
            cluster.run_on(12)
            end, device_then, hosts_then = counters(tools, cluster)
    commands = rate(load, begin, end)
    payload = commands * PAYLOAD * (end - begin) / 1e9
    asked = max((hosts_then[name] - hosts[name]) / payload for name in hosts)
    done = (device_then - device) / payload / len(hosts)
    tools.tell({"system": "quorate", "workload": "amplification", "members": 3, "ops_s": commands,
                "device_per_payload": done, "written_per_payload": asked})
    return Found(f"{done:.2f} device bytes per payload byte", "1.5", done <= 1.5,
                 note=f"at {thousands(commands)}/s, everybody's writes to the device included; the hosts' own "
                      f"write calls: {asked:.2f}")


ROWS = [
    Row("window1", "one client, window 1", window_1),
    Row("window500", "one group, 5 clients x window 500", window_500),
    Row("connections64", "64 connections, window 1 each", connections_64),
    Row("reads", "linearizable reads, 64 clients and one", reads),
    Row("device", "one host, one member, against the raw device", one_member),
    Row("groups1000", "1,000 active groups against one", groups_1000),
    Row("amplification", "device bytes per payload byte", amplification),
]

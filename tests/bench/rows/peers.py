"""Other systems beside ours: etcd and ra, as Debian packages them, on the same machine in the same run.

The packages are fetched and unpacked into the build's folder, not installed: nothing of the machine changes, and none
of their services starts. What can not be had is said ("absent"), and its rows with it."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

from .cluster import Failed, first_to_end
from .report import median, thousands

PACKAGES = {"etcd": ["etcd-server"], "ra": ["erlang-base", "erlang-crypto", "rabbitmq-server"]}
SECONDS = 3
TIMES = 3


class Absent(Exception):
    """A package that can not be had here."""


def unpacked(build, system):
    """The folder with a system's packages in it."""
    root = pathlib.Path(build).resolve() / "peers" / system
    if root.is_dir():
        return root
    aside = root.with_name(root.name + ".new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for package in PACKAGES[system]:
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise Absent(package)
        got = subprocess.run(["apt-get", "download", "-qq", package], cwd=aside, capture_output=True, text=True)
        files = list(aside.glob(package + "_*.deb"))
        if got.returncode != 0 or not files:
            raise Absent(package)
        subprocess.run(["dpkg-deb", "-x", files[0], aside], check=True)
        files[0].unlink()
    aside.rename(root)
    return root


def free_ports(count):
    with contextlib.ExitStack() as open_ones:
        sockets = [open_ones.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def programs(directory, commands, environment=None):
    """Runs them beside each other until the body ends; what they say is in files there."""
    directory.mkdir(parents=True)
    running = []
    try:
        for number, command in enumerate(commands):
            with (directory / f"{number}.log").open("w") as said:
                running.append(subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL,
                                                cwd=directory, env={**os.environ, **(environment or {})}))
        yield running
    finally:
        for one in running:
            one.kill()
        for one in running:
            one.wait()
        shutil.rmtree(directory)


def retry(attempt, seconds, what, running):
    """Tries until it succeeds. Failed when time is over, or when one of the programs that it needs ends."""
    end = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except (subprocess.CalledProcessError, Failed) as problem:
            ended = first_to_end([one.pid for one in running], 0.5)
            if ended or time.monotonic() > end:
                raise Failed(f"{what} did not come up: {problem}") from problem


# ---- etcd -----------------------------------------------------------------------------------------

@contextlib.contextmanager
def etcd(tools):
    """Three members; gives how to load them."""
    server = unpacked(tools.build, "etcd") / "usr/bin/etcd"
    directory = tools.directory / "etcd"
    ports = free_ports(6)
    clients, peers = [[f"http://127.0.0.1:{port}" for port in some] for some in (ports[:3], ports[3:])]
    everybody = ",".join(f"n{i}={url}" for i, url in enumerate(peers))
    commands = [[server, "--name", f"n{i}", "--data-dir", f"{directory}/n{i}", "--initial-cluster", everybody,
                 "--initial-cluster-state", "new", "--listen-client-urls", clients[i],
                 "--advertise-client-urls", clients[i], "--listen-peer-urls", peers[i],
                 "--initial-advertise-peer-urls", peers[i], "--logger", "zap", "--log-level", "error"]
                for i in range(3)]
    endpoints = [word for url in clients for word in ("--endpoint", url.removeprefix("http://"))]

    def load(workload, count, connections=8, seconds=SECONDS, tell=True):
        said = json.loads(tools.run("etcd_load", *endpoints, "--clients", count, "--workload", workload,
                                    "--connections", connections, "--seconds", seconds))
        if tell:
            tools.tell(said)
        return said

    with programs(directory, commands) as running:
        retry(lambda: load("put", 1, 8, 0.2, False), 30, "etcd", running)
        yield load


# ---- ra -------------------------------------------------------------------------------------------

@contextlib.contextmanager
def ra(tools):
    """Three Erlang nodes with a member each; gives how to load them from a fourth."""
    root = unpacked(tools.build, "ra")
    erlang = root / "usr/lib/erlang"
    plugins = next(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins"))
    directory = tools.directory / "ra"
    beams = tools.directory / "ra-beams"
    beams.mkdir(exist_ok=True)
    code = [str(path) for name in ("ra", "aten", "gen_batch_server", "seshat")
            for path in plugins.glob(f"{name}-[0-9]*/ebin")] + [str(beams)]
    port, = free_ports(1)
    # As bin/erl would set them, had it been installed where it was built for.
    environment = {"ROOTDIR": str(erlang), "BINDIR": str(next(erlang.glob("erts-*/bin"))), "EMU": "beam",
                   "PROGNAME": "erl", "ERL_EPMD_PORT": str(port), "ERL_EPMD_ADDRESS": "127.0.0.1",
                   "HOME": str(tools.directory), "ERL_CRASH_DUMP": "/dev/null"}
    erlexec = environment["BINDIR"] + "/erlexec"
    source = pathlib.Path(__file__).resolve().parent.parent / "ra_load.erl"
    compiles = f'{{ok, _}} = compile:file("{source}", [{{outdir, "{beams}"}}]), halt(0).'
    subprocess.run([erlexec, "-noinput", "-pa", *code, "-eval", compiles], check=True, capture_output=True,
                   env={**os.environ, **environment})
    nodes = [f"quorate-bench-{i}@127.0.0.1" for i in range(3)]

    def erl(name, function, *words):
        return [erlexec, "-noinput", "-start_epmd", "false", "-name", name, "-setcookie", "bench",
                "-pa", *code, "-s", "ra_load", function, "-extra", *map(str, words)]

    def said_by(function, *words):
        done = subprocess.run(erl("quorate-bench-load@127.0.0.1", function, *words), text=True, timeout=120,
                              capture_output=True, env={**os.environ, **environment})
        if done.returncode != 0:
            raise Failed(f"ra_load {function}: {done.stderr.strip()[-300:] or done.stdout.strip()[-300:]}")
        return done.stdout

    def load(workload, clients, window=1):
        said = json.loads(said_by("load", workload, clients, window, 256, SECONDS, *nodes).splitlines()[-1])
        tools.tell(said)
        return said

    epmd = environment["BINDIR"] + "/epmd"
    with programs(tools.directory / "epmd", [[epmd, "-port", str(port)]], environment):
        members = [erl(node, "member", directory / f"n{i}") for i, node in enumerate(nodes)]
        with programs(directory, members, environment):
            said_by("form", *nodes)
            yield load


# ---- beside ours ----------------------------------------------------------------------------------

OTHERS = ("etcd", "ra")


def best(runs):
    return max(runs, key=lambda run: run["ops_s"])


def ours(*words):
    return lambda cluster: cluster.bench("--seconds", SECONDS, *words)


# As the table's rows are named. Of window500 the others' best over their own widths.
WORKLOADS = {
    "window1": {
        "quorate": ours(),
        "etcd": lambda load: load("put", 1),
        "ra": lambda load: load("pipeline", 1, 1)},
    "window500": {
        "quorate": ours("--clients", 5, "--window", 500),
        "etcd": lambda load: best([load("put", 256), load("put", 1024)]),
        "ra": lambda load: best([load("pipeline", 1, 1024), load("pipeline", 5, 500)])},
    "connections64": {
        "quorate": ours("--clients", 64),
        "etcd": lambda load: load("put", 64, 64),
        "ra": lambda load: load("write", 64)},
    "shared64": {
        "quorate": ours("--clients", 8, "--window", 8),  # as many connections as etcd's
        "etcd": lambda load: load("put", 64),
        "ra": lambda load: load("write", 64)},
    "read1": {
        "quorate": ours("--reads", 100),
        "etcd": lambda load: load("range", 1),
        "ra": lambda load: load("read", 1)},
    "reads64": {
        "quorate": ours("--reads", 100, "--clients", 8, "--window", 8),
        "etcd": lambda load: load("range", 64),
        "ra": lambda load: load("read", 64)},
}


def cell(run):
    return f"{thousands(run['ops_s'])}/s  p50 {thousands(run['p50_us'])} us"


def quorate(tools):
    return tools.cluster()


SYSTEMS = {"quorate": quorate, "etcd": etcd, "ra": ra}


# Each system up alone, in turn, all of it TIMES times: the runs by workload and system, and what is absent.
def measured(tools, workloads):
    runs, absent = {}, {}
    for _ in range(TIMES):
        for name, system in SYSTEMS.items():
            if name in absent:
                continue
            try:
                with system(tools) as it:
                    for workload in workloads:
                        runs.setdefault((workload, name), []).append(WORKLOADS[workload][name](it))
            except Absent as package:
                absent[name] = f"absent: {package}"
    return runs, absent


def compare(tools, workloads):
    """A line for each workload: ours, every other system's, and how many times as many operations ours are."""
    runs, absent = measured(tools, workloads)
    found = {which: {key: median(each, key) for key in ("ops_s", "p50_us")} for which, each in runs.items()}
    yield "".join(word.ljust(width) for word, width in zip(
        ("WORKLOAD", "QUORATE", "ETCD", "x", "RA", "x"), (15, 30, 30, 8, 30, 8)))
    for workload in workloads:
        mine = found[workload, "quorate"]
        text = workload.ljust(15) + cell(mine).ljust(30)
        for name in OTHERS:
            if name in absent:
                text += absent[name].ljust(38)
            else:
                other = found[workload, name]
                text += cell(other).ljust(30) + f"{mine['ops_s'] / other['ops_s']:.1f}".ljust(8)
        yield text.rstrip()

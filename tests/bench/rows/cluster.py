"""Hosts for a measurement: real `quorated` processes of `quorate dev`, in a directory of their own."""

import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import time

# What `quorate dev` sets for comfort, as a host has it by default.
NOT_OF_DEV = ("raft.election_timeout", "raft.heartbeat_interval", "wal.file_size")


SLICE = 100_000_000  # ns, of a load's report


class Failed(Exception):
    """A row that could not be measured, and why."""


def variable(key):
    """raft.election_timeout -> QUORATE_RAFT__ELECTION_TIMEOUT"""
    return "QUORATE_" + key.upper().replace(".", "__")


class Tools:
    """The programs of one build, and where the clusters' data lies."""

    def __init__(self, build, directory, tell):
        self.build = pathlib.Path(build)
        self.directory = pathlib.Path(directory)
        self.tell = tell  # called with each measured run, as a dictionary
        self.clusters = 0

    def path(self, name):
        folder = "bin" if name in ("quorate", "quorated") else "tests/bench"
        return str(self.build / folder / name)

    def run(self, name, *arguments, environment=None, timeout=300):
        done = subprocess.run([self.path(name), *map(str, arguments)], capture_output=True, text=True,
                              timeout=timeout, env={**os.environ, **(environment or {})})
        if done.returncode != 0:
            raise Failed(f"{name} {' '.join(map(str, arguments))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def lines(self, name, *arguments, **how):
        """What a program says in JSON lines, told on."""
        told = [json.loads(line) for line in self.run(name, *arguments, **how).splitlines()]
        for line in told:
            self.tell(line)
        return told

    def floor(self, clients, window, seconds=3):
        """The floor with so many connections, and so much outstanding over them all."""
        line, = self.lines("floor", "--connections", clients, "--window", clients * window,
                           "--seconds", seconds, "--dir", self.directory)
        return line

    def defaults(self):
        """Every key's default, of this build."""
        words = (line.split() for line in self.run("quorated", "--keys").splitlines())
        return {w[0]: w[w.index("default") + 1].strip('"') for w in words if "default" in w}

    @contextlib.contextmanager
    def cluster(self, hosts=3, **settings):
        """A cluster with a daemon's defaults and these settings ("raft.cache_bytes" as raft__cache_bytes)."""
        self.clusters += 1
        defaults = self.defaults()
        wanted = {key: defaults[key] for key in NOT_OF_DEV}
        wanted.update({key.replace("__", "."): value for key, value in settings.items()})
        cluster = Cluster(self, self.directory / f"cluster-{self.clusters}", hosts,
                          {variable(key): str(value) for key, value in wanted.items()})
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.end()


class Cluster:
    def __init__(self, tools, directory, hosts, settings):
        self.tools = tools
        self.count = hosts
        self.environment = {"QUORATE_DEV_DIR": str(directory), **settings}
        self.hosts = []
        self.up = False

    def quorate(self, *arguments, timeout=300):
        return self.tools.run("quorate", *arguments, environment=self.environment, timeout=timeout)

    def answer(self, *arguments):
        return json.loads(self.quorate(*arguments, "-o", "json"))["data"]

    def start(self):
        """Also what was killed: the directory is taken up as it lies there."""
        known = ["--hosts", self.count] if not self.up else []
        self.quorate("dev", "up", "--empty", *known)
        self.up = True
        self.look()

    def look(self):
        self.hosts = self.answer("dev", "status")

    def end(self):
        if not self.up:
            return
        for host in self.hosts:
            with contextlib.suppress(ProcessLookupError):
                os.kill(host["pid"], signal.SIGCONT)
        self.quorate("dev", "down")
        self.up = False

    def bench(self, *arguments, tell=True, timeout=300):
        """One run of `quorate bench`; it proves itself what it says, or fails."""
        line = json.loads(self.quorate("bench", "-o", "json", *arguments, timeout=timeout))
        if tell:
            self.tools.tell(line)
        return line

    def background_bench(self, *arguments):
        return subprocess.Popen([self.tools.path("quorate"), "bench", "-o", "json", *map(str, arguments)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**os.environ, **self.environment})

    def create_group(self, name):
        plugin = self.tools.build / "plugins" / "bench.so"
        self.quorate("plugin", "install", plugin)
        self.quorate("group", "create", name, "--plugin", "quorate.bench")

    def members(self, group):
        return self.answer("group", "show", group)

    def leader(self, group):
        """The host that leads; waits for one."""
        def leading():
            names = [member["host"] for member in self.members(group) if member.get("role") == "leader"]
            return next((host for host in self.hosts if host["name"] in names), None)

        if found := self.wait_until(leading, 30):
            return found
        raise Failed(f"nobody leads {group}")

    def run_on(self, seconds):
        """Lets the hosts that are up run for so long. Failed at once if one of them ends meanwhile."""
        if ended := first_to_end([host["pid"] for host in self.hosts], seconds):
            raise Failed(f"the host with process {ended} has ended")

    def wait_until(self, condition, seconds):
        """What the condition gives, once that is true; None if the time is over before."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() >= end:
                return None
            self.run_on(0.05)
        return found

    def probe(self, verb, group, *arguments, first=None, timeout=300):
        """tests/bench/probe, with the endpoint of host `first` before the others'."""
        order = sorted(self.hosts, key=lambda host: host is not first)
        endpoints = [word for host in order for word in ("--endpoint", host["client"])]
        return json.loads(self.tools.run("probe", verb, *endpoints, "--group", group, *arguments,
                                         timeout=timeout))

    @contextlib.contextmanager
    def loaded(self, group, leader):
        """Full load on a group while the body runs; what it gives tells of it afterwards."""
        command = [self.tools.path("probe"), "load", "--endpoint", leader["client"], "--group", group,
                   "--window", "2500"]
        load = Load()
        program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield load
        finally:
            said, _ = program.communicate()
        told = json.loads(said)
        load.slices = [(told["begin_ns"] + (i + 1) * SLICE, count * 1e9 / SLICE)
                       for i, count in enumerate(told["acknowledged"])]

    def wait_until_level(self, group, timeout=60):
        """Until every member has applied the same, and the leader commits nothing more."""
        def level():
            members = self.members(group)
            return len({member.get("appliedIndex", host) for host, member in enumerate(members)}) == 1

        if not self.wait_until(level, timeout):
            raise Failed(f"the members of {group} are not level after {timeout} s")

    def written_bytes(self):
        """What each host has written to files since it began. The kernel's write_bytes are more than reaches the
        device: a write that touches a part of a large folio counts as the whole of it."""
        return {host["name"]: io_of(host["pid"])["wchar"] for host in self.hosts}


class Load:
    """A load that is over: when each slice ended, in ns of the monotonic clock, and how many a second it had."""
    slices = ()


def rate(load, begin, end):
    """Commands a second from begin to end; None: from or to where the load was under way."""
    inside = [each for at, each in load.slices[5:-5]
              if (begin is None or at - SLICE >= begin) and (end is None or at <= end)]
    if not inside:
        raise Failed("too few slices of the load to say how fast it was")
    return sum(inside) / len(inside)


def first_to_end(pids, seconds):
    """The first of these processes that ends within so many seconds, or None. Those that have ended do not count."""
    with contextlib.ExitStack() as at_the_end:
        ends, process = select.poll(), {}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(pid)
                at_the_end.callback(os.close, handle)
                ends.register(handle, select.POLLIN)
                process[handle] = pid
        for handle, _ in ends.poll(0):
            ends.unregister(handle)
        ended = ends.poll(seconds * 1000)
        return process[ended[0][0]] if ended else None


def io_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/io").read_text().splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid):
    fields = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def device_of(directory):
    """Bytes written to the device under a directory, and its flushes: one a sync."""
    number = os.stat(directory).st_dev
    for line in pathlib.Path("/proc/diskstats").read_text().splitlines():
        fields = line.split()
        if (int(fields[0]), int(fields[1])) == (os.major(number), os.minor(number)):
            return {"bytes": int(fields[9]) * 512, "flushes": int(fields[18])}
    raise Failed(f"the kernel counts nothing of the device under {directory}")

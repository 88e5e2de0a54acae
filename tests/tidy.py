#!/usr/bin/env python3
"""The rules of the house that a script can check: arrows between folders, file and function sizes,
banned words. Prints one line per breach and exits 1 if there is any."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# A folder may include only headers of these (and its own). The longest matching prefix decides.
ARROWS = {
    "host/base": [],
    "host/raft": ["host/base"],
    "storage": ["host/base", "host/raft"],
    "sdk": [],
    "host/machine": ["host/base", "quorate"],
    "host/group": ["host/base", "host/raft", "host/machine", "storage"],
    "rpc/schema": [],
    "rpc/loop": ["host/base"],
    "rpc": ["host/base", "host/raft", "host/machine", "host/group", "rpc/loop", "rpc/schema"],
    "rpc/client": ["host/base", "rpc/loop", "rpc/schema"],
    "rpc/bench": ["host/base", "rpc/client", "plugins/bench/protocol.hpp"],
    "rpc/cli": ["host/base", "rpc/loop", "rpc/schema", "rpc/client", "rpc/bench"],
    "host/daemon": ["host", "storage", "rpc"],
    "plugins": ["quorate", "plugins"],
    "samples": ["quorate", "rpc/client", "plugins/kv/protocol.hpp"],
}
# Third-party headers that only these folders may name.
ONLY_IN = {
    "wiredtiger.h": ["storage"],
    "kj/": ["rpc", "tests/rpc", "tests/client", "tests/bench"],
    "capnp/": ["rpc", "tests/rpc", "tests/client", "tests/bench"],
    "boost/asio": ["rpc", "host/daemon", "tests"],
    "boost/dll": ["host/machine"],
    "toml++": ["host/daemon", "rpc/cli"],
    "CLI/": ["host/daemon", "rpc/cli", "tests", "samples"],
    "spdlog/": ["host/daemon"],
}
# Documents that show a whole source, as it is built and tested.
SHOWN = {"README.md": "samples/counter/counter.cpp",
         "docs/guides/write-a-plugin.md": "samples/counter/counter.cpp"}
MAX_FILE, MAX_HEADER_LINE = 800, 110
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def folder_of(path, folders):
    best = ""
    for folder in folders:
        if path.startswith(folder + "/") and len(folder) > len(best):
            best = folder
    return best


def sources():
    names = subprocess.run(["git", "ls-files", "*.cpp", "*.hpp", "*.h"], cwd=ROOT, text=True,
                           capture_output=True, check=True).stdout.split()
    return [name for name in names if (ROOT / name).exists()]


def check_includes(name, number, line, report):
    found = INCLUDE.match(line)
    if not found:
        return
    target = found.group(2)
    for prefix, allowed in ONLY_IN.items():
        if target.startswith(prefix) and not any(name.startswith(a + "/") for a in allowed):
            report(name, number, f"<{target}> may be named only in {', '.join(allowed)}")
    folder = folder_of(name, ARROWS)
    if found.group(1) == '"' and folder:
        home = folder_of(target, list(ARROWS) + ["tests", "host"]) or target.split("/")[0]
        ok = target.startswith(folder + "/") or any(
            target == a or target.startswith(a + "/") for a in ARROWS[folder])
        if home and not ok and "/" in target:
            report(name, number, f"{folder} must not include {target} (ARCHITECTURE.md, Arrows)")


def check(name, report):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    if len(lines) > MAX_FILE:
        report(name, len(lines), f"{len(lines)} lines; {MAX_FILE} is the limit: split it by role")
    for number, line in enumerate(lines, 1):
        check_includes(name, number, line, report)
        if re.search(r"\b(FIXME|XXX|HACK)\b", line):
            report(name, number, "banned word")
        if len(line) > MAX_HEADER_LINE:
            report(name, number, f"line of {len(line)} characters")
        if re.search(r"std::(recursive_|shared_)?mutex\b", line) and name != "host/base/mailbox.hpp" \
                and name.startswith(("host/", "rpc/", "storage/")):
            report(name, number, "mutexes live in host/base/mailbox.hpp only (docs/decisions)")


def check_shown(document, source, report):
    if (ROOT / source).read_text(encoding="utf-8") not in (ROOT / document).read_text(encoding="utf-8"):
        report(document, 1, f"shows {source}, but not as it is")


def main():
    breaches = []
    for document, source in SHOWN.items():
        check_shown(document, source, lambda *breach: breaches.append(breach))
    for name in sources():
        check(name, lambda *breach: breaches.append(breach))
    for name, number, text in breaches:
        print(f"{name}:{number}: {text}")
    print(f"tidy: {len(breaches)} breaches" if breaches else "tidy: the house is in order")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())

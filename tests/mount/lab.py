# SPDX-License-Identifier: MIT
"""More ways to mount, to walk and to read the simulator's log."""

import json
import os
import subprocess
import urllib.request
from urllib.parse import parse_qsl, urlsplit

from harness import CDRFS, CDRFS_SIM, NOW, PATIENCE_S, Sim

PAGING = {"limit", "offset"}
WINDOW = {"end_time__gte", "end_time__lt"}


class RunningSim(Sim):
    """A simulator whose clock runs, from that moment on."""

    def __init__(self, counts, now=NOW):  # pylint: disable=super-init-not-called
        days = ",".join(f"{name}={n}" for name, n in counts.items())
        self.process = subprocess.Popen(
            [CDRFS_SIM, "--exit-on-eof", "--now", now, "--calls", "0", "--day-counts", days],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.info = json.loads(self.process.stdout.readline())
        self.auth_id, self.token = self.info["auth_id"], self.info["auth_token"]
        self.api_url = self.info["api_url"]
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def foreground(mount):
    """Starts a mount made with start=False in such a way that mount.output() has its log."""
    mount.path.mkdir(parents=True, exist_ok=True)
    mount.start_in_foreground(CDRFS, "-f", "-o", mount.options, mount.path)
    mount.follow()
    mount.sim.wait(idle=1)
    mount.sim.clear_log()
    return mount


def log_lines(mount, *words):
    """The lines of a foreground mount's log that have all these words."""
    lines = mount.output().decode().split("\n")[:-1]
    return [line for line in lines if all(word in line for word in words)]


def find(path, *tests):
    """What find(1) prints for path, sorted, below it and without errors."""
    done = subprocess.run(["find", path, *tests], check=True, capture_output=True, text=True,
                          timeout=PATIENCE_S)
    assert done.stderr == ""
    return sorted(os.path.relpath(line, path) for line in done.stdout.splitlines())


def params(entry):
    """The arguments of a logged request."""
    return dict(parse_qsl(urlsplit(entry["url"]).query, keep_blank_values=True))


def filters(entry):
    """Those arguments of it that are neither paging nor the window."""
    return {k: v for k, v in params(entry).items() if k not in PAGING | WINDOW}


def is_list(entry):
    return urlsplit(entry["url"]).path.endswith("/Call/")


def gaps(log):
    """The seconds between the requests of a log."""
    return [b["t"] - a["t"] for a, b in zip(log, log[1:])]


def most_within(log, seconds):
    """The most requests of a log that came within so many seconds."""
    times, first, most = [entry["t"] for entry in log], 0, 0
    for last, t in enumerate(times):
        while t - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def absent_calls(n):
    """Names that calls could have, and none has."""
    return (f"{i:08x}-0000-4000-8000-000000000000.json" for i in range(n))


def ask_for(spawn, mount, names):
    """Processes that list those days."""
    return [spawn("ls", "-U", mount.day(name)) for name in names]


def memory_kb(mount):
    """What the process that serves the mount holds in memory."""
    with open(f"/proc/{mount.pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmRSS:")).split()[1])

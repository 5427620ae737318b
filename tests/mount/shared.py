# SPDX-License-Identifier: MIT
"""What tests of many hosts ask of them."""

import concurrent.futures
import os
import re
import subprocess
import time

from harness import PATIENCE_S, day

DAYS = {day(n): 45 + n for n in (3, 30, 9, 60)}  # which nobody takes for a walk, and reads ahead


def status(mount, name="shared tier"):
    """A line of the status."""
    text = (mount / ".cdrfs/status").read_text()
    return re.search(f"^{name}: (.*)$", text, re.M).group(1)


def until(holds, *what):
    """Returns what holds() does once that is true."""
    end = time.monotonic() + PATIENCE_S
    while not (result := holds()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return result


def wait_for(mount, *words, name="shared tier"):
    """Until that line of the status has all the words."""
    end = time.monotonic() + PATIENCE_S
    while not all(word in (line := status(mount, name)) for word in words):
        assert time.monotonic() < end, (words, line)
        time.sleep(0.02)


def published(*mounts):
    """Until the tier has been given all that these hosts have."""
    for mount in mounts:
        wait_for(mount, ", 0 still to publish; 0 windows leased", name="shared calls")


def metric(mount, name):
    text = (mount / ".cdrfs/metrics").read_text()
    return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))


def at_once(function, *rows):
    with concurrent.futures.ThreadPoolExecutor(len(rows[0])) as pool:
        return list(pool.map(function, *rows))


def pages(*counts):
    """The requests that days of so many calls cost."""
    return sum(max(1, -(-n // 20)) for n in counts)


def listing(path):
    """A process that lists a directory, so that a test that hangs can end it."""
    return subprocess.Popen(["ls", "-U", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"})


def listed(process):
    """What it found, sorted."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    return sorted(out.split())


def all_the_same(sim, mounts, names):
    """Nothing lost, nothing doubled, nothing short, on any host."""
    for name in names:
        whole = sim.names(name)
        for mount in mounts:
            assert sorted(os.listdir(mount.day(name))) == whole

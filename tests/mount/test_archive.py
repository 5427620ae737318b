# SPDX-License-Identifier: MIT
"""The past outlives the API, as long as it is wished for; and nothing is lost while calls arrive."""

import os
import time

from expect import error_of, render
from harness import NOW, PATIENCE_S, day

EDGE, OLD = day(89), day(60)


def move(sim, days):
    sim.clock(now=f"{day(-days)} 12:00:00")


def test_calls_the_api_has_forgotten_stay(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    first = mount_of(sim)
    names, rows = first.ls(OLD), sim.oracle(OLD)
    inodes = {n: os.stat(first.day(OLD) / n).st_ino for n in names}
    first.unmount()
    move(sim, 40)
    mount = mount_of(sim, cache=first.cache)
    sim.clear_log()
    assert mount.ls(OLD) == names and OLD in os.listdir(mount / "by-date")
    assert mount.ls(OLD, "inbound") == [n for n in names if b'"inbound"' in
                                        (mount.day(OLD) / n).read_bytes()]
    for row in rows:
        path = mount.day(OLD) / f"{row['call_uuid']}.json"
        assert path.read_bytes() == render(row["raw"])
        assert os.stat(path).st_ino == inodes[path.name]
    assert sim.requests() == 0
    assert error_of(os.listdir, mount.day(day(61))) == "ENODATA"


def test_the_day_at_the_edge_is_not_overwritten_by_its_remainder(sim_of, mount_of):
    sim = sim_of({EDGE: 60})
    first = mount_of(sim)
    names = first.ls(EDGE)
    assert len(names) == 60
    first.unmount()
    sim.clock(now=f"{day(-1)} 15:00:00")  # the API has dropped part of that day by now
    mount = mount_of(sim, cache=first.cache)
    (mount / ".cdrfs" / "refresh").write_text("/")
    assert mount.ls(EDGE) == names


def test_keep_days_drops_what_is_older(sim_of, mount_of):
    sim = sim_of({OLD: 1200, day(59): 20})
    first = mount_of(sim)
    assert len(first.ls(OLD)) == 1200
    names = first.ls(day(59))
    first.unmount()
    move(sim, 40)  # they are now 100 and 99 days old
    mount = mount_of(sim, cache=first.cache, keep_days=99)
    until = time.monotonic() + PATIENCE_S
    while error_of(os.listdir, mount.day(OLD)) != "ENODATA" and time.monotonic() < until:
        pass  # a few hundred calls at a time, and the kernel keeps a directory for a second
    assert error_of(os.listdir, mount.day(OLD)) == "ENODATA"
    assert OLD not in os.listdir(mount / "by-date")
    assert mount.ls(day(59)) == names
    assert os.statvfs(mount.path).f_files == 20


def ended(sim, ago):
    """The names of a day's calls that have ended by the simulator's clock, sorted."""
    return sorted(f"{r['call_uuid']}.json" for r in sim.oracle(day(ago)) if r["end_time"] <= NOW)


def test_nothing_is_lost_or_doubled_while_forty_calls_a_second_arrive(sim_of, mount_of):
    sim = sim_of({day(0): 300, day(1): 100})
    mount = mount_of(sim, ttl=0)
    sim.config(latency_ms=40)  # more than one arrives between any two pages
    least = len(ended(sim, 0)) + 100
    sim.arrivals(40, late_max_s=60)
    try:
        while len(ended(sim, 0)) < least:
            before = set(ended(sim, 0)) | set(ended(sim, 1))
            seen = [n for d in (0, 1) for n in os.listdir(mount.day(day(d)))]
            assert len(seen) == len(set(seen))
            assert before <= set(seen)
    finally:
        sim.arrivals(0)
    for d in (0, 1):
        assert mount.ls(day(d)) == ended(sim, d)
    assert len(mount.ls(day(0))) >= least

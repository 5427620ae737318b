# SPDX-License-Identifier: MIT
"""A walk through the dates is read ahead: it costs no more requests than its calls fill pages."""

import csv
import io
import os
import subprocess

import pytest

from expect import error_of
from harness import PATIENCE_S, day
from lab import find, params

DAYS = [day(ago) for ago in range(89, 0, -1)]  # today is not over


def most(calls):
    return -(-calls // 20) + 10


def windows(log):
    return {(params(e)["end_time__gte"], params(e)["end_time__lt"]) for e in log}


@pytest.mark.parametrize("counts", [
    {}, {name: 1 for name in DAYS}, {name: 7 for name in DAYS}, {name: 20 for name in DAYS},
    {name: 21 for name in DAYS}, {DAYS[44]: 407}, {name: 30 for name in DAYS[::3]}])
@pytest.mark.parametrize("view", ["by-date", "by-direction/outbound"])
def test_a_walk_over_ninety_days_costs_few_requests(sim_of, mount_of, counts, view):
    sim = sim_of(counts)
    mount = mount_of(sim, settle=0)
    found = find(mount / view, "-type", "f")
    match = {"call_direction": "outbound"} if "outbound" in view else {}
    names = sorted(n for name in counts for n in sim.names(name, **match))
    assert sorted(map(os.path.basename, found)) == names
    assert sim.requests() <= most(len(names))
    sim.clear_log()
    assert find(mount / view, "-type", "f") == found and sim.requests() == 0


def test_backwards_costs_no_more(sim_of, mount_of):
    sim = sim_of({name: 3 for name in DAYS})
    mount = mount_of(sim, settle=0)
    for name in reversed([*DAYS, day(0)]):
        assert mount.ls(name) == sim.names(name)
    assert sim.requests() <= most(3 * 89)


def test_what_is_read_ahead_keeps_the_connections_busy(sim_of, mount_of):
    sim = sim_of({name: 45 for name in DAYS})
    mount = mount_of(sim, settle=0)
    sim.config(latency_ms=20)
    find(mount / "by-date")
    assert sim.requests() <= most(45 * 89) and sim.stats()["max_in_flight"] == 8


def test_days_here_and_there_are_not_read_ahead(sim_of, mount_of):
    sim = sim_of({name: 7 for name in DAYS})
    mount = mount_of(sim)
    for ago in (50, 20, 70, 30, 60):
        mount.ls(day(ago))
    assert sim.requests() == 5 and len(windows(sim.log())) == 5


def test_one_who_stops_walking_costs_one_piece_at_the_most(sim_of, mount_of):
    sim = sim_of({name: 7 for name in DAYS})
    mount = mount_of(sim)
    for name in DAYS[:3]:
        mount.ls(name)
    sim.wait(idle=1, requests=5)
    assert sim.requests() == 3 + 2  # the days, and 28 calls of the next four


def test_a_person_goes_before_what_is_read_ahead(sim_of, mount_of):
    """With two connections and everything ahead stalled, a request still finds its way: it is not
    behind the pages that were queued before it."""
    sim = sim_of({**{name: 400 for name in DAYS[:10]}, DAYS[50]: 5})
    mount = mount_of(sim, connections=1, rate=20)
    for name in DAYS[:3]:
        mount.ls(name)
    assert mount.ls(DAYS[50]) == sim.names(DAYS[50])
    log = sim.log()
    place = next(i for i, e in enumerate(log) if DAYS[50] in e["url"])
    assert place < 3 * 20 + 3
    for name in DAYS[3:5]:
        assert mount.ls(name) == sim.names(name)


def test_csv_of_day_after_day_is_read_ahead_too(sim_of, mount_of):
    sim = sim_of({name: 3 for name in DAYS})
    mount = mount_of(sim, settle=0)
    files = [mount / f"csv/by-date/{name}.csv" for name in DAYS]
    done = subprocess.run(["cat", *files], check=True, capture_output=True, timeout=PATIENCE_S)
    assert len(list(csv.reader(io.StringIO(done.stdout.decode())))) == 89 + 3 * 89
    assert sim.requests() <= most(3 * 89)


def test_a_piece_that_fails_is_an_error_for_its_days_and_whole_later(sim_of, mount_of):
    sim = sim_of({name: 7 for name in DAYS})
    mount = mount_of(sim)
    mount.ls(DAYS[0])
    mount.ls(DAYS[1])
    sim.refuse(404, match=f"gte={DAYS[3]}")
    mount.ls(DAYS[2])
    assert error_of(mount.ls, DAYS[3]) == "EIO"
    sim.mend()
    assert mount.ls(DAYS[3]) == sim.names(DAYS[3])

# SPDX-License-Identifier: MIT
"""What of test_limits.py takes time to be seen: windows of 5 s, pauses, and a million of anything.
Those that make the kernel forget need root."""

import math
import os
import threading
import time

import pytest

from expect import error_of
from harness import HANG_S, PATIENCE_S, day
from lab import absent_calls, gaps, memory_kb, most_within

HELD = day(6)
OTHER = day(7)
COLD = day(8)
ROUGHLY = 0.02  # clocks of two processes, and the way between them
MILLION = 1000000
ROUND = 100000  # so many names before the kernel is made to forget them


def let_live(mount, seconds):
    """A test that takes longer than a mount that hangs is given."""
    mount.watchdog.cancel()
    mount.watchdog = threading.Timer(seconds, mount.kill)
    mount.watchdog.daemon = True
    mount.watchdog.start()


def wait_for(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# --- the rate ---

FAULTS = {
    "nothing wrong": [],
    "5xx": [{"kind": "status", "status": status, "skip": 17 * i, "headers": {"Retry-After": "0"}}
            for i, status in enumerate([500, 502, 503, 504] * 3)],
    "429": [{"kind": "status", "status": 429, "skip": 100, "count": 2,
             "headers": {"Retry-After": "0"}}],
    "connections closed": [{"kind": "close", "skip": 12 * i} for i in range(14)],
    "connections reset": [{"kind": "reset", "skip": 12 * i} for i in range(14)],
    "bodies cut off": [{"kind": "truncate", "skip": 24 * i} for i in range(8)],
}


@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("settings", [{}, {"latency_ms": 150, "jitter_ms": 300}])
def test_no_five_seconds_have_more_than_the_rate_allows(sim_of, mount_of, faults, settings, capsys):
    sim = sim_of({HELD: 4000}, "--rate", 100)
    mount = mount_of(sim, rate=20, deadline=600)
    sim.config(**settings)
    for fault in FAULTS[faults]:
        sim.fault(**fault)
    assert len(mount.ls(HELD)) == 4000
    sim.wait(idle=1)
    log, stats = sim.log(), sim.stats()
    with capsys.disabled():
        print(f"\n{faults} {settings}: at most {stats['max_in_5s']} of 100 in 5 s")
    assert len(log) == 200 + sum(fault.get("count", 1) for fault in FAULTS[faults])
    assert most_within(log, 5) <= stats["max_in_5s"] <= 100
    assert sum(entry["status"] == 429 for entry in log) == (2 if faults == "429" else 0)
    assert stats["max_in_flight"] <= 8


@pytest.mark.parametrize("rate, calls", [(0.5, 100), (0.2, 60), (1.7, 400), (7, 2000)])
def test_no_five_seconds_have_more_than_a_small_rate_allows(sim_of, mount_of, rate, calls):
    sim = sim_of({HELD: calls})
    mount = mount_of(sim, rate=rate, deadline=600)
    assert len(mount.ls(HELD)) == calls
    log = sim.log()
    assert len(log) == calls // 20 and most_within(log, 5) <= max(1, math.floor(5 * rate))
    assert log[-1]["t"] - log[0]["t"] >= (len(log) - 1 - rate / 2) / rate - 0.2
    assert log[-1]["t"] - log[0]["t"] <= 1.5 * len(log) / rate + PATIENCE_S


def between(log, start, end):
    """Requests a second."""
    return sum(start <= entry["t"] < end for entry in log) / (end - start)


@pytest.mark.parametrize("pushes, slower", [(1, 0.85), (3, 0.5)])
def test_the_rate_is_halved_by_each_429_and_regained(sim_of, mount_of, pushes, slower, capsys):
    """At 40/s some 50 good answers regain a half, and 88 seven eighths."""
    sim = sim_of({HELD: 7000})
    mount = mount_of(sim, rate=40, deadline=600)
    sim.fault("status", status=429, skip=120, count=pushes, headers={"Retry-After": "0"})
    assert len(mount.ls(HELD)) == 7000
    log = sim.log()
    pushed = [entry["t"] for entry in log if entry["status"] == 429]
    before = between(log, pushed[0] - 1.5, pushed[0])
    after = between(log, pushed[-1] + 0.02, pushed[-1] + 0.77)
    later = max(between(log, t, t + 1.5) for t in (pushed[-1] + 0.25 * i for i in range(4, 40)))
    with capsys.disabled():
        print(f"\n{pushes} x 429: {before:.0f}/s before, {after:.0f}/s after, {later:.0f}/s later")
    assert len(pushed) == pushes and after <= slower * before and later >= 0.7 * before


def test_the_pauses_after_429_are_longer(sim_of, mount_of):
    sim = sim_of({HELD: 5})
    mount = mount_of(sim)
    sim.fault("status", status=429, count=3)
    assert mount.ls(HELD) == sim.names(HELD)
    assert all(gap >= least - ROUGHLY for gap, least in zip(gaps(sim.log()), (1, 2, 4)))


# --- an API that fails, or refuses ---


def open_the_breaker(sim, mount, expected):
    """Lists until that asks nothing any more."""
    asked = -1
    while sim.requests() != asked:
        asked = sim.requests()
        assert error_of(os.listdir, mount.day(COLD)) == expected
    return asked


@pytest.mark.parametrize("status, expected", [(503, "EIO"), (429, "EBUSY")])
def test_an_api_that_failed_again_and_again_is_probed_and_not_asked(
        sim_of, mount_of, status, expected):
    sim = sim_of({HELD: 45, COLD: 45})
    mount = mount_of(sim)
    names = mount.ls(HELD)
    sim.clear_log()
    sim.refuse(status)
    asked = open_the_breaker(sim, mount, expected)
    assert asked >= 4 * 5
    for view in ("by-date", "by-direction/inbound", "by-from/1", "by-stir/verified", "by-date"):
        for _ in range(10):
            assert error_of(os.listdir, mount / view / COLD) == expected
            assert error_of(os.stat, mount / "by-uuid" / f"x{names[0]}") == expected
    assert mount.ls(HELD) == names and (mount.day(HELD) / names[0]).read_bytes()
    assert sim.requests() - asked <= 2
    # While somebody asks it is probed, after 1, 2, 4 s.
    wait_for(lambda: error_of(os.listdir, mount.day(COLD)) == expected and
             sim.requests() >= asked + 3)
    first, second = gaps(sim.log()[asked:asked + 3])
    assert first >= 2 - ROUGHLY and second >= 4 - ROUGHLY
    sim.mend()
    before = sim.requests()
    wait_for(lambda: error_of(os.listdir, mount.day(COLD)) is None)
    assert mount.ls(COLD) == sim.names(COLD) and sim.requests() - before <= 1 + 3
    assert {entry["status"] for entry in sim.log()[before:]} == {200}


def test_an_api_that_refuses_us_is_left_alone_for_half_a_minute(sim_of, mount_of):
    """Asked once more, since these credentials were good before."""
    sim = sim_of({HELD: 45, COLD: 45})
    mount = mount_of(sim)
    names = mount.ls(HELD)
    sim.clear_log()
    sim.refuse(401)
    assert error_of(os.listdir, mount.day(COLD)) == "EACCES"
    end = time.monotonic() + 30
    while time.monotonic() < end - 1.5:
        assert error_of(os.listdir, mount.day(COLD)) == "EACCES"
        assert error_of(os.stat, mount / "by-uuid" / f"x{names[0]}") == "EACCES"
        assert mount.ls(HELD) == names
        time.sleep(0.1)
    assert sim.requests() == 2
    sim.mend()
    wait_for(lambda: error_of(os.listdir, mount.day(COLD)) is None)
    assert time.monotonic() >= end - 1.5 and mount.ls(COLD) == sim.names(COLD)
    assert sim.requests() == 2 + 3


# --- deadlines ---


def test_the_deadline_is_that_of_one_call_and_not_of_a_listing(sim_of, mount_of):
    """A listing is many calls, each of which brings something."""
    sim = sim_of({COLD: 407})
    mount = mount_of(sim, deadline=2, connections=1)
    sim.config(latency_ms=250)
    start = time.monotonic()
    assert mount.ls(COLD) == sim.names(COLD) and sim.requests() == 21
    assert time.monotonic() - start >= 21 * 0.25


def test_a_file_that_takes_longer_than_the_deadline_comes_nearer_with_each_look_up(sim_of, mount_of):
    sim = sim_of({COLD: 407})
    mount = mount_of(sim, deadline=2, connections=1)
    sim.config(latency_ms=250)
    path = mount / f"ndjson/by-date/{COLD}.ndjson"
    assert error_of(os.stat, path) == "ETIMEDOUT"
    tries = 1
    while error_of(os.stat, path) == "ETIMEDOUT":
        tries += 1
    assert 2 <= tries <= 4 and path.read_bytes().count(b"\n") == 407 and sim.requests() == 21


# --- a million ---


def make_the_kernel_forget():
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as caches:
        caches.write("2")


WHERE = {
    "calls of a held day": (f"by-date/{HELD}", absent_calls), "no calls of a cold day": (
        f"by-date/{COLD}", lambda n: (f"x{i}.txt" for i in range(n))),
    "views": ("", lambda n: (f"x{i}" for i in range(n))),
    "numbers": ("by-from", lambda n: (f"x{i}" for i in range(n))),
}


@pytest.mark.parametrize("what", WHERE)
def test_a_million_absent_names_take_no_memory_and_no_request(sim_of, mount_of, what, capsys):
    sim = sim_of({HELD: 45, COLD: 45})
    mount = mount_of(sim, ttl="1d")
    let_live(mount, 10 * HANG_S)
    mount.ls(HELD)
    sim.clear_log()
    path, names = WHERE[what]
    where, before = os.open(mount / path, os.O_PATH), memory_kb(mount)
    for i, name in enumerate(names(MILLION)):
        assert not os.access(name, os.F_OK, dir_fd=where)
        if i % ROUND == 0:
            make_the_kernel_forget()
    os.close(where)
    with capsys.disabled():
        print(f"\n{what}: {before} KiB before, {memory_kb(mount)} KiB after a million")
    assert memory_kb(mount) - before < 4096 and sim.requests() == 0
    assert len(mount.ls(HELD)) == 45


@pytest.mark.parametrize("axis", ["by-from", "by-bill-duration"])
def test_a_million_directories_are_forgotten_when_the_kernel_does(sim_of, mount_of, axis, capsys):
    sim = sim_of({HELD: 45})
    mount = mount_of(sim, ttl="1d")
    let_live(mount, 10 * HANG_S)
    mount.ls(HELD)
    sim.clear_log()
    where, before, known, left = os.open(mount / axis, os.O_PATH), memory_kb(mount), [], []
    for turn in range(MILLION // ROUND):
        for n in range(turn * ROUND, (turn + 1) * ROUND):
            assert os.access(f"{n}", os.F_OK, dir_fd=where)
        known.append(memory_kb(mount) - before)
        make_the_kernel_forget()
        wait_for(lambda: memory_kb(mount) - before < 16384)
        left.append(memory_kb(mount) - before)
    os.close(where)
    with capsys.disabled():
        print(f"\n{axis}: {before} KiB before, at most {max(known)} more with 100,000 known, "
              f"when they are forgotten {left} more")
    assert max(known) < ROUND and left[-1] <= left[0] + 8192  # less than 1 KiB each
    assert sim.requests() == 0

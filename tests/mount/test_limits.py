# SPDX-License-Identifier: MIT
"""How much is asked of the API, how long anybody waits, and how much memory any of it takes. What
takes more than some seconds is in tests/long/test_limits_slow.py."""

import email.utils
import os
import signal
import time

import pytest

from expect import error_of, render
from harness import NOW, PATIENCE_S, SLOW, day, epoch
from lab import absent_calls, ask_for, gaps, memory_kb, most_within

HELD = day(6)
OTHER = day(7)
COLD = day(8)
STALLED = [day(ago) for ago in range(10, 74)]
SOON_S = 1 if SLOW == 1 else 10
ROUGHLY = 0.02  # clocks of two processes, and the way between them


# --- the rate ---


def test_no_second_has_more_than_the_rate_and_its_burst(sim_of, mount_of):
    """A burst of half a second's worth, and then the rate."""
    sim = sim_of({HELD: 1200})
    mount = mount_of(sim, rate=20)
    assert len(mount.ls(HELD)) == 1200
    log = sim.log()
    assert len(log) == 60 and log[-1]["t"] - log[0]["t"] >= (60 - 10) / 20 - 0.2
    assert most_within(log, 1) <= 20 + 10 + 4


def test_attempts_count_like_requests(sim_of, mount_of):
    sim = sim_of({HELD: 600})
    mount = mount_of(sim, rate=20)
    for skip in range(0, 30, 3):
        sim.refuse(503, skip=skip, count=1)
    assert len(mount.ls(HELD)) == 600
    log = sim.log()
    assert len(log) == 40 and log[-1]["t"] - log[0]["t"] >= (40 - 10) / 20 - 0.2


# --- attempts ---


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 503},
                                   {"kind": "body", "body": "babble"}])
def test_the_pauses_between_attempts_grow(sim_of, mount_of, fault):
    sim = sim_of({HELD: 5})
    mount = mount_of(sim)
    sim.fault(**fault, count=3)
    assert mount.ls(HELD) == sim.names(HELD)
    first, second, third = gaps(sim.log())
    assert first >= 0.25 - ROUGHLY and second >= 0.5 - ROUGHLY and third >= 1 - ROUGHLY


@pytest.mark.parametrize("dated", [True, False])
def test_retry_after_may_be_a_date(sim_of, mount_of, dated):
    """It counts from the server's clock, if it shows one; the simulator's Date comes behind it."""
    sim = sim_of({HELD: 5})
    mount = mount_of(sim)
    sim.config(no_date=not dated)
    then = epoch(NOW) + 2 if dated else int(time.time()) + 3
    then = email.utils.formatdate(then, usegmt=True)
    sim.fault("status", status=503, headers={"Retry-After": then})
    assert mount.ls(HELD) == sim.names(HELD)
    assert gaps(sim.log())[0] >= 2 - ROUGHLY


@pytest.mark.parametrize("text", ["60", "3600", "99999999999999999999",
                                  "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_retry_after_beyond_a_minute_is_not_waited_for(sim_of, mount_of, text):
    sim = sim_of({HELD: 5})
    mount = mount_of(sim)
    sim.fault("status", status=429, headers={"Retry-After": text})
    assert error_of(os.listdir, mount.day(HELD)) == "EBUSY" and sim.requests() == 1
    assert mount.ls(HELD) == sim.names(HELD)


@pytest.mark.parametrize("text", ["", "soon", "1.5s", "0x10", "-1",
                                  "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_retry_after_that_says_nothing_is_no_hurry_and_no_wait(sim_of, mount_of, text):
    sim = sim_of({HELD: 5})
    mount = mount_of(sim)
    sim.fault("status", status=503, headers={"Retry-After": text})
    assert mount.ls(HELD) == sim.names(HELD) and sim.requests() == 2


# --- what is held costs nothing ---


def read_everything_held(mount, names, calls):
    """All that can be asked of what is held."""
    assert os.statvfs(mount.path).f_files == calls
    for above in ("", "by-date", "by-direction", "by-direction/inbound", "by-from", "by-to",
                  "by-trunk", "by-hangup-cause", "by-uuid", "csv/by-date", ".cdrfs"):
        os.listdir(mount / above)
        os.stat(mount / above)
    for view in ("by-date", "by-direction/inbound", "by-hangup-source/carrier", "by-from/1",
                 "by-bill-duration/gte-60/by-stir/verified"):
        for date in (HELD, f"{HELD}T10"):
            assert set(os.listdir(mount / view / date)) <= set(names)
    assert mount.ls(HELD) == names
    for name in names:
        path = mount.day(HELD) / name
        assert os.access(path, os.R_OK) and not os.access(path, os.W_OK)
        with open(path, "rb") as f:
            assert len(f.read()) == os.fstat(f.fileno()).st_size == os.stat(path).st_size
        assert os.stat(mount / "by-uuid" / name).st_ino == os.stat(path).st_ino
        assert not os.access(mount.day(HELD) / f"x{name}", os.F_OK)
        assert not os.access(mount.day(HELD) / ".git", os.F_OK)
    assert (mount / f"csv/by-date/{HELD}.csv").read_bytes().count(b"\n") == len(names) + 1
    assert (mount / f"ndjson/by-from/1/{HELD}.ndjson").stat().st_size >= 0
    assert "held: " in (mount / ".cdrfs/status").read_text()


@pytest.mark.parametrize("fault", [None, "stall", "drip", "reset"])
def test_what_is_held_is_never_asked_for(sim_of, mount_of, fault):
    sim = sim_of({HELD: 45})
    mount = mount_of(sim, deadline=600)
    names = mount.ls(HELD)
    sim.clear_log()
    if fault:
        sim.fault(fault, count=-1)
    read_everything_held(mount, names, 45)
    assert sim.requests() == 0


def test_what_is_held_is_never_asked_for_while_everything_stalls(sim_of, mount_of, spawn):
    sim = sim_of({HELD: 45, **{name: 5 for name in STALLED}})
    mount = mount_of(sim, deadline=600)
    names = mount.ls(HELD)
    sim.stall()
    waiting = ask_for(spawn, mount, STALLED)
    sim.wait(in_flight=8)
    asked = sim.requests()
    read_everything_held(mount, names, 45)
    assert sim.requests() == asked == 3 + 8 and all(process.poll() is None for process in waiting)


# --- sixty-four who wait ---


@pytest.fixture(name="crowd")
def _crowd(sim_of, mount_of, spawn):
    """A mount that holds a day of which no file was read, and 64 listings that wait for the API.
    (sim, mount, listings, seconds that reading another such day took without them)"""
    sim = sim_of({HELD: 300, OTHER: 300, **{name: 25 for name in STALLED}})
    mount = mount_of(sim, deadline=600)
    mount.ls(HELD)
    mount.ls(OTHER)
    alone = seconds_to_read(mount, OTHER)
    sim.stall()
    waiting = ask_for(spawn, mount, STALLED)
    sim.wait(in_flight=8)
    return sim, mount, waiting, alone


def seconds_to_read(mount, name):
    start = time.monotonic()
    for file in os.listdir(mount.day(name)):
        assert (mount.day(name) / file).read_bytes()
    return time.monotonic() - start


def threads(mount):
    with open(f"/proc/{mount.pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("Threads:")).split()[1])


def test_a_held_day_is_read_as_fast_as_alone_while_64_listings_wait(crowd, record_property):
    sim, mount, waiting, alone = crowd
    crowded = seconds_to_read(mount, HELD)
    record_property("ratio", crowded / alone)
    print(f"300 files read in {alone * 1000:.0f} ms, and in {crowded * 1000:.0f} beside 64 who wait")
    assert crowded < 10 * alone + 3 * SLOW
    assert threads(mount) < 32  # none waits in a thread of its own
    assert sim.stats()["in_flight"] == 8 and all(process.poll() is None for process in waiting)
    for row in sim.oracle(HELD)[::30]:
        assert (mount.day(HELD) / f"{row['call_uuid']}.json").read_bytes() == render(row["raw"])
    sim.mend()
    for process, name in zip(waiting, STALLED):
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert sorted(out.decode().split()) == sim.names(name)


def test_each_of_64_who_wait_can_leave(crowd):
    _, mount, waiting, _ = crowd
    for process in waiting[::9]:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SOON_S)
        assert process.returncode == -signal.SIGINT
    for process in waiting:
        process.send_signal(signal.SIGINT)
    for process in waiting:
        process.communicate(timeout=10 * SOON_S)
    assert len(mount.ls(HELD)) == 300


def test_each_of_64_who_wait_is_told_at_its_deadline(sim_of, mount_of, spawn):
    sim = sim_of({name: 25 for name in STALLED})
    mount = mount_of(sim, deadline=2)
    sim.stall()
    start = time.monotonic()
    waiting = ask_for(spawn, mount, STALLED)
    for process in waiting:
        assert b"Connection timed out" in process.communicate(timeout=PATIENCE_S)[1]
    assert time.monotonic() - start >= 2 - ROUGHLY
    sim.mend()
    assert mount.ls(STALLED[0]) == sim.names(STALLED[0])


# --- names that are not there ---


@pytest.mark.parametrize("calls", [0, 1, 45, 407, 2000])
def test_absent_names_of_a_cold_day_cost_about_what_the_day_does(sim_of, mount_of, calls):
    """Twice that at most: it is not read before as many names were asked for as it has pages."""
    sim = sim_of({COLD: calls})
    mount = mount_of(sim, ttl="1h")
    for name in absent_calls(300):
        assert not os.access(mount.day(COLD) / name, os.F_OK)
    pages = -(-calls // 20)
    assert sim.requests() <= 2 * pages + 20
    sim.clear_log()
    assert mount.ls(COLD) == sim.names(COLD) and sim.requests() == 0


WHERE = {
    "calls of a held day": f"by-date/{HELD}", "calls of a held day's hour": f"by-from/1/{HELD}T10",
    "no calls of a cold day": f"by-date/{COLD}", "no calls of by-uuid": "by-uuid", "views": "",
    "numbers": "by-from", "dates": "by-date", "files": "csv/by-date",
}
COUNT = 20000 // SLOW


@pytest.mark.parametrize("what", WHERE)
def test_names_that_are_not_there_take_no_memory_and_no_request(sim_of, mount_of, what):
    sim = sim_of({HELD: 45, COLD: 45})
    mount = mount_of(sim, ttl="1h")
    mount.ls(HELD)
    sim.clear_log()
    where = os.open(mount / WHERE[what], os.O_PATH)
    names = absent_calls if what.startswith("calls") else lambda n: (f"x{i}" for i in range(n))
    before = None
    for name in names(COUNT):
        assert not os.access(name, os.F_OK, dir_fd=where)
        before = before or memory_kb(mount)
    os.close(where)
    grown = memory_kb(mount) - before
    assert grown < (4096 if SLOW == 1 else 1 << 20) and sim.requests() == 0


@pytest.mark.parametrize("axis", ["by-from", "by-bill-duration", "by-date/../by-from/1/by-to"])
def test_directories_take_little_memory_and_no_request(sim_of, mount_of, axis):
    """As long as the kernel knows them. What becomes of it then is in tests/long."""
    sim = sim_of({HELD: 45})
    mount = mount_of(sim, ttl="1h")
    mount.ls(HELD)
    sim.clear_log()
    where, before = os.open(mount / axis, os.O_PATH), memory_kb(mount)
    for n in range(COUNT):
        assert os.access(f"{n}", os.F_OK, dir_fd=where)
    os.close(where)
    grown = memory_kb(mount) - before
    assert grown < COUNT + (4096 if SLOW == 1 else 1 << 20) and sim.requests() == 0  # 1 KiB each
    assert len(os.listdir(mount / axis)) < 1100  # those listed are bounded, too

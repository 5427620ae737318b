# SPDX-License-Identifier: MIT
"""A slow API never blocks what is held, and whoever waits for it can leave."""

import errno
import os
import signal
import subprocess

import pytest

from expect import error_of, render
from harness import PATIENCE_S, SLOW, day

OLD = day(6)
STALLED = [day(ago) for ago in range(10, 70, 3)]  # not one after another: none is read ahead
SOON_S = 1 if SLOW == 1 else 10


def is_asleep(process, command):
    """Whether the process is that command by now, and waits for something."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
        name, state = f.read().split()[1:3]
    return name == f"({command})" and state in "SD"


def park(spawn, mount, names):
    """Processes that list those days. Returns when each waits."""
    waiting = [spawn("ls", "-U", mount.day(n)) for n in names]
    for process in waiting:
        while not is_asleep(process, "ls"):
            assert process.poll() is None
            os.sched_yield()
    return waiting


def listing(process):
    """What a parked ls printed, sorted."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    return sorted(out.decode().split())


@pytest.mark.parametrize("flags", [[], ["-s"]])
def test_a_held_day_is_read_at_once_while_twenty_listings_stall(sim_of, mount_of, spawn, flags):
    sim = sim_of({OLD: 45, **{name: 25 for name in STALLED}})
    mount = mount_of(sim, flags=flags, deadline=600)
    names = mount.ls(OLD)
    sim.stall()
    waiting = park(spawn, mount, STALLED)
    sim.wait(in_flight=8)
    # Were this to wait for the API it would never end: only the test lets go of it.
    reader = subprocess.run(["sh", "-c", 'ls -l "$1" && ls "$2" && cat "$1"/*', "sh",
                             mount.day(OLD), mount.day(OLD, "inbound")],
                            capture_output=True, timeout=PATIENCE_S, check=True)
    assert sim.stats()["in_flight"] == 8 and all(p.poll() is None for p in waiting)
    assert all(n.encode() in reader.stdout for n in names)
    for row in sim.oracle(OLD):
        assert render(row["raw"]) in reader.stdout
        assert error_of(os.stat, mount.day(OLD) / f"{row['call_uuid']}x.json") == "ENOENT"
    assert day(89) in os.listdir(mount / "by-date") and os.statvfs(mount.path).f_files == 45
    sim.mend()
    for process, name in zip(waiting, STALLED):
        assert listing(process) == sim.names(name)


def test_a_name_that_cannot_be_a_call_is_absent_at_once_while_its_day_stalls(
        sim_of, mount_of, spawn):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim, deadline=600)
    sim.stall()
    waiting = park(spawn, mount, [OLD])
    sim.wait(in_flight=1)
    _, err = spawn("stat", mount.day(OLD) / ".git").communicate(timeout=10 * SOON_S)
    assert b"No such file" in err and waiting[0].poll() is None
    sim.mend()
    assert listing(waiting[0]) == sim.names(OLD)


def test_a_file_that_is_open_is_read_while_its_day_stalls(sim_of, mount_of):
    sim = sim_of({OLD: 0})
    uuid, = sim.calls(1, f"{day(0)} 11:00:00")
    mount = mount_of(sim, ttl=0)
    mount.ls(OLD)
    mount.ls(day(0))
    path = mount.day(day(0)) / f"{uuid}.json"
    body = path.read_bytes()
    sim.stall()
    assert path.read_bytes() == body
    sim.mend()


def test_a_drip_of_bytes_does_not_block_what_is_held(sim_of, mount_of, spawn):
    sim = sim_of({OLD: 45, STALLED[0]: 25})
    mount = mount_of(sim, deadline=600)
    names = mount.ls(OLD)
    sim.fault("drip", count=-1)
    waiting, = park(spawn, mount, STALLED[:1])
    sim.wait(in_flight=1)
    assert mount.ls(OLD) == names and (mount.day(OLD) / names[0]).read_bytes()
    assert waiting.poll() is None
    sim.mend()
    assert listing(waiting) == sim.names(STALLED[0])


def interrupted(process, number):
    """Whether the process ends soon after the signal."""
    process.send_signal(number)
    try:
        process.communicate(timeout=SOON_S)
    except subprocess.TimeoutExpired:
        return False
    return process.returncode == -number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_listing_that_stalls_can_be_interrupted(sim_of, mount_of, spawn, number):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim, deadline=600)
    sim.stall()
    ls, = park(spawn, mount, [OLD])
    sim.wait(in_flight=1)
    assert interrupted(ls, number)
    sim.mend()
    assert mount.ls(OLD) == sim.names(OLD)


def test_a_listing_that_stalls_half_way_can_be_interrupted(sim_of, mount_of, spawn):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim, deadline=600)
    sim.stall(skip=3)
    ls, = park(spawn, mount, [OLD])
    sim.wait(in_flight=8)
    assert interrupted(ls, signal.SIGINT)
    sim.mend()
    assert mount.ls(OLD) == sim.names(OLD)


def test_a_look_up_that_stalls_can_be_interrupted(sim_of, mount_of, spawn):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim, deadline=600)
    sim.stall()
    cat = spawn("cat", mount.day(OLD) / sim.names(OLD)[0])
    sim.wait(in_flight=1)
    assert interrupted(cat, signal.SIGINT)


@pytest.mark.parametrize("who", [0, 1, 2])
def test_one_who_leaves_takes_nothing_from_those_who_stay(sim_of, mount_of, spawn, who):
    """Also not from a directory of which the kernel itself might let in one at a time."""
    sim = sim_of({OLD: 45})
    mount = mount_of(sim, deadline=600)
    sim.stall()
    waiting = park(spawn, mount, [OLD])
    sim.wait(in_flight=1)
    waiting += park(spawn, mount, [OLD, OLD])
    assert interrupted(waiting.pop(who), signal.SIGINT)
    sim.mend()
    assert [listing(process) for process in waiting] == [sim.names(OLD)] * 2
    assert sim.requests() == 3


def test_a_held_call_is_read_at_once_while_its_own_day_stalls(sim_of, mount_of, spawn):
    sim = sim_of({OLD: 0})
    uuid, = sim.calls(1, f"{day(0)} 11:00:00")
    first = mount_of(sim, ttl=0)
    first.ls(OLD)
    first.ls(day(0))
    first.unmount()
    mount = mount_of(sim, cache=first.cache, ttl=0, deadline=600)  # whose kernel knows no names
    mount.ls(OLD)
    sim.stall()
    waiting = park(spawn, mount, [day(0)])
    sim.wait(in_flight=1)
    cat = spawn("cat", mount.day(day(0)) / f"{uuid}.json")
    out, err = cat.communicate(timeout=PATIENCE_S)
    assert out == render(sim.oracle(day(0))[0]["raw"]), err
    assert waiting[0].poll() is None
    sim.mend()
    assert listing(waiting[0]) == sim.names(day(0))


def test_a_signal_with_a_handler_ends_the_call_with_eintr(sim_of, mount_of, spawn):
    """Not only fatal signals: the kernel asks the filesystem, which must answer."""
    sim = sim_of({OLD: 45})
    mount = mount_of(sim, deadline=600)
    sim.stall()
    code = """
import ctypes, os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
fd = os.open(sys.argv[1], os.O_RDONLY)
libc = ctypes.CDLL(None, use_errno=True)
buf = ctypes.create_string_buffer(65536)
print("go", flush=True)
while (n := libc.getdents64(fd, buf, 65536)) > 0:  # the dots come first
    pass
print(ctypes.get_errno())
"""
    child = spawn("/usr/bin/python3", "-c", code, mount.day(OLD))
    assert child.stdout.readline() == b"go\n"
    sim.wait(in_flight=1)
    child.send_signal(signal.SIGUSR1)
    out, err = child.communicate(timeout=SOON_S)
    assert int(out) == errno.EINTR, err


def test_a_search_that_goes_on_and_on_ends_at_its_deadline(sim_of, mount_of):
    """Each day that came was an answer, after which it waited as if it had just begun."""
    sim = sim_of({day(ago): 5 for ago in range(60)})
    mount = mount_of(sim, dialect="legacy", deadline=2)
    sim.config(latency_ms=500)
    path = mount / "by-uuid" / sim.names(day(50))[0]
    assert error_of(os.stat, path) == "ETIMEDOUT"
    assert sim.requests() <= 6
    sim.config(latency_ms=0)
    assert path.read_bytes()
    assert sim.requests() <= 52  # what was read stays


def test_a_file_of_a_large_day_ends_at_its_deadline_and_goes_on_where_it_was(sim_of, mount_of):
    sim = sim_of({OLD: 600})
    mount = mount_of(sim, deadline=2, connections=1)
    sim.config(latency_ms=100)
    path = mount / f"ndjson/by-date/{OLD}.ndjson"
    assert error_of(os.stat, path) == "ETIMEDOUT"
    sim.config(latency_ms=0)
    assert path.read_bytes().count(b"\n") == 600
    assert sim.requests() <= 31


def test_a_listing_that_stalls_half_way_ends_at_its_deadline(sim_of, mount_of):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim, deadline=2)
    sim.stall(skip=5)
    assert error_of(os.listdir, mount.day(OLD)) == "ETIMEDOUT"
    sim.mend()
    assert mount.ls(OLD) == sim.names(OLD)

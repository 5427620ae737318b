# SPDX-License-Identifier: MIT
"""A store on a filesystem without shared memory: no WAL, and everything else as ever."""

import os
import sqlite3

import pytest

from disks import Direct
from expect import error_of, render
from harness import day
from lab import foreground, log_lines
from records import ndjson_text

HELD, NEW = day(6), day(7)
SAYS = "no shared memory"


@pytest.fixture(name="back")
def _back(tmp_path):
    return tmp_path / "back"


@pytest.fixture(name="direct")
def _direct(disk_of, back):
    return disk_of(Direct, of=back).path


def whole(sim, mount, name):
    assert mount.ls(name) == sim.names(name)
    for row in sim.oracle(name):
        assert (mount.day(name) / f"{row['call_uuid']}.json").read_bytes() == render(row["raw"])


def mode_of(path):
    with sqlite3.connect(path) as db:
        return db.execute("PRAGMA journal_mode").fetchone()[0]


def test_it_is_told_once_and_works(sim_of, mount_of, direct, back):
    sim = sim_of({HELD: 407, NEW: 45})
    mount = foreground(mount_of(sim, start=False, cache=direct))
    whole(sim, mount, HELD)
    whole(sim, mount, NEW)
    assert (mount / f"ndjson/by-date/{NEW}.ndjson").read_bytes() == ndjson_text(sim.oracle(NEW))
    line, = log_lines(mount, SAYS)
    assert str(mount.store) in line and SAYS in (mount / ".cdrfs/status").read_text()
    mount.unmount()
    assert mode_of(back / mount.store.name) == "delete"  # no WAL
    again = mount_of(sim, cache=direct)
    whole(sim, again, HELD)
    assert sim.requests() == 0


def test_readers_are_right_while_much_is_written(sim_of, mount_of, spawn, direct):
    sim = sim_of({HELD: 407, NEW: 1400})
    mount = mount_of(sim, cache=direct)
    names = mount.ls(HELD)
    writing = spawn("ls", mount.day(NEW))
    rounds = 0
    while writing.poll() is None or not rounds:
        assert mount.ls(HELD) == names
        for row in sim.oracle(HELD)[rounds % 9::9]:
            path = mount.day(HELD) / f"{row['call_uuid']}.json"
            os.posix_fadvise(fd := os.open(path, os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED)
            assert os.read(fd, 1 << 20) == render(row["raw"])
            os.close(fd)
        rounds += 1
    assert sorted(writing.communicate()[0].decode().split()) == sim.names(NEW)
    assert writing.returncode == 0


@pytest.mark.parametrize("how", ["unmount", "kill"])
def test_a_store_moves_there_and_back(sim_of, mount_of, direct, back, how):
    """Also one whose newest part stands in a WAL, for which there is no shared memory any more."""
    sim = sim_of({HELD: 407, NEW: 45})
    there = mount_of(sim, cache=back)
    whole(sim, there, HELD)
    getattr(there, how)()
    there.detach()
    mount = mount_of(sim, cache=direct)
    whole(sim, mount, HELD)
    assert sim.requests() == 0
    whole(sim, mount, NEW)
    getattr(mount, how)()
    mount.detach()
    again = mount_of(sim, cache=back)
    whole(sim, again, HELD)
    whole(sim, again, NEW)
    assert sim.requests() == 0 and again.stderr == b""
    again.unmount()
    assert mode_of(again.store) == "wal"


def test_after_a_kill_in_the_middle_nothing_is_short(sim_of, mount_of, spawn, direct):
    sim = sim_of({HELD: 407})
    cache = {"cache": direct, "connections": 2}
    for pages in (1, 4, 5, 6):  # each walk goes on where the last one was cut off
        mount = mount_of(sim, **cache)
        sim.stall(skip=pages)
        reader = spawn("ls", mount.day(HELD))
        sim.wait(requests=pages, in_flight=1)
        mount.kill()
        reader.communicate()
        mount.detach()
        sim.mend()
    sim.refuse(500)
    mount = mount_of(sim, **cache)
    assert error_of(os.listdir, mount.day(HELD)) == "EIO" or mount.ls(HELD) == sim.names(HELD)
    sim.mend()
    whole(sim, mount, HELD)

# SPDX-License-Identifier: MIT
"""A store that cannot grow: what is held goes on being served, nothing is ever short, and all is well
again when there is room."""

import os
import resource

import pytest

from disks import Tmpfs
from expect import error_of, render
from harness import day
from lab import foreground, log_lines
from records import ndjson_text

HELD, NEW = day(6), day(7)
FULL = "No space left on device"


def whole(sim, mount, name):
    """That day is listed whole, in two views, and every file of it is right."""
    assert mount.ls(name) == sim.names(name)
    assert mount.ls(name, "inbound") == sim.names(name, call_direction="inbound")
    for row in sim.oracle(name):
        assert (mount.day(name) / f"{row['call_uuid']}.json").read_bytes() == render(row["raw"])


@pytest.fixture(name="small")
def _small(disk_of, sim_of, mount_of):
    """small(calls of the new day, **disk): a simulator, a mount whose store is on a small disk and
    holds a day, and that disk."""

    def make(new, **options):
        disk = disk_of(Tmpfs, **{"size": "12m", **options})
        sim = sim_of({HELD: 407, NEW: new})
        mount = foreground(mount_of(sim, start=False, cache=disk / "cache"))
        assert mount.ls(HELD) == sim.names(HELD)
        sim.wait(idle=1)
        sim.clear_log()
        return sim, mount, disk

    return make


@pytest.mark.parametrize("room_kb", [0, 64, 300, 900])
def test_a_walk_into_a_full_disk_is_an_error_until_there_is_room(small, room_kb):
    sim, mount, disk = small(2000)
    disk.leave_room(room_kb << 10)
    assert error_of(os.listdir, mount.day(NEW)) == "EIO"
    assert error_of(os.listdir, mount.day(NEW, "outbound")) == "EIO"
    whole(sim, mount, HELD)
    status = (mount / ".cdrfs/status").read_text()
    assert FULL in status and "make room" in status and "api: failed" not in status
    disk.make_room()
    whole(sim, mount, NEW)
    whole(sim, mount, HELD)
    assert "store: good" in (mount / ".cdrfs/status").read_text()


def test_a_full_disk_is_told_once_with_what_to_do(small):
    sim, mount, disk = small(500)
    disk.leave_room(0)
    for _ in range(3):
        assert error_of(os.listdir, mount.day(NEW)) == "EIO"
    line, = log_lines(mount, FULL)
    assert str(mount.store) in line and "make room" in line
    disk.make_room()
    assert mount.ls(NEW) == sim.names(NEW)
    disk.leave_room(0)
    sim.calls(2000, f"{day(9)} 10:00:00", step_s=1)  # more than the WAL may have room for
    assert error_of(os.listdir, mount.day(day(9))) == "EIO"
    assert len(log_lines(mount, FULL)) == 2


def test_a_walk_that_met_a_full_disk_goes_on_where_it_was(small):
    """What was committed before stays, and is not asked for again."""
    sim, mount, disk = small(2000)
    disk.leave_room(900 << 10)
    assert error_of(os.listdir, mount.day(NEW)) == "EIO"
    sim.wait(idle=1)
    disk.make_room()
    kept = os.statvfs(mount.path).f_files - 407
    assert kept > 0
    sim.clear_log()
    assert mount.ls(NEW) == sim.names(NEW)
    assert sim.requests() <= (2000 - kept) // 20 + 3


def test_a_disk_that_is_full_at_the_start(disk_of, sim_of, mount_of):
    disk = disk_of(Tmpfs, size="8m")
    sim = sim_of({HELD: 407, NEW: 45})
    first = mount_of(sim, cache=disk / "cache")
    first.ls(HELD)
    first.unmount()
    disk.leave_room(0)
    mount = mount_of(sim, cache=disk / "cache")
    assert len(mount.stderr.splitlines()) == 1 and FULL.encode() in mount.stderr
    whole(sim, mount, HELD)
    assert error_of(os.listdir, mount.day(NEW)) in ("EIO", "EROFS")
    mount.unmount()
    disk.make_room()
    again = mount_of(sim, cache=disk / "cache")
    whole(sim, again, HELD)
    whole(sim, again, NEW)


@pytest.mark.parametrize("options", [{"size": "1m"}, {"nr_inodes": 4}])
def test_a_full_disk_without_a_store_is_refused_in_one_line(disk_of, sim_of, cdrfs, tmp_path, options):
    disk = disk_of(Tmpfs, **options)
    (disk / "cache").mkdir(mode=0o700)
    if "nr_inodes" in options:
        for i in range(2):
            (disk / f"file{i}").touch()
    else:
        disk.leave_room(0)
    sim = sim_of({HELD: 5})
    (tmp_path / "mnt").mkdir()
    done = cdrfs("-o", f"cache_dir={disk / 'cache'}", tmp_path / "mnt", PLIVO_AUTH_ID=sim.auth_id,
                 PLIVO_AUTH_TOKEN=sim.token, PLIVO_API_URL=sim.api_url)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert str(disk / "cache") in done.stderr and FULL in done.stderr and "cache_dir=" in done.stderr
    assert not os.path.ismount(tmp_path / "mnt")


def test_no_inodes_left_hinders_only_the_start(disk_of, sim_of, mount_of):
    disk = disk_of(Tmpfs, nr_inodes=12)
    sim = sim_of({HELD: 407, NEW: 45})
    first = mount_of(sim, cache=disk / "cache")
    first.ls(HELD)
    used = []
    while error_of((disk / f"file{len(used)}").touch) is None:
        used.append(disk / f"file{len(used)}")
    whole(sim, first, NEW)
    assert (first / f"ndjson/by-date/{NEW}.ndjson").read_bytes() == ndjson_text(sim.oracle(NEW))
    first.unmount()
    while error_of((disk / f"file{len(used)}").touch) is None:  # what SQLite has removed
        used.append(disk / f"file{len(used)}")
    mount = mount_of(sim, cache=disk / "cache")
    assert len(mount.stderr.splitlines()) == 1 and FULL.encode() in mount.stderr
    whole(sim, mount, HELD)
    assert (mount / f"ndjson/by-date/{NEW}.ndjson").read_bytes() == ndjson_text(sim.oracle(NEW))
    mount.unmount()
    for path in used:
        path.unlink()
    whole(sim, mount_of(sim, cache=disk / "cache"), NEW)


def test_a_rendering_that_does_not_fit_leaves_no_trace(small):
    sim, mount, disk = small(0)
    disk.leave_room(100 << 10)
    free = disk.room()
    path = mount / f"ndjson/by-date/{HELD}.ndjson"
    assert error_of(path.read_bytes) == "EIO"
    assert disk.room() == free
    assert len(log_lines(mount, "rendered", FULL, "make room")) == 1
    whole(sim, mount, HELD)
    disk.make_room()
    assert path.read_bytes() == ndjson_text(sim.oracle(HELD))


def test_a_limit_of_file_sizes_is_like_a_full_disk(small):
    sim, mount, _ = small(1000)
    before = resource.prlimit(mount.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(mount.pid, resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    assert error_of(os.listdir, mount.day(NEW)) == "EIO"
    whole(sim, mount, HELD)
    assert len(log_lines(mount, "File too large", "ulimit -f")) == 1
    resource.prlimit(mount.pid, resource.RLIMIT_FSIZE, before)
    whole(sim, mount, NEW)

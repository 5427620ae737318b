# SPDX-License-Identifier: MIT
"""A store whose folder cannot be written: what it holds whole is served, and nothing else is
pretended."""

import os

import pytest

from disks import ReadOnly
from expect import error_of, render
from harness import NOW, day
from lab import foreground, log_lines
from records import csv_text, ndjson_text
from world import USER

HELD, OTHER, PART, NEVER = day(6), day(7), day(8), day(9)
ABSENT = "6c3a8b60-26e0-4842-9387-2350de79f16b"
CANNOT = "Read-only file system"


def fill(sim, mount_of, how="unmount"):
    """A store that holds two old days, today until noon, and part of a day. Returns its folder."""
    mount = mount_of(sim)
    for name in (HELD, OTHER, day(0)):
        assert mount.ls(name) == sim.names(name)
    sim.refuse(404, skip=2, match="end_time")
    assert error_of(os.listdir, mount.day(PART)) == "EIO"
    sim.mend()
    getattr(mount, how)()
    mount.detach()
    sim.clock(now=f"{day(0)} 12:10:00")  # behind what was read of today, however slow that was
    return mount.cache


def whole(sim, mount, name):
    assert mount.ls(name) == sim.names(name)
    assert mount.ls(name, "inbound") == sim.names(name, call_direction="inbound")
    for row in sim.oracle(name):
        assert (mount.day(name) / f"{row['call_uuid']}.json").read_bytes() == render(row["raw"])


@pytest.fixture(name="sim")
def _sim(sim_of):
    sim = sim_of({HELD: 407, OTHER: 45, PART: 90, NEVER: 5})
    sim.calls(30, NOW, step_s=-60)
    return sim


@pytest.mark.parametrize("how", ["unmount", "kill"])
def test_what_is_held_is_served_and_nothing_else(disk_of, sim, mount_of, how):
    """After a clean end, and after a kill, which leaves part of the store in its WAL."""
    cache = fill(sim, mount_of, how)
    before = {path.name: path.read_bytes() for path in cache.iterdir()}
    frozen = disk_of(ReadOnly, of=cache).path
    mount = foreground(mount_of(sim, start=False, cache=frozen, ttl=0))
    assert len(log_lines(mount, str(mount.store), CANNOT)) == len(mount.output().splitlines()) == 1
    for name in (HELD, OTHER):
        whole(sim, mount, name)
    some = sim.oracle(HELD)[5]
    assert (mount / f"by-uuid/{some['call_uuid']}.json").read_bytes() == render(some["raw"])
    header = (mount / f"csv/by-date/{HELD}.csv").read_text().split("\n", 1)[0].split(",")
    assert (mount / f"csv/by-date/{HELD}.csv").read_bytes() == csv_text(sim.oracle(HELD), header)
    assert (mount / f"ndjson/by-date/{OTHER}.ndjson").read_bytes() == ndjson_text(sim.oracle(OTHER))
    assert error_of(os.stat, mount.day(HELD) / f"{ABSENT}.json") == "ENOENT"
    for name in (NEVER, PART, day(0), day(5)):
        assert error_of(os.listdir, mount.day(name)) == "EROFS"
        assert error_of(os.stat, mount.day(name) / f"{ABSENT}.json") == "EROFS"
    assert error_of(os.stat, mount / f"by-uuid/{ABSENT}.json") == "EROFS"
    assert error_of((mount / f"csv/by-date/{NEVER}.csv").read_bytes) == "EROFS"
    (mount / ".cdrfs/refresh").write_text("/")
    whole(sim, mount, HELD)
    assert CANNOT in (mount / ".cdrfs/status").read_text()
    assert sim.requests() == 0
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == before


def test_two_mounts_may_read_it_and_none_writes_it_meanwhile(disk_of, sim, mount_of, cdrfs, tmp_path):
    cache = fill(sim, mount_of)
    frozen = disk_of(ReadOnly, of=cache).path
    readers = [foreground(mount_of(sim, start=False, cache=frozen)) for _ in range(2)]
    for mount in readers:
        whole(sim, mount, HELD)
    account = {"PLIVO_AUTH_ID": sim.auth_id, "PLIVO_AUTH_TOKEN": sim.token, "PLIVO_API_URL": sim.api_url}
    (tmp_path / "writer").mkdir()
    done = cdrfs("-o", f"cache_dir={cache}", tmp_path / "writer", **account)
    assert done.returncode == 1 and "is in use" in done.stderr
    for mount in readers:
        mount.unmount()
    whole(sim, mount_of(sim, cache=cache), NEVER)


def test_a_writer_and_a_read_only_mount_exclude_each_other(disk_of, sim, mount_of, cdrfs, tmp_path):
    cache = fill(sim, mount_of)
    writer = mount_of(sim, cache=cache)
    (tmp_path / "reader").mkdir()
    done = cdrfs("-o", f"cache_dir={disk_of(ReadOnly, of=cache).path}", tmp_path / "reader",
                 PLIVO_AUTH_ID=sim.auth_id, PLIVO_AUTH_TOKEN=sim.token, PLIVO_API_URL=sim.api_url)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert f"in use by process {writer.pid}" in done.stderr


@pytest.mark.parametrize("what", ["no store", "an empty file", "an interrupted write"])
def test_what_cannot_be_read_without_writing_is_refused(disk_of, sim, mount_of, cdrfs, tmp_path, what):
    cache = fill(sim, mount_of)
    store = cache / f"{sim.auth_id}.db"
    if what == "no store":
        store.unlink()
    elif what == "an empty file":
        store.write_bytes(b"")
    else:
        (cache / f"{store.name}-journal").write_bytes(b"\xd9\xd5\x05\xf9 \xa1c\xd7" + b"\0" * 504)
    (tmp_path / "mnt").mkdir()
    frozen = disk_of(ReadOnly, of=cache).path
    done = cdrfs("-o", f"cache_dir={frozen}", tmp_path / "mnt", PLIVO_AUTH_ID=sim.auth_id,
                 PLIVO_AUTH_TOKEN=sim.token, PLIVO_API_URL=sim.api_url)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert str(frozen / store.name) in done.stderr and CANNOT in done.stderr
    assert "cache_dir=" in done.stderr and not os.path.ismount(tmp_path / "mnt")


@pytest.mark.parametrize("mode, of", [(0o500, "folder"), (0o400, "store")])
def test_an_ordinary_user_without_write_permission(sim, world, mode, of):
    world.mount(sim, rate=1000)
    names = world.out("ls", world.point() / "by-date" / OTHER, uid=USER).split()
    assert sorted(names) == sim.names(OTHER)
    pid = world.holder(sim)
    world.unmount()
    world.gone(pid)
    cache = world.home() / "cache"
    world.out("chmod", oct(mode)[2:], cache if of == "folder" else cache / f"{sim.auth_id}.db")
    warning, = world.mount(sim, rate=1000).splitlines()
    assert str(cache) in warning and "cannot be written" in warning
    assert sorted(world.out("ls", world.point() / "by-date" / OTHER, uid=USER).split()) == names
    done = world.run("ls", world.point() / "by-date" / NEVER, uid=USER)
    assert done.returncode and CANNOT in done.stderr
    assert sim.requests() == 0

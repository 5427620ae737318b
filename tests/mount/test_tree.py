# SPDX-License-Identifier: MIT
"""The directories, names that are none, and that nothing can be written."""

import os
import stat
import subprocess

import pytest

from expect import error_of, write_to
from harness import PATIENCE_S, day, epoch

OLD = day(6)
EMPTY = day(7)
COLD = day(8)
UUID = "6c3a8b60-26e0-4842-9387-2350de79f16b"


@pytest.fixture(name="tree", scope="module")
def _tree(module_sim, module_mount):
    """A mount that holds OLD, and knows that EMPTY is; COLD it has not seen. (sim, mount)"""
    sim = module_sim({OLD: 45, COLD: 25})
    mount = module_mount(sim, ttl="1h")
    mount.ls(OLD)
    mount.ls(EMPTY)
    return sim, mount


@pytest.fixture(name="free")
def _free(tree):
    """The mount, which may not ask anything during the test."""
    sim, mount = tree
    sim.clear_log()
    yield mount
    assert sim.requests() == 0


def test_the_root_lists_the_views(free):
    assert {"by-date", "by-direction"} <= set(os.listdir(free.path))


def test_by_direction_lists_both(free):
    assert sorted(os.listdir(free / "by-direction")) == ["inbound", "outbound"]


def test_a_view_lists_the_90_days_but_those_known_to_be_empty(free):
    days = {day(ago) for ago in range(90)} - {EMPTY}
    assert set(os.listdir(free / "by-date")) == days
    assert set(os.listdir(free / "by-direction/inbound")) == days


def test_a_day_known_to_be_empty_resolves_to_an_empty_directory(free):
    assert free.ls(EMPTY) == [] and free.ls(EMPTY, "inbound") == []


def test_a_day_held_from_before_the_90_days_stays_listed(sim_of, mount_of):
    sim = sim_of({OLD: 25, day(0): 0})
    mount = mount_of(sim)
    names = mount.ls(OLD)
    sim.clock(advance_s=88 * 86400)
    mount.ls(day(0))  # its answer tells the time
    assert OLD in os.listdir(mount / "by-date") and day(20) not in os.listdir(mount / "by-date")
    sim.clear_log()
    assert mount.ls(OLD) == names and len(mount.ls(OLD, "inbound")) > 0
    assert (mount.day(OLD) / names[0]).read_bytes()
    assert sim.requests() == 0


def test_directories_are_private_and_have_no_size(free):
    for path in (free.path, free / "by-date", free / "by-direction/inbound", free.day(OLD)):
        st = path.stat()
        assert stat.S_IMODE(st.st_mode) == 0o500 and stat.S_ISDIR(st.st_mode)
        assert (st.st_uid, st.st_gid, st.st_size) == (os.getuid(), os.getgid(), 0)


def test_a_day_is_as_old_as_its_newest_call(tree):
    sim, mount = tree
    newest = max(row["end_time"] for row in sim.oracle(OLD))
    assert mount.day(OLD).stat().st_mtime == epoch(newest)
    assert mount.day(EMPTY).stat().st_mtime == epoch(f"{EMPTY} 00:00:00")


def test_owner_and_modes_can_be_chosen(sim_of, mount_of):
    sim = sim_of({OLD: 1})
    mount = mount_of(sim, uid=1234, gid=1235, umask="022")
    call = mount.day(OLD) / mount.ls(OLD)[0]
    for path, mode in ((mount.day(OLD), 0o555), (call, 0o444)):
        st = path.stat()
        assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (1234, 1235, mode)


def test_statfs_counts_calls_and_has_nothing_free(free):
    st = os.statvfs(free.path)
    assert (st.f_files, st.f_bfree, st.f_bavail, st.f_ffree) == (45, 0, 0, 0)


def test_ro_mounts_read_only(sim_of, mount_of):
    mount = mount_of(sim_of({OLD: 1}), ro=True)
    assert os.statvfs(mount.path).f_flag & os.ST_RDONLY
    assert len(mount.ls(OLD)) == 1


def test_find_walks_the_tree_to_its_end(tree):
    sim, mount = tree
    found = subprocess.run(["find", mount / "by-direction", "-name", "*.json"], check=True,
                           stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S).stdout.split()
    rows = sim.oracle()
    expected = {f"{mount.path}/by-direction/{row['call_direction']}/{row['end_time'][:10]}/"
                f"{row['call_uuid']}.json" for row in rows}
    assert len(found) == len(rows) == 70 and set(found) == expected


# --- names ---


@pytest.mark.parametrize("name", [
    ".git", "desktop.ini", "autorun.inf", "x.json/", UUID, f"{UUID}.json.", f"{UUID}.JSON", ".json",
    "a b.json", "x" * 65 + ".json", "x" * 255, "é.json"])
def test_a_name_that_cannot_be_a_call_is_absent_at_once(free, name):
    cold = [] if name == "x.json/" else [f"{free.day(day(9))}/{name}"]
    for path in [f"{free.day(OLD)}/{name}", f"{free.day(OLD, 'inbound')}/{name}", *cold]:
        assert error_of(os.lstat, path) == "ENOENT"


def test_a_name_of_256_bytes_is_too_long(free):
    assert error_of(os.lstat, free.day(OLD) / ("x" * 256)) == "ENAMETOOLONG"


@pytest.mark.parametrize("path", [
    "by-date/2026-13-40", "by-date/2026-02-30", "by-date/2026-1-1", "by-date/today", "by-date/.git",
    "by-date/9999-01-01", "by-date/" + day(-1), "by-date/x", "by-direction/sideways",
    "by-direction/Inbound", "by-direction/inbound/" + day(-1), "by-nothing", ".Trash-0", ".xdg"])
def test_a_directory_that_cannot_be_is_absent_at_once(free, path):
    assert error_of(os.stat, free / path) == "ENOENT"


def test_a_day_that_nobody_has_any_more_says_so(free):
    for ago in (90, 100, 4000):
        assert error_of(os.stat, free.day(day(ago))) == "ENODATA"
        assert error_of(os.stat, free.day(day(ago), "inbound")) == "ENODATA"


def test_the_oldest_day_that_is_served_can_be_listed(tree):
    _, mount = tree
    assert mount.ls(day(89)) == []


def test_a_call_absent_from_a_held_day_is_absent_at_once(free):
    for path in (free.day(OLD), free.day(EMPTY), free.day(OLD, "outbound")):
        assert error_of(os.stat, path / f"{UUID}.json") == "ENOENT"


def test_a_held_call_is_absent_from_other_days_at_once(tree, free):
    sim, _ = tree
    row = sim.oracle(OLD)[0]
    name = f"{row['call_uuid']}.json"
    other = {"inbound": "outbound", "outbound": "inbound"}[row["call_direction"]]
    assert free.day(OLD, row["call_direction"]).joinpath(name).exists()
    assert error_of(os.stat, free.day(OLD, other) / name) == "ENOENT"
    assert error_of(os.stat, free.day(day(9)) / name) == "ENOENT"


def test_a_call_of_a_day_not_held_opens_by_name(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    for row in sim.oracle(OLD)[::11]:
        assert (mount.day(OLD) / f"{row['call_uuid']}.json").read_bytes()
    assert error_of(os.stat, mount.day(OLD) / f"{UUID}.json") == "ENOENT"


# --- writing ---


WRITES = {
    "create": lambda d, f: write_to(d / "new.json", os.O_CREAT | os.O_WRONLY),
    "create exclusively": lambda d, f: write_to(d / "new", os.O_CREAT | os.O_EXCL | os.O_RDWR),
    "open for writing": lambda d, f: write_to(f, os.O_WRONLY),
    "open for both": lambda d, f: write_to(f, os.O_RDWR),
    "open for appending": lambda d, f: write_to(f, os.O_WRONLY | os.O_APPEND),
    "open truncating": lambda d, f: write_to(f, os.O_WRONLY | os.O_TRUNC),
    "truncate": lambda d, f: os.truncate(f, 0),
    "unlink": lambda d, f: os.unlink(f),
    "rename": lambda d, f: os.rename(f, d / "new.json"),
    "rename a directory": lambda d, f: os.rename(d, d.parent / "new"),
    "mkdir": lambda d, f: os.mkdir(d / "new"),
    "rmdir": lambda d, f: os.rmdir(d),
    "symlink": lambda d, f: os.symlink("target", d / "new"),
    "link": lambda d, f: os.link(f, d / "new.json"),
    "mknod": lambda d, f: os.mkfifo(d / "new"),
    "chmod": lambda d, f: os.chmod(f, 0o600),
    "chmod a directory": lambda d, f: os.chmod(d, 0o700),
    "chown": lambda d, f: os.chown(f, os.getuid(), os.getgid()),
    "utime": lambda d, f: os.utime(f, (1, 1)),
    "touch": lambda d, f: os.utime(f),
    "mkdir in the root": lambda d, f: os.mkdir(d.parent.parent / "new"),
    "create in a view": lambda d, f: write_to(d.parent / "new", os.O_CREAT | os.O_WRONLY),
}


@pytest.mark.parametrize("how", WRITES)
def test_nothing_can_be_written(tree, how):
    sim, mount = tree
    name = sim.names(OLD)[0]
    before = (mount.day(OLD) / name).read_bytes()
    assert error_of(WRITES[how], mount.day(OLD), mount.day(OLD) / name) == "EROFS"
    assert (mount.day(OLD) / name).read_bytes() == before and mount.ls(OLD) == sim.names(OLD)


def test_extended_attributes_cannot_be_written(tree):
    sim, mount = tree
    call = mount.day(OLD) / sim.names(OLD)[0]
    assert error_of(os.setxattr, call, "user.x", b"y") in ("EROFS", "ENOTSUP")


# --- which day it is ---


def test_the_server_says_which_day_it_is(sim_of, mount_of):
    """This machine's clock may be wrong: the very first listing must go by the answer to the
    credential check."""
    then = "2026-05-26"
    sim = sim_of({"2026-05-20": 25, then: 0})
    sim.clock(now=f"{then} 12:00:00")
    mount = mount_of(sim)
    listed = sorted(os.listdir(mount / "by-date"))
    assert (listed[-1], len(listed)) == (then, 90)
    assert mount.ls("2026-05-20") == sim.names("2026-05-20")
    assert error_of(os.stat, mount.day("2026-05-27")) == "ENOENT"


def test_today_grows_at_midnight(sim_of, mount_of):
    sim = sim_of({OLD: 1, day(-1): 0})
    mount = mount_of(sim)
    mount.ls(OLD)
    sim.clock(advance_s=86400)
    mount.ls(day(0))  # its answer tells the time
    sim.calls(3, f"{day(-1)} 11:00:00")
    assert mount.ls(day(-1)) == sim.names(day(-1))

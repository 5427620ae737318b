# SPDX-License-Identifier: MIT
"""Backups: a second run finds nothing new, also after a remount, with a new store, or with one that an
earlier version wrote; and an API that fails deletes nothing. restic and borg are among the long tests."""

import hashlib
import json
import os
import shutil

import pytest

from frozen import CLOCK, DATA
from harness import NOW, day
from lab import params
from programs import files_below, rsync, run, tar

OLD, OLDER, LATER = day(6), day(20), day(4)
DAYS = {OLD: 45, OLDER: 207, LATER: 20}
CALLS = sum(DAYS.values())
PRIVATE = "--chmod=D700,F600"  # so that what was copied can be removed again
VERSIONS = sorted(p.stem for p in DATA.glob("store-*.db"))


def remount(mount, mount_of, **options):
    """The same once more, on the same store unless cache= says another."""
    mount.unmount()
    return mount_of(mount.sim, **{"where": mount.path, "cache": mount.cache, "ttl": "1h",
                                  **options})


def on_another_device(mount, mount_of, sim):
    """A remount that has another st_dev than before, since some other mount has taken that."""
    before = os.stat(mount.path).st_dev
    mount.unmount()
    while os.stat(mount_of(sim).path).st_dev != before:
        pass
    again = mount_of(sim, where=mount.path, cache=mount.cache, ttl="1h")
    assert os.stat(again.path).st_dev != before
    sim.clear_log()
    return again


@pytest.fixture(name="copied")
def _copied(sim_of, mount_of, tmp_path):
    """A mount whose dates rsync has copied. (sim, mount, the copy)"""
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    copy = tmp_path / "copy"
    assert rsync(PRIVATE, f"{mount / 'by-date'}/", copy)[0] == CALLS
    assert sim.requests() <= CALLS / 20 + 10
    sim.clear_log()
    return sim, mount, copy


# --- rsync ---


@pytest.mark.parametrize("more", [[], ["-c"], ["-H"], ["-c", "--delete"]], ids=" ".join)
def test_a_second_rsync_transfers_nothing_and_asks_nothing(copied, more):
    sim, mount, copy = copied
    assert rsync(PRIVATE, *more, f"{mount / 'by-date'}/", copy) == (0, 0)
    assert sim.requests() == 0
    assert files_below(copy) == files_below(mount / "by-date")


def test_a_second_rsync_asks_for_what_may_have_changed(sim_of, mount_of, tmp_path):
    sim = sim_of({**DAYS, day(1): 25, day(0): 25})
    mount = mount_of(sim, ttl=0)
    rsync(PRIVATE, f"{mount / 'by-date'}/", tmp_path / "copy")
    late = sim.calls(2, NOW)
    sim.clear_log()
    assert rsync(PRIVATE, f"{mount / 'by-date'}/", tmp_path / "copy")[0] == 2
    assert {f"{uuid}.json" for uuid in late} < set(os.listdir(tmp_path / "copy" / day(0)))
    log = sim.log()
    assert all(params(entry)["end_time__lt"] > f"{day(2)} 00:00:00" for entry in log)
    assert 1 <= len(log) <= 3


def test_rsync_links_the_calls_of_two_views(sim_of, mount_of, tmp_path):
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    views = [mount / "by-date", mount / "by-direction"]
    for transferred in (CALLS, 0):
        assert rsync("-H", PRIVATE, *views, tmp_path / "copy")[0] == transferred
        assert transferred or sim.requests() == 0
        sim.clear_log()
    found = {}
    for folder, _, names in os.walk(tmp_path / "copy"):
        for name in names:
            st = os.stat(os.path.join(folder, name))
            assert st.st_nlink == 2
            found.setdefault(name, set()).add(st.st_ino)
    assert len(found) == CALLS and all(len(inodes) == 1 for inodes in found.values())


def test_with_inode32_rsync_takes_two_views_for_two_trees(sim_of, mount_of, tmp_path):
    mount = mount_of(sim_of(DAYS), ttl="1h", inode32=True)
    views = [mount / "by-date", mount / "by-direction"]
    assert rsync("-H", PRIVATE, *views, tmp_path / "copy")[0] == 2 * CALLS


@pytest.mark.parametrize("asked", [0, 1, 7, 12])
def test_rsync_deletes_nothing_when_the_api_fails_half_way(copied, mount_of, asked):
    """The first look at a new store: whatever was read by then, the rest is an error."""
    sim, mount, copy = copied
    before = files_below(copy)
    mount = remount(mount, mount_of, cache=f"{mount.cache}2")
    sim.refuse(503, skip=asked)
    rsync("--delete", PRIVATE, f"{mount / 'by-date'}/", copy, status=(23,))
    assert files_below(copy) == before
    sim.mend()


def test_what_the_api_forgot_is_deleted_by_delete_alone(copied, mount_of):
    sim, mount, copy = copied
    sim.clock(now=f"{day(-75)} 12:00:00")  # OLDER is beyond the 90 days, and a new store has none of it
    mount = remount(mount, mount_of, cache=f"{mount.cache}2")
    before = files_below(copy)
    assert rsync(PRIVATE, f"{mount / 'by-date'}/", copy) == (0, 0)
    assert before.items() <= files_below(copy).items()
    rsync(PRIVATE, "--delete", f"{mount / 'by-date'}/", copy)
    assert len(files_below(copy)) == CALLS - DAYS[OLDER]


@pytest.mark.parametrize("store", ["the same", "a new one"])
def test_rsync_transfers_nothing_after_a_remount(copied, mount_of, store):
    sim, mount, copy = copied
    cache = mount.cache if store == "the same" else f"{mount.cache}2"
    mount = remount(mount, mount_of, cache=cache)
    assert rsync(PRIVATE, "-c", f"{mount / 'by-date'}/", copy)[0] == 0
    assert rsync(PRIVATE, f"{mount / 'by-date'}/", copy)[0] == 0
    assert sim.requests() <= (0 if store == "the same" else CALLS / 20 + 10)


@pytest.mark.parametrize("version", VERSIONS)
def test_rsync_transfers_nothing_after_an_upgrade(sim_of, mount_of, tmp_path, version):
    """What an earlier version showed, this one does; also when it reads it anew from the API."""
    sim = sim_of({})
    sim.clock(now=CLOCK)
    cache, copy = tmp_path / "cache", tmp_path / "copy"
    cache.mkdir(mode=0o700)
    shutil.copy(DATA / f"{version}.db", cache / f"{sim.auth_id}.db")
    mount = mount_of(sim, cache=cache, settle="1h", ttl="1h")
    rsync(PRIVATE, f"{mount / 'by-date'}/", copy)
    shown = {f"by-date/{path}": [hashlib.sha256(body).hexdigest(), len(body), mtime // 10**9]
             for path, (body, mtime) in files_below(copy).items()}
    then = json.loads((DATA / f"{version}.json").read_text(encoding="ascii"))
    assert shown == {path: what[:3] for path, what in then.items() if path.startswith("by-date/")}
    mount = remount(mount, mount_of, settle="1h")
    assert rsync(PRIVATE, "-c", f"{mount / 'by-date'}/", copy)[0] == 0
    for body, _ in files_below(copy).values():
        text = body.decode("utf-8", "surrogateescape")
        sim.raw(json.loads(text)["end_time"], text)
    mount = remount(mount, mount_of, cache=f"{cache}2")
    assert rsync(PRIVATE, "-c", f"{mount / 'by-date'}/", copy) == (0, 0)
    assert len(files_below(mount / "by-date")) == len(shown)


# --- cp ---


def test_cp_goes_from_date_to_date(sim_of, mount_of, tmp_path):
    """It goes by inode numbers, which are in the order of time, so that days are read ahead."""
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    run("cp", "-r", "--no-preserve=mode", mount / "by-date", tmp_path / "copy")
    assert sim.requests() <= CALLS / 20 + 10
    assert len(files_below(tmp_path / "copy")) == CALLS


def test_cp_keeps_everything_and_diff_finds_nothing(sim_of, mount_of, tmp_path):
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    names = ["by-date", "by-direction"]
    files_below(mount / "by-date")  # days without calls are not listed once that is known
    sim.clear_log()
    run("cp", "-a", *(mount / name for name in names), tmp_path)
    run("chmod", "-R", "u+w", *(tmp_path / name for name in names))
    for name in names:
        assert run("diff", "-r", mount / name, tmp_path / name).stdout == ""
        found = files_below(tmp_path / name)
        assert found == files_below(mount / name) and len(found) == CALLS
    for path in (tmp_path / "by-date").glob("*/*.json"):
        assert os.stat(path).st_nlink == 2  # one call, in two views
    assert sim.requests() == 0


# --- tar ---


def test_tar_reads_what_is_not_held_without_a_word(sim_of, mount_of, tmp_path):
    """Not even that a date has changed under its hands, while calls come into it."""
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    files, links = tar(tmp_path / "a.tar", mount.path, "by-date")
    assert len(files) == CALLS and links == [] and sim.requests() <= CALLS / 20 + 10
    sim.clear_log()
    assert run("tar", "-df", tmp_path / "a.tar", "-C", mount.path).stdout == ""
    assert sim.requests() == 0
    run("tar", "-xf", tmp_path / "a.tar", "-C", tmp_path)
    run("chmod", "-R", "u+w", tmp_path / "by-date")
    assert files_below(tmp_path / "by-date") == files_below(mount / "by-date")


def test_tar_diff_after_a_remount_and_with_a_new_store_finds_nothing(sim_of, mount_of, tmp_path):
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    tar(tmp_path / "a.tar", mount.path, "by-date")
    for cache in (mount.cache, f"{mount.cache}2"):
        mount = remount(mount, mount_of, cache=cache)
        done = run("tar", "-df", tmp_path / "a.tar", "-C", mount.path)
        assert done.stdout == done.stderr == ""


def test_tar_stores_the_calls_of_two_views_once(sim_of, mount_of, tmp_path):
    mount = mount_of(sim_of(DAYS), ttl="1h")
    files, links = tar(tmp_path / "a.tar", mount.path, "by-date", "by-direction")
    assert len(files) == len(links) == CALLS
    assert run("tar", "-df", tmp_path / "a.tar", "-C", mount.path).stdout == ""


def test_tar_fails_when_the_api_does(sim_of, mount_of, tmp_path):
    sim = sim_of(DAYS)
    mount = mount_of(sim)
    sim.refuse(500, skip=5)
    done = run("tar", "-cf", tmp_path / "a.tar", "-C", mount.path, f"by-date/{OLDER}",
               status=(2,))
    assert "Input/output error" in done.stderr


def increment(tmp_path, mount, *more):
    """What tar's next incremental backup has in it."""
    archive = tmp_path / "increment.tar"
    return tar(archive, mount.path, "-g", tmp_path / "snapshot", *more, "by-date")[0]


def test_an_incremental_tar_has_what_is_new_and_nothing_else(sim_of, mount_of, tmp_path):
    """Also calls whose end is older than the backup before: tar compares names, too."""
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    assert len(increment(tmp_path, mount)) == CALLS
    sim.clear_log()
    assert increment(tmp_path, mount) == [] and sim.requests() == 0
    late = sim.calls(3, f"{OLDER} 00:00:01")
    (mount / ".cdrfs" / "refresh").write_text("/")
    assert increment(tmp_path, mount) == sorted(f"by-date/{OLDER}/{uuid}.json" for uuid in late)
    mount = remount(mount, mount_of, cache=f"{mount.cache}2")
    assert increment(tmp_path, mount, "--no-check-device") == []


def test_an_incremental_tar_needs_no_check_device_after_a_remount(sim_of, mount_of, tmp_path):
    """The device of a mount is whichever is free; tar takes another one for other directories."""
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    increment(tmp_path, mount)
    mount = on_another_device(mount, mount_of, sim)
    shutil.copy(tmp_path / "snapshot", tmp_path / "kept")
    assert len(increment(tmp_path, mount)) == CALLS
    shutil.copy(tmp_path / "kept", tmp_path / "snapshot")
    assert increment(tmp_path, mount, "--no-check-device") == []
    assert sim.requests() == 0

# SPDX-License-Identifier: MIT
"""What was forgotten to be fresh is read anew, and nothing is lost by it."""

import os
import signal
import stat
import subprocess

import pytest

from expect import error_of
from harness import day

OLD, OTHER = day(6), day(7)


def refresh(mount, text):
    fd = os.open(mount / ".cdrfs" / "refresh", os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


@pytest.fixture(name="held")
def _held(sim_of, mount_of):
    sim = sim_of({OLD: 45, OTHER: 20})
    mount = mount_of(sim)
    mount.ls(OLD)
    mount.ls(OTHER)
    sim.clear_log()
    assert len(mount.ls(OLD)) == 45 and sim.requests() == 0
    return sim, mount


@pytest.mark.parametrize("path", [
    f"by-date/{OLD}", f"/by-date/{OLD}/", f"by-date/{OLD}\n", f"by-direction/inbound/{OLD}",
    f"by-date/{OLD[:7]}", "/", "by-date"])
def test_a_path_is_read_anew_for_one_request(held, path):
    sim, mount = held
    late = sim.calls(1, f"{OLD} 23:59:59", set={"call_direction": "inbound"})[0]
    refresh(mount, path)
    assert sim.requests() == 0
    assert f"{late}.json" in mount.ls(OLD) and sim.requests() == 1
    assert len(mount.ls(OLD)) == 46 and sim.requests() == 1


def test_another_day_stays_final(held):
    sim, mount = held
    refresh(mount, f"by-date/{OTHER}")
    assert len(mount.ls(OLD)) == 45 and sim.requests() == 0
    assert len(mount.ls(OTHER)) == 20 and sim.requests() == 1


def test_a_file_stands_for_its_date_and_lines_for_themselves(held):
    sim, mount = held
    refresh(mount, f"by-date/{OLD}/{mount.ls(OLD)[0]}\nby-date/{OTHER}\n")
    mount.ls(OLD)
    mount.ls(OTHER)
    assert sim.requests() == 2


def test_sighup_reads_everything_anew(held):
    sim, mount = held
    late = sim.calls(1, f"{OLD} 23:59:59")[0]
    mount.send(signal.SIGHUP)
    for _ in range(200):  # a signal has no answer; each turn is a round trip to the mount
        if f"{late}.json" in mount.ls(OLD):
            break
    assert len(mount.ls(OLD)) == 46
    assert len(mount.ls(OTHER)) == 20 and sim.requests() == 2


@pytest.mark.parametrize("path, expected", [
    ("by-date/2026-13-40", "ENOENT"), ("nonsense", "ENOENT"), ("\n\n", "EINVAL"),
    (f"by-date/{OLD}\nnonsense", "ENOENT"), (f"by-date/{OLD}/x/y", "ENOTDIR")])
def test_what_is_no_path_is_refused_whole(held, path, expected):
    sim, mount = held
    assert error_of(refresh, mount, path) == expected
    mount.ls(OLD)
    assert sim.requests() == 0


def test_the_shell_can_write_it(held):
    sim, mount = held
    subprocess.run(["sh", "-c", f"echo by-date/{OLD} > '{mount / '.cdrfs' / 'refresh'}'"], check=True)
    mount.ls(OLD)
    assert sim.requests() == 1


def test_it_is_there_and_not_listed_in_the_root(held):
    _, mount = held
    assert ".cdrfs" not in os.listdir(mount.path)
    assert sorted(os.listdir(mount / ".cdrfs")) == [
        "config", "errors", "explain", "metrics", "prefetch", "refresh", "status"]
    mode = os.stat(mount / ".cdrfs" / "refresh").st_mode
    assert stat.S_ISREG(mode) and stat.S_IMODE(mode) == 0o200
    assert error_of(os.unlink, mount / ".cdrfs" / "refresh") == "EROFS"
    assert error_of(os.stat, mount / ".cdrfs" / "other") == "ENOENT"


def test_ro_makes_it_read_only(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim, flags=("-o", "ro"))
    mount.ls(OLD)
    assert error_of(refresh, mount, "/") == "EROFS"


def test_readers_keep_the_old_listing_while_the_api_fails(held):
    sim, mount = held
    refresh(mount, "/")
    sim.refuse(404)
    assert len(mount.ls(OLD)) == 45
    sim.mend()
    sim.clear_log()
    assert len(mount.ls(OLD)) == 45 and sim.requests() == 1


def test_status_says_that_listings_are_stale_and_when_they_no_longer_are(held):
    sim, mount = held
    status = mount / ".cdrfs" / "status"
    assert "api: answered" in status.read_text() and "listings: fresh" in status.read_text()
    assert "held: 65 calls" in status.read_text()
    refresh(mount, "/")
    sim.refuse(404)
    mount.ls(OLD)
    text = status.read_text()
    assert "api: failed" in text and "404" in text and "listings: stale since" in text
    assert error_of(status.write_text, "x") == "EROFS"
    sim.mend()
    mount.ls(OLD)
    assert "listings: fresh" in status.read_text() and "api: answered" in status.read_text()


def test_a_refresh_that_stalls_ends_in_the_old_listing(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim, deadline=2)
    names = mount.ls(OLD)
    refresh(mount, "/")
    sim.stall()
    assert mount.ls(OLD) == names


def test_an_open_directory_is_whole_after_a_refresh(held):
    _, mount = held
    with os.scandir(mount.day(OLD)) as entries:
        first = next(entries).name
        refresh(mount, "/")
        rest = [e.name for e in entries]
    assert sorted([first, *rest]) == mount.ls(OLD)

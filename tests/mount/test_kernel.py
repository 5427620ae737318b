# SPDX-License-Identifier: MIT
"""What the kernel keeps, and for how long: counted in the messages it sends."""

import os

import pytest

from expect import error_of
from harness import PATIENCE_S, day

OLD = day(6)
ABSENT = "00000000-0000-4000-8000-000000000000.json"


@pytest.fixture(name="watched")
def _watched(sim_of, mount_of):
    sim = sim_of({OLD: 300})
    mount = mount_of(sim, debug=True)
    mount.ls(OLD)
    return sim, mount


def messages(mount, name):
    """How often the kernel has sent that message so far; a STATFS marks the place in the log."""
    marks = mount.output().count(b"opcode: STATFS")
    os.statvfs(mount.path)
    for _ in range(int(PATIENCE_S * 1000)):
        text = mount.output().decode(errors="replace")
        if text.count("opcode: STATFS") > marks:
            return text.count(f"opcode: {name} ")
        os.sched_yield()
    raise AssertionError("the mount does not answer")


def test_the_listing_of_a_known_day_is_kept(watched):
    sim, mount = watched
    names = mount.ls(OLD)  # this one fills the kernel's memory
    before = messages(mount, "READDIRPLUS")
    for _ in range(3):
        assert mount.ls(OLD) == names
    assert messages(mount, "READDIRPLUS") == before
    assert names == sim.names(OLD)


def test_a_listing_that_changed_is_not(watched):
    sim, mount = watched
    mount.ls(OLD)
    mount.ls(OLD)
    late = sim.calls(1, f"{OLD} 23:59:59")[0]
    (mount / ".cdrfs" / "refresh").write_text("/")
    assert f"{late}.json" in mount.ls(OLD)
    assert mount.ls(OLD) == sim.names(OLD)
    assert mount.ls(OLD) == sim.names(OLD)


def test_calls_and_absent_names_are_looked_up_once(watched):
    sim, mount = watched
    path = mount.day(OLD) / mount.ls(OLD)[0]
    assert error_of(os.stat, mount.day(OLD) / ABSENT) == "ENOENT"
    path.read_bytes()
    before = messages(mount, "LOOKUP"), messages(mount, "READ"), messages(mount, "GETATTR")
    for _ in range(5):
        assert error_of(os.stat, f"{path.parent}/{ABSENT}") == "ENOENT"
        path.read_bytes()
        os.stat(path)
    after = messages(mount, "LOOKUP"), messages(mount, "READ"), messages(mount, "GETATTR")
    assert after[1] == before[1] and after[2] - before[2] <= 2  # directories are asked every second
    assert after[0] - before[0] <= 3
    assert sim.requests() == 15


def test_an_absent_name_that_comes_is_there(sim_of, mount_of):
    sim = sim_of({OLD: 20})
    mount = mount_of(sim, ttl=0)
    today = mount.day(day(0))
    uuid = "11111111-1111-4111-8111-111111111111"
    assert error_of(os.stat, today / f"{uuid}.json") == "ENOENT"
    sim.calls(1, set={"call_uuid": uuid})
    assert f"{uuid}.json" in os.listdir(today)
    assert os.stat(today / f"{uuid}.json").st_size > 0

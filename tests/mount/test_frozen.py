# SPDX-License-Identifier: MIT
"""Stores that earlier versions wrote read the same: bytes, sizes, times and inodes."""

import json
import shutil

import pytest

from frozen import CLOCK, DATA, DAYS, describe

VERSIONS = sorted(p.stem for p in DATA.glob("store-*.db"))


def test_there_is_a_store_of_this_version():
    assert "store-4" in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_reads_as_when_it_was_written(sim_of, mount_of, tmp_path, version):
    sim = sim_of({})
    sim.clock(now=CLOCK)
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    shutil.copy(DATA / f"{version}.db", cache / f"{sim.auth_id}.db")
    mount = mount_of(sim, cache=cache, settle="1h")
    found = describe(mount.path)
    expected = json.loads((DATA / f"{version}.json").read_text())
    days = [path for path in expected if path.startswith("by-date")]
    assert len(days) == sum(DAYS.values()) + 10
    assert found == expected

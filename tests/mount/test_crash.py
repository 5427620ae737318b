# SPDX-License-Identifier: MIT
"""kill -9 at any moment leaves a store that claims nothing it does not hold."""

import errno

import pytest

from expect import error_of, render
from harness import day

OLD = day(6)
OTHER = day(7)
MOMENTS = [1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 17, 19, 20, 21]


def crash(sim, mount_of, spawn, requests):
    """A mount that was killed after so many requests of a listing arrived. Returns it."""
    mount = mount_of(sim, connections=2)
    assert mount.ls(OTHER) == sim.names(OTHER)
    sim.wait(idle=1)
    sim.clear_log()
    sim.config(latency_ms=5)
    ls = spawn("ls", mount.day(OLD))
    sim.wait(requests=requests)
    mount.kill()
    ls.kill()
    ls.communicate()
    mount.detach()
    sim.config(latency_ms=0)
    return mount


def check(sim, mount):
    for name in (OTHER, OLD):
        assert mount.ls(name) == sim.names(name)
        for row in sim.oracle(name):
            body = (mount.day(name) / f"{row['call_uuid']}.json").read_bytes()
            assert body == render(row["raw"])
        for direction in ("inbound", "outbound"):
            assert mount.ls(name, direction) == sim.names(name, call_direction=direction)


@pytest.mark.parametrize("requests", MOMENTS)
def test_after_a_kill_every_listing_is_whole(sim_of, mount_of, spawn, requests):
    sim = sim_of({OLD: 407, OTHER: 15})
    dead = crash(sim, mount_of, spawn, requests)
    check(sim, mount_of(sim, cache=dead.cache))


@pytest.mark.parametrize("requests", MOMENTS)
def test_after_a_kill_nothing_short_is_served_without_the_api(sim_of, mount_of, spawn, requests):
    sim = sim_of({OLD: 407, OTHER: 15})
    dead = crash(sim, mount_of, spawn, requests)
    sim.refuse(500)
    mount = mount_of(sim, cache=dead.cache)
    assert mount.ls(OTHER) == sim.names(OTHER)  # it was whole, and stays so
    for direction in (None, "inbound", "outbound"):
        match = {"call_direction": direction} if direction else {}
        try:
            assert mount.ls(OLD, direction) == sim.names(OLD, **match)
        except OSError as e:
            assert e.errno == errno.EIO
    absent = "6c3a8b60-26e0-4842-9387-2350de79f16b.json"
    assert error_of((mount.day(OLD) / absent).stat) in ("EIO", "ENOENT")
    sim.mend()
    check(sim, mount)


def test_a_kill_right_after_a_listing_loses_nothing(sim_of, mount_of):
    sim = sim_of({OLD: 407})
    dead = mount_of(sim)
    dead.ls(OLD)
    dead.kill()
    dead.detach()
    mount = mount_of(sim, cache=dead.cache)
    assert mount.ls(OLD) == sim.names(OLD)
    assert sim.requests() == 0


def test_killed_again_and_again_on_one_store(sim_of, mount_of, spawn):
    """The same store, killed at later and later moments of its walks."""
    days = [day(ago) for ago in range(6, 12)]
    sim = sim_of({name: 90 for name in days})
    cache = None
    for i in range(len(days)):
        mount = mount_of(sim, connections=2, **({"cache": cache} if cache else {}))
        cache = mount.cache
        sim.config(latency_ms=5)
        ls = spawn("ls", *(mount.day(n) for n in days[:i + 1]))
        sim.wait(requests=i + 1)
        mount.kill()
        ls.kill()
        ls.communicate()
        mount.detach()
        sim.config(latency_ms=0)
    mount = mount_of(sim, cache=cache)
    for name in days:
        assert mount.ls(name) == sim.names(name)

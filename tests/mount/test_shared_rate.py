# SPDX-License-Identifier: MIT
"""The requests of all hosts together stay within one rate."""

import time

import pytest

from harness import day
from lab import most_within
from shared import DAYS, at_once, pages, wait_for

RATE = 20
CALLS = 300
OWN = [day(n) for n in (3, 30, 9, 60)]  # one for each host, which nobody else reads


def walk(sim, mounts, names):
    """Each host reads a day of its own; returns the log of the requests, all told."""
    at_once(lambda mount, name: mount.ls(name), mounts, names)
    for mount, name in zip(mounts, names):
        assert mount.ls(name) == sim.names(name)
    return sim.log()


def test_four_hosts_together_send_no_more_than_one_may(hosts):
    sim, mounts = hosts(4, {name: CALLS for name in OWN}, rate=RATE)
    log = walk(sim, mounts, OWN)
    assert len(log) == pages(*[CALLS] * 4)
    assert most_within(log, 5) <= 5 * RATE
    assert most_within(log, 1) <= 1.5 * RATE


def test_one_host_alone_has_all_of_it(hosts):
    sim, mounts = hosts(1, {OWN[0]: 1200}, rate=RATE)
    log = walk(sim, mounts, OWN[:1])
    assert most_within(log, 5) <= 5 * RATE
    assert log[-1]["t"] - log[0]["t"] < 3 * len(log) / RATE


def test_hosts_that_lost_the_tier_divide_the_rate(hosts, postgres):
    sim, mounts = hosts(4, {name: 100 for name in OWN}, rate=RATE)
    for mount in mounts:
        wait_for(mount, "4 hosts")
    postgres.halt()
    for mount in mounts:
        wait_for(mount, "lost", "of whose rate 5 a second are ours")
    sim.clear_log()
    log = walk(sim, mounts, OWN)
    assert most_within(log, 5) <= 5 * RATE
    for mount, name in zip(mounts, OWN):
        own = [entry for entry in log if entry["url"].count(name)]
        assert len(own) == pages(100) and most_within(own, 5) <= 5 * RATE / 4


@pytest.mark.parametrize("n", [1, 3])
def test_a_small_rate_is_kept_to(hosts, n):
    sim, mounts = hosts(n, {name: 25 for name in OWN}, rate=2)
    log = walk(sim, mounts, OWN[:n])
    assert most_within(log, 5) <= 10 and len(log) == n * pages(25)


def test_a_frozen_server_does_not_stop_requests(hosts, postgres):
    sim, (mount,) = hosts(1, {**DAYS, OWN[0]: 200}, rate=200)
    began = time.monotonic()
    postgres.freeze()
    assert mount.ls(OWN[0]) == sim.names(OWN[0]) and time.monotonic() > began

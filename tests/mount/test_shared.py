# SPDX-License-Identifier: MIT
"""Many hosts, one account: what the shared tier on PostgreSQL is for."""

import concurrent.futures
import os
import re
import time

import pytest

from harness import NOW, PATIENCE_S, day
from postgres import Postgres

DAYS = {day(n): 45 + n for n in (3, 30, 9, 60)}  # which nobody takes for a walk, and reads ahead


@pytest.fixture(name="module_postgres", scope="module")
def _module_postgres():
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(name="postgres")
def _postgres(module_postgres):
    """An empty database of a server that is there for all tests of this file."""
    module_postgres.sql("DROP SCHEMA public CASCADE")
    module_postgres.sql("CREATE SCHEMA public")
    module_postgres.sql("GRANT ALL ON SCHEMA public TO public")
    yield module_postgres


@pytest.fixture(name="hosts")
def _hosts(sim_of, mount_of, postgres):
    """hosts(n, **options): a simulator with DAYS, and mounts of it that share, each with a store of
    its own."""
    def make(n, **options):
        sim = sim_of(DAYS)
        made = [mount_of(sim, shared=postgres.url(), **options) for _ in range(n)]
        for mount in made:
            wait_for(mount, "together")
        sim.clear_log()
        return sim, made

    return make


def status(mount, name):
    text = (mount / ".cdrfs/status").read_text()
    return re.search(f"^{name}: (.*)$", text, re.M).group(1)


def wait_for(mount, *words, name="shared tier"):
    """Until that line of the status has all the words."""
    end = time.monotonic() + PATIENCE_S
    while not all(word in status(mount, name) for word in words):
        assert time.monotonic() < end, (words, status(mount, name))
        time.sleep(0.02)


def published(mount):
    """Until the tier has been given all that this host has."""
    wait_for(mount, ", 0 still to publish; 0 windows leased", name="shared calls")


def at_once(function, *rows):
    with concurrent.futures.ThreadPoolExecutor(len(rows[0])) as pool:
        return list(pool.map(function, *rows))


def pages(n):
    return -(-n // 20)


def test_four_days_read_by_four_hosts_at_once_cost_each_page_once(hosts):
    sim, mounts = hosts(4)
    found = at_once(lambda mount: [mount.ls(name) for name in DAYS], mounts)
    for names in found:
        assert names == [sim.names(name) for name in DAYS]
    assert sim.requests() == sum(pages(n) for n in DAYS.values())


def test_a_day_one_host_holds_costs_the_others_nothing(hosts):
    sim, (first, *others) = hosts(3)
    for name in DAYS:
        first.ls(name)
    published(first)
    sim.clear_log()
    for mount in others:
        for name in DAYS:
            assert mount.ls(name) == sim.names(name)
    assert sim.requests() == 0


def test_a_call_is_the_same_file_on_every_host(hosts):
    sim, (first, second) = hosts(2)
    name = list(DAYS)[0]
    first.ls(name)
    published(first)
    for file in second.ls(name):
        a, b = first.day(name) / file, second.day(name) / file
        assert a.read_bytes() == b.read_bytes()
        one, two = os.stat(a), os.stat(b)
        assert (one.st_ino, one.st_size, one.st_mtime) == (two.st_ino, two.st_size, two.st_mtime)
    assert sim.requests() == pages(DAYS[name])


def test_one_call_by_its_uuid_comes_from_the_tier(hosts):
    sim, (first, second) = hosts(2)
    name = list(DAYS)[1]
    names = first.ls(name)
    published(first)
    sim.clear_log()
    for file in names[:5]:
        assert (second / "by-uuid" / file).read_bytes() == (first.day(name) / file).read_bytes()
        assert (second.day(name) / file).exists()
    assert sim.requests() == 0
    with pytest.raises(FileNotFoundError):
        os.stat(second / "by-uuid/00000000-0000-4000-8000-000000000000.json")

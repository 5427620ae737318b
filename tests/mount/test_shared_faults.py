# SPDX-License-Identifier: MIT
"""Hosts that die, an API that fails, a database that is away, slow or full: nothing is lost,
nothing doubled, nothing short, and nobody waits for ever."""

import os
import signal

import pytest

from expect import error_of
from harness import GONE_S, PATIENCE_S, day
from postgres import Postgres
from shared import (DAYS, all_the_same, listed, listing, metric, pages, published, status, until,
                    wait_for)

OLD, OTHER, THIRD = list(DAYS)[:3]
EACH = {day(n): 40 for n in (3, 30, 9, 60, 14, 50, 22, 70)}


def is_leased(mount):
    return metric(mount, "cdrfs_shared_leases") > 0


def is_waiting(mount):
    return metric(mount, "cdrfs_shared_waiting_windows") > 0


def one_reads_and_one_waits(sim, first, second):
    """first reads OLD and is not answered; second waits for it."""
    sim.stall()
    one = listing(first.day(OLD))
    until(lambda: is_leased(first))
    sim.wait(in_flight=1)
    two = listing(second.day(OLD))
    until(lambda: is_waiting(second))
    assert sim.requests() == 1
    return one, two


# --- hosts ---


def test_a_host_that_dies_while_it_reads_is_replaced(hosts):
    sim, (first, second, third) = hosts(3)
    one, two = one_reads_and_one_waits(sim, first, second)
    three = listing(third.day(OLD))
    first.kill()
    sim.mend()
    assert listed(two) == listed(three) == sim.names(OLD)
    one.kill()
    one.communicate(timeout=PATIENCE_S)
    assert sim.requests() == 1 + pages(DAYS[OLD])


def test_a_host_that_ends_while_it_reads_gives_its_window_back(hosts, postgres):
    sim, (first, second) = hosts(2)
    one, two = one_reads_and_one_waits(sim, first, second)
    first.send(signal.SIGTERM)
    assert first.is_gone(GONE_S)
    assert postgres.sql("SELECT count(*) FROM cdrfs_host") == "1\n"
    until(lambda: is_leased(second))
    sim.mend()
    assert listed(two) == sim.names(OLD)
    one.kill()
    one.communicate(timeout=PATIENCE_S)
    assert sim.requests() == 1 + pages(DAYS[OLD])


def test_a_window_nobody_wants_any_more_is_given_back(hosts):
    sim, (first, second) = hosts(2, deadline=2)
    one, two = one_reads_and_one_waits(sim, first, second)
    assert one.wait(PATIENCE_S) != 0 and two.wait(PATIENCE_S) != 0
    until(lambda: not is_leased(first))
    sim.mend()
    assert second.ls(OLD) == first.ls(OLD) == sim.names(OLD)


def test_the_api_fails_for_all_hosts_alike(hosts):
    sim, mounts = hosts(3)
    sim.refuse(503)
    running = [listing(mount.day(OLD)) for mount in mounts]
    for process in running:
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode != 0 and out == "" and "No such file" not in err
    sim.mend()
    for mount in mounts:
        until(lambda m=mount: error_of(os.listdir, m.day(OLD)) is None)
    all_the_same(sim, mounts, [OLD])


def test_a_walk_that_fails_in_its_middle_leaves_no_host_short(hosts):
    sim, mounts = hosts(2, {OLD: 200})
    sim.refuse(500, skip=4)
    running = [listing(mount.day(OLD)) for mount in mounts]
    for process in running:
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode != 0
    sim.mend()
    for mount in mounts:
        until(lambda m=mount: error_of(os.listdir, m.day(OLD)) is None)
    all_the_same(sim, mounts, [OLD])


# --- the database is away ---


def test_a_database_that_restarts_in_the_middle_of_a_walk(hosts, mount_of, postgres):
    sim, mounts = hosts(2, EACH)
    sim.config(latency_ms=50)
    running = [listing(mount.day(name)) for name in EACH for mount in mounts]
    sim.wait(requests=3)
    postgres.restart()
    found = [listed(process) for process in running]
    assert found == [sim.names(name) for name in EACH for mount in mounts]
    for mount in mounts:
        wait_for(mount, "together")
    published(*mounts)
    third = mount_of(sim, shared=postgres.url())
    wait_for(third, "together")
    sim.clear_log()
    all_the_same(sim, [third, *mounts], EACH)
    assert sim.requests() == 0


def test_what_was_read_alone_is_published_later(hosts, mount_of, postgres):
    sim, (first, second) = hosts(2)
    first.ls(OLD)
    postgres.halt()
    for mount in (first, second):
        wait_for(mount, "lost", "of whose rate 500 a second are ours", "2 hosts")
    assert first.ls(OTHER) == second.ls(OTHER) == sim.names(OTHER)
    assert second.ls(OLD) == sim.names(OLD)
    assert metric(first, "cdrfs_shared_up") == 0
    postgres.start()
    for mount in (first, second):
        wait_for(mount, "together")
    published(first, second)
    third = mount_of(sim, shared=postgres.url())
    wait_for(third, "together")
    sim.clear_log()
    all_the_same(sim, [third], [OLD, OTHER])
    assert sim.requests() == 0


def test_a_database_that_is_away_from_the_beginning(sim_of, mount_of, postgres):
    sim = sim_of(DAYS)
    postgres.halt()
    mount = mount_of(sim, shared=postgres.url())
    assert mount.ls(OLD) == sim.names(OLD)
    wait_for(mount, "lost", "No such file or directory")
    assert sim.requests() == pages(DAYS[OLD])
    postgres.start()
    wait_for(mount, "together")
    published(mount)
    assert postgres.sql("SELECT count(*) FROM cdrfs_span") == "1\n"


def test_a_database_that_hangs_is_lost_and_comes_back(hosts, postgres):
    sim, (first, second) = hosts(2)
    first.ls(OLD)
    published(first)
    postgres.freeze()
    running = [listing(first.day(OTHER)), listing(second.day(OLD))]
    assert [listed(p) for p in running] == [sim.names(OTHER), sim.names(OLD)]
    for mount in (first, second):
        wait_for(mount, "lost", "no answer within")
    sim.clear_log()
    assert first.ls(THIRD) == sim.names(THIRD)
    postgres.thaw()
    for mount in (first, second):
        wait_for(mount, "together")
    published(first, second)
    sim.clear_log()
    all_the_same(sim, [first, second], [OLD, OTHER, THIRD])
    assert sim.requests() == 0


def test_a_database_that_hangs_from_the_beginning(sim_of, mount_of, postgres):
    sim = sim_of(DAYS)
    postgres.freeze()
    mount = mount_of(sim, shared=postgres.url())
    assert mount.ls(OLD) == sim.names(OLD)
    wait_for(mount, "lost", "no answer within")
    postgres.thaw()
    wait_for(mount, "together")
    published(mount)


def test_while_the_tier_is_lost_nothing_waits_for_attempts_to_come_back(hosts, postgres):
    sim, (mount,) = hosts(1, EACH, deadline=3)  # an attempt may take longer than that
    postgres.freeze()
    wait_for(mount, "lost")
    for name in EACH:
        assert mount.ls(name) == sim.names(name)


def test_connections_that_are_ended_by_an_administrator_cost_nothing(hosts, postgres):
    sim, (first, second) = hosts(2)
    first.ls(OLD)
    published(first)
    for _ in range(3):
        postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE application_name LIKE 'cdrfs%'")
    for mount in (first, second):
        wait_for(mount, "together")
        until(lambda m=mount: metric(m, "cdrfs_shared_up") == 1)
    assert second.ls(OLD) == sim.names(OLD)
    for mount in (first, second):
        mount.ls(OTHER)
    published(first, second)
    all_the_same(sim, [first, second], [OLD, OTHER])


# --- the end ---


def test_a_mount_ends_while_the_database_hangs(hosts, postgres):
    _, (first, second, third) = hosts(3)
    first.ls(OLD)
    published(first)
    postgres.freeze()
    running = listing(second.day(OLD))
    another = listing(third.day(OTHER))
    first.unmount()
    for mount in (second, third):
        mount.send(signal.SIGTERM)
    for mount in (second, third):
        assert mount.is_gone(GONE_S)
    for process in (running, another):
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def test_a_host_that_leaves_is_counted_no_more(hosts):
    _, (first, second) = hosts(2)
    wait_for(first, "together", "2 hosts")
    second.unmount()
    wait_for(first, "together", "1 host")


# --- a full disk ---


@pytest.fixture(name="small_postgres")
def _small_postgres():
    server = Postgres(size="96m")
    yield server
    server.stop()


def is_full(line):
    return "No space left" in line or "could not extend file" in line


def test_a_database_that_is_full_is_done_without_until_there_is_room(small_postgres, sim_of,
                                                                     mount_of):
    sim = sim_of({OLD: 1500, OTHER: 40})
    mounts = [mount_of(sim, shared=small_postgres.url()) for _ in range(2)]
    for mount in mounts:
        wait_for(mount, "together")
    small_postgres.leave_room(300 << 10)
    running = [listing(mount.day(OLD)) for mount in mounts]
    assert [listed(p) for p in running] == [sim.names(OLD)] * 2
    full = until(lambda: [m for m in mounts if is_full(status(m))])
    assert "only read" in status(full[0])
    all_the_same(sim, mounts, [OTHER])
    small_postgres.make_room()
    for mount in mounts:
        wait_for(mount, "together")
    published(*mounts)
    third = mount_of(sim, shared=small_postgres.url())
    wait_for(third, "together")
    sim.clear_log()
    all_the_same(sim, [third], [OLD, OTHER])
    assert sim.requests() == 0


def test_a_server_that_waits_for_those_who_are_connected_is_not_kept(hosts, postgres):
    _, (mount,) = hosts(1)
    mount.ls(OLD)
    published(mount)
    mount.unmount()
    postgres.halt("smart")

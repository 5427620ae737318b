# SPDX-License-Identifier: MIT
"""Many hosts, one account: what the shared tier on PostgreSQL is for."""

import os

import pytest

from expect import error_of
from harness import NOW, day, epoch
from lab import ask_for
from shared import (DAYS, all_the_same, at_once, metric, pages, published, status, until,
                    wait_for)
from test_archive import ended, move

OLD, MONTHS_AGO = day(30), day(60)


def refresh(mount, text):
    (mount / ".cdrfs/refresh").write_text(text)


def test_four_days_read_by_four_hosts_at_once_cost_each_page_once(hosts):
    sim, mounts = hosts(4)
    found = at_once(lambda mount: [mount.ls(name) for name in DAYS], mounts)
    for names in found:
        assert names == [sim.names(name) for name in DAYS]
    assert sim.requests() == pages(*DAYS.values())


def test_a_day_one_host_holds_costs_the_others_nothing(hosts):
    sim, (first, *others) = hosts(3)
    for name in DAYS:
        first.ls(name)
    published(first)
    sim.clear_log()
    all_the_same(sim, others, DAYS)
    assert sim.requests() == 0
    for mount in others:
        assert metric(mount, "cdrfs_shared_copied_calls_total") == sum(DAYS.values())


def test_a_call_is_the_same_file_on_every_host(hosts):
    sim, (first, second) = hosts(2)
    first.ls(OLD)
    published(first)
    for file in second.ls(OLD):
        a, b = first.day(OLD) / file, second.day(OLD) / file
        assert a.read_bytes() == b.read_bytes()
        one, two = os.stat(a), os.stat(b)
        assert (one.st_ino, one.st_size, one.st_mtime) == (two.st_ino, two.st_size, two.st_mtime)
    assert sim.requests() == pages(DAYS[OLD])


def test_a_large_day_is_copied_whole(hosts):
    sim, (first, second) = hosts(2, {OLD: 2345})  # several statements, and several pieces of news
    names = first.ls(OLD)
    published(first)
    sim.clear_log()
    assert second.ls(OLD) == names == sim.names(OLD)
    assert sim.requests() == 0
    assert status(second, "held").startswith("2345 calls")


# --- narrower questions ---


def test_narrower_questions_are_answered_by_what_another_host_has_read(hosts):
    sim, (first, second) = hosts(2)
    call = sim.oracle(OLD)[0]
    first.ls(OLD)
    published(first)
    sim.clear_log()
    for view, key in (("by-direction", "call_direction"), ("by-from", "from_number"),
                      ("by-to", "to_number"), ("by-hangup-cause", "hangup_cause_code")):
        path = second / view / str(call[key]).lstrip("+") / OLD
        assert sorted(os.listdir(path)) == sim.names(OLD, **{key: call[key]}), view
    assert sim.requests() == 0


def test_both_directions_together_are_the_whole_day(hosts):
    sim, (first, second) = hosts(2)
    for direction in ("inbound", "outbound"):
        first.ls(OLD, direction)
    published(first)
    sim.clear_log()
    assert second.ls(OLD) == sim.names(OLD)
    assert sim.requests() == 0


def test_one_direction_alone_is_not(hosts):
    sim, (first, second) = hosts(2)
    first.ls(OLD, "inbound")
    published(first)
    sim.clear_log()
    assert second.ls(OLD, "inbound") == sim.names(OLD, call_direction="inbound")
    assert sim.requests() == 0
    assert second.ls(OLD) == sim.names(OLD)
    assert sim.requests() > 0


def test_one_call_that_was_looked_up_is_part_of_no_answer_elsewhere(hosts):
    sim, (first, second) = hosts(2)
    name = sim.names(OLD)[7]
    text = (first / "by-uuid" / name).read_bytes()
    published(first)
    assert second.ls(OLD) == sim.names(OLD)
    assert (second / "by-uuid" / name).read_bytes() == text
    assert (second.day(OLD) / name).read_bytes() == text


# --- what changes ---


def amend_and_read(sim, mount, name):
    """mount reads OLD anew, half a minute later, with that call amended."""
    sim.amend(name[:-5], bill_duration="4711")
    sim.clock(advance_s=30)
    mount.ls(sorted(DAYS)[0])  # so that it knows the time
    published(mount)
    refresh(mount, f"by-date/{OLD}")
    mount.ls(OLD)
    assert b"4711" in (mount.day(OLD) / name).read_bytes()
    published(mount)
    sim.clear_log()


def test_a_wish_for_news_that_another_host_has_read_since_costs_nothing(hosts):
    sim, (first, second) = hosts(2)
    name = first.ls(OLD)[3]
    published(first)
    second.ls(OLD)
    refresh(second, f"by-date/{OLD}")
    amend_and_read(sim, first, name)
    second.ls(OLD)
    a, b = first.day(OLD) / name, second.day(OLD) / name
    assert a.read_bytes() == b.read_bytes() and sim.requests() == 0
    assert os.stat(a).st_mtime == os.stat(b).st_mtime >= epoch(NOW) + 30


def test_a_wish_for_news_is_not_satisfied_by_an_older_reading(hosts):
    sim, (first, second) = hosts(2)
    name = first.ls(OLD)[3]
    published(first)
    second.ls(OLD)
    sim.amend(name[:-5], bill_duration="4711")
    refresh(second, f"by-date/{OLD}")
    second.ls(OLD)
    assert b"4711" in (second.day(OLD) / name).read_bytes()


def test_what_is_final_stays_so_until_somebody_wishes_for_news(hosts):
    sim, (first, second) = hosts(2)
    name = first.ls(OLD)[3]
    published(first)
    second.ls(OLD)
    before = (second.day(OLD) / name).read_bytes()
    amend_and_read(sim, first, name)
    second.ls(OLD)
    assert (second.day(OLD) / name).read_bytes() == before and sim.requests() == 0
    refresh(second, f"by-date/{OLD}")
    second.ls(OLD)
    assert (second.day(OLD) / name).read_bytes() == (first.day(OLD) / name).read_bytes()


def test_a_new_host_gets_what_was_amended_and_its_time(hosts, mount_of, postgres):
    sim, (first,) = hosts(1)
    name = first.ls(OLD)[3]
    sim.amend(name[:-5], bill_duration="4711")
    refresh(first, f"by-date/{OLD}")
    first.ls(OLD)
    published(first)
    second = mount_of(sim, shared=postgres.url())
    assert second.ls(OLD) == sim.names(OLD)
    a, b = first.day(OLD) / name, second.day(OLD) / name
    assert b"4711" in b.read_bytes() and a.read_bytes() == b.read_bytes()
    assert os.stat(a).st_mtime == os.stat(b).st_mtime
    assert sim.requests() == 0


def test_of_a_day_that_is_held_only_what_is_new_is_copied(hosts):
    sim, (first, second) = hosts(2, {day(0): 300, OLD: 200}, ttl=10)
    for mount in (first, second):
        mount.ls(day(0))
        published(mount)
    copied = metric(second, "cdrfs_shared_copied_calls_total")
    sim.clock(advance_s=3600)
    first.ls(day(0))
    published(first)
    sim.clear_log()
    held = len(sim.names(day(0))) - 300
    late = [row for row in sim.oracle(day(0)) if NOW < row["end_time"]]
    assert second.ls(day(0)) == first.ls(day(0))
    assert sim.requests() == 0 and held == 0
    more = metric(second, "cdrfs_shared_copied_calls_total") - copied
    assert more <= len(late)


def test_a_row_of_unknown_age_is_copied_to_whoever_holds_an_older_reading(hosts, mount_of,
                                                                          postgres):
    """A store that joins with a narrow reading does not know of each call when it was read."""
    sim, (second,) = hosts(1, {day(1): 60, OLD: 5}, ttl=10)
    assert second.ls(day(1), "inbound") == sim.names(day(1), call_direction="inbound")
    published(second)
    sim.calls(1, f"{day(1)} 11:00:00", set={"call_direction": "inbound"})
    sim.clock(advance_s=48000)
    alone = mount_of(sim)
    assert alone.ls(day(1), "inbound") == sim.names(day(1), call_direction="inbound")
    alone.unmount()
    joined = mount_of(sim, cache=alone.cache, shared=postgres.url())
    inbound = len(sim.names(day(1), call_direction="inbound"))
    wait_for(joined, f"{inbound} published", name="shared calls")
    published(joined)
    second.ls(OLD)  # so that it knows the time
    sim.clear_log()
    assert second.ls(day(1), "inbound") == sim.names(day(1), call_direction="inbound")
    assert sim.requests() == 0


# --- the archive ---


def test_the_archive_is_the_fleets(hosts, mount_of, postgres):
    sim, (first,) = hosts(1)
    first.ls(MONTHS_AGO)
    published(first)
    names, rows = first.ls(MONTHS_AGO), {n: (first.day(MONTHS_AGO) / n).read_bytes()
                                         for n in first.ls(MONTHS_AGO)}
    first.unmount()
    move(sim, 40)
    second = mount_of(sim, shared=postgres.url())
    wait_for(second, "together")
    until(lambda: MONTHS_AGO in os.listdir(second / "by-date"))
    sim.clear_log()
    assert second.ls(MONTHS_AGO) == names
    assert {n: (second.day(MONTHS_AGO) / n).read_bytes() for n in names} == rows
    assert sim.requests() == 0
    assert error_of(os.listdir, second.day(day(61))) == "ENODATA"


def test_what_only_the_tier_has_is_an_error_while_it_is_lost(hosts, mount_of, postgres):
    sim, (first,) = hosts(1)
    first.ls(MONTHS_AGO)
    published(first)
    move(sim, 40)
    second = mount_of(sim, shared=postgres.url())
    until(lambda: MONTHS_AGO in os.listdir(second / "by-date"))
    postgres.halt()
    wait_for(second, "lost")
    assert error_of(os.listdir, second.day(MONTHS_AGO)) == "EHOSTUNREACH"
    assert error_of(os.stat, second.day(MONTHS_AGO) / sim.names(MONTHS_AGO)[0]) == "EHOSTUNREACH"
    assert MONTHS_AGO in os.listdir(second / "by-date")
    postgres.start()
    wait_for(second, "together")
    assert second.ls(MONTHS_AGO) == sim.names(MONTHS_AGO)


# --- who joins ---


def test_a_store_that_joins_gives_all_it_has(hosts, mount_of, postgres):
    sim, (other,) = hosts(1)
    alone = mount_of(sim)
    for name in DAYS:
        alone.ls(name)
    alone.unmount()
    joined = mount_of(sim, cache=alone.cache, shared=postgres.url())
    wait_for(joined, f"{sum(DAYS.values())} published", name="shared calls")
    published(joined)
    sim.clear_log()
    all_the_same(sim, [other], DAYS)
    assert sim.requests() == 0


def test_a_store_that_was_filled_between_two_mounts_that_share_gives_that(hosts, mount_of,
                                                                           postgres):
    sim, (first, other) = hosts(2)
    first.ls(OLD)
    published(first)
    first.unmount()
    alone = mount_of(sim, cache=first.cache)
    alone.ls(MONTHS_AGO)
    alone.unmount()
    again = mount_of(sim, cache=first.cache, shared=postgres.url())
    wait_for(again, f"{DAYS[MONTHS_AGO]} published", name="shared calls")
    published(again)
    sim.clear_log()
    all_the_same(sim, [other], [OLD, MONTHS_AGO])
    assert sim.requests() == 0


def test_a_new_database_behind_the_same_url_is_given_everything_again(hosts, mount_of, postgres):
    sim, (first,) = hosts(1)
    for name in DAYS:
        first.ls(name)
    published(first)
    postgres.empty()
    wait_for(first, f"{2 * sum(DAYS.values())} published", name="shared calls")
    published(first)
    second = mount_of(sim, shared=postgres.url())
    sim.clear_log()
    all_the_same(sim, [second, first], DAYS)
    assert sim.requests() == 0


def test_an_idle_mount_notices_that_another_host_made_the_tables_anew(hosts, mount_of, postgres):
    sim, (first, second) = hosts(2)
    first.ls(OLD)
    published(first)
    postgres.empty()
    wait_for(first, f"{2 * DAYS[OLD]} published", name="shared calls")
    wait_for(second, "together")
    third = mount_of(sim, shared=postgres.url())
    sim.clear_log()
    all_the_same(sim, [second, third], [OLD])
    assert sim.requests() == 0


# --- at the same time ---


def test_two_hosts_that_walk_the_same_days_read_ahead_once(hosts):
    days = {day(n): 7 for n in range(2, 32)}
    sim, (alone, *both) = hosts(3, days)
    ordered = sorted(days, reverse=True)
    for name in ordered:
        alone.ls(name)
    one = sim.requests()
    sim.clear_log()
    sim.clock(advance_s=60)
    assert one <= 2 * pages(sum(days.values()))
    at_once(lambda mount: [mount.ls(name) for name in ordered], both)
    all_the_same(sim, both, days)


def test_a_listing_of_a_cold_day_by_many_processes_of_many_hosts_costs_it_once(hosts, spawn):
    sim, mounts = hosts(3, {OLD: 200})
    running = [p for mount in mounts for p in ask_for(spawn, mount, [OLD] * 3)]
    for process in running:
        assert len(process.communicate()[0].split()) == 200
    assert sim.requests() == pages(200)


def test_nothing_is_lost_or_doubled_on_any_host_while_calls_arrive(hosts):
    sim, mounts = hosts(4, {day(0): 300, day(1): 50}, ttl=1)
    sim.config(latency_ms=20)
    least = len(ended(sim, 0)) + 60

    def watch(mount):
        while len(ended(sim, 0)) < least:
            before = set(ended(sim, 1))
            seen = [name for n in (0, 1) for name in os.listdir(mount.day(day(n)))]
            assert len(seen) == len(set(seen)) and before <= set(seen)

    sim.arrivals(30, late_max_s=30)
    try:
        at_once(watch, mounts)
    finally:
        sim.arrivals(0)
    for mount in mounts:
        until(lambda m=mount: m.ls(day(0)) == ended(sim, 0))
        assert mount.ls(day(1)) == ended(sim, 1)


def test_one_call_by_its_uuid_comes_from_the_tier(hosts):
    sim, (first, second) = hosts(2)
    names = first.ls(OLD)
    published(first)
    sim.clear_log()
    for file in names[:5]:
        assert (second / "by-uuid" / file).read_bytes() == (first.day(OLD) / file).read_bytes()
        assert (second.day(OLD) / file).exists()
    assert sim.requests() == 0
    absent = "by-uuid/00000000-0000-4000-8000-000000000000.json"
    assert error_of(os.stat, second / absent) == "ENOENT"


def test_a_call_that_only_the_tier_has_is_found_by_its_uuid_and_not_absent_while_that_is_lost(
        hosts, mount_of, postgres):
    sim, (first,) = hosts(1)
    one, two = first.ls(MONTHS_AGO)[:2]
    published(first)
    move(sim, 40)
    second = mount_of(sim, shared=postgres.url())
    until(lambda: MONTHS_AGO in os.listdir(second / "by-date"))
    found = (second / "by-uuid" / one).read_bytes()
    assert found == (first.day(MONTHS_AGO) / one).read_bytes()
    postgres.halt()
    wait_for(second, "lost")
    assert error_of(os.stat, second / "by-uuid" / two) == "EHOSTUNREACH"
    postgres.start()
    wait_for(second, "together")
    assert (second / "by-uuid" / two).read_bytes() == (first.day(MONTHS_AGO) / two).read_bytes()


@pytest.mark.parametrize("_", range(6))  # a ring of waits comes of some orders only
def test_hosts_that_publish_into_new_months_at_once_do_not_wait_for_each_other(hosts, _):
    days = {day(n): 40 for n in (3, 30, 9, 60, 14, 50, 22, 70)}
    sim, mounts = hosts(2, days)
    sim.config(latency_ms=50)
    at_once(lambda mount: at_once(mount.ls, list(days)), mounts)
    published(*mounts)
    assert sim.requests() == pages(*days.values())

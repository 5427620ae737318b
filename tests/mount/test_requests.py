# SPDX-License-Identifier: MIT
"""What a listing costs: the API is never asked twice for what is known."""

import os
import subprocess

import pytest

from harness import NOW, PATIENCE_S, day

OLD = day(6)


def run_all(*commands):
    """Runs the commands at once; returns their outputs, sorted lines each."""
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, text=True) for c in commands]
    outputs = [p.communicate(timeout=PATIENCE_S)[0] for p in running]
    assert all(p.returncode == 0 for p in running)
    return [sorted(o.split()) for o in outputs]


def test_a_cold_day_of_407_calls_costs_21_requests_and_is_whole(sim_of, mount_of):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim, rate=30)
    names = mount.ls(OLD)
    assert len(names) == 407 and names == sim.names(OLD)
    assert sim.requests() == 21
    subprocess.run(["ls", "-l", mount.day(OLD)], check=True, stdout=subprocess.DEVNULL)
    assert sim.requests() == 21
    for name in names:
        (mount.day(OLD) / name).read_bytes()
    assert sim.requests() == 21


@pytest.mark.parametrize("calls, cost", [(0, 1), (1, 1), (20, 1), (21, 2), (40, 2), (400, 20)])
def test_a_cold_day_costs_a_request_for_twenty_calls(sim_of, mount_of, calls, cost):
    sim = sim_of({OLD: calls})
    mount = mount_of(sim)
    assert mount.ls(OLD) == sim.names(OLD)
    assert sim.requests() == cost
    assert len(mount.ls(OLD)) == calls
    assert sim.requests() == cost


def test_a_first_ls_dash_l_costs_no_more_than_an_ls(sim_of, mount_of):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim)
    subprocess.run(["ls", "-l", mount.day(OLD)], check=True, stdout=subprocess.DEVNULL)
    assert sim.requests() == 21


def test_the_next_mount_of_the_store_lists_an_old_day_without_a_request(sim_of, mount_of):
    sim = sim_of({OLD: 407})
    first = mount_of(sim)
    names = first.ls(OLD)
    first.unmount()
    second = mount_of(sim, cache=first.cache)
    assert second.ls(OLD) == names == sim.names(OLD)
    for name in names:
        (second.day(OLD) / name).read_bytes()
    assert sim.requests() == 0


def test_a_direction_of_a_held_day_costs_nothing(sim_of, mount_of):
    sim = sim_of({OLD: 90})
    mount = mount_of(sim)
    mount.ls(OLD)
    sim.clear_log()
    for direction in ("outbound", "inbound"):
        names = mount.ls(OLD, direction)
        assert names == sim.names(OLD, call_direction=direction) and 0 < len(names) < 90
    assert sim.requests() == 0


def test_a_day_whose_directions_are_held_costs_nothing(sim_of, mount_of):
    sim = sim_of({OLD: 90})
    mount = mount_of(sim)
    cost = 0
    for direction in ("outbound", "inbound"):
        names = mount.ls(OLD, direction)
        assert names == sim.names(OLD, call_direction=direction)
        cost += -(-len(names) // 20)
    assert sim.requests() == cost
    assert mount.ls(OLD) == sim.names(OLD)
    assert sim.requests() == cost


def test_one_direction_does_not_stand_for_the_other(sim_of, mount_of):
    sim = sim_of({OLD: 90})
    mount = mount_of(sim)
    mount.ls(OLD, "inbound")
    assert mount.ls(OLD, "outbound") == sim.names(OLD, call_direction="outbound")
    assert mount.ls(OLD) == sim.names(OLD)


def test_listings_of_one_cold_day_at_the_same_time_share_its_requests(sim_of, mount_of):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim)
    sim.config(latency_ms=20)
    listings = run_all(*[["ls", mount.day(OLD)]] * 8)
    assert listings == [sim.names(OLD)] * 8
    assert sim.requests() == 21


def test_pages_are_fetched_in_parallel(sim_of, mount_of):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim)
    sim.config(latency_ms=50)
    assert mount.ls(OLD) == sim.names(OLD)
    assert 1 < sim.stats()["max_in_flight"] <= 8


def test_connections_limits_how_many(sim_of, mount_of):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim, connections=2)
    sim.config(latency_ms=20)
    assert mount.ls(OLD) == sim.names(OLD)
    assert sim.stats()["max_in_flight"] == 2


def test_rate_limits_how_fast(sim_of, mount_of):
    """Of 30 requests at 20 a second, at most 20 may leave at once."""
    sim = sim_of({OLD: 600})
    mount = mount_of(sim, rate=20)
    assert mount.ls(OLD) == sim.names(OLD)
    moments = [entry["t"] for entry in sim.log()]
    assert len(moments) == 30
    assert max(moments) - min(moments) >= 0.5


def test_every_request_has_both_ends_of_end_time_and_a_limit(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    mount.ls(OLD)
    mount.ls(day(0))
    for entry in sim.log():
        assert "end_time__gte=" in entry["url"] and "end_time__lt=" in entry["url"]
        assert entry["status"] == 200 and entry["limit"] == 20


def test_stat_of_a_directory_and_of_the_tree_above_costs_nothing(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    os.stat(mount.day(OLD))
    os.listdir(mount / "by-date")
    os.listdir(mount / "by-direction")
    os.listdir(mount / "by-direction/inbound")
    os.statvfs(mount.path)
    assert sim.requests() == 0


# --- freshness ---


def today(sim_of, mount_of, ttl, calls=30, **options):
    """A mount that has listed today, of which the API's log is empty."""
    sim = sim_of({OLD: 0})
    sim.calls(calls, f"{day(0)} 09:00:00", 1)
    mount = mount_of(sim, ttl=ttl, **options)
    mount.ls(OLD)  # from now on it goes by the API's clock
    assert mount.ls(day(0)) == sim.names(day(0))
    sim.clear_log()
    return sim, mount


def test_today_is_believed_for_ttl(sim_of, mount_of):
    sim, mount = today(sim_of, mount_of, "1h")
    sim.calls(1, NOW)
    assert len(mount.ls(day(0))) == 30
    assert sim.requests() == 0


def test_without_ttl_today_is_asked_again_with_one_request(sim_of, mount_of):
    sim, mount = today(sim_of, mount_of, 0)
    uuid, = sim.calls(1, NOW)
    names = mount.ls(day(0))
    assert f"{uuid}.json" in names and names == sim.names(day(0))
    assert sim.requests() == 1


def test_without_ttl_nothing_new_costs_one_request(sim_of, mount_of):
    sim, mount = today(sim_of, mount_of, 0)
    assert mount.ls(day(0)) == sim.names(day(0))
    assert sim.requests() == 1


def test_more_new_calls_than_a_page_holds_all_appear(sim_of, mount_of):
    sim, mount = today(sim_of, mount_of, 0)
    sim.calls(45, NOW)
    names = mount.ls(day(0))
    assert len(names) == 75 and names == sim.names(day(0))


def test_yesterday_is_believed_for_a_tenth_of_its_age(sim_of, mount_of):
    sim = sim_of({day(1): 30})
    mount = mount_of(sim, ttl=0)
    mount.ls(day(1))
    sim.clear_log()
    assert mount.ls(day(1)) == sim.names(day(1))
    assert sim.requests() == 0


def test_a_day_that_has_settled_is_never_asked_again(sim_of, mount_of):
    sim = sim_of({OLD: 30})
    mount = mount_of(sim, ttl=0)
    mount.ls(OLD)
    sim.clock(advance_s=30 * 86400)
    mount.ls(day(5))  # whose answer tells the time
    sim.clear_log()
    assert mount.ls(OLD) == sim.names(OLD)
    assert sim.requests() == 0

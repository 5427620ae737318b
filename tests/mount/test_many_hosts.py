# SPDX-License-Identifier: MIT
"""What a mount tells of the shared tier: status, cdrfsctl, metrics, explain."""

import json
import time

import pytest

from harness import PATIENCE_S, day
from test_cdrfsctl import ctl, good
from test_control_files import explain, metrics
from test_shared import wait_for

OLD, OTHER = day(6), day(20)


@pytest.fixture(name="two")
def _two(hosts):
    """A simulator and two mounts that share, of which the first holds a day."""
    sim, mounts = hosts(2, {OLD: 45, OTHER: 20})
    mounts[0].ls(OLD)
    wait_for(mounts[0], "45 published, 0 still", name="shared calls")
    sim.clear_log()
    return sim, mounts


def test_a_store_that_joins_gives_what_it_has(sim_of, mount_of, postgres):
    """It was noted in a transaction that who published did not always see."""
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    mount.ls(OLD)
    for _ in range(6):
        mount.unmount()
        postgres.empty()  # another tier
        again = mount_of(sim, cache=mount.cache, shared=postgres.url())
        wait_for(again, "45 published, 0 still", name="shared calls")
        assert postgres.sql("SELECT count(*) FROM cdrfs_span").strip() == "1"
        mount = again


def test_the_control_program_shows_the_tier(two):
    _, mounts = two
    mounts[1].ls(OLD)
    wait_for(mounts[0], "2 hosts")
    for mount, calls in zip(mounts, ["0 copied, 45 published", "45 copied, 0 published"]):
        text = good("status", mount.path)
        assert "\nshared tier: together; 2 hosts\n" in text
        assert f"\nshared calls: {calls}, 0 still to publish; " in text


def test_without_a_tier_nothing_is_said_of_one(sim_of, mount_of):
    mount = mount_of(sim_of())
    assert "shared" not in good("status", mount.path)
    assert not any("shared" in name for name, _ in metrics(mount))


def test_a_tier_that_is_lost_is_shown_and_is_no_failure_of_the_api(two, postgres):
    _, (mount, _) = two
    wait_for(mount, "2 hosts")
    postgres.halt()
    try:
        wait_for(mount, "lost, going on alone (", "; 2 hosts, of whose rate 500 a second are ours")
        assert ctl("status", mount.path).returncode == 0
        assert metrics(mount)["cdrfs_shared_up", ""] == 0
        assert explain(mount, f"by-date/{OTHER}")["shared"] is False
    finally:
        postgres.start()


def test_metrics_tell_what_was_copied_and_published(two):
    _, (first, second) = two
    second.ls(OLD)
    for mount in (first, second):
        wait_for(mount, "2 hosts")
    wait_for(first, "; 0 windows leased", name="shared calls")
    for mount, copied, given in [(first, 0, 45), (second, 45, 0)]:
        values = metrics(mount)
        shared = {name.removeprefix("cdrfs_shared_"): value for (name, _), value in values.items()
                  if name.startswith("cdrfs_shared_")}
        assert shared == {"up": 1, "hosts": 2, "leases": 0, "waiting_windows": 0,
                          "copied_calls_total": copied, "published_calls_total": given,
                          "unpublished_calls": 0}


def test_a_cost_is_said_to_be_the_most_where_another_host_may_have_it(two, sim_of, mount_of):
    sim, (first, second) = two
    assert explain(second, f"by-date/{OLD}")["shared"] is True
    shown = good("explain", second / f"by-date/{OLD}")
    assert "to read   at least 1 request, " in shown and ", or fewer, if another host has it\n" in shown
    second.ls(OLD)
    assert "0 requests\n" in good("explain", second / f"by-date/{OLD}") and sim.requests() == 0
    alone = mount_of(sim_of())
    assert explain(alone, f"by-date/{OLD}")["shared"] is False
    assert "another host" not in good("explain", alone / f"by-date/{OLD}")
    assert json.loads(good("explain", "--json", first / f"by-date/{OLD}"))["shared"] is True


def test_what_only_the_tier_has_any_more_costs_no_request(two, postgres, mount_of):
    """Days go by, and the API forgets."""
    sim, _ = two
    sim.clock(advance_s=100 * 86400)
    late = mount_of(sim, shared=postgres.url())
    wait_for(late, "together")
    end = time.monotonic() + PATIENCE_S
    while explain(late, f"by-date/{OLD}")["state"] == "no longer served":  # until it is told
        assert time.monotonic() < end
    told = explain(late, f"by-date/{OLD}")
    assert told["state"] == "in the shared tier" and told["curl"] is None and not told["covered"]
    assert told["read"]["requests"] == told["reread"]["requests"] == 0
    assert len(late.ls(OLD)) == 45 and sim.requests() == 0
    assert explain(late, f"by-date/{OLD}")["state"] == "final"

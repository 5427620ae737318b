# SPDX-License-Identifier: MIT
"""Random queries against a plain oracle, whoever evaluates them; and what the host is asked."""

import os
import random
import subprocess

import pytest

from harness import NOW, PATIENCE_S, day
from lab import WINDOW, filters, foreground, is_list, log_lines, params
from queries import FILTERS, Query, by_time, compared, rows_of

QUERIES = 900  # of each configuration, each listed twice
BATCH = 60     # on one store
COUNTS = {day(1): 130, day(2): 150, day(3): 180, day(4): 100}
REFUSED = ["initiation_time", "bill_duration", "call_direction", "from_number", "to_number",
           "trunk_id", "hangup_cause_code", "hangup_source", "stir_verification"]
EDGES = [
    ("00:00:00", {"from_number": "+14155550", "bill_duration": 0}),
    ("23:59:59", {"to_number": "12345678901234567890", "bill_duration": 86400}),
    ("11:59:59", {"from_number": "0044207", "to_number": "7", "hangup_cause_code": 0}),
    ("12:00:00", {"from_number": "", "to_number": "+", "trunk_domain": ""}),
    ("12:00:59", {"from_number": "+1 415", "to_number": "0", "trunk_domain": "no-digits.example"}),
    ("12:01:00", {"from_number": "++14155", "trunk_domain": "31870244519062.zt.plivo.com"}),
    ("12:01:01", {"from_number": "1e5", "trunk_domain": "3187024451906.eu.zt.plivo.com"}),
]


@pytest.fixture(name="world", scope="module")
def _world(module_sim):
    """A simulator with 600 calls in four days and a half."""
    sim = module_sim(COUNTS, "--seed", 7)
    sim.calls(26, f"{day(0)} 03:00:00", 611)
    for name in (day(1), day(3)):
        for clock, members in EDGES:
            sim.calls(1, f"{name} {clock}", set=members)
    return sim


@pytest.fixture(name="remote")
def _remote(world):
    """The simulator as a host that evaluates what its dialect filters by."""
    return world


@pytest.fixture(name="refusing")
def _refusing(world):
    """As a host that refuses everything but end_time."""
    world.config(refuse_filters=REFUSED)
    yield world
    world.config(refuse_filters=[])


def batches(seed, rows, count=QUERIES, kinds=None):
    """Random queries, grouped so that within a group the narrower come first: what is read for one
    does not answer the next."""
    rng = random.Random(seed)
    made = [Query(rng, rows, kinds) for _ in range(count)]
    for i in range(0, count, BATCH):
        yield sorted(made[i:i + BATCH], key=lambda query: -query.filters)


def run(sim, mount_of, dialect, seed, record, **options):
    """Compares each query on a cold store, and again when everything is held. Returns the log."""
    rows = rows_of(sim, dialect)
    log, wrong, count, found = [], [], 0, 0
    for batch in batches(seed, rows):
        mount = mount_of(sim, dialect=dialect, rate=100000, **options)
        wrong += compared(mount, batch)
        log += sim.log()
        for ago in range(9):
            os.listdir(mount.day(day(ago)))
        wrong += compared(mount, batch)
        count += len(batch)
        found += sum(bool(query.expected) for query in batch)
        mount.unmount()
    record("random queries compared", count)
    print(f"{count} random queries compared twice, {found} of them not empty, {len(log)} requests")
    assert not wrong, f"{len(wrong)} of {2 * count}: {wrong[:5]}"
    assert count == QUERIES and found > count / 4
    return log


def well_formed(log):
    """Both ends of the window are always there, and no plus sign ever is."""
    for entry in log:
        assert WINDOW <= set(params(entry)) and "+" not in entry["url"], entry["url"]


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
def test_random_queries_evaluated_by_the_host(remote, mount_of, dialect, record_property):
    log = run(remote, mount_of, dialect, 20260526, record_property, ttl=0, settle="10000d")
    assert {entry["status"] for entry in log} == {200}
    assert sum(bool(filters(entry)) for entry in log) > QUERIES / 2
    well_formed(log)


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
def test_random_queries_evaluated_here(refusing, mount_of, dialect, record_property):
    """The host refuses, which is learned once for each filter and mount."""
    log = run(refusing, mount_of, dialect, 19700101, record_property)
    refusals = [entry for entry in log if entry["status"] == 400]
    assert 0 < len(refusals) <= len(REFUSED) * -(-QUERIES // BATCH)
    assert all(entry["status"] in (200, 400) for entry in log)
    well_formed(log)


def test_the_legacy_host_filters_initiation_time_in_the_consoles_zone(module_sim, mount_of):
    sim = module_sim({day(1): 60, day(2): 60}, "--console-tz-offset", 330)
    rows = rows_of(sim, "legacy")
    for batch in batches(5, rows, 120, [by_time]):
        mount = mount_of(sim, dialect="legacy", rate=100000, console_tz="Asia/Kolkata", ttl=0)
        wrong = compared(mount, batch)
        assert not wrong, f"{len(wrong)}: {wrong[:5]}"
        mount.unmount()


# --- what the host is asked ---

MINUTE = f"{day(1)}T11:30"
START, END, NEXT = f"{day(1)} 11:30:00", f"{day(1)} 11:31:00", f"{day(0)} 00:00:00"
BILLED = {"by-bill-duration/60": (60, 61), "by-bill-duration/gt-60": (61, None),
          "by-bill-duration/gte-60": (60, None), "by-bill-duration/lt-60": (None, 60),
          "by-bill-duration/lte-60": (None, 61),
          "by-bill-duration/gte-60/by-bill-duration/lt-120": (60, 120)}
PUSHED = {  # path, and the arguments it must be sent as, by dialect
    "by-direction/outbound": ({"call_direction": "outbound"},) * 2,
    "by-from/1415555": ({"from_number": "1415555"},) * 2,
    "by-to/44": ({"to_number": "44"},) * 2,
    "by-from/1/by-from/14/by-to/9": ({"from_number": "14", "to_number": "9"},) * 2,
    "by-hangup-cause/3010": ({"hangup_cause_code": "3010"}, {}),
    "by-hangup-source/carrier": ({"hangup_source": "carrier"}, {}),
    "by-stir/not-verified": ({"stir_verification": "Not Verified"}, {}),
    "by-trunk/31870244519062": ({}, {"trunk_id": "31870244519062"}),
    "by-trunk/31870244519062/by-direction/inbound/by-stir/verified": (
        {"call_direction": "inbound", "stir_verification": "Verified"},
        {"call_direction": "inbound", "trunk_id": "31870244519062"}),
}


def first_request(sim, mount_of, path, dialect, name=day(1)):
    """The first page asked for when path is listed on a cold store, which must come out right."""
    mount = mount_of(sim, dialect=dialect)
    os.listdir(mount / path / name)
    log = sim.log()
    mount.unmount()
    well_formed(log)
    assert {entry["status"] for entry in log} == {200}
    return log[0]


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
@pytest.mark.parametrize("path", PUSHED)
def test_what_the_dialect_filters_is_asked_for_and_nothing_else(remote, mount_of, path, dialect):
    entry = first_request(remote, mount_of, path, dialect)
    assert filters(entry) == PUSHED[path][dialect == "legacy"]
    assert (params(entry)["end_time__gte"], params(entry)["end_time__lt"]) == (
        f"{day(1)} 00:00:00", NEXT)


def bounds(entry, name):
    """The range of whole numbers that the arguments of that name mean; None for no end."""
    a = {k: int(v) for k, v in filters(entry).items()}
    assert all(k.partition("__")[0] == name for k in a), a
    lows = [a[k] + (k[-3:] == "_gt") for k in (name, f"{name}__gte", f"{name}__gt") if k in a]
    highs = [a[k] + (k[-3:] != "_lt") for k in (name, f"{name}__lte", f"{name}__lt") if k in a]
    return max(lows, default=None) or None, min(highs, default=None)


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
@pytest.mark.parametrize("path", BILLED)
def test_a_duration_is_asked_for_with_its_bounds(remote, mount_of, path, dialect):
    assert bounds(first_request(remote, mount_of, path, dialect), "bill_duration") == BILLED[path]


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
@pytest.mark.parametrize("form, window", [
    ("", (START, END)), ("gt-", (END, NEXT)), ("gte-", (START, NEXT)),
    ("lt-", (f"{day(1)} 00:00:00", START)), ("lte-", (f"{day(1)} 00:00:00", END))])
def test_an_end_time_narrows_the_window(remote, mount_of, form, window, dialect):
    entry = first_request(remote, mount_of, f"by-end-time/{form}{MINUTE}", dialect)
    assert filters(entry) == {}
    assert (params(entry)["end_time__gte"], params(entry)["end_time__lt"]) == window


@pytest.mark.parametrize("form, lower, upper", [
    ("", START, END), ("gt-", END, None), ("gte-", START, None), ("lt-", None, START),
    ("lte-", None, END)])
def test_an_initiation_time_is_asked_of_the_legacy_host_only(
        remote, mount_of, form, lower, upper):
    path = f"by-initiation-time/{form}{MINUTE}"
    assert filters(first_request(remote, mount_of, path, "latest")) == {}
    sent = filters(first_request(remote, mount_of, path, "legacy"))
    assert sent.get("initiation_time__lt") == upper
    assert sent.get("initiation_time__gte") == lower or (lower is None and upper is not None)


def test_a_refusal_is_learned_and_logged_once(refusing, mount_of):
    mount = foreground(mount_of(refusing, start=False, ttl=0))
    rows = rows_of(refusing, "latest")
    for name in (day(1), day(2), day(3)):
        expected = sorted(r.name for r in rows if r.end.startswith(name) and r.source == "carrier")
        assert sorted(os.listdir(mount / "by-hangup-source/carrier" / name)) == expected
        os.listdir(mount / "by-hangup-source/customer" / name)
    asked = [entry for entry in refusing.log() if "hangup_source" in entry["url"]]
    assert [entry["status"] for entry in asked] == [400]
    assert len(log_lines(mount, "hangup_source")) == 1


def test_a_refusal_met_by_several_at_once_is_logged_once(refusing, mount_of):
    mount = foreground(mount_of(refusing, start=False))
    refusing.config(latency_ms=200)
    days = [mount / "by-stir/verified" / name for name in COUNTS]
    running = [subprocess.Popen(["ls", path], stdout=subprocess.PIPE, text=True) for path in days]
    outputs = [process.communicate(timeout=PATIENCE_S)[0].split() for process in running]
    refusing.config(latency_ms=0)
    rows = rows_of(refusing, "latest")
    assert [sorted(output) for output in outputs] == [
        sorted(r.name for r in rows if r.end.startswith(name) and r.stir == "verified")
        for name in COUNTS]
    assert len(log_lines(mount, "stir_verification")) == 1


def test_what_was_not_refused_is_still_asked_for(refusing, mount_of):
    refusing.config(refuse_filters=["hangup_source"])
    mount = mount_of(refusing)
    os.listdir(mount / "by-hangup-source/carrier/by-direction/inbound" / day(1))
    answered = [entry for entry in refusing.log() if entry["status"] == 200]
    assert answered and all(filters(e) == {"call_direction": "inbound"} for e in answered)


def test_a_400_that_names_no_filter_is_learned_from_too(world, mount_of):
    mount = mount_of(world)
    world.fault("status", status=400, count=1, body='{"error": "bad request"}')
    expected = sorted(r.name for r in rows_of(world, "latest")
                      if r.end.startswith(day(2)) and r.source == "carrier")
    assert sorted(os.listdir(mount / "by-hangup-source/carrier" / day(2))) == expected
    world.mend()
    assert [entry["status"] for entry in world.log() if is_list(entry)].count(400) == 1


def test_a_number_longer_than_any_is_found_by_its_beginning(sim_of, mount_of):
    """A caller's id may be any text; one of many digits is made of digits all the same."""
    sim = sim_of()
    uuid, = sim.calls(1, f"{day(1)} 10:00:00", set={"from_number": "9" * 30})
    mount = mount_of(sim)
    assert os.listdir(mount / "by-from/999" / day(1)) == [f"{uuid}.json"]


def test_every_filter_has_its_turn():
    assert len(set(FILTERS)) == 8 and NOW.startswith(day(0))

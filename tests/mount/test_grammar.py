# SPDX-License-Identifier: MIT
"""Which paths are directories, which are not and why, and what they mean together."""

import datetime
import os

import pytest

from expect import error_of
from harness import NOW, TODAY, day
from lab import foreground, log_lines

OLD = day(6)
EMPTY = day(7)
TIME = f"{OLD}T11:00"
UUID = "6c3a8b60-26e0-4842-9387-2350de79f16b"
FORMS = ["", "gt-", "gte-", "lt-", "lte-"]
VALUES = {
    "by-direction": ["inbound", "outbound"],
    "by-from": ["1", "14155551234", "0", "0044", "123456789012345"],
    "by-to": ["1", "14155551234", "0", "0044", "123456789012345"],
    "by-trunk": ["21784177241578", "986908123123411213", "007"],
    "by-bill-duration": [form + n for form in FORMS for n in ("0", "1", "180", "7200", "86400")],
    "by-end-time": [form + t for form in FORMS
                    for t in (TIME, f"{TIME}:06", "2024-02-29T23:59:59")],
    "by-initiation-time": [form + t for form in FORMS for t in (TIME, f"{TIME}:06")],
    "by-hangup-cause": ["3000", "4160", "0", "99999"],
    "by-hangup-source": ["customer", "carrier", "zentrunk"],
    "by-stir": ["verified", "not-verified", "not-applicable"],
}
TIMES = ["2026-05-26", "2026-05", "13:32", "2026-05-26T13", "2026-05-26 13:32", "2026-05-26T13:3",
         "2026-05-26T24:00", "2026-05-26T13:60", "2026-05-26T13:32:61", "2026-05-26T13:32:06Z",
         "2026-13-40T13:32", "2026-02-29T00:00", "0000-01-01T00:00", "2026-05-26t13:32", "now",
         "2026-05-26T13:32:6", "2026-05-26T13:32:06.5", "2026-05-26T13:32+00:00"]
BAD = {
    "by-direction": ["sideways", "Inbound", "INBOUND", "in", "inbound ", "1"],
    "by-from": ["+14155551234", "1415x", "anonymous", "1 415", "-1", "1.5", "1" * 100, "\u0661"],
    "by-to": ["+14155551234", "%2B1", "x"],
    "by-trunk": ["x", "2178417.zt.plivo.com", "+1", "-1", "1" * 100],
    "by-bill-duration": ["gte-x", "x", "gte", "gte-", "-1", "gt--1", "+1", "1.5", "0180", "00",
                         "gte-0180", "1e3", " 1", "GTE-1", "eq-1", "gte-1-", "lt-1s", "ge-1",
                         "99999999999999999999", "gte_1", "=180", "gtx-1", "l", "g", "gt"],
    "by-end-time": TIMES + [f"gte-{t}" for t in TIMES] + ["gte-", "eq-" + TIME, "gt" + TIME],
    "by-initiation-time": TIMES + [f"lt-{t}" for t in TIMES],
    "by-hangup-cause": ["x", "03000", "gte-3000", "-1", "3000.0", "normal_hangup", "+3000"],
    "by-hangup-source": ["Carrier", "nobody", "plivo"],
    "by-stir": ["Verified", "not verified", "Not Verified", "not_verified", "null", "A"],
}
BAD_DATES = ["2026-13-40", "2026-02-30", "2025-02-29", "2026-00-10", "2026-5-26", "20260526",
             "2026", "2026-13", "2026-00", "2026-5", "2026-05-26T24", "2026-05-26T1",
             "2026-05-26T13:00",
             "2026-05-26t13", "2026-05-26 13", "0000-01-01", "26-05-2026", "today", "2026-05-26x",
             "2026-05-26.csv", "-", "2026-05-26T", "+026-05-26"]


@pytest.fixture(name="tree", scope="module")
def _tree(module_sim, module_mount):
    """A mount in the foreground that holds OLD and EMPTY. (sim, mount)"""
    sim = module_sim({OLD: 45})
    sim.calls(2, f"{OLD} 11:00:00", 59, set={"bill_duration": 90})
    mount = foreground(module_mount(sim, start=False, log_level="info", ttl="1h"))
    mount.ls(OLD)
    mount.ls(EMPTY)
    return sim, mount


@pytest.fixture(name="free")
def _free(tree):
    """The mount, which may not ask anything during the test."""
    sim, mount = tree
    sim.clear_log()
    yield mount
    assert sim.requests() == 0


@pytest.mark.parametrize("axis", VALUES)
def test_every_form_of_every_axis_resolves(free, axis):
    for value in VALUES[axis]:
        names = set(os.listdir(free / axis / value / OLD))
        assert names <= set(free.ls(OLD))
        assert os.path.isdir(free / axis / value)
        assert set(os.listdir(free / axis / value / "by-date" / OLD)) == names


@pytest.mark.parametrize("axis", BAD)
def test_a_bad_value_is_absent_and_the_log_says_why(free, axis):
    for value in BAD[axis]:
        before = len(log_lines(free, value))
        assert error_of(os.stat, free / axis / value) == "ENOENT", value
        assert error_of(os.listdir, free / axis / value / OLD) == "ENOENT", value
        said = log_lines(free, value)[before:]
        assert said and all(len(line) > len(f"cdrfs: {value}: ") for line in said), value


def test_second_60_is_the_second_of_no_minute(free):
    """Else it would be a second name of the next minute's first."""
    assert error_of(os.stat, free / "by-end-time" / f"{TIME}:60") == "ENOENT"


@pytest.mark.parametrize("above", ["by-date", "by-direction/inbound", "by-bill-duration/gte-60"])
def test_a_bad_date_is_absent_and_the_log_says_why(free, above):
    for name in BAD_DATES:
        before = len(log_lines(free, name))
        assert error_of(os.stat, free / above / name) == "ENOENT", name
        assert len(log_lines(free, name)) > before, name


def test_a_date_in_the_future_is_absent_and_the_log_says_why(free):
    month = TODAY.replace(day=1) + datetime.timedelta(days=32)
    for name in (day(-1), f"{day(0)}T13", f"{day(-1)}T00", f"{month:%Y-%m}", "9999-12-31",
                 "9998-12"):
        before = len(log_lines(free, name))
        for above in ("by-date", "by-direction/inbound", "by-from/1/by-to/2"):
            assert error_of(os.stat, free / above / name) == "ENOENT", name
        assert "future" in log_lines(free, name)[before]


def test_a_date_that_nobody_has_any_more_says_so(free):
    for name in (day(90), f"{day(91)}T23", "2011-05", "0001-01-01"):
        for above in ("by-date", "by-from/1/by-to/2"):
            assert error_of(os.stat, free / above / name) == "ENODATA"


# --- dates ---


def test_the_hours_of_a_day_are_the_day(free):
    hours = [os.listdir(free / "by-date" / f"{OLD}T{h:02}") for h in range(24)]
    assert sorted(sum(hours, [])) == free.ls(OLD) and len(hours[11]) >= 2


def test_an_hour_holds_the_calls_that_ended_in_it(tree, free):
    rows = tree[0].oracle(OLD)
    for h in (0, 9, 10, 11, 23):
        assert sorted(os.listdir(free / "by-date" / f"{OLD}T{h:02}")) == sorted(
            f"{r['call_uuid']}.json" for r in rows if r["end_time"].startswith(f"{OLD} {h:02}"))


def test_a_month_is_all_of_its_days_of_one_walk(sim_of, mount_of):
    sim = sim_of({day(ago): 15 for ago in range(1, 70)})
    mount = mount_of(sim)
    month = f"{TODAY.replace(day=1) - datetime.timedelta(days=1):%Y-%m}"
    names = [f"{r['call_uuid']}.json" for r in sim.oracle() if r["end_time"].startswith(month)]
    assert sorted(os.listdir(mount / "by-date" / month)) == sorted(names) and len(names) > 400
    assert sim.requests() == -(-len(names) // 20)
    for direction in ("inbound", "outbound"):
        os.listdir(mount / "by-direction" / direction / month)
    assert mount.ls(f"{month}-28") == sim.names(f"{month}-28")
    assert sim.requests() == -(-len(names) // 20)


def test_the_running_month_goes_up_to_now(sim_of, mount_of):
    sim = sim_of({day(ago): 9 for ago in range(1, 40)})
    sim.calls(3, f"{day(0)} 01:00:00")
    mount = mount_of(sim)
    assert sorted(os.listdir(mount / "by-date" / day(0)[:7])) == sorted(
        f"{r['call_uuid']}.json" for r in sim.oracle()
        if r["end_time"] <= NOW and r["end_time"].startswith(day(0)[:7]))


def test_the_month_at_the_edge_holds_what_is_still_served(sim_of, mount_of):
    sim = sim_of({day(ago): 3 for ago in range(60, 90)})
    mount = mount_of(sim)
    month = day(89)[:7]
    assert sorted(os.listdir(mount / "by-date" / month)) == sorted(
        f"{r['call_uuid']}.json" for r in sim.oracle() if r["end_time"].startswith(month))
    assert {entry["status"] for entry in sim.log()} == {200}


# --- several filters ---

CONTRADICTIONS = [
    "by-direction/inbound/by-direction/outbound", "by-from/1/by-from/44", "by-trunk/1/by-trunk/12",
    "by-bill-duration/gte-60/by-bill-duration/lt-60", "by-bill-duration/1/by-bill-duration/2",
    "by-hangup-cause/3000/by-hangup-cause/3010", "by-stir/verified/by-stir/not-verified",
    "by-hangup-source/carrier/by-hangup-source/customer",
    f"by-end-time/gt-{TIME}/by-end-time/lt-{TIME}", f"by-end-time/gte-{day(5)}T00:00",
    f"by-initiation-time/{TIME}/by-initiation-time/gt-{TIME}",
]


@pytest.mark.parametrize("path", CONTRADICTIONS)
def test_a_contradiction_is_an_empty_directory(tree, free, path):
    for name in (OLD, day(30), f"{day(20)}T04"):  # a cold day is not asked for either
        assert os.listdir(free / path / name) == []
    row = tree[0].oracle(OLD)[0]
    assert error_of(os.stat, free / path / OLD / f"{row['call_uuid']}.json") == "ENOENT"


def test_a_contradiction_lists_no_dates(free):
    for path in CONTRADICTIONS[:4]:
        assert os.listdir(free / path) == []


def test_the_order_of_filters_does_not_matter(free):
    parts = ["by-direction/inbound", "by-bill-duration/gte-1", "by-bill-duration/lte-600",
             "by-hangup-source/customer"]
    expected = sorted(os.listdir(free / "/".join([*parts, OLD])))
    assert 0 < len(expected) < 47
    for turn in range(1, 4):
        turned = parts[turn:] + parts[:turn]
        assert sorted(os.listdir(free / "/".join([*turned, OLD]))) == expected


def test_many_filters_go_in_a_row(free):
    path = free.path
    for value in range(100):
        path = path / f"by-bill-duration/gte-{value % 50}"
    assert sorted(os.listdir(path / OLD)) == sorted(
        os.listdir(free / "by-bill-duration/gte-49" / OLD))


def test_a_directory_of_filters_has_every_other_axis(free):
    for above in ("by-direction/outbound", "by-from/1/by-trunk/2"):
        for axis in [*VALUES, "by-date", "by-uuid"]:
            assert os.path.isdir(free / above / axis)
    assert not set(os.listdir(free / "by-direction/outbound")) & {*VALUES, "by-date", "by-uuid"}


def test_nothing_lies_below_a_date(tree, free):
    row = tree[0].oracle(OLD)[0]
    for above in (free.day(OLD), free / "by-date" / OLD[:7], free.day(f"{OLD}T11"),
                  free.day(OLD, "inbound")):
        for name in ("by-direction", "by-from", "by-date", "by-uuid", OLD, f"{OLD}T11", "csv"):
            assert error_of(os.stat, above / name) == "ENOENT"
    assert error_of(os.stat, free.day(OLD) / f"{row['call_uuid']}.json" / "x") == "ENOTDIR"


@pytest.mark.parametrize("path", [
    OLD, f"{UUID}.json", "by-nothing", "By-Date", "by-date/by-date", "by-direction/by-from",
    f"by-direction/{OLD}", "csv/csv", "csv/ndjson", "ndjson/csv", "by-direction/inbound/csv",
    "by-direction/outbound/no-such", "by-from/1/inbound", "by_date", "by-limit", "by-offset"])
def test_a_name_that_is_none_is_absent(free, path):
    assert error_of(os.stat, free / path) == "ENOENT"

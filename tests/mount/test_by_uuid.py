# SPDX-License-Identifier: MIT
"""One call by its name: by-uuid, and names looked up in a day that is not held."""

import os

import pytest

from expect import error_of, render
from harness import day
from lab import is_list, params

OLD = day(6)
OTHER = day(7)
UUID = "6c3a8b60-26e0-4842-9387-2350de79f16b"
NO_NAMES = [".git", "desktop.ini", "autorun.inf", UUID, f"{UUID}.JSON", f"{UUID}.json.", ".json",
            "a b.json", "x" * 65 + ".json", "é.json", f"{UUID}.xml", "by-date", OLD, ".Trash-0"]


def contents(row):
    return render(row["raw"])


def seconds_asked(log):
    """The windows of the lists asked for."""
    return [(params(e)["end_time__gte"], params(e)["end_time__lt"]) for e in log if is_list(e)]


def singles(log):
    return [entry["url"] for entry in log if not is_list(entry)]


@pytest.fixture(name="made")
def _made(sim_of, mount_of):
    """A simulator with two days of calls, and a mount that holds none. (sim, mount, a row)"""
    sim = sim_of({OLD: 207, OTHER: 45})
    return sim, mount_of(sim, ttl="1h"), sim.oracle(OLD)[100]


SHAPES = [{}, {"wrap_object": True}, {"api_id_in_single": True},
          {"wrap_object": True, "api_id_in_single": True}]


@pytest.mark.parametrize("shape", SHAPES)
def test_on_an_empty_store_a_call_costs_two_requests(made, shape):
    sim, mount, row = made
    sim.config(**shape)
    path = mount / "by-uuid" / f"{row['call_uuid']}.json"
    body = path.read_bytes()
    log = sim.log()
    assert body == contents(row) and len(log) == 2
    assert singles(log) == [log[0]["url"]] and row["call_uuid"] in log[0]["url"]
    (start, end), = seconds_asked(log)
    assert start == row["end_time"] and end > start and log[1]["total"] <= 2
    assert path.read_bytes() == body and os.stat(path).st_size == len(body)
    assert sim.requests() == 2


def test_a_call_of_the_day_that_the_api_serves_in_part_only(sim_of, mount_of):
    """By the day it is gone, by its name it is there for as long as the API has it."""
    sim = sim_of({day(90): 90})
    mount = mount_of(sim)
    rows = sim.oracle(day(90))
    for row in (rows[0], rows[-1]):
        path = mount / "by-uuid" / f"{row['call_uuid']}.json"
        if row["end_time"] < f"{day(90)} 12":
            assert error_of(os.stat, path) == "ENOENT"
        else:
            assert path.read_bytes() == contents(row)
    assert mount.ls(day(90)) == [path.name]


def test_contents_are_the_rows_also_when_the_single_answer_is_longer(made):
    sim, mount, row = made
    single = row["raw"][:-1] + ', "insights": {"mos": 4.1}, "call_duration": 77}'
    sim.fault("body", match=f"/{row['call_uuid']}/", body=single)
    path = mount / "by-uuid" / f"{row['call_uuid']}.json"
    assert path.read_bytes() == contents(row)
    assert sim.requests() == 2
    assert (mount.day(OLD) / path.name).read_bytes() == contents(row)


def test_calls_that_ended_in_the_same_second_are_told_apart(sim_of, mount_of):
    sim = sim_of()
    uuids = sim.calls(45, f"{OLD} 10:00:00")
    mount = mount_of(sim)
    rows = {row["call_uuid"]: row for row in sim.oracle(OLD)}
    for uuid in uuids[::20]:
        assert (mount / f"by-uuid/{uuid}.json").read_bytes() == contents(rows[uuid])
    assert sim.requests() == 4  # one call, and three pages of its second


def test_a_call_that_is_absent_costs_one_request_and_then_none(made):
    sim, mount, _ = made
    assert error_of(os.stat, mount / f"by-uuid/{UUID}.json") == "ENOENT"
    assert len(singles(sim.log())) == sim.requests() == 1
    for view in ("by-uuid", "by-direction/inbound/by-uuid", "by-uuid"):
        assert error_of(os.stat, mount / view / f"{UUID}.json") == "ENOENT"
    assert sim.requests() == 1


def test_a_call_that_was_absent_is_found_when_it_appears(sim_of, mount_of):
    """Without ttl nothing is believed."""
    sim = sim_of({OLD: 0})
    mount = mount_of(sim, ttl=0)
    path = mount / f"by-uuid/{UUID}.json"
    assert error_of(os.stat, path) == "ENOENT"
    sim.calls(1, f"{OLD} 10:00:00", set={"call_uuid": UUID})
    row, = sim.oracle(OLD)
    assert path.read_bytes() == contents(row)


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
def test_a_call_that_is_held_costs_nothing(sim_of, mount_of, dialect):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim, dialect=dialect)
    mount.ls(OLD)
    sim.clear_log()
    for row in sim.oracle(OLD, dialect):
        path = mount / f"by-uuid/{row['call_uuid']}.json"
        assert path.read_bytes() == contents(row)
        assert os.stat(path).st_ino == os.stat(mount.day(OLD) / path.name).st_ino
    assert sim.requests() == 0


def test_a_call_outlives_the_api(made):
    sim, mount, row = made
    path = mount / f"by-uuid/{row['call_uuid']}.json"
    body = path.read_bytes()
    sim.call("delete", body={"call_uuid": row["call_uuid"]})
    sim.stall()
    assert path.read_bytes() == body
    sim.mend()


def test_by_uuid_lists_nothing(made):
    sim, mount, row = made
    assert os.listdir(mount / "by-uuid") == [] and "by-uuid" in os.listdir(mount.path)
    assert (mount / f"by-uuid/{row['call_uuid']}.json").exists()
    assert os.listdir(mount / "by-uuid") == [] and sim.requests() == 2


def test_by_uuid_below_filters_holds_what_they_match(made):
    sim, mount, row = made
    name = f"{row['call_uuid']}.json"
    other = {"inbound": "outbound", "outbound": "inbound"}[row["call_direction"]]
    same = mount / "by-direction" / row["call_direction"] / "by-uuid"
    assert (same / name).read_bytes() == contents(row)
    assert error_of(os.stat, mount / "by-direction" / other / "by-uuid" / name) == "ENOENT"
    assert sim.requests() == 2


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
@pytest.mark.parametrize("view", ["by-uuid", "by-direction/inbound/by-uuid", f"by-date/{OLD}",
                                  f"by-from/1/{OLD}", f"by-date/{OLD[:7]}"])
def test_a_name_that_cannot_be_a_call_costs_nothing(sim_of, mount_of, view, dialect):
    sim = sim_of({OLD: 5})
    mount = mount_of(sim, dialect=dialect)
    for name in NO_NAMES:
        assert error_of(os.stat, mount / view / name) == "ENOENT", name
    assert sim.requests() == 0


ERRORS = [(500, "EIO"), (403, "EACCES"), (429, "EBUSY"), (400, "EIO")]


@pytest.mark.parametrize("status, expected", ERRORS)
def test_an_error_is_no_absence(made, status, expected):
    sim, mount, row = made
    sim.refuse(status)
    assert error_of(os.stat, mount / f"by-uuid/{row['call_uuid']}.json") == expected


def test_a_404_without_json_is_an_absence_and_a_strange_answer_is_not(made):
    sim, mount, row = made
    sim.fault("status", status=404, body="{}")
    assert error_of(os.stat, mount / f"by-uuid/{UUID}.json") == "ENOENT"
    sim.fault("body", body='{"call_uuid": "another", "end_time": "2026-05-26 00:00:00"}')
    assert error_of(os.stat, mount / f"by-uuid/{row['call_uuid']}.json") == "EBADMSG"


# --- a name in a day that is not held ---


@pytest.mark.parametrize("view", ["by-date", "by-direction/{call_direction}",
                                  "by-hangup-source/{hangup_source}"])
def test_a_name_in_a_day_that_is_not_held_costs_two_requests(made, view):
    sim, mount, row = made
    path = mount / view.format(**row) / OLD / f"{row['call_uuid']}.json"
    assert path.read_bytes() == contents(row)
    log = sim.log()
    assert len(log) <= 2 and sum(entry["rows"] for entry in log) <= 5
    assert mount.ls(OLD) == sim.names(OLD)  # the day is not taken for whole


def test_a_name_in_a_month_that_is_not_held_costs_two_requests(made):
    sim, mount, row = made
    path = mount / "by-date" / OLD[:7] / f"{row['call_uuid']}.json"
    assert path.read_bytes() == contents(row) and sim.requests() <= 2


def test_the_name_of_a_call_of_another_day_is_absent(made):
    sim, mount, row = made
    name = f"{row['call_uuid']}.json"
    assert error_of(os.stat, mount.day(OTHER) / name) == "ENOENT"
    assert sim.requests() <= 2 and sum(entry["rows"] for entry in sim.log()) <= 5
    other = {"inbound": "outbound", "outbound": "inbound"}[row["call_direction"]]
    assert error_of(os.stat, mount.day(OLD, other) / name) == "ENOENT"
    assert (mount.day(OLD) / name).read_bytes() == contents(row)


def test_an_unknown_name_in_a_day_that_is_not_held_is_absent(made):
    sim, mount, _ = made
    assert error_of(os.stat, mount.day(OLD) / f"{UUID}.json") == "ENOENT"
    assert sim.requests() == 1
    assert mount.ls(OLD) == sim.names(OLD)


# --- legacy, which has no answer for one call ---


def test_a_late_call_of_a_day_held_for_final_is_found(sim_of, mount_of):
    sim = sim_of({day(6): 45})
    mount = mount_of(sim)
    mount.ls(day(6))
    uuid = sim.calls(1, f"{day(6)} 10:00:00")[0]
    row = next(r for r in sim.oracle(day(6)) if r["call_uuid"] == uuid)
    sim.clear_log()
    assert (mount / f"by-uuid/{uuid}.json").read_bytes() == contents(row)
    assert sim.requests() == 2
    assert mount.ls(day(6)) == sim.names(day(6)) and sim.requests() == 2


def test_legacy_looks_through_the_days_newest_first(sim_of, mount_of):
    sim = sim_of({day(ago): 25 for ago in range(1, 9)})
    mount = mount_of(sim, dialect="legacy", ttl="1h")
    row = sim.oracle(day(3), "legacy")[7]
    assert (mount / f"by-uuid/{row['call_uuid']}.json").read_bytes() == contents(row)
    asked = seconds_asked(sim.log())
    assert asked == sorted(asked, reverse=True) and len(singles(sim.log())) == 0
    assert asked[0][0] == f"{day(0)} 00:00:00" and asked[-1][0] == f"{day(3)} 00:00:00"
    # Today is empty, then two pages for each day; the last may come after the call was found.
    assert len(asked) in (6, 7)
    assert mount.ls(day(2)) == sim.names(day(2)) and sim.requests() <= 7  # and what was read stays


@pytest.mark.parametrize("name", [OLD, day(0)])
def test_legacy_reads_no_day_twice_for_one_call_however_short_the_ttl(sim_of, mount_of, name):
    """The first question of a mount began at no moment, and read today again and again."""
    sim = sim_of({OLD: 5})
    sim.calls(5, f"{day(0)} 09:00:00")
    mount = mount_of(sim, dialect="legacy", ttl=0)
    row = sim.oracle(name, "legacy")[0]
    assert (mount / f"by-uuid/{row['call_uuid']}.json").read_bytes() == contents(row)
    days = [lower[:10] for lower, _ in seconds_asked(sim.log())]
    assert len(days) == len(set(days)) and days[-1] == name


def test_legacy_knows_of_an_absence_once_all_days_are_read(sim_of, mount_of):
    sim = sim_of({day(ago): 25 for ago in (1, 30, 89)})
    mount = mount_of(sim, dialect="legacy", ttl="1h")
    assert error_of(os.stat, mount / f"by-uuid/{UUID}.json") == "ENOENT"
    asked = seconds_asked(sim.log())
    assert asked == sorted(asked, reverse=True) and asked[-1][0] == f"{day(89)} 00:00:00"
    assert len(asked) == 93
    assert error_of(os.stat, mount / f"by-uuid/{UUID[:-1]}c.json") == "ENOENT"
    assert mount.ls(day(30)) == sim.names(day(30))
    assert sim.requests() == 93


def test_legacy_gives_up_at_the_deadline(sim_of, mount_of):
    sim = sim_of({day(1): 25, day(3): 25})
    mount = mount_of(sim, dialect="legacy", deadline=2)
    sim.stall(skip=2)
    assert error_of(os.stat, mount / f"by-uuid/{UUID}.json") == "ETIMEDOUT"
    sim.mend()
    row = sim.oracle(day(3), "legacy")[0]
    assert (mount / f"by-uuid/{row['call_uuid']}.json").read_bytes() == contents(row)


def test_legacy_says_what_failed(sim_of, mount_of):
    sim = sim_of({day(1): 25})
    mount = mount_of(sim, dialect="legacy")
    sim.refuse(500)
    assert error_of(os.stat, mount / f"by-uuid/{UUID}.json") == "EIO"


def test_legacy_reads_the_day_for_a_name_in_it(sim_of, mount_of):
    sim = sim_of({OLD: 45, OTHER: 45})
    mount = mount_of(sim, dialect="legacy")
    row = sim.oracle(OLD, "legacy")[20]
    assert (mount.day(OLD) / f"{row['call_uuid']}.json").read_bytes() == contents(row)
    assert error_of(os.stat, mount.day(OTHER) / f"{row['call_uuid']}.json") == "ENOENT"
    assert sim.requests() <= 6


# --- one after another ---


def absent(n):
    return f"absent-{n:08}.json"


def test_a_day_of_which_call_after_call_is_looked_up_is_read_whole(made):
    """Two calls at two requests each, then the eleven pages of the day."""
    sim, mount, _ = made
    for name in sim.names(OLD)[:60]:
        assert (mount.day(OLD) / name).read_bytes()
    assert sim.requests() == 4 + 11
    assert mount.ls(OLD) == sim.names(OLD) and sim.requests() == 4 + 11


def test_absent_names_of_a_cold_day_cost_no_more_than_the_day(made):
    sim, mount, _ = made
    for n in range(500):
        assert error_of(os.stat, mount.day(OLD) / absent(n)) == "ENOENT"
    assert sim.requests() == 2 + 11


def test_a_large_day_is_read_whole_only_when_that_many_calls_are_looked_up(sim_of, mount_of):
    """At the third, sixth, twelfth look-up four pages for each are thought worth it; 407 calls are
    at the sixth, after one page has told at the third that they are too many."""
    sim = sim_of({OLD: 407})
    mount = mount_of(sim, ttl="1h")
    for n in range(5):
        assert error_of(os.stat, mount.day(OLD) / absent(n)) == "ENOENT"
    assert sim.requests() == 5 + 1
    for n in range(5, 100):
        assert error_of(os.stat, mount.day(OLD) / absent(n)) == "ENOENT"
    assert 5 + 1 + 20 <= sim.requests() <= 5 + 1 + 21


def test_every_call_of_every_day_looked_up_costs_less_than_the_days(made):
    sim, mount, _ = made
    for name in (OLD, OTHER):
        for file in sim.names(name):
            os.stat(mount.day(name) / file)
    assert sim.requests() == 2 * 4 + 11 + 3

# SPDX-License-Identifier: MIT
"""What directories list, what a walk costs, and what stat says, in all views."""

import os
import stat
import subprocess

import pytest

from harness import PATIENCE_S, day, epoch
from lab import RunningSim, filters, find
from queries import rows_of, seen

AXES = {"by-date", "by-direction", "by-from", "by-to", "by-trunk", "by-bill-duration",
        "by-end-time", "by-initiation-time", "by-hangup-cause", "by-hangup-source", "by-stir",
        "by-uuid"}
OPEN = ["by-bill-duration", "by-end-time", "by-initiation-time"]
SEEN = ["by-trunk", "by-from", "by-to", "by-hangup-cause"]
COUNTS = {day(1): 12, day(2): 25, day(5): 9, day(88): 4}
NUMBER = "15005550006"


@pytest.fixture(name="small")
def _small(sim_of):
    """A simulator with few calls, four of them today."""
    sim = sim_of(COUNTS)
    sim.calls(4, f"{day(0)} 09:00:00", 60)
    return sim


@pytest.fixture(name="running")
def _running():
    sim = RunningSim({**COUNTS, day(0): 0})
    sim.calls(4, f"{day(0)} 09:00:00", 60)
    yield sim
    sim.stop()


# --- what lists ---


def test_the_root_lists_the_axes_and_the_trees(small, mount_of):
    mount = mount_of(small)
    assert set(os.listdir(mount.path)) == AXES | {"csv", "ndjson"}
    assert small.requests() == 0


def test_axes_of_fixed_values_list_them(small, mount_of):
    mount = mount_of(small)
    for tree in (".", "csv", "ndjson"):
        root = mount / tree
        assert sorted(os.listdir(root / "by-direction")) == ["inbound", "outbound"]
        assert sorted(os.listdir(root / "by-hangup-source")) == ["carrier", "customer", "zentrunk"]
        assert sorted(os.listdir(root / "by-stir")) == [
            "not-applicable", "not-verified", "verified"]
    assert small.requests() == 0


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
def test_axes_of_seen_values_list_those_of_the_calls_held(small, mount_of, dialect):
    small.calls(1, f"{day(2)} 10:00:00", set={
        "from_number": "anonymous", "to_number": "+7", "trunk_domain": "", "hangup_cause_code": 0})
    mount = mount_of(small, dialect=dialect, ttl="1h")
    rows = rows_of(small, dialect)
    assert [os.listdir(mount / axis) for axis in SEEN] == [[]] * 4
    mount.ls(day(1))
    some = [row for row in rows if row.end.startswith(day(1))]
    assert [sorted(os.listdir(mount / axis)) for axis in SEEN] == [seen(some, a) for a in SEEN]
    find(mount / "by-date")
    small.clear_log()
    for tree in (".", "csv"):
        assert [sorted(os.listdir(mount / tree / axis)) for axis in SEEN] == [
            seen(rows, axis) for axis in SEEN]
    assert small.requests() == 0
    mount.unmount()
    again = mount_of(small, cache=mount.cache, dialect=dialect)
    assert [sorted(os.listdir(again / axis)) for axis in SEEN] == [seen(rows, a) for a in SEEN]


def test_axes_of_open_forms_list_those_used_since_the_mount(small, mount_of):
    mount = mount_of(small)
    used = {"by-bill-duration": ["180", "gte-60", "lt-7"], "by-end-time": [f"gt-{day(2)}T10:00"],
            "by-initiation-time": [f"{day(2)}T10:00:01"]}
    assert [os.listdir(mount / axis) for axis in OPEN] == [[]] * 3
    for axis in OPEN:
        for value in used[axis] * 2:
            os.stat(mount / axis / value)
        assert not os.path.exists(mount / axis / "gte-x")
        assert sorted(os.listdir(mount / axis)) == used[axis]
    assert small.requests() == 0
    mount.unmount()
    again = mount_of(small, cache=mount.cache)
    assert [os.listdir(again / axis) for axis in OPEN] == [[]] * 3


def test_combinations_months_and_hours_are_not_listed(small, mount_of):
    mount = mount_of(small, ttl="1h")
    for name in ("by-trunk/31870244519062", day(2), f"{day(2)}T10", day(2)[:7]):
        os.listdir(mount / "by-direction/inbound" / name)
    find(mount / "by-date")
    allowed = {day(ago) for ago in range(90)}
    for view in ("by-date", "by-direction/inbound", "by-hangup-source/carrier", "by-stir/verified"):
        assert set(os.listdir(mount / view)) <= allowed


def test_a_view_lists_the_days_that_hold_calls_of_it(small, mount_of):
    mount = mount_of(small, ttl="1h")
    assert len(os.listdir(mount / "by-hangup-source/carrier")) == 90
    find(mount / "by-date")
    small.clear_log()
    rows = rows_of(small, "latest")
    for source in ("customer", "carrier", "zentrunk"):
        assert sorted(os.listdir(mount / "by-hangup-source" / source)) == sorted(
            {row.end[:10] for row in rows if row.source == source})
    assert sorted(os.listdir(mount / "by-date")) == sorted({row.end[:10] for row in rows})
    assert small.requests() == 0


# --- what a walk costs ---


def check_whole(paths, rows):
    """All calls are below by-date, and below each number that was seen."""
    assert {p for p in paths if p.startswith("by-date/") and p.endswith(".json")} == {
        f"by-date/{row.end[:10]}/{row.name}" for row in rows}
    assert {p for p in paths if p.startswith("by-from/") and p.endswith(".json")} == {
        f"by-from/{row.ends['from']}/{row.end[:10]}/{row.name}" for row in rows if row.ends["from"]}


@pytest.mark.parametrize("which", ["small", "running"])
def test_a_walk_of_everything_after_by_date_costs_nothing(request, mount_of, which):
    sim = request.getfixturevalue(which)
    mount = mount_of(sim, ttl="1h")
    find(mount / "by-date")
    sim.clear_log()
    paths = find(mount.path)
    print(f"find / after find by-date: {sim.requests()} requests, {len(paths)} names")
    assert sim.requests() == 0
    check_whole(paths, rows_of(sim, "latest"))
    assert {f"csv/by-date/{row.end[:10]}.csv" for row in rows_of(sim, "latest")} <= set(paths)


def test_and_nothing_after_a_remount(small, mount_of):
    mount = mount_of(small, ttl="1h")
    find(mount / "by-date")
    before = find(mount.path)
    mount.unmount()
    again = mount_of(small, cache=mount.cache, ttl="1h")
    assert find(again.path) == before and small.requests() == 0


@pytest.mark.parametrize("which", ["small", "running"])
def test_without_ttl_it_costs_at_most_a_request_for_each_view_of_today(request, mount_of, which):
    sim = request.getfixturevalue(which)
    mount = mount_of(sim, ttl=0)
    find(mount / "by-date")
    sim.clear_log()
    paths = find(mount.path)
    views = sum(path.endswith(f"/{day(0)}") for path in paths)  # of today
    print(f"find / after find by-date, ttl=0: {sim.requests()} requests, {views} views of today")
    assert sim.requests() <= views
    check_whole(paths, rows_of(sim, "latest"))


def test_a_walk_of_everything_costs_no_more_than_by_date_alone(small, mount_of):
    alone = mount_of(small, ttl="1h")
    find(alone / "by-date")
    cost = small.requests()
    mount = mount_of(small, ttl="1h")
    paths = find(mount.path)
    print(f"on empty stores: find by-date {cost} requests, find / {small.requests()}")
    assert small.requests() <= cost
    check_whole(paths, rows_of(small, "latest"))


def test_nor_when_a_form_has_been_used(small, mount_of):
    mount = mount_of(small, ttl="1h")
    find(mount / "by-date")
    for path in ("by-bill-duration/gte-60", f"by-end-time/lt-{day(2)}T10:00",
                 f"by-initiation-time/gte-{day(2)}T10:00", "by-from/1", "by-to/9"):
        os.stat(mount / path)
    small.clear_log()
    paths = find(mount.path)
    assert small.requests() == 0 and any(p.startswith("by-end-time/lt-") for p in paths)


# --- one number ---


def with_number(sim_of, calls, days):
    """A simulator of other calls too, and the days that number has calls in."""
    sim = sim_of({day(ago): 30 for ago in (1, 3, 4, 40)})
    for i in range(calls):
        name = day(days[i % len(days)])
        sim.calls(1, f"{name} 10:{i // 60 % 60:02}:{i % 60:02}", set={"from_number": f"+{NUMBER}"})
    return sim, sorted({day(ago) for ago in days})


@pytest.mark.parametrize("dialect", ["latest", "legacy"])
def test_a_number_of_few_calls_costs_one_walk_and_lists_its_days(sim_of, mount_of, dialect):
    sim, days = with_number(sim_of, 45, [1, 2, 3, 7, 20, 41, 60, 88, 89])
    mount = mount_of(sim, dialect=dialect)
    assert sorted(os.listdir(mount / "by-from" / NUMBER)) == days
    print(f"ls by-from/NUMBER, 45 calls in 90 days: {sim.requests()} requests")
    assert sim.requests() == 3
    assert all(filters(entry) == {"from_number": NUMBER} for entry in sim.log())
    names = [n for name in days for n in os.listdir(mount / "by-from" / NUMBER / name)]
    assert sorted(names) == sorted(
        f"{row['call_uuid']}.json" for row in sim.oracle() if row["from_number"] == f"+{NUMBER}")
    assert os.listdir(mount / "by-from" / NUMBER / day(50)) == []
    assert sorted(os.listdir(mount / "by-from" / NUMBER)) == days
    assert sorted(os.listdir(mount / "by-from" / NUMBER / "by-date")) == days
    assert sim.requests() == 3


def test_a_number_that_never_called_costs_one_request(sim_of, mount_of):
    sim, _ = with_number(sim_of, 0, [1])
    mount = mount_of(sim)
    assert os.listdir(mount / "by-to/15005559999") == [] and sim.requests() == 1


def test_a_number_of_many_calls_costs_one_request_and_lists_all_days(sim_of, mount_of):
    sim, days = with_number(sim_of, 0, [2])
    sim.calls(250, f"{days[0]} 10:00:00", 1, set={"from_number": f"+{NUMBER}"})
    mount = mount_of(sim, ttl="1h")
    assert set(os.listdir(mount / "by-from" / NUMBER)) == {day(ago) for ago in range(90)}
    assert sim.requests() == 1
    os.listdir(mount / "by-from" / NUMBER)
    assert sim.requests() == 1
    assert len(os.listdir(mount / "by-from" / NUMBER / days[0])) == 250


def test_a_number_that_cannot_be_asked_for_lists_all_days(sim_of, mount_of):
    """Names of days are at hand; a view must open while the API is away."""
    sim, _ = with_number(sim_of, 5, [2])
    mount = mount_of(sim)
    sim.refuse(503)
    assert len(os.listdir(mount / "by-from" / NUMBER)) == 90


# --- attributes ---


def attributes(path):
    st = os.stat(path)
    return (st.st_ino, st.st_nlink, st.st_size, st.st_blocks, st.st_mtime_ns,
            stat.S_ISREG(st.st_mode))


def test_a_call_is_one_inode_in_all_views(small, mount_of):
    mount = mount_of(small, ttl="1h")
    find(mount / "by-date")
    for row in rows_of(small, "latest")[::7]:
        views = ["by-date", f"by-direction/{row.direction}", f"by-to/{row.ends['to']}",
                 f"by-hangup-cause/{row.cause}", f"by-hangup-source/{row.source}",
                 f"by-bill-duration/{row.bill}", f"by-end-time/{row.end.replace(' ', 'T')}",
                 f"by-initiation-time/lte-{row.start.replace(' ', 'T')}",
                 f"by-stir/{row.stir.replace(' ', '-')}/by-direction/{row.direction}"]
        paths = [mount / view / row.end[:10] / row.name for view in views]
        paths += [mount / "by-uuid" / row.name, mount / "by-date" / row.end[:7] / row.name]
        found = {attributes(path) for path in paths}
        assert len(found) == 1
        (ino, nlink, size, blocks, mtime, regular), = found
        assert ino > 2 and nlink == 8 and regular and mtime == epoch(row.end) * 10**9
        assert size == len(paths[0].read_bytes()) and blocks == -(-size // 512)
        assert len({path.read_bytes() for path in paths}) == 1


def test_nothing_moves_when_nothing_changed(small, mount_of):
    mount = mount_of(small, ttl="1h")
    find(mount.path)

    def walked(where):
        return {path: attributes(where / path)[0::4] for path in find(where.path)}

    first = walked(mount)
    assert walked(mount) == first
    mount.unmount()
    again = mount_of(small, cache=mount.cache, ttl="1h")
    assert walked(again) == first
    files = {p: a for p, a in first.items() if p.endswith(".json")}
    assert len({ino for ino, _ in files.values()}) == len(rows_of(small, "latest"))


def test_the_mtime_of_a_date_is_its_newest_calls_in_each_view(small, mount_of):
    mount = mount_of(small, ttl="1h")
    find(mount / "by-date")
    rows = rows_of(small, "latest")
    for view, chosen in (("by-date", rows),
                         ("by-direction/inbound", [r for r in rows if r.direction == "inbound"])):
        newest = {row.end[:10]: row.end for row in chosen}  # rows come oldest first
        for name, end in newest.items():
            assert os.stat(mount / view / name).st_mtime == epoch(end)
    others = (".", "by-date", "by-from", "csv", "by-stir/verified")
    assert len({os.stat(mount / path).st_mtime_ns for path in others}) == 1


def test_statfs_counts_calls_wherever_it_is_asked(small, mount_of):
    mount = mount_of(small, ttl="1h")
    assert os.statvfs(mount.path).f_files == 0
    find(mount / "by-date")
    rows = rows_of(small, "latest")
    for path in (".", "by-from", "csv/by-date", f"by-date/{rows[0].end[:10]}/{rows[0].name}"):
        st = os.statvfs(mount / path)
        assert (st.f_files, st.f_bfree, st.f_bavail, st.f_ffree) == (len(rows), 0, 0, 0)


def test_rsync_links_what_several_views_have(sim_of, mount_of, tmp_path):
    """With -H a copy of two views has the bytes once; without it, twice."""
    sim, name = sim_of({day(6): 45}), day(6)
    mount = mount_of(sim)
    sources = [f"{mount.path}/./by-date/{name}"]
    sources += [f"{mount.path}/./by-direction/{way}/{name}" for way in ("inbound", "outbound")]
    for flags, inodes in (("-aHR", 45), ("-aR", 90)):
        copy = tmp_path / flags
        subprocess.run(["rsync", flags, *sources, f"{copy}/"], check=True, timeout=PATIENCE_S)
        files = list(copy.rglob("*.json"))
        assert len(files) == 90 and len({path.stat().st_ino for path in files}) == inodes
        assert sorted(p.name for p in (copy / "by-date" / name).iterdir()) == sim.names(name)

# SPDX-License-Identifier: MIT
"""Reading directories the hard way: places, growth, and listings that stream or fail."""

import errno
import os
import subprocess

import pytest

from expect import Dir, Steps, error_of, render
from harness import NOW, PATIENCE_S, day

OLD = day(6)
DOTS = {".", ".."}


def whole(names):
    """Whether these are all entries of a listing with the given names, each once."""
    return sorted(DOTS | set(names))


@pytest.mark.parametrize("calls", [0, 1, 45, 2000])
def test_a_directory_can_be_left_and_resumed_anywhere(sim_of, mount_of, calls):
    sim = sim_of({OLD: calls})
    mount = mount_of(sim)
    with Dir(mount.day(OLD)) as d:
        order, places = [], [d.tell()]
        while name := d.read():
            order.append(name)
            places.append(d.tell())
        assert sorted(order) == whole(sim.names(OLD))
        for at in {0, 1, 2, calls // 2, calls + 1, calls + 2}:
            d.seek(places[at])
            assert d.rest() == order[at:]
        d.rewind()
        assert d.rest() == order
        assert d.read() is None
    assert sim.requests() == max(1, -(-calls // 20))


@pytest.mark.parametrize("path", ["", "by-date", "by-direction", "by-direction/inbound"])
def test_other_directories_can_be_left_and_resumed(sim_of, mount_of, path):
    mount = mount_of(sim_of())
    with Dir(mount / path) as d:
        order, places = [], [d.tell()]
        while name := d.read():
            order.append(name)
            places.append(d.tell())
        assert len(set(order)) == len(order) and DOTS < set(order)
        for at, place in enumerate(places):
            d.seek(place)
            assert d.rest() == order[at:]


def test_two_readers_of_one_directory_do_not_disturb_each_other(sim_of, mount_of):
    sim = sim_of({OLD: 500})
    mount = mount_of(sim)
    with Steps(mount.day(OLD)) as a, Steps(mount.day(OLD)) as b:
        one, two = [], []
        while names := a.step():
            one += names + a.step()
            two += b.step()
        two += b.rest()
    assert sorted(one) == sorted(two) == whole(sim.names(OLD))


def test_no_name_comes_twice_from_a_listing_that_grows(sim_of, mount_of):
    sim = sim_of({OLD: 0})
    before = {f"{uuid}.json" for uuid in sim.calls(400, f"{day(0)} 09:00:00", 1)}
    mount = mount_of(sim, ttl=0)
    mount.ls(OLD)
    mount.ls(day(0))
    with Steps(mount.day(day(0))) as d:
        names = d.step() + d.step()
        for n in range(3):
            sim.calls(20, NOW)
            assert len(mount.ls(day(0))) == 420 + 20 * n
            names += d.step() + d.step()
        names += d.rest()
    assert len(names) == len(set(names))
    assert before <= set(names) <= set(sim.names(day(0))) | DOTS


def test_what_changes_between_two_pieces_of_a_listing_is_not_shown_as_it_was(sim_of, mount_of):
    """Behind each piece the next is made ready before it is asked for. The kernel knows none of these
    files yet, and keeps what it is told of them for a day."""
    sim = sim_of({OLD: 0})
    sim.calls(80, f"{day(0)} 09:00:00", 1)
    mount = mount_of(sim, ttl="1h")
    mount.ls(day(0))
    newest = sim.calls(19, f"{day(0)} 10:00:00", 1)  # their ids, and so their places, are the last
    (mount / ".cdrfs" / "refresh").write_text("/")
    mount.ls(day(0))
    mount.unmount()
    mount = mount_of(sim, ttl="1h", cache=mount.cache)
    with Steps(mount.day(day(0))) as d:
        names = d.step() + d.step() + d.step()
        for turn in range(3):
            for uuid in newest:
                sim.amend(uuid, total_rate=f'"{turn}.{"7" * (turn * 100 + 50)}"')
            if turn == 1:
                newest += sim.calls(1)
            (mount / ".cdrfs" / "refresh").write_text("/")
            (mount / "ndjson" / "by-date" / f"{day(0)}.ndjson").stat()  # reads it anew
            names += d.step()
        names += d.rest()
    assert sorted(names) == whole(sim.names(day(0)))
    sizes = {f"{row['call_uuid']}.json": len(render(row["raw"])) for row in sim.oracle(day(0))}
    assert {name: (mount.day(day(0)) / name).stat().st_size for name in sizes} == sizes


def test_who_leaves_a_listing_in_the_middle_leaves_nothing_behind(sim_of, mount_of):
    """What was made ready for him goes with the mount: the address sanitizer would tell."""
    sim = sim_of({day(ago): 100 for ago in range(3, 13)})
    mount = mount_of(sim)
    for ago in range(3, 13):
        mount.ls(day(ago))
    for ago in range(3, 13):
        with Steps(mount.day(day(ago), "outbound")) as d:
            assert len(d.step() + d.step() + d.step()) > 40
    mount.unmount()


def test_a_rewound_directory_shows_what_came_since(sim_of, mount_of):
    sim = sim_of({OLD: 0})
    sim.calls(5, f"{day(0)} 09:00:00", 1)
    mount = mount_of(sim, ttl=0)
    mount.ls(OLD)
    with Dir(mount.day(day(0))) as d:
        assert len(d.rest()) == 7
        sim.calls(30, NOW)
        d.rewind()
        assert sorted(d.rest()) == whole(sim.names(day(0)))


def test_a_listing_is_whole_while_calls_arrive(sim_of, mount_of):
    """Pages shift while they are read; what ended before the listing must all be there."""
    sim = sim_of({OLD: 0})
    before = {f"{uuid}.json" for uuid in sim.calls(300, f"{day(0)} 09:00:00", 30)}
    mount = mount_of(sim, ttl=0)
    mount.ls(OLD)
    sim.config(latency_ms=5)
    sim.arrivals(20)
    for _ in range(8):
        try:
            names = os.listdir(mount.day(day(0)))
        except OSError as e:  # the counts never agreed
            assert e.errno == errno.EIO
            continue
        assert before <= set(names) and len(names) == len(set(names))
    sim.arrivals(0)
    sim.wait(idle=1)
    assert mount.ls(day(0)) == sim.names(day(0))


@pytest.mark.parametrize("settings", [
    {"repeat_pages": True}, {"order": "asc"}, {"next": "always_true"}, {"next": "garbage"}])
def test_a_host_that_pages_oddly_still_gives_a_whole_day(sim_of, mount_of, settings):
    sim = sim_of({OLD: 130})
    mount = mount_of(sim)
    sim.config(**settings)
    assert mount.ls(OLD) == sim.names(OLD)


@pytest.mark.parametrize("settings", [{"total_delta": 3}, {"total_delta": -3}])
def test_a_total_that_is_simply_wrong_is_accepted_when_two_walks_agree(sim_of, mount_of, settings):
    sim = sim_of({OLD: 130})
    mount = mount_of(sim)
    sim.config(**settings)
    assert mount.ls(OLD) == sim.names(OLD)


def test_the_first_page_is_delivered_while_the_others_stall(sim_of, mount_of):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim)
    sim.stall(skip=1)
    with Dir(mount.day(OLD)) as d:
        first = d.take(22)
        assert set(first) >= DOTS and set(first) - DOTS < set(sim.names(OLD))
        sim.wait(in_flight=1)
        sim.mend()
        assert sorted(first + d.rest()) == whole(sim.names(OLD))
    assert sim.requests() == 21


@pytest.mark.parametrize("skip", [1, 5, 20])
def test_a_listing_whose_later_page_fails_is_an_error_and_never_short(sim_of, mount_of, skip):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim)
    sim.refuse(500, skip=skip)
    for _ in range(2):
        assert error_of(os.listdir, mount.day(OLD)) == "EIO"
    with Dir(mount.day(OLD)) as d:
        assert error_of(d.rest) == "EIO"
    sim.mend()
    assert mount.ls(OLD) == sim.names(OLD)


def test_rsync_deletes_nothing_when_a_page_fails(sim_of, mount_of, tmp_path):
    sim = sim_of({OLD: 407, day(7): 5})
    held = mount_of(sim)
    copy = tmp_path / "copy"
    command = ["rsync", "-a", "--delete", "--chmod=D700,F600"]
    for name in (OLD, day(7)):
        subprocess.run([*command, "--mkpath", f"{held.day(name)}/", f"{copy}/{name}/"], check=True)
    mount = mount_of(sim)
    sim.refuse(500, match="offset=20")
    for source, target in ((mount.day(OLD), copy / OLD), (mount / "by-date", copy)):
        done = subprocess.run([*command, f"{source}/", f"{target}/"], timeout=PATIENCE_S,
                              capture_output=True, check=False)
        assert done.returncode in (23, 24)
        assert sorted(os.listdir(copy / OLD)) == sim.names(OLD)
        assert sorted(os.listdir(copy / day(7))) == sim.names(day(7))


def test_rsync_copies_a_day_and_finds_nothing_new(sim_of, mount_of, tmp_path):
    sim = sim_of({OLD: 120})
    mount = mount_of(sim)
    for transferred in ("120", "0"):
        done = subprocess.run(["rsync", "-a", "--stats", f"{mount.day(OLD)}/", tmp_path / "copy"],
                              check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S)
        assert f"regular files transferred: {transferred}\n" in done.stdout
    for name in sim.names(OLD):
        assert (tmp_path / "copy" / name).read_bytes() == (mount.day(OLD) / name).read_bytes()
    assert sim.requests() == 6
    os.chmod(tmp_path / "copy", 0o700)

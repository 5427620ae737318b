# SPDX-License-Identifier: MIT
"""A walk that is cut off goes on where it stood; a refresh costs one request however the host sorts."""

import os
import threading

import pytest

from expect import error_of
from harness import PATIENCE_S, NOW, day

OLD = day(6)
TODAY = day(0)


class Reader(threading.Thread):
    """Reads a directory, and says when so many entries have come. What it then meets is not its
    concern."""

    def __init__(self, path, entries):
        super().__init__(daemon=True)
        self.path, self.entries, self.reached = path, entries, threading.Event()
        self.start()

    def run(self):
        try:
            for n, _ in enumerate(os.scandir(self.path), 1):
                if n >= self.entries:
                    self.reached.set()
        except OSError:
            pass


def read_half(sim, mount):
    """Ten of 21 pages come and are stored; the others stall."""
    sim.fault("stall", skip=10, count=-1)
    reader = Reader(mount.day(OLD), 200)
    assert reader.reached.wait(PATIENCE_S)
    return reader


@pytest.mark.parametrize("end", ["kill", "unmount"])
def test_a_walk_goes_on_after(sim_of, mount_of, end):
    sim = sim_of({OLD: 407})
    first = mount_of(sim)
    reader = read_half(sim, first)
    if end == "kill":
        first.kill()
        first.detach()
    else:
        first.end()
    reader.join(PATIENCE_S)
    sim.mend()
    second = mount_of(sim, cache=first.cache)
    sim.clear_log()
    assert second.ls(OLD) == sim.names(OLD)
    assert sim.requests() == 11
    assert second.ls(OLD) == sim.names(OLD) and sim.requests() == 11


def test_a_walk_goes_on_after_an_error(sim_of, mount_of):
    sim = sim_of({OLD: 407})
    mount = mount_of(sim, connections=1)
    sim.refuse(404, skip=15)
    assert error_of(os.listdir, mount.day(OLD)) == "EIO"
    assert sim.requests() >= 16
    sim.mend()
    sim.clear_log()
    assert mount.ls(OLD) == sim.names(OLD)
    assert sim.requests() <= 6


@pytest.mark.parametrize("change", ["late", "gone"])
def test_a_window_that_has_moved_is_read_anew(sim_of, mount_of, change):
    sim = sim_of({OLD: 407})
    first = mount_of(sim)
    reader = read_half(sim, first)
    first.kill()
    first.detach()
    reader.join(PATIENCE_S)
    sim.mend()
    if change == "late":
        sim.calls(3, f"{OLD} 23:59:00")
    else:
        sim.clock(now=f"{day(-80)} 12:00:00")  # the day is still served
        sim.calls(1, f"{OLD} 00:00:00")
    second = mount_of(sim, cache=first.cache)
    assert second.ls(OLD) == sim.names(OLD)
    assert len(second.ls(OLD)) > 407


@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("new, cost", [(0, 1), (5, 1), (20, 1)])
def test_a_refresh_costs_one_request_whatever_the_order(sim_of, mount_of, order, new, cost):
    sim = sim_of({OLD: 0})
    sim.calls(45, f"{TODAY} 06:00:00", step_s=60)
    sim.config(order=order)
    mount = mount_of(sim, ttl=0)
    assert len(mount.ls(TODAY)) == 45
    if new:
        sim.calls(new, NOW, step_s=-1)
    sim.clear_log()
    assert mount.ls(TODAY) == sim.names(TODAY) and len(mount.ls(TODAY)) == 45 + new
    assert sim.requests() == 2 * cost


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_forty_five_new_calls_cost_what_they_must(sim_of, mount_of, order):
    sim = sim_of({OLD: 0})
    sim.calls(45, f"{TODAY} 06:00:00", step_s=60)
    sim.config(order=order)
    mount = mount_of(sim, ttl=0)
    mount.ls(TODAY)
    sim.calls(45, NOW, step_s=-1)
    sim.clear_log()
    assert mount.ls(TODAY) == sim.names(TODAY)
    assert sim.requests() <= 6


def test_a_late_record_inside_what_was_read_is_found_by_the_count(sim_of, mount_of):
    sim = sim_of({OLD: 0})
    sim.calls(45, f"{TODAY} 06:00:00", step_s=60)
    mount = mount_of(sim, ttl=0)
    mount.ls(TODAY)
    late = sim.calls(1, f"{TODAY} 06:10:30")[0]
    assert f"{late}.json" in mount.ls(TODAY) and len(mount.ls(TODAY)) == 46


def test_the_order_is_remembered_by_the_store(sim_of, mount_of):
    sim = sim_of({OLD: 0})
    sim.calls(45, f"{TODAY} 06:00:00", step_s=60)
    sim.config(order="asc")
    first = mount_of(sim, ttl=0)
    first.ls(TODAY)
    first.unmount()
    sim.calls(5, NOW)
    second = mount_of(sim, ttl=0, cache=first.cache)
    sim.clear_log()
    assert second.ls(TODAY) == sim.names(TODAY)
    assert sim.requests() == 1

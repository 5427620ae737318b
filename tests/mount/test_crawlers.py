# SPDX-License-Identifier: MIT
"""Programs that read everything there is cost no request: they see what is held."""

import os
import pathlib
import subprocess
import threading

import pytest

from harness import PATIENCE_S, day

HELD = day(6)
COLD = day(7)


@pytest.fixture(name="crawler")
def _crawler(tmp_path):
    """crawler(name): a find(1) of that name."""

    def make(name):
        path = tmp_path / name
        path.write_bytes(pathlib.Path("/usr/bin/find").read_bytes())
        path.chmod(0o755)
        return path

    return make


def walk(program, where):
    done = subprocess.run([program, where, "-type", "f"], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)
    return sorted(os.path.basename(line) for line in done.stdout.splitlines()), done.stderr


@pytest.mark.parametrize("name", ["updatedb", "updatedb.plocate", "tracker-miner-fs-3",
                                  "baloo_file_extractor"])
def test_a_crawler_sees_what_is_held_and_asks_nothing(sim_of, mount_of, crawler, name):
    sim = sim_of({HELD: 45, COLD: 45})
    mount = mount_of(sim)
    mount.ls(HELD)
    sim.clear_log()
    names, errors = walk(crawler(name), mount / "by-date")
    assert names == sim.names(HELD) and errors == ""
    assert sim.requests() == 0
    assert mount.ls(COLD) == sim.names(COLD)  # the kernel keeps nothing of what it was told
    assert sim.requests() == 3


def test_a_crawler_never_waits_while_the_api_stalls(sim_of, mount_of, crawler):
    sim = sim_of({HELD: 45, COLD: 45})
    mount = mount_of(sim, ttl=0, settle="2d")
    mount.ls(HELD)
    sim.stall()
    names, errors = walk(crawler("plocate-build"), mount.path)
    assert {n for n in names if n.endswith(".json")} == set(sim.names(HELD)) and errors == ""
    sim.mend()


def test_a_name_looked_up_by_a_crawler_is_absent_for_it_alone(sim_of, mount_of, crawler):
    sim = sim_of({COLD: 45})
    mount = mount_of(sim)
    path = mount.day(COLD) / sim.names(COLD)[7]
    for where in (path, mount / "by-uuid" / path.name, mount / f"csv/by-date/{COLD}.csv"):
        names, errors = walk(crawler("updatedb"), where)
        assert names == [] and "No such file" in errors
    assert sim.requests() == 0
    assert path.stat().st_size and (mount / f"csv/by-date/{COLD}.csv").stat().st_size


def test_a_thread_of_another_name_does_not_hide_a_crawler(sim_of, mount_of, crawler):
    """The name of the process counts too: its threads may be called otherwise."""
    sim = sim_of({COLD: 45})
    mount = mount_of(sim)
    program = crawler("recollindex.py")
    program.write_text(f"""#!/usr/bin/python3
import ctypes, os, threading
def walk():
    ctypes.CDLL(None).prctl(15, b"pool-7", 0, 0, 0)
    print(os.listdir({str(mount.day(COLD))!r}))
thread = threading.Thread(target=walk)
thread.start()
thread.join()
""", encoding="utf-8")
    done = subprocess.run([program], capture_output=True, timeout=PATIENCE_S, check=True)
    assert done.stdout == b"[]\n" and sim.requests() == 0


def test_which_programs_are_crawlers_can_be_said(sim_of, mount_of, crawler):
    sim = sim_of({COLD: 45})
    mount = mount_of(sim, crawlers="none:my-index*")
    assert walk(crawler("my-indexer"), mount.day(COLD)) == ([], "")
    assert sim.requests() == 0
    assert walk(crawler("updatedb"), mount.day(COLD)) == (sim.names(COLD), "")
    assert sim.requests() == 3


def test_a_crawler_and_a_person_at_once(sim_of, mount_of, crawler):
    """What one of them is told is not what the other gets."""
    sim = sim_of({COLD: 407})
    mount = mount_of(sim)
    sim.config(latency_ms=20)
    program, seen = crawler("updatedb"), []
    thread = threading.Thread(target=lambda: seen.append(mount.ls(COLD)))
    thread.start()
    while thread.is_alive():
        assert set(walk(program, mount.day(COLD))[0]) <= set(sim.names(COLD))
    thread.join()
    assert seen == [sim.names(COLD)] and sim.requests() == 21

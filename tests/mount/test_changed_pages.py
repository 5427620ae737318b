# SPDX-License-Identifier: MIT
"""Pages that somebody changes through a mapping are written back before they are dropped, and whoever
has them dropped waits for that: no reader, and no end of the mount, may hang on it."""

import signal
import sys

import pytest

from harness import GONE_S, PATIENCE_S, day

OLD = day(6)

# Changes the first byte of each file, again and again; with "flush" has it written back, which is
# refused. Says when it has begun, and ends by itself when there are turns enough.
CHANGER = """
import mmap, os, sys
maps = [mmap.mmap(os.open(path, os.O_RDWR), 1) for path in sys.argv[3:]]
print("begun", flush=True)
for turn in range(int(sys.argv[2])):
    for m in maps:
        m[0] = 88
        try:
            sys.argv[1] == "flush" and m.flush()
        except OSError:
            pass
"""

# close(2) may tell it of what another could not have written back.
READER = """
import os, sys
fds = [os.open(path, os.O_RDONLY) for path in sys.argv[2:]]
for turn in range(int(sys.argv[1])):
    for fd in fds:
        os.pread(fd, 1 << 16, 0)
"""


def changing(spawn, how, paths, turns=10**9):
    child = spawn(sys.executable, "-c", CHANGER, how, turns, *paths)
    assert child.stdout.readline() == b"begun\n"
    return child


def paths_of(mount):
    return [mount.day(OLD) / name for name in mount.ls(OLD)]


def test_who_reads_what_another_changes_is_answered(sim_of, mount_of, spawn):
    mount = mount_of(sim_of({OLD: 100}))
    paths = paths_of(mount)
    children = [changing(spawn, "flush", paths, 100),
                spawn(sys.executable, "-c", READER, 100, *paths)]
    for child in children:
        assert child.communicate(timeout=PATIENCE_S)[1] == b"" and child.returncode == 0
    mount.unmount()


@pytest.mark.parametrize("turn", range(8))
def test_the_end_comes_while_changed_pages_are_dropped(sim_of, mount_of, spawn, turn):
    mount = mount_of(sim_of({OLD: 40}), flags=["-s"] if turn % 2 else [])
    paths = paths_of(mount)
    for how in ("flush", "flush", "keep"):
        changing(spawn, how, paths)
    mount.send(signal.SIGTERM)
    assert mount.is_gone(GONE_S) and not mount.is_mounted()


@pytest.mark.parametrize("first", ["answer", "signal"] * 3)
def test_the_end_comes_while_changed_pages_of_amended_calls_are_dropped(sim_of, mount_of, spawn,
                                                                        first):
    sim = sim_of({OLD: 20})
    mount = mount_of(sim)
    paths = paths_of(mount)
    changing(spawn, "keep", paths)
    for path in paths:
        sim.amend(path.stem, total_rate='"9.7"')
    (mount / ".cdrfs/refresh").write_text("/")
    sim.stall()
    spawn("ls", mount.day(OLD))
    sim.wait(in_flight=1)
    for step in (sim.mend, lambda: mount.send(signal.SIGTERM))[::1 if first == "answer" else -1]:
        step()
    assert mount.is_gone(GONE_S) and not mount.is_mounted()

# SPDX-License-Identifier: MIT
"""What the kernel asks of the filesystem for each file that somebody lists or reads, and what it is
given before it asks."""

import os
import re
import signal
import subprocess
import threading
import time

import pytest

from expect import render
from harness import GONE_S, PATIENCE_S, SLOW, day

OLD = day(6)
FILES = 1000


class Messages:
    """Counts messages in the output of a mount in debug mode."""

    def __init__(self, mount):
        self.mount = mount
        self.start = 0
        self.begin()

    def begin(self):
        self.start = len(self.mount.output())

    def counts(self):
        names = re.findall(rb"opcode: (\w+)|(NOTIFY: code=4)", self.mount.output()[self.start:])
        found = [(name or b"STORE").decode() for name, _ in names]
        return {name: found.count(name) for name in found}

    def of(self, *command):
        """What that command brings about."""
        self.begin()
        subprocess.run(list(map(str, command)), check=False, timeout=PATIENCE_S,
                       stdout=subprocess.DEVNULL)
        return self.counts()

    def wait_for(self, name, number):
        end = time.monotonic() + PATIENCE_S
        while self.counts().get(name, 0) < number:
            assert time.monotonic() < end, self.counts()
            time.sleep(0.005)


def drop(path):
    """Has the kernel forget the contents of a file, and of no other, since tests run side by side."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def per_file(counts, *names):
    return sum(counts.get(name, 0) for name in names or set(counts) - {"STORE"}) / FILES


@pytest.fixture(name="held")
def _held(sim_of, mount_of):
    """A mount in debug mode, whose kernel knows nothing, of a store that holds a day. (sim, mount,
    messages)"""
    sim = sim_of({OLD: FILES})
    first = mount_of(sim)
    first.ls(OLD)
    first.unmount()
    mount = mount_of(sim, cache=first.cache, debug=True)
    return sim, mount, Messages(mount)


def test_ls_dash_l_costs_no_message_a_file(held):
    _, mount, messages = held
    cold = messages.of("ls", "-l", mount.day(OLD))
    assert cold["READDIRPLUS"] <= FILES / 100 and per_file(cold) <= 0.02, cold
    messages.of("ls", "-l", mount.day(OLD))  # from here on the kernel keeps the listing
    warm = messages.of("ls", "-l", mount.day(OLD))
    assert per_file(warm) <= 0.005 and "READDIRPLUS" not in warm, warm


def test_find_by_size_costs_no_message_a_file(held):
    _, mount, messages = held
    cold = messages.of("find", mount.day(OLD), "-size", "+10k")
    assert per_file(cold) <= 0.02, cold


def test_programs_are_told_to_read_a_listing_in_large_pieces(held):
    """Newer kernels then ask for as much at once."""
    _, mount, _ = held
    assert mount.day(OLD).stat().st_blksize == 256 << 10
    assert os.stat(mount / "by-date").st_blksize == 4096
    assert next(mount.day(OLD).iterdir()).stat().st_blksize == 4096


def test_no_file_is_opened_or_closed_by_message_but_the_first(held):
    _, mount, messages = held
    counts = messages.of("grep", "-r", "nothing has this", mount.day(OLD))
    assert counts["OPEN"] == 1 and counts["FLUSH"] == 1
    assert not {"RELEASE", "GETXATTR", "LISTXATTR"} & set(counts)


@pytest.mark.parametrize("command", [("grep", "-r", "nothing has this"), ("tar", "cf", "/dev/full"),
                                     ("md5sum",)])
def test_warm_reading_costs_no_message_a_file(held, command):
    """At most the time of the last access is asked for once, of the files that were not pushed."""
    _, mount, messages = held
    where = [mount.day(OLD)]
    if command == ("md5sum",):
        where = sorted(mount.day(OLD).iterdir())
    subprocess.run(["cat", *sorted(mount.day(OLD).iterdir())], check=True, timeout=PATIENCE_S,
                   stdout=subprocess.DEVNULL)
    messages.of(*command, *where)
    warm = messages.of(*command, *where)
    assert per_file(warm) <= 0.01 and "READ" not in warm, warm


def test_rsync_costs_no_message_a_file_when_nothing_is_new(held, tmp_path):
    _, mount, messages = held
    command = ["rsync", "-a", f"{mount.day(OLD)}/", tmp_path / "copy"]
    subprocess.run(command, check=True, timeout=PATIENCE_S)
    messages.of(*command)
    assert per_file(messages.of(*command)) <= 0.01


def test_who_reads_one_file_after_another_finds_them_there(held):
    """The first file is asked for, and one in front of each run: of 64, 128, 256 and 512 files."""
    sim, mount, messages = held
    paths = [entry.path for entry in os.scandir(mount.day(OLD))]
    bodies = {f"{row['call_uuid']}.json": render(row["raw"]) for row in sim.oracle(OLD)}
    messages.begin()
    for path in paths:
        with open(path, "rb") as f:
            assert f.read() == bodies[os.path.basename(path)]
    counts = messages.counts()
    assert counts["READ"] <= 8 and counts["STORE"] + counts["READ"] == FILES, counts


@pytest.mark.parametrize("command", [("grep", "-r", "nothing has this"), ("tar", "cf", "/dev/full"),
                                     ("rsync", "-a")])
def test_cold_reading_costs_few_messages(held, tmp_path, command):
    """rsync sorts by name, and so comes upon every run here and there."""
    _, mount, messages = held
    target = [tmp_path / "copy"] if command[0] == "rsync" else []
    counts = messages.of(*command, f"{mount.day(OLD)}/", *target)
    assert per_file(counts, "READ") <= (0.05 if target else 0.01), counts
    assert counts.get("STORE", 0) <= 1.2 * FILES, counts


def test_where_several_read_at_once_nothing_is_pushed(held):
    """A push to a page that somebody waits for could not be interrupted by anything."""
    _, mount, messages = held
    paths = [entry.path for entry in os.scandir(mount.day(OLD))]
    messages.begin()
    turn, stores = threading.Barrier(2), []

    def read(mine):
        for path in mine:
            turn.wait(PATIENCE_S)
            with open(path, "rb") as f:
                f.read()

    readers = [threading.Thread(target=read, args=(paths[i:200:2],)) for i in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(PATIENCE_S)
    stores.append(messages.counts().get("STORE", 0))
    assert stores[0] <= 64, messages.counts()


def test_one_who_reads_one_file_pushes_nothing(held):
    _, mount, messages = held
    paths = [entry.path for entry in os.scandir(mount.day(OLD))]
    messages.begin()
    for _ in range(3):
        with open(paths[0], "rb") as f:
            f.read()
    os.stat(mount / "by-date" / day(50))
    assert "STORE" not in messages.counts() and messages.counts()["READ"] == 1


def test_what_was_pushed_is_never_older_than_what_is_listed(sim_of, mount_of, spawn):
    """Readers, whose kernel forgets again and again, while records are amended."""
    sim = sim_of({OLD: 0})
    uuids = sim.calls(300, f"{OLD} 10:00:00", 1)
    mount = mount_of(sim)
    names = mount.ls(OLD)
    stop = threading.Event()

    def read():
        while not stop.is_set():
            for name in names:
                (mount.day(OLD) / name).read_bytes()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for turn in range(10 if SLOW == 1 else 4):
            for uuid in uuids[-20:]:  # those that a refresh reads again
                sim.amend(uuid, total_rate=f'"{turn}.{"7" * (turn * 100)}"')
            for name in names:
                drop(mount.day(OLD) / name)
            (mount / ".cdrfs" / "refresh").write_text("/")
            mount.ls(OLD)
            for row in sim.oracle(OLD):
                path = mount.day(OLD) / f"{row['call_uuid']}.json"
                assert path.read_bytes() == render(row["raw"])
                assert path.stat().st_size == len(render(row["raw"]))
    finally:
        stop.set()
        for reader in readers:
            reader.join(PATIENCE_S)


READ_ALL = """
import os, sys
while True:
    for name in os.listdir(sys.argv[1]):
        with open(os.path.join(sys.argv[1], name), "rb") as f:
            f.read()
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("readers", [1, 3])
def test_a_mount_that_pushes_ends_at_once(sim_of, mount_of, spawn, number, readers):
    """Also when it is killed: a push that waited for a page could not be ended by anything."""
    sim = sim_of({OLD: 2000})
    mount = mount_of(sim)
    mount.ls(OLD)
    for _ in range(3):
        reading = [spawn("/usr/bin/python3", "-c", READ_ALL, mount.day(OLD))
                   for _ in range(readers)]
        for reader in reading:  # until it has read more than a first few
            while int(re.search(rb"rchar: (\d+)", io_of(reader))[1]) < 1_000_000:
                assert reader.poll() is None
        mount.send(number)
        assert mount.is_gone(GONE_S)
        for reader in reading:
            reader.kill()
            reader.communicate(timeout=PATIENCE_S)
        mount.detach()
        mount = mount_of(sim, cache=mount.cache)
        mount.ls(OLD)


def io_of(process):
    with open(f"/proc/{process.pid}/io", "rb") as f:
        return f.read()

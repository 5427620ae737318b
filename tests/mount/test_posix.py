# SPDX-License-Identifier: MIT
"""What a reader may count on: names, numbers, places in files, and what is open while things change."""

import collections
import mmap
import os
import subprocess
import threading

import pytest

import syscalls
from expect import Dir, error_of, render
from harness import GONE_S, PATIENCE_S, day, epoch
from lab import find

HELD, OTHER = day(6), day(8)
VIEWS = (".", "by-date", "by-direction", "by-direction/inbound", "by-stir/verified", "by-uuid", "csv",
         "csv/by-date", "ndjson/by-direction", ".cdrfs", f"by-date/{HELD}",
         f"by-direction/inbound/by-stir/verified/{HELD}")


@pytest.fixture(name="place")
def _place(sim_of, mount_of):
    """(sim, mount), which holds its two days and has asked nothing since."""
    sim = sim_of({HELD: 45, OTHER: 25})
    mount = mount_of(sim, ttl="1h")
    mount.ls(HELD)
    mount.ls(OTHER)
    sim.clear_log()
    return sim, mount


def bodies(sim, name):
    return {f"{row['call_uuid']}.json": render(row["raw"]) for row in sim.oracle(name)}


# --- names ---


def test_a_name_of_any_length_is_absent_or_too_long(place):
    """1 to 256 bytes, such as could be a call and such as could not: a held day knows."""
    sim, mount = place
    for where in (mount.day(HELD), mount / "by-date", mount.path, mount / "csv/by-date"):
        for n in range(1, 257):
            for name in ("x" * n, "x" * (n - 5) + ".json", "\udcff" * n, "%" * n):
                expected = "ENAMETOOLONG" if len(os.fsencode(name)) > 255 else "ENOENT"
                assert error_of(os.lstat, f"{where}/{name}") == expected, (where, n)
    assert sim.requests() == 0


def test_a_name_of_any_bytes_is_absent(place):
    sim, mount = place
    real = sim.names(HELD)[0].encode()
    where = os.fsencode(mount.day(HELD))
    for byte in range(1, 256):
        if byte != ord("/"):
            for name in (bytes([byte]) + real, real + bytes([byte]), real[:8] + bytes([byte]) + real[9:]):
                expected = None if name == real else "ENOENT"
                if name not in (b".", b".."):
                    assert error_of(os.lstat, where + b"/" + name) == expected, name
    assert sim.requests() == 0


def test_a_path_is_as_long_as_the_kernel_lets_it_be(place):
    """Every filter may be said again, and again: below PATH_MAX that is a place."""
    sim, mount = place
    step, base = "by-direction/inbound/", f"{mount.path}/"
    fits = base + step * ((4095 - len(base) - len(HELD)) // len(step)) + HELD
    assert len(fits) <= 4095 and sorted(os.listdir(fits)) == mount.ls(HELD, "inbound")
    assert error_of(os.listdir, base + step * 200 + HELD) == "ENAMETOOLONG"
    at = os.open(mount.path, os.O_PATH)
    for _ in range(200):  # and beyond it, step by step
        below = os.open(step, os.O_PATH, dir_fd=at)
        os.close(at)
        at = below
    below = os.open(HELD, os.O_RDONLY, dir_fd=at)
    assert sorted(os.listdir(below)) == mount.ls(HELD, "inbound")
    os.close(at)
    os.close(below)
    assert sim.requests() == 0


# --- numbers ---


def entries(path):
    """{name: inode} as readdir has it, dots too."""
    with Dir(path) as d:
        ret = {}
        while entry := d.libc.readdir64(d.handle):
            ret[entry.contents.name.decode()] = entry.contents.ino
    return ret


@pytest.mark.parametrize("view", VIEWS)
def test_the_dots_are_the_directory_and_the_one_above(place, view):
    sim, mount = place
    path = mount / view
    above = mount.path if view == "." else path.parent
    listed = entries(path)
    assert listed["."] == os.stat(path).st_ino == os.stat(path / ".").st_ino
    assert listed[".."] == os.stat(above).st_ino
    if view != ".":
        assert os.path.samefile(path / "..", above)
    assert sim.requests() == 0


def test_everything_is_on_one_device_and_has_a_number_of_its_own(place):
    sim, mount = place
    find(mount.path)
    sim.clear_log()
    device, numbers = os.stat(mount.path).st_dev, collections.defaultdict(set)
    for where, folders, names in os.walk(mount.path):
        for name in [*folders, *names]:
            path = os.path.join(where, name)
            st, known = os.lstat(path), syscalls.statx(path)
            assert st.st_dev == device
            assert (known["dev_major"], known["dev_minor"]) == (os.major(device), os.minor(device))
            assert (known["ino"], known["size"], known["nlink"]) == (st.st_ino, st.st_size, st.st_nlink)
            assert st.st_nlink == (2 if name in folders else 8 if name.endswith(".json") else 1)
            numbers[st.st_ino].add(name if name.endswith(".json") else path)
    assert all(len(names) == 1 for names in numbers.values())
    assert sim.requests() == 0


def test_a_directorys_times_are_one(place):
    sim, mount = place
    for view in VIEWS:
        st = os.stat(mount / view)
        assert st.st_mtime_ns == st.st_atime_ns
        dated = os.path.basename(view)[:2] == "20"
        assert st.st_ctime_ns == st.st_mtime_ns or dated
    date = os.stat(mount.day(HELD))
    assert date.st_ctime == epoch(f"{HELD} 00:00:00") and date.st_atime == date.st_mtime
    newest = max(row["end_time"] for row in sim.oracle(HELD))
    assert date.st_mtime == epoch(newest)
    assert os.stat(mount / "by-date").st_mtime == os.stat(mount.path).st_mtime


def test_statfs_says_what_kind_of_filesystem_it_is(place):
    _, mount = place
    said = subprocess.run(["stat", "-f", "-c", "%T %l %s %S %f %a %d", mount.day(HELD)], check=True,
                          capture_output=True, text=True, timeout=PATIENCE_S).stdout.split()
    assert said == ["fuseblk", "255", "512", "512", "0", "0", "0"]


# --- places in a file ---


def test_a_read_anywhere_is_what_is_there(place):
    sim, mount = place
    name, body = next(iter(bodies(sim, HELD).items()))
    csv = mount / f"csv/by-date/{HELD}.csv"
    for path, data in ((mount.day(HELD) / name, body), (csv, csv.read_bytes())):
        n, fd = len(data), os.open(path, os.O_RDONLY)
        for at in {0, 1, 511, 512, n - 1, n, n + 1, 4096, n // 2, 1 << 32, (1 << 63) - 1 - 10}:
            for size in (0, 1, 3, 4096, 1 << 17):
                if at + size < 1 << 63:
                    assert os.pread(fd, size, at) == data[at:at + size]
        assert os.lseek(fd, 0, os.SEEK_END) == n and os.read(fd, 10) == b""
        assert os.lseek(fd, n + 5, os.SEEK_SET) == n + 5 and os.read(fd, 10) == b""
        assert os.lseek(fd, -3, os.SEEK_END) == n - 3 and os.read(fd, 10) == data[-3:]
        assert [os.lseek(fd, at, os.SEEK_DATA) for at in (0, 7, n - 1)] == [0, 7, n - 1]
        assert [os.lseek(fd, at, os.SEEK_HOLE) for at in (0, 7, n - 1)] == [n] * 3
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as shared:
            assert shared[:] == data
        with mmap.mmap(fd, 0, flags=mmap.MAP_PRIVATE) as mine:  # may be written to, and is one's own
            mine[0:2] = b"##"
            assert mine[:] == b"##" + data[2:]
        os.close(fd)
        assert path.read_bytes() == data
    assert sim.requests() == 0


# --- many at once ---


def test_many_threads_that_walk_at_once_all_see_everything(sim_of, mount_of):
    sim = sim_of({day(ago): 20 + ago for ago in range(1, 9)})
    mount = mount_of(sim, ttl="1h")
    seen, expected = [], {}
    for ago in range(1, 9):
        expected |= {f"{day(ago)}/{name}": body for name, body in bodies(sim, day(ago)).items()}

    def walk():
        found = {}
        for ago in range(1, 9):
            for entry in os.scandir(mount.day(day(ago))):
                with open(entry.path, "rb") as f:
                    found[f"{day(ago)}/{entry.name}"] = f.read()
        seen.append(found)

    threads = [threading.Thread(target=walk) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(seen) == 12 and all(found == expected for found in seen)
    sim.wait(idle=1)
    assert sim.requests() <= len(expected) / 20 + 10 + 8


# --- what is open while things change ---


def test_what_is_open_goes_on_across_a_refresh(place):
    sim, mount = place
    name, body = next(iter(bodies(sim, HELD).items()))
    with open(mount.day(HELD) / name, "rb") as f, Dir(mount.day(HELD)) as d:
        mapped, first = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ), d.take(10)
        sim.calls(30, f"{HELD} 23:00:00", 1)
        (mount / ".cdrfs/refresh").write_text("/")
        assert len(mount.ls(HELD)) == 75
        assert f.read() == mapped[:] == body
        names = first + d.rest()
        mapped.close()
    assert len(names) == len(set(names)) and set(bodies(sim, HELD)) >= set(names) - {".", ".."}
    assert len(names) >= 47


def test_a_record_that_is_amended_is_the_new_one_for_who_has_it_open(place):
    """By read and by mmap; the inode stays, size and time change."""
    sim, mount = place
    row = sim.oracle(HELD)[-1]  # of the newest page, which a refresh reads
    path = mount.day(HELD) / f"{row['call_uuid']}.json"
    with open(path, "rb", buffering=0) as f:
        before, old = os.fstat(f.fileno()), f.read()
        mapped = mmap.mmap(f.fileno(), len(old), prot=mmap.PROT_READ)
        assert mapped[:] == old
        sim.amend(row["call_uuid"], total_rate='"9.' + "7" * 100 + '"')
        (mount / ".cdrfs/refresh").write_text("/")
        mount.ls(HELD)
        new = bodies(sim, HELD)[path.name]
        assert new != old and len(new) > len(old)
        assert os.pread(f.fileno(), 1 << 16, 0) == path.read_bytes() == new
        assert mapped[:] == new[:len(old)]
        after = os.fstat(f.fileno())
        mapped.close()
    assert (after.st_ino, after.st_size) == (before.st_ino, len(new)) and after.st_mtime > before.st_mtime


def test_what_is_open_outlives_a_lazy_unmount_and_is_the_last_to_keep_the_process(place):
    sim, mount = place
    name, body = next(iter(bodies(sim, HELD).items()))
    at = os.open(mount.day(HELD), os.O_RDONLY | os.O_DIRECTORY)
    with open(mount.day(HELD) / name, "rb", buffering=0) as f:
        subprocess.run(["umount", "-l", mount.path] if os.geteuid() == 0 else
                       ["fusermount3", "-uz", mount.path], check=True, timeout=PATIENCE_S)
        assert not mount.is_mounted() and not mount.is_gone(0)
        assert f.read() == body
        assert sorted(os.listdir(at)) == sim.names(HELD)
        fd = os.open(sim.names(HELD)[1], os.O_RDONLY, dir_fd=at)
        assert os.read(fd, 1 << 16) == bodies(sim, HELD)[sim.names(HELD)[1]]
        os.close(fd)
    os.close(at)
    assert mount.is_gone(GONE_S)


def test_a_handle_is_of_one_mount(place, mount_of):
    """It opens what it was made of; of the mount after that it is stale. Only root may open one."""
    sim, mount = place
    path = mount.day(HELD) / sim.names(HELD)[0]
    handle = syscalls.handle_of(path)
    if os.geteuid() != 0:
        assert error_of(syscalls.open_handle, mount.path, handle) == "EPERM"
        return
    with os.fdopen(syscalls.open_handle(mount.path, handle), "rb") as f:
        assert f.read() == bodies(sim, HELD)[path.name]
    mount.unmount()
    again = mount_of(sim, cache=mount.cache, ttl="1h")
    assert error_of(syscalls.open_handle, again.path, handle) == "ESTALE"
    assert (again.day(HELD) / path.name).read_bytes() == bodies(sim, HELD)[path.name]

# SPDX-License-Identifier: MIT
"""Every operation on every kind of node has the outcome that the table at the end of docs/SEMANTICS.md
gives it, and costs no request."""

import fcntl
import mmap
import os
import stat
import struct

import pytest

import syscalls
from expect import error_of
from harness import ROOT, day

HELD = day(6)
SECTION = "## Errno of every operation"
R, W, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
FIBMAP, FIONREAD, GETFLAGS, SETFLAGS, FICLONE = 1, 0x541B, 0x80086601, 0x40086602, 0x40049409
UTIME_OMIT = 0x3FFFFFFE


def opened(path, flags, use=os.fstat):
    """Opens path, and does something with the descriptor."""
    fd = os.open(path, flags, 0o600)
    try:
        use(fd)
    finally:
        os.close(fd)


def on(flags, use):
    """An operation on an open file: the open may be what fails."""
    return lambda place: opened(place.path, flags, use)


def mapped(flags, protection, use=lambda m: None):
    def of(fd):
        with mmap.mmap(fd, 1, flags=flags, prot=protection) as m:
            use(m)
    return of


def write_first(m):
    m[0:1] = b"#"


def into_pipe(fd):
    ends = os.pipe()
    try:
        os.splice(fd, ends[1], 10)
    finally:
        os.close(ends[0])
        os.close(ends[1])


def lease(fd):
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def with_other(flags, use):
    """An operation on an open file and one outside, which stays as it is."""
    def act(place):
        with open(place.outside, "r+b") as other:
            opened(place.path, flags, lambda fd: use(fd, other.fileno()))
    return act


class Place:
    """A node, free names that can be no call, beside and below it, and what is outside of the mount."""

    def __init__(self, path, outside):
        self.path, self.outside = str(path), str(outside)
        self.new, self.below = f"{path.parent}/new one", f"{path}/new one"
        self.away = f"{outside}.new"


# By the names of the table's rows.
OPERATIONS = {
    "open O_RDONLY, O_PATH, with O_NOFOLLOW, O_NOATIME, O_SYNC": lambda p: [
        opened(p.path, R | flags) for flags in (0, os.O_NOFOLLOW, os.O_PATH, os.O_NOATIME, os.O_SYNC)],
    "open O_DIRECTORY": lambda p: opened(p.path, R | os.O_DIRECTORY),
    "open O_DIRECT": lambda p: opened(p.path, R | os.O_DIRECT),
    "open O_WRONLY, O_RDWR, O_APPEND": lambda p: [
        opened(p.path, flags) for flags in (W, RW, W | os.O_APPEND, RW | os.O_CREAT)],
    "open O_TRUNC": lambda p: opened(p.path, R | os.O_TRUNC),
    "open O_CREAT with O_EXCL of what is there": lambda p: opened(p.path, R | os.O_CREAT | os.O_EXCL),
    "open O_CREAT of what is not": lambda p: opened(p.new, W | os.O_CREAT),
    "open O_TMPFILE": lambda p: opened(p.path, RW | os.O_TMPFILE),
    "read": on(R, lambda fd: os.read(fd, 1)),
    "read at or past the end": on(R, lambda fd: os.pread(fd, 1, 1 << 40)),
    "read at less than 0": on(R, lambda fd: os.pread(fd, 1, -1)),
    "write": on(W, lambda fd: os.write(fd, b"by-date\n")),
    "write of nothing": on(W, lambda fd: os.write(fd, b"")),
    "write to what was opened for reading": on(R, lambda fd: os.write(fd, b"x")),
    "truncate": lambda p: os.truncate(p.path, 0),
    "ftruncate": on(W, lambda fd: os.ftruncate(fd, 0)),
    "ftruncate of what was opened for reading": on(R, lambda fd: os.ftruncate(fd, 0)),
    "fallocate, in any mode": on(W, lambda fd: syscalls.fallocate(fd, 0, 0, 1)),
    "fsync, fdatasync, syncfs": on(R, lambda fd: [
        os.fsync(fd), os.fdatasync(fd), syscalls.call("syncfs", fd)]),
    "lseek to data or a hole": on(R, lambda fd: [
        os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 0, os.SEEK_HOLE)]),
    "lseek to data past the end": on(R, lambda fd: os.lseek(fd, 1 << 40, os.SEEK_DATA)),
    "sendfile, splice out of it": with_other(R, lambda fd, other: [
        os.sendfile(other, fd, 0, 0), into_pipe(fd)]),
    "copy_file_range, FICLONE out of it": with_other(R, lambda fd, other: [
        error_of(os.copy_file_range, fd, other, 1) or 1 / 0, fcntl.ioctl(other, FICLONE, fd)]),
    "copy_file_range into it": with_other(W, lambda fd, other: os.copy_file_range(other, fd, 1)),
    "mmap PROT_READ, private or shared; private PROT_WRITE": on(R, lambda fd: [
        mapped(mmap.MAP_SHARED, mmap.PROT_READ)(fd),
        mapped(mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE, write_first)(fd)]),
    "mmap shared PROT_WRITE of what was opened for reading": on(
        R, mapped(mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)),
    "readdir": lambda p: os.listdir(p.path),
    "readlink": lambda p: os.readlink(p.path),
    "a name below it": lambda p: os.stat(p.below),
    "stat, statx, statfs": lambda p: [os.stat(p.path), syscalls.statx(p.path), os.statvfs(p.path)],
    "access F_OK, R_OK": lambda p: [syscalls.faccessat(p.path, mode, flags) for mode, flags in (
        (os.F_OK, 0), (os.R_OK, 0), (os.R_OK, syscalls.AT_EACCESS),
        (os.R_OK, syscalls.AT_SYMLINK_NOFOLLOW))],
    "access W_OK": lambda p: syscalls.faccessat(p.path, os.W_OK, syscalls.AT_EACCESS),
    "access X_OK": lambda p: syscalls.faccessat(p.path, os.X_OK, 0),
    "unlink": lambda p: os.unlink(p.path),
    "unlink of what is not there": lambda p: os.unlink(p.new),
    "rmdir": lambda p: os.rmdir(p.path),
    "rename": lambda p: os.rename(p.path, p.new),
    "rename RENAME_NOREPLACE": lambda p: syscalls.rename2(p.path, p.new, syscalls.RENAME_NOREPLACE),
    "rename or link to another filesystem": lambda p: [
        error_of(os.rename, p.path, p.away) == "EXDEV" or 1 / 0, os.link(p.path, p.away)],
    "rename from another filesystem": lambda p: os.rename(p.outside, p.new),
    "link": lambda p: os.link(p.path, p.new),
    "symlink, mkdir, mknod of what is there": lambda p: [
        error_of(os.symlink, "x", p.path) == "EEXIST" or 1 / 0,
        error_of(os.mkdir, p.path) == "EEXIST" or 1 / 0, os.mkfifo(p.path)],
    "symlink": lambda p: os.symlink("x", p.new),
    "mkdir": lambda p: os.mkdir(p.new),
    "mknod": lambda p: os.mknod(p.new, stat.S_IFREG | 0o600),
    "any name made below it": lambda p: os.mkdir(p.below),
    "chmod": lambda p: os.chmod(p.path, 0o600),
    "chown": lambda p: os.chown(p.path, os.getuid(), os.getgid()),
    "utimensat to a time or now": lambda p: os.utime(p.path, (1, 1)),
    "utimensat of neither time": lambda p: syscalls.call(
        "utimensat", syscalls.AT_FDCWD, p.path, struct.pack("4q", 0, UTIME_OMIT, 0, UTIME_OMIT), 0),
    "setxattr": lambda p: os.setxattr(p.path, "user.x", b"y"),
    "getxattr, listxattr": lambda p: [
        error_of(os.getxattr, p.path, "user.x") == "ENOTSUP" or 1 / 0, os.listxattr(p.path)],
    "getxattr of an ACL": lambda p: os.getxattr(p.path, "system.posix_acl_access"),
    "flock, fcntl F_RDLCK": on(R, lambda fd: [
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB), fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)]),
    "fcntl F_WRLCK": on(W, lambda fd: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)),
    "fcntl F_SETLEASE": on(R, lease),
    "ioctl FIONREAD": on(R, lambda fd: fcntl.ioctl(fd, FIONREAD, bytes(4))),
    "ioctl FS_IOC_GETFLAGS and any other": on(R, lambda fd: [
        error_of(fcntl.ioctl, fd, GETFLAGS, bytes(8)) == "ENOTTY" or 1 / 0,
        fcntl.ioctl(fd, 0x1234, bytes(8))]),
    "ioctl FS_IOC_SETFLAGS": on(R, lambda fd: fcntl.ioctl(fd, SETFLAGS, bytes(8))),
    "name_to_handle_at": lambda p: syscalls.handle_of(p.path),
    "open_by_handle_at, as root": lambda p: os.close(
        syscalls.open_handle(os.path.dirname(p.path), syscalls.handle_of(p.path))),
    "inotify_add_watch": lambda p: os.close(syscalls.inotify(p.path)),
    "fanotify_mark, as root": lambda p: os.close(syscalls.fanotify(p.path)),
}


def words(cell):
    """The outcomes a cell allows: `A / B` is A of directories, B of files."""
    parts = [part.strip() for part in cell.split("/")]
    return {"dir": parts[0], "file": parts[-1]}


def table():
    """{operation: {column: outcome}}, read from the manual."""
    text = (ROOT / "docs/SEMANTICS.md").read_text(encoding="utf-8").split(SECTION)[1]
    text = text.partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]]
            for line in text.split("\n") if line.startswith("|")]
    ret = {}
    for name, directory, file, refresh, ro in rows[2:]:
        rw = {"dir": directory, "file": file, "refresh": refresh}
        ret[name] = {"rw": rw, "ro": {**words(ro), "refresh": words(ro)["file"]} if ro else rw}
    return ret


@pytest.fixture(name="nodes", scope="module", params=["rw", "ro"])
def _nodes(request, module_sim, module_mount):
    """(sim, mount, kind of mount, {kind of node: paths})."""
    sim = module_sim({HELD: 5})
    mount = module_mount(sim, ttl="1h", **({"ro": True} if request.param == "ro" else {}))
    call = mount.day(HELD) / mount.ls(HELD)[0]
    kinds = {"dir": [mount / path for path in ("by-date", "by-stir", "by-stir/verified", "by-uuid", "csv",
                                               ".cdrfs", f"by-date/{HELD}", f"by-from/1/{HELD}")],
             "file": [call, mount / "by-uuid" / call.name, mount / f"csv/by-date/{HELD}.csv",
                      mount / f"ndjson/by-date/{HELD}.ndjson", mount / ".cdrfs/status"],
             "refresh": [mount / ".cdrfs/refresh"]}
    return sim, mount, request.param, kinds


def test_the_table_has_every_operation():
    assert list(table()) == list(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_the_outcome_that_the_manual_says(nodes, tmp_path, name):
    sim, mount, kind, kinds = nodes
    sim.clear_log()
    before = {path: path.read_bytes() for path in kinds["file"][:4]}
    outside = tmp_path / "outside"
    outside.write_bytes(b"outside")
    root_only = name.endswith("as root") and os.geteuid() != 0
    for node, paths in kinds.items():
        expected = "EPERM" if root_only else table()[name][kind][node]
        for path in paths if expected else []:
            found = error_of(OPERATIONS[name], Place(path, outside)) or "ok"
            assert found == expected, (kind, path)
    assert os.listdir(tmp_path) == ["outside"] and mount.ls(HELD) == sim.names(HELD)
    assert before == {path: path.read_bytes() for path in before}
    if "write" not in name:
        assert sim.requests() == 0

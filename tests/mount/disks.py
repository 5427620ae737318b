# SPDX-License-Identifier: MIT
"""Disks of all kinds to put a store on: small ones that fill up, read-only ones, ones without shared
memory."""

import contextlib
import os
import pathlib
import subprocess

from harness import PATIENCE_S
from world import AS_ROOT


def as_root(*command):
    subprocess.run([*AS_ROOT, *map(str, command)], check=True, timeout=PATIENCE_S,
                   stdin=subprocess.DEVNULL)


class Disk:
    """A filesystem of its own below a folder; gone with its end, whatever is in use."""

    def __init__(self, where):
        self.path = pathlib.Path(where)
        self.path.mkdir(parents=True)
        self.ballast = self.path / "ballast"

    def __truediv__(self, name):
        return self.path / name

    def end(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            as_root("umount", "-l", self.path)

    def room(self):
        """Bytes that are free."""
        st = os.statvfs(self.path)
        return st.f_bavail * st.f_frsize

    def leave_room(self, size):
        """Fills it until no more than that is free."""
        with open(self.ballast, "ab") as f:
            while (more := self.room() - size) > 0:
                f.write(b"\0" * min(more, 1 << 20))
                f.flush()

    def make_room(self):
        self.ballast.unlink()


class Tmpfs(Disk):
    """options: size=, nr_inodes= and so on."""

    def __init__(self, where, **options):
        super().__init__(where)
        words = ",".join(f"{k}={v}" for k, v in
                         {"mode": "700", "uid": os.getuid(), "gid": os.getgid(), **options}.items())
        as_root("mount", "-t", "tmpfs", "-o", words, "none", self.path)


class ReadOnly(Disk):
    """Another folder, which cannot be written here."""

    def __init__(self, where, of):
        super().__init__(where)
        as_root("mount", "--bind", of, self.path)
        as_root("mount", "-o", "remount,bind,ro", self.path)


class Direct(Disk):
    """Another folder through FUSE with direct I/O: nothing of it can be mapped as shared memory."""

    def __init__(self, where, of):
        super().__init__(where)
        pathlib.Path(of).mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["bindfs", "--no-allow-other", "-o", "direct_io", of, self.path], check=True,
                       timeout=PATIENCE_S, stdin=subprocess.DEVNULL, capture_output=True)

    def end(self):
        subprocess.run(["fusermount3", "-u", "-z", self.path], check=False, timeout=PATIENCE_S)

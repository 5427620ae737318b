# SPDX-License-Identifier: MIT
"""How many messages the kernel sends a FUSE mount, by opcode.

From the kernel's tracepoints where it has them, which slows nothing down; else from what `-d`
prints. Either way apart from any run that is timed."""

import collections
import contextlib
import os
import pathlib
import re
import time

from timing import Failed, run

BUFFER_KB = 65536  # a processor; a line is some 40 bytes in the kernel
SENT = re.compile(rb"fuse_request_send: .* \(FUSE_(\w+)\)")
WRITEV = re.compile(rb"\(\s*(\d+)\) .*sys_writev\(")


class Tracepoints:
    """Counts by the kernel's own tracepoints. STORE, which the process sends by itself, is what it
    wrote beyond its answers."""

    def __init__(self, work):
        folder = work / "tracing"
        folder.mkdir()
        run(["mount", "-t", "tracefs", "tracefs", folder])
        self.instance = folder / "instances" / f"cdrfs-bench-{os.getpid()}"
        if not (folder / "events/fuse/fuse_request_send").exists():
            raise Failed("this kernel has no tracepoints of fuse")

    def mount_options(self):
        return {}

    def put(self, name, value):
        (self.instance / name).write_text(f"{value}\n", encoding="ascii")

    @contextlib.contextmanager
    def counting(self, mount):
        """Yields a Counter that is filled at the end."""
        counts = collections.Counter()
        device = os.stat(mount.path).st_dev
        self.instance.mkdir()
        try:
            self.put("buffer_size_kb", BUFFER_KB)
            self.put("options/record-tgid", 1)
            self.put("events/fuse/filter", f"connection == {device}")
            self.put("events/syscalls/sys_enter_writev/filter", f"fd == {fuse_fd(mount.pid)}")
            for event in ("fuse", "syscalls/sys_enter_writev"):
                self.put(f"events/{event}/enable", 1)
            yield counts
            self.put("tracing_on", 0)
            counts.update(self.read(mount.pid))
        finally:
            self.put("events/enable", 0)
            self.instance.rmdir()

    def read(self, pid):
        counts = collections.Counter()
        written = answered = 0
        for stats in self.instance.glob("per_cpu/cpu*/stats"):
            if "\noverrun: 0\n" not in stats.read_text():
                raise Failed("more messages than the trace buffer holds")
        with open(self.instance / "trace", "rb") as lines:
            for line in lines:
                if sent := SENT.search(line):
                    counts[sent[1].decode()] += 1
                elif b"fuse_request_end: " in line:
                    answered += 1
                elif (wrote := WRITEV.search(line)) and int(wrote[1]) == pid:
                    written += 1
        counts["STORE"] = max(0, written - answered)
        return counts


def fuse_fd(pid):
    """The number of that process's descriptor of /dev/fuse."""
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        if os.readlink(link) == "/dev/fuse":
            return int(link.name)
    raise Failed("a mount without /dev/fuse")


class DebugOutput:
    """Counts in what the mount prints; it must have been mounted with debug."""

    def mount_options(self):
        return {"debug": True}

    @contextlib.contextmanager
    def counting(self, mount):
        counts = collections.Counter()
        begin = len(mount.output())
        yield counts
        end = time.monotonic() + 10
        os.statvfs(mount.path)  # what comes before it has been printed
        while b"opcode: STATFS" not in (text := mount.output()[begin:]) and time.monotonic() < end:
            time.sleep(0.01)
        counts.update(m.decode() for m in re.findall(rb"opcode: (\w+)", text))
        counts["STORE"] = text.count(b"NOTIFY: code=4")
        counts["STATFS"] -= 1
        for name in ("FORGET", "BATCH_FORGET"):  # the tracepoints leave them out too
            counts.pop(name, None)


def counter(work):
    """The better of the two that works here."""
    try:
        return Tracepoints(work)
    except (Failed, OSError):
        return DebugOutput()

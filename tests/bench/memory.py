# SPDX-License-Identifier: MIT
"""A million calls: memory, disk, opening, and being forgotten."""

import contextlib
import os
import time

import report
from harness import day
from place import drop_caches, empty, mounted, simulator
from timing import Failed, Samples, cpu_s, output, run

DAYS = 80
NOWHERE = "a text that no record has"
PART = 5  # days that are read first


def status(pid):
    """MiB: resident now, at most, and of that what is the process's own."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
        kib = {name: int(rest.split()[0]) for name, rest in (line.split(":", 1) for line in lines)
               if name in ("VmRSS", "VmHWM", "RssAnon")}
    return [kib[name] / 1024 for name in ("VmRSS", "VmHWM", "RssAnon")]


def wait_until_quiet(pid):
    """Until the process has used no processor time for half a second."""
    used, since = cpu_s(pid), time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.05)
        if (now := cpu_s(pid)) != used:
            used, since = now, time.monotonic()


def disk(folder):
    """Bytes of the files of a store."""
    return sum(f.stat().st_size for f in folder.iterdir())


class Million:
    """A store of so many calls, and what is measured of it."""

    def __init__(self, bench, stack):
        self.bench = bench
        self.work = bench.work / "million"
        self.work.mkdir()
        per_day = bench.size(1000000) // DAYS
        self.calls = per_day * DAYS
        self.days = [day(3 + i) for i in range(DAYS)]
        self.sim = stack.enter_context(simulator({name: per_day for name in self.days}))
        self.mnt, self.store, self.bare = (self.work / n for n in ("mnt", "store", "bare"))
        self.resident = report.Table("", "resident, MiB", "at most", "its own", "goal", "")
        self.samples = Samples(bench.budget_s)

    def mount(self, cache):
        return mounted(self.sim, self.mnt, cache, ttl="1d")

    def note(self, title, mount, goal=96):
        now, most, own = status(mount.pid)
        self.resident.add(title, f"{now:.0f}", f"**{most:.0f}**", f"{own:.0f}",
                          *report.at_most(round(most), goal))
        self.bench.progress(title)

    def find(self, mount):
        found = output("find", mount / "by-date", "-type", "f").count("\n")
        if found != self.calls:
            raise Failed(f"{found} of {self.calls} calls")

    def fill(self):
        """Reads all from the simulator. Returns calls a second, and bytes of store a call."""
        with self.mount(self.store) as mount:
            begin = time.perf_counter()
            self.find(mount)
            seconds = time.perf_counter() - begin
            self.note("all fetched", mount)
            before = disk(self.store)
        return self.calls / seconds, before / self.calls, disk(self.store) / self.calls

    def open(self):
        """Mounts and asks for the space, with all and with nothing held."""
        for number in range(2 * self.bench.repeat):
            empty(self.bare)
            for who, cache in (("all", self.store), ("nothing", self.bare)):
                begin = time.perf_counter()
                with self.mount(cache) as mount:
                    os.statvfs(mount.path)
                    self.samples.add(number, "open", who, time.perf_counter() - begin)

    def use(self):
        """Walks and reads a fresh mount, then makes the kernel forget it. Returns processor time of
        cdrfs, microseconds a file: of the walk, and of forgetting."""
        with self.mount(self.store) as mount:
            self.note("mounted", mount)
            begin = cpu_s(mount.pid)
            self.find(mount)
            walk = cpu_s(mount.pid) - begin
            self.note("walked (find)", mount)
            for name in self.days[:PART]:
                run(["grep", "-r", NOWHERE, mount.day(name)], ok=1)
            self.note(f"{PART} days read (grep -r)", mount)
            if not self.bench.quick:
                run(["grep", "-r", NOWHERE, mount / "by-date"], ok=1)
                self.note("all read (grep -r)", mount)
            begin = cpu_s(mount.pid)
            drop_caches()
            wait_until_quiet(mount.pid)
            forget = cpu_s(mount.pid) - begin
            self.note("forgotten by the kernel", mount)
        return [s / self.calls * 1e6 for s in (walk, forget)]

    def chapter(self):
        rate, mounted_bytes, closed_bytes = self.fill()
        self.open()
        walk, forget = self.use()
        all_ms, nothing_ms = (self.samples.median("open", who) * 1000 for who in ("all", "nothing"))
        extra = all_ms - nothing_ms
        costs = report.Table("", "", "goal", "")
        costs.add("bytes of store a call, unmounted", f"**{closed_bytes:.0f}**",
                  *report.at_most(round(closed_bytes), 600))
        costs.add("and while mounted, with the log", f"{mounted_bytes:.0f}", "", "")
        costs.add("opening it: mount to the first statfs, beyond that of an empty store",
                  f"**{extra:.0f} ms** ({nothing_ms:.0f} ms)", *report.at_most(round(extra), 10))
        costs.add("forgetting, processor time a file to that of the walk",
                  f"**{forget / walk:.2f}** ({forget:.2f} us, {walk:.2f} us)", "", "")
        costs.add("filling it from the API, calls/s without latency", f"{rate:,.0f}", "", "")
        return [f"{self.calls:,} calls in {DAYS} days. `find` and `grep -r` over a fresh mount.",
                str(self.resident), str(costs)]


def section(bench):
    """The chapter of size."""
    with contextlib.ExitStack() as stack:
        return report.Section("Memory and disk", Million(bench, stack).chapter())

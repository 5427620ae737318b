#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The soak: a mount of a living simulator among readers, faults, days that pass and remounts, for as
long as is wished (tests/mount/turmoil.py says what must hold). Exit status 1 when something did
not."""

import argparse
import pathlib
import signal
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mount"))

from harness import CDRFS, SLOW, day  # pylint: disable=wrong-import-position
from turmoil import Rules, Turmoil  # pylint: disable=wrong-import-position

# What the second half of the last life may add, by the two kinds of memory that may rightly grow: the
# calls that came (a span, a name among the open handles of a listing that is being sent, pages of
# SQLite's indices), and what malloc keeps of the largest listing so far.
ANON_KB, ANON_KB_PER_CALL = 2048, 1.0
FDS = 4  # connections to the API that come and go


def counts():
    """Calls a day: many, few and none."""
    return {day(1): 400, day(2): 250, day(3): 0, day(4): 100,
            **{day(ago): ago * 7 % 60 for ago in range(5, 91)}}


class Report:
    """Figures each half minute, and a table at the end."""

    def __init__(self, turmoil, out, every=30):
        self.turmoil, self.out, self.every = turmoil, out, every
        self.requests, self.by_status = 0, {}

    def take_requests(self):
        """Adds what the simulator has counted, and lets it forget."""
        stats = self.turmoil.sim.stats()
        self.turmoil.sim.clear_log()
        self.requests += stats["requests"]
        for status, n in stats["by_status"].items():
            self.by_status[status] = self.by_status.get(status, 0) + n

    def write(self, text):
        print(text, file=self.out, flush=True)

    def tick(self):
        turmoil = self.turmoil
        while not turmoil.stopping.wait(self.every):
            self.take_requests()
            f, last = turmoil.figures, turmoil.generations[-1]
            s = last.samples[-1] if last.samples else None
            held = f"RssAnon {s.anon} kB, VmSize {s.size >> 10} MB, {s.threads} threads, {s.fds} fds" if s else ""
            self.write(
                f"{time.monotonic() - turmoil.begun:6.0f} s: mount {last.number}, {len(turmoil.truth.calls)} calls, "
                f"{f['listing'] + f['slow listing']} listings of {f['names listed']} names, {f['read'] + f['by-uuid']} "
                f"reads, {f['csv'] + f['ndjson']} rendered, {self.requests} requests, {held}")

    def table(self):
        f, turmoil = self.turmoil.figures, self.turmoil
        self.write("\nwhat                          times    longest system call or wait")
        for what in sorted(f):
            longest = turmoil.longest.get(what)
            self.write(f"{what:28} {f[what]:7}" + (f"    {longest:.2f} s" if longest is not None else ""))
        self.write(f"{'requests':28} {self.requests:7}    {self.by_status}")
        self.write("\nlife  seconds  end      calls   RssAnon kB first, half, last   VmSize MB   threads   fds")
        for g in turmoil.generations:
            if g.samples:
                a, b, c = g.samples[0], g.samples[len(g.samples) // 2], g.samples[-1]
                self.write(f"{g.number:4} {c.at - g.begun:8.0f}  {g.how or '-':8} {g.known:5}   "
                           f"{a.anon:6} {b.anon:6} {c.anon:6}            "
                           f"{a.size >> 10}, {b.size >> 10}, {c.size >> 10}   {a.threads}, {b.threads}, {c.threads}"
                           f"   {a.fds}, {b.fds}, {c.fds}")


def growth(generation, known):
    """What is wrong with the second half of a life's samples: None or a text."""
    half = generation.samples[len(generation.samples) // 2:]
    quarter = max(1, len(half) // 4)
    begin, end = half[:quarter], half[-quarter:]
    anon = [statistics.median(s.anon for s in part) for part in (begin, end)]
    fds = [max(s.fds for s in part) for part in (half[:-quarter], end)]
    allowed = ANON_KB + ANON_KB_PER_CALL * (known - generation.known) / 2
    if SLOW == 1 and anon[1] - anon[0] > allowed:
        return f"RssAnon went from {anon[0]} to {anon[1]} kB, more than {allowed:.0f}"
    if fds[1] > fds[0] + FDS:
        return f"descriptors went from {fds[0]} to {fds[1]}"
    return None


def soak(minutes, seed, folder, out=sys.stdout, readers=6):
    """Runs it. AssertionError when something did not hold."""
    seconds = minutes * 60
    turmoil = Turmoil(folder, seed, Rules(deadline=6, calm=15), counts())
    report = Report(turmoil, out)
    report.write(f"soak: {CDRFS}, seed {seed}, {minutes} minutes")
    try:
        turmoil.run(seconds, steady=seconds / 2, readers=readers, weather=(10, 25), lives=(5, 30),
                    days=max(1, int(minutes / 5)), tick=report.tick)
    finally:
        report.table()
    wrong = growth(turmoil.generations[-1], len(turmoil.truth.calls))
    assert not wrong, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else a background job hands on that it
    # is ignored
    with tempfile.TemporaryDirectory(prefix="cdrfs-soak.") as folder:
        try:
            soak(args.minutes, args.seed, folder)
        except AssertionError as e:
            print(f"soak: FAILED{e}", flush=True)
            return 1
    print("soak: all held")
    return 0


if __name__ == "__main__":
    sys.exit(main())

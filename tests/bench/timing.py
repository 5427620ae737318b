# SPDX-License-Identifier: MIT
"""Seconds of cells, one a round: who did what. Only ratios within one round are worth comparing,
since the machine is another one in the next round."""

import collections
import os
import resource
import statistics
import subprocess
import time


ALWAYS = ("cdrfs", "tmpfs", "floor")  # whose ratios are judged


class Samples:
    """What each of the rows took whom, round by round. A peer that has used up budget_s in a row
    sits out its later rounds, so that a slow one does not take hours."""

    def __init__(self, budget_s):
        self.budget_s = budget_s
        self.taken = collections.defaultdict(dict)

    def add(self, number, row, who, seconds):
        self.taken[row, who][number] = seconds

    def wants(self, row, who):
        return who in ALWAYS or sum(self.taken[row, who].values()) < self.budget_s

    def runs(self, row, who):
        return len(self.taken[row, who])

    def median(self, row, who):
        """Seconds; None when it was never run."""
        values = self.taken[row, who].values()
        return statistics.median(values) if values else None

    def ratios(self, row, who, base, base_row=None):
        """who's seconds to base's, of each round in which both ran."""
        mine, theirs = self.taken[row, who], self.taken[base_row or row, base]
        return [mine[r] / theirs[r] for r in mine if r in theirs]

    def ratio(self, *args, **more):
        """The median of those; None when there are none."""
        values = self.ratios(*args, **more)
        return statistics.median(values) if values else None


class Failed(Exception):
    """A command that is measured did not do its work, so its time means nothing."""


def run(argv, ok=0, **options):
    """Runs a command whose output nobody reads, and which must end with that status."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **options}
    done = subprocess.run(list(map(str, argv)), stderr=subprocess.PIPE, check=False, **options)
    if done.returncode != ok or done.stderr:
        words = " ".join(map(str, argv))
        raise Failed(f"{words}: {done.returncode}: {done.stderr[-500:].decode()}")
    return done.stdout


def timed(argv, ok=0, **options):
    """Seconds that run() takes."""
    begin = time.perf_counter()
    run(argv, ok, **options)
    return time.perf_counter() - begin


def cpu_s(pid):
    """Seconds of processor time a process has used, in steps of 10 ms."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_children():
    """Seconds of processor time of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def output(*argv, **options):
    """What a command prints."""
    return run(argv, stdout=subprocess.PIPE, **options).decode()

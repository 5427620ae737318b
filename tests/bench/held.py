# SPDX-License-Identifier: MIT
"""What is held, through a fresh mount, beside other filesystems of the same tree."""

import contextlib
import dataclasses
import subprocess
import typing

import report
from harness import day
from peers import Bindfs, Cdrfs, Floor, Rclone, Squashfuse, Sshd, Sshfs, Tmpfs
from place import drop_caches, empty, mounted, simulator
from timing import Failed, Samples, cpu_of_children, cpu_s, output, run, timed

NOWHERE = "a text that no record has"
COLD, WARM = "cold", "warm"


@dataclasses.dataclass(frozen=True)
class Op:
    """A command on a tree; `to` is where it copies to, if it does. Goals are ratios to tmpfs."""

    key: str
    title: str
    argv: typing.Callable
    cold: float
    warm: float = None
    ok: int = 0
    copies: str = ""  # "first": into an empty folder; "again": to where everything is already


TAR = 'set -o pipefail; tar cf - -C "$0" . | cat >/dev/null'
OPS = [
    Op("ls", "ls -lR", lambda path, to: ["ls", "-lR", path], 2, 1.2),
    Op("find", "find -size +10k", lambda path, to: ["find", path, "-size", "+10k"], 2, 1.2),
    Op("grep", "grep -r", lambda path, to: ["grep", "-r", NOWHERE, path], 2.5, 1.4, ok=1),
    Op("tar", "tar \\| cat", lambda path, to: ["bash", "-c", TAR, path], 2.5, 1.4),
    Op("rg", "rg", lambda path, to: ["rg", NOWHERE, path], 5, ok=1),
    Op("rsync", "rsync -a, first", lambda path, to: ["rsync", "-a", f"{path}/", to], 1.3, 1.3,
       copies="first"),
    Op("rsync-again", "rsync -a, nothing new", lambda path, to: ["rsync", "-a", f"{path}/", to],
       3, 1.3, copies="again"),
]
TREES = {"days": "in days of 1,000", "day": "in one day"}
SLOW_TREE = "days"  # with --quick, sshfs and rclone show this one only
OTHERS = ["squashfuse_ll", "bindfs", "sshfs", "rclone"]


def op_of(key):
    return next(op for op in OPS if op.key == key)


class Tree:
    """Calls in so many days: held in a store, and a copy of what cdrfs shows of them."""

    def __init__(self, work, sim, calls, days):
        self.work, self.sim, self.calls = work, sim, calls
        self.copy, self.cache = work / "copy", work / "cache"
        self.full, self.fresh = work / "full", work / "fresh"
        self.days = days

    def fill(self):
        with mounted(self.sim, self.work / "mnt", self.cache, ttl="1d") as mount:
            run(["find", mount / "by-date", "-type", "f"])
            run(["cp", "-a", mount / "by-date", self.copy])
        self.check(self.copy)
        run(["cp", "-a", self.copy, self.full])
        self.sim.clear_log()

    def check(self, path):
        """All calls are there, and rsync finds nothing new to copy."""
        found = output("find", path, "-type", "f").count("\n")
        if found != self.calls:
            raise Failed(f"{path}: {found} files of {self.calls}")
        new = output("rsync", "-ain", f"{path}/", self.full) if self.full.exists() else ""
        if any(line[1] == "f" for line in new.splitlines()):
            raise Failed(f"{path}: rsync finds something new: {new[:200]}")

    def command(self, op, path):
        """The command, with what it needs prepared."""
        if op.copies == "first":
            empty(self.fresh)
        return op.argv(path, self.full if op.copies == "again" else self.fresh)

    def prime(self, op):
        """Loads the programs of op, which drop_caches() has thrown out."""
        to = self.work / "tiny-copy"
        empty(to)
        run(op.argv(self.work.parent / "tiny", to), op.ok)


@contextlib.contextmanager
def tree_of(bench, key, calls):
    """A filled tree."""
    days = calls // 1000 if key == "days" else 1
    work = bench.work / key
    work.mkdir()
    counts = {day(3 + i): calls // days for i in range(days)}
    with simulator(counts) as sim:
        tree = Tree(work, sim, calls, counts)
        tree.fill()
        try:
            yield tree
        finally:
            subprocess.run(["rm", "-rf", "--one-file-system", work], check=False)


@contextlib.contextmanager
def peers_of(bench, tree):
    """All that show the tree; stopped at the end."""
    with contextlib.ExitStack() as stack:
        peers = [Tmpfs(tree.copy), Floor(tree.work, tree.copy),
                 Cdrfs(tree.sim, tree.work / "mnt", tree.cache)]
        if not bench.alone:
            peers += [Squashfuse(tree.work, tree.copy), Bindfs(tree.work, tree.copy)]
        if not bench.alone and (not bench.quick or tree.work.name == SLOW_TREE):
            sshd = Sshd(tree.work)
            stack.callback(sshd.stop)
            sshd.start()
            peers += [Sshfs(tree.work, tree.copy, sshd), Rclone(tree.work, tree.copy)]
        for peer in peers:
            stack.callback(peer.stop)
        yield peers


class Cells:
    """What is known of each row and peer: seconds that passed, and those of processor time, of the
    command and of what serves it. The latter feel less of what else the machine does."""

    def __init__(self, budget_s):
        self.wall, self.cpu = Samples(budget_s), Samples(budget_s)

    def run(self, tree, op, peer, number):
        """One peer, freshly mounted: op for the first time, then again."""
        def used():
            return cpu_of_children() + (cpu_s(peer.pid) if peer.pid else 0)

        peer.stop()
        peer.start()
        for when in (COLD, WARM):
            argv, before = tree.command(op, peer.path), used()
            self.wall.add(number, (op.key, when), peer.name, timed(argv, op.ok))
            self.cpu.add(number, (op.key, when), peer.name, used() - before)


def resident(pid):
    """MiB of memory the process had at most."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def measure(bench, tree, cells):
    """Rounds of all commands by all peers. Returns what each had resident at most, in MiB."""
    most = {}
    with peers_of(bench, tree) as peers:
        for peer in peers:
            peer.start()
            tree.check(peer.path)
            peer.stop()
        for number in range(bench.repeat):
            for op in OPS:
                drop_caches()
                tree.prime(op)
                for peer in peers:
                    if cells.wall.wants((op.key, COLD), peer.name):
                        cells.run(tree, op, peer, number)
                        if peer.pid:
                            most[peer.name] = max(most.get(peer.name, 0), resident(peer.pid))
                        bench.progress(f"{tree.work.name} {op.key} {peer.name}, round {number + 1}")
                    peer.stop()
    if tree.sim.requests():
        raise Failed("what is held was asked for again")
    return most


def count(bench, tree):
    """{(op, when): Counter} of the messages to cdrfs, in runs that are not timed."""
    counts = {}
    peer = Cdrfs(tree.sim, tree.work / "mnt", tree.cache)
    try:
        for op in OPS:
            peer.stop()
            peer.start(**bench.counter.mount_options())
            for when in (COLD, WARM):
                argv = tree.command(op, peer.path)
                with bench.counter.counting(peer.mount) as counts[op.key, when]:
                    run(argv, op.ok)
            bench.progress(f"{tree.work.name} {op.key}: messages")
    finally:
        peer.stop()
    return counts


# --- tables ---

def cell(samples, row, who, calls):
    """Microseconds a file, and the ratio to tmpfs."""
    seconds, ratio = samples.median(row, who), samples.ratio(row, who, "tmpfs")
    return f"{seconds / calls * 1e6:.1f} ({ratio:.2f})"


def time_table(cells, calls):
    samples = cells.wall
    names = [name for name in OTHERS if samples.runs((OPS[0].key, COLD), name)]
    table = report.Table("", "", "tmpfs", "floor", "cdrfs", "ratio", "of", "goal", "", "cpu",
                         "cdrfs to floor", *names)
    for op in OPS:
        for when in (COLD, WARM):
            row = (op.key, when)
            ratios = samples.ratios(row, "cdrfs", "tmpfs")
            table.add(op.title, when, f"{samples.median(row, 'tmpfs') / calls * 1e6:.1f}",
                      cell(samples, row, "floor", calls),
                      f"{samples.median(row, 'cdrfs') / calls * 1e6:.1f}",
                      f"**{report.median(ratios):.2f}**", report.spread(ratios),
                      *report.at_most(report.median(ratios), getattr(op, when),
                                      floor=samples.ratio(row, "floor", "tmpfs")),
                      f"{cells.cpu.ratio(row, 'cdrfs', 'tmpfs'):.2f}",
                      f"{samples.ratio(row, 'cdrfs', 'floor'):.2f}",
                      *(cell(samples, row, name, calls) for name in names))
    return table


def squashfuse_table(samples):
    ratios = samples.ratios(("grep", COLD), "squashfuse_ll", "cdrfs")
    table = report.Table("", "ratio", "of", "goal", "")
    table.add("grep -r cold: squashfuse_ll's time to cdrfs'", f"**{report.median(ratios):.1f}**",
              report.spread(ratios), *report.at_least(report.median(ratios), 8))
    return table


def message_goal(op, when, counts, calls):
    """The goal of issue 6 for the messages of a row."""
    total = sum(counts.values()) - counts["STORE"]
    if when == WARM:
        return report.at_most(round(total / calls, 3), 0.01, "all ≤ 0.01")
    if op.key in ("ls", "find", "rsync-again"):
        return report.at_most(round(total / calls, 3), 0.01, "all ≤ 0.01")
    return report.at_most(round(counts["READ"] / calls, 3), 0.01, "READ ≤ 0.01")


def message_table(counts, calls):
    names = sorted({name for c in counts.values() for name in c if c[name] >= calls / 200},
                   key=lambda name: -sum(c[name] for c in counts.values()))
    names = [name for name in names if name != "STORE"]
    table = report.Table("", "", "all", *names, "other", "pushes", "goal", "")
    for op in OPS:
        for when in (COLD, WARM):
            c = counts[op.key, when]
            total = sum(c.values()) - c["STORE"]
            rest = total - sum(c[name] for name in names)
            table.add(op.title, when, f"**{total / calls:.3f}**",
                      *(f"{c[name] / calls:.3f}" for name in names), f"{rest / calls:.3f}",
                      f"{c['STORE'] / calls:.3f}", *message_goal(op, when, c, calls))
    return table


def resident_line(most):
    return ("Resident at most, MiB: "
            + ", ".join(f"{name} {mib:.0f}" for name, mib in most.items()) + ".")


def section(bench):
    """The chapter of what is held."""
    calls = bench.size(50000)
    text = [f"Microseconds a file, in brackets the ratio to tmpfs; median of {bench.repeat} rounds."
            " In a round every command runs by every peer, each on a fresh mount (cold), then again"
            " (warm). A ratio is taken within its round, `of` is the least and the most of them."
            " `cpu` is the same ratio of processor time, of the command and of cdrfs together."
            " `floor` is the same tree from memory, by what the kernel and libfuse cost alone, so"
            " that `cdrfs to floor` is what cdrfs adds (tests/bench/floor.c)."
            " Peers sit out later rounds of what takes them long."]
    for key, title in TREES.items():
        with tree_of(bench, key, calls) as tree:
            cells = Cells(bench.budget_s)
            most = measure(bench, tree, cells)
            counts = count(bench, tree)
        text += [f"### {calls:,} calls {title}", str(time_table(cells, calls))]
        if not bench.alone:
            text.append(str(squashfuse_table(cells.wall)))
        text += [resident_line(most),
                 "Messages from the kernel to cdrfs, a file (pushes: contents sent to the kernel"
                 " unasked):", str(message_table(counts, calls))]
    return report.Section("Held", text)

# SPDX-License-Identifier: MIT
"""Where the time of one row goes: cdrfs under perf while it serves the row, then the program that
asks."""

import subprocess
import time

import held
from harness import day
from peers import Cdrfs
from place import drop_caches, empty, mounted, simulator
from timing import Failed, cpu_s, output, run

COLD_ROWS = {"window": ["ls", "-U"], "throughput": ["ls", "-U"], "walk": ["find"]}
DAY = day(10)
HERTZ = 997


def rows():
    """Their names."""
    return [*COLD_ROWS, *(f"{tree}-{op.key}-{when}" for tree in held.TREES for op in held.OPS
                          for when in (held.COLD, held.WARM))]


def record(file, argv, ok, pid=None):
    """perf record of the command, or of a process while the command runs."""
    perf = ["perf", "record", "-q", "-F", HERTZ, "-o", file, *(["-p", pid] if pid else []), "--"]
    done = subprocess.run(list(map(str, [*perf, *argv])), stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != ok or not file.exists():
        raise Failed(f"perf does not work here: {done.stderr.decode()[-500:]}")


def table(file, *options):
    text = output("bash", "-c", 'perf report --stdio "$@" 2>/dev/null', "bash", "-i", file,
                  *options)
    lines = [line.rstrip(" -") for line in text.splitlines() if line.strip()]
    return "\n".join(line for line in lines if not line.startswith("#")) or "  nothing to see"


def show(work, title, argv, ok=0, pid=None):
    """Profiles and prints one of the two sides."""
    file = work / "perf.data"
    file.unlink(missing_ok=True)
    begin, used = time.perf_counter(), cpu_s(pid) if pid else 0
    record(file, argv, ok, pid)
    print(f"\n== {title}: {time.perf_counter() - begin:.2f} s"
          + (f", of which it ran {cpu_s(pid) - used:.2f} s" if pid else ""))
    print(table(file, "--sort", "dso", "--percent-limit", "1"))
    print(table(file, "--sort", "symbol,dso", "--percent-limit", "1"))


def cold_row(bench, row):
    sizes = {"window": {DAY: bench.size(6000)}, "throughput": {DAY: bench.size(50000)},
             "walk": {day(i): 7 for i in range(1, 90)}}
    latency = 0 if row == "throughput" else 80
    with simulator(sizes[row], "--latency", latency) as sim:
        for title, daemon in (("cdrfs", True), (COLD_ROWS[row][0], False)):
            store = bench.work / "store"
            empty(store)
            with mounted(sim, bench.work / "mnt", store) as mount:
                path = mount / "by-date" if row == "walk" else mount.day(DAY)
                show(bench.work, title, [*COLD_ROWS[row], path], pid=mount.pid if daemon else None)


def held_row(bench, key, op, when):
    with held.tree_of(bench, key, bench.size(50000)) as tree:
        for title, daemon in (("cdrfs", True), (op.key, False)):
            peer = Cdrfs(tree.sim, tree.work / "mnt", tree.cache)
            drop_caches()
            tree.prime(op)
            try:
                peer.start()
                if when == held.WARM:
                    run(tree.command(op, peer.path), op.ok)
                show(bench.work, title, tree.command(op, peer.path), op.ok,
                     peer.pid if daemon else None)
            finally:
                peer.stop()


def profile(bench, row):
    if row in COLD_ROWS:
        cold_row(bench, row)
    elif row in rows():
        key, rest = row.split("-", 1)
        held_row(bench, key, held.op_of(rest.rpartition("-")[0]), rest.rpartition("-")[2])
    else:
        raise Failed(f"no row {row}; there are {', '.join(rows())}")

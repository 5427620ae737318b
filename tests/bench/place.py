# SPDX-License-Identifier: MIT
"""Where a benchmark works: a tmpfs of its own, and nothing stays."""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile

import harness
from timing import run

# The harness ends what looks hung in a test; here everything may take long.
harness.HANG_S = 24 * 3600
harness.GONE_S = 120
harness.PATIENCE_S = 600
harness.HTTP_S = 620


def mounts_below(folder):
    """The mountpoints below it, the deepest first."""
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        paths = [line.split()[4] for line in table]
    return sorted((p for p in paths if p.startswith(f"{folder}/")), key=len, reverse=True)


@contextlib.contextmanager
def workplace():
    """A folder that is a tmpfs of its own, with `tiny`, a folder of one file."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cdrfs-bench."))
    try:
        run(["mount", "-t", "tmpfs", "-o", "size=80%,nr_inodes=0,mode=700", "cdrfs-bench", folder])
        (folder / "tiny").mkdir()
        (folder / "tiny" / "file").write_text("{}\n", encoding="ascii")
        yield folder
    finally:
        for path in [*mounts_below(folder), folder]:
            subprocess.run(["umount", "-l", path], check=False, capture_output=True)
        folder.rmdir()


def drop_caches():
    """The kernel forgets its clean pages, and its names and inodes."""
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")
    drop_caches.times += 1


drop_caches.times = 0


def drops_by_others():
    """How often the caches were emptied since the machine started, but by us."""
    with open("/proc/vmstat", encoding="ascii") as lines:
        all_drops = next(int(line.split()[1]) for line in lines if line.startswith("drop_slab "))
    return all_drops - drop_caches.times


def empty(folder):
    """Makes it a folder that holds nothing."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()


@contextlib.contextmanager
def simulator(*args):
    """As harness.Sim."""
    sim = harness.Sim(*args)
    try:
        yield sim
    finally:
        sim.stop()


@contextlib.contextmanager
def mounted(sim, where, cache, **options):
    """cdrfs on `where` with its store in `cache`, and as good as no rate of its own."""
    mount = harness.Mount(sim, where, cache=cache, **{"rate": 100000, **options})
    try:
        mount.start()
        yield mount
    finally:
        mount.clean_up()

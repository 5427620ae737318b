# SPDX-License-Identifier: MIT
"""Programs that copy trees, and what they say they did."""

import os
import re
import subprocess

from harness import PATIENCE_S


def run(*command, status=(0,), **options):
    """Runs a command that ends with one of these; both outputs as text."""
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE_S, check=False, **options)
    assert done.returncode in status, done
    return done


def rsync(*arguments, status=(0,)):
    """Runs rsync -a; returns how many regular files it transferred, and how many it deleted."""
    done = run("rsync", "-a", "--stats", "--no-h", *arguments, status=status, env=in_english())
    gone = re.search(r"deleted files: \d+ \(reg: (\d+)", done.stdout)
    return (int(re.search(r"regular files transferred: (\d+)\n", done.stdout).group(1)),
            int(gone.group(1)) if gone else 0)


def in_english(**changes):
    return {**os.environ, "LC_ALL": "C.UTF-8", **changes}


def tar(archive, where, *arguments):
    """Runs tar in a folder; returns the names of the files it wrote, and of the links."""
    done = run("tar", "-cf", archive, "-C", where, *arguments, env=in_english())
    assert done.stderr == "" or all("Directory is new" in line or "has been renamed" in line
                                    for line in done.stderr.splitlines()), done.stderr
    lines = run("tar", "-tvf", archive, env=in_english()).stdout.splitlines()
    return tuple(sorted(line.split(maxsplit=5)[5].split(" link to ")[0] for line in lines
                        if line[0] == kind) for kind in "-h")


def files_below(path):
    """{relative path: (bytes, mtime)} of every file."""
    found = {}
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            with open(full, "rb") as f:
                found[os.path.relpath(full, path)] = f.read(), os.stat(full).st_mtime_ns
    return found

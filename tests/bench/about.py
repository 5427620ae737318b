# SPDX-License-Identifier: MIT
"""What was measured, on what."""

import datetime
import os
import platform
import re
import subprocess

import harness

PACKAGES = ("libfuse3-3", "libcurl4", "libsqlite3-0", "libjansson4", "libzstd1", "squashfuse",
            "bindfs", "sshfs", "rclone", "httpdirfs", "curl", "jq", "rsync", "ripgrep", "grep",
            "tar")


def _read(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((m[1] for line in lines if (m := re.match(r"model name\s*: (.*)", line))),
                    platform.machine())


def versions():
    """The versions of what counts, where Debian's tools know them."""
    found = _read("dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES)
    return ", ".join(line for line in found.splitlines() if not line.endswith(" "))


def commit():
    git = ("git", "-c", f"safe.directory={harness.ROOT}", "-C", str(harness.ROOT))
    changed = " and changes" if _read(*git, "status", "--porcelain", "-uno") else ""
    return _read(*git, "rev-parse", "--short", "HEAD") + changed


def lines(command, buildtype):
    """The head of a report."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return [f"- {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, `{command}`",
            f"- cdrfs {commit()}, meson buildtype {buildtype}",
            f"- {os.cpu_count()} x {processor()}, {memory:.0f} GiB, kernel {platform.release()};"
            f" everything in a tmpfs; load when it began {load:.1f}",
            f"- {versions()}"]

# SPDX-License-Identifier: MIT
"""Backups by restic and borg: a second run finds nothing new, wherever the calls come from by then."""

import os
import re
import subprocess

import pytest

from harness import HANG_S, day

DAYS = {day(ago): 40 for ago in range(3, 40)}
CALLS = sum(DAYS.values())


class Restic:
    """A repository, and what a backup says of its files: new, changed."""

    def __init__(self, folder):
        self.env = {**os.environ, "RESTIC_PASSWORD": "x", "RESTIC_CACHE_DIR": f"{folder}/cache",
                    "RESTIC_REPOSITORY": f"{folder}/repository"}
        self.run("init")

    def run(self, *command, cwd=None, status=0):
        done = subprocess.run(["restic", *command], env=self.env, cwd=cwd, check=False, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=HANG_S)
        assert done.returncode == status, done
        return done.stdout

    def backup(self, mount):
        said = self.run("backup", "by-date", cwd=mount.path)
        return tuple(map(int, re.search(r"Files: +(\d+) new, +(\d+) changed", said).groups()))

    def restore(self, target):
        self.run("restore", "latest", "--target", str(target))


class Borg:
    """A repository, and how many files a backup found that it had to read, and that it took to be
    changed. Borg reads the newest of the backup before again, by design."""

    def __init__(self, folder):
        self.env = {**os.environ, "BORG_BASE_DIR": f"{folder}", "LC_ALL": "C.UTF-8",
                    "BORG_REPO": f"{folder}/repository",
                    "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
        self.run("init", "-e", "none")
        self.archives = 0

    def run(self, *command, cwd=None, status=0):
        done = subprocess.run(["borg", *command], env=self.env, cwd=cwd, check=False, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=HANG_S)
        assert done.returncode == status, done
        return done.stdout + done.stderr

    def backup(self, mount):
        self.archives += 1
        said = self.run("create", "--list", "--filter", "AMCE", f"::{self.archives}", "by-date",
                        cwd=mount.path)
        new, changed = (len(re.findall(rf"^[{kinds}] .*json$", said, re.M)) for kinds in ("A", "MCE"))
        return (new - 1 if self.archives > 1 else new), changed

    def restore(self, target):
        target.mkdir()
        self.run("extract", f"::{self.archives}", cwd=target)


PROGRAMS = {"restic": Restic, "borg": Borg}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_second_backup_finds_nothing_new(sim_of, mount_of, tmp_path, program):
    sim = sim_of(DAYS)
    mount = mount_of(sim, ttl="1h")
    (tmp_path / "backup").mkdir()
    backups = PROGRAMS[program](tmp_path / "backup")
    assert backups.backup(mount) == (CALLS, 0) and sim.requests() <= CALLS / 20 + 10
    sim.clear_log()
    assert backups.backup(mount) == (0, 0) and sim.requests() == 0
    mount.unmount()
    mount = mount_of(sim, ttl="1h", where=mount.path, cache=mount.cache)
    assert backups.backup(mount) == (0, 0) and sim.requests() == 0
    before = os.stat(mount.path).st_dev
    mount.unmount()
    while os.stat(mount_of(sim).path).st_dev != before:
        pass  # somebody else has its device
    mount = mount_of(sim, ttl="1h", where=mount.path, cache=f"{mount.cache}2")
    assert os.stat(mount.path).st_dev != before
    assert backups.backup(mount) == (0, 0) and sim.requests() <= CALLS / 20 + 10
    late = sim.calls(3, f"{day(20)} 10:00:00")
    (mount / ".cdrfs" / "refresh").write_text("/")
    assert backups.backup(mount) == (3, 0)
    backups.restore(tmp_path / "restored")
    subprocess.run(["chmod", "-R", "u+w", tmp_path / "restored"], check=True)
    for path in (tmp_path / "restored").rglob("*.json"):
        original = mount / path.relative_to(tmp_path / "restored")
        assert path.read_bytes() == original.read_bytes()
        assert os.stat(path).st_mtime_ns == os.stat(original).st_mtime_ns
    assert len(list((tmp_path / "restored").rglob("*.json"))) == CALLS + len(late)


@pytest.mark.parametrize("program, status", [("restic", 3), ("borg", 1)])
def test_a_backup_says_that_the_api_failed(sim_of, mount_of, tmp_path, program, status):
    sim = sim_of({day(6): 207})
    mount = mount_of(sim)
    (tmp_path / "backup").mkdir()
    backups = PROGRAMS[program](tmp_path / "backup")
    sim.refuse(500, skip=5)
    where = f"by-date/{day(6)}"
    words = ["backup", where] if program == "restic" else ["create", "::failed", where]
    backups.run(*words, cwd=mount.path, status=status)

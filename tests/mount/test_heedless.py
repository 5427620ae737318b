# SPDX-License-Identifier: MIT
"""Programs that take an error of readdir for the end of a directory are told of it by opendir."""

import subprocess

import pytest

from harness import PATIENCE_S, day

COLD, HELD = day(6), day(7)
LIST = """
import errno, os, sys
open("/proc/self/comm", "w").write(sys.argv[2])
try:
    fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
except OSError as e:
    sys.exit(f"open: {errno.errorcode[e.errno]}")
try:
    print(*sorted(os.listdir(fd)))
except OSError as e:
    sys.exit(f"read: {errno.errorcode[e.errno]}")
"""


def listed_by(name, path):
    """What a program of that name lists, or where it ends and how."""
    done = subprocess.run(["/usr/bin/python3", "-c", LIST, path, name], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)
    return done.stderr.strip() if done.returncode else done.stdout.split()


@pytest.mark.parametrize("name, step", [
    ("smbd", "open"), ("smbd[127.0.0.1]", "open"), ("sftp-server", "open"), ("sshd", "open"), ("ls", "read")])
def test_an_error_comes_at_opendir_for_those_who_would_not_heed_it_later(sim_of, mount_of, name, step):
    sim = sim_of({COLD: 407})
    mount = mount_of(sim)
    sim.refuse(404, skip=2, match="end_time")
    assert listed_by(name, mount.day(COLD)) == f"{step}: EIO"
    sim.mend()
    assert listed_by(name, mount.day(COLD)) == sim.names(COLD)


def test_what_they_waited_for_is_not_asked_for_again(sim_of, mount_of):
    """However short the ttl is: the listing is of when it was opened."""
    sim = sim_of({COLD: 45})
    sim.calls(45, f"{day(0)} 09:00:00", 60)
    mount = mount_of(sim, ttl=0)
    for when in (COLD, day(0)):
        sim.clear_log()
        assert listed_by("smbd", mount.day(when)) == sim.names(when)
        assert sim.requests() == 3


def test_they_do_not_wait_for_what_is_held(sim_of, mount_of):
    sim = sim_of({HELD: 45, COLD: 5})
    mount = mount_of(sim, settle=0)
    assert mount.ls(HELD) == sim.names(HELD)
    sim.clear_log()
    sim.refuse(500)
    assert listed_by("smbd", mount.day(HELD)) == sim.names(HELD)
    assert sim.requests() == 0

# SPDX-License-Identifier: MIT
"""What a crash leaves on a mountpoint is taken over by the next start."""

import os

import pytest

from disks import as_root
from expect import error_of
from harness import day
from world import USER

OLD = day(6)


def killed(sim, mount_of, **options):
    mount = mount_of(sim, **options)
    assert mount.ls(OLD) == sim.names(OLD)
    mount.kill()
    assert error_of(os.statvfs, mount.path) == "ENOTCONN"
    return mount


def table(path):
    """How many mounts are on that path."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        return sum(line.split()[4] == str(path) for line in mounts)


def serves(sim, mount):
    """It does, alone, and leaves nothing behind."""
    sim.clear_log()
    assert mount.ls(OLD) == sim.names(OLD) and sim.requests() == 0
    assert table(mount.path) == 1
    mount.unmount()
    assert table(mount.path) == 0 and os.listdir(mount.path) == []


def test_somebody_stands_in_the_dead_mount(sim_of, mount_of, spawn):
    sim = sim_of({OLD: 45})
    mount = mount_of(sim)
    inside = spawn("env", "-C", mount.day(OLD), "sh", "-c", "echo; exec sleep 600")
    inside.stdout.readline()
    fd = os.open(mount.day(OLD) / mount.ls(OLD)[0], os.O_RDONLY)
    mount.kill()
    serves(sim, mount_of(sim, where=mount.path, cache=mount.cache))
    assert error_of(os.read, fd, 1 << 20) in ("ENOTCONN", None)  # None: the kernel kept it
    error_of(os.close, fd)
    assert inside.poll() is None


def test_two_dead_mounts_upon_each_other(sim_of, mount_of, tmp_path):
    """Nothing of ours makes this, but mounting twice with other means does."""
    sim = sim_of({OLD: 45})
    lower = mount_of(sim)
    upper = mount_of(sim, where=tmp_path / "upper", cache=tmp_path / "other")
    for mount in (lower, upper):
        assert mount.ls(OLD) == sim.names(OLD)
    as_root("mount", "--bind", upper.path, lower.path)
    assert table(lower.path) == 2
    lower.kill()
    upper.kill()
    upper.detach()
    serves(sim, mount_of(sim, where=lower.path, cache=lower.cache))


def test_again_and_again(sim_of, mount_of):
    sim = sim_of({OLD: 45})
    mount = killed(sim, mount_of)
    for _ in range(4):
        again = mount_of(sim, where=mount.path, cache=mount.cache)
        assert again.ls(OLD) == sim.names(OLD)
        again.kill()
    serves(sim, mount_of(sim, where=mount.path, cache=mount.cache))


def test_an_unreachable_api_or_refused_credentials_come_after(sim_of, mount_of, cdrfs):
    """A start that is refused has taken the dead mount away all the same."""
    sim = sim_of({OLD: 45})
    mount = killed(sim, mount_of)
    sim.refuse(401)
    done = cdrfs("-o", f"cache_dir={mount.cache}", mount.path, PLIVO_AUTH_ID=sim.auth_id,
                 PLIVO_AUTH_TOKEN=sim.token, PLIVO_API_URL=sim.api_url)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and table(mount.path) == 0


@pytest.mark.parametrize("inside", [False, True])
def test_as_an_ordinary_user(sim_of, world, inside):
    """Who may not unmount leaves it to fusermount3."""
    sim = sim_of({OLD: 45})
    world.mount(sim)
    point = world.point()
    stays = world.start("env", "-C", point / "by-date", "cat", uid=USER) if inside else None
    assert len(world.out("ls", point / "by-date" / OLD, uid=USER).split()) == 45
    world.end(world.holder(sim), "KILL")
    assert "not connected" in world.run("ls", point, uid=USER).stderr
    sim.clear_log()
    assert world.mount(sim) == ""
    assert sorted(world.out("ls", point / "by-date" / OLD, uid=USER).split()) == sim.names(OLD)
    assert sim.requests() == 0
    world.unmount()
    assert not world.is_mounted()
    if stays:
        stays.communicate()

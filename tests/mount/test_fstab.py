# SPDX-License-Identifier: MIT
"""mount(8) and umount(8), and a line of fstab, with what `meson install` installs."""

import os
import pathlib
import subprocess

import pytest

from harness import CDRFS, PATIENCE_S, day
from world import USER, environment

OLD = day(6)
LINE = "_netdev,noauto,x-systemd.automount"

# What was installed below $1 takes its place in the world, with an empty /var/lib.
INSTALL = """
mkdir /dev/sbin.before /dev/sbin
mount --bind /usr/sbin /dev/sbin.before
ln -s /dev/sbin.before/* /dev/sbin
cp -a --remove-destination "$1"/sbin/* /dev/sbin
mount --bind /dev/sbin /usr/sbin
mount --bind "$1/usr/local/bin" /usr/local/bin
mount -t tmpfs none /var/lib
"""


class System:
    """A world in which cdrfs is installed, and fstab has one line."""

    def __init__(self, world, sim):
        self.world, self.sim = world, sim
        built = pathlib.Path(CDRFS).parent
        root = world.folder / "installed"
        subprocess.run(["meson", "install", "-C", built, "--no-rebuild", "--destdir", root],
                       check=True, capture_output=True, timeout=PATIENCE_S)
        world.out("sh", "-euc", INSTALL, "sh", root)
        self.fstab = world.folder / "fstab"
        self.fstab.touch()
        world.out("mount", "--bind", self.fstab, "/etc/fstab")

    def line(self, options=LINE, user=0, **changes):
        """Writes it, with the token in a file of that user's own."""
        token = self.world.home(user) / "token"
        self.world.out("sh", "-c", 'umask 077; echo "$0" >"$1"', self.sim.token, token, uid=user)
        words = {"auth_token_file": token, "api_url": self.sim.api_url, **changes}
        more = [options, *(f"{k}={v}" for k, v in words.items())]
        self.fstab.write_text(f"{self.sim.auth_id} {self.world.point(user)} fuse.cdrfs "
                              f"{','.join(more)} 0 0\n", encoding="utf-8")

    def mount(self, *words, user=0, **env):
        return self.world.run("mount", *words, uid=user, env=environment(**env))

    def names(self, user=0):
        day_of = self.world.point(user) / f"by-date/{OLD}"
        return self.world.out("ls", day_of, uid=user).split()

    def umount(self, store, user=0):
        """umount(8); the process must be gone."""
        pid = int(self.world.out("cat", f"{store}/{self.sim.auth_id}.db.lock"))
        assert self.world.out("cat", f"/proc/{pid}/comm") == "cdrfs\n"
        self.world.out("umount", self.world.point(user), uid=user)
        assert not self.world.is_mounted(user)
        self.world.gone(pid)


@pytest.fixture(name="system")
def _system(world, sim_of):
    return System(world, sim_of({OLD: 45}))


def mounted(done):
    return done.returncode == 0 and done.stdout == done.stderr == ""


@pytest.mark.parametrize("env", [{}, {"HOME": "/root"}, {"XDG_CACHE_HOME": "/root/else"}])
def test_the_line_of_the_manual(system, env):
    """Whoever mounts, a shell or the boot without HOME: the calls are kept in the same place."""
    system.line()
    assert mounted(system.world.run("env", "-u", "HOME", *(f"{k}={v}" for k, v in env.items()),
                                    "mount", system.world.point(0)))
    assert system.names() == system.sim.names(OLD)
    system.umount("/var/lib/cdrfs")
    assert system.world.out("stat", "-c", "%a", "/var/lib/cdrfs") == "700\n"


def test_a_user_may_mount_and_unmount_what_fstab_lets_him(system):
    """As himself: root is nobody to his calls."""
    store = system.world.home(USER) / "store"
    system.line("user,noauto", user=USER, cache_dir=store)
    assert mounted(system.mount(system.world.point(USER), user=USER))
    assert system.names(USER) == system.sim.names(OLD)
    assert system.world.run("ls", system.world.point(USER)).returncode
    assert system.world.out("stat", "-c", "%u", store) == f"{USER}\n"
    system.umount(store, user=USER)


def test_the_flags_of_mount_are_taken(system):
    """-s and -f are other words to mount than to cdrfs."""
    system.line()
    assert system.mount("-n", "-s", system.world.point(0)).returncode == 0
    assert system.names() == system.sim.names(OLD)
    system.umount("/var/lib/cdrfs")
    assert system.mount("-v", system.world.point(0)).returncode == 0
    system.umount("/var/lib/cdrfs")


def test_a_fake_mount_mounts_nothing(system):
    system.line()
    assert mounted(system.mount("-f", system.world.point(0)))
    assert not system.world.is_mounted(0) and system.sim.requests() == 0


@pytest.mark.parametrize("options", ["defaults", "nofail,users", "rw,relatime,sync,comment=calls",
                                     "ro,noatime,nodiratime,lazytime,group", "nosuid,nodev,noexec"])
def test_what_fstab_says_of_any_filesystem_is_taken(system, options):
    system.line(options)
    assert mounted(system.mount(system.world.point(0)))
    system.umount("/var/lib/cdrfs")


def test_without_fstab(system):
    system.line()
    words = system.fstab.read_text(encoding="utf-8").split()
    system.fstab.write_text("", encoding="utf-8")
    assert mounted(system.mount("-t", "fuse.cdrfs", "-o", words[3], *words[:2]))
    assert system.names() == system.sim.names(OLD)
    system.umount("/var/lib/cdrfs")


def test_a_mount_cannot_be_changed_and_says_so(system):
    system.line()
    assert mounted(system.mount(system.world.point(0)))
    done = system.mount("-o", "remount,rate=3", system.world.point(0))
    assert done.returncode and done.stderr == ("cdrfs: a mount of cdrfs cannot be changed (remount); "
                                               "umount it, then mount it again\n")
    assert system.names() == system.sim.names(OLD)
    system.umount("/var/lib/cdrfs")


def test_a_second_mount_says_that_there_is_one(system):
    system.line()
    assert mounted(system.mount(system.world.point(0)))
    done = system.mount(system.world.point(0))
    assert done.returncode and "mounted" in done.stderr and len(done.stderr.splitlines()) == 1
    system.umount("/var/lib/cdrfs")


def test_what_goes_wrong_is_told_by_mount(system):
    system.line(rate="fast")
    done = system.mount(system.world.point(0))
    assert done.returncode and done.stderr.startswith("cdrfs: option rate=fast: ")
    system.line()
    system.world.out("sh", "-c", "echo another >$0", system.world.home(0) / "token")
    done = system.mount(system.world.point(0))
    assert done.returncode and "the API refuses these credentials" in done.stderr
    assert not system.world.is_mounted(0)


def test_mount_finds_the_command_also_without_its_helper(system):
    """By the helper of fuse3, as long as the command is in PATH."""
    system.line("noauto", cache_dir="/var/lib/cdrfs")
    system.world.out("rm", "/dev/sbin/mount.fuse.cdrfs")
    assert mounted(system.mount(system.world.point(0), PATH=f"/usr/local/bin:{os.environ['PATH']}"))
    assert system.names() == system.sim.names(OLD)
    system.umount("/var/lib/cdrfs")

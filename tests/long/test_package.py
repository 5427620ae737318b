# SPDX-License-Identifier: MIT
"""The Debian package, on a machine that has only just been installed. As root, or with sudo that asks
for no password; Debian's mirror must be within reach."""

import pathlib
import re
import subprocess

import pytest

from harness import ROOT, day
from world import AS_ROOT

OLD = day(6)
BUILD_S = 600
MIRROR = "http://deb.debian.org/debian"

# Runs $2 in the root $1, with a /proc, a /dev and processes of its own.
ENTER = """
mount --bind "$1" "$1"
cd "$1"
mount -t proc none proc
mount -t tmpfs -o mode=755 none dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/fuse c 10 229
script=$2
shift 2
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -euc "$script" sh "$@"
"""

INSTALLED = """
dpkg -i /cdrfs.deb >&2
cdrfs --version
! ldd /usr/bin/cdrfs | grep 'not found'
test -x /sbin/mount.fuse.cdrfs
"""

# Mounts by fstab, upgrades below the mount, unmounts, and waits for the process to be gone.
MOUNTED = """
mkdir -p /mnt/calls
echo "$3" >/token
chmod 600 /token
echo "$1 /mnt/calls fuse.cdrfs _netdev,noauto,auth_token_file=/token,api_url=$2 0 0" >>/etc/fstab
mount /mnt/calls
ls "/mnt/calls/by-date/$4"
dpkg -i /cdrfs.deb >&2
ls "/mnt/calls/csv/by-date/$4.csv"
cat "/mnt/calls/by-date/$4"/* | grep -c '"call_uuid"'
umount /mnt/calls
tail -f -s 0.02 --pid="$(cat "/var/lib/cdrfs/$1.db.lock")" /dev/null
echo gone
"""

# The books that dpkg and mount(8) keep are none of ours.
FILES = """
find / -xdev ! -path '/var/log/*' ! -path '/var/lib/dpkg/*' ! -path '/run/*' | sort
"""


def run(*command, seconds=BUILD_S, **options):
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=seconds, check=False, **options)
    assert done.returncode == 0, done
    return done.stdout


@pytest.fixture(name="packages", scope="module")
def _packages(tmp_path_factory):
    """The folder that scripts/package has filled."""
    out = tmp_path_factory.mktemp("packages")
    status = ["git", "-c", f"safe.directory={ROOT}", "-C", ROOT, "status", "--porcelain"]
    before = run(*status)
    run(ROOT / "scripts/package", out)
    assert run(*status) == before
    return out


def package(packages, name="cdrfs"):
    return next(packages.glob(f"{name}_*.deb"))


class Fresh:
    """A minimal Debian with what the package says that it needs, and the package in /cdrfs.deb."""

    def __init__(self, folder, deb):
        self.folder = pathlib.Path(folder)
        release = pathlib.Path("/etc/os-release").read_text(encoding="utf-8")
        suite = re.search("^VERSION_CODENAME=(.*)$", release, re.M)[1]
        depends = re.sub(r" *\([^)]*\)", "", run("dpkg-deb", "-f", deb, "Depends"))
        run(*AS_ROOT, "debootstrap", "--variant=minbase", f"--include={depends.strip()}".replace(" ", ""),
            suite, self.folder, MIRROR)
        run(*AS_ROOT, "cp", deb, self.folder / "cdrfs.deb")

    def out(self, script, *args):
        return run(*AS_ROOT, "unshare", "-m", "-p", "--fork", "sh", "-euc", ENTER, "sh", self.folder,
                   script, *args)

    def files(self):
        return set(self.out(FILES).splitlines())

    def remove(self):
        run(*AS_ROOT, "rm", "-rf", "--one-file-system", self.folder)


@pytest.fixture(name="fresh")
def _fresh(tmp_path, packages):
    fresh = Fresh(tmp_path / "root", package(packages))
    yield fresh
    fresh.remove()


def test_lintian_finds_no_error(packages):
    changes = next(packages.glob("*.changes"))
    done = subprocess.run(["lintian", "--fail-on", "error", "--allow-root", changes], text=True,
                          capture_output=True, timeout=BUILD_S, check=False)
    assert done.returncode == 0 and "E: " not in done.stdout, done


def test_the_debugging_symbols_are_of_this_build(packages, tmp_path):
    for name in ("cdrfs", "cdrfs-dbgsym"):
        run("dpkg-deb", "-x", package(packages, name), tmp_path)
    notes = run("readelf", "-n", tmp_path / "usr/bin/cdrfs")
    build = re.search("Build ID: ([0-9a-f]+)", notes)[1]
    assert (tmp_path / f"usr/lib/debug/.build-id/{build[:2]}/{build[2:]}.debug").exists()


def test_it_is_installed_mounts_is_upgraded_and_leaves_nothing_but_calls(fresh, sim_of):
    sim = sim_of({OLD: 45})
    before = fresh.files()
    version = run("dpkg-deb", "-f", fresh.folder / "cdrfs.deb", "Version").strip()
    assert fresh.out(INSTALLED) == f"cdrfs {version}\n"
    said = fresh.out(MOUNTED, sim.auth_id, sim.api_url, sim.token, OLD).splitlines()
    assert said == [*sim.names(OLD), f"/mnt/calls/csv/by-date/{OLD}.csv", "45", "gone"]
    assert "rm -r" in fresh.out("dpkg --purge cdrfs")
    left = {path for path in fresh.files() - before if not path.startswith("/var/lib/cdrfs/")}
    assert left == {"/mnt/calls", "/token", "/var/lib/cdrfs"}
    fresh.out("rm -r /var/lib/cdrfs; dpkg -i /cdrfs.deb; dpkg --purge cdrfs")
    assert fresh.files() - before == {"/mnt/calls", "/token"}

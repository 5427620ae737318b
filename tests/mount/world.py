# SPDX-License-Identifier: MIT
"""A small world of its own: other users, a private /dev and its own processes, on a machine that stays
as it is. Root makes it; whoever runs the tests as somebody else needs sudo without a password."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from harness import CDRFS, PATIENCE_S, clean_env

USER, OTHER = 65534, 1  # nobody and daemon; fusermount3 wants a user to have a name
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n", "-E"]

# What this becomes is the first process of its pid namespace: when it ends, all others are ended too.
# Those that end before are nobody's children; it leaves no zombies of them.
# A namespace of mounts begins with a copy of all there are, and a mount ends with its last copy: those
# of other tests would go on here after their unmount.
SETUP = """
read -r pid rest </proc/self/stat
for mount in $(sed -n 's/^[^ ]* \\([^ ]*\\) fuse.cdrfs .*/\\1/p' /proc/self/mounts); do
    umount -l "$mount"
done
mount -t proc none /proc
mount -t tmpfs -o mode=755 none /dev
while read -r name major minor; do
    mknod -m 666 "/dev/$name" c "$major" "$minor"
done <<END
null 1 3
zero 1 5
random 1 8
urandom 1 9
fuse 10 229
END
ln -s /proc/self/fd /dev/fd
for uid in 0 {USER} {OTHER}; do
    install -d -o "$uid" -g "$uid" "$1/$uid" "$1/$uid/mnt"
done
echo "$pid"
exec env --ignore-signal=CHLD cat >/dev/null
""".replace("{USER}", str(USER)).replace("{OTHER}", str(OTHER))


def environment(**changes):
    """What cdrfs should find. A sanitizer can neither look for leaks in a process that nobody may
    attach to, nor write its reports where the tests want them."""
    env = clean_env(**changes)
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
        if name in env:
            env[name] = "detect_leaks=0:" + re.sub(r"log_path=[^:]*:?", "", env[name])
    return env


class World:
    """Commands run in it as root or as another user; `folder`/UID belongs to that user."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cdrfs-world-"))
        self.folder.chmod(0o755)
        self.cdrfs = self.folder / "cdrfs"  # the real one may stand where only root can look
        shutil.copy(CDRFS, self.cdrfs)
        self.first = subprocess.Popen(
            [*AS_ROOT, "unshare", "-m", "-p", "--fork", "sh", "-euc", SETUP, "sh", self.folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.first.stdout.readline().strip()
        assert self.pid, "no world could be made"

    def close(self):
        """Ends every process in it, and forgets what they mounted."""
        self.first.stdin.close()
        self.first.wait(PATIENCE_S)
        self.first.stdout.close()
        subprocess.run([*AS_ROOT, "rm", "-rf", self.folder], check=True, timeout=PATIENCE_S)

    def command(self, *command, uid=0, cwd=None):
        user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
        enter = ["nsenter", "-m", "-p", "-r", "--wd=/", "-t", self.pid]
        go = ["sh", "-c", 'cd "$0" && exec "$@"', cwd] if cwd else []
        return [*AS_ROOT, *enter, *user, *map(str, [*go, *command])]

    def run(self, *command, uid=0, cwd=None, env=None, **options):
        """Runs a command to its end, whatever that is."""
        return subprocess.run(self.command(*command, uid=uid, cwd=cwd), env=env or environment(),
                              text=True, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=PATIENCE_S, check=False, **options)

    def out(self, *command, **options):
        """What a command that must succeed prints."""
        done = self.run(*command, **options)
        assert done.returncode == 0, done
        return done.stdout

    def start(self, *command, uid=0, env=None):
        """A process that goes on, with pipes; it must end when its input does, or with the world."""
        return subprocess.Popen(self.command(*command, uid=uid), env=env or environment(),
                                text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    @contextlib.contextmanager
    def bystander(self, uid=USER, **env):
        """The pid, as this world knows it, of a process that is nothing special."""
        process = self.start("sh", "-c", "echo $$; exec cat", uid=uid, env=environment(**env))
        yield int(process.stdout.readline())
        process.communicate(timeout=PATIENCE_S)

    # --- the mount of a user ---

    def home(self, user=USER):
        return self.folder / str(user)

    def point(self, user=USER):
        return self.home(user) / "mnt"

    def line(self, *flags, user=USER, **options):
        """The command that mounts for that user."""
        options = {"rate": 1000, "cache_dir": self.home(user) / "cache", **options}
        words = ",".join(k if v is True else f"{k}={v}" for k, v in options.items())
        return [self.cdrfs, *flags, "-o", words, self.point(user)]

    @staticmethod
    def account(sim, **changes):
        return environment(**{"PLIVO_AUTH_ID": sim.auth_id, "PLIVO_AUTH_TOKEN": sim.token,
                              "PLIVO_API_URL": sim.api_url, **changes})

    def mount(self, sim, user=USER, env=None, **options):
        """Mounts in the background, and returns what that said. As in harness.py, the log of the
        simulator then begins anew."""
        done = self.run(*self.line(user=user, **options), uid=user, env=env or self.account(sim))
        assert done.returncode == 0 and done.stdout == "", done
        assert self.is_mounted(user)
        sim.wait(idle=1)
        sim.clear_log()
        return done.stderr

    def holder(self, sim, user=USER):
        """The process that serves the mount, as this world knows it: the one that locked the store."""
        return int(self.out("cat", self.home(user) / f"cache/{sim.auth_id}.db.lock"))

    def is_mounted(self, user=USER):
        table = self.out("cat", "/proc/self/mountinfo").splitlines()
        return any(line.split()[4] == str(self.point(user)) for line in table)

    def unmount(self, user=USER):
        self.out("fusermount3", "-u", self.point(user), uid=user)

    def end(self, pid, signal="TERM"):
        """Sends a process that signal, and waits until it is gone."""
        self.out("sh", "-c", f"kill -{signal} {pid}")
        self.gone(pid)

    def gone(self, pid):
        """Waits until that process is gone."""
        self.out("tail", "-f", "-s", "0.02", f"--pid={pid}", "/dev/null")

    def processes(self, name):
        """The pids of all processes of that name, in order."""
        found = self.out("sh", "-c", f"grep -lx {name} /proc/[0-9]*/comm").split()
        return sorted(int(path.split("/")[2]) for path in found)

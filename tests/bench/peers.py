# SPDX-License-Identifier: MIT
"""Those cdrfs is measured beside. Each is started on the same tree, and is then a path."""

import contextlib
import getpass
import os
import pathlib
import select
import socket
import subprocess
import sys
import time

import harness
from place import mounts_below
from timing import Failed, run

START_S = 60


class Tmpfs:
    """The tree itself, as a copy in memory."""

    name = "tmpfs"
    pid = None

    def __init__(self, tree):
        self.path = tree

    def start(self):
        """It is there already."""

    def stop(self):
        """It stays."""


class Cdrfs:
    """cdrfs over a store that holds the tree."""

    name = "cdrfs"

    def __init__(self, sim, where, cache):
        self.sim, self.where, self.cache = sim, where, cache
        self.path = where / "by-date"
        self.mount = None

    def start(self, **options):
        options = {"rate": 100000, "ttl": "1d", **options}
        self.mount = harness.Mount(self.sim, self.where, cache=self.cache, **options)
        self.mount.start()

    @property
    def pid(self):
        return self.mount.pid

    def stop(self):
        if self.mount:
            self.mount.clean_up()
            self.mount = None


class Foreign:
    """A filesystem whose program stays in the foreground."""

    name = None

    def __init__(self, work, tree, part=""):
        self.work, self.tree = work, tree
        self.where = work / f"mnt-{self.name.replace(' ', '-')}"
        self.where.mkdir(exist_ok=True)
        self.path = self.where / part
        self.process = None

    def command(self):
        raise NotImplementedError

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return pathlib.Path(f"{self.where}.log")

    def start(self):
        table = select.poll()
        end = time.monotonic() + START_S
        with open("/proc/self/mountinfo", "rb") as mounts, open(self.log(), "wb") as log:
            table.register(mounts, select.POLLERR | select.POLLPRI)
            # A session of its own: Ctrl-C is ours to handle.
            self.process = subprocess.Popen(list(map(str, self.command())), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True,
                                            env={**os.environ, "HOME": str(self.work)})
            while not self.is_mounted():
                if self.process.poll() is not None or time.monotonic() > end:
                    raise Failed(f"{self.name} does not mount: {self.log().read_text()[-500:]}")
                table.poll(1000)
        os.listdir(self.path)

    def is_mounted(self):
        return str(self.where) in mounts_below(self.work)

    def stop(self):
        if not self.process:
            return
        subprocess.run(["umount", "-l", self.where], check=False, capture_output=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        self.process = None


class Floor(Foreign):
    """The tree from memory by what the kernel and libfuse cost alone, see floor.c."""

    name = "floor"

    def command(self):
        return [os.environ["BENCH_FLOOR"], self.tree, self.where]


class Squashfuse(Foreign):
    """squashfuse_ll over an image of the tree."""

    name = "squashfuse_ll"

    def __init__(self, work, tree):
        super().__init__(work, tree)
        self.image = work / "tree.squashfs"
        run(["mksquashfs", tree, self.image, "-noappend", "-quiet", "-no-progress"])

    def command(self):
        return ["squashfuse_ll", "-f", self.image, self.where]


class Bindfs(Foreign):
    """bindfs over the tree."""

    name = "bindfs"

    def command(self):
        return ["bindfs", "-f", self.tree, self.where]


class Rclone(Foreign):
    """rclone's mount of a local folder; its defaults, so without its file cache."""

    name = "rclone"

    def command(self):
        return ["rclone", "mount", "--config", os.devnull, "--cache-dir", self.work / "rclone",
                "--read-only", "--file-perms", "0400", "--dir-perms", "0500", self.tree,
                self.where]


def free_port():
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Sshd:
    """An sshd for us alone, on loopback, with keys that are thrown away."""

    def __init__(self, work):
        self.work = work
        self.process = self.port = None

    def start(self):
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        for key in ("host", "user"):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.work / key])
        self.port = free_port()
        config = self.work / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.work}/host\n"
            f"AuthorizedKeysFile {self.work}/user.pub\nPidFile none\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
            "Subsystem sftp internal-sftp\n", encoding="ascii")
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config],
                                        stderr=subprocess.PIPE, start_new_session=True)
        for line in self.process.stderr:
            if b"listening on 127.0.0.1 port" in line:
                return
        raise Failed("sshd does not start")

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()


class Sshfs(Foreign):
    """sshfs of the tree, from this machine."""

    name = "sshfs"

    def __init__(self, work, tree, sshd):
        super().__init__(work, tree)
        self.sshd = sshd

    def command(self):
        options = [f"IdentityFile={self.work}/user", "StrictHostKeyChecking=no",
                   f"UserKnownHostsFile={os.devnull}", "IdentitiesOnly=yes", "BatchMode=yes"]
        return ["sshfs", "-f", "-F", os.devnull, "-p", self.sshd.port,
                *(word for o in options for word in ("-o", o)),
                f"{getpass.getuser()}@127.0.0.1:{self.tree}", self.where]


class StaticServer:
    """The tree over HTTP, each answer after that many ms."""

    def __init__(self, tree, latency_ms):
        self.argv = [sys.executable, pathlib.Path(__file__).parent / "static_server.py", tree,
                     str(latency_ms)]
        self.process = self.url = None

    def start(self):
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)
        self.url = self.process.stdout.readline().strip()

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


class RcloneHttp(Foreign):
    """rclone's mount of what a web server lists."""

    name = "rclone http"

    def command(self):
        return ["rclone", "mount", "--config", os.devnull, "--cache-dir", self.work / "rclone",
                "--read-only", "--http-url", self.tree, ":http:", self.where]


class Httpdirfs(Foreign):
    """httpdirfs' mount of what a web server lists."""

    name = "httpdirfs"

    def command(self):
        return ["httpdirfs", "-f", "--max-conns", "8", self.tree, self.where]

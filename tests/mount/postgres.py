# SPDX-License-Identifier: MIT
"""A PostgreSQL server of our own."""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

from harness import HANG_S

USER = "nobody"  # as root: a server must not run as that


class Postgres:
    """On a socket of its own, for nobody else, and gone with the test."""

    def __init__(self, size=None):
        self.bin = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        self.folder = folder = pathlib.Path(tempfile.mkdtemp(prefix="cdrfs-postgresql-"))
        self.user = []
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
            self.user = ["setpriv", f"--reuid={USER}", "--clear-groups"]
        os.chmod(folder, 0o755)
        self.env = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(folder)}
        self.data = folder / "data"
        if size:
            self.data.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "tmpfs",
                            self.data], check=True)
            os.chown(self.data, pwd.getpwnam(USER).pw_uid, -1)
        self.sized = size is not None
        self.run("initdb", "-D", self.data, "-U", "cdrfs", "-A", "trust", "-N")
        self.start()

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o",
                 f"-k {self.folder} -c listen_addresses= -F", "start")

    def run(self, program, *arguments, **options):
        command = [*self.user, self.bin / program, *arguments]
        options = {"stdin": subprocess.DEVNULL, "timeout": HANG_S, "cwd": self.folder, **options}
        done = subprocess.run(list(map(str, command)), env=self.env, check=False,
                              stdout=subprocess.PIPE, **options)
        assert done.returncode == 0, done
        return done.stdout.decode()

    def sql(self, text, **options):
        return self.run("psql", "-h", self.folder, "-U", "cdrfs", "-d", "postgres", "-v",
                        "ON_ERROR_STOP=1", "-q", "-X", "-A", "-t", "-c", text, **options)

    def url(self, user="cdrfs"):
        """As shared= takes it."""
        return f"postgresql://{user}@/postgres?host={self.folder}"

    def halt(self, how="immediate"):
        self.run("pg_ctl", "-D", self.data, "-w", "-m", how, "stop")

    def stop(self):
        if (self.data / "postmaster.pid").exists():
            self.halt()
        if self.sized:
            subprocess.run(["umount", self.data], check=True)
        shutil.rmtree(self.folder)

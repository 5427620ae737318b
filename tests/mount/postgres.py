# SPDX-License-Identifier: MIT
"""A PostgreSQL server of our own."""

import os
import pathlib
import pwd
import shutil
import signal
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
        self.halted = []  # the processes that stand still
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

    def sql(self, *texts, **options):
        commands = [word for text in texts for word in ("-c", text)]
        return self.run("psql", "-h", self.folder, "-U", "cdrfs", "-d", "postgres", "-v",
                        "ON_ERROR_STOP=1", "-q", "-X", "-A", "-t", *commands, **options)

    def url(self, user="cdrfs"):
        """As shared= takes it."""
        return f"postgresql://{user}@/postgres?host={self.folder}"

    def empty(self):
        """Everything is forgotten, as by a new database behind the same URL."""
        self.sql("SET client_min_messages = warning", "DROP SCHEMA public CASCADE",
                 "CREATE SCHEMA public", "GRANT ALL ON SCHEMA public TO public")

    def role(self, name, grants="", options=""):
        """A role that did not exist, whose grants follow "GRANT"."""
        self.sql(f"CREATE ROLE {name} LOGIN {options}",
                 *([f"GRANT {grants} TO {name}"] if grants else []))

    def drop_role(self, name):
        self.sql(f"DROP OWNED BY {name}", f"DROP ROLE {name}")

    def leave_room(self, size):
        """Fills its disk until no more than that is free; of one with a size."""
        room = os.statvfs(self.data)
        with open(self.data / "ballast", "wb") as f:
            f.write(b"\0" * (room.f_bavail * room.f_frsize - size))

    def make_room(self):
        (self.data / "ballast").unlink()

    def is_up(self):
        return (self.data / "postmaster.pid").exists()

    def halt(self, how="immediate"):
        self.run("pg_ctl", "-D", self.data, "-w", "-m", how, "stop")

    def restart(self):
        self.halt()
        self.start()

    def processes(self):
        """The server's, itself first."""
        first = int((self.data / "postmaster.pid").read_text().split()[0])
        children = pathlib.Path(f"/proc/{first}/task/{first}/children").read_text()
        return [first, *map(int, children.split())]

    def freeze(self):
        """It answers nothing any more, and refuses nothing."""
        for pid in self.processes():
            os.kill(pid, signal.SIGSTOP)
            self.halted.append(pid)

    def thaw(self):
        for pid in self.halted:
            os.kill(pid, signal.SIGCONT)
        self.halted = []

    def mend(self):
        """It runs, whatever a test did."""
        self.thaw()
        if not self.is_up():
            self.start()

    def stop(self):
        self.thaw()
        if self.is_up():
            self.halt()
        if self.sized:
            subprocess.run(["umount", self.data], check=True)
        shutil.rmtree(self.folder)

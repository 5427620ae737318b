# SPDX-License-Identifier: MIT
"""What the mount tests are made of: a simulator and a mount of it."""

import calendar
import contextlib
import datetime
import json
import os
import pathlib
import select
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlencode

ROOT = pathlib.Path(__file__).resolve().parents[2]
CDRFS = os.environ.get("CDRFS", str(ROOT / "build/cdrfs"))
CDRFS_SIM = os.environ.get("CDRFS_SIM", str(ROOT / "build/tests/sim/cdrfs-sim"))

SLOW = 10 if {"CDRFS_SLOW", "ASAN_OPTIONS", "TSAN_OPTIONS"} & set(os.environ) else 1
GONE_S = 2 * SLOW  # how soon a mount that was told to end must be gone
PATIENCE_S = 60 * SLOW  # for what should happen soon, and is waited for by event
HTTP_S = PATIENCE_S + 10  # for an answer of the simulator, which may itself wait that long
HANG_S = 120 * SLOW  # a mount that is older than this is killed: something hangs

# The simulator's clock stands still at noon of the real today, so that cdrfs knows the day also
# when it has not heard from the API.
TODAY = datetime.datetime.now(datetime.timezone.utc).date()
NOW = f"{TODAY} 12:00:00"


def day(ago):
    """The name of the day so many days ago."""
    return str(TODAY - datetime.timedelta(days=ago))


def epoch(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


def clean_env(**changes):
    """The environment without anything cdrfs takes from it, and with these."""
    ours = ("PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN", "PLIVO_API_URL", "CREDENTIALS_DIRECTORY")
    return {**{k: v for k, v in os.environ.items() if k not in ours}, **changes}


class Sim:
    """A running simulator: latest and legacy, clock frozen at NOW, with the given calls a day."""

    def __init__(self, counts=None, *args):
        per_day = ",".join(f"{name}={n}" for name, n in (counts or {}).items())
        options = ["--exit-on-eof", "--now", NOW, "--frozen", "--calls", "0",
                   *(["--day-counts", per_day] if per_day else []), *map(str, args)]
        self.process = subprocess.Popen([CDRFS_SIM, *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.info = json.loads(self.process.stdout.readline())
        self.auth_id = self.info["auth_id"]
        self.token = self.info["auth_token"]
        self.api_url = self.info["api_url"]
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def stop(self):
        """Ends it. What stalls is dropped. Twice does no harm."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.process.stdin.close()
        self.process.stdout.close()

    def call(self, endpoint, query=None, body=None):
        url = f"{self.info['control_url']}/{endpoint}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        try:
            with self.opener.open(urllib.request.Request(url, data), timeout=HTTP_S) as answer:
                text = answer.read().decode()
                lines = answer.headers["Content-Type"] == "application/x-ndjson"
        except urllib.error.HTTPError as e:
            raise AssertionError(f"control/{endpoint}: {e.code}: {e.read().decode()}") from None
        return [json.loads(s) for s in text.split("\n") if s] if lines else json.loads(text or "{}")

    def config(self, **settings):
        self.call("config", body=settings)

    def fault(self, kind, **members):
        self.call("faults", body={"kind": kind, **members})

    def refuse(self, status, count=-1, **members):
        """An error for ever, which may be retried at once, so that no test waits for a backoff."""
        self.fault("status", status=status, count=count, headers={"Retry-After": "0"}, **members)

    def stall(self, **members):
        self.fault("stall", count=-1, **members)

    def mend(self):
        """No fault any more, and what stalls goes on."""
        self.call("faults/clear", body={})
        self.release()

    def release(self):
        return self.call("release", body={})["released"]

    def calls(self, n=1, end_time=NOW, step_s=0, **more):
        body = {"n": n, "end_time": end_time, "step_s": step_s, **more}
        return self.call("calls", body=body)["uuids"]

    def raw(self, end_time, text):
        return self.call("raw", body={"end_time": end_time, "json": text})["uuids"][0]

    def amend(self, uuid, **literals):
        self.call("amend", body={"call_uuid": uuid, "set": literals})

    def arrivals(self, per_second, late_max_s=0):
        self.call("arrivals", body={"per_second": per_second, "late_max_s": late_max_s})

    def clock(self, **change):
        return self.call("clock", body=change)["now"]

    def log(self):
        return self.call("log")

    def clear_log(self):
        self.call("log/clear", body={})

    def stats(self):
        return self.call("stats")

    def wait(self, **conditions):
        """Returns when all hold (requests, in_flight, idle); fails when that takes too long."""
        return self.call("wait", {**conditions, "timeout_ms": PATIENCE_S * 1000})

    def requests(self):
        """API requests since the mount, whose credential check was cleared from the log."""
        return self.stats()["requests"]

    def oracle(self, name=None, dialect="latest"):
        """All calls, or those that ended on one day."""
        query = {"dialect": dialect}
        if name:
            after = datetime.date.fromisoformat(name) + datetime.timedelta(days=1)
            query.update({"from": f"{name} 00:00:00", "to": f"{after} 00:00:00"})
        return self.call("oracle", query)

    def names(self, name, **match):
        """The file names the directory of that day should have; match restricts by member."""
        return sorted(row["call_uuid"] + ".json" for row in self.oracle(name)
                      if all(row[k] == v for k, v in match.items()))


class Mount:
    """cdrfs on a mountpoint of its own. start() mounts; clean_up() ends it whatever happened."""

    def __init__(self, sim, where, cache=None, dialect="latest", debug=False, flags=(),
                 env=None, **options):
        self.sim = sim
        self.path = pathlib.Path(where)
        self.cache = pathlib.Path(cache or f"{where}.cache")
        self.store = self.cache / f"{sim.auth_id}{'-legacy' if dialect == 'legacy' else ''}.db"
        self.debug = debug
        self.flags = flags
        options = {"rate": 1000, "cache_dir": self.cache, "dialect": dialect, **options}
        self.options = ",".join(k if v is True else f"{k}={v}" for k, v in options.items())
        self.account = {"PLIVO_AUTH_ID": sim.auth_id, "PLIVO_AUTH_TOKEN": sim.token,
                        "PLIVO_API_URL": sim.api_url}
        self.env = clean_env(**{**self.account, **(env or {})})
        self.pid = self.pidfd = self.process = self.watchdog = None
        self.stderr = b""

    def start(self):
        """Mounts, and clears the simulator's log of the credential check."""
        if not os.path.lexists(self.path) and not self.is_mounted():  # a dead mount answers no stat
            self.path.mkdir(parents=True)
        if self.debug:
            self.start_in_foreground(CDRFS, "-d", "-o", self.options, self.path)
        else:
            self.run(CDRFS, *self.flags, "-o", self.options, self.path)
        self.follow()
        if self.sim.process.poll() is None:
            self.sim.wait(idle=1)
            self.sim.clear_log()

    def follow(self):
        """Takes charge of the process that serves the mount: in the background, the one that locked
        the store."""
        lock = pathlib.Path(f"{self.store}.lock")
        self.pid = self.process.pid if self.process else int(lock.read_text(encoding="ascii"))
        self.pidfd = os.pidfd_open(self.pid)
        self.watchdog = threading.Timer(HANG_S, self.kill)
        self.watchdog.daemon = True
        self.watchdog.start()

    def run(self, *command, **options):
        """Runs a command that mounts and goes to the background."""
        done = subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, timeout=PATIENCE_S,
                              capture_output=True, check=False, **options)
        self.stderr = done.stderr
        assert done.returncode == 0 and done.stdout == b"", done
        assert self.is_mounted()

    def start_in_foreground(self, *command):
        table = select.poll()
        with open("/proc/self/mountinfo", "rb") as mounts, \
                open(f"{self.path}.output", "wb") as output:
            table.register(mounts, select.POLLERR | select.POLLPRI)
            self.process = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output)
            end = time.monotonic() + PATIENCE_S
            while not self.is_mounted():
                assert self.process.poll() is None and time.monotonic() < end, self.output()
                table.poll(1000)

    def output(self):
        """What a foreground mount wrote."""
        return pathlib.Path(f"{self.path}.output").read_bytes()

    def __truediv__(self, name):
        return self.path / name

    def day(self, name, direction=None):
        view = f"by-direction/{direction}" if direction else "by-date"
        return self.path / view / name

    def ls(self, name, direction=None):
        """The names of a day, sorted."""
        return sorted(os.listdir(self.day(name, direction)))

    def is_mounted(self):
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            return any(line.split()[4] == str(self.path) for line in mounts)

    def is_gone(self, seconds):
        """Whether the process ends within so many seconds."""
        if self.process:
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
        return bool(select.select([self.pidfd], [], [], seconds)[0])

    def send(self, number):
        signal.pidfd_send_signal(self.pidfd, number)

    def kill(self):
        """kill -9, which leaves a dead mount behind."""
        try:
            self.send(signal.SIGKILL)
        except ProcessLookupError:
            return
        assert self.is_gone(PATIENCE_S)

    def unmount(self):
        """As a user does; the process must be gone soon."""
        subprocess.run(["fusermount3", "-u", self.path], check=True, timeout=PATIENCE_S)
        assert self.is_gone(GONE_S), f"cdrfs is still there {GONE_S} s after the unmount"

    def detach(self):
        """Takes the mountpoint back, whatever is open, and however many mounts are on it."""
        for _ in range(5):
            if not self.is_mounted():
                return
            subprocess.run(["fusermount3", "-uz", self.path], check=False, timeout=PATIENCE_S,
                           capture_output=True)

    def clean_up(self):
        """Whatever the test did, nothing stays."""
        if self.watchdog:
            self.watchdog.cancel()
        self.detach()
        if self.process and not self.pidfd:  # it never got as far as mounting
            self.process.kill()
            self.process.wait(PATIENCE_S)
        if self.pidfd:
            self.end()
            os.close(self.pidfd)

    def end(self):
        """Gently first: a process that is killed while it ends reports no leaks."""
        with contextlib.suppress(ProcessLookupError):
            self.send(signal.SIGTERM)
            if not self.is_gone(GONE_S):
                self.kill()
